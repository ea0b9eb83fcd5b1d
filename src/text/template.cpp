#include "text/template.h"

#include <fmt/format.h>

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
std::string opening_of(ThinkMode mode) {
  switch (mode) {
    case ThinkMode::none: return "";
    case ThinkMode::fake: return " <think>\n</think";
    case ThinkMode::zh: return " <think>嗯";
    default: return " <think";
  }
}

// One turn up to its text's end.
Prompt open_turn(const Profile& profile, std::string_view name, std::string_view text) {
  Prompt out;
  if (profile.has_turn_tokens()) {
    out.add_marker(profile.turn_begin);
    out.text += name;
    out.text += '\n';
    out.text += text;
  } else {
    out.text = named(name, clean_text(text));
  }
  return out;
}

void close_turn(const Profile& profile, Prompt& turn) {
  if (profile.has_turn_tokens()) {
    turn.add_marker(profile.turn_end);
    turn.text += '\n';
  } else {
    turn.text += "\n\n";
  }
}

Prompt whole_turn(const Profile& profile, std::string_view name, std::string_view text) {
  Prompt out = open_turn(profile, name, text);
  close_turn(profile, out);
  return out;
}

// Where the model's answer is to follow.
Prompt answer_begin(const Profile& profile) {
  if (profile.has_turn_tokens()) return open_turn(profile, profile.assistant, "");
  return {std::string(profile.assistant) + ":"};
}

// The answer's text as it stands behind answer_begin(), without what ends the turn.
Prompt answer_text(const Profile& profile, std::string_view text) {
  std::string answer = split_thinking(text).answer;
  if (!profile.has_turn_tokens()) {
    answer = clean_text(answer);
    if (!answer.empty()) answer.insert(0, " ");
  }
  return {std::move(answer)};
}

Prompt user_turn(const Profile& profile, std::string_view text, std::string_view material,
                 ThinkMode mode) {
  std::string words(profile.has_turn_tokens() ? std::string(text) : clean_text(text));
  words += length_words(mode);
  if (material.empty()) return whole_turn(profile, profile.user, words);
  if (profile.has_turn_tokens())
    return whole_turn(profile, profile.user, std::string(material) + "\n\n" + words);
  const Prompt about = whole_turn(profile, profile.material, material);
  Prompt out;
  if (profile.material.empty()) out.add(about);
  out.add(whole_turn(profile, profile.user, words));
  if (!profile.material.empty()) out.add(about);
  return out;
}

Prompt tool_turn(const Profile& profile, const std::string& text) {
  return whole_turn(profile, profile.user,
                    profile.has_turn_tokens() ? "<tool_response>\n" + text + "\n</tool_response>"
                                              : "Function output:\n" + text);
}

