// Routes that tell what there is: at once, on the connections' thread.
#include <array>
#include <utility>

#include "base/platform.h"
#include "server/service.h"

namespace skein::server {
namespace {

void write_model(JsonWriter& json, const ModelShelf::Fact& model) {
  const ModelInfo& info = model.info;
  json.begin_object().member("id", model.name).member("object", "model");
  json.member("created", model.created).member("owned_by", "skein");
  json.member("type", "model").member("display_name", info.title);
  json.member("status", ModelShelf::stands_name(model.stands));
  json.member("max_model_len", kAdvertisedLength);
  json.key("meta").begin_object().member("n_vocab", info.dimensions.vocab);
  json.key("n_ctx_train");
  info.trained_context > 0 ? json.value(info.trained_context) : json.null();
  json.member("n_embd", info.dimensions.width).member("n_params", info.parameters);
  json.member("size", info.weight_bytes).member("state_bytes", info.state_bytes);
  if (model.bytes > 0) json.member("memory_bytes", model.bytes);
  // Only its numbers tell it.
  json.key("fingerprint");
  info.fingerprint == Digest() ? json.null() : json.value(hex(info.fingerprint));
  json.end_object().end_object();
}

// Prometheus's text format: the heads of each metric once, then its lines.
class Metrics {
 public:
  void head(std::string_view name, std::string_view type, std::string_view help) {
    out_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, type);
  }
  template <typename T>
  void line(std::string_view name, std::string_view labels, T value) {
    out_ += labels.empty() ? fmt::format("{} {}\n", name, value)
                           : fmt::format("{}{{{}}} {}\n", name, labels, value);
  }
  template <typename T>
  void one(std::string_view name, std::string_view type, std::string_view help, T value) {
    head(name, type, help);
    line(name, "", value);
  }
  std::string take() { return std::move(out_); }

 private:
  std::string out_;
};

std::string label(std::string_view name, std::string_view value) {
  std::string out = fmt::format("{}=\"", name);
  for (const char c : value) {
    if (c == '\\' || c == '"') out += '\\';
    out += c == '\n' ? ' ' : c;
  }
  return out + '"';
}

struct OfModel {
  std::string_view name, type, help;
  double (*value)(const Host& host, const Load& load);
};
constexpr OfModel kOfModel[] = {
    {"skein_prompt_tokens_total", "counter", "Tokens of prompts read",
     [](const Host& host, const Load&) { return static_cast<double>(host.prompt_tokens()); }},
    {"skein_cached_tokens_total", "counter", "Tokens of prompts that were not read again",
     [](const Host& host, const Load&) { return static_cast<double>(host.cached_tokens()); }},
    {"skein_tokens_total", "counter", "Tokens generated",
     [](const Host& host, const Load&) { return static_cast<double>(host.tokens()); }},
    {"skein_steps_total", "counter", "Steps of the engine",
     [](const Host& host, const Load&) { return static_cast<double>(host.steps()); }},
    {"skein_prompts_active", "gauge", "Prompts that are read or answered",
     [](const Host&, const Load& load) { return static_cast<double>(load.active); }},
    {"skein_sequences", "gauge", "Sequences with a state",
     [](const Host&, const Load& load) { return static_cast<double>(load.sequences); }},
    {"skein_requests_waiting", "gauge", "Requests that wait for the model",
     [](const Host&, const Load& load) { return static_cast<double>(load.waiting); }},
    {"skein_sequences_parked", "gauge", "Sequences that have made room for others",
     [](const Host&, const Load& load) { return static_cast<double>(load.parked); }},
    {"skein_sequences_unread", "gauge", "Sequences that nobody reads, running or parked",
     [](const Host&, const Load& load) { return static_cast<double>(load.stalled); }},
    {"skein_requests_overdue_total", "counter", "Requests that waited longer than they may",
     [](const Host&, const Load& load) { return static_cast<double>(load.counts.overdue); }},
    {"skein_requests_abandoned_total", "counter", "Requests whose clients left before their turn",
     [](const Host&, const Load& load) { return static_cast<double>(load.counts.abandoned); }},
    {"skein_sequence_bytes", "gauge", "Memory of the sequences",
     [](const Host&, const Load& load) { return static_cast<double>(load.bytes); }},
    {"skein_sequence_bytes_limit", "gauge", "What it may be at most",
     [](const Host& host, const Load&) { return static_cast<double>(host.budget()); }},
    {"skein_kept_states", "gauge", "States of texts that may come again",
     [](const Host& host, const Load&) {
       return static_cast<double>(host.states().usage().states);
     }},
    {"skein_kept_bytes", "gauge", "Memory of those",
     [](const Host& host, const Load&) {
       return static_cast<double>(host.states().usage().bytes);
     }},
    {"skein_kept_bytes_limit", "gauge", "What it may be at most",
     [](const Host& host, const Load&) { return static_cast<double>(host.states().budget()); }},
};

// What has a label beside the model's.
struct Reason {
  std::string_view name, help, reason;
  uint64_t ScheduleCounts::*count;
};
constexpr Reason kReasons[] = {
    {"skein_requests_refused_total", "Requests turned away with 429", "queue",
     &ScheduleCounts::full},
    {"skein_requests_refused_total", "", "share", &ScheduleCounts::share},
    {"skein_preemptions_total", "How often somebody made room for others", "turn",
     &ScheduleCounts::turns},
    {"skein_preemptions_total", "", "reader", &ScheduleCounts::readers},
};

void write_reasons(Metrics& out, std::span<const ServedPtr> models) {
  for (const Reason& one : kReasons) {
    if (!one.help.empty()) out.head(one.name, "counter", one.help);
    for (const ServedPtr& served : models)
      out.line(one.name, label("model", served->host->name()) + "," + label("reason", one.reason),
               served->host->load().counts.*one.count);
  }
}

void write_waits(Metrics& out, std::span<const ServedPtr> models) {
  constexpr std::string_view kName = "skein_wait_seconds";
  out.head(kName, "histogram", "How long requests waited before they began");
  for (const ServedPtr& served : models) {
    const ScheduleCounts counts = served->host->load().counts;
    const std::string model = label("model", served->host->name());
    uint64_t sum = 0;
    for (size_t i = 0; i < counts.waits.size(); ++i) {
      sum += counts.waits[i];
      const std::string bound =
          i < kWaitBounds.size() ? fmt::format("{}", kWaitBounds[i]) : std::string("+Inf");
      out.line(fmt::format("{}_bucket", kName), model + "," + label("le", bound), sum);
    }
    out.line(fmt::format("{}_sum", kName), model, counts.waited);
    out.line(fmt::format("{}_count", kName), model, sum);
  }
}

// Nothing here waits for the store.
void write_store(Metrics& out, const store::Health& store) {
  const auto one = [&](std::string_view name, std::string_view type, std::string_view help,
                       auto value) { out.one(name, type, help, static_cast<double>(value)); };
  one("skein_store_up", "gauge", "Whether the store answers", store.up);
  one("skein_store_connections_total", "counter", "Connections to a shared store",
      store.connections);
  one("skein_store_failures_total", "counter", "What a shared store did not answer or refused",
      store.failures);
  one("skein_store_repeated_total", "counter",
      "Changes made again, since another server was faster", store.repeated);
  one("skein_store_queued_bytes", "gauge", "Snapshots that are not written yet",
      store.queued_bytes);
  one("skein_store_evicted_total", "counter", "Snapshots dropped for others", store.evicted);
  one("skein_store_refused_total", "counter", "Snapshots not written for want of room or time",
      store.refused);
  one("skein_store_damaged_total", "counter", "Snapshots found damaged or gone, and not used",
      store.damaged);
}

}  // namespace

