// The web page and what it asks before it has a key: open routes, in which nothing secret stands.
#include <algorithm>
#include <array>
#include <optional>
#include <utility>

#include "base/limits.h"
#include "server/accepted.h"
#include "server/page.h"
#include "server/question.h"
#include "server/service.h"

namespace skein::server {
namespace {

// Nothing from elsewhere, no scripts but the page's files, and no text that becomes HTML.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
    "font-src 'self'; connect-src 'self'; worker-src 'self'; manifest-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
    "trusted-types skein";
// Without Strict-Transport-Security, since http is what is usual here.
constexpr std::array<std::pair<std::string_view, std::string_view>, 4> kFields = {{
    {"Content-Security-Policy", kPolicy},
    {"X-Content-Type-Options", "nosniff"},
    {"Referrer-Policy", "no-referrer"},
    {"Permissions-Policy", "camera=(), microphone=(), geolocation=()"},
}};

// Of the page's languages, and of what a page can ask of this server beyond OpenAI's API, so that
// it need not try: a page that is older or newer than its server works with what both know.
constexpr std::string_view kLanguages[] = {"en", "zh"};
constexpr std::string_view kFeatures[] = {"states", "sessions",     "prompt_id",  "stream_state",
                                          "status", "stats_fields", "diff_heads", "state_trace",
                                          "trace",  "race"};

Response response_of(const Exchange& exchange, std::string_view name, PageFile file) {
  Response out{.type = std::string(type_of(name))};
  for (const auto& [field, value] : kFields)
    out.fields.push_back({std::string(field), std::string(value)});
  out.fields.push_back({"ETag", fmt::format("\"{}\"", file.tag)});
  out.fields.push_back(
      {"Cache-Control", file.lasts ? "public, max-age=31536000, immutable" : "no-cache"});
  out.fields.push_back(
      {"Vary", exchange.route->path == "/" ? "Accept, Accept-Encoding" : "Accept-Encoding"});
  if (names(exchange.head, file.tag)) {
    out.status = 304;
    return out;
  }
  if (file.compressed) out.fields.push_back({"Content-Encoding", "gzip"});
  out.body = std::move(file.bytes);
  return out;
}

void answer_with(const Page& page, const std::shared_ptr<Exchange>& exchange, std::string_view name,
                 bool compressed) {
  auto file = page.read(name, compressed);
  exchange->answer->send(
      file ? response_of(*exchange, name, std::move(*file))
           : error_response(
                 {.status = 404,
                  .message = fmt::format("there is no {} here", escaped(exchange->head.path, 200))},
                 exchange->errors));
}

void answer_file(Service& service, const std::shared_ptr<Exchange>& exchange, std::string name) {
  const auto& page = service.options().page;
  if (!page) return answer_with(Page::of(EmbeddedFiles()), exchange, name, true);
  const bool compressed = accepts(exchange->head, "accept-encoding", "gzip");
  if (!page->takes_time(compressed)) return answer_with(*page, exchange, name, compressed);
  service.hand_over(exchange, [&page = *page, exchange, name = std::move(name), compressed] {
    answer_with(page, exchange, name, compressed);
  });
}

}  // namespace

// Browsers are given the page; programs that look for Ollama look for this text.
void answer_root(Service& service, const std::shared_ptr<Exchange>& exchange) {
  if (service.options().page && accepts(exchange->head, "accept", "text/html"))
    return answer_file(service, exchange, "index.html");
  exchange->answer->send({.type = "text/plain; charset=utf-8",
                          .fields = {{"Vary", "Accept, Accept-Encoding"}},
                          .body = "Ollama is running"});
}

void answer_page_file(Service& service, const std::shared_ptr<Exchange>& exchange) {
  const std::string_view path = exchange->route->path.substr(1);
  // Browsers ask for one of that name, of every server.
  if (path == "favicon.ico") return answer_file(service, exchange, "favicon.svg");
  const size_t brace = std::min(path.find('{'), path.size());
  answer_file(service, exchange, std::string(path.substr(0, brace)) + exchange->parameter);
}

void answer_boot(Service& service, const std::shared_ptr<Exchange>& exchange) {
  const ServiceOptions& options = service.options();
  JsonWriter json;
  json.begin_object().member("version", options.version);
  json.member("auth", options.keys.empty() ? "none" : "key");
  json.key("features").begin_array();
  for (const std::string_view feature : kFeatures) json.value(feature);
  json.end_array().key("limits").begin_object();
  json.member("body_bytes", options.body_bytes).member("choices", limits::kChoices);
  json.member("top_logprobs", limits::kTopLogprobs).member("stops", limits::kStopStrings);
  json.member("stop_bytes", limits::kStopBytes);
  json.end_object().key("languages").begin_array();
  for (const std::string_view language : kLanguages) json.value(language);
  json.end_array().end_object();
  exchange->answer->send(
      {.fields = {{"Cache-Control", "no-cache"}, {"X-Content-Type-Options", "nosniff"}},
       .body = json.text()});
}

}  // namespace skein::server
