#include "cli/remote.h"

#include <algorithm>

#include "base/json.h"
#include "base/limits.h"
#include "cli/event_stream.h"

namespace skein::cli {
namespace {

constexpr uint64_t kAnswerBytes = 16 * limits::kMiB;
constexpr uint64_t kKeyFileBytes = 64 * 1024;
constexpr size_t kShown = 500;  // of what a server says

// "http://host/v1": some servers have their API elsewhere, under a number of their own.
std::string base_of(std::string url) {
  if (url.find("://") == std::string::npos) url = "http://" + url;
  while (url.ends_with('/')) url.pop_back();
  size_t end = url.size();
  while (end > 0 && url[end - 1] >= '0' && url[end - 1] <= '9') --end;
  const bool versioned = end < url.size() && std::string_view(url).substr(0, end).ends_with("/v");
  return versioned ? url : url + "/v1";
}

// What servers call their errors: {"error": {"message"}}, {"error": ""}, {"message"}, {"detail"}.
std::string message_in(const Json& json) {
  for (const Json& one : {json.find("error").find("message"), json.find("error"),
                          json.find("message"), json.find("detail")})
    if (const auto text = one.string()) return escaped(*text, kShown);
  return {};
}

// Puts an answer together: of a stream's chunks, or of one object.
class Reading {
 public:
  Reading(std::string name, const RemoteListener& listener)
      : name_(std::move(name)), listener_(listener) {}

  Result<bool> take(std::string_view data) {
    if (data == "[DONE]") {
      done_ = true;
      return true;  // the end of the connection keeps it for the next question
    }
    auto json = parse_json(data, kAnswerBytes);
    if (!json) return fail(Code::network, "{} sent an event that is no JSON", name_);
    if (const Json error = json->find("error"); error && !error.is_null())
      return fail(Code::network, "{} ended the answer: {}", name_, message_in(*json));
    return add(*json);
  }
  Result<RemoteAnswer> answer() && {
    if (answer_.finish.empty() && !done_ && !answer_.stopped)
      return fail(Code::network, "{} ended the answer before it was whole", name_);
    return std::move(answer_);
  }
  RemoteAnswer& partial() { return answer_; }

 private:
  Result<bool> add(const Json& json) {
    if (const Json usage = json.find("usage"); usage.object()) {
      usage.find("prompt_tokens").integer(answer_.prompt_tokens);
      usage.find("completion_tokens").integer(answer_.tokens);
    }
    const auto choices = json.find("choices").array();
    if (!choices || choices->empty()) return true;
    const Json choice = choices->front();
    if (const auto finish = choice.find("finish_reason").string()) answer_.finish = *finish;
    const Json delta =
        choice.find("delta").object() ? choice.find("delta") : choice.find("message");
    Event event;
    for (const Json& text : {delta.find("reasoning_content"), delta.find("reasoning")})
      if (event.thinking.empty()) event.thinking = text.string().value_or("");
    for (const Json& text : {delta.find("content"), choice.find("text")})
      if (event.text.empty()) event.text = text.string().value_or("");
    answer_.thinking += event.thinking;
    answer_.text += event.text;
    answer_.stopped = !listener_(event);
    return !answer_.stopped;
  }

