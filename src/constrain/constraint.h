// A grammar over a vocabulary, ready to hold answers to it. Shared by all requests and threads that
// asked for the same one; what one of them makes others find made.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "constrain/grammar.h"
#include "constrain/masks.h"
#include "constrain/words.h"

namespace skein::constrain {

struct ConstraintOptions {
  // Calls inside each other. Where the next one could not be closed any more, its first byte is not
  // allowed; what the grammar needs at least is always had.
  uint16_t depth = 32;
  size_t items = 2'000;           // ways of reading the same text at once
  size_t table_bytes = 32 << 20;  // beyond, tables are made anew
  size_t mask_bytes = 32 << 20;   // beyond, the mask that was not used for the longest time goes
  bool slices = true;             // how masks are made; the same ones without
  bool clamp = true;              // for which configurations they are shared; the same ones without
};

class Constraint {
 public:
  // Of the texts that are tried when one is made, in the units of Terms::work().
  static constexpr uint64_t kMostProbeWork = 100'000'000;

  // Problems: unsatisfiable, constraint_too_large.
  static Checked<std::shared_ptr<const Constraint>> make(Grammar&& grammar,
                                                         std::shared_ptr<const Words> words,
                                                         const ConstraintOptions& options = {});

  const Words& words() const { return *words_; }
  // All that is held but the words, tables and masks included, as it was after the last use.
  size_t bytes_held() const { return held_; }
  // For tests: what was done for it so far, and for the step that took most, in the units of
  // Terms::work().
  uint64_t work() const { return automaton_.work(); }
  uint64_t most_step_work() const { return automaton_.most_step_work(); }

 private:
  friend class Matcher;

  Constraint(Prepared&& prepared, std::shared_ptr<const Words> words,
             const ConstraintOptions& options);
  std::optional<Problem> probe();
  Automaton::Limits limits(const ConstraintOptions& options) const;

  std::shared_ptr<const Words> words_;
  mutable std::mutex mutex_;  // of what follows
  mutable Automaton automaton_;
  mutable Masks masks_;
  mutable uint64_t epoch_ = 1;  // of the automaton's numbers
  mutable std::atomic<size_t> held_ = 0;
};

using ConstraintPtr = std::shared_ptr<const Constraint>;

}  // namespace skein::constrain
