// /v1/states: what has an id, and what may be done with it without reading anything.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "run/saved_state.h"
#include "server/paging.h"
#include "server/query.h"
#include "server/routes/state_fields.h"
#include "server/routes/state_json.h"

namespace skein::server {

ApiError change_error(const store::StoreError& error) {
  return store_error(
      error, error.trouble == store::Trouble::conflict || error.trouble == store::Trouble::invalid
                 ? "name"
                 : "id");
}

namespace {

// Texts that begin with a state that is gone are nobody's any more.
void forget_origin(Service& service, const store::Tenant& tenant, const store::Node& node) {
  if (const ServedPtr served = service.served_of(node.fingerprint))
    served->host->states().forget(scope_of(tenant, node.id));
}

// "a,b"
std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

constexpr size_t kMostLookedAt = 10'000;  // nodes, for one page
// Of one answer: together, with what JSON makes of them, less than limits::kAnswerBytes. Bytes of a
// text take six at most, an id nine.
constexpr size_t kPartText = 8 * limits::kMiB;
constexpr size_t kPartIds = 1 << 20;
constexpr size_t kStepBytes = 256;  // of the log, beside the text
static_assert(6 * kPartText + 9 * kPartIds < limits::kAnswerBytes);

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
    for (const char* other : {"limit", "after", "parent"})
      if (query_value(query, other))
        return refused(fmt::format("{} is of pages, and ids names all there are", other), other);
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
      if (!found) return tl::unexpected(store_error(found.error(), "after"));
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
  write_next(json.end_array(), next);
  return json.end_object().text();
}

// A text that is longer than one answer may be comes in parts, which one behind the other are all
// of it.
Asked<std::string> show_state(Service& service, const Exchange& exchange) {
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  auto path = service.store().path(service.tenant_of(exchange), node->id);
  if (!path) return tl::unexpected(store_error(path.error(), "id"));
  // A character that a token cut is no text yet.
  const std::string text = readable(path->text);
  const size_t parts = std::max({size_t{1}, (text.size() + kPartText - 1) / kPartText,
                                 (path->tokens.size() + kPartIds - 1) / kPartIds});
  const auto part = read_count(exchange.head.query, "part", 0, 0, parts - 1);
  if (!part) return tl::unexpected(part.error());
  const auto text_at = [&](size_t at) {
    return first_of(text, std::min(at * kPartText, text.size())).size();
  };
  const auto id_at = [&](size_t at) { return std::min(at * kPartIds, path->tokens.size()); };
  JsonWriter json;
  json.begin_object().key("state");
  write_node(json, service, *node);
  json.member("text",
              std::string_view(text).substr(text_at(*part), text_at(*part + 1) - text_at(*part)));
  json.key("token_ids").begin_array();
  for (size_t at = id_at(*part); at < id_at(*part + 1); ++at)
    json.value(static_cast<int64_t>(path->tokens[at]));
  json.end_array().member("part", static_cast<int64_t>(*part));
  return json.member("parts", static_cast<int64_t>(parts)).end_object().text();
}

Asked<std::string> changed_state(Service& service, const Exchange& exchange) {
  const auto body = service.body_of(exchange);
  if (!body) return tl::unexpected(body.error());
  Fields fields(*body);
  refuse_unmeant(fields, "a change of a state", {"name", "pin", "pinned", "ttl"});
  const Wishes wishes = read_wishes(fields);
  if (fields.error()) return tl::unexpected(*fields.error());
  store::NodeChange change{.pinned = wishes.pinned, .ttl_ms = wishes.ttl_ms};
  if (wishes.unnamed || !wishes.name.empty()) change.name = wishes.name;
  const store::Tenant tenant = service.tenant_of(exchange);
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  const auto changed = service.store().change(tenant, node->id, change);
  if (!changed) return tl::unexpected(change_error(changed.error()));
  return state_text(service, *changed);
}

Asked<std::string> removed_state(Service& service, const Exchange& exchange) {
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  if (node->stage == store::Stage::growing) return tl::unexpected(being_written(*node, "id"));
  const store::Tenant tenant = service.tenant_of(exchange);
  const auto done = service.store().remove(tenant, node->id);
  if (!done) return tl::unexpected(store_error(done.error(), "id"));
  if (node->origin) forget_origin(service, tenant, *node);
  JsonWriter json;
  json.begin_object().member("id", node->id).member("object", "state").member("deleted", true);
  return json.end_object().text();
}

Asked<std::string> forked_state(Service& service, const Exchange& exchange) {
  const auto body = fields_of(service, exchange);
  if (!body) return tl::unexpected(body.error());
  Fields fields(*body);
  refuse_unmeant(fields, "a fork", {"name", "pin", "pinned", "ttl"});
  const Wishes wishes = read_wishes(fields);
  if (fields.error()) return tl::unexpected(*fields.error());
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  if (node->stage == store::Stage::growing) return tl::unexpected(being_written(*node, "id"));
  const store::Tenant tenant = service.tenant_of(exchange);
  store::NodeDraft draft{.id = store::new_id(),
                         .parent = node->id,
                         .fingerprint = node->fingerprint,
                         .name = wishes.name,
                         .tokens = {},
                         .text = {},
                         .extra = node->extra,
                         .pinned = wishes.pinned.value_or(false),
                         .ttl_ms = wishes.ttl_ms.value_or(0),
                         .origin = {}};
  const std::string id = draft.id;
  store::Changes changes;
  changes.nodes.push_back(std::move(draft));
  if (const auto done = service.store().commit(tenant, std::move(changes)); !done)
    return tl::unexpected(change_error(done.error()));
  const auto made = node_of(service, exchange, id);
  if (!made) return tl::unexpected(made.error());
  return state_text(service, *made);
}

Asked<std::string> log_of(Service& service, const Exchange& exchange) {
  const std::string& query = exchange.head.query;
  const auto paging = read_paging(query, limits::kStorePage, limits::kStorePage);
  if (!paging) return tl::unexpected(paging.error());
  const auto node = node_of(service, exchange, exchange.parameter);
  if (!node) return tl::unexpected(node.error());
  const auto path = service.store().path(service.tenant_of(exchange), node->id);
  if (!path) return tl::unexpected(store_error(path.error(), "id"));
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  uint64_t tokens = 0, at = 0;
  bool begun = paging->after.empty();
  size_t shown = 0, bytes = 0;
  std::string last, next;
  for (const store::Step& step : path->steps) {
    tokens += step.tokens;
    const std::string_view own = std::string_view(path->text).substr(at, step.text);
    at += step.text;
    if (begun) {
      const std::string text = readable(first_of(own, kPartText));
      bytes += kStepBytes + text.size();
      if (shown == paging->limit || (shown > 0 && bytes > kPartText)) {
        next = last;
        break;
      }
      ++shown;
      json.begin_object().member("id", step.id).member("removed", step.removed);
      json.member("created", step.created_ms / 1000);
      json.member("own_tokens", static_cast<int64_t>(step.tokens));
      json.member("tokens", static_cast<int64_t>(tokens));
      json.member("text", text).member("cut", own.size() > kPartText).end_object();
      last = step.id;
    }
    begun = begun || step.id == paging->after;
  }
  if (!begun) return refused("after names no state on the way to this one", "after");
  write_next(json.end_array(), next);
  return json.end_object().text();
}

using Make = Asked<std::string> (*)(Service&, const Exchange&);

void answer_made(Service& service, const ExchangePtr& exchange, Make make, int status = 200) {
  auto text = make(service, *exchange);
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.status = status, .body = std::move(*text)});
}

bool wants_file(const Exchange& exchange) {
  const std::string* accept = exchange.head.find("accept");
  return accept && accept->find("application/octet-stream") != std::string::npos;
}

// Skein's own file, with what the state has read.
void download(Service& service, const ExchangePtr& exchange) {
  auto place = place_of(service, exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  const store::Tenant tenant = service.tenant_of(*exchange);
  Host& host = *place->served->host;
  auto history = open_node(service.store(), tenant, host, place->node, "id");
  if (!history) return answer_error(exchange, history.error());
  auto path = service.store().path(tenant, place->node.id);
  if (!path) return answer_error(exchange, store_error(path.error(), "id"));
  read_state(service, std::make_shared<LongAnswer>(exchange), host, history->start, history->tokens,
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
  answer_made(service, exchange, forked_state, 201);
}
void answer_state_log(Service& service, const ExchangePtr& exchange) {
  answer_made(service, exchange, log_of);
}

}  // namespace skein::server
