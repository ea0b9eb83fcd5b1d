// /v1/responses: answers that are kept, and their life.
#include <algorithm>
#include <utility>

#include "server/paging.h"
#include "server/query.h"
#include "server/question.h"
#include "server/response_reply.h"

namespace skein::server {
namespace {

Responses responses_of(Service& service, const Exchange& exchange) {
  return {service.responses(), service.tenant_of(exchange)};
}

ApiError none(const std::string& id) {
  return {.status = 404, .message = fmt::format("there is no response {}", escaped(id, 80))};
}

Asked<StoredResponse> stored(Service& service, const Exchange& exchange) {
  auto found = responses_of(service, exchange).find(exchange.parameter);
  if (!found) return tl::unexpected(std::move(found).error());
  if (!*found) return tl::unexpected(none(exchange.parameter));
  return std::move(**found);
}

Asked<std::string> input_items(const StoredResponse& response, std::string_view query) {
  constexpr size_t kUsual = 20, kMost = 100;
  const auto paging = read_paging(query, kUsual, kMost);
  if (!paging) return tl::unexpected(paging.error());
  const std::string order = query_value(query, "order").value_or("desc");
  if (order != "asc" && order != "desc") return refused("order has to be asc or desc", "order");
  std::vector<const ResponseItem*> items;
  for (const ResponseItem& item : response.input) items.push_back(&item);
  if (order == "desc") std::reverse(items.begin(), items.end());
  auto begin = items.begin();
  if (!paging->after.empty()) {
    begin = std::find_if(begin, items.end(),
                         [&](const ResponseItem* item) { return item->id == paging->after; });
    if (begin == items.end()) return refused("after names no item of this response", "after");
    ++begin;
  }
  const auto count = std::min(paging->limit, static_cast<size_t>(items.end() - begin));
  const std::vector<const ResponseItem*> page(begin, begin + static_cast<std::ptrdiff_t>(count));
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (const ResponseItem* item : page) json.raw(item->json);
  json.end_array().member("has_more", begin + static_cast<std::ptrdiff_t>(count) != items.end());
  for (const bool first : {true, false}) {
    json.key(first ? "first_id" : "last_id");
    page.empty() ? json.null() : json.value((first ? page.front() : page.back())->id);
  }
  return json.end_object().text();
}

}  // namespace

void answer_response(Service& service, const ExchangePtr& exchange) {
  const auto asked = question_of(service, exchange);
  if (!asked) return answer_error(exchange, asked.error());
  const Responses responses = responses_of(service, *exchange);
  auto request = read_response_request(*asked->served, service.options().defaults, responses,
                                       Service::new_id("resp_"), asked->body);
  if (!request) return answer_error(exchange, request.error());
  Host& host = *asked->served->host;
  GenerationRequest& generation = request->generation;
  const Digest tenant = service.tenant_of(*exchange);
  generation.plan.prompt_tokens = settle(host, {.tenant = tenant, .start = {.scope = tenant}},
                                         generation.orders, generation.plan.opening_ids);
  generation.plan.exchange = exchange;
  generation.plan.host = &host;
  generation.plan.workers = &service.workers();
  generation.plan.id = request->plan.id;
  submit(exchange, *asked, std::move(generation.orders),
         make_response_reply(std::move(generation.plan), std::move(request->plan), responses));
}

void answer_stored_response(Service& service, const ExchangePtr& exchange) {
  if (query_value(exchange->head.query, "stream").value_or("false") != "false")
    return answer_error(exchange,
                        {.message = "a response that was kept is not streamed; ask for it whole",
                         .param = "stream"});
  auto found = stored(service, *exchange);
  if (!found) return answer_error(exchange, found.error());
  exchange->answer->send({.body = std::move(found->json)});
}

void answer_input_items(Service& service, const ExchangePtr& exchange) {
  const auto found = stored(service, *exchange);
  const auto text = found ? input_items(*found, exchange->head.query)
                          : Asked<std::string>(tl::unexpected(found.error()));
  if (!text) return answer_error(exchange, text.error());
  exchange->answer->send({.body = *text});
}

void answer_deletion(Service& service, const ExchangePtr& exchange) {
  const auto removed = responses_of(service, *exchange).remove(exchange->parameter);
  if (!removed) return answer_error(exchange, removed.error());
  if (!*removed) return answer_error(exchange, none(exchange->parameter));
  JsonWriter json;
  json.begin_object().member("id", exchange->parameter).member("object", "response");
  exchange->answer->send({.body = json.member("deleted", true).end_object().text()});
}

}  // namespace skein::server
