#include "server/state_json.h"

#include <charconv>
#include <new>
#include <utility>

#include "base/limits.h"
#include "text/utf8_stream.h"

namespace skein::server {
namespace {

const Served* served_of(const Service& service, const Digest& fingerprint) {
  for (const Served& served : service.models())
    if (fingerprint_of(served.host->model()) == fingerprint) return &served;
  return nullptr;
}

void member_or_null(JsonWriter& json, std::string_view key, const std::string& value) {
  json.key(key);
  value.empty() ? json.null() : json.value(value);
}

// Only reads, and hands over what it came to.
class StateReply final : public Reply {
 public:
  StateReply(ExchangePtr exchange, Workers& workers, Arrived then)
      : exchange_(std::move(exchange)), workers_(workers), then_(std::move(then)) {}

  void accepted() override {}
  bool gone() const override { return exchange_->answer->gone(); }
  bool full() const override { return false; }
  void reused(const Order&, size_t tokens) override { cached_ += tokens; }
  void read(const Order&, Findings) override {}
  void arrived(const Order&, StateTree::Kept kept) override { kept_ = std::move(kept); }
  void told(size_t, const Event&, const Generation&) override {}
  void failed(const ApiError& error) override { answer_error(exchange_, error); }
  void finished() override {
    workers_.owe([exchange = exchange_, then = then_, kept = kept_, cached = cached_] {
      try {
        then(kept, cached);
      } catch (const std::bad_alloc&) {
        answer_error(exchange, api_error({Code::memory, ""}));
      }
    });
  }

 private:
  const ExchangePtr exchange_;
  Workers& workers_;
  const Arrived then_;
  StateTree::Kept kept_;
  size_t cached_ = 0;
};

}  // namespace

void write_node(JsonWriter& json, const Service& service, const store::Node& node) {
  const NodeNotes notes = read_notes(node.extra);
  const Served* served = served_of(service, node.fingerprint);
  json.begin_object().member("id", node.id).member("object", "state");
  member_or_null(json, "name", node.name);
  member_or_null(json, "parent", node.parent);
  json.member("kind", notes.kind);
  member_or_null(json, "model", served ? served->host->name() : notes.model);
  json.member("usable", served != nullptr);
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

std::string node_text(const Service& service, const store::Node& node) {
  JsonWriter json;
  write_node(json, service, node);
  return json.text();
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

Asked<store::Query> page_of(const std::string& query) {
  store::Query out;
  out.after = query_value(query, "after").value_or("");
  if (const auto text = query_value(query, "limit")) {
    const auto [end, error] = std::from_chars(text->data(), text->data() + text->size(), out.limit);
    if (error != std::errc() || end != text->data() + text->size() || out.limit == 0 ||
        out.limit > limits::kStorePage)
      return refused(fmt::format("limit has to be a whole number from 1 to {}", limits::kStorePage),
                     "limit");
  }
  return out;
}

std::vector<std::string> split_list(std::string_view text) {
  std::vector<std::string> out;
  while (!text.empty()) {
    const size_t end = std::min(text.find(','), text.size());
    if (end > 0) out.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(end + 1, text.size()));
  }
  return out;
}

Asked<store::Node> node_of(Service& service, const Exchange& exchange, std::string_view id) {
  auto node = service.store().node(service.tenant_of(exchange), id);
  if (!node) return tl::unexpected(store_error(node.error(), "id"));
  return std::move(*node);
}

Asked<Place> place_of(Service& service, const Exchange& exchange, std::string_view id) {
  auto node = node_of(service, exchange, id);
  if (!node) return tl::unexpected(node.error());
  const Served* served = served_of(service, node->fingerprint);
  if (!served) {
    const auto fits = check_model(*node, *service.models().front().host);
    return tl::unexpected(fits.error());
  }
  return Place{std::move(*node), served};
}

Asked<Json> fields_of(const Service& service, const Exchange& exchange) {
  if (!exchange.body.empty()) return service.body_of(exchange);
  auto none = parse_json("{}", 2);
  if (!none) return tl::unexpected(api_error(none.error()));
  return std::move(*none);
}

void read_state(Service& service, const ExchangePtr& exchange, Host& host, const Start& start,
                std::vector<int32_t> tokens, Arrived then, const Json& body) {
  StateTree::Kept kept = tokens.empty() ? start.state : host.states().exactly(start, tokens);
  if (kept) return then(kept, tokens.size());
  if (tokens.empty())
    return answer_error(exchange, {.message = "this state has read nothing", .param = "id"});
  const auto source = source_of(*exchange, body);
  if (!source) return answer_error(exchange, source.error());
  Order order;
  order.prompt = std::move(tokens);
  order.choices = 0;
  order.start = start;
  order.wants_state = true;
  std::vector<Order> orders;
  orders.push_back(std::move(order));
  exchange->body = {};
  exchange->answer->on_change([&host] { host.wake(); });
  auto reply = std::make_shared<StateReply>(exchange, service.workers(), std::move(then));
  if (const auto taken = host.submit(std::move(orders), std::move(reply), *source); !taken)
    answer_error(exchange, taken.error());
}

}  // namespace skein::server
