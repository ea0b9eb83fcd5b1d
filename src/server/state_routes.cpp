// /v1/states: what has an id, and what may be done with it without reading anything.
#include <utility>

#include "run/saved_state.h"
#include "server/state_json.h"

namespace skein::server {
namespace {

constexpr size_t kMostLookedAt = 10'000;  // nodes, for one page

Asked<std::string> list_states(Service& service, const Exchange& exchange) {
  const store::Tenant tenant = service.tenant_of(exchange);
  const std::string& query = exchange.head.query;
  const auto kind = query_value(query, "kind");
  const auto is_kind = [&](const store::Node& node) {
    return !kind || read_notes(node.extra).kind == *kind;
  };
  std::vector<store::Node> nodes;
  std::string next;
  if (const auto ids = query_value(query, "ids")) {
    // Those that are still there, by id or name: nobody has to ask for each and be told 404.
    for (const std::string& each : split_list(*ids)) {
      auto found = service.store().node(tenant, each);
      if (!found && found.error().trouble == store::Trouble::missing) continue;
      if (!found) return tl::unexpected(store_error(found.error(), "ids"));
      if (is_kind(*found)) nodes.push_back(std::move(*found));
    }
  } else {
    auto page = page_of(query);
    if (!page) return tl::unexpected(page.error());
    page->parent = query_value(query, "parent").value_or("");
    // A page is filled with what is of the kind; one that would take too long is shorter.
    const size_t limit = page->limit;
    for (size_t looked_at = 0;;) {
      page->limit = limit - nodes.size();
      auto found = service.store().list(tenant, *page);
      if (!found) return tl::unexpected(store_error(found.error()));
      looked_at += found->items.size();
      for (store::Node& node : found->items)
        if (is_kind(node)) nodes.push_back(std::move(node));
      next = std::move(found->next);
      if (next.empty() || nodes.size() == limit || looked_at >= kMostLookedAt) break;
      page->after = next;
    }
  }
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (const store::Node& node : nodes) write_node(json, service, node);
  json.end_array().member("has_more", !next.empty());
  json.key("next");
  next.empty() ? json.null() : json.value(next);
  return json.end_object().text();
}

Asked<std::string> show_state(Service& service, const Exchange& exchange) {
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  auto path = service.store().path(service.tenant_of(exchange), node->id);
  if (!path) return tl::unexpected(store_error(path.error()));
  JsonWriter json;
  json.begin_object().key("state");
  write_node(json, service, *node);
  // A character that a token cut is no text yet.
  json.member("text", readable(path->text));
  json.key("token_ids").begin_array();
  for (const int32_t id : path->tokens) json.value(static_cast<int64_t>(id));
  return json.end_array().end_object().text();
}

Asked<std::string> changed_state(Service& service, const Exchange& exchange) {
  const auto body = service.body_of(exchange);
  if (!body) return tl::unexpected(body.error());
  Fields fields(*body);
  store::NodeChange change;
  if (const Json name = body->find("name"))
    change.name = name.is_null() ? "" : fields.string("name").value_or("");
  for (const char* key : {"pin", "pinned"})
    if (const auto pinned = fields.boolean(key)) change.pinned = pinned;
  if (const auto ttl = fields.integer("ttl", 0, int64_t{1} << 32)) change.ttl_ms = *ttl * 1000;
  if (fields.error()) return tl::unexpected(*fields.error());
  const store::Tenant tenant = service.tenant_of(exchange);
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  const auto changed = service.store().change(tenant, node->id, change);
  if (!changed) return tl::unexpected(store_error(changed.error(), "name"));
  return node_text(service, *changed);
}

Asked<std::string> removed_state(Service& service, const Exchange& exchange) {
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  if (node->stage == store::Stage::growing) return tl::unexpected(being_written(*node, "id"));
  const auto done = service.store().remove(service.tenant_of(exchange), node->id);
  if (!done) return tl::unexpected(store_error(done.error(), "id"));
  JsonWriter json;
  json.begin_object().member("id", node->id).member("object", "state").member("deleted", true);
  return json.end_object().text();
}

Asked<std::string> forked_state(Service& service, const Exchange& exchange) {
  const auto body = fields_of(service, exchange);
  if (!body) return tl::unexpected(body.error());
  Fields fields(*body);
  const std::string name = fields.string("name").value_or("");
  const bool pinned = fields.flag("pin", false);
  if (fields.error()) return tl::unexpected(*fields.error());
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  const store::Tenant tenant = service.tenant_of(exchange);
  store::NodeDraft draft{.id = store::new_id(),
                         .parent = node->id,
                         .fingerprint = node->fingerprint,
                         .name = name,
                         .tokens = {},
                         .text = {},
                         .extra = node->extra,
                         .pinned = pinned,
                         .origin = {}};
  const std::string id = draft.id;
  store::Changes changes;
  changes.nodes.push_back(std::move(draft));
  if (const auto done = service.store().commit(tenant, std::move(changes)); !done)
    return tl::unexpected(store_error(done.error(), "name"));
  const auto made = node_of(service, exchange, id);
  if (!made) return tl::unexpected(made.error());
  return node_text(service, *made);
}

Asked<std::string> log_of(Service& service, const Exchange& exchange) {
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  const auto path = service.store().path(service.tenant_of(exchange), node->id);
  if (!path) return tl::unexpected(store_error(path.error()));
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  uint64_t tokens = 0, at = 0;
  for (const store::Step& step : path->steps) {
    tokens += step.tokens;
    json.begin_object().member("id", step.id).member("removed", step.removed);
    json.member("created", step.created_ms / 1000);
    json.member("own_tokens", static_cast<int64_t>(step.tokens));
    json.member("tokens", static_cast<int64_t>(tokens));
    json.member("text", readable(std::string_view(path->text).substr(at, step.text)));
    json.end_object();
    at += step.text;
  }
  return json.end_array().end_object().text();
}

using Make = Asked<std::string> (*)(Service&, const Exchange&);

void answer_made(Service& service, const ExchangePtr& exchange, Make make) {
  auto text = make(service, *exchange);
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.body = std::move(*text)});
}

