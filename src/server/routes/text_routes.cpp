// Routes about texts and tokens, and the two that generate: on a worker's thread, up to where a
// host takes over.
#include <algorithm>
#include <utility>

#include "base/base64.h"
#include "base/limits.h"
#include "server/fields.h"
#include "server/generation_request.h"
#include "server/question.h"

namespace skein::server {
namespace {

// What stands for the end of a text where a vocabulary has no name of its own for it.
std::string end_name(const text::Tokenizer& tokenizer) {
  const std::string_view name = tokenizer.special_name(tokenizer.end_of_text());
  return name.empty() ? "<|endoftext|>" : std::string(name);
}

void write_ids(JsonWriter& json, std::span<const int32_t> ids) {
  json.begin_array();
  for (const int32_t id : ids) json.value(static_cast<int64_t>(id));
  json.end_array();
}

Asked<std::string> tokenize(const Question& asked) {
  const text::Tokenizer& tokenizer = asked.served->host->tokenizer();
  Fields fields(asked.body);
  std::vector<int32_t> ids;
  if (fields.find("messages")) {
    auto chat = render_chat(*asked.served, asked.body);
    if (!chat) return tl::unexpected(std::move(chat).error());
    ids = std::move(chat->ids);
  } else {
    // Two servers have two names for it.
    const bool old = !fields.find("prompt") && fields.find("content");
    const std::string_view key = old ? "content" : "prompt";
    const auto text = fields.string(key);
    if (!text && !fields.error()) fields.refuse("prompt", "prompt is missing: the text to cut");
    const bool special = fields.flag("parse_special", false);
    if (fields.error()) return tl::unexpected(*fields.error());
    // lm-evaluation-harness asks this way for the id that ends a text.
    if (*text == end_name(tokenizer) && tokenizer.end_of_text() >= 0) {
      ids = {tokenizer.end_of_text()};
    } else {
      auto cut =
          tokenizer.encode(*text, special ? text::Special::as_token : text::Special::as_text);
      if (!cut) return refused(cut.error().message, std::string(key));
      ids = std::move(*cut);
    }
  }
  JsonWriter json;
  json.begin_object().member("count", static_cast<int64_t>(ids.size()));
  json.key("tokens");
  if (fields.flag("with_pieces", false)) {
    json.begin_array();
    for (const int32_t id : ids) {
      json.begin_object().member("id", static_cast<int64_t>(id));
      json.member("piece", token_label(tokenizer, id)).end_object();
    }
    json.end_array();
  } else {
    write_ids(json, ids);
  }
  if (fields.error()) return tl::unexpected(*fields.error());
  return json.end_object().text();
}

Asked<std::string> detokenize(const Question& asked) {
  const auto list = asked.body.find("tokens").array();
  if (!list) return refused("tokens has to be a list of token ids", "tokens");
  std::vector<int32_t> ids;
  for (const Json& each : *list) {
    int64_t id = 0;
    if (!each.integer(id) || id < 0 || id > INT32_MAX)
      return refused("tokens has to be a list of token ids", "tokens");
    ids.push_back(static_cast<int32_t>(id));
  }
  const auto text = asked.served->host->tokenizer().decode(ids);
  if (!text) return refused(text.error().message, "tokens");
  JsonWriter json;
  return json.begin_object().member("prompt", *text).member("content", *text).end_object().text();
}

Asked<std::string> apply_template(const Question& asked) {
  const auto chat = render_chat(*asked.served, asked.body);
  if (!chat) return tl::unexpected(chat.error());
  JsonWriter json;
  json.begin_object();
  json.member("prompt", chat->prompt.text + chat->opening);
  json.key("tokens");
  write_ids(json, chat->ids);
  json.member("think", text::think_mode_name(chat->think));
  return json.end_object().text();
}

void answer_with(Service& service, const ExchangePtr& exchange,
                 Asked<std::string> (*make)(const Question&)) {
  const auto asked = question_of(service, exchange);
  const auto text = asked ? make(*asked) : tl::unexpected(asked.error());
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.body = std::move(*text)});
}

using Read = Asked<GenerationRequest> (*)(const Served&, const Defaults&, const Json&,
                                          const History&);

