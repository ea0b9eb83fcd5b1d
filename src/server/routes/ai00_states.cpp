// /api/oai/states: what a text makes of a state, as numbers. Megabytes of them: /v1/states has
// states as files, and keeps them.
#include <utility>

#include "base/limits.h"
#include "run/state_file.h"
#include "server/routes/ai00_request.h"
#include "server/routes/state_json.h"

namespace skein::server {
namespace {

constexpr size_t kNumberBytes = 13;  // in the answer, about

// A layer's numbers as web-rwkv has them: a row of what the token before left for attention, one
// for each key of a head, of all heads' values, and one for the channel mix. RWKV-7's list has the
// values' rows.
void write_layer(JsonWriter& json, std::span<const float> layer, size_t width, size_t head,
                 bool values_first) {
  for (size_t i = 0; i < width; ++i) json.value(layer[i]);
  const auto heads = layer.subspan(width, width * head);
  for (size_t key = 0; key < head; ++key)
    for (size_t i = 0; i < width; ++i) {
      const size_t value = i % head, first = i / head * head * head;
      json.value(heads[first + (values_first ? value * head + key : key * head + value)]);
    }
  for (const float number : layer.last(width)) json.value(number);
}

Asked<std::string> state_numbers(const Host& host, const State& state, int64_t tokens) {
  const ModelInfo& info = host.model().info();
  const auto values = official_values(state);
  if (!values) return tl::unexpected(api_error(values.error()));
  const auto width = static_cast<size_t>(info.dimensions.width);
  const auto layers = static_cast<size_t>(info.dimensions.layers);
  const size_t of_layer = values->size() / layers;
  const size_t head = of_layer / width - 2;
  JsonWriter json;
  json.begin_object().member("object", "list").member("model", host.name());
  json.key("data").begin_array().begin_object().member("object", "states").member("index", 0);
  json.key("data").begin_array();
  for (size_t i = 0; i < layers; ++i)
    write_layer(json, std::span(*values).subspan(i * of_layer, of_layer), width, head,
                info.design == "rwkv7");
  json.end_array().key("shape").begin_array();
  for (const size_t side : {width, head + 2, layers, size_t{1}})
    json.value(static_cast<int64_t>(side));
  json.end_array().end_object().end_array().key("usage").begin_object();
  json.member("prompt", tokens).member("completion", 0).member("total", tokens);
  return json.end_object().end_object().text();
}

}  // namespace

void answer_ai00_state(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  const auto history = open_ai00_history(service, *exchange, *asked);
  if (!history) return answer_error(exchange, history.error());
  Fields fields(asked->body);
  const auto input = read_ai00_text(fields, "input");
  if (!input) return answer_error(exchange, input.error());
  Host& host = *asked->served->host;
  const ModelInfo& info = host.model().info();
  if (info.design == "rwkv4")
    return answer_error(exchange,
                        {.status = 501, .message = "states of RWKV-4 have another shape"});
  const uint64_t bytes = static_cast<uint64_t>(info.state_bytes) / sizeof(float) * kNumberBytes;
  if (bytes > limits::kAnswerBytes)
    return answer_error(
        exchange, {.message = fmt::format("a state of this model would be some {} MiB of text; "
                                          "POST /v1/states makes one, and has it as a file",
                                          bytes / limits::kMiB)});
  const auto ids = host.tokenizer().encode(*input);
  if (!ids) return answer_error(exchange, {.message = ids.error().message, .param = "input"});
  std::vector<int32_t> all = history->tokens;
  all.insert(all.end(), ids->begin(), ids->end());
  if (all.empty() || all.size() > limits::kPromptTokens)
    return answer_error(
        exchange, {.message = all.empty() ? "there is nothing to read" : "the text is too long",
                   .param = "input"});
  const auto tokens = static_cast<int64_t>(all.size());
  read_state(
      service, std::make_shared<LongAnswer>(exchange), host, history->start, std::move(all),
      [exchange, &host, tokens](const StateTree::Kept& kept, size_t) {
        auto text = state_numbers(host, kept->state, tokens);
        if (!text) return answer_error(exchange, text.error());
        exchange->answer->send({.body = std::move(*text)});
      },
      asked->body);
}

}  // namespace skein::server