Prompt message_turn(const Profile& profile, const Message& message, ThinkMode mode) {
  switch (message.role) {
    case Role::system: return render_system(profile, message.text);
    case Role::user: return user_turn(profile, message.text, message.material, mode);
    case Role::tool: return tool_turn(profile, message.text);
    case Role::assistant: break;
  }
  Prompt out = answer_begin(profile);
  out.add(render_answer(profile, message.text));
  return out;
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

void Prompt::add(const Prompt& other) {
  for (const Marker& marker : other.markers)
    markers.push_back({text.size() + marker.begin, marker.length});
  text += other.text;
}

void Prompt::add_marker(std::string_view name) {
  markers.push_back({text.size(), name.size()});
  text += name;
}

std::optional<Prompt> Prompt::after(std::string_view words) const {
  if (!text.starts_with(words)) return std::nullopt;
  if (!markers.empty() && markers.front().begin < words.size()) return std::nullopt;
  Prompt out{text.substr(words.size())};
  for (const Marker& marker : markers)
    out.markers.push_back({marker.begin - words.size(), marker.length});
  return out;
}

Prompt render_system(const Profile& profile, std::string_view text) {
  if (!profile.has_template()) return {std::string(text)};
  return whole_turn(profile, profile.system, text);
}

Prompt render_answer(const Profile& profile, std::string_view text) {
  if (!profile.has_template()) return {std::string(text)};
  Prompt out = answer_text(profile, text);
  close_turn(profile, out);
  return out;
}

std::string render_fill_in(std::string_view prefix, std::string_view suffix) {
  return fmt::format("✿prefix✿✿suffix✿{}✿middle✿{}", suffix, prefix);
}

Turn render_turn(const Profile& profile, std::string_view user_text, bool first, ThinkMode mode) {
  if (!profile.has_template()) return {{std::string(user_text)}, ""};
  if (!profile.supports(mode)) mode = ThinkMode::none;
  Turn turn;
  if (first && !profile.preamble.empty()) turn.prompt = render_system(profile, profile.preamble);
  turn.prompt.add(user_turn(profile, user_text, "", mode));
  turn.prompt.add(answer_begin(profile));
  turn.opening = opening_of(mode);
  return turn;
}

Prompt render(const Profile& profile, std::span<const Message> messages, ThinkMode mode) {
  Prompt out;
  if (!profile.has_template()) {
    for (const Message& message : messages) out.add(message.text);
    return out;
  }
  if (!profile.supports(mode)) mode = ThinkMode::none;
  const bool has_system = !messages.empty() && messages.front().role == Role::system;
  if (!has_system && !profile.preamble.empty()) out = render_system(profile, profile.preamble);
  const bool goes_on = !messages.empty() && messages.back().role == Role::assistant;
  for (const Message& message : messages.first(messages.size() - (goes_on ? 1 : 0)))
    out.add(message_turn(profile, message, mode));
  out.add(answer_begin(profile));
  out.add(goes_on ? answer_text(profile, messages.back().text) : Prompt{opening_of(mode)});
  return out;
}

namespace {

// What a history lacks before a new turn may begin.
Prompt close_history(const Profile& profile, After after) {
  Prompt out;
  if (after == After::text && !profile.has_turn_tokens()) out.add("\n\n");
  if (after == After::answer || after == After::prompt) close_turn(profile, out);
  return out;
}

}  // namespace

Prompt render_more(const Profile& profile, After after, std::span<const Message> messages,
                   ThinkMode mode) {
  Prompt out;
  if (!profile.has_template()) {
    for (const Message& message : messages) out.add(message.text);
    return out;
  }
  if (!profile.supports(mode)) mode = ThinkMode::none;
  const bool goes_on = !messages.empty() && messages.back().role == Role::assistant;
  if (messages.empty() && after != After::turn) return out;
  if (after == After::prompt && goes_on && messages.size() == 1)
    return answer_text(profile, messages.back().text);
  out = close_history(profile, after);
  for (const Message& message : messages.first(messages.size() - (goes_on ? 1 : 0)))
    out.add(message_turn(profile, message, mode));
  out.add(answer_begin(profile));
  if (goes_on) out.add(answer_text(profile, messages.back().text));
  return out;
}

Prompt render_turns(const Profile& profile, std::optional<After> after,
                    std::span<const Message> messages) {
  Prompt out;
  const bool has_system = !messages.empty() && messages.front().role == Role::system;
  if (after && profile.has_template())
    out = close_history(profile, *after);
  else if (profile.has_template() && !has_system && !profile.preamble.empty())
    out = render_system(profile, profile.preamble);
  for (const Message& message : messages)
    out.add(profile.has_template() ? message_turn(profile, message, ThinkMode::none)
                                   : Prompt{message.text});
  return out;
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
                                           const Prompt& prompt, bool fresh) {
  const std::string_view text = prompt.text;
  std::vector<int32_t> ids;
  const auto add_text = [&](size_t begin, size_t end) -> Status {
    SK_TRY(const std::vector<int32_t> part, tokenizer.encode(text.substr(begin, end - begin)));
    ids.insert(ids.end(), part.begin(), part.end());
    return {};
  };
  size_t at = 0;
  for (const Prompt::Marker& marker : prompt.markers) {
    const std::string_view name = text.substr(marker.begin, marker.length);
    const int32_t id = tokenizer.special_id(name);
    if (id < 0)
      return fail(Code::argument,
                  "the {} vocabulary has no token {}, which the template {} is made of",
                  tokenizer.name(), name, profile.name);
    SK_TRY_STATUS(add_text(at, marker.begin));
    ids.push_back(id);
    at = marker.begin + marker.length;
  }
  SK_TRY_STATUS(add_text(at, text.size()));
  if (profile.split_last_blank_line && tokenizer.blank_line_is_two() && !ids.empty() &&
      tokenizer.bytes_of(ids.back()) == "\n\n") {
    SK_TRY(const std::vector<int32_t> line_end, tokenizer.encode("\n"));
    ids.pop_back();
    for (int n = 0; n < 2; ++n) ids.insert(ids.end(), line_end.begin(), line_end.end());
  }
  if (fresh && profile.leading_end_of_text && tokenizer.end_of_text() >= 0)
    ids.insert(ids.begin(), tokenizer.end_of_text());
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
