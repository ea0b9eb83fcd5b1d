// Routes about texts and tokens, and OpenAI's two that generate: on a worker's thread, up to where
// a host takes over.
#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "server/fields.h"
#include "server/generating.h"
#include "server/question.h"
#include "text/unicode.h"

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

// Its text, or its bytes where those are none.
void write_piece(JsonWriter& json, const text::Tokenizer& tokenizer, int32_t id) {
  const std::string_view bytes = tokenizer.bytes_of(id);
  if (bytes.empty() || text::first_invalid_utf8(bytes) == std::string_view::npos) {
    json.value(token_label(tokenizer, id));
    return;
  }
  json.begin_array();
  for (const char byte : bytes) json.value(static_cast<int64_t>(static_cast<unsigned char>(byte)));
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
      write_piece(json.key("piece"), tokenizer, id);
      json.end_object();
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
  generate(service, exchange, {.id = "chatcmpl-", .read = read_chat_request, .is_chat = true});
}
void answer_fill_in(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, {.id = "chatcmpl-", .read = read_fill_in_request});
}
void answer_completion(Service& service, const ExchangePtr& exchange) {
  generate(service, exchange, {.id = "cmpl-", .read = read_completion_request});
}

}  // namespace skein::server
