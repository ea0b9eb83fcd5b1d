#include "server/prefix_reading.h"

#include <algorithm>
#include <new>
#include <utility>

namespace skein::server {

PrefixReading::PrefixReading(Session& session, std::span<const int32_t> ids, size_t begin,
                             Start start, std::vector<size_t> marks, PrefixStates* states)
    : session_(&session),
      ids_(ids.begin(), ids.end()),
      start_(std::move(start)),
      states_(states),
      marks_(std::move(marks)),
      begin_(begin),
      read_(begin) {}

bool PrefixReading::share(size_t at) {
  if (at <= read_ || !states_) return false;
  ++shares_[at].waiting;
  return true;
}

StateTree::Found PrefixReading::take_share(size_t at) noexcept {
  const auto found = shares_.find(at);
  StateTree::Found out;
  if (found->second.kept)
    out = {at, found->second.kept};
  else if (left_.tokens <= at)
    out = left_;
  if (--found->second.waiting == 0) shares_.erase(found);
  if (shares_.upper_bound(left_.tokens) == shares_.end()) left_ = {};
  return out;
}

// Whether there is memory for it is nobody's business.
void PrefixReading::leave(bool for_ever) noexcept try {
  if (!states_ || !status_ || read_ == 0 || read_ >= ids_.size() ||
      states_->usable(start_, read_) != read_)
    return;
  const auto read = std::span(ids_).first(read_);
  StateTree::Kept kept = states_->exactly(start_, read);
  if (!kept && for_ever)
    kept = states_->keep(start_, read, {std::move(session_->change_state()), {}});
  else if (!kept)
    kept = states_->keep(start_, read, {session_->state(), {}});
  if (kept && shares_.upper_bound(read_) != shares_.end()) left_ = {read_, std::move(kept)};
} catch (const std::bad_alloc&) {
}

Task::Next PrefixReading::next(Scratch&) {
  return !status_ || read_ == ids_.size() || take_cancel() ? Next::end : Next::reading;
}

size_t PrefixReading::next_stop() const {
  size_t stop = ids_.size();
  const auto mark = std::upper_bound(marks_.begin(), marks_.end(), read_);
  if (mark != marks_.end()) stop = std::min(stop, *mark);
  const auto share = shares_.upper_bound(read_);
  if (share != shares_.end()) stop = std::min(stop, share->first);
  return stop;
}

Reading PrefixReading::reading() {
  return {.session = session_, .tokens = std::span(ids_).subspan(read_, next_stop() - read_)};
}

Task::Next PrefixReading::took(Done done, Scratch& scratch) {
  const size_t stop = next_stop();
  status_ = std::move(done.status);
  if (!status_) return Next::end;
  read_ += done.tokens;
  if (read_ == ids_.size()) session_->keep_logits(done.logits);
  if (read_ == stop) keep_here();
  return next(scratch);
}

// Whether there is memory for it is nobody's business.
void PrefixReading::keep_here() try {
  if (!states_) return;
  Session::Snapshot snapshot{session_->state(), {}};
  if (read_ == ids_.size()) {
    const auto logits = session_->logits();
    snapshot.logits.assign(logits.begin(), logits.end());
  }
  StateTree::Kept kept = states_->keep(start_, std::span(ids_).first(read_), std::move(snapshot));
  if (const auto found = shares_.find(read_); found != shares_.end())
    found->second.kept = std::move(kept);
} catch (const std::bad_alloc&) {
}

std::vector<size_t> choose_marks(size_t begin, size_t end, std::vector<size_t> wanted) {
  // A mark is a step that ends early, so each has to spare somebody about a step.
  constexpr size_t kApart = 64;
  constexpr size_t kFirst = 256;
  for (size_t mark = kFirst; mark < end; mark *= 2) wanted.push_back(mark);
  std::sort(wanted.begin(), wanted.end());
  std::vector<size_t> out;
  size_t last = begin;
  for (const size_t mark : wanted) {
    if (mark < last + kApart || mark + kApart > end) continue;
    out.push_back(mark);
    last = mark;
  }
  return out;
}

}  // namespace skein::server
