// GET /v1/states/{id}/trace: how much each of a state's tokens moved it, and how little it was
// expected. They are read once more, each by itself, between what others want of the model.
#include <algorithm>
#include <cmath>
#include <limits>
#include <new>
#include <utility>
#include <vector>

#include "base/base64.h"
#include "server/accepted.h"
#include "server/paging.h"
#include "server/query.h"
#include "server/routes/state_json.h"
#include "server/state_trace.h"
#include "server/text_reply.h"

namespace skein::server {
namespace {

constexpr size_t kMostTokens = 1024;

struct Wish {
  size_t from = 0, to = 0;
  TraceBy by = TraceBy::layer;
  bool json = false;
};

Asked<Wish> read_wish(const Exchange& exchange, size_t tokens) {
  Wish out{.json = accepts(exchange.head, "accept", "application/json")};
  const std::string& query = exchange.head.query;
  const size_t least = tokens - std::min(tokens, kMostTokens);
  const auto from = read_count(query, "from", least, 0, tokens);
  if (!from) return tl::unexpected(from.error());
  const auto to = read_count(query, "to", std::min(tokens, *from + kMostTokens), 0, tokens);
  if (!to) return tl::unexpected(to.error());
  const auto per = query_value(query, "per").value_or("layer");
  if (per != "layer" && per != "head") return refused("per has to be layer or head", "per");
  out.from = *from;
  out.to = *to;
  out.by = per == "head" ? TraceBy::head : TraceBy::layer;
  if (out.to <= out.from || out.to - out.from > kMostTokens)
    return refused(fmt::format("from and to have to name 1 to {} tokens of the {} that this state "
                               "has read",
                               kMostTokens, tokens),
                   "to");
  return out;
}

// One walk over the tokens. Each step is a request of its own to the model, so that others come in
// between.
class Walk final : public std::enable_shared_from_this<Walk> {
 public:
  Walk(Service& service, ExchangePtr exchange, Place place, Source source, Wish wish,
       std::vector<int32_t> tokens)
      : service_(service),
        exchange_(std::move(exchange)),
        place_(std::move(place)),
        source_(std::move(source)),
        wish_(wish),
        tokens_(std::move(tokens)) {}

  void begin(const HeadShape& shape, const Start& start, StateTree::Kept at) {
    shape_ = shape;
    start_ = start;
    state_ = std::move(at);
    step();
  }

 private:
  friend class StepReply;
  Host& host() const { return *place_.served->host; }

  void step();
  void arrived(const StateTree::Kept& kept);
  void conclude();
  void fail(const ApiError& error) {
    exchange_->answer->send(error_response(error, exchange_->errors));
  }
  // Of the token that comes next, in nats; not a number where nobody kept what was expected.
  float surprise_of(int32_t id) const;

  Service& service_;
  const ExchangePtr exchange_;
  const Place place_;
  const Source source_;
  const Wish wish_;
  const std::vector<int32_t> tokens_;  // from the first to be told on
  HeadShape shape_;
  Start start_;
  StateTree::Kept state_;
  size_t done_ = 0;
  std::vector<float> surprises_;
  std::string changes_;
};

// Reads one token.
class StepReply final : public Reply {
 public:
  explicit StepReply(std::shared_ptr<Walk> walk) : walk_(std::move(walk)) {}

  void accepted() override {}
  bool gone() const override { return walk_->exchange_->answer->gone(); }
  bool full() const override { return false; }
  void read(const Order&, Findings) override {}
  void arrived(const Order&, StateTree::Kept kept) override { kept_ = std::move(kept); }
  void told(size_t, const Event&, const Generation&) override {}
  void failed(const ApiError& error) override { walk_->fail(error); }
  void finished() override {
    walk_->service_.workers().owe([walk = walk_, kept = kept_] {
      try {
        walk->arrived(kept);
      } catch (const std::bad_alloc&) {
        walk->fail(api_error({Code::memory, ""}));
      }
    });
  }

