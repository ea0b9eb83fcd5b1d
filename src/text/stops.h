// Where an answer ends. Works on bytes, because the end of an answer need not be the end of a
// token: in Chinese the blank line after a full stop is the tokens "。\n" and "\n".
//
// The loop of a chat (state, logits and feed() are the caller's; the prompt was read, with its
// opening, and `logits` are those of its end):
//
//   SK_TRY(StopMatcher stops, StopMatcher::create({.policy = ..., .chat = true, .opening = ...}));
//   std::vector<int32_t> ids;           // generated; the state has read `fed` of them
//   size_t fed = 0;
//   std::optional<State> kept;          // as it was after `kept_at` ids
//   size_t kept_at = 0;
//   for (;;) {
//     const int32_t id = sample(logits);
//     StopMatcher::Step step;
//     if (id == Tokenizer::end_of_text()) { step = stops.finish(); show(step); break; }
//     ids.push_back(id);
//     step = stops.push(tokenizer.bytes_of(id));
//     show(step);                                       // through one Utf8Stream for each kind
//     if (stops.restore_point() == ids.size()) kept.reset();
//     else if (!kept) { kept = state; kept_at = fed; }  // the answer may turn out to end in here
//     if (step.decision == Decision::stop) break;
//     logits = feed(state, id);
//     ++fed;
//     if (step.decision == Decision::ask) {
//       step = stops.resolve(role_holds_mass(softmax(logits), tokenizer, profile));
//       show(step);
//       if (step.decision == Decision::stop) break;
//     }
//   }
//   // To stand exactly at the end of the answer: nothing to do when fed == stops.restore_point()
//   // and stops.remainder() is empty. Otherwise go back:
//   if (fed > stops.restore_point()) { state = *kept; fed = kept_at; }
//   // then feed ids[fed .. restore_point()) and the tokens of remainder() + the turn's end.
//   // Where stops.overshoot() is just the "\n\n" that ends a turn, the state that has read all ids
//   // stands at the beginning of the next turn, and going back is not needed.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "text/profile.h"

namespace skein::text {

enum class Decision : uint8_t {
  go_on,
  ask,   // a blank line: look at the next distribution, then resolve()
  stop,  // the answer has ended
};

struct StopOptions {
  StopPolicy policy = StopPolicy::none;
  std::vector<std::string> stop_strings;  // at most limits::kStopStrings, each valid UTF-8
  std::span<const std::string_view> role_words = {};  // Profile::role_words; copied
  // A chat's answer is stripped of the blanks around it, and what stands in <think> tags is told
  // apart. A raw completion is shown as it is.
  bool chat = false;
  bool keeps_blanks = false;  // of a chat's answer, those around it are its own; not of a thought
  std::string opening;        // Turn::opening: whether the prompt has begun or ended a thought
};

class StopMatcher {
 public:
  struct Step {
    Decision decision = Decision::go_on;
    std::string thinking;  // to be shown now, before `text`
    std::string text;      // to be shown now
  };

  // Error: argument (a stop string is empty, too long, not UTF-8, or there are too many).
  static Result<StopMatcher> create(const StopOptions& options);

  // The bytes of the next token. After stop nothing more may be pushed. What is shown adds up to
  // the same text however the bytes are cut into tokens; text that may be the beginning of a stop
  // is held back. Among several stops the one that is complete first counts.
  Step push(std::string_view token_bytes);

  // The answer to ask.
  Step resolve(bool stop);

  // The end without a stop (id 0, a limit, a cancel): what was held back is shown after all.
  Step finish();

  bool stopped() const { return stopped_; }
  // Once stopped: the stop string that did it; empty: it was the end of a turn.
  std::string_view stop_string() const {
    return stopped_by_ < stops_.size() ? std::string_view(stops_[stopped_by_].literal)
                                       : std::string_view();
  }
  // Whether what comes next belongs to a thought.
  bool thinking() const { return phase_ == Phase::thought; }

  // The first so many pushed tokens belong to the answer (or the thought before it) as a whole;
  // before a stop, those of which this is certain. Never falls.
  size_t restore_point() const { return certain_tokens_; }
  // What of the answer the next token after those holds.
  std::string_view remainder() const;
  // The pushed bytes after the end of the answer. Meaningful once stopped or finished.
  std::string_view overshoot() const;

 private:
  enum class Phase : uint8_t {
    lead,     // only blanks so far, or the beginning of "<think"
    thought,  // inside the tags
    body,     // visible text has begun
  };

  // A literal looked for byte by byte (Knuth, Morris, Pratt): `matched` bytes of it are the longest
  // end of the stream that is a beginning of the literal, so exactly that much must be held back.
  struct Pattern {
    std::string literal;
    std::vector<uint16_t> fallback;
    size_t matched = 0;

    explicit Pattern(std::string_view text);
    bool advance(char c);  // true: complete
  };

  StopMatcher() = default;

  void take(char c, Step& step);
  void take_lead(char c);
  void take_thought(char c, Step& step);
  void match(char c, bool all);
  void match_after_blank_line(char c);
  void enter(Phase phase);
  void stop_at(int64_t match_begin);
  Step finish_push(Step step);
  int64_t held_from() const;
  // Whether the blanks around what is being shown are dropped.
  bool strips() const { return chat_ && (phase_ == Phase::thought || !keeps_blanks_); }
  int64_t without_blanks(int64_t upto) const;
  void release(int64_t upto, Step& step);
  void forget();

  int64_t now() const { return origin_ + static_cast<int64_t>(stream_.size()); }
  char at(int64_t offset) const { return stream_[static_cast<size_t>(offset - origin_)]; }
  std::string_view between(int64_t begin, int64_t end) const;

  StopPolicy policy_ = StopPolicy::none;
  bool chat_ = false;
  bool keeps_blanks_ = false;
  std::vector<Pattern> stops_;       // the caller's
  std::vector<Pattern> role_lines_;  // "\nUser:" and so on, for StopPolicy::role
  std::vector<std::string> roles_;   // "User:" and so on, for what follows a tentative blank line
  Pattern blank_line_{"\n\n"};
  Pattern think_end_{"</think>"};

  Phase phase_ = Phase::body;
  bool after_thought_ = false;  // lead: a blank line is no end here
  size_t tag_matched_ = 0;      // lead: bytes of "<think", from the first visible one
  bool nothing_shown_ = true;   // of this phase, whose leading blanks are dropped
  bool stopped_ = false;
  size_t stopped_by_ = SIZE_MAX;  // of stops_
  bool tentative_ = false;        // a blank line was seen that may be the end
  bool unanswered_ = false;       // and nobody was asked yet
  std::string after_blank_;       // what follows it, from the first visible byte

  // Offsets count generated bytes; those of the opening are negative.
  std::string stream_;  // the bytes from origin_ on
  int64_t origin_ = 0;
  int64_t phase_begin_ = 0;
  int64_t visible_end_ = 0;  // after the last byte that is no blank
  int64_t blank_begin_ = 0;  // of the tentative blank line and the blanks before it
  int64_t released_ = 0;     // shown or dropped up to here
  int64_t end_ = 0;          // of the answer, once stopped

  std::deque<int64_t> token_ends_;  // of the tokens that are not certain
  size_t certain_tokens_ = 0;
  int64_t certain_end_ = 0;
};

}  // namespace skein::text
