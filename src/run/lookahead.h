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
#include "run/session.h"

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

  // Reads a token and at most `most` guesses of what follows. `rough`, which is for
  // no drafter: Session::feed_rough(). Errors: Session::feed's; the session then stands where it
  // says.
  Status feed(int32_t id, size_t most, bool rough = false);
  // After the last token that was fed.
  std::span<const float> logits() const;
  // Null unless that token was fed so.
  LogitBounds* rough_logits() { return ahead() ? nullptr : session_->rough_logits(); }
  // All tokens up to that one, guesses not counted.
  uint64_t tokens_read() const;

  // The session's state or, where it is ahead of the text, an earlier one that is not.
  const State& known_state() const;
  // Makes the session stand after the last token that was fed, with its logits.
  Status settle();
  // Makes it one that has read `ids` after `state`, which may be known_state().
  Status restart(const State& state, std::span<const int32_t> ids);

  int64_t drafted() const { return drafted_; }    // guesses that were read
  int64_t accepted() const { return accepted_; }  // of those, how many were right

 private:
  bool ahead() const { return known_ < pass_.size(); }
  void drop_guesses();
  void add_guesses(size_t most);
  Status read_pass();

  Session* session_;
  Drafter* drafter_;
  size_t longest_;
  DraftLength length_;
  std::vector<Guess> guesses_;
  int64_t drafted_ = 0, accepted_ = 0;

  // What the session read last: known tokens, then guesses that nobody has asked for yet. It began
  // in `before_`, and rows_ has the logits after each of its tokens from first_ on.
  std::vector<int32_t> pass_;
  size_t known_ = 0;
  size_t first_ = 0;
  std::optional<State> before_;
  std::vector<float> rows_;
};

}  // namespace skein
