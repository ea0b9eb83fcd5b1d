// States that are made: a text read behind another.
#include <utility>

#include "base/limits.h"
#include "server/generation_request.h"
#include "server/routes/state_fields.h"
#include "server/routes/state_json.h"
#include "server/routes/state_making.h"
#include "store/snapshot.h"

namespace skein::server {
namespace {

struct Text {
  std::vector<int32_t> ids;
  std::string form;
};

// A list of ids, or a list of messages.
Asked<void> read_list(const Served& served, const Json& list, const std::string& where,
                      const History& history, text::Prompt& prompt, Text& out) {
  const bool fresh = history.fresh();
  if (where == "messages" || list.array()->front().object()) {
    const auto read = read_messages(*served.wording, list, where);
    if (!read) return tl::unexpected(read.error());
    prompt = text::render_turns(*served.wording,
                                fresh ? std::nullopt : std::optional(history.after), *read);
    out.form = "turn";
    return {};
  }
  for (const Json& each : *list.array()) {
    int64_t id = 0;
    if (!each.integer(id) || id < 0 || id >= served.host->model().vocab())
      return refused(fmt::format("{} holds what is no token id of this model", where), where);
    out.ids.push_back(static_cast<int32_t>(id));
  }
  return {};
}

// `input`: a text, ids or messages; or `messages`.
Asked<Text> read_input(const Served& served, const Json& body, const History& history) {
  Fields fields(body);
  const Json input = fields.find("input"), messages = fields.find("messages");
  if (input && messages) return refused("input and messages say the same: one of them", "messages");
  const Json given = messages ? messages : input;
  const std::string where = messages ? "messages" : "input";
  text::Prompt prompt;
  Text out{.ids = {}, .form = "text"};
  if (const auto text = given.string(); text && !messages) {
    prompt.text = *text;
  } else if (const auto list = given.array(); list && !list->empty()) {
    if (const auto read = read_list(served, given, where, history, prompt, out); !read)
      return tl::unexpected(read.error());
  } else if (list) {
    return refused(fmt::format("{} is empty: there is nothing to read", where), where);
  } else {
    return refused(messages ? "messages has to be a list"
                            : "input has to be a text, messages or a list of token ids",
                   where);
  }
  if (out.ids.empty()) {
    auto ids =
        text::encode_prompt(served.host->tokenizer(), *served.wording, prompt, history.fresh());
    if (!ids) return refused(ids.error().message, where);
    out.ids = std::move(*ids);
  }
  if (out.ids.empty()) return refused("there is nothing to read", where);
  if (out.ids.size() + history.tokens.size() > limits::kPromptTokens)
    return tl::unexpected(ApiError{
        .message = "the text is too long", .param = where, .code = "context_length_exceeded"});
  return out;
}

// A state that is to be made: its node, once it has been read.
struct Making {
  store::NodeDraft draft;
  int64_t tokens = 0;  // of all that it has read
};

void keep(Service& service, const LongAnswerPtr& answer, const Making& making,
          const StateTree::Kept& kept, size_t cached) {
  const store::Tenant tenant = service.tenant_of(*answer->exchange());
  store::Changes changes;
  changes.nodes.push_back(making.draft);
  if (const auto done = service.store().commit(tenant, std::move(changes)); !done)
    return answer->fail(making_error(done.error(), making.draft));
  // It costs time only, should it be lost.
  static_cast<void>(service.store().keep_snapshot(tenant, making.draft.id, store::image_of(kept)));
  const auto node = service.store().node(tenant, making.draft.id);
  if (!node) return answer->fail(store_error(node.error()));
  JsonWriter json;
  json.begin_object().key("state");
  write_node(json, service, *node);
  json.key("usage").begin_object().member("prompt_tokens", making.tokens);
  json.key("prompt_tokens_details").begin_object();
  json.member("cached_tokens", static_cast<int64_t>(cached)).end_object();
  answer->send({.status = 201, .body = json.end_object().end_object().text()});
}

// Reads it, and keeps what comes of it. `fields`: those of the body, whose first fault counts.
void read_behind(Service& service, const ExchangePtr& exchange, const Served& served,
                 History history, const Json& body, Fields& fields) {
  const Wishes wishes = read_wishes(fields);
  const bool stream = fields.flag("stream", false);
  if (fields.error()) return answer_error(exchange, *fields.error());
  const auto source = source_of(*exchange, body);
  if (!source) return answer_error(exchange, source.error());
  auto text = read_input(served, body, history);
  if (!text) return answer_error(exchange, text.error());
  // Before it is read, which may take long.
  if (!wishes.name.empty())
    if (const auto taken = service.store().node(service.tenant_of(*exchange), wishes.name))
      return answer_error(exchange, {.status = 409,
                                     .message = fmt::format("a state is called {} already",
                                                            escaped(wishes.name, 64)),
                                     .param = "name",
                                     .code = "name_taken",
                                     .may_retry = false});
  Host& host = *served.host;
  std::vector<int32_t> all = history.tokens;
  all.insert(all.end(), text->ids.begin(), text->ids.end());
  Making making{{.id = store::new_id(),
                 .parent = history.parent,
                 .fingerprint = fingerprint_of(host.model()),
                 .name = wishes.name,
                 .tokens = text->ids,
                 .text = text_of(host.tokenizer(), text->ids),
                 .extra = write_notes({.kind = wishes.kind.value_or(text->form),
                                       .form = wishes.kind ? text->form : "",
                                       .model = host.name(),
                                       .finish = {}}),
                 .pinned = wishes.pinned.value_or(false),
                 .ttl_ms = wishes.ttl_ms.value_or(0),
                 .origin = {}},
                static_cast<int64_t>(all.size())};
  const auto answer =
      std::make_shared<LongAnswer>(exchange, stream, service.options().defaults.ping_seconds);
  read_state(
      service, answer, host, history.start, std::move(all),
      [&service, answer, making = std::move(making)](const StateTree::Kept& kept, size_t cached) {
        keep(service, answer, making, kept, cached);
      },
      body);
}

}  // namespace

ApiError making_error(const store::StoreError& error, const store::NodeDraft& draft) {
  const bool name = error.trouble == store::Trouble::conflict && !draft.name.empty();
  return store_error(error, name                                       ? "name"
                            : error.trouble == store::Trouble::missing ? "parent"
                                                                       : "input");
}

void make_state(Service& service, const ExchangePtr& exchange) {
  if (exchange->most_body > 0) return take_state_file(service, exchange);
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  Fields fields(asked->body);
  refuse_unmeant(fields, "a state that is made",
                 {"model", "input", "messages", "parent", "state", "name", "kind", "pin", "pinned",
                  "ttl", "stream"});
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  auto history = open_history(service.store(), service.tenant_of(*exchange), *asked->served->host,
                              fields, *wanted);
  if (!history) return answer_error(exchange, history.error());
  read_behind(service, exchange, *asked->served, std::move(*history), asked->body, fields);
}

void append_to_state(Service& service, const ExchangePtr& exchange) {
  const auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  Fields fields(*body);
  refuse_unmeant(fields, "an append, which goes on from the state of its path",
                 {"model", "input", "messages", "name", "kind", "pin", "pinned", "ttl", "stream"});
  if (fields.error()) return answer_error(exchange, *fields.error());
  auto place = place_of(service, exchange, exchange->parameter);
  if (!place) return answer_error(exchange, place.error());
  if (fields.find("model")) {
    const auto named = service.model_of(*exchange, *body);
    if (!named) return answer_error(exchange, named.error());
    if (*named != place->served)
      return answer_error(exchange,
                          {.status = 409,
                           .message = fmt::format("state {} is of the model {}", place->node.id,
                                                  escaped(place->served->host->name(), 80)),
                           .param = "model",
                           .code = "state_mismatch",
                           .may_retry = false});
  }
  auto history = open_node(service.store(), service.tenant_of(*exchange), *place->served->host,
                           place->node, "id");
  if (!history) return answer_error(exchange, history.error());
  read_behind(service, exchange, *place->served, std::move(*history), *body, fields);
}

}  // namespace skein::server
