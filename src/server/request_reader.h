// Requests out of the bytes of a connection, wherever those are cut. The gate looks at the header,
// Boost.Beast takes the body apart; request_reader.cpp is one of the two files that know Boost.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "server/http.h"

namespace skein::server {

class RequestReader {
 public:
  RequestReader();
  ~RequestReader();
  RequestReader(const RequestReader&) = delete;
  RequestReader& operator=(const RequestReader&) = delete;

  void feed(std::string_view bytes) { bytes_.append(bytes); }
  // What was fed and belongs to no request yet.
  size_t waiting() const { return bytes_.size(); }
  bool has_begun() const { return !bytes_.empty(); }

  // The next request's header, or nothing before it is there. After a refusal nothing that was or
  // will be fed is a request.
  tl::expected<std::optional<Head>, Refusal> read_head();
  // After a header: its body, or nothing before all of it is there. Refused: 413 where it is longer
  // than `limit_bytes`, 400 for chunks that are none and for fields behind them.
  tl::expected<std::optional<std::string>, Refusal> read_body(uint64_t limit_bytes);
  // Gives back what was fed, once nothing of it is a request.
  void drop();

 private:
  struct Body;

  std::string bytes_;
  std::string section_;  // of the head whose body is next
  std::unique_ptr<Body> body_;
};

}  // namespace skein::server
