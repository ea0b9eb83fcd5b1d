#include "server/service.h"

#include <algorithm>
#include <new>
#include <random>
#include <utility>

#include "base/clock.h"
#include "base/limits.h"
#include "server/backstage.h"
#include "server/form_desk.h"
#include "server/history.h"
#include "store/memory_store.h"

namespace skein::server {
namespace {

constexpr size_t kThreads = 2;

bool is_visible(std::string_view text) {
  return !text.empty() &&
         std::all_of(text.begin(), text.end(), [](char c) { return c > ' ' && c < '\x7f'; });
}

// "application/json; charset=utf-8" and its kind.
bool is_json(std::string_view type) {
  type = type.substr(0, type.find(';'));
  while (type.ends_with(' ')) type.remove_suffix(1);
  std::string small(type);
  for (char& c : small)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  return small == "application/json" ||
         (small.starts_with("application/") && small.ends_with("+json"));
}

bool is_file(std::string_view type) {
  return type.substr(0, type.find(';')) == "application/octet-stream";
}

Response respond(const Exchange& exchange, int status, std::string message, std::string code = {}) {
  return error_response({.status = status, .message = std::move(message), .code = std::move(code)},
                        exchange.errors);
}

ApiError ending() {
  return {.status = 503,
          .message = "the server is ending",
          .code = "server_ending",
          .retry_seconds = 5};
}

ServiceOptions with_store(ServiceOptions options) {
  if (options.store) return options;
  store::Budget budget = store::within_memory({});
  budget.tenant_log_bytes = share_of_a_key(options.keys, budget.log_bytes);
  options.store = store::memory_store({.budget = budget, .clock = {}});
  return options;
}

}  // namespace

int64_t share_of_a_key(const Keys& keys, int64_t log_bytes) {
  return keys.size() > 1 ? std::max<int64_t>(log_bytes / 2, 1) : 0;
}

Service::Service(ServiceOptions options)
    : options_(with_store(std::move(options))),
      responses_(options_.responses
                     ? options_.responses
                     : responses_in_memory({.bytes = limits::kResponsesBytes,
                                            .tenant_bytes = limits::kTenantResponsesBytes})),
      workers_(kThreads, limits::kWaitingRequests),
      replays_(*options_.store, workers_),
      models_(options_.shelf),
      backstage_(std::make_unique<Backstage>()) {}

// Hosts owe workers their answers, and what workers do uses hosts: those end first, and stay until
// nothing is owed.
Service::~Service() {
  models_.stop();
  workers_.stop();
}

void Service::close() { models_.close(ending()); }

std::string Service::new_id(std::string_view beginning) {
  std::random_device random;
  return fmt::format("{}{:08x}{:08x}{:08x}", beginning, random(), random(), random());
}

// Whose request it is, as far as that can be seen before a key.
std::optional<Response> Service::refuse_source(const Exchange& exchange) const {
  const Head& head = exchange.head;
  if (options_.hosts.allows(head.host)) return std::nullopt;
  Response out = respond(exchange, 403,
                         fmt::format("this server does not answer to the name {}; --allow-host {} "
                                     "lets it",
                                     escaped(head.host, 80), escaped(head.host, 80)));
  out.last = true;
  return out;
}

Response Service::answer_options(const Exchange& exchange, const Match& match) const {
  Response out{.status = 204};
  const std::string allowed = match.allowed + (match.allowed.empty() ? "OPTIONS" : ", OPTIONS");
  out.fields.push_back({"Allow", allowed});
  const std::string* origin = exchange.head.find("origin");
  if (!origin || !options_.origins.allows(*origin)) return out;
  out.fields.push_back({"Access-Control-Allow-Methods", allowed});
  out.fields.push_back({"Access-Control-Allow-Headers", "Authorization, *"});
  out.fields.push_back({"Access-Control-Max-Age", "600"});
  return out;
}

std::optional<Response> Service::refuse(Exchange& exchange) {
  const Head& head = exchange.head;
  const std::string* id = head.find("x-request-id");
  exchange.id =
      id && id->size() <= limits::kRequestIdBytes && is_visible(*id) ? *id : new_id("req_");
  std::string_view path = head.path;
  if (!options_.prefix.empty()) {
    if (!path.starts_with(options_.prefix)) path = {};
    path.remove_prefix(std::min(options_.prefix.size(), path.size()));
  }
  exchange.errors = error_form_of(path);
  if (auto refusal = refuse_source(exchange)) return refusal;
  // The page's own addresses are relative to the slash behind the prefix.
  if (!options_.prefix.empty() && head.path == options_.prefix) {
    Response out{.status = 308, .type = "text/plain; charset=utf-8"};
    out.fields.push_back({"Location", options_.prefix + "/"});
    return out;
  }
  Match match = find_route(head.method, path);
  if (head.method == "OPTIONS") return answer_options(exchange, match);
  if (match.allowed.empty())
    return respond(exchange, 404, fmt::format("there is no {} here", escaped(head.path, 200)));
  if (!match.route) {
    Response out =
        respond(exchange, 405, fmt::format("{} takes {}", escaped(head.path, 200), match.allowed));
    out.fields.push_back({"Allow", match.allowed});
    return out;
  }
  exchange.route = match.route;
  exchange.parameter = std::move(match.parameter);
  if (!options_.keys.empty() && match.route->role != Role::open) {
    const auto role = options_.keys.role_of(head);
    if (!role) {
      Response out =
          respond(exchange, 401, "a key is missing or not known: Authorization: Bearer KEY",
                  "invalid_api_key");
      out.fields.push_back({"WWW-Authenticate", "Bearer"});
      return out;
    }
    if (*role < match.route->role)
      return respond(exchange, 403,
                     fmt::format("this key may only {}; {} asks for the role {}", role_name(*role),
                                 escaped(head.path, 200), role_name(match.route->role)));
    exchange.role = *role;
  }
  exchange.owner = options_.keys.empty() ? exchange.peer : hex(options_.keys.tenant_of(head));
  const std::string* const type = head.find("content-type");
  if (match.route->takes_file && type && is_file(*type)) {
    // As long as the longest state, twice, with the text that it has read.
    exchange.most_body =
        static_cast<uint64_t>(2 * models_.most_state_bytes()) + limits::kStateTextBytes;
  } else if (head.method == "POST" || head.method == "PATCH" || head.method == "PUT") {
    // What a form of another page may send without being asked is not taken for JSON.
    if (type ? !is_json(*type) : head.find("origin") != nullptr)
      return respond(
          exchange, 415,
          "Content-Type has to be application/json (curl -H 'Content-Type: application/json')");
  }
  if (leaving() && match.route->role != Role::open)
    return error_response(ending(), exchange.errors);
  return std::nullopt;
}

Response Service::refuse(const Exchange& exchange, const Refusal& refusal) {
  return error_response({.status = refusal.status,
                         .message = refusal.message,
                         .retry_seconds = refusal.status == 503 ? 1 : 0},
                        exchange.errors);
}

void Service::add_fields(Exchange& exchange, Response& response) {
  if (exchange.id.empty()) exchange.id = new_id("req_");
  response.fields.push_back({"x-request-id", exchange.id});
  response.fields.push_back({"request-id", exchange.id});
  response.fields.push_back(
      {"openai-processing-ms", fmt::format("{:.0f}", 1000 * seconds_since(exchange.began))});
  const std::string* origin = exchange.head.find("origin");
  if (!origin || !options_.origins.allows(*origin)) return;
  response.fields.push_back({"Access-Control-Allow-Origin", *origin});
  response.fields.push_back({"Access-Control-Expose-Headers", "x-request-id, retry-after"});
  response.fields.push_back({"Vary", "Origin"});
}

void Service::handle(const std::shared_ptr<Exchange>& exchange) {
  if (exchange->answer->gone()) return;
  try {
    const bool is_served = exchange->route->computes;
    const auto replayed =
        is_served ? replays_.answer(exchange, tenant_of(*exchange)) : Asked<bool>(false);
    if (!replayed)
      exchange->answer->send(error_response(replayed.error(), exchange->errors));
    else if (!*replayed)
      exchange->route->handler(*this, exchange);
    if (const auto model = std::exchange(exchange->waits_for, std::nullopt))
      return wait_for_model(exchange, *model);
    if (std::exchange(exchange->waits_for_form, false)) return wait_for_form(exchange);
  } catch (const std::bad_alloc&) {
    exchange->answer->send(error_response(api_error({Code::memory, ""}), exchange->errors));
  }
  exchange->body = {};
  exchange->share.release();
}

// Then it is served from the beginning, and the model is held for it meanwhile.
void Service::wait_for_model(const std::shared_ptr<Exchange>& exchange, size_t model) {
  const auto told = [this, exchange](ServedPtr served, const ApiError& error) {
    if (!served) return exchange->answer->send(error_response(error, exchange->errors));
    exchange->models.push_back(std::move(served));
    workers_.owe([this, exchange] { handle(exchange); });
  };
  const auto taken =
      models_.wait_for(model, {.call = told,
                               .gone = [exchange] { return exchange->answer->gone(); },
                               .since = exchange->began});
  if (!taken) exchange->answer->send(error_response(taken.error(), exchange->errors));
}

// Whoever comes again finds it made, if he still has it: the exchange does.
void Service::wait_for_form(const std::shared_ptr<Exchange>& exchange) {
  const auto taken = exchange->form->desk().wait_for(
      exchange->form,
      {.owner = exchange->owner,
       .call = [this, exchange] { workers_.owe([this, exchange] { handle(exchange); }); },
       .gone = [exchange] { return exchange->answer->gone(); }});
  if (!taken) exchange->answer->send(error_response(taken.error(), exchange->errors));
}

void Service::serve(std::shared_ptr<Exchange> exchange) {
  if (!exchange->route->computes) return handle(exchange);
  hand_over(exchange, [this, exchange] { handle(exchange); });
}

void Service::hand_over(const std::shared_ptr<Exchange>& exchange, std::function<void()> work) {
  const auto guarded = [exchange, work = std::move(work)] {
    try {
      work();
    } catch (const std::bad_alloc&) {
      exchange->answer->send(error_response(api_error({Code::memory, ""}), exchange->errors));
    }
  };
  if (workers_.push(guarded)) return;
  exchange->answer->send(error_response({.status = 429,
                                         .message = "too many requests wait already",
                                         .code = "rate_limit_exceeded",
                                         .retry_seconds = 1},
                                        exchange->errors));
}

void Service::finished(const Exchange& exchange, int status, uint64_t bytes, bool whole) {
  ++counts_[{exchange.route ? exchange.route->path : "other", status}];
  if (!options_.log) return;
  const Facts facts = exchange.answer->facts();
  constexpr size_t kMost = limits::kLogFieldBytes;
  options_.log({.id = exchange.id,
                .peer = exchange.peer,
                .method = escaped(exchange.head.method, kMost),
                .path = escaped(exchange.head.path, kMost),
                .model = facts.model,
                .status = status,
                .seconds = seconds_since(exchange.began),
                .bytes = bytes,
                .prompt_tokens = facts.prompt_tokens,
                .tokens = facts.tokens,
                .whole = whole});
}

Asked<Json> Service::body_of(const Exchange& exchange) const {
  auto json = parse_json(exchange.body, options_.body_bytes);
  if (!json)
    return tl::unexpected(json.error().code == Code::memory
                              ? api_error(json.error())
                              : ApiError{.message = "the body is " + json.error().message});
  if (!json->object()) return refused("the body is no JSON object");
  return std::move(*json);
}

Asked<const Served*> Service::use(Exchange& exchange, size_t model) {
  ServedPtr served = models_.get(model);
  if (!served)
    return tl::unexpected(ApiError{
        .status = 503,
        .message = fmt::format("the model {} is not loaded", escaped(models_.name(model), 80)),
        .param = "model",
        .code = "model_loading",
        .waits_for = model});
  const Served* const out = served.get();
  exchange.models.push_back(std::move(served));
  return out;
}

ServedPtr Service::served_of(const Digest& fingerprint) {
  const auto model = models_.find_states(fingerprint);
  return model ? models_.get(*model) : nullptr;
}

std::optional<size_t> Service::model_of_states(const store::Node& node) const {
  if (const auto known = models_.find_states(node.fingerprint)) return known;
  // What its states are is known once it has been loaded; its name was noted.
  const auto named = models_.find(read_notes(node.extra).model);
  return named && !models_.knows_states(*named) ? named : std::nullopt;
}

Asked<const Served*> Service::model_of(Exchange& exchange, const Json& body) {
  const Json given = body.find("model");
  if (!given || given.is_null()) return model_named(exchange, std::nullopt);
  const auto name = given.string();
  if (!name) return refused("model has to be a string", "model");
  return model_named(exchange, std::string(*name));
}

Asked<const Served*> Service::model_named(Exchange& exchange,
                                          const std::optional<std::string>& name) {
  if (name)
    if (const auto model = models_.find(*name)) return use(exchange, *model);
  // Programs have the names of other people's models built in.
  if (models_.size() == 1 && !options_.defaults.strict_model) return use(exchange, 0);
  const std::string remedy =
      models_.size() == 1
          ? fmt::format("this server has {} and, with --strict-model, takes no other name",
                        escaped(models_.name(0), 80))
          : "there are several, GET /v1/models lists them";
  if (!name) return refused("model is missing: " + remedy, "model");
  return tl::unexpected(
      ApiError{.status = 404,
               .message = fmt::format("there is no model {}: {}", escaped(*name, 80), remedy),
               .param = "model",
               .code = "model_not_found"});
}

double Service::uptime() const { return seconds_since(began_); }

}  // namespace skein::server
