// States of texts that were read before, so that whoever begins alike need not read again: one tree
// for a model, with a root for everybody who may see only his own and for each state to begin with.
//
// Any thread may call.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <vector>

#include "base/hash.h"
#include "run/state_tree.h"

namespace skein::server {

// What a text is read from.
struct Start {
  Digest scope{};           // of whom, and of which state: texts are shared within it
  StateTree::Kept state{};  // null: the model's fresh one

  uint64_t tokens_read() const { return state ? state->state.tokens_read() : 0; }
  uint64_t tokens_hash() const { return state ? state->state.tokens_hash() : 0; }
};

class PrefixStates {
 public:
  // `bytes`: of all that is kept, see StateTree, the states that texts begin with among it, which
  // take half of it at most; 0: nothing is.
  PrefixStates(const Model& model, int64_t bytes);

  bool keeps() const { return budget_ > 0; }
  int64_t budget() const { return budget_; }
  StateTree::Usage usage() const { return tree_.usage(); }

  // The state that has read most of `ids`. One that has read all of them has logits. With fast
  // numerics only such count from which reading on gives the bits of reading all
  // (docs/numerics.md). Nothing: there is none.
  StateTree::Found find(const Start& start, std::span<const int32_t> ids);
  // The prompt's tokens, as somebody read them before where its text is the same; `ids`: as they
  // are cut otherwise.
  std::vector<int32_t> tokens_of(const Start& start, const text::Prompt& prompt,
                                 const text::Tokenizer& tokenizer, std::vector<int32_t> ids,
                                 bool leads);
  // The state that has read `ids`, with or without logits; null: it is not kept.
  StateTree::Kept exactly(const Start& start, std::span<const int32_t> ids);
  // What texts of that scope begin with; null: that is not known here.
  StateTree::Kept beginning_of(const Digest& scope);
  // What begins with that scope's state is not wanted any more.
  void forget(const Digest& scope);
  // How many of `ids` somebody else's prompt began with.
  size_t common(const Start& start, std::span<const int32_t> ids);
  // Whether a state after so many tokens may be gone on from: always, but for fast numerics.
  size_t usable(const Start& start, size_t tokens) const;
  // Null: it is not kept, or there was no memory for it.
  StateTree::Kept keep(const Start& start, std::span<const int32_t> ids,
                       Session::Snapshot snapshot) noexcept;

 private:
  struct Scope {
    StateTree::Root root = -1;
    std::list<Digest>::iterator place;
    int64_t bytes = 0;  // of a state to begin with
  };
  using Scopes = std::map<Digest, Scope>;

  int64_t most_own() const { return budget_ / 2; }
  // Whether texts of that start may be kept at all.
  bool keeps(const Start& start) const;
  StateTree::Root root_of(const Start& start);
  void drop(Scopes::iterator scope);
  void make_room(int64_t bytes);

  const int64_t budget_;
  const bool exact_;
  StateTree tree_;
  StateTree::Kept fresh_;

  std::mutex mutex_;  // of the roots: none goes while it is used
  Scopes scopes_;
  std::list<Digest> recent_;  // scopes, the last one used first
  int64_t own_bytes_ = 0;     // of states to begin with
};

}  // namespace skein::server
