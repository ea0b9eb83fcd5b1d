// POST /v1/bench/race: generates up to a million tokens and more, and says on the way how long they
// took and what memory there is, so that somebody can see that neither grows.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <mutex>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/platform.h"
#include "server/backstage.h"
#include "server/fields.h"
#include "server/question.h"
#include "server/service.h"

namespace skein::server {
namespace {

constexpr int64_t kTokens = 1'000'000, kTokensMost = 1 << 24;
constexpr int64_t kPoints = 200, kPointsMost = 1000;

struct Wish {
  int64_t tokens = 0;
  int64_t points = 0;
};

// From 1 to all, each about as many times the one before it.
std::vector<int64_t> marks_of(const Wish& wish) {
  std::vector<int64_t> out;
  const double step =
      std::log(static_cast<double>(wish.tokens)) / static_cast<double>(wish.points - 1);
  for (int64_t i = 0; i < wish.points; ++i) {
    const auto mark = static_cast<int64_t>(std::llround(std::exp(step * static_cast<double>(i))));
    if (out.empty() || mark > out.back()) out.push_back(std::min(mark, wish.tokens));
  }
  out.back() = wish.tokens;
  return out;
}

class RaceReply final : public Reply, public std::enable_shared_from_this<RaceReply> {
 public:
  RaceReply(Service& service, ExchangePtr exchange, const Host& host, const Wish& wish,
            std::shared_ptr<void> mark)
      : service_(service),
        exchange_(std::move(exchange)),
        host_(host),
        marks_(marks_of(wish)),
        mark_(std::move(mark)) {}

  void accepted() override {
    answer().note({.model = host_.name()});
    answer().begin({.type = "text/event-stream",
                    .fields = {{"Cache-Control", "no-cache"}, {"X-Accel-Buffering", "no"}},
                    .ping_seconds = service_.options().defaults.ping_seconds});
    const ModelInfo& info = host_.model().info();
    JsonWriter json;
    json.begin_object().member("object", "race.begin").member("model", host_.name());
    json.member("title", info.title).member("device", info.device);
    json.member("processor", processor_name()).member("tokens", marks_.back());
    json.member("points", static_cast<int64_t>(marks_.size())).end_object();
    write(json);
  }
  bool gone() const override { return answer().gone(); }
  // Others come first: while there are any it waits, and its clock does.
  bool full() const override {
    const bool waits = host_.orders() > 1 || answer().full();
    waited_ = waited_ || waits;
    return waits;
  }
  void read(const Order&, Findings) override { last_ = Clock::now(); }
  void told(size_t, const Event& event, const Generation&) override {
    const Clock::time_point now = Clock::now();
    if (!std::exchange(waited_, false)) ms_ += ms_between(last_, now);
    last_ = now;
    answer().count_tokens(event.count);
    if (next_ == marks_.size() || event.count < marks_[next_]) return;
    while (next_ < marks_.size() && marks_[next_] <= event.count) ++next_;
    {
      const std::lock_guard lock(mutex_);
      points_.push_back({event.count, ms_});
    }
    service_.workers().owe([self = shared_from_this()] { self->write_points(); });
  }
  void failed(const ApiError& error) override {
    answer().write("data: " + error_text(error) + "\n\n");
    answer().end(/*closes=*/true);
  }
  void finished() override {
    service_.workers().owe([self = shared_from_this()] {
      self->write_points();
      self->answer().write("data: [DONE]\n\n");
      self->answer().end();
    });
  }

 private:
  using Clock = std::chrono::steady_clock;
  struct Point {
    int64_t tokens = 0;
    double ms = 0;
  };

  static double ms_between(Clock::time_point from, Clock::time_point to) {
    return std::chrono::duration<double, std::milli>(to - from).count();
  }
  Answer& answer() const { return *exchange_->answer; }
  void write(const JsonWriter& json) { answer().write("data: " + json.text() + "\n\n"); }

  // On a worker's thread, since the system is asked.
  void write_points() {
    const std::lock_guard lock(mutex_);
    for (const Point& point : std::exchange(points_, {})) {
      JsonWriter json;
      json.begin_object().member("object", "race.point").member("tokens", point.tokens);
      json.member("ms", point.ms).member("rss", resident_bytes());
      json.member("state", host_.model().info().state_bytes).end_object();
      write(json);
    }
  }

  Service& service_;
  const ExchangePtr exchange_;
  const Host& host_;
  const std::vector<int64_t> marks_;
  const std::shared_ptr<void> mark_;  // that one is run
  size_t next_ = 0;
  double ms_ = 0;
  Clock::time_point last_ = Clock::now();
  mutable bool waited_ = false;  // since the last token; of the host's thread
  std::mutex mutex_;
  std::vector<Point> points_;  // that are not written yet
};

Asked<Wish> read_wish(const Json& body) {
  Fields fields(body);
  Wish out;
  out.tokens = fields.integer("tokens", 2, kTokensMost).value_or(kTokens);
  out.points = fields.integer("points", 2, kPointsMost).value_or(kPoints);
  if (fields.error()) return tl::unexpected(*fields.error());
  return out;
}

Asked<Order> order_of(const Served& served, const Wish& wish) {
  Order order;
  auto prompt = served.host->tokenizer().encode("\n");
  auto sampling = served.sampling(*served.profile, text::ThinkMode::none);
  if (!prompt || !sampling)
    return tl::unexpected(api_error(prompt ? sampling.error() : prompt.error()));
  order.prompt = std::move(*prompt);
  order.sampling = std::move(*sampling);
  const auto ends = served.host->tokenizer().ends();
  order.sampling.banned.insert(order.sampling.banned.end(), ends.begin(), ends.end());
  order.options.max_tokens = wish.tokens;
  order.options.fingerprint = false;
  order.shared = false;
  return order;
}

// Nothing, where somebody else's runs.
std::shared_ptr<void> begin_race(Backstage& backstage) {
  const std::lock_guard lock(backstage.mutex);
  if (!backstage.race.expired()) return nullptr;
  auto mark = std::make_shared<int>(0);
  backstage.race = mark;
  return mark;
}

}  // namespace

void answer_race(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  const auto wish = read_wish(asked->body);
  if (!wish) return answer_error(exchange, wish.error());
  auto order = order_of(*asked->served, *wish);
  if (!order) return answer_error(exchange, order.error());
  auto mark = begin_race(service.backstage());
  if (!mark)
    return answer_error(exchange, {.status = 409,
                                   .message = "a race is being run already, and one at a time is "
                                              "enough",
                                   .code = "race_running",
                                   .may_retry = false});
  std::vector<Order> orders;
  orders.push_back(std::move(*order));
  submit(
      exchange, *asked, std::move(orders),
      std::make_shared<RaceReply>(service, exchange, *asked->served->host, *wish, std::move(mark)));
}

}  // namespace skein::server
