// What routes that ask a model begin and end with, on a worker's thread.
#pragma once

#include <memory>
#include <vector>

#include "server/service.h"

namespace skein::server {

using ExchangePtr = std::shared_ptr<Exchange>;

struct Question {
  Json body;
  const Served* served = nullptr;
  Source source{};
};
Asked<Question> question_of(const Service& service, const Exchange& exchange);

void answer_error(const ExchangePtr& exchange, const ApiError& error);
// The model's host takes over, or the exchange is told why not.
void submit(const ExchangePtr& exchange, const Question& asked, std::vector<Order> orders,
            std::shared_ptr<Reply> reply);

}  // namespace skein::server
