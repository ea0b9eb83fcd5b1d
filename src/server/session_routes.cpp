// /v1/sessions: names that move from state to state, with versions so that of two writers none
// loses a turn unseen.
#include <utility>

#include "server/state_json.h"

namespace skein::server {
namespace {

Response session_response(const store::Session& session, int status = 200) {
  JsonWriter json;
  write_session(json, session);
  return {.status = status,
          .fields = {{"ETag", fmt::format("\"{}\"", session.version)}},
          .body = json.text()};
}

}  // namespace

void answer_sessions(Service& service, const ExchangePtr& exchange) {
  const auto page = page_of(exchange->head.query);
  if (!page) return answer_error(exchange, page.error());
  const auto found = service.store().sessions(service.tenant_of(*exchange), *page);
  if (!found) return answer_error(exchange, store_error(found.error()));
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (const store::Session& session : found->items) write_session(json, session);
  json.end_array().member("has_more", !found->next.empty()).key("next");
  found->next.empty() ? json.null() : json.value(found->next);
  exchange->answer->send({.body = json.end_object().text()});
}

void answer_session(Service& service, const ExchangePtr& exchange) {
  const auto found = service.store().session(service.tenant_of(*exchange), exchange->parameter);
  if (!found) return answer_error(exchange, store_error(found.error(), "session"));
  exchange->answer->send(session_response(*found));
}

void move_session(Service& service, const ExchangePtr& exchange) {
  const auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  Fields fields(*body);
  const auto state = fields.string("state");
  const auto ttl = fields.integer("ttl", 0, int64_t{1} << 32);
  if (!state && !fields.error()) fields.refuse("state", "state is missing: where it is to stand");
  if (fields.error()) return answer_error(exchange, *fields.error());
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  const store::Tenant tenant = service.tenant_of(*exchange);
  const auto node = service.store().node(tenant, *state);
  if (!node) return answer_error(exchange, store_error(node.error(), "state"));
  if (wanted->given) {
    const auto found = service.store().session(tenant, exchange->parameter);
    if (!found && found.error().trouble != store::Trouble::missing)
      return answer_error(exchange, store_error(found.error(), "session"));
    const auto fits = check(*wanted, exchange->parameter, found ? found->version : 0);
    if (!fits) return answer_error(exchange, fits.error());
  }
  store::Changes changes;
  changes.sessions.push_back({.name = exchange->parameter,
                              .node = node->id,
                              .expected = wanted->version,
                              .ttl_ms = ttl.value_or(0) * 1000});
  const auto done = service.store().commit(tenant, std::move(changes));
  if (!done) return answer_error(exchange, move_error(done.error()));
  // What it is by now may be another's move.
  exchange->answer->send(session_response(done->sessions[0]));
}

void remove_session(Service& service, const ExchangePtr& exchange) {
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  const auto done = service.store().remove_session(service.tenant_of(*exchange),
                                                   exchange->parameter, wanted->version);
  if (!done) return answer_error(exchange, store_error(done.error(), "session"));
  JsonWriter json;
  json.begin_object().member("name", exchange->parameter).member("object", "session");
  exchange->answer->send({.body = json.member("deleted", true).end_object().text()});
}

}  // namespace skein::server
