#include "cli/remote_chat.h"

#include <algorithm>

#include "base/json.h"

namespace skein::cli {

std::string RemoteChat::request() const {
  JsonWriter json;
  json.begin_object().member("model", settings_.model).key("messages").begin_array();
  const auto add = [&](const std::string& role, const std::string& content) {
    json.begin_object().member("role", role).member("content", content).end_object();
  };
  if (!system_.empty()) add("system", system_);
  for (const RemoteMessage& one : messages_) add(one.role, one.content);
  json.end_array().member("stream", true);
  json.key("stream_options").begin_object().member("include_usage", true).end_object();
  if (settings_.predict >= 0) json.member("max_tokens", settings_.predict);
  if (!settings_.think.empty()) json.member("reasoning_effort", settings_.think);
  if (!settings_.stop.empty()) {
    json.key("stop").begin_array();
    for (const std::string& one : settings_.stop) json.value(one);
    json.end_array();
  }
  sampling_.write(json);
  return json.end_object().text();
}

Result<RemoteAnswer> RemoteChat::ask(const RemoteListener& listener) {
  return remote_.ask("chat/completions", request(), listener);
}

Result<RemoteAnswer> RemoteChat::say(const std::string& text, const RemoteListener& listener) {
  messages_.push_back({"user", text});
  auto answer = ask(listener);
  if (answer && !(answer->stopped && answer->text.empty()))
    messages_.push_back({"assistant", answer->text});
  else
    messages_.pop_back();
  return answer;
}

Result<RemoteAnswer> RemoteChat::retry(const RemoteListener& listener) {
  if (messages_.empty()) return fail(Code::argument, "there is no turn yet");
  RemoteMessage before = std::move(messages_.back());
  messages_.pop_back();
  auto answer = ask(listener);
  if (answer && !(answer->stopped && answer->text.empty())) before.content = answer->text;
  messages_.push_back(std::move(before));
  return answer;
}

Result<RemoteAnswer> RemoteChat::resume(const RemoteListener& listener) {
  if (messages_.empty()) return fail(Code::argument, "there is no answer yet");
  auto answer = ask(listener);
  if (answer) messages_.back().content += answer->text;
  return answer;
}

size_t RemoteChat::turns() const { return messages_.size() / 2; }

Status RemoteChat::undo(uint64_t count) {
  if (count == 0 || count > turns())
    return fail(Code::argument, "there are {} turns, not {} to take back", turns(), count);
  messages_.resize(messages_.size() - 2 * count);
  return {};
}

}  // namespace skein::cli
