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

// If-Match: "3"; If-None-Match: * is version 0, that there is none.
Asked<std::optional<uint64_t>> expected_version(const Exchange& exchange) {
  if (const std::string* none = exchange.head.find("if-none-match"); none && *none == "*")
    return std::optional<uint64_t>(0);
  const std::string* match = exchange.head.find("if-match");
  if (!match || *match == "*") return std::optional<uint64_t>();
  uint64_t version = 0;
  for (const char c : *match) {
    if (c == '"') continue;
    if (c < '0' || c > '9' || version > (uint64_t{1} << 50))
      return refused("If-Match has to be the version that ETag said: \"3\"", "If-Match");
    version = version * 10 + static_cast<uint64_t>(c - '0');
  }
  return std::optional(version);
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
  const auto expected = expected_version(*exchange);
  if (!expected) return answer_error(exchange, expected.error());
  const auto node = node_of(service, *exchange, *state);
  if (!node) return answer_error(exchange, node.error());
  const store::Tenant tenant = service.tenant_of(*exchange);
  store::Changes changes;
  changes.sessions.push_back({.name = exchange->parameter,
                              .node = node->id,
                              .expected = *expected,
                              .ttl_ms = ttl.value_or(0) * 1000});
  const auto done = service.store().commit(tenant, std::move(changes));
  if (!done) return answer_error(exchange, store_error(done.error(), "session"));
  // What it is by now may be another's move.
  exchange->answer->send(session_response(done->sessions[0]));
}

void remove_session(Service& service, const ExchangePtr& exchange) {
  const auto expected = expected_version(*exchange);
  if (!expected) return answer_error(exchange, expected.error());
  const auto done =
      service.store().remove_session(service.tenant_of(*exchange), exchange->parameter, *expected);
  if (!done) return answer_error(exchange, store_error(done.error(), "session"));
  JsonWriter json;
  json.begin_object().member("name", exchange->parameter).member("object", "session");
  exchange->answer->send({.body = json.member("deleted", true).end_object().text()});
}

}  // namespace skein::server
