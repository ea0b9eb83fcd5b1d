// What routes that ask a model begin and end with, on a worker's thread.
#pragma once

#include <memory>
#include <vector>

#include "server/history.h"
#include "server/service.h"
#include "server/turn_keeper.h"

namespace skein::server {

using ExchangePtr = std::shared_ptr<Exchange>;

struct Question {
  Json body;
  const Served* served = nullptr;
  Source source{};
};
// Whose turn it is, as far as the head and the body say. Error: 400.
Asked<Source> source_of(const Exchange& exchange, const Json& body);
// The model is held by the exchange.
Asked<Question> question_of(Service& service, const ExchangePtr& exchange);

// Puts the orders' tokens behind what they go on from, or, where that is nothing, takes those in
// which somebody read the text before. `opening`: their last ones, which an answer begins with.
// Gives how many there are in all.
int64_t settle(Host& host, const History& history, std::vector<Order>& orders, size_t opening);

// Where the model or the answer's form is not there yet nothing is told: the handler is called
// again when it is.
void answer_error(const ExchangePtr& exchange, const ApiError& error);
// The model's host takes over, or the exchange is told why not; what `keeper` began is gone then.
void submit(const ExchangePtr& exchange, const Question& asked, std::vector<Order> orders,
            std::shared_ptr<Reply> reply, const std::shared_ptr<TurnKeeper>& keeper = nullptr);

}  // namespace skein::server
