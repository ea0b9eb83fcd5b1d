// Guessing how a text goes on, so that a pass over the weights can try several tokens at once
// (run/lookahead.h). A guess decides how fast a token comes and never which one.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace skein {

struct Guess {
  int32_t id = 0;
  double probability = 0;  // that it is right, where those before it are
};

class Drafter {
 public:
  virtual ~Drafter() = default;
  // The text goes on with `id`.
  virtual void push(int32_t id) = 0;
  // What may come next, in order: how many of `out` it filled. The ids are the model's.
  virtual size_t guess(std::span<Guess> out) const = 0;
};

// Looks for the end of the text earlier in the text and guesses what followed there. Repetition is
// what it finds: code, tables, quotations from the prompt, a text that goes round in circles.
//
// It remembers the last 65,536 tokens and where each run of 2, 4 and 8 of them last stood, in a
// megabyte that does not grow; a token costs the same few look-ups whatever came before. How often
// a match of which length was right is counted all the time, also where nobody asks for guesses, so
// that what it says of a guess is what this text has shown.
class PromptLookup final : public Drafter {
 public:
  PromptLookup();

  void push(int32_t id) override;
  size_t guess(std::span<Guess> out) const override;

 private:
  static constexpr int64_t kWindow = int64_t{1} << 16;
  static constexpr std::array<int64_t, 3> kOrders = {2, 4, 8};
  static constexpr int kSlotBits = 16;
  // Matches are followed and told apart up to this length.
  static constexpr int64_t kLongest = 32;
  static constexpr size_t kClasses = 9;

  static size_t class_of(int64_t length);
  int32_t at(int64_t place) const { return tokens_[static_cast<size_t>(place % kWindow)]; }
  size_t slot(int64_t order) const;
  int64_t common(int64_t end) const;

  std::vector<int32_t> tokens_;  // a ring
  int64_t count_ = 0;
  // By order and hash of so many tokens: the low bits of the place after them.
  std::array<std::vector<uint32_t>, kOrders.size()> last_;
  // The token at match_ is the guess, because the `length_` tokens before it are the text's last.
  int64_t match_ = -1;
  int64_t length_ = 0;
  std::array<double, kClasses> right_;  // share of guesses, lately
};

}  // namespace skein
