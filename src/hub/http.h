// One request over HTTP, by libcurl; http.cpp is the one file that knows it. It is loaded when it
// is first needed, so that a program runs where there is none, and with the certificates of the
// system on which it runs.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "hub/address.h"

namespace skein::hub {

struct Request {
  std::string url;
  uint64_t from = 0;               // the first byte that is wanted
  std::optional<uint64_t> last{};  // the last one; asks for a range even if `from` is 0
  std::string if_range{};          // the range only if the file still has this ETag or date
  std::string token;               // sent as a bearer's; empty: none
};

struct Answer {
  int status = 0;
  std::string refusal;                         // of what is no success, the beginning of the text
  std::string location;                        // of a redirect, as a whole address
  std::map<std::string, std::string> headers;  // names in lower case

  // Empty if there is no such header.
  std::string_view header(std::string_view lower_case_name) const;
  bool is_redirect() const { return status >= 300 && status < 400 && !location.empty(); }
  bool is_success() const { return status == 200 || status == 206; }
};

class Http {
 public:
  // `patience_s`: how long a connection may take to open, and less than a kilobyte a second may
  // come. Error: io (there is no libcurl here).
  static Result<Http> open(int patience_s);
  Http(Http&&) noexcept;
  Http& operator=(Http&&) = delete;
  ~Http();

  // Error: argument.
  Result<Address> address(const std::string& url) const;

  // Follows no redirect. Of a success `begin` is told before its first byte, and may refuse it;
  // `take` gets the bytes, and false of it is enough of them. Of other answers only the beginning
  // is read. Errors: network (passes() says more); io "interrupted"; those of `begin` and `take`.
  Result<Answer> get(const Request& request, const std::function<Status(const Answer&)>& begin,
                     const std::function<Result<bool>(std::span<const std::byte>)>& take);
  // The same with a body of JSON. An answer may take as long as it likes to come.
  Result<Answer> post(const Request& request, const std::string& body,
                      const std::function<Status(const Answer&)>& begin,
                      const std::function<Result<bool>(std::span<const std::byte>)>& take);
  // Whether the last failure was that of a connection, which may pass by itself.
  bool passes() const;

 private:
  struct State;
  Result<Answer> send(const Request& request, const std::string* body,
                      const std::function<Status(const Answer&)>& begin,
                      const std::function<Result<bool>(std::span<const std::byte>)>& take);
  explicit Http(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace skein::hub