 private:
  const std::shared_ptr<Walk> walk_;
  StateTree::Kept kept_;
};

float Walk::surprise_of(int32_t id) const {
  const auto& logits = state_->logits;
  if (logits.empty() || id < 0 || static_cast<size_t>(id) >= logits.size())
    return std::numeric_limits<float>::quiet_NaN();
  const float most = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float logit : logits) sum += std::exp(double{logit} - double{most});
  return static_cast<float>(double{most} + std::log(sum) - double{logits[static_cast<size_t>(id)]});
}

void Walk::step() {
  Order order;
  order.prompt = {tokens_[done_]};
  order.choices = 0;
  order.start = {.scope = start_.scope, .state = state_};
  order.shared = false;
  order.wants_state = true;
  std::vector<Order> orders;
  orders.push_back(std::move(order));
  if (const auto taken = host().submit(std::move(orders),
                                       std::make_shared<StepReply>(shared_from_this()), source_);
      !taken)
    fail(taken.error());
}

void Walk::arrived(const StateTree::Kept& kept) {
  std::vector<std::vector<float>> before;
  for (const size_t part : shape_.parts) {
    const auto view = state_->state.part(part);
    if (!view) return fail(api_error(view.error()));
    before.emplace_back(view->floats().begin(), view->floats().end());
  }
  surprises_.push_back(surprise_of(tokens_[done_]));
  changes_ += trace_bytes(changes_between(shape_, kept->state, before, wish_.by), wish_.by);
  state_ = kept;
  if (++done_ < tokens_.size()) return step();
  conclude();
}

void Walk::conclude() {
  std::vector<size_t> sizes = {tokens_.size(), shape_.parts.size()};
  if (wish_.by == TraceBy::head) sizes.push_back(shape_.heads);
  const std::string shape = fmt::format("{}", fmt::join(sizes, ","));
  if (!wish_.json)
    return exchange_->answer->send(
        {.type = "application/octet-stream",
         .fields = {{"x-skein-shape", shape}, {"x-skein-from", fmt::format("{}", wish_.from)}},
         .body = std::move(changes_)});
  JsonWriter json;
  json.begin_object().member("id", place_.node.id).member("object", "state.trace");
  json.member("from", static_cast<int64_t>(wish_.from));
  json.member("to", static_cast<int64_t>(wish_.to)).key("shape").begin_array();
  for (const size_t size : sizes) json.value(static_cast<int64_t>(size));
  json.end_array().member("type", wish_.by == TraceBy::head ? "log8" : "float16");
  json.member("data", base64_text(changes_)).key("tokens").begin_array();
  const text::Tokenizer& tokenizer = host().tokenizer();
  for (size_t i = 0; i < tokens_.size(); ++i) {
    json.begin_object().member("id", static_cast<int64_t>(tokens_[i]));
    json.member("piece", token_label(tokenizer, tokens_[i])).key("surprise");
    std::isfinite(surprises_[i]) ? json.value(surprises_[i]) : json.null();
    json.end_object();
  }
  json.end_array().end_object();
  exchange_->answer->send({.body = json.text()});
}

}  // namespace

void answer_state_trace(Service& service, const ExchangePtr& exchange) {
  auto place = place_of(service, exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  Host& host = *place->served->host;
  const auto shape = heads_of(*host.model().state_layout());
  if (!shape) return answer_error(exchange, shape.error());
  auto history = open_node(service.store(), service.tenant_of(*exchange), host, place->node, "id");
  if (!history) return answer_error(exchange, history.error());
  const auto wish = read_wish(*exchange, history->tokens.size());
  if (!wish) return answer_error(exchange, wish.error());
  auto source = source_of(*exchange, {});
  if (!source) return answer_error(exchange, source.error());
  const auto at = [&](size_t place_at) {
    return history->tokens.begin() + static_cast<std::ptrdiff_t>(place_at);
  };
  std::vector<int32_t> before(history->tokens.begin(), at(wish->from));
  // A user of his own among those of the same key: it comes after whatever else that one asks.
  source->user = "trace " + exchange->id;
  const auto walk = std::make_shared<Walk>(service, exchange, std::move(*place), *source, *wish,
                                           std::vector<int32_t>(at(wish->from), at(wish->to)));
  const Start start = history->start;
  if (before.empty() && !start.state) {
    auto fresh =
        std::make_shared<const Session::Snapshot>(Session::Snapshot{host.model().new_state(), {}});
    exchange->answer->on_change([&host] { host.wake(); });
    return walk->begin(*shape, start, std::move(fresh));
  }
  read_state(service, std::make_shared<LongAnswer>(exchange), host, start, std::move(before),
             [walk, shape = *shape, start](const StateTree::Kept& kept, size_t) {
               walk->begin(shape, start, kept);
             });
}

}  // namespace skein::server
