#include "server/question.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"

namespace skein::server {

// Open WebUI says in a field of the head for which of its users it asks, others in the body.
Asked<Source> source_of(const Exchange& exchange, const Json& body) {
  Source out{.owner = exchange.owner, .user = {}};
  if (const std::string* user = exchange.head.find("x-openwebui-user-id")) {
    out.user = *user;
  } else if (const Json given = body.find("user"); given && !given.is_null()) {
    const auto name = given.string();
    if (!name) return refused("user has to be a string", "user");
    out.user = *name;
  } else if (const auto named = body.find("metadata").find("user_id").string()) {
    out.user = *named;  // as Anthropic's clients say it
  }
  out.user.resize(std::min<size_t>(out.user.size(), limits::kLogFieldBytes));
  return out;
}

Asked<Question> question_of(Service& service, const ExchangePtr& exchange) {
  auto body = service.body_of(*exchange);
  if (!body) return tl::unexpected(std::move(body).error());
  auto served = service.model_of(*exchange, *body);
  if (!served) return tl::unexpected(std::move(served).error());
  auto source = source_of(*exchange, *body);
  if (!source) return tl::unexpected(std::move(source).error());
  return Question{std::move(*body), *served, std::move(*source)};
}

int64_t settle(Host& host, const History& history, std::vector<Order>& orders, size_t opening) {
  int64_t tokens = 0;
  for (Order& order : orders) {
    order.start = history.start;
    if (history.given) {
      order.text.reset();
      order.prompt.insert(order.prompt.begin(), history.tokens.begin(), history.tokens.end());
    } else {
      recall(host.states(), host.tokenizer(), order);
    }
    if (opening > 0) order.certain_mark = order.prompt.size() - opening;
    tokens += static_cast<int64_t>(order.prompt.size());
  }
  return tokens;
}

void answer_error(const ExchangePtr& exchange, const ApiError& error) {
  exchange->waits_for = error.waits_for;
  exchange->waits_for_form = error.waits_for_form != nullptr;
  if (error.waits_for_form) exchange->form = error.waits_for_form;
  if (error.waits_for || error.waits_for_form) return;
  exchange->answer->send(error_response(error, exchange->errors));
}

void submit(const ExchangePtr& exchange, const Question& asked, std::vector<Order> orders,
            std::shared_ptr<Reply> reply, const std::shared_ptr<TurnKeeper>& keeper) {
  Host& host = *asked.served->host;
  exchange->body = {};  // the tokens are enough, for as long as this takes
  exchange->answer->on_change([&host] { host.wake(); });
  const auto taken = host.submit(std::move(orders), std::move(reply), asked.source);
  if (taken) return;
  if (keeper) keeper->undo();
  answer_error(exchange, taken.error());
}

}  // namespace skein::server
