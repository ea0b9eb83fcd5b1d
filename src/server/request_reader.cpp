#include "server/request_reader.h"

#include <boost/asio/buffer.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <iterator>

#include "base/limits.h"
#include "server/gate.h"

namespace skein::server {
namespace {

namespace http = boost::beast::http;
using Refused = tl::unexpected<Refusal>;

}  // namespace

struct RequestReader::Body {
  http::request_parser<http::string_body> parser;
  std::ptrdiff_t fields = 0;  // of the header

  std::ptrdiff_t count() const {
    return std::distance(parser.get().base().begin(), parser.get().base().end());
  }
};

RequestReader::RequestReader() = default;
RequestReader::~RequestReader() = default;

void RequestReader::drop() {
  std::string().swap(bytes_);
  body_.reset();
}

tl::expected<std::optional<Head>, Refusal> RequestReader::read_head() {
  // Some clients send a line end behind a body.
  while (bytes_.starts_with("\r\n")) bytes_.erase(0, 2);
  if (bytes_ == "\r") return std::optional<Head>();
  auto end = end_of_head(bytes_);
  if (!end) return Refused(std::move(end).error());
  if (!*end) return std::optional<Head>();
  section_ = bytes_.substr(0, **end);
  bytes_.erase(0, **end);
  auto head = examine(section_);
  if (!head) return Refused(std::move(head).error());
  return std::optional<Head>(std::move(*head));
}

tl::expected<std::optional<std::string>, Refusal> RequestReader::read_body(uint64_t limit_bytes) {
  boost::system::error_code error;
  if (!body_) {
    body_ = std::make_unique<Body>();
    body_->parser.header_limit(limits::kHeaderSectionBytes + 1);
    body_->parser.body_limit(limit_bytes);
    body_->parser.put(boost::asio::buffer(section_), error);
    if (error == http::error::body_limit)
      return Refused(Refusal{413, fmt::format("a body of more than {} bytes", limit_bytes)});
    if ((error && error != http::error::need_more) || !body_->parser.is_header_done())
      return Refused(Refusal{400, "the header is malformed"});
    body_->parser.eager(true);
    body_->fields = body_->count();
  }
  while (!body_->parser.is_done()) {
    error = {};
    // No more than a line may have, so that one that is longer is not taken in one piece.
    const auto piece = boost::asio::buffer(bytes_, limits::kRequestLineBytes);
    const size_t used = bytes_.empty() ? 0 : body_->parser.put(piece, error);
    bytes_.erase(0, used);
    if (error == http::error::body_limit)
      return Refused(Refusal{413, fmt::format("a body of more than {} bytes", limit_bytes)});
    if (error && error != http::error::need_more)
      return Refused(Refusal{400, fmt::format("the body is malformed: {}", error.message())});
    if (body_->parser.is_done()) break;
    if (used > 0 && !bytes_.empty()) continue;
    // What Beast leaves until there is more is a line before or behind a chunk.
    if (bytes_.size() >= limits::kRequestLineBytes)
      return Refused(Refusal{400, "a chunk's line is too long"});
    return std::optional<std::string>();
  }
  // They would be read as if they stood in the header.
  if (body_->count() != body_->fields) return Refused(Refusal{400, "fields stand behind the body"});
  std::string body = std::move(body_->parser.get().body());
  body_.reset();
  return std::optional<std::string>(std::move(body));
}

}  // namespace skein::server
