#include "server/long_answer.h"

#include <utility>

#include "server/question.h"

namespace skein::server {

void LongAnswer::accept() {
  if (!stream_ || std::exchange(begun_, true)) return;
  exchange_->answer->begin({.type = "text/event-stream",
                            .fields = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
                            .ping_seconds = ping_seconds_});
}

void LongAnswer::event(std::string_view json) {
  std::string out = "data: ";
  out += json;
  exchange_->answer->write(out += "\n\n");
}

void LongAnswer::tell(size_t tokens, size_t all) {
  // Whoever does not read is told later how far it is by then.
  if (!stream_ || exchange_->answer->full()) return;
  JsonWriter json;
  json.begin_object().member("object", "state.progress");
  json.member("tokens_read", static_cast<int64_t>(tokens));
  json.member("tokens", static_cast<int64_t>(all));
  event(json.end_object().text());
}

void LongAnswer::send(Response response) {
  if (!stream_) return exchange_->answer->send(std::move(response));
  accept();
  event(response.body);
  exchange_->answer->write("data: [DONE]\n\n");
  exchange_->answer->end();
}

void LongAnswer::fail(const ApiError& error) {
  if (!begun_) return answer_error(exchange_, error);
  event(error_text(error));
  exchange_->answer->end(/*closes=*/true);
}

}  // namespace skein::server
