#include "server/routes/state_json.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "base/utf8.h"
#include "server/paging.h"
#include "server/routes/state_reading.h"
#include "text/utf8_stream.h"

namespace skein::server {
namespace {

void member_or_null(JsonWriter& json, std::string_view key, const std::string& value) {
  json.key(key);
  value.empty() ? json.null() : json.value(value);
}

}  // namespace

void write_node(JsonWriter& json, Service& service, const store::Node& node) {
  const NodeNotes notes = read_notes(node.extra);
  const ServedPtr served = service.served_of(node.fingerprint);
  json.begin_object().member("id", node.id).member("object", "state");
  member_or_null(json, "name", node.name);
  member_or_null(json, "parent", node.parent);
  json.member("kind", notes.kind);
  member_or_null(json, "model", served ? served->host->name() : notes.model);
  json.member("usable", served != nullptr || service.model_of_states(node).has_value());
  json.member("tokens", static_cast<int64_t>(node.tokens));
  json.member("own_tokens", static_cast<int64_t>(node.own_tokens));
  json.member("bytes", served ? served->host->model().info().state_bytes
                              : static_cast<int64_t>(node.snapshot_bytes));
  json.member("fingerprint", hex(node.fingerprint));
  json.member("created", node.created_ms / 1000).member("last_used", node.used_ms / 1000);
  json.member("hits", static_cast<int64_t>(node.hits)).member("pinned", node.pinned);
  json.member("ttl", node.ttl_ms / 1000);
  json.member("stage", node.stage == store::Stage::whole     ? "whole"
                       : node.stage == store::Stage::growing ? "growing"
                                                             : "cut");
  json.member("tier", node.snapshot_bytes > 0 ? "snapshot" : "tokens");
  if (!notes.finish.empty()) json.member("finish", notes.finish);
  json.end_object();
}

std::string state_text(Service& service, const store::Node& node) {
  JsonWriter json;
  json.begin_object().key("state");
  write_node(json, service, node);
  return json.end_object().text();
}

void write_next(JsonWriter& json, const std::string& next) {
  json.member("has_more", !next.empty()).key("next");
  next.empty() ? json.null() : json.value(next);
}

void write_session(JsonWriter& json, const store::Session& session) {
  json.begin_object().member("name", session.name).member("object", "session");
  json.member("state", session.node).member("version", static_cast<int64_t>(session.version));
  json.member("created", session.created_ms / 1000).member("last_used", session.used_ms / 1000);
  json.member("ttl", session.ttl_ms / 1000).end_object();
}

std::string readable(std::string_view bytes) {
  text::Utf8Stream stream;
  std::string out = stream.push(bytes);
  return out += stream.flush();
}

std::string_view first_of(std::string_view text, size_t bytes) {
  if (text.size() <= bytes) return text;
  constexpr size_t kLongest = 4;  // bytes of a character
  size_t end = bytes;
  while (end > 0 && bytes - end < kLongest &&
         (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80)
    --end;
  // What is no text has no characters to be cut.
  return text.substr(0, utf8_length(text.substr(end)) > 0 ? end : bytes);
}

Asked<store::Query> page_of(const std::string& query) {
  auto paging = read_paging(query, store::Query().limit, limits::kStorePage);
  if (!paging) return tl::unexpected(paging.error());
  return store::Query{.after = std::move(paging->after), .limit = paging->limit};
}

Asked<store::Node> node_of(Service& service, const Exchange& exchange, std::string_view id,
                           std::string where) {
  auto node = service.store().node(service.tenant_of(exchange), id);
  if (!node) return tl::unexpected(store_error(node.error(), std::move(where)));
  return std::move(*node);
}

Asked<Place> place_of(Service& service, const ExchangePtr& exchange, std::string_view id,
                      std::string where) {
  auto node = node_of(service, *exchange, id, where);
  if (!node) return tl::unexpected(node.error());
  const auto model = service.model_of_states(*node);
  if (!model) {
    ApiError error = foreign(*node, "no model that is served has it");
    error.param = std::move(where);
    return tl::unexpected(std::move(error));
  }
  auto served = service.use(*exchange, *model);
  if (!served) return tl::unexpected(std::move(served).error());
  return Place{std::move(*node), *served};
}

Asked<Json> fields_of(const Service& service, const Exchange& exchange) {
  if (!exchange.body.empty()) return service.body_of(exchange);
  auto none = parse_json("{}", 2);
  if (!none) return tl::unexpected(api_error(none.error()));
  return std::move(*none);
}

void read_state(Service& service, const LongAnswerPtr& answer, Host& host, const Start& start,
                std::vector<int32_t> tokens, Arrived then, const Json& body) {
  const ExchangePtr& exchange = answer->exchange();
  const auto source = source_of(*exchange, body);
  if (!source) return answer->fail(source.error());
  exchange->body = {};
  exchange->answer->on_change([&host] { host.wake(); });
  read_state_at(host, service.workers(), start, std::move(tokens), *source,
                {.gone = [exchange] { return exchange->answer->gone(); },
                 .accepted = [answer] { answer->accept(); },
                 .progressed = [answer](size_t at, size_t all) { answer->tell(at, all); },
                 .then = std::move(then),
                 .failed = [answer](const ApiError& error) { answer->fail(error); }});
}

}  // namespace skein::server
