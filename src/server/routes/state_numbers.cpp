// What the numbers of states say: how large they are by layer and head, and how two differ.
#include <cmath>
#include <utility>

#include "base/limits.h"
#include "server/query.h"
#include "server/routes/state_json.h"

namespace skein::server {
namespace {

// Of each of two texts in one answer, which JSON may make six times as long.
constexpr size_t kTextBytes = 4 * limits::kMiB;
static_assert(2 * 6 * kTextBytes < limits::kAnswerBytes);

double norm_of(std::span<const float> numbers) {
  double sum = 0;
  for (const float x : numbers) sum += double{x} * double{x};
  return std::sqrt(sum);
}

double distance_of(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
  return std::sqrt(sum);
}

// How many directions a matrix uses, 1 to its columns: |S|^4 / |S'S|^2, which needs no
// decomposition.
double rank_of(std::span<const float> matrix, size_t columns) {
  const size_t rows = matrix.size() / columns;
  double square = 0, product = 0;
  for (const float x : matrix) square += double{x} * double{x};
  for (size_t i = 0; i < columns; ++i)
    for (size_t j = i; j < columns; ++j) {
      double sum = 0;
      for (size_t row = 0; row < rows; ++row)
        sum += double{matrix[row * columns + i]} * double{matrix[row * columns + j]};
      product += (i == j ? 1 : 2) * sum * sum;
    }
  return product > 0 ? square * square / product : 0;
}

// A number for each head of a part that has a matrix for each.
template <typename F>
void write_heads(JsonWriter& json, std::string_view key, int64_t heads, F number) {
  json.key(key).begin_array();
  for (int64_t head = 0; head < heads; ++head) json.value(number(static_cast<size_t>(head)));
  json.end_array();
}

// Of each part its norm and, where it is a matrix for each head, the norms and ranks of those.
// `before`: another state, from which it changed by so much of what that was; null: none.
Asked<std::string> stats_of(const State& state, const store::Node& node, const State* before,
                            const std::string& since) {
  const StateLayout& layout = state.layout();
  JsonWriter json;
  json.begin_object().member("id", node.id).member("object", "state.stats");
  if (before) json.member("since", since);
  json.member("tokens", static_cast<int64_t>(node.tokens)).key("parts").begin_array();
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    if (layout.slots[i].type != DType::f32) continue;
    const auto part = state.part(i);
    if (!part) return tl::unexpected(api_error(part.error()));
    const auto numbers = part->floats();
    std::optional<PartView> other;
    if (before) {
      auto found = before->part(i);
      if (!found) return tl::unexpected(api_error(found.error()));
      if (found->floats().size() == numbers.size()) other = std::move(*found);
    }
    const auto change = [&](size_t at, size_t count) {
      const auto old = other->floats().subspan(at, count);
      const double size = norm_of(old), apart = distance_of(numbers.subspan(at, count), old);
      return size > 0 ? apart / size : apart > 0 ? 1.0 : 0.0;
    };
    json.begin_object().member("name", layout.parts[i].name).member("norm", norm_of(numbers));
    if (other) json.member("change", change(0, numbers.size()));
    json.key("shape").begin_array();
    const Shape& shape = layout.parts[i].shape;
    for (int axis = 0; axis < shape.rank(); ++axis) json.value(shape[axis]);
    json.end_array();
    if (shape.rank() == 3 && !numbers.empty()) {
      const size_t each = numbers.size() / static_cast<size_t>(shape[0]);
      const auto head = [&](size_t at) { return numbers.subspan(at * each, each); };
      write_heads(json, "heads", shape[0], [&](size_t at) { return norm_of(head(at)); });
      write_heads(json, "ranks", shape[0],
                  [&](size_t at) { return rank_of(head(at), static_cast<size_t>(shape[2])); });
      if (other)
        write_heads(json, "changes", shape[0], [&](size_t at) { return change(at * each, each); });
    }
    json.end_object();
  }
  return json.end_array().end_object().text();
}

struct Pair {
  store::Node nodes[2];
  std::string texts[2];
  const Served* served = nullptr;
  History histories[2];
};

void send(const ExchangePtr& exchange, Asked<std::string> text) {
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.body = std::move(*text)});
}

