// One answer under a constraint: what may come next, and what has come. A copy is a fork: both go
// on by themselves. One thread at a time for each; several of the same constraint may be used at
// once.
//
// What was read is all there is to save: a matcher that reads the same text stands at the same
// place (with tokens without text, which text() does not have, read by accept() in between).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/constraint.h"

namespace skein::constrain {

// Errors of all calls: the text has more readings at once than ConstraintOptions::items, or finding
// them takes more work than a step or a call may, or the tables cannot hold what one step needs.
// Code::unsupported; the answer cannot go on, and must not go on without the constraint
// (`constraint_budget` in the API).
class Matcher {
 public:
  // Of one call, in the units of Terms::work(): some 20 ms. What was met before costs nothing.
  static constexpr uint64_t kMostCallWork = 6'000'000;

  explicit Matcher(ConstraintPtr constraint) : constraint_(std::move(constraint)) {}

  // The ids that may come next. None, where only the end can follow.
  Result<MaskPtr> mask();
  // The same, made anew by a walk over all words; for tests.
  Result<MaskPtr> walked_mask();

  // Reads a token or, with false, cannot and leaves all as it was. Ends are read by nobody.
  Result<bool> accept(int32_t id);
  // All of it or nothing.
  Result<bool> accept_bytes(std::string_view bytes);

  // Whether the text may end here.
  Result<bool> can_end();
  // Whether nothing but the end can follow: it is over without asking the model.
  Result<bool> must_end();

  // The bytes that have to come next, at most `most`.
  Result<std::string> forced_bytes(size_t most = 1024);
  // The ids as which encode() would write them, as far as what follows them cannot change that:
  // where the longest word ends before they do, it is the word, whatever comes. Empty for
  // vocabularies that are not written by longest words.
  Result<std::vector<int32_t>> forced();

  // The bytes read so far, but for tokens that have none.
  std::string_view text() const { return text_; }
  const Constraint& constraint() const { return *constraint_; }
  // Where it stands, for tests: equal numbers within an epoch are equal futures.
  Result<uint32_t> place();

 private:
  struct TokenRead {
    size_t at;  // in text_
    int32_t id;
  };

  template <typename What>
  auto locked(const What& what) -> Result<decltype(what())>;
  void begin_anew();
  void find_place();
  Automaton::Config read(Automaton::Config from, std::string_view bytes) const;
  Automaton::Config read_token(Automaton::Config from, int32_t id) const;
  bool only_end();

  ConstraintPtr constraint_;
  uint64_t epoch_ = 0;  // 0: config_ is not known yet
  Automaton::Config config_ = Automaton::kDead;
  std::string text_;
  std::vector<TokenRead> tokens_;
};

}  // namespace skein::constrain
