#include "cli/complete_view.h"

#include "cli/reply_view.h"

namespace skein::cli {

// Who looks at a terminal sees what is continued, or the end of it.
void CompletionView::show_prompt(std::string_view text) const {
  constexpr size_t kSeen = 2000;
  if (!console_.stdout_is_terminal() || console_.json() || options_.jsonl || console_.quiet())
    return;
  std::string begin;
  if (text.size() > kSeen) {
    text.remove_prefix(text.size() - kSeen);
    while ((text[0] & 0xC0) == 0x80) text.remove_prefix(1);
    begin = "...";
  }
  console_.out(console_.styled(Style::dim, begin + without_controls(text)));
  console_.flush();
}

void CompletionView::show(const Event& event) {
  if (options_.jsonl) {
    if (event.id >= 0 || !event.text.empty()) write_token(event);
  } else if (!console_.json() && tokenizer_) {
    if (event.text.empty()) return;
    line_open_ = !event.text.ends_with('\n');
    console_.out(console_.stdout_is_terminal() ? without_controls(event.text) : event.text);
  } else if (!console_.json() && event.id >= 0) {
    console_.out(line_open_ ? fmt::format(" {}", event.id) : fmt::format("{}", event.id));
    line_open_ = true;
  }
  if (!console_.json()) console_.flush();
}

void CompletionView::write_token(const Event& event) const {
  JsonWriter json;
  json.begin_object().member("event", "token");
  if (event.id >= 0) json.member("id", static_cast<int64_t>(event.id));
  json.member("text", event.text);
  if (options_.logprobs && event.id >= 0) {
    json.member("logprob", event.logprob);
    write_top(json, event.top);
  }
  json.end_object();
  console_.object(json);
}

void CompletionView::write_top(JsonWriter& json, std::span<const TokenProbability> top) const {
  json.key("top").begin_array();
  for (const TokenProbability& one : top) {
    json.begin_object().member("id", static_cast<int64_t>(one.id));
    if (tokenizer_) json.member("text", std::string(tokenizer_->bytes_of(one.id)));
    json.member("logprob", one.logprob).end_object();
  }
  json.end_array();
}

// What --json, or --jsonl at its end, prints.
std::string CompletionView::result(const CompletionResult& of) const {
  const KeptCompletion& kept = of.kept;
  JsonWriter json;
  if (options_.jsonl) {
    json.begin_object().member("event", "usage");
    write_speed(json, of.speed);
    json.end_object();
    JsonWriter done;
    done.begin_object()
        .member("event", "done")
        .member("finish", finish_name(of.finish))
        .end_object();
    return json.text() + "\n" + done.text();
  }
  json.begin_object();
  if (tokenizer_) json.member("text", kept.text);
  json.key("ids").begin_array();
  for (const int32_t id : kept.ids) json.value(static_cast<int64_t>(id));
  json.end_array();
  json.member("finish", finish_name(of.finish));
  json.member("seed", of.seed);
  if (options_.logprobs) {
    json.key("logprobs").begin_array();
    for (size_t i = 0; i < kept.logprobs.size(); ++i) {
      json.begin_object().member("id", static_cast<int64_t>(kept.ids[i]));
      json.member("logprob", kept.logprobs[i]);
      write_top(json, kept.top[i]);
      json.end_object();
    }
    json.end_array();
  }
  write_speed(json, of.speed);
  json.end_object();
  return json.text();
}

void CompletionView::end_line() {
  if (line_open_ && console_.stdout_is_terminal() && !console_.json()) console_.out("\n");
}

}  // namespace skein::cli
