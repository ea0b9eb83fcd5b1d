// llama-server's routes about the server: what it is set to, how busy it is, its models.
#include <filesystem>
#include <utility>

#include "server/question.h"
#include "server/routes/llama_settings.h"
#include "server/routes/template_text.h"

namespace skein::server {
namespace {

void refuse(const ExchangePtr& exchange, std::string why) {
  answer_error(exchange, {.status = 501, .message = std::move(why)});
}

}  // namespace

// Of the first model: a request without a body names none.
void answer_props(Service& service, const ExchangePtr& exchange) {
  const auto served = service.use(*exchange, 0);
  if (!served) return answer_error(exchange, served.error());
  const Host& host = *(*served)->host;
  const auto sampling = (*served)->sampling(*(*served)->profile, (*served)->think);
  if (!sampling) return answer_error(exchange, api_error(sampling.error()));
  GenerateOptions options;
  options.max_tokens = service.options().defaults.predict;
  JsonWriter json;
  json.begin_object().key("default_generation_settings").begin_object();
  json.member("n_ctx", kAdvertisedLength).key("params").begin_object();
  write_settings(json, *sampling, options);
  json.end_object().end_object().member("total_slots", host.load().parallel);
  json.member("model_alias", host.name());
  json.member("model_path", std::filesystem::path(host.model().info().file).filename().string());
  json.key("modalities").begin_object().member("vision", false).member("audio", false).end_object();
  json.member("chat_template", template_text(*(*served)->wording, "{{ system }}", "{{ user }}"));
  const text::Tokenizer& tokenizer = host.tokenizer();
  const std::string end(tokenizer.special_name(tokenizer.end_of_text()));
  json.member("bos_token", end).member("eos_token", end);
  json.member("build_info", "skein " + service.options().version);
  json.member("is_sleeping", false).end_object();
  exchange->answer->send({.body = json.text()});
}
void refuse_props(Service&, const ExchangePtr& exchange) {
  refuse(exchange, "settings are the server's own from its start; a request has its own");
}

// There are no slots: a place is anybody's for as long as his text is generated. How many are taken
// is told all the same.
void answer_slots(Service& service, const ExchangePtr& exchange) {
  JsonWriter json;
  json.begin_array();
  int64_t id = 0;
  for (const ServedPtr& served : service.models().all()) {
    const Load load = served->host->load();
    for (int64_t i = 0; i < load.parallel; ++i) {
      json.begin_object().member("id", id++).member("n_ctx", kAdvertisedLength);
      json.member("speculative", false).member("model", served->host->name());
      json.member("is_processing", i < load.sequences - load.parked).end_object();
    }
  }
  exchange->answer->send({.body = json.end_array().text()});
}
void refuse_slot(Service&, const ExchangePtr& exchange) {
  refuse(exchange,
         "there are no slots to save and restore: what a text begins with is found again by "
         "itself, and a session or a state (/v1/sessions, /v1/states) is kept by its name");
}

void answer_adapters(Service&, const ExchangePtr& exchange) {
  exchange->answer->send({.body = "[]"});
}
void refuse_adapters(Service&, const ExchangePtr& exchange) {
  refuse(exchange, "adapters are merged when a model is loaded (skein serve --lora)");
}

void load_model(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  exchange->answer->send({.body = "{\"success\":true}"});
}

void unload_model(Service& service, const ExchangePtr& exchange) {
  const auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  const auto name = body->find("model").string();
  const auto model = name ? service.models().find(*name) : std::nullopt;
  if (!name) return answer_error(exchange, {.message = "model has to be a name", .param = "model"});
  if (!model)
    return answer_error(exchange,
                        {.status = 404,
                         .message = fmt::format("there is no model {}", escaped(*name, 80)),
                         .param = "model",
                         .code = "model_not_found"});
  const ModelShelf::Fact fact = service.models().fact(*model);
  if (fact.bytes == 0)
    return refuse(exchange, "this model is there for good; --on-demand has others come and go");
  service.models().keep(*model, 0);
  exchange->answer->send({.body = "{\"success\":true}"});
}

}  // namespace skein::server
