// What the numbers of states say: how large they are by layer and head, and how two differ.
#include <utility>

#include "base/limits.h"
#include "server/query.h"
#include "server/routes/state_grid.h"
#include "server/routes/state_math.h"
#include "server/routes/state_pair.h"

namespace skein::server {
namespace {

// Of each of two texts in one answer, which JSON may make six times as long.
constexpr size_t kTextBytes = 4 * limits::kMiB;
static_assert(2 * 6 * kTextBytes < limits::kAnswerBytes);

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
      return change_of(numbers.subspan(at, count), other->floats().subspan(at, count));
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

void send(const ExchangePtr& exchange, Asked<std::string> text) {
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.body = std::move(*text)});
}

// Texts first: numbers do not explain.
Asked<std::string> diff_of(const StatePair& pair, const State& a, const State& b) {
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
    json.begin_object().member("name", layout.parts[i].name);
    json.member("norm", norm_of(p)).member("other_norm", norm_of(q));
    json.member("distance", distance_of(p, q));
    json.member("cosine", cosine_of(p, q)).end_object();
  }
  return json.end_array().end_object().text();
}

}  // namespace

void answer_state_stats(Service& service, const ExchangePtr& exchange) {
  if (const auto fields = query_value(exchange->head.query, "fields"))
    return answer_grid(service, exchange, *fields);
  const auto since = query_value(exchange->head.query, "since");
  if (since) {
    auto pair = read_pair(service, exchange, *since, "since");
    if (!pair) return answer_error(exchange, pair.error());
    return read_both(service, *pair,
                     [exchange, pair = *pair](const State& state, const State& before) {
                       send(exchange, stats_of(state, pair->nodes[0], &before, pair->nodes[1].id));
                     });
  }
  auto place = place_of(service, exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  read_one(service, exchange, *place, [exchange, node = place->node](const State& state) {
    send(exchange, stats_of(state, node, nullptr, {}));
  });
}

void answer_state_diff(Service& service, const ExchangePtr& exchange) {
  const auto with = query_value(exchange->head.query, "with");
  if (!with)
    return answer_error(exchange,
                        {.message = "with is missing: the other state's id", .param = "with"});
  const auto view = query_value(exchange->head.query, "view");
  if (view && *view != "heads")
    return answer_error(exchange, {.message = "view has to be heads, or absent", .param = "view"});
  if (view) return answer_head_diff(service, exchange, *with);
  auto pair = read_pair(service, exchange, *with, "with");
  if (!pair) return answer_error(exchange, pair.error());
  read_both(service, *pair, [exchange, pair = *pair](const State& a, const State& b) {
    send(exchange, diff_of(*pair, a, b));
  });
}

}  // namespace skein::server
