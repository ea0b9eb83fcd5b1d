#include "run/lookahead.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace skein {
namespace {

// Of a pass; where matrices are read from memory it is less, where arithmetic counts it is more.
constexpr double kFirstCost = 0.3;
// Several tokens of a small model on a busy machine have cost more than as many passes.
constexpr double kMostCost = 4;

}  // namespace

DraftLength::DraftLength(std::optional<double> cost)
    : measured_(!cost), further_(cost.value_or(kFirstCost)) {}

size_t DraftLength::choose(std::span<const Guess> guesses, size_t again) const {
  if (measured_ && single_ == 0) return 0;
  // What is to be gained has to stand out from what is only noise in the measurement.
  constexpr double kWorthwhile = 1.03;
  const auto before = static_cast<double>(again);
  double best_rate = kWorthwhile / (1 + further_ * before);
  size_t best = 0;
  double reached = 1;   // the probability that all guesses so far are right
  double tokens = 1;    // expected of the pass
  double repeated = 0;  // and those it expects the next pass to read once more
  for (size_t i = 0; i < guesses.size(); ++i) {
    const auto count = static_cast<double>(i + 1);
    const double probability = guesses[i].probability;
    repeated += reached * (1 - probability) * (before + count);
    reached *= probability;
    tokens += reached;
    const double rate = tokens / (1 + further_ * (before + count + repeated));
    if (rate < best_rate) continue;
    best_rate = rate;
    best = i + 1;
  }
  return best;
}

void DraftLength::learn(size_t tokens, double seconds) {
  if (!measured_) return;
  constexpr double kSingles = 16, kForget = 512;
  constexpr int kWider = 8;
  if (tokens == 1) {
    // One slow pass tells of the machine's other work.
    single_ =
        single_ == 0 ? seconds : single_ + (std::min(seconds, 2 * single_) - single_) / kSingles;
    // A bad experience is tried again at some time.
    further_ += (kFirstCost - further_) / kForget;
  } else if (single_ > 0) {
    const double further = (seconds / single_ - 1) / static_cast<double>(tokens - 1);
    wider_ = std::min(wider_ + 1, kWider);
    further_ += (std::clamp(further, 0.0, kMostCost) - further_) / (wider_ + 1);
  }
}

Lookahead::Lookahead(Session& session, Drafter* drafter, size_t longest, std::optional<double> cost)
    : session_(&session), drafter_(drafter), longest_(longest), length_(cost) {
  SK_CHECK(longest <= static_cast<size_t>(kMostGuesses));
  if (drafter_) guesses_.resize(longest_);
  pass_.reserve(3 * longest_ + 1);
}

uint64_t Lookahead::tokens_read() const {
  return session_->state().tokens_read() - (pass_.size() - known_);
}

bool Lookahead::push(std::span<const int32_t> ids, size_t most, bool rough) {
  SK_CHECK(!ids.empty() && (!rough || !drafter_));
  rough_ = rough && ids.size() == 1;
  bool unread = false;
  for (const int32_t id : ids) unread = add(id, unread);
  if (unread && drafter_) add_guesses(most);
  return unread;
}

// Whether the pass has to be read then; `unread`: whether it has to be already.
bool Lookahead::add(int32_t id, bool unread) {
  if (drafter_) drafter_->push(id);
  if (ahead()) {
    if (pass_[known_] == id) {
      logits_ = std::span(rows_).subspan((known_ - first_) * vocab(), vocab());
      ++known_;
      ++accepted_;
      return false;
    }
    drop_pass();
  } else if (!unread) {
    pass_.clear();
  }
  pass_.push_back(id);
  known_ = pass_.size();
  return true;
}

Reading Lookahead::reading() {
  Reading out{.session = session_, .tokens = pass_, .exact = true, .rough = rough_};
  if (ahead()) {
    out.rows = rows_;
    out.first = first_;
  }
  return out;
}

Result<bool> Lookahead::took(const Done& done) {
  const auto guesses = static_cast<int64_t>(pass_.size() - known_);
  if (done.status) {
    drafted_ += guesses;
    logits_ = guesses > 0 ? std::span<const float>(rows_).first(vocab()) : done.logits;
    lasting_ = guesses > 0 || logits_.data() == session_->known_row();
    if (done.seconds) length_.learn(pass_.size(), *done.seconds);
    return false;
  }
  if (guesses > 0 && done.status.error().code == Code::corrupt) {
    // Numbers that a guess makes infinite say nothing of the tokens that are known.
    drafted_ += guesses;
    drop_pass();
    return true;
  }
  pass_.clear();
  known_ = 0;
  logits_ = {};
  return tl::unexpected(done.status.error());
}

// What is left are known tokens, which the session has to read again: it stands before them.
void Lookahead::drop_pass() {
  session_->exchange(*before_);
  pass_.resize(known_);
}

void Lookahead::drop_guesses() {
  if (ahead()) session_->exchange(*before_);
  restart({});
}

void Lookahead::restart(std::span<const float> logits) {
  pass_.clear();
  known_ = 0;
  logits_ = logits;
  lasting_ = logits.data() == session_->known_row();
}

void Lookahead::forget_passing_logits() {
  if (!lasting_) logits_ = {};
}

void Lookahead::add_guesses(size_t most) {
  // A pass that begins before the known token ends in a state that was reached by no guess only if
  // it tries none. So that passes do not grow from one wrong guess to the next, there is a limit.
  const size_t again = known_ - 1;
  if (again >= 2 * longest_) return;
  const std::span<Guess> room = std::span(guesses_).first(std::min(most, longest_));
  const std::span<const Guess> guesses = room.first(drafter_->guess(room));
  const size_t count = length_.choose(guesses, again);
  if (count == 0) return;
  first_ = known_ - 1;
  rows_.resize((1 + count) * vocab());
  before_ = session_->state();  // the last that may take memory: afterwards we are ahead
  for (const Guess& guess : guesses.first(count)) {
    SK_CHECK(guess.id >= 0 && guess.id < session_->model().vocab());
    pass_.push_back(guess.id);
  }
}

}  // namespace skein
