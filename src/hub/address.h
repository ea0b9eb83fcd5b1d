// What addresses may be asked, and who may hear what: the one place that decides both.
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::hub {

// Where an address leads, taken apart by libcurl (hub/http.h), so that nobody reads it in another
// way than who opens the connection.
struct Address {
  std::string scheme, host, port;
  bool has_user = false;  // https://name:password@...

  bool operator==(const Address&) const = default;
  std::string shown() const;  // "huggingface.co", "127.0.0.1:8080", for messages
};

// Whether the machine itself is meant: 127.x.x.x, ::1, localhost.
bool is_loopback(const Address& address);

// https, or http to the machine itself; no name or password, which would be printed. Error:
// argument.
Status check_address(const Address& address);

// Whether an answer from `from` may send us to `to`: never to what check_address() refuses, and
// never from an encrypted connection to a plain one. Error: network.
Status check_redirect(const Address& from, const Address& to);

}  // namespace skein::hub