// Texts first: numbers do not explain.
Asked<std::string> diff_of(const Pair& pair, const State& a, const State& b) {
  const std::string_view texts[] = {pair.texts[0], pair.texts[1]};
  size_t common = std::min(texts[0].size(), texts[1].size());
  common = static_cast<size_t>(std::mismatch(texts[0].begin(),
                                             texts[0].begin() + static_cast<std::ptrdiff_t>(common),
                                             texts[1].begin())
                                   .first -
                               texts[0].begin());
  while (common > 0 && common < texts[0].size() && (texts[0][common] & 0xc0) == 0x80) --common;
  JsonWriter json;
  json.begin_object().member("object", "state.diff");
  json.member("id", pair.nodes[0].id).member("with", pair.nodes[1].id);
  json.key("text").begin_object().member("common_bytes", static_cast<int64_t>(common));
  const auto own = texts[0].substr(common), other = texts[1].substr(common);
  json.member("own", readable(first_of(own, kTextBytes)));
  json.member("other", readable(first_of(other, kTextBytes)));
  json.member("cut", own.size() > kTextBytes || other.size() > kTextBytes).end_object();
  json.key("parts").begin_array();
  const StateLayout& layout = a.layout();
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    if (layout.slots[i].type != DType::f32) continue;
    const auto x = a.part(i), y = b.part(i);
    if (!x || !y) return tl::unexpected(api_error(x ? y.error() : x.error()));
    const auto p = x->floats(), q = y->floats();
    if (p.size() != q.size()) continue;  // it grows
    double product = 0;
    for (size_t n = 0; n < p.size(); ++n) product += double{p[n]} * double{q[n]};
    const double sizes = norm_of(p) * norm_of(q);
    json.begin_object().member("name", layout.parts[i].name);
    json.member("norm", norm_of(p)).member("other_norm", norm_of(q));
    json.member("distance", distance_of(p, q));
    json.member("cosine", sizes > 0 ? product / sizes : 1.0).end_object();
  }
  return json.end_array().end_object().text();
}

// The two states that a path and a field of its query name, of one model.
Asked<std::shared_ptr<Pair>> read_pair(Service& service, const ExchangePtr& exchange,
                                       const std::string& other, const char* field) {
  const auto pair = std::make_shared<Pair>();
  const store::Tenant tenant = service.tenant_of(*exchange);
  const std::string ids[] = {exchange->parameter, other};
  const char* const fields[] = {"id", field};
  for (size_t i = 0; i < 2; ++i) {
    auto place = place_of(service, exchange, ids[i], fields[i]);
    if (!place) return tl::unexpected(place.error());
    if (pair->served && pair->served != place->served)
      return tl::unexpected(ApiError{.status = 409,
                                     .message = "the two are of different models",
                                     .param = field,
                                     .code = "state_mismatch",
                                     .may_retry = false});
    pair->served = place->served;
    auto history = open_node(service.store(), tenant, *place->served->host, place->node, fields[i]);
    if (!history) return tl::unexpected(history.error());
    pair->histories[i] = std::move(*history);
    auto path = service.store().path(tenant, place->node.id);
    if (!path) return tl::unexpected(store_error(path.error(), fields[i]));
    pair->texts[i] = std::move(path->text);
    pair->nodes[i] = std::move(place->node);
  }
  return pair;
}

using Make = Asked<std::string> (*)(const Pair& pair, const State& a, const State& b);

void read_both(Service& service, const ExchangePtr& exchange, std::shared_ptr<Pair> pair,
               Make make) {
  Host& host = *pair->served->host;
  const auto answer = std::make_shared<LongAnswer>(exchange);
  const History& first = pair->histories[0];
  read_state(service, answer, host, first.start, first.tokens,
             [&service, &host, answer, pair, make](const StateTree::Kept& a, size_t) {
               const History& second = pair->histories[1];
               read_state(service, answer, host, second.start, second.tokens,
                          [answer, pair, make, a](const StateTree::Kept& b, size_t) {
                            send(answer->exchange(), make(*pair, a->state, b->state));
                          });
             });
}

}  // namespace

void answer_state_stats(Service& service, const ExchangePtr& exchange) {
  const auto since = query_value(exchange->head.query, "since");
  if (since) {
    auto pair = read_pair(service, exchange, *since, "since");
    if (!pair) return answer_error(exchange, pair.error());
    return read_both(service, exchange, std::move(*pair),
                     [](const Pair& two, const State& a, const State& b) {
                       return stats_of(a, two.nodes[0], &b, two.nodes[1].id);
                     });
  }
  auto place = place_of(service, exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  Host& host = *place->served->host;
  auto history = open_node(service.store(), service.tenant_of(*exchange), host, place->node, "id");
  if (!history) return answer_error(exchange, history.error());
  read_state(service, std::make_shared<LongAnswer>(exchange), host, history->start, history->tokens,
             [exchange, node = place->node](const StateTree::Kept& kept, size_t) {
               send(exchange, stats_of(kept->state, node, nullptr, {}));
             });
}

void answer_state_diff(Service& service, const ExchangePtr& exchange) {
  const auto with = query_value(exchange->head.query, "with");
  if (!with)
    return answer_error(exchange,
                        {.message = "with is missing: the other state's id", .param = "with"});
  auto pair = read_pair(service, exchange, *with, "with");
  if (!pair) return answer_error(exchange, pair.error());
  read_both(service, exchange, std::move(*pair), diff_of);
}

}  // namespace skein::server
