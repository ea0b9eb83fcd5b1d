#include "server/reading_reply.h"

#include <new>
#include <utility>

namespace skein::server {
namespace {

class ReadingReply final : public Reply, public std::enable_shared_from_this<ReadingReply> {
 public:
  explicit ReadingReply(ReadingPlan plan) : plan_(std::move(plan)), findings_(plan_.prompts) {}

  void accepted() override {
    answer().note({.model = plan_.host->name(), .prompt_tokens = plan_.tokens});
  }
  bool gone() const override { return answer().gone(); }
  bool full() const override { return false; }
  void read(const Order& order, Findings findings) override {
    findings_[order.first_choice] = std::move(findings);
  }
  void told(size_t, const Event&, const Generation&) override {}
  void failed(const ApiError& error) override {
    answer().send(error_response(error, plan_.exchange->errors));
  }
  void finished() override {
    plan_.workers->owe([self = shared_from_this()] { self->conclude(); });
  }

 private:
  Answer& answer() const { return *plan_.exchange->answer; }
  void conclude() {
    try {
      answer().send(
          {.fields = {{"x-skein-model", plan_.host->name()}}, .body = plan_.write(findings_)});
    } catch (const std::bad_alloc&) {
      failed(api_error({Code::memory, ""}));
    }
  }

  const ReadingPlan plan_;
  std::vector<Findings> findings_;
};

}  // namespace

std::vector<Order> reading_orders(std::vector<std::vector<int32_t>> prompts, const Wanted& wanted) {
  std::vector<Order> out;
  for (std::vector<int32_t>& ids : prompts) {
    Order& order = out.emplace_back();
    order.prompt = std::move(ids);
    order.first_choice = out.size() - 1;
    order.choices = 0;
    order.wanted = wanted;
  }
  return out;
}

void answer_readings(Service& service, const std::shared_ptr<Exchange>& exchange,
                     Asked<ReadingRequest> (*read)(const Question& asked)) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  auto request = read(*asked);
  if (!request) return answer_error(exchange, request.error());
  start_readings(service, exchange, *asked, std::move(*request));
}

void start_readings(Service& service, const std::shared_ptr<Exchange>& exchange,
                    const Question& asked, ReadingRequest request) {
  auto orders = reading_orders(std::move(request.prompts), request.wanted);
  auto reply = make_reading_reply({.exchange = exchange,
                                   .host = asked.served->host.get(),
                                   .workers = &service.workers(),
                                   .prompts = orders.size(),
                                   .tokens = request.tokens,
                                   .write = std::move(request.write)});
  submit(exchange, asked, std::move(orders), std::move(reply));
}

std::shared_ptr<Reply> make_reading_reply(ReadingPlan plan) {
  return std::make_shared<ReadingReply>(std::move(plan));
}

}  // namespace skein::server
