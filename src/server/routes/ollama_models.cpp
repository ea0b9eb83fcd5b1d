// Ollama's routes about models: which there are, which are loaded, and what one is like.
#include <ctime>
#include <utility>

#include "server/routes/fill_in.h"
#include "server/routes/ollama_question.h"
#include "server/routes/ollama_reply.h"
#include "server/routes/template_text.h"

namespace skein::server {
namespace {

// Of Ollama's API, as far as it is spoken here: clients look whether it is new enough for them.
constexpr std::string_view kApiVersion = "0.12.11";

std::string size_text(int64_t parameters) {
  const auto count = static_cast<double>(parameters);
  return count < 1e9 ? fmt::format("{:.1f}M", count / 1e6) : fmt::format("{:.1f}B", count / 1e9);
}

void write_details(JsonWriter& json, const ModelInfo& info) {
  json.key("details").begin_object().member("parent_model", "").member("format", info.format);
  json.member("family", info.design).key("families").begin_array().value(info.design).end_array();
  json.member("parameter_size", size_text(info.parameters));
  // What the weights take in memory tells more than a name, of mixtures as well.
  const double bits = info.parameters > 0 ? 8.0 * static_cast<double>(info.weight_bytes) /
                                                static_cast<double>(info.parameters)
                                          : 0;
  json.member("quantization_level", fmt::format("{:.1f} bits", bits)).end_object();
}

void begin_model(JsonWriter& json, const ModelShelf::Fact& model) {
  json.begin_object().member("name", tagged(model.name)).member("model", tagged(model.name));
  json.member("size", model.info.weight_bytes).member("digest", hex(model.info.fingerprint));
  write_details(json, model.info);
}

// Lines as a Modelfile has them.
std::string parameters_text(const Served& served) {
  std::string out = fmt::format("num_ctx {}\n", kAdvertisedLength);
  const auto sampling = served.sampling(*served.profile, served.think);
  if (sampling)
    out += fmt::format("temperature {}\ntop_p {}\n", sampling->temperature, sampling->top_p);
  for (const std::string_view word : served.wording->role_words)
    out += fmt::format("stop \"\\n\\n{}:\"\n", word);
  return out;
}

std::string own_template(const Served& served) {
  const std::string turn =
      template_text(*served.wording, "{{ .System }}", "{{ .Prompt }}") + "{{ .Response }}";
  if (!fills_in(served)) return turn;
  return fmt::format("{{{{- if .Suffix }}}}{}{{{{- else }}}}{}{{{{- end }}}}",
                     text::render_fill_in("{{ .Prompt }}", "{{ .Suffix }}"), turn);
}

void write_capabilities(JsonWriter& json, const Served& served) {
  json.key("capabilities").begin_array().value("completion");
  if (served.wording->has_template()) json.value("tools");
  if (served.wording->supports(text::ThinkMode::free)) json.value("thinking");
  if (fills_in(served)) json.value("insert");
  json.end_array();
}

void write_model_info(JsonWriter& json, const ModelInfo& info) {
  json.key("model_info").begin_object().member("general.architecture", info.design);
  json.member("general.parameter_count", info.parameters);
  json.member(info.design + ".context_length", kAdvertisedLength);
  json.member(info.design + ".embedding_length", info.dimensions.width);
  json.member(info.design + ".block_count", info.dimensions.layers);
  json.member(info.design + ".vocab_size", info.dimensions.vocab).end_object();
}

}  // namespace

void answer_ollama_version(Service& service, const ExchangePtr& exchange) {
  JsonWriter json;
  json.begin_object().member("version", kApiVersion);
  json.member("skein", service.options().version).end_object();
  exchange->answer->send({.body = json.text()});
}

void answer_ollama_tags(Service& service, const ExchangePtr& exchange) {
  JsonWriter json;
  json.begin_object().key("models").begin_array();
  for (const auto& model : service.models().facts()) {
    begin_model(json, model);
    json.member("modified_at", time_text(model.created)).end_object();
  }
  exchange->answer->send({.body = json.end_array().end_object().text()});
}

void answer_ollama_ps(Service& service, const ExchangePtr& exchange) {
  constexpr int64_t kLong = int64_t{100} * 365 * 24 * 3600;
  const int64_t now = std::time(nullptr);
  JsonWriter json;
  json.begin_object().key("models").begin_array();
  for (size_t i = 0; i < service.models().size(); ++i) {
    const ModelShelf::Fact model = service.models().fact(i);
    if (model.stands != ModelShelf::Stands::there) continue;
    const auto seconds = service.models().goes_in(i);
    begin_model(json, model);
    json.member("expires_at", time_text(now + (seconds ? static_cast<int64_t>(*seconds) : kLong)));
    json.member("size_vram", 0).member("context_length", kAdvertisedLength).end_object();
  }
  exchange->answer->send({.body = json.end_array().end_object().text()});
}

void answer_ollama_show(Service& service, const ExchangePtr& exchange) {
  auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  const auto asked = ollama_question(service, exchange, std::move(*body));
  if (!asked) return answer_error(exchange, asked.error());
  const Served& served = asked->served();
  const ModelShelf::Fact model = service.models().fact(asked->model);
  JsonWriter json;
  json.begin_object().member("modelfile", fmt::format("FROM {}\n", model.name));
  json.member("parameters", parameters_text(served)).member("template", own_template(served));
  write_details(json, model.info);
  write_model_info(json, model.info);
  write_capabilities(json, served);
  json.member("modified_at", time_text(model.created)).end_object();
  exchange->answer->send({.body = json.text()});
}

void refuse_ollama_library(Service&, const ExchangePtr& exchange) {
  answer_error(exchange, {.status = 501,
                          .message = "models are not fetched, made or removed over HTTP: put the "
                                     "file where skein serve is told of it (skein pull fetches "
                                     "one)"});
}

}  // namespace skein::server
