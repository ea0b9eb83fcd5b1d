// Reading a text token by token while several are tried in one pass: speculative decoding.
//
// A pass over the weights costs about the same for one token as for a few. So where a drafter has
// good guesses, they are read along with the token that is known, and the logits after each of them
// are kept. Whoever draws tokens draws them one after the other, from the same logits and with the
// same random numbers as ever: a guess that was right is a pass saved, one that was wrong is
// dropped together with all that was read after it. Nothing is lost, because on the CPU a
// sequence's numbers do not depend on how its tokens are cut into passes (docs/numerics.md).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "run/draft.h"
#include "run/task.h"

namespace skein {

// How many guesses to try, so that tokens come as fast as they can: from what the drafter says of
// its guesses and from how long passes of one token and of several have taken here.
class DraftLength {
 public:
  // `cost`: what a further token adds to a pass, as a share of a pass of one token; without it that
  // is measured.
  explicit DraftLength(std::optional<double> cost = std::nullopt);

  // `again`: how many tokens the pass has to read besides the known one and the guesses.
  size_t choose(std::span<const Guess> guesses, size_t again) const;
  void learn(size_t tokens, double seconds);

 private:
  bool measured_;
  double further_;     // the cost, as far as it is known
  double single_ = 0;  // seconds of a pass of one token; 0: none was seen
  int wider_ = 0;      // passes of several that were seen, up to what the average remembers
};

class Lookahead {
 public:
  static constexpr int64_t kMostGuesses = 64;

  // The session outlives this, and so does the drafter, which has seen what the session has read.
  // Null: every token is a pass. `longest`: guesses in a pass, at most kMostGuesses. `cost`: see
  // DraftLength.
  Lookahead(Session& session, Drafter* drafter, size_t longest,
            std::optional<double> cost = std::nullopt);

  // The text goes on with `ids`, one or more, and what follows them is guessed with at most `most`
  // guesses. True: reading() has to be read for that, and took() told; false: guesses were right,
  // and the logits after the last of `ids` are there already. `rough`, which is for no drafter and
  // one token: Reading::rough.
  bool push(std::span<const int32_t> ids, size_t most, bool rough = false);
  Reading reading();
  // True: another reading() is needed, because the guesses gave no numbers. Errors: the reading's;
  // the session then stands where it says, and the last token was not read.
  Result<bool> took(const Done& done);

  // After the last token of the text. Of a step with several readings they are overwritten by the
  // next one; forget_passing_logits() keeps only what is not.
  std::span<const float> logits() const { return logits_; }
  void forget_passing_logits();
  // Null unless that token was read roughly.
  LogitBounds* rough_logits() { return logits_.empty() ? session_->rough_logits() : nullptr; }
  // All tokens up to that one, guesses not counted.
  uint64_t tokens_read() const;

  // Whether the session has read guesses that nobody asked for yet.
  bool ahead() const { return known_ < pass_.size(); }
  // The session's state or, where it is ahead of the text, an earlier one that is not.
  const State& known_state() const { return ahead() ? *before_ : session_->state(); }
  // Makes the session's state known_state(), without logits.
  void drop_guesses();
  // The session was set elsewhere, or read something else: these are its logits.
  void restart(std::span<const float> logits);

  int64_t drafted() const { return drafted_; }    // guesses that were read
  int64_t accepted() const { return accepted_; }  // of those, how many were right

 private:
  size_t vocab() const { return static_cast<size_t>(session_->model().vocab()); }
  bool add(int32_t id, bool unread);
  void drop_pass();
  void add_guesses(size_t most);

  Session* session_;
  Drafter* drafter_;
  size_t longest_;
  DraftLength length_;
  std::vector<Guess> guesses_;
  int64_t drafted_ = 0, accepted_ = 0;
  std::span<const float> logits_{};
  bool lasting_ = false;  // these lie where no other reading comes
  bool rough_ = false;

  // What the session read last, or is to read now: known tokens, then guesses that nobody has asked
  // for yet. It began in `before_`, and rows_ has the logits after each of its tokens from first_
  // on.
  std::vector<int32_t> pass_;
  size_t known_ = 0;
  size_t first_ = 0;
  std::optional<State> before_;
  std::vector<float> rows_;
};

}  // namespace skein
