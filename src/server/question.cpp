#include "server/question.h"

#include <utility>

namespace skein::server {

Asked<Question> question_of(const Service& service, const Exchange& exchange) {
  auto body = service.body_of(exchange);
  if (!body) return tl::unexpected(std::move(body).error());
  auto served = service.model_of(*body);
  if (!served) return tl::unexpected(std::move(served).error());
  return Question{std::move(*body), *served};
}

void answer_error(const ExchangePtr& exchange, const ApiError& error) {
  exchange->answer->send(error_response(error));
}

void submit(const ExchangePtr& exchange, Host& host, std::vector<Order> orders,
            std::shared_ptr<Reply> reply) {
  exchange->body = {};  // the tokens are enough, for as long as this takes
  exchange->answer->on_change([&host] { host.wake(); });
  if (const auto taken = host.submit(std::move(orders), std::move(reply)); !taken)
    answer_error(exchange, taken.error());
}

}  // namespace skein::server
