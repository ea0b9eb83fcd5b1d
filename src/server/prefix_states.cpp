#include "server/prefix_states.h"

#include <new>
#include <utility>

#include "base/limits.h"

namespace skein::server {

PrefixStates::PrefixStates(const Model& model, int64_t bytes)
    : budget_(bytes), exact_(model.info().numerics == Numerics::exact), tree_(bytes) {
  if (bytes > 0)
    fresh_ = std::make_shared<const Session::Snapshot>(
        Session::Snapshot{State(model.state_layout()), {}});
}

bool PrefixStates::keeps(const Start& start) const {
  return keeps() && (!start.state || static_cast<int64_t>(start.state->bytes()) <= most_own());
}

void PrefixStates::drop(Scopes::iterator scope) {
  tree_.remove(scope->second.root);
  own_bytes_ -= scope->second.bytes;
  recent_.erase(scope->second.place);
  scopes_.erase(scope);
}

// The scopes that nobody used for the longest time make room for one that begins with so much.
void PrefixStates::make_room(int64_t bytes) {
  if (scopes_.size() >= limits::kStateScopes) drop(scopes_.find(recent_.back()));
  for (auto at = recent_.end(); own_bytes_ + bytes > most_own() && at != recent_.begin();) {
    const auto scope = scopes_.find(*--at);
    if (scope->second.bytes == 0) continue;
    ++at;
    drop(scope);
  }
}

StateTree::Root PrefixStates::root_of(const Start& start) {
  if (const auto found = scopes_.find(start.scope); found != scopes_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second.place);
    return found->second.root;
  }
  const int64_t bytes = start.state ? static_cast<int64_t>(start.state->bytes()) : 0;
  make_room(bytes);
  // All of it or nothing.
  struct Making {
    PrefixStates& states;
    const Digest& scope;
    const StateTree::Root root;
    bool made = false;
    ~Making() {
      if (made) return;
      states.scopes_.erase(scope);
      states.tree_.remove(root);
    }
  } making{*this, start.scope, start.state ? tree_.plant(start.state) : tree_.plant_shared(fresh_)};
  Scope& scope = scopes_.emplace(start.scope, Scope{making.root, {}, bytes}).first->second;
  recent_.push_front(start.scope);
  scope.place = recent_.begin();
  own_bytes_ += bytes;
  making.made = true;
  return making.root;
}

size_t PrefixStates::usable(const Start& start, size_t tokens) const {
  if (exact_) return tokens;
  const uint64_t read = start.tokens_read() + tokens;
  const uint64_t block = read % static_cast<uint64_t>(kFastBlock);
  return block <= tokens ? tokens - block : 0;
}

StateTree::Found PrefixStates::find(const Start& start, std::span<const int32_t> ids) {
  if (!keeps(start)) return {};
  const std::lock_guard lock(mutex_);
  const StateTree::Root root = root_of(start);
  std::span<const int32_t> part = ids;
  for (;;) {
    StateTree::Found found = tree_.find(root, part);
    if (found.tokens == 0) return {};
    if (found.tokens == ids.size()) {
      if (!found.kept->logits.empty()) return found;
      part = ids.first(ids.size() - 1);
    } else {
      const size_t usable = this->usable(start, found.tokens);
      if (usable == found.tokens) return found;
      part = ids.first(usable);
    }
  }
}

std::vector<int32_t> PrefixStates::tokens_of(const Start& start, const text::Prompt& prompt,
                                             const text::Tokenizer& tokenizer,
                                             std::vector<int32_t> ids, bool leads) {
  // What a model wrote is no prompt's blocks.
  if (!keeps(start) || !exact_) return ids;
  // An engine may wait for what is done under the lock.
  const auto text = StateTree::cut(prompt, tokenizer, ids, leads);
  if (!text) return ids;
  StateTree::FoundText found = [&] {
    const std::lock_guard lock(mutex_);
    return tree_.find_text(root_of(start), *text);
  }();
  found.read.insert(found.read.end(), found.rest.begin(), found.rest.end());
  return std::move(found.read);
}

StateTree::Kept PrefixStates::exactly(const Start& start, std::span<const int32_t> ids) {
  if (!keeps(start)) return nullptr;
  const std::lock_guard lock(mutex_);
  StateTree::Found found = tree_.find(root_of(start), ids);
  return found.tokens == ids.size() ? std::move(found.kept) : nullptr;
}

StateTree::Kept PrefixStates::beginning_of(const Digest& scope) {
  const std::lock_guard lock(mutex_);
  const auto found = scopes_.find(scope);
  return found == scopes_.end() ? nullptr : tree_.find(found->second.root, {}).kept;
}

void PrefixStates::forget(const Digest& scope) {
  const std::lock_guard lock(mutex_);
  if (const auto found = scopes_.find(scope); found != scopes_.end()) drop(found);
}

size_t PrefixStates::common(const Start& start, std::span<const int32_t> ids) {
  if (!keeps(start)) return 0;
  const std::lock_guard lock(mutex_);
  return tree_.common(root_of(start), ids);
}

StateTree::Kept PrefixStates::keep(const Start& start, std::span<const int32_t> ids,
                                   Session::Snapshot snapshot) noexcept try {
  if (!keeps(start) || ids.empty() || snapshot.state.lost()) return nullptr;
  // A state that stands elsewhere would answer for another text.
  if (snapshot.state.tokens_read() != start.tokens_read() + ids.size() ||
      snapshot.state.tokens_hash() != tokens_hash_after(start.tokens_hash(), ids))
    return nullptr;
  const std::lock_guard lock(mutex_);
  const StateTree::Kept kept = tree_.keep(root_of(start), ids, std::move(snapshot));
  return kept;
} catch (const std::bad_alloc&) {
  return nullptr;
}

}  // namespace skein::server