bool wants_file(const Exchange& exchange) {
  const std::string* accept = exchange.head.find("accept");
  return accept && accept->find("application/octet-stream") != std::string::npos;
}

// Skein's own file, with what the state has read.
void download(Service& service, const ExchangePtr& exchange) {
  auto place = place_of(service, *exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  const store::Tenant tenant = service.tenant_of(*exchange);
  Host& host = *place->served->host;
  auto history = open_node(service.store(), tenant, host, place->node);
  if (!history) return answer_error(exchange, history.error());
  auto path = service.store().path(tenant, place->node.id);
  if (!path) return answer_error(exchange, store_error(path.error()));
  read_state(service, exchange, host, history->start, history->tokens,
             [exchange, path = std::move(*path)](const StateTree::Kept& kept, size_t) {
               if (const auto fits = check_exportable(kept->state); !fits)
                 return answer_error(exchange, api_error(fits.error()));
               const auto file = StateFile::make(kept->state, path.tokens, path.text);
               if (!file) return answer_error(exchange, api_error(file.error()));
               std::string body;
               body.reserve(file->size());
               for (const auto piece : file->pieces())
                 body.append(reinterpret_cast<const char*>(piece.data()), piece.size());
               exchange->answer->send(
                   {.type = "application/octet-stream",
                    .fields = {{"Content-Disposition", "attachment; filename=\"state.skein\""}},
                    .body = std::move(body)});
             });
}

}  // namespace

void answer_states(Service& service, const ExchangePtr& exchange) {
  answer_made(service, exchange, list_states);
}
void answer_state(Service& service, const ExchangePtr& exchange) {
  if (wants_file(*exchange)) return download(service, exchange);
  answer_made(service, exchange, show_state);
}
void change_state(Service& service, const ExchangePtr& exchange) {
  answer_made(service, exchange, changed_state);
}
void remove_state(Service& service, const ExchangePtr& exchange) {
  answer_made(service, exchange, removed_state);
}
void fork_state(Service& service, const ExchangePtr& exchange) {
  answer_made(service, exchange, forked_state);
}
void answer_state_log(Service& service, const ExchangePtr& exchange) {
  answer_made(service, exchange, log_of);
}

}  // namespace skein::server
