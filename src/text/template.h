// Messages to the exact text a model was trained on, and its answers back to messages.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/profile.h"

namespace skein::text {

enum class Role : uint8_t { system, user, assistant, tool };

struct Message {
  Role role = Role::user;
  std::string text;
  std::string material = {};  // of a user: what the question is about (Profile::material)
};

// A prompt, and which of its bytes are special tokens. Only templates put those there: what other
// people wrote stays text, whatever it looks like.
struct Prompt {
  struct Marker {
    size_t begin = 0;
    size_t length = 0;
  };

  std::string text;
  std::vector<Marker> markers = {};  // ascending, apart from each other

  void add(std::string_view words) { text += words; }
  void add(const Prompt& other);
  void add_marker(std::string_view name);
  // Without the first bytes. nullopt: it does not begin with `words` as ordinary text.
  std::optional<Prompt> after(std::string_view words) const;
};

// The whole history as one prompt. Where a blank line ends a turn, texts are cleaned; thoughts in
// earlier answers are left out; a tool's result is a user's turn. The last message decides what the
// model is to do:
//   - an answer: the prompt ends inside it, so that the model goes on writing it;
//   - anything else: the prompt asks for an answer, in the way of `mode`.
// A mode that the profile does not support acts as `none` (ask Profile::supports to warn). The
// length words of a mode stand in every user turn: then the next request begins with the text of
// this one. Without a template the texts are joined as they are.
Prompt render(const Profile& profile, std::span<const Message> messages, ThinkMode mode);

// What follows a history that was fed already.
enum class After : uint8_t {
  text,    // that is no conversation's: turns follow behind a blank line
  turn,    // whole turns
  answer,  // an answer whose turn was not closed
  prompt,  // the place where an answer begins, before its opening
};
// Behind a history: what closes it, the new messages, and the beginning of an answer without its
// opening, or an answer's text where that is the last message. Nothing where there are no messages
// and an answer may go on at once.
Prompt render_more(const Profile& profile, After after, std::span<const Message> messages,
                   ThinkMode mode);
// The same with nothing that asks for an answer: all messages are whole turns. `after`: nothing was
// fed before where it says nothing.
Prompt render_turns(const Profile& profile, std::optional<After> after,
                    std::span<const Message> messages);

// The same text in pieces, for a chat that keeps a state:
//   feed render_system(...)                          if there is a system text
//   feed turn = render_turn(user); turn.prompt       keep this state
//   feed turn.opening, generate the answer           (stops.h)
//   feed render_answer(answer)                       from the kept state, when a thought or what
//                                                    cleaning changed has to leave the history
// What was fed adds up to render() of the same messages.
struct Turn {
  Prompt prompt;        // up to and with "Assistant:"
  std::string opening;  // what the answer is made to begin with, such as " <think"
};
// `first`: nothing was fed before, so that a preamble of the profile belongs here.
Turn render_turn(const Profile& profile, std::string_view user_text, bool first, ThinkMode mode);
Prompt render_system(const Profile& profile, std::string_view text);
// With the blank line or the token that ends the turn.
Prompt render_answer(const Profile& profile, std::string_view text);

// The text between the two, as RWKV models learned to fill it in: the answer is what stands there.
std::string render_fill_in(std::string_view prefix, std::string_view suffix);

// Line ends of any system become "\n", runs of lines that are empty or hold only blanks become one
// line end, and both ends are stripped: inside a turn no blank line may stand, it would end the
// turn.
std::string clean_text(std::string_view text);

struct Thinking {
  std::string thinking;
  std::string answer;
};
// `text` with its opening (Turn::opening + what was generated). Text that does not begin with a
// <think tag is all answer; a tag that is never closed leaves no answer.
Thinking split_thinking(std::string_view text);

// The prompt as tokens, with what the profile knows about them: the leading id 0 of a fresh
// sequence, the blank line at the end that the Raven models learned as two tokens. Error: argument
// (not UTF-8, or the vocabulary lacks a special token of the template).
Result<std::vector<int32_t>> encode_prompt(const Tokenizer& tokenizer, const Profile& profile,
                                           const Prompt& prompt, bool fresh);

// What is worth a warning in a prompt that the user wrote and that is never changed.
struct PromptFacts {
  bool trailing_space = false;    // the last token is a lone blank; words normally begin with it
  bool carriage_returns = false;  // "\r\n", which the models hardly saw
  bool closed_think_tag = false;  // ends in "<think>": an empty thought cannot follow any more
};
PromptFacts inspect_prompt(std::string_view prompt);
bool prompt_has_trailing_space(std::string_view prompt);

}  // namespace skein::text