void answer_health(Service& service, const std::shared_ptr<Exchange>& exchange) {
  if (!service.leaving()) return exchange->answer->send({.body = "{\"status\":\"ok\"}"});
  exchange->answer->send(error_response(
      {.status = 503, .message = "the server is ending", .retry_seconds = 5}, exchange->errors));
}

void answer_models(Service& service, const std::shared_ptr<Exchange>& exchange) {
  const auto models = service.models().facts();
  JsonWriter json;
  json.begin_object().member("object", "list").key("data").begin_array();
  for (const auto& model : models) write_model(json, model);
  json.end_array().member("has_more", false);
  json.member("first_id", models.front().name).member("last_id", models.back().name).end_object();
  exchange->answer->send({.body = json.text()});
}

void answer_model(Service& service, const std::shared_ptr<Exchange>& exchange) {
  const auto model = service.models().find(exchange->parameter);
  if (!model)
    return exchange->answer->send(error_response(
        {.status = 404,
         .message = fmt::format("there is no model {}", escaped(exchange->parameter, 80)),
         .param = "model",
         .code = "model_not_found"},
        exchange->errors));
  JsonWriter json;
  write_model(json, service.models().fact(*model));
  exchange->answer->send({.body = json.text()});
}

void answer_metrics(Service& service, const std::shared_ptr<Exchange>& exchange) {
  Metrics out;
  out.head("skein_build_info", "gauge", "The program's version");
  out.line("skein_build_info", label("version", service.options().version), 1);
  out.one("skein_uptime_seconds", "gauge", "Since the server began", service.uptime());
  out.one("skein_connections", "gauge", "Open connections", service.connections());
  out.one("skein_resident_bytes", "gauge", "Memory of the process", resident_bytes());
  out.head("skein_requests_total", "counter", "Answers by route and status; 0: the client left");
  for (const auto& [key, count] : service.counts())
    out.line("skein_requests_total",
             label("route", key.first) + "," + label("status", fmt::format("{}", key.second)),
             count);
  const auto models = service.models().all();
  for (const OfModel& metric : kOfModel) {
    out.head(metric.name, metric.type, metric.help);
    for (const ServedPtr& served : models)
      out.line(metric.name, label("model", served->host->name()),
               metric.value(*served->host, served->host->load()));
  }
  write_reasons(out, models);
  write_waits(out, models);
  write_store(out, service.store().health());
  // The names that dashboards of llama-server look for.
  double prompt = 0, tokens = 0, active = 0, waiting = 0;
  for (const ServedPtr& served : models) {
    const Load load = served->host->load();
    prompt += static_cast<double>(served->host->prompt_tokens());
    tokens += static_cast<double>(served->host->tokens());
    active += static_cast<double>(load.active);
    waiting += static_cast<double>(load.waiting);
  }
  out.one("llamacpp:prompt_tokens_total", "counter", "Tokens of prompts read", prompt);
  out.one("llamacpp:tokens_predicted_total", "counter", "Tokens generated", tokens);
  out.one("llamacpp:requests_processing", "gauge", "Prompts that are read or answered", active);
  out.one("llamacpp:requests_deferred", "gauge", "Requests that wait", waiting);
  exchange->answer->send({.type = "text/plain; version=0.0.4; charset=utf-8", .body = out.take()});
}

}  // namespace skein::server
