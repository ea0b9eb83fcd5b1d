#include "server/generating.h"

#include <utility>

#include "base/base64.h"
#include "base/limits.h"

namespace skein::server {
namespace {

// Files of states inside an answer, with the text that each has read: about, and the first twice.
Asked<void> check_files(const Host& host, const GenerationRequest& request) {
  constexpr uint64_t kOfToken = 16;
  const Order& order = request.orders[0];
  const uint64_t file =
      static_cast<uint64_t>(host.model().info().state_bytes) + kOfToken * order.prompt.size();
  if ((order.choices + 1) * base64_size(file) <= limits::kAnswerBytes) return {};
  return refused(
      fmt::format("{} states of {} bytes are too much for one answer; \"url\" says where they are",
                  order.choices, file),
      "return_state");
}

}  // namespace

void generate(Service& service, const ExchangePtr& exchange, const Generating& how) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  Host& host = *asked->served->host;
  Fields fields(asked->body);
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  auto history = open_history(service.store(), service.tenant_of(*exchange), host, fields, *wanted);
  if (!history) return answer_error(exchange, history.error());
  auto request = how.read(*asked->served, service.options().defaults, asked->body, *history);
  if (!request) return answer_error(exchange, request.error());
  start_generation(service, exchange, *asked, std::move(*history), std::move(*request), how);
}

void start_generation(Service& service, const ExchangePtr& exchange, const Question& asked,
                      History history, GenerationRequest request, const Generating& how) {
  Host& host = *asked.served->host;
  ReplyPlan& plan = request.plan;
  for (const Order& order : request.orders)
    if (order.prompt.empty() && history.tokens.empty())
      return answer_error(exchange,
                          {.message = "there is nothing to go on from", .param = "prompt"});
  plan.prompt_tokens = settle(host, history, request.orders, plan.opening_ids);
  if (history.returned == Returned::base64)
    if (const auto fits = check_files(host, request); !fits)
      return answer_error(exchange, fits.error());
  if (history.keeps && request.orders[0].choices > 0) {
    if (const auto taken = host.admits(request.orders, asked.source); !taken)
      return answer_error(exchange, taken.error());
    const std::vector<int32_t>& ids = request.orders[0].prompt;
    const auto behind = static_cast<std::ptrdiff_t>(history.tokens.size());
    plan.keeper =
        std::make_shared<TurnKeeper>(service.store(), service.workers(), host, std::move(history),
                                     std::vector<int32_t>(ids.begin() + behind, ids.end()),
                                     plan.opening_ids, plan.choices, how.is_chat);
    if (const auto begun = plan.keeper->begin(); !begun)
      return answer_error(exchange, begun.error());
  }
  plan.exchange = exchange;
  plan.host = &host;
  plan.workers = &service.workers();
  plan.id = Service::new_id(how.id);
  plan.source = asked.source;
  const std::shared_ptr<TurnKeeper> keeper = plan.keeper;
  submit(exchange, asked, std::move(request.orders), request.reply(std::move(plan)), keeper);
}

}  // namespace skein::server
