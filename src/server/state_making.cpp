// States that are made: a text read behind another, or the numbers of a file.
#include <utility>

#include "base/limits.h"
#include "run/saved_state.h"
#include "run/state_file.h"
#include "server/generation_request.h"
#include "server/state_json.h"
#include "store/snapshot.h"

namespace skein::server {
namespace {

struct Text {
  std::vector<int32_t> ids;
  std::string kind;
};

// `input`: a text, ids or messages.
Asked<Text> read_input(const Served& served, const Json& body, const History& history) {
  const text::Tokenizer& tokenizer = served.host->tokenizer();
  const bool fresh = history.fresh();
  const Json input = body.find("input");
  const Json messages = body.find("messages") ? body.find("messages") : input;
  const auto list = messages.array();
  text::Prompt prompt;
  Text out;
  if (const auto text = input.string()) {
    prompt.text = *text;
    out.kind = "text";
  } else if (list && !list->empty() && list->front().object()) {
    const auto read = read_messages(*served.wording, messages);
    if (!read) return tl::unexpected(read.error());
    prompt = text::render_turns(*served.wording,
                                fresh ? std::nullopt : std::optional(history.after), *read);
    out.kind = "turn";
  } else if (list) {
    for (const Json& each : *list) {
      int64_t id = 0;
      if (!each.integer(id) || id < 0 || id >= served.host->model().vocab())
        return refused("input holds what is no token id of this model", "input");
      out.ids.push_back(static_cast<int32_t>(id));
    }
    out.kind = "text";
  } else {
    return refused("input has to be a text, messages or a list of token ids", "input");
  }
  if (out.ids.empty()) {
    auto ids = text::encode_prompt(tokenizer, *served.wording, prompt, fresh);
    if (!ids) return refused(ids.error().message, "input");
    out.ids = std::move(*ids);
  }
  if (out.ids.empty()) return refused("there is nothing to read", "input");
  if (out.ids.size() + history.tokens.size() > limits::kPromptTokens)
    return tl::unexpected(ApiError{
        .message = "the text is too long", .param = "input", .code = "context_length_exceeded"});
  return out;
}

struct Wishes {
  std::string name;
  bool pinned = false;
  int64_t ttl_ms = 0;
};

Wishes read_wishes(Fields& fields) {
  return {fields.string("name").value_or(""), fields.flag("pin", false),
          fields.integer("ttl", 0, int64_t{1} << 32).value_or(0) * 1000};
}

// Reads it, and keeps what comes of it.
void read_behind(Service& service, const ExchangePtr& exchange, const Served& served,
                 History history, const Json& body) {
  Fields fields(body);
  const Wishes wishes = read_wishes(fields);
  const auto kind = fields.string("kind");
  if (fields.error()) return answer_error(exchange, *fields.error());
  auto text = read_input(served, body, history);
  if (!text) return answer_error(exchange, text.error());
  Host& host = *served.host;
  std::vector<int32_t> all = history.tokens;
  all.insert(all.end(), text->ids.begin(), text->ids.end());
  store::NodeDraft draft{
      .id = store::new_id(),
      .parent = history.parent,
      .fingerprint = fingerprint_of(host.model()),
      .name = wishes.name,
      .tokens = text->ids,
      .text = text_of(host.tokenizer(), text->ids),
      .extra = write_notes({.kind = kind.value_or(text->kind), .model = host.name(), .finish = {}}),
      .pinned = wishes.pinned,
      .ttl_ms = wishes.ttl_ms,
      .origin = {}};
  const auto total = static_cast<int64_t>(all.size());
  read_state(
      service, exchange, host, history.start, std::move(all),
      [&service, exchange, draft = std::move(draft), total](const StateTree::Kept& kept,
                                                            size_t cached) {
        const store::Tenant tenant = service.tenant_of(*exchange);
        store::Changes changes;
        changes.nodes.push_back(draft);
        if (const auto done = service.store().commit(tenant, std::move(changes)); !done)
          return answer_error(exchange, store_error(done.error(), "name"));
        // It costs time only, should it be lost.
        static_cast<void>(service.store().keep_snapshot(tenant, draft.id, store::image_of(kept)));
        const auto node = service.store().node(tenant, draft.id);
        if (!node) return answer_error(exchange, store_error(node.error()));
        JsonWriter json;
        json.begin_object().key("state");
        write_node(json, service, *node);
        json.key("usage").begin_object().member("prompt_tokens", total);
        json.key("prompt_tokens_details").begin_object();
        json.member("cached_tokens", static_cast<int64_t>(cached)).end_object();
        json.end_object().end_object();
        exchange->answer->send({.status = 201, .body = json.text()});
      },
      body);
}

// A file's state with what is known of its history.
struct Upload {
  StateTree::Kept state;
  std::vector<int32_t> tokens;
  std::string text;
};

Result<Upload> read_upload(const Model& model, std::string_view body, std::string_view name) {
  const auto file = std::as_bytes(std::span(body));
  Upload out;
  if (is_saved_state(file)) {
    SK_TRY(SavedState saved, parse_saved_state(file, name));
    out.tokens = std::move(saved.tokens);
    out.text = std::move(saved.text);
  }
  SK_TRY(State state, import_state(file, name, model.state_layout()));
  out.state = std::make_shared<const Session::Snapshot>(Session::Snapshot{std::move(state), {}});
  return out;
}

void take_file(Service& service, const ExchangePtr& exchange) {
  const std::string& query = exchange->head.query;
  const std::string model = query_value(query, "model").value_or("");
  const Served* served = model.empty() ? &service.models().front() : service.find(model);
  if (!served)
    return answer_error(exchange, {.status = 404,
                                   .message = "there is no such model",
                                   .param = "model",
                                   .code = "model_not_found"});
  const Host& host = *served->host;
  auto upload = read_upload(host.model(), exchange->body, "the state");
  exchange->body = {};
  if (!upload) {
    ApiError error = api_error(upload.error());
    if (upload.error().code == Code::mismatch)
      error.status = 409, error.code = "state_mismatch", error.may_retry = false;
    else
      error.status = 400;
    return answer_error(exchange, error);
  }
  const std::string kind = upload->tokens.empty() ? "tuned" : "text";
  store::NodeDraft draft{
      .id = store::new_id(),
      .parent = {},
      .fingerprint = fingerprint_of(host.model()),
      .name = query_value(query, "name").value_or(""),
      .tokens = std::move(upload->tokens),
      .text = std::move(upload->text),
      .extra = write_notes(
          {.kind = query_value(query, "kind").value_or(kind), .model = host.name(), .finish = {}}),
      .pinned = query_value(query, "pin") == "true",
      .origin = store::image_of(upload->state)};
  const std::string id = draft.id;
  store::Changes changes;
  changes.nodes.push_back(std::move(draft));
  const store::Tenant tenant = service.tenant_of(*exchange);
  if (const auto done = service.store().commit(tenant, std::move(changes)); !done)
    return answer_error(exchange, store_error(done.error(), "name"));
  const auto node = node_of(service, *exchange, id);
  if (!node) return answer_error(exchange, node.error());
  JsonWriter json;
  json.begin_object().key("state");
  write_node(json, service, *node);
  exchange->answer->send({.status = 201, .body = json.end_object().text()});
}

}  // namespace

void make_state(Service& service, const ExchangePtr& exchange) {
  if (exchange->most_body > 0) return take_file(service, exchange);
  const auto asked = question_of(service, *exchange);
  if (!asked) return answer_error(exchange, asked.error());
  Fields fields(asked->body);
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  auto history = open_history(service.store(), service.tenant_of(*exchange), *asked->served->host,
                              fields, *wanted);
  if (!history) return answer_error(exchange, history.error());
  if (!history->session.empty())
    return answer_error(
        exchange, {.message = "a session moves by PUT /v1/sessions/NAME", .param = "session"});
  read_behind(service, exchange, *asked->served, std::move(*history), asked->body);
}

void append_to_state(Service& service, const ExchangePtr& exchange) {
  const auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  auto place = place_of(service, *exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  auto history =
      open_node(service.store(), service.tenant_of(*exchange), *place->served->host, place->node);
  if (!history) return answer_error(exchange, history.error());
  read_behind(service, exchange, *place->served, std::move(*history), *body);
}

}  // namespace skein::server
