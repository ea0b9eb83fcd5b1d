#include "cli/remote_complete.h"

#include "base/json.h"
#include "cli/constraint_options.h"
#include "cli/interrupt.h"
#include "cli/remote_view.h"

namespace skein::cli {
namespace {

std::string request(const RemoteCompletion& asked, const SamplingOptions& sampling) {
  JsonWriter json;
  json.begin_object().member("model", asked.model);
  if (asked.ids.empty()) {
    json.member("prompt", asked.text);
  } else {
    json.key("prompt").begin_array();
    for (const int32_t id : asked.ids) json.value(static_cast<int64_t>(id));
    json.end_array();
  }
  json.member("max_tokens", asked.predict).member("stream", true);
  json.key("stream_options").begin_object().member("include_usage", true).end_object();
  if (!asked.stop.empty()) {
    json.key("stop").begin_array();
    for (const std::string& one : asked.stop) json.value(one);
    json.end_array();
  }
  write_wanted(json, asked.wanted);
  if (asked.ignore_end) json.member("ignore_eos", true);
  sampling.write(json);
  return json.end_object().text();
}

}  // namespace

int complete_remotely(Console& console, Remote& remote, RemoteCompletion asked,
                      const SamplingOptions& sampling) {
  const interrupt::Scope scope;
  if (asked.model.empty()) {
    auto model = only_model(remote);
    if (!model && interrupt::requested()) return interrupt::exit_code();
    if (!model) return console.error(model.error());
    asked.model = std::move(*model);
  }
  RemoteSpeed speed;
  const auto answer = show_text(
      console,
      [&](const RemoteListener& listener) {
        return remote.ask("completions", request(asked, sampling), listener);
      },
      speed);
  if (!answer) return console.error(answer.error());
  if (console.json()) write_answer(console, *answer, asked.model, speed);
  if ((asked.stats || console.verbose()) && !console.quiet() && !console.json())
    console.note(console.styled_stderr(Style::dim, speed_text(speed)));
  if (answer->stopped && (interrupt::requested() || !console.closed()))
    return interrupt::exit_code();
  return kFine;
}

}  // namespace skein::cli
