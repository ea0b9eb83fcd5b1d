// The answer to a request that reads a text and writes none: one JSON text at its end or, where a
// stream is asked for, events that say how far it has come, and the same text as the last of them.
#pragma once

#include <memory>
#include <string>

#include "server/api_error.h"
#include "server/site.h"

namespace skein::server {

class LongAnswer {
 public:
  explicit LongAnswer(std::shared_ptr<Exchange> exchange) : exchange_(std::move(exchange)) {}
  // `stream`, with a comment every so many seconds while nothing moves.
  LongAnswer(std::shared_ptr<Exchange> exchange, bool stream, int64_t ping_seconds)
      : exchange_(std::move(exchange)), stream_(stream), ping_seconds_(ping_seconds) {}

  const std::shared_ptr<Exchange>& exchange() const { return exchange_; }
  bool streams() const { return stream_; }

  // It was let in: a stream's head leaves.
  void accept();
  // So many of the text's tokens are read, where somebody wants to know.
  void tell(size_t tokens, size_t all);
  void send(Response response);
  void fail(const ApiError& error);

 private:
  void event(std::string_view json);

  const std::shared_ptr<Exchange> exchange_;
  const bool stream_ = false;
  const int64_t ping_seconds_ = 0;
  bool begun_ = false;
};
using LongAnswerPtr = std::shared_ptr<LongAnswer>;

}  // namespace skein::server
