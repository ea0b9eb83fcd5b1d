#include "cli/remote_ask.h"

#include "base/hash.h"
#include "base/json.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "cli/remote_view.h"

namespace skein::cli {
namespace {

void write_message(JsonWriter& json, std::string_view role, std::string_view text) {
  json.key("messages").begin_array().begin_object().member("role", role).member("content", text);
  json.end_object().end_array();
}

// The same text of the same model has the same name, whoever reads it.
std::string name_of(const RemoteQuestion& asked) {
  Sha256 hash;
  hash.update(asked.model + " ");
  hash.update(asked.document);
  return "document-" + hex(hash.finish()).substr(0, 32);
}

Result<bool> is_there(Remote& remote, const std::string& name) {
  SK_TRY(const std::string text, remote.get("states?ids=" + name));
  const auto json = parse_json(text, text.size() + 1);
  const auto data = json ? json->find("data").array() : Json::Array();
  if (!data)
    return fail(Code::network, "{} keeps no states; is it a server of skein?", remote.name());
  return !data->empty();
}

Status read_document(Console& console, Remote& remote, const RemoteQuestion& asked,
                     const std::string& name) {
  JsonWriter json;
  json.begin_object().member("model", asked.model).member("name", name);
  json.member("kind", "document").member("stream", true);
  write_message(json, "system", asked.document);
  Progress progress(console, "reading the document", Progress::Unit::tokens);
  SK_TRY_STATUS(remote.post("states", json.end_object().text(), [&](std::string_view event) {
    const auto told = parse_json(event, event.size() + 1);
    int64_t done = 0, all = 0;
    if (told && told->find("tokens_read").integer(done) && told->find("tokens").integer(all))
      progress.update(done, all);
    return !interrupt::requested();
  }));
  return {};
}

std::string request(const RemoteQuestion& asked, const std::string& name,
                    const SamplingOptions& sampling) {
  JsonWriter json;
  json.begin_object().member("model", asked.model).member("state", name).member("stream", true);
  json.key("stream_options").begin_object().member("include_usage", true).end_object();
  if (asked.predict != 0) json.member("max_tokens", asked.predict);
  write_message(json, "user", asked.question);
  sampling.write(json);
  return json.end_object().text();
}

}  // namespace

int ask_remotely(Console& console, Remote& remote, RemoteQuestion asked, ShowThinking thinking,
                 const SamplingOptions& sampling) {
  const interrupt::Scope scope;
  const auto told = [&](const Error& error) {
    return interrupt::requested() ? interrupt::exit_code() : console.error(error);
  };
  if (asked.model.empty()) {
    auto model = only_model(remote);
    if (!model) return told(model.error());
    asked.model = std::move(*model);
  }
  const std::string name = name_of(asked);
  const auto there = is_there(remote, name);
  if (!there) return told(there.error());
  if (!*there)
    if (const auto read = read_document(console, remote, asked, name); !read)
      return told(read.error());
  RemoteSpeed speed;
  const auto answer = show_answer(
      console, thinking,
      [&](const RemoteListener& listener) {
        return remote.ask("chat/completions", request(asked, name, sampling), listener);
      },
      speed);
  if (!answer) return told(answer.error());
  if (console.json()) write_answer(console, *answer, asked.model, speed);
  if ((asked.stats || console.verbose()) && !console.quiet() && !console.json())
    console.note(console.styled_stderr(Style::dim, speed_text(speed)));
  if (answer->stopped && (interrupt::requested() || !console.closed()))
    return interrupt::exit_code();
  return kFine;
}

}  // namespace skein::cli
