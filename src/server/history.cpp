#include "server/history.h"

#include <utility>

#include "store/names.h"
#include "store/snapshot.h"

namespace skein::server {

using store::Trouble;

std::string write_notes(const NodeNotes& notes) {
  JsonWriter json;
  json.begin_object().member("kind", notes.kind).member("model", notes.model);
  if (!notes.form.empty()) json.member("form", notes.form);
  if (!notes.finish.empty()) json.member("finish", notes.finish);
  return json.end_object().text();
}

NodeNotes read_notes(std::string_view text) {
  NodeNotes out;
  const auto json = parse_json(text, text.size() + 1);
  if (!json) return out;
  const auto take = [&](std::string_view key, std::string& into) {
    if (const auto value = json->find(key).string()) into = *value;
  };
  take("kind", out.kind);
  take("model", out.model);
  take("form", out.form);
  take("finish", out.finish);
  return out;
}

text::After after_of(const NodeNotes& notes) {
  const std::string& form = notes.form.empty() ? notes.kind : notes.form;
  if (form == "prompt") return text::After::prompt;
  if (form == "answer") return text::After::answer;
  return form == "turn" || form == "tuned" ? text::After::turn : text::After::text;
}

Digest fingerprint_of(const Model& model) {
  const ModelInfo& info = model.info();
  if (info.numerics == Numerics::exact) return info.fingerprint;
  Sha256 hash;
  hash.update("fast ");
  hash.update(info.fingerprint);
  return hash.finish();
}

ApiError foreign(const store::Node& node, std::string_view here) {
  const NodeNotes notes = read_notes(node.extra);
  return {.status = 409,
          .message = fmt::format("state {} belongs to the model {} with fingerprint {}, and {}; "
                                 "its text is at GET /v1/states/{}, to be read again",
                                 node.id, notes.model.empty() ? "?" : escaped(notes.model, 80),
                                 hex(node.fingerprint).substr(0, 16), here, node.id),
          .code = "state_mismatch",
          .may_retry = false};
}

Asked<void> check_model(const store::Node& node, const Host& host) {
  const Digest here = fingerprint_of(host.model());
  if (node.fingerprint == here) return {};
  return tl::unexpected(foreign(
      node, fmt::format("this is {} with {}", escaped(host.name(), 80), hex(here).substr(0, 16))));
}

ApiError being_written(const store::Node& node, std::string param) {
  return {.status = 409,
          .message = fmt::format("state {} is being written", node.id),
          .param = std::move(param),
          .code = "state_growing",
          .retry_seconds = 1};
}

ApiError store_error(const store::StoreError& error, std::string param) {
  ApiError out{.message = error.message, .param = std::move(param)};
  const bool session = out.param == "session";
  switch (error.trouble) {
    case Trouble::invalid: break;
    case Trouble::missing:
      out.status = 404, out.code = session ? "session_not_found" : "state_not_found";
      break;
    case Trouble::conflict:
      out.status = 409, out.may_retry = false;
      out.code = session ? "turn_conflict" : out.param == "name" ? "name_taken" : "state_in_use";
      break;
    case Trouble::full: out.status = 507, out.code = "store_full"; break;
    case Trouble::unavailable: out.status = 503, out.retry_seconds = 1; break;
    case Trouble::broken: out.status = 500; break;
  }
  return out;
}

ApiError move_error(const store::StoreError& error) {
  ApiError out = store_error(error, "session");
  if (error.trouble == Trouble::missing)
    out.status = 409, out.code = "turn_conflict", out.may_retry = false;
  return out;
}

void refuse_history(Fields& fields) {
  for (const char* key : {"session", "parent", "state", "return_state"})
    if (const Json given = fields.find(key); given && given.boolean() != false)
      fields.refuse(key, fmt::format("{} is of /v1/chat/completions and /v1/completions: here no "
                                     "state is gone on from or left",
                                     key));
}

Digest scope_of(const store::Tenant& tenant, std::string_view root) {
  Sha256 hash;
  hash.update("skein scope ");
  hash.update(tenant);
  hash.update(root);
  return hash.finish();
}

namespace {

// The state that no tokens make, at which the path to a node begins. `root`: whose it is.
Asked<Start> start_at(store::Store& store, const store::Tenant& tenant, Host& host,
                      const std::string& node, const std::string& root) {
  Start start{.scope = scope_of(tenant, root), .state = nullptr};
  start.state = host.states().beginning_of(start.scope);
  if (start.state) return start;
  const auto origin = store.origin(tenant, node);
  if (!origin) return tl::unexpected(store_error(origin.error()));
  if (!*origin)
    return tl::unexpected(ApiError{
        .status = 500, .message = fmt::format("what state {} begins with is not there", node)});
  auto made = store::to_snapshot((*origin)->image, host.model().state_layout());
  if (!made) {
    // Its own bytes are at fault here, and no computed number.
    ApiError error = api_error(made.error());
    if (error.status != 503)
      error = {.status = 500,
               .message = fmt::format("what state {} begins with is damaged: {}", node,
                                      made.error().message),
               .code = "state_damaged",
               .may_retry = false};
    return tl::unexpected(std::move(error));
  }
  start.state = std::make_shared<const Session::Snapshot>(std::move(*made));
  return start;
}

std::optional<Returned> returned_of(const Json& field) {
  if (const auto flag = field.boolean()) return *flag ? Returned::id : Returned::nothing;
  const auto name = field.string();
  if (name == "id") return Returned::id;
  if (name == "url") return Returned::url;
  if (name == "base64") return Returned::base64;
  return std::nullopt;
}

}  // namespace

namespace {

Asked<History> open(store::Store& store, const store::Tenant& tenant, Host& host,
                    const store::Node& node) {
  if (auto fits = check_model(node, host); !fits) return tl::unexpected(fits.error());
  if (node.stage == store::Stage::growing) return tl::unexpected(being_written(node, {}));
  History out{.given = true, .keeps = true, .tenant = tenant, .start = {.scope = tenant}};
  out.parent = node.id;
  out.after = after_of(read_notes(node.extra));
  auto path = store.path(tenant, node.id);
  if (!path) return tl::unexpected(store_error(path.error()));
  out.tokens = std::move(path->tokens);
  // That alone says what texts are shared with: a root that was removed is still what it was, and a
  // state that is kept further down says nothing of it.
  const store::Step& root = path->steps.front();
  const uint64_t before = root.origin ? root.tokens : 0;
  if (root.origin) {
    auto start = start_at(store, tenant, host, node.id, root.id);
    if (!start) return tl::unexpected(start.error());
    out.start = std::move(*start);
    out.tokens.erase(out.tokens.begin(), out.tokens.begin() + static_cast<std::ptrdiff_t>(before));
  }
  if (host.states().exactly(out.start, out.tokens)) return out;
  for (;;) {
    const auto beginning = store.beginning(tenant, node.id);
    if (!beginning) return tl::unexpected(store_error(beginning.error()));
    if (!*beginning || (*beginning)->origin) return out;
    auto snapshot = store::to_snapshot((*beginning)->image, host.model().state_layout());
    if (snapshot) {
      host.states().keep(out.start, std::span(out.tokens).first((*beginning)->tokens - before),
                         std::move(*snapshot));
      return out;
    }
    // One that is of no use makes room for the one before it.
    if (!store.drop_snapshot(tenant, (*beginning)->node)) return out;
  }
}

}  // namespace

Asked<History> open_node(store::Store& store, const store::Tenant& tenant, Host& host,
                         const store::Node& node, std::string where) {
  auto out = open(store, tenant, host, node);
  if (!out) out.error().param = std::move(where);
  return out;
}

Asked<History> open_history(store::Store& store, const store::Tenant& tenant, Host& host,
                            Fields& fields, const Precondition& wanted) {
  const auto session = fields.reference("session");
  if (session && !store::is_session(*session))
    fields.refuse("session", fmt::format("a session cannot be called {}", escaped(*session, 64)));
  if (wanted.given && !session)
    fields.refuse("session", "If-Match and If-None-Match are about a session, and none is named");
  const auto parent = fields.reference("parent");
  const auto state = fields.reference("state");
  Returned returned = Returned::nothing;
  if (const Json field = fields.find("return_state")) {
    if (const auto known = returned_of(field))
      returned = *known;
    else if (field.string() == "json")
      fields.decline("return_state",
                     "a state's numbers are not told one by one; base64 has its file, and url says "
                     "where that is");
    else
      fields.refuse("return_state", "return_state has to be true, false, id, url or base64");
  }
  const auto ttl = fields.integer("session_ttl", 0, int64_t{1} << 32);
  if (parent && state) fields.refuse("state", "state and parent say the same: one of them");
  if (fields.error()) return tl::unexpected(*fields.error());

  History out{.keeps = session || returned != Returned::nothing,
              .tenant = tenant,
              .start = {.scope = tenant}};
  std::string at = parent.value_or(state.value_or(""));
  std::optional<uint64_t> version;
  if (session) {
    const auto found = store.session(tenant, *session);
    if (!found && found.error().trouble != Trouble::missing)
      return tl::unexpected(store_error(found.error(), "session"));
    version = found ? found->version : 0;
    if (const auto fits = check(wanted, *session, *version); !fits)
      return tl::unexpected(fits.error());
    if (found && at.empty()) at = found->node;
  }
  if (!at.empty()) {
    const char* const field = parent ? "parent" : state ? "state" : "session";
    const auto node = store.node(tenant, at);
    if (!node) return tl::unexpected(store_error(node.error(), field));
    auto opened = open_node(store, tenant, host, *node, field);
    if (!opened) return opened;
    out = std::move(*opened);
  }
  out.given = out.given || session.has_value();
  out.session = session.value_or("");
  out.version = version;
  out.session_ttl_ms = ttl.value_or(0) * 1000;
  out.returned = returned;
  return out;
}

}  // namespace skein::server
