// /v1/sessions: names that move from state to state, with versions so that of two writers none
// loses a turn unseen.
#include <utility>

#include "server/routes/state_fields.h"
#include "server/routes/state_json.h"
#include "store/names.h"

namespace skein::server {
namespace {

Response session_response(const store::Session& session, int status = 200) {
  JsonWriter json;
  write_session(json, session);
  return {.status = status,
          .fields = {{"ETag", fmt::format("\"{}\"", session.version)}},
          .body = json.text()};
}

// What it is by then may be another's move. Whoever asks for any version is told of none only where
// there was none: others may move it meanwhile.
Asked<store::Session> move_to(store::Store& store, const store::Tenant& tenant,
                              store::SessionMove move, const Precondition& wanted) {
  for (;;) {
    if (wanted.given) {
      const auto found = store.session(tenant, move.name);
      if (!found && found.error().trouble != store::Trouble::missing)
        return tl::unexpected(store_error(found.error(), "session"));
      move.expected = found ? found->version : 0;
      if (const auto fits = check(wanted, move.name, *move.expected); !fits)
        return tl::unexpected(fits.error());
    }
    store::Changes changes;
    changes.sessions.push_back(move);
    const auto done = store.commit(tenant, std::move(changes));
    if (done) return done->sessions[0];
    const bool moved = done.error().trouble == store::Trouble::conflict ||
                       done.error().trouble == store::Trouble::missing;
    if (!moved || !wanted.given || wanted.version) return tl::unexpected(move_error(done.error()));
    // The state that it was to stand at may be what is gone.
    if (const auto node = store.node(tenant, move.node); !node)
      return tl::unexpected(store_error(node.error(), "state"));
  }
}

}  // namespace

void answer_sessions(Service& service, const ExchangePtr& exchange) {
  const auto page = page_of(exchange->head.query);
  if (!page) return answer_error(exchange, page.error());
  const auto found = service.store().sessions(service.tenant_of(*exchange), *page);
  if (!found) return answer_error(exchange, store_error(found.error(), "after"));
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (const store::Session& session : found->items) write_session(json, session);
  write_next(json.end_array(), found->next);
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
  refuse_unmeant(fields, "a session's move", {"state", "ttl"});
  const auto state = fields.reference("state");
  const Wishes wishes = read_wishes(fields);
  if (!state) fields.refuse("state", "state is missing: where it is to stand");
  const std::string& name = exchange->parameter;
  if (!store::is_session(name))
    fields.refuse("session", fmt::format("a session cannot be called {}", escaped(name, 64)));
  if (fields.error()) return answer_error(exchange, *fields.error());
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  const store::Tenant tenant = service.tenant_of(*exchange);
  const auto node = service.store().node(tenant, *state);
  if (!node) return answer_error(exchange, store_error(node.error(), "state"));
  const auto moved =
      move_to(service.store(), tenant,
              {.name = name, .node = node->id, .ttl_ms = wishes.ttl_ms.value_or(0)}, *wanted);
  if (!moved) return answer_error(exchange, moved.error());
  exchange->answer->send(session_response(*moved));
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