// Files of states inside an answer, with the text that each has read: about, and the first twice.
Asked<void> check_files(const Host& host, const GenerationRequest& request) {
  constexpr uint64_t kOfToken = 16;
  const Order& order = request.orders[0];
  const uint64_t file =
      static_cast<uint64_t>(host.model().info().state_bytes) + kOfToken * order.prompt.size();
  if ((order.choices + 1) * base64_size(file) <= limits::kAnswerBytes) return {};
  return refused(
      fmt::format("{} states of {} bytes are too much for one answer; \"url\" says where they are",
                  order.choices, file),
      "return_state");
}

void generate(Service& service, const ExchangePtr& exchange, std::string_view id, Read read,
              std::shared_ptr<Reply> (*make)(ReplyPlan), bool is_chat) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  Host& host = *asked->served->host;
  Fields fields(asked->body);
  const auto wanted = precondition_of(exchange->head);
  if (!wanted) return answer_error(exchange, wanted.error());
  auto history = open_history(service.store(), service.tenant_of(*exchange), host, fields, *wanted);
  if (!history) return answer_error(exchange, history.error());
  auto request = read(*asked->served, service.options().defaults, asked->body, *history);
  if (!request) return answer_error(exchange, request.error());
  ReplyPlan& plan = request->plan;
  for (const Order& order : request->orders)
    if (order.prompt.empty() && history->tokens.empty())
      return answer_error(exchange,
                          {.message = "there is nothing to go on from", .param = "prompt"});
  plan.prompt_tokens = settle(host, *history, request->orders, plan.opening_ids);
  if (history->returned == Returned::base64)
    if (const auto fits = check_files(host, *request); !fits)
      return answer_error(exchange, fits.error());
  if (history->keeps && request->orders[0].choices > 0) {
    if (const auto taken = host.admits(request->orders, asked->source); !taken)
      return answer_error(exchange, taken.error());
    const std::vector<int32_t>& ids = request->orders[0].prompt;
    const auto behind = static_cast<std::ptrdiff_t>(history->tokens.size());
    plan.keeper =
        std::make_shared<TurnKeeper>(service.store(), service.workers(), host, std::move(*history),
                                     std::vector<int32_t>(ids.begin() + behind, ids.end()),
                                     plan.opening_ids, plan.choices, is_chat);
    if (const auto begun = plan.keeper->begin(); !begun)
      return answer_error(exchange, begun.error());
  }
  plan.exchange = exchange;
  plan.host = &host;
  plan.workers = &service.workers();
  plan.id = Service::new_id(id);
  plan.source = asked->source;
  const std::shared_ptr<TurnKeeper> keeper = plan.keeper;
  submit(exchange, *asked, std::move(request->orders), make(std::move(plan)), keeper);
}

}  // namespace

void answer_tokenize(Service& service, const ExchangePtr& exchange) {
  answer_with(service, exchange, tokenize);
}
void answer_detokenize(Service& service, const ExchangePtr& exchange) {
  answer_with(service, exchange, detokenize);
}
void answer_apply_template(Service& service, const ExchangePtr& exchange) {
  answer_with(service, exchange, apply_template);
}

// Of the first model: a request without a body names none.
void answer_tokenizer_info(Service& service, const ExchangePtr& exchange) {
  const auto served = service.use(*exchange, 0);
  if (!served) return answer_error(exchange, served.error());
  const text::Tokenizer& tokenizer = (*served)->host->tokenizer();
  const std::string end = end_name(tokenizer);
  JsonWriter json;
  json.begin_object().member("name", tokenizer.name());
  json.member("vocab_size", static_cast<int64_t>(tokenizer.size()));
  for (const char* key : {"eos_token", "bos_token", "pad_token"}) json.member(key, end);
  json.member("eos_token_id", static_cast<int64_t>(tokenizer.end_of_text()));
  json.key("chat_template").null().end_object();
  exchange->answer->send({.body = json.text()});
}

void answer_chat(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, "chatcmpl-", read_chat_request, make_chat_reply, true);
}
void answer_completion(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, "cmpl-", read_completion_request, make_completion_reply, false);
}

}  // namespace skein::server
