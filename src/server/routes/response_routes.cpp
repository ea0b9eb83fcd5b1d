// /v1/responses: answers that are kept, and their life.
#include <algorithm>
#include <utility>

#include "server/paging.h"
#include "server/query.h"
#include "server/question.h"
#include "server/routes/response_reply.h"

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

// Where the state of the response before stands. Its text may be told otherwise by now, without
// thoughts or with other instructions: so it is only known to whoever looks for what he has to
// read, and counts where its tokens are what comes.
History state_before(Service& service, const Digest& tenant, Host& host, const Responses& responses,
                     const std::string& previous) {
  History fresh{.keeps = true, .tenant = tenant, .start = {.scope = tenant}};
  if (previous.empty()) return fresh;
  const auto found = responses.find(previous);
  if (!found || !*found || (*found)->state.empty()) return fresh;
  const auto node = service.store().node(tenant, (*found)->state);
  if (!node) return fresh;
  auto opened = open_node(service.store(), tenant, host, *node, "previous_response_id");
  return opened ? std::move(*opened) : fresh;
}

// The answer is to be gone on from by a server that has read nothing: what is new of it stands
// behind what the store has.
std::shared_ptr<TurnKeeper> keep_response(Service& service, Host& host, History before,
                                          const GenerationRequest& generation) {
  const std::vector<int32_t>& ids = generation.orders[0].prompt;
  const size_t behind = before.tokens.size();
  if (behind > ids.size() - generation.plan.opening_ids ||
      !std::equal(before.tokens.begin(), before.tokens.end(), ids.begin())) {
    before.parent.clear();
    before.tokens.clear();
  }
  before.ttl_ms = service.options().response_states_ms.value_or(0);
  const auto rest = ids.begin() + static_cast<std::ptrdiff_t>(before.tokens.size());
  auto keeper = std::make_shared<TurnKeeper>(
      service.store(), service.workers(), host, std::move(before),
      std::vector<int32_t>(rest, ids.end()), generation.plan.opening_ids, 1, true);
  return keeper->begin() ? keeper : nullptr;
}

void forget_states(Service& service, const Digest& tenant, const StoredResponse& response) {
  for (const std::string& id : {response.state, response.prompt_state})
    if (!id.empty()) static_cast<void>(service.store().remove(tenant, id));
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
  const bool keeps = service.options().response_states_ms.has_value();
  History before;
  if (keeps) before = state_before(service, tenant, host, responses, request->plan.previous);
  generation.plan.prompt_tokens = settle(host, {.tenant = tenant, .start = {.scope = tenant}},
                                         generation.orders, generation.plan.opening_ids);
  generation.plan.exchange = exchange;
  generation.plan.host = &host;
  generation.plan.workers = &service.workers();
  generation.plan.id = request->plan.id;
  generation.plan.must_keep = false;
  if (keeps && request->plan.store) {
    if (const auto taken = host.admits(generation.orders, asked->source); !taken)
      return answer_error(exchange, taken.error());
    generation.plan.keeper = keep_response(service, host, std::move(before), generation);
  }
  const std::shared_ptr<TurnKeeper> keeper = generation.plan.keeper;
  submit(exchange, *asked, std::move(generation.orders),
         make_response_reply(std::move(generation.plan), std::move(request->plan), responses),
         keeper);
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
  const Responses responses = responses_of(service, *exchange);
  if (service.options().response_states_ms)
    if (const auto found = responses.find(exchange->parameter); found && *found)
      forget_states(service, service.tenant_of(*exchange), **found);
  const auto removed = responses.remove(exchange->parameter);
  if (!removed) return answer_error(exchange, removed.error());
  if (!*removed) return answer_error(exchange, none(exchange->parameter));
  JsonWriter json;
  json.begin_object().member("id", exchange->parameter).member("object", "response");
  exchange->answer->send({.body = json.member("deleted", true).end_object().text()});
}

}  // namespace skein::server
