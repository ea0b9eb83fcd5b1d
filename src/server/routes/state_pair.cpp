#include "server/routes/state_pair.h"

#include <utility>

namespace skein::server {

Asked<std::shared_ptr<StatePair>> read_pair(Service& service, const ExchangePtr& exchange,
                                            const std::string& other, const char* field) {
  const auto pair = std::make_shared<StatePair>();
  pair->exchange = exchange;
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

void read_both(Service& service, const std::shared_ptr<StatePair>& pair,
               std::function<void(const State& first, const State& second)> then) {
  Host& host = *pair->served->host;
  const auto answer = std::make_shared<LongAnswer>(pair->exchange);
  const History& first = pair->histories[0];
  read_state(service, answer, host, first.start, first.tokens,
             [&service, &host, answer, pair, then](const StateTree::Kept& a, size_t) {
               const History& second = pair->histories[1];
               read_state(
                   service, answer, host, second.start, second.tokens,
                   [then, a](const StateTree::Kept& b, size_t) { then(a->state, b->state); });
             });
}

void read_one(Service& service, const ExchangePtr& exchange, const Place& place,
              std::function<void(const State& state)> then) {
  Host& host = *place.served->host;
  auto history = open_node(service.store(), service.tenant_of(*exchange), host, place.node, "id");
  if (!history) return answer_error(exchange, history.error());
  read_state(service, std::make_shared<LongAnswer>(exchange), host, history->start, history->tokens,
             [then](const StateTree::Kept& kept, size_t) { then(kept->state); });
}

}  // namespace skein::server
