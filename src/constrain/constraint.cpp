#include "constrain/constraint.h"

#include <random>

namespace skein::constrain {
namespace {

// Some random texts are read when a constraint is made, so that one that falls apart into too many
// readings is refused then and not in the middle of an answer. More of them where the first ones
// are read in several ways at once.
constexpr size_t kFirstWalks = 4, kAllWalks = 64, kWalk = 48, kSeveral = 6;
constexpr size_t kMostLooks = 20'000;  // items met

}  // namespace

Automaton::Limits Constraint::limits(const ConstraintOptions& options) const {
  return {.depth = options.depth,
          .items = options.items,
          .bytes = options.table_bytes,
          .word = options.clamp ? static_cast<uint32_t>(words_->longest()) : 0};
}

Constraint::Constraint(Prepared&& prepared, std::shared_ptr<const Words> words,
                       const ConstraintOptions& options)
    : words_(std::move(words)),
      automaton_(std::move(prepared), limits(options)),
      masks_(*words_, automaton_, {.slices = options.slices, .bytes = options.mask_bytes}) {}

Checked<ConstraintPtr> Constraint::make(Grammar&& grammar, std::shared_ptr<const Words> words,
                                        const ConstraintOptions& options) {
  auto prepared = prepare(std::move(grammar), words->single_bytes());
  if (!prepared) return tl::unexpected(std::move(prepared).error());
  const std::shared_ptr<Constraint> made(
      new Constraint(std::move(*prepared), std::move(words), options));
  if (const auto problem = made->probe()) return tl::unexpected(Problems{*problem});
  return made;
}

std::optional<Problem> Constraint::probe() {
  std::minstd_rand random(1);
  size_t most = 0, looks = 0;
  automaton_.allow(kMostProbeWork);
  const auto start = automaton_.start();
  for (size_t n = 0; n < (most > kSeveral ? kAllWalks : kFirstWalks); ++n) {
    Automaton::Config at = start;
    // What has been tried until the work runs short is enough; a step that is too much is not.
    for (size_t step = 0; step < kWalk && at != Automaton::kDead && looks < kMostLooks &&
                          automaton_.allowed() > kMostProbeWork / 8;
         ++step) {
      most = std::max(most, automaton_.items(at));
      looks += automaton_.items(at);
      const auto& bytes = automaton_.classes().representatives;
      const size_t first = random() % bytes.size();
      Automaton::Config to = Automaton::kDead;
      for (size_t i = 0; i < bytes.size() && to == Automaton::kDead; ++i)
        to = automaton_.next(at, bytes[(first + i) % bytes.size()]);
      at = to;
    }
    if (automaton_.trouble() == Automaton::Trouble::items)
      return Problem{"constraint_too_large", "",
                     "texts have too many readings at once; make the grammar less ambiguous"};
    if (automaton_.trouble() == Automaton::Trouble::full)
      return Problem{"constraint_too_large", "", "this constraint needs more memory than one may"};
  }
  held_ = automaton_.bytes_held();
  return std::nullopt;
}

}  // namespace skein::constrain
