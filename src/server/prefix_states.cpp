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

// The scope that nobody used for the longest time makes room for a new one.
StateTree::Root PrefixStates::root_of(const Start& start) {
  if (const auto found = scopes_.find(start.scope); found != scopes_.end()) {
    recent_.splice(recent_.begin(), recent_, found->second.place);
    return found->second.root;
  }
  if (scopes_.size() >= limits::kStateScopes) {
    const auto oldest = scopes_.find(recent_.back());
    tree_.remove(oldest->second.root);
    scopes_.erase(oldest);
    recent_.pop_back();
  }
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
  } making{*this, start.scope, tree_.plant(start.state ? start.state : fresh_)};
  Scope& scope = scopes_.emplace(start.scope, Scope{making.root, {}}).first->second;
  recent_.push_front(start.scope);
  scope.place = recent_.begin();
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
  if (!keeps()) return {};
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
  if (!keeps() || !exact_) return ids;
  const std::lock_guard lock(mutex_);
  auto found = tree_.find_text(root_of(start), prompt, tokenizer, ids, leads);
  if (!found) return ids;
  found->read.insert(found->read.end(), found->rest.begin(), found->rest.end());
  return std::move(found->read);
}

StateTree::Kept PrefixStates::exactly(const Start& start, std::span<const int32_t> ids) {
  if (!keeps()) return nullptr;
  const std::lock_guard lock(mutex_);
  StateTree::Found found = tree_.find(root_of(start), ids);
  return found.tokens == ids.size() ? std::move(found.kept) : nullptr;
}

StateTree::Kept PrefixStates::beginning_of(const Digest& scope) {
  const std::lock_guard lock(mutex_);
  const auto found = scopes_.find(scope);
  return found == scopes_.end() ? nullptr : tree_.find(found->second.root, {}).kept;
}

size_t PrefixStates::common(const Start& start, std::span<const int32_t> ids) {
  if (!keeps()) return 0;
  const std::lock_guard lock(mutex_);
  return tree_.common(root_of(start), ids);
}

StateTree::Kept PrefixStates::keep(const Start& start, std::span<const int32_t> ids,
                                   Session::Snapshot snapshot) noexcept try {
  if (!keeps() || ids.empty() || snapshot.state.lost()) return nullptr;
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
