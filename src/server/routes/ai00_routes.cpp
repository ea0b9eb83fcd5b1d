// Ai00's /api/oai: answers, in the form of OpenAI's with the names that clients of Ai00 look for
// beside them, and vectors.
#include <utility>

#include "base/limits.h"
#include "server/generating.h"
#include "server/reading_reply.h"
#include "server/routes/ai00_request.h"
#include "server/routes/embedding.h"

namespace skein::server {
namespace {

void answer(Service& service, const ExchangePtr& exchange, const Generating& how) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  auto history = open_ai00_history(service, *exchange, *asked);
  if (!history) return answer_error(exchange, history.error());
  auto request = how.read(*asked->served, service.options().defaults, asked->body, *history);
  if (!request) return answer_error(exchange, request.error());
  start_generation(service, exchange, *asked, std::move(*history), std::move(*request), how);
}

// One text, which is one chunk: there is no limit that it would have to be cut for.
std::string vector_text(const std::string& model, const std::string& text,
                        const std::vector<Findings>& found) {
  JsonWriter json;
  json.begin_object().member("object", "embeds").member("model", model).key("data").begin_array();
  json.begin_object().member("object", "embed").member("index", 0).key("chunks").begin_array();
  json.begin_object().member("chunk", text).key("embeds").begin_array().begin_array();
  for (const float number : embedding_of(found[0].mean, found[0].mean.size())) json.value(number);
  json.end_array().end_array().end_object().end_array().end_object().end_array();
  return json.end_object().text();
}

Asked<ReadingRequest> read_vector(const Question& asked) {
  Fields fields(asked.body);
  refuse_history(fields);
  const auto text = fields.string("input");
  if (!text || text->empty()) fields.refuse("input", "input has to be a text, and not empty");
  const std::string prefix = fields.string("prefix").value_or("");
  if (fields.error()) return tl::unexpected(*fields.error());
  const Host& host = *asked.served->host;
  auto ids = host.tokenizer().encode(prefix + *text);
  if (!ids) return refused(ids.error().message, "input");
  if (ids->size() > limits::kPromptTokens)
    return tl::unexpected(ApiError{
        .message = "the text is too long", .param = "input", .code = "context_length_exceeded"});
  ReadingRequest out{.prompts = {std::move(*ids)}, .wanted = {.mean = true}, .write = {}};
  out.tokens = static_cast<int64_t>(out.prompts[0].size());
  out.write = [model = host.name(), text = *text](const std::vector<Findings>& found) {
    return vector_text(model, text, found);
  };
  return out;
}

}  // namespace

void answer_ai00_chat(Service& service, const ExchangePtr& exchange) {
  answer(service, exchange, {.id = "chatcmpl-", .read = read_ai00_chat, .is_chat = true});
}
void answer_ai00_completion(Service& service, const ExchangePtr& exchange) {
  answer(service, exchange, {.id = "cmpl-", .read = read_ai00_completion});
}
void answer_ai00_vector(Service& service, const ExchangePtr& exchange) {
  answer_readings(service, exchange, read_vector);
}

}  // namespace skein::server
