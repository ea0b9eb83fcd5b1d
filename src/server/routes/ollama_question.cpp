#include "server/routes/ollama_question.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "server/routes/ollama_reply.h"

namespace skein::server {
namespace {

// "10m", "1h30m", "-1s": numbers with a unit each. Nothing: it is no duration.
std::optional<double> seconds_of(std::string_view text) {
  const bool negative = text.starts_with('-');
  if (negative) text.remove_prefix(1);
  double seconds = 0;
  bool any = false;
  while (!text.empty()) {
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc() || !(number >= 0)) return std::nullopt;
    text.remove_prefix(static_cast<size_t>(end - text.data()));
    constexpr std::pair<std::string_view, double> kUnits[] = {
        {"ns", 1e-9}, {"us", 1e-6}, {"ms", 1e-3}, {"h", 3600}, {"m", 60}, {"s", 1}};
    const auto* unit = std::find_if(std::begin(kUnits), std::end(kUnits),
                                    [&](const auto& one) { return text.starts_with(one.first); });
    // A bare number is of seconds, and stands alone.
    if (unit == std::end(kUnits) && (any || !text.empty())) return std::nullopt;
    seconds += number * (unit == std::end(kUnits) ? 1 : unit->second);
    if (unit != std::end(kUnits)) text.remove_prefix(unit->first.size());
    any = true;
  }
  if (!any) return std::nullopt;
  return negative ? -1 : seconds;
}

Asked<std::optional<double>> read_keep_alive(const Json& body) {
  const Json given = body.find("keep_alive");
  if (!given || given.is_null()) return std::optional<double>();
  double seconds = 0;
  // Longer than any server lives, and still a date that others can read.
  constexpr double kLongest = 100. * 365 * 24 * 3600;
  if (given.number(seconds)) return std::optional(std::min(seconds, kLongest));
  const auto text = given.string();
  const auto parsed = text ? seconds_of(*text) : std::nullopt;
  if (parsed) return std::optional(std::min(*parsed, kLongest));
  return refused("keep_alive has to be seconds, or a duration such as \"10m\"", "keep_alive");
}

// Nothing: none is named.
Asked<std::optional<std::string>> read_name(const Service& service, const Json& body) {
  for (const char* key : {"model", "name"}) {
    const Json given = body.find(key);
    if (!given || given.is_null()) continue;
    const auto name = given.string();
    if (!name) return refused(fmt::format("{} has to be a string", key), key);
    constexpr std::string_view kTag = ":latest";
    std::string_view bare = *name;
    if (bare.ends_with(kTag) && !service.models().find(bare)) bare.remove_suffix(kTag.size());
    return std::optional(std::string(bare));
  }
  return std::optional<std::string>();
}

}  // namespace

Asked<OllamaQuestion> ollama_question(Service& service, const ExchangePtr& exchange, Json body) {
  OllamaQuestion out;
  out.question.body = std::move(body);
  const auto keep_alive = read_keep_alive(out.question.body);
  if (!keep_alive) return tl::unexpected(keep_alive.error());
  out.keep_alive = *keep_alive;
  const auto name = read_name(service, out.question.body);
  if (!name) return tl::unexpected(name.error());
  const auto served = service.model_named(*exchange, *name);
  if (!served) return tl::unexpected(served.error());
  out.question.served = *served;
  auto source = source_of(*exchange, out.question.body);
  if (!source) return tl::unexpected(std::move(source).error());
  out.question.source = std::move(*source);
  out.model = service.models().find((*served)->host->name()).value_or(0);
  // Clients send it with every request; whether others' models stay is not for each of them to say.
  if (out.keep_alive && exchange->role == Role::admin)
    service.models().keep(out.model, *out.keep_alive);
  return out;
}

bool is_errand(const Json& body, std::string_view asks) {
  const Json given = body.find(asks);
  if (!given || given.is_null() || given.string() == "") return true;
  const auto list = given.array();
  return list && list->empty();
}

void answer_errand(Service& service, const ExchangePtr& exchange, const Json& body, bool is_chat) {
  const auto keep_alive = read_keep_alive(body);
  const auto name = read_name(service, body);
  if (!keep_alive || !name)
    return answer_error(exchange, keep_alive ? name.error() : keep_alive.error());
  const bool unloads = *keep_alive == 0.0;
  if (unloads && exchange->role != Role::admin)
    return answer_error(exchange, {.status = 403,
                                   .message = "letting go of a model asks for the role admin",
                                   .param = "keep_alive"});
  // Nothing is loaded to be let go of.
  std::optional<size_t> model = *name ? service.models().find(**name) : std::nullopt;
  if (!model && service.models().size() == 1) model = 0;
  if (!unloads || !model || service.models().fact(*model).stands == ModelShelf::Stands::there) {
    const auto asked = ollama_question(service, exchange, body);
    if (!asked) return answer_error(exchange, asked.error());
    model = asked->model;
  }
  JsonWriter json;
  json.begin_object().member("model", tagged(service.models().name(*model)));
  json.member("created_at", time_text());
  if (is_chat)
    json.key("message")
        .begin_object()
        .member("role", "assistant")
        .member("content", "")
        .end_object();
  else
    json.member("response", "");
  json.member("done", true).member("done_reason", unloads ? "unload" : "load").end_object();
  exchange->answer->send({.body = json.text()});
}

}  // namespace skein::server
