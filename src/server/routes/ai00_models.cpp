// What Ai00's front end asks of models: /api/models/*, /admin/models/*, /api/adapters. A server has
// the models that it was started with, so that nothing of a disk is named or written here.
#include <utility>

#include "base/limits.h"
#include "server/question.h"

namespace skein::server {
namespace {

// "models/name.st" of a client is the name of a model.
std::string_view name_of_path(std::string_view path) {
  const size_t slash = path.find_last_of("/\\");
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

std::string generation_of(const ModelInfo& info) {
  return info.design.starts_with("rwkv") ? "V" + info.design.substr(4) : info.design;
}

void write_states(JsonWriter& json, Service& service, const Exchange& exchange) {
  json.begin_array();
  store::Query all;
  all.limit = limits::kStorePage;
  if (const auto page = service.store().list(service.tenant_of(exchange), all))
    for (const store::Node& node : page->items) {
      json.begin_object().member("id", node.id);
      json.member("name", node.name.empty() ? node.id : node.name).end_object();
    }
  json.end_array();
}

Asked<std::string> info_text(Service& service, const Exchange& exchange) {
  const ModelShelf::Fact model = service.models().fact(0);
  const arch::Dimensions& sizes = model.info.dimensions;
  JsonWriter json;
  json.begin_object().key("reload").begin_object().member("model_path", model.name);
  json.key("lora").begin_array().end_array().key("state").begin_array().end_array();
  json.end_object().key("model").begin_object().member("version", generation_of(model.info));
  json.member("num_layer", sizes.layers).member("num_emb", sizes.width);
  json.member("num_vocab", sizes.vocab).member("num_head", sizes.heads);
  json.member("status", ModelShelf::stands_name(model.stands)).end_object().key("states");
  write_states(json, service, exchange);
  return json.end_object().text();
}

}  // namespace

void answer_ai00_info(Service& service, const ExchangePtr& exchange) {
  auto text = info_text(service, *exchange);
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.body = std::move(*text)});
}

void answer_ai00_list(Service& service, const ExchangePtr& exchange) {
  JsonWriter json;
  json.begin_array();
  for (const auto& model : service.models().facts()) {
    json.begin_object().member("name", model.name).member("size", model.info.weight_bytes);
    json.key("sha").null().member("status", ModelShelf::stands_name(model.stands)).end_object();
  }
  exchange->answer->send({.body = json.end_array().text()});
}

void answer_ai00_adapters(Service& service, const ExchangePtr& exchange) {
  JsonWriter json;
  json.begin_array();
  std::string last;
  for (const auto& model : service.models().facts())
    if (model.info.device != last) json.value(last = model.info.device);
  exchange->answer->send({.body = json.end_array().text()});
}

// One that the server has, which is loaded where it is not there yet.
void answer_ai00_load(Service& service, const ExchangePtr& exchange) {
  const auto body = service.body_of(*exchange);
  if (!body) return answer_error(exchange, body.error());
  Fields fields(*body);
  const auto path = fields.string("model_path");
  if (!path && !fields.error())
    fields.refuse("model_path", "model_path is missing: a model's name");
  if (fields.error()) return answer_error(exchange, *fields.error());
  const auto model = service.models().find(name_of_path(*path));
  if (!model)
    return answer_error(exchange, {.status = 404,
                                   .message = fmt::format("there is no model {}: GET "
                                                          "/api/models/list has those there are",
                                                          escaped(*path, 80)),
                                   .param = "model_path",
                                   .code = "model_not_found"});
  const auto served = service.use(*exchange, *model);
  if (!served) return answer_error(exchange, served.error());
  exchange->answer->send({.body = "{}"});
}

// Of those that come and go. Who uses one has it until he is done.
void answer_ai00_unload(Service& service, const ExchangePtr& exchange) {
  bool any = false;
  for (size_t i = 0; i < service.models().size(); ++i) {
    if (service.models().fact(i).bytes == 0) continue;
    service.models().keep(i, 0);
    any = true;
  }
  if (any) return exchange->answer->send({.body = "{}"});
  answer_error(exchange, {.status = 501,
                          .message = "the models are there for good; --on-demand has them come and "
                                     "go"});
}

void refuse_ai00_change(Service&, const ExchangePtr& exchange) {
  answer_error(
      exchange,
      {.status = 501, .message = "a model is not saved by the server; skein convert does that"});
}

}  // namespace skein::server