  const std::string name_;
  const RemoteListener& listener_;
  RemoteAnswer answer_;
  bool done_ = false;
};

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

}  // namespace

Result<Remote> Remote::open(const std::string& url, std::string key, int patience_s) {
  if (url.empty()) return fail(Code::argument, "the address of the server is empty");
  SK_TRY(hub::Http http, hub::Http::open(patience_s));
  std::string base = base_of(url);
  SK_TRY(hub::Address address, http.address(base));
  if (address.has_user)
    return fail(Code::argument,
                "an address with a name or a password in it is not opened; a key "
                "belongs to --api-key-file");
  if (address.scheme != "http" && address.scheme != "https")
    return fail(Code::argument, "{}: is no way to ask a server; use http or https",
                escaped(address.scheme, 40));
  if (!std::all_of(key.begin(), key.end(), [](char c) { return c > ' ' && c <= '~'; }))
    return fail(Code::argument, "the key holds characters that no key has");
  std::string name = address.shown();
  return Remote(std::move(http), std::move(base), std::move(name), std::move(key),
                std::move(address));
}

bool Remote::is_open_to_others() const {
  return !key_.empty() && address_.scheme == "http" && !hub::is_loopback(address_);
}

tl::unexpected<Error> Remote::refusal(const hub::Answer& answer) const {
  if (answer.is_redirect())
    return fail(Code::network, "{} sends us to {}; give that address if you trust it", name_,
                escaped(answer.location, kShown));
  const auto json = parse_json(answer.refusal, kAnswerBytes);
  std::string what = json ? message_in(*json) : "";
  if (what.empty())
    what = escaped(std::string_view(answer.refusal).substr(0, answer.refusal.find('\n')), 120);
  std::string hint;
  if (answer.status == 401)
    hint = key_.empty() ? "; give a key: --api-key-file FILE, or SKEIN_API_KEY"
                        : "; the key is not the right one";
  else if (answer.status == 404)
    hint = "; is this the address of a server with OpenAI's API?";
  else if (const auto wait = answer.header("retry-after"); !wait.empty())
    hint = fmt::format("; it says to come again in {} s", escaped(wait, 20));
  return fail(Code::network, "{} answered {}{}{}{}", name_, answer.status, what.empty() ? "" : ": ",
              what, hint);
}

Result<std::string> Remote::get(std::string_view route) {
  std::string text;
  SK_TRY(const hub::Answer answer, http_.get(
                                       {.url = fmt::format("{}/{}", base_, route), .token = key_},
                                       [](const hub::Answer&) { return Status(); },
                                       [&](std::span<const std::byte> bytes) -> Result<bool> {
                                         text += text_of(bytes);
                                         if (text.size() <= kAnswerBytes) return true;
                                         return fail(Code::network, "{}: its answer has no end",
                                                     name_);
                                       }));
  if (!answer.is_success()) return refusal(answer);
  return text;
}

Result<std::string> Remote::post(std::string_view route, const std::string& body,
                                 const std::function<bool(std::string_view)>& event) {
  std::string last;
  bool streams = false;
  EventStream events([&](std::string_view data) -> Result<bool> {
    if (data == "[DONE]") return true;
    const bool more = last.empty() || event(last);
    last = data;
    if (more) return true;
    return fail(Code::io, "interrupted");
  });
  SK_TRY(const hub::Answer answer,
         http_.post(
             {.url = fmt::format("{}/{}", base_, route), .token = key_}, body,
             [&](const hub::Answer& one) {
               streams = one.header("content-type").starts_with("text/event-stream");
               return Status();
             },
             [&](std::span<const std::byte> bytes) -> Result<bool> {
               if (streams) return events.feed(text_of(bytes));
               last += text_of(bytes);
               if (last.size() <= kAnswerBytes) return true;
               return fail(Code::network, "{}: its answer has no end", name_);
             }));
  if (!answer.is_success()) return refusal(answer);
  const auto json = parse_json(last, kAnswerBytes);
  if (json && json->find("error")) return fail(Code::network, "{}: {}", name_, message_in(*json));
  return last;
}

Result<std::vector<std::string>> Remote::models() {
  SK_TRY(const std::string text, get("models"));
  const auto json = parse_json(text, kAnswerBytes);
  const auto data = json ? json->find("data").array() : Json::Array();
  if (!data)
    return fail(Code::network, "{} has no list of models; is it a server with OpenAI's API?",
                name_);
  std::vector<std::string> out;
  for (const Json& one : *data)
    if (const auto id = one.find("id").string()) out.emplace_back(*id);
  return out;
}

Result<RemoteAnswer> Remote::ask(std::string_view route, const std::string& body,
                                 const RemoteListener& listener) {
  Reading reading(name_, listener);
  EventStream events([&](std::string_view data) { return reading.take(data); });
  std::string whole;  // of a server that answers in one piece
  bool streams = false;
  const auto answer = http_.post(
      {.url = fmt::format("{}/{}", base_, route), .token = key_}, body,
      [&](const hub::Answer& one) {
        streams = one.header("content-type").starts_with("text/event-stream");
        return Status();
      },
      [&](std::span<const std::byte> bytes) -> Result<bool> {
        if (streams) return events.feed(text_of(bytes));
        whole += text_of(bytes);
        if (whole.size() <= kAnswerBytes) return true;
        return fail(Code::network, "{}: its answer has no end", name_);
      });
  if (!answer) {
    if (answer.error().code != Code::io || answer.error().message != "interrupted")
      return tl::unexpected(answer.error());
    reading.partial().stopped = true;
    return std::move(reading).answer();
  }
  if (!answer->is_success()) return refusal(*answer);
  if (!streams) SK_TRY_STATUS(reading.take(whole));
  return std::move(reading).answer();
}

void RemoteOptions::declare(Options& options) {
  options.value("--api-key", key_, "KEY", "the key that the server wants").hide().set_by_user();
  options.value("--api-key-file", key_file_, "FILE", "a file whose first line is that key")
      .file()
      .set_by_user();
  options
      .value("--patience", patience_s_, "SECONDS", "give up a server that does not answer its door")
      .range(1, 3600);
}

Result<Remote> RemoteOptions::open(Console& console, const std::string& url) const {
  std::string key = key_;
  if (key.empty() && !key_file_.empty()) {
    SK_TRY(key, read_text(key_file_, kKeyFileBytes));
    key.resize(std::min(key.find_first_of("\r\n"), key.size()));
    if (key.empty()) return fail(Code::argument, "{} holds no key", escaped(key_file_));
  }
  SK_TRY(Remote remote, Remote::open(url, std::move(key), static_cast<int>(patience_s_)));
  if (remote.is_open_to_others())
    console.warn(
        fmt::format("the key goes to {} without encryption; everybody on the way can read "
                    "it",
                    remote.name()));
  return remote;
}

Result<std::string> only_model(Remote& remote) {
  SK_TRY(const std::vector<std::string> all, remote.models());
  if (all.empty()) return fail(Code::network, "{} has no model", remote.name());
  if (all.size() == 1) return all.front();
  constexpr size_t kListed = 20;
  std::string list;
  for (size_t i = 0; i < std::min(all.size(), kListed); ++i)
    list += (i ? ", " : "") + escaped(all[i], 80);
  if (all.size() > kListed) list += fmt::format(" and {} more", all.size() - kListed);
  return fail(Code::argument, "{} has {} models; choose one with -m: {}", remote.name(), all.size(),
              list);
}

}  // namespace skein::cli
