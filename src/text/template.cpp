#include "text/template.h"

#include <algorithm>

#include "text/unicode.h"

namespace skein::text {
namespace {

constexpr std::string_view kThinkBegin = "<think";
constexpr std::string_view kThinkEnd = "</think>";

// The last character of `text`, or the byte itself where that is not UTF-8.
std::string_view last_character(std::string_view text) {
  for (size_t length = 2; length <= std::min<size_t>(4, text.size()); ++length) {
    const std::string_view tail = text.substr(text.size() - length);
    if (first_character(tail).length == length) return tail;
  }
  return text.substr(text.size() - std::min<size_t>(1, text.size()));
}

bool is_blank(std::string_view character) {
  const Character c = first_character(character);
  return c.length > 0 && char_class(c.code) == CharClass::space;
}

std::string_view strip_left(std::string_view text) {
  while (!text.empty() && is_blank(text.substr(0, 4)))
    text.remove_prefix(first_character(text).length);
  return text;
}

std::string_view strip_right(std::string_view text) {
  while (!text.empty() && is_blank(last_character(text)))
    text.remove_suffix(last_character(text).size());
  return text;
}

std::string_view strip(std::string_view text) { return strip_right(strip_left(text)); }

// No space after the colon where no text follows: a prompt that ends in a space makes the words
// that begin with one impossible.
std::string named(std::string_view name, std::string_view text) {
  std::string out(name);
  if (!name.empty()) out += text.empty() ? ":" : ": ";
  return out += text;
}

std::string_view length_words(ThinkMode mode) {
  switch (mode) {
    case ThinkMode::bit: return " (think a bit)";
    case ThinkMode::think: return " (think)";
    case ThinkMode::lot: return " (think a lot)";
    default: return "";
  }
}

// The tags lack their ">": that is how the models were trained, and "></" is one token, so that a
// lone ">" would rule out an empty thought.
std::string_view opening_of(ThinkMode mode) {
  switch (mode) {
    case ThinkMode::none: return "";
    case ThinkMode::fake: return " <think>\n</think";
    case ThinkMode::zh: return " <think>嗯";
    default: return " <think";
  }
}

std::string user_turn(const Profile& profile, std::string_view text, ThinkMode mode) {
  return named(profile.user, clean_text(text) + std::string(length_words(mode))) + "\n\n";
}

std::string message_turn(const Profile& profile, const Message& message, ThinkMode mode) {
  switch (message.role) {
    case Role::system: return render_system(profile, message.text);
    case Role::user: return user_turn(profile, message.text, mode);
    case Role::tool:
      return named(profile.user, clean_text("Function output:\n" + message.text)) + "\n\n";
    case Role::assistant: break;
  }
  return std::string(profile.assistant) + ":" + render_answer(profile, message.text);
}

}  // namespace

std::string clean_text(std::string_view text) {
  std::string out;
  text = strip(text);
  while (!text.empty()) {
    const size_t end = std::min(text.find_first_of("\r\n"), text.size());
    out += text.substr(0, end);
    text.remove_prefix(end);
    if (text.empty()) break;
    out += '\n';
    // Of the blanks that follow only those of the next line that is not blank remain.
    const std::string_view blanks = text.substr(0, text.size() - strip_left(text).size());
    text.remove_prefix(blanks.find_last_of("\r\n") + 1);
  }
  return out;
}

std::string render_system(const Profile& profile, std::string_view text) {
  if (!profile.has_template()) return std::string(text);
  return named(profile.system, clean_text(text)) + "\n\n";
}

std::string render_answer(const Profile& profile, std::string_view text) {
  if (!profile.has_template()) return std::string(text);
  const std::string answer = clean_text(split_thinking(text).answer);
  return (answer.empty() ? "" : " ") + answer + "\n\n";
}

Turn render_turn(const Profile& profile, std::string_view user_text, bool first, ThinkMode mode) {
  if (!profile.has_template()) return {std::string(user_text), ""};
  if (!profile.supports(mode)) mode = ThinkMode::none;
  Turn turn;
  if (first && !profile.preamble.empty()) turn.prompt = render_system(profile, profile.preamble);
  turn.prompt += user_turn(profile, user_text, mode);
  turn.prompt += profile.assistant;
  turn.prompt += ':';
  turn.opening = opening_of(mode);
  return turn;
}

std::string render(const Profile& profile, std::span<const Message> messages, ThinkMode mode) {
  std::string out;
  if (!profile.has_template()) {
    for (const Message& message : messages) out += message.text;
    return out;
  }
  if (!profile.supports(mode)) mode = ThinkMode::none;
  const bool has_system = !messages.empty() && messages.front().role == Role::system;
  if (!has_system && !profile.preamble.empty()) out = render_system(profile, profile.preamble);
  for (const Message& message : messages) out += message_turn(profile, message, mode);
  if (!messages.empty() && messages.back().role == Role::assistant) {
    out.resize(strip_right(out).size());
    return out;
  }
  out += profile.assistant;
  out += ':';
  return out += opening_of(mode);
}

Thinking split_thinking(std::string_view text) {
  std::string_view rest = strip_left(text);
  if (!rest.starts_with(kThinkBegin)) return {"", std::string(strip(text))};
  rest.remove_prefix(kThinkBegin.size());
  const size_t end = rest.find(kThinkEnd);
  std::string_view thinking = rest.substr(0, end);
  if (thinking.starts_with('>')) thinking.remove_prefix(1);
  Thinking out;
  out.thinking = strip(thinking);
  if (end != std::string_view::npos) out.answer = strip(rest.substr(end + kThinkEnd.size()));
  return out;
}

Result<std::vector<int32_t>> encode_prompt(const Tokenizer& tokenizer, const Profile& profile,
                                           std::string_view prompt, bool fresh) {
  SK_TRY(std::vector<int32_t> ids, tokenizer.encode(prompt));
  if (profile.split_last_blank_line && !ids.empty() && tokenizer.bytes_of(ids.back()) == "\n\n") {
    SK_TRY(const std::vector<int32_t> line_end, tokenizer.encode("\n"));
    ids.pop_back();
    for (int n = 0; n < 2; ++n) ids.insert(ids.end(), line_end.begin(), line_end.end());
  }
  if (fresh && profile.leading_end_of_text) ids.insert(ids.begin(), Tokenizer::end_of_text());
  return ids;
}

bool prompt_has_trailing_space(std::string_view prompt) {
  return prompt.ends_with(' ') || prompt.ends_with('\t') || prompt.ends_with("\u3000");
}

PromptFacts inspect_prompt(std::string_view prompt) {
  PromptFacts facts;
  facts.trailing_space = prompt_has_trailing_space(prompt);
  facts.carriage_returns = prompt.find("\r\n") != std::string_view::npos;
  facts.closed_think_tag = prompt.ends_with("<think>");
  return facts;
}

}  // namespace skein::text
