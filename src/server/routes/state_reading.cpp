#include "server/routes/state_reading.h"

#include <new>
#include <utility>

namespace skein::server {
namespace {

// Only reads, and hands over what it came to.
class StateReply final : public Reply {
 public:
  StateReply(Workers& workers, StateReading reading)
      : workers_(workers), reading_(std::make_shared<StateReading>(std::move(reading))) {}

  void accepted() override {
    if (reading_->accepted) reading_->accepted();
  }
  bool gone() const override { return reading_->gone(); }
  bool full() const override { return false; }
  void reused(const Order&, size_t tokens) override { cached_ += tokens; }
  void progressed(const Order& order, size_t tokens) override {
    if (reading_->progressed) reading_->progressed(tokens, order.prompt.size());
  }
  void read(const Order&, Findings) override {}
  void arrived(const Order&, StateTree::Kept kept) override { kept_ = std::move(kept); }
  void told(size_t, const Event&, const Generation&) override {}
  void failed(const ApiError& error) override { reading_->failed(error); }
  void finished() override {
    workers_.owe([reading = reading_, kept = kept_, cached = cached_] {
      try {
        reading->then(kept, cached);
      } catch (const std::bad_alloc&) {
        reading->failed(api_error({Code::memory, ""}));
      }
    });
  }

 private:
  Workers& workers_;
  const std::shared_ptr<StateReading> reading_;
  StateTree::Kept kept_;
  size_t cached_ = 0;
};

}  // namespace

void read_state_at(Host& host, Workers& workers, const Start& start, std::vector<int32_t> tokens,
                   const Source& source, StateReading reading) {
  StateTree::Kept kept = tokens.empty() ? start.state : host.states().exactly(start, tokens);
  if (kept) return reading.then(kept, tokens.size());
  if (tokens.empty())
    return reading.failed({.message = "this state has read nothing", .param = "id"});
  Order order;
  order.prompt = std::move(tokens);
  order.choices = 0;
  order.start = start;
  order.wants_state = true;
  std::vector<Order> orders;
  orders.push_back(std::move(order));
  const auto failed = reading.failed;
  auto reply = std::make_shared<StateReply>(workers, std::move(reading));
  if (const auto taken = host.submit(std::move(orders), std::move(reply), source); !taken)
    failed(taken.error());
}

}  // namespace skein::server
