// Anthropic's /v1/messages and what it counts.
#include <utility>

#include "server/generating.h"
#include "server/routes/message_request.h"

namespace skein::server {
void answer_message(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, {.id = "msg_", .read = read_message_request, .is_chat = true});
}

void answer_message_count(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  Host& host = *asked->served->host;
  Fields fields(asked->body);
  auto history = open_history(service.store(), service.tenant_of(*exchange), host, fields, {});
  if (!history) return answer_error(exchange, history.error());
  auto request =
      read_message_prompt(*asked->served, service.options().defaults, asked->body, *history);
  if (!request) return answer_error(exchange, request.error());
  const int64_t tokens = settle(host, *history, request->orders, request->plan.opening_ids);
  JsonWriter json;
  exchange->answer->send(
      {.body = json.begin_object().member("input_tokens", tokens).end_object().text()});
}

}  // namespace skein::server
