// States by what they have read, so that nobody reads again what somebody has read before.
//
// A tree of token paths: where texts part, so do their paths. A state stands at the end of a path,
// and it is all there or not at all: unlike keys and values, states share no memory with those
// before them, and none can be cut shorter (spec: a hit is an exact prefix). So what counts is
// which to keep. Beyond a budget of bytes the least valuable goes: the one whose tokens are read
// again soonest, for a text that was asked for least and longest ago.
//
// Any thread may call.
#pragma once

#include <atomic>
#include <cstdint>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <vector>

#include "run/session.h"
#include "text/template.h"

namespace skein {

class StateTree {
 public:
  // What stands at the end of a path. Whoever holds it may use it for as long as he likes; it is
  // not dropped meanwhile, since that would free nothing.
  using Kept = std::shared_ptr<const Session::Snapshot>;

  // `bytes`: of states, logits and paths together; beyond it states are dropped, but for those that
  // are held and those that trees begin with.
  explicit StateTree(int64_t bytes);
  ~StateTree();
  StateTree(const StateTree&) = delete;
  StateTree& operator=(const StateTree&) = delete;

  // Where paths begin: a fresh state, a tuned one, one from a file. It stays until it is removed,
  // together with all that went on from it.
  using Root = int64_t;
  Root plant(State state);
  Root plant(Kept kept);
  // One that many trees begin with: somebody else's, and so it is not counted.
  Root plant_shared(Kept shared);
  void remove(Root root);

  struct Found {
    size_t tokens = 0;  // of the path that it has read
    Kept kept;          // never null
  };
  // The state that has read most of `ids`, and nothing else, after `root`.
  Found find(Root root, std::span<const int32_t> ids);
  // The same of a text: paths count whose bytes it begins with, whatever tokens they were, and
  // which end where `tokenizer` ends a token as well. A special token is one only where the prompt
  // has a marker. `read`: the tokens that `found` has read, `rest`: those of the text that are
  // still to be read. Errors: text::encode_prompt()'s.
  struct FoundText {
    Found found;
    std::vector<int32_t> read;
    std::vector<int32_t> rest;
  };
  Result<FoundText> find_text(Root root, const text::Prompt& prompt,
                              const text::Tokenizer& tokenizer, const text::Profile& profile,
                              bool fresh);
  // A text that was cut already: `ids` are the prompt's tokens. `leads`: the first of them stands
  // for the end of a text, and for none of the prompt's bytes. What is referred to has to stay.
  struct CutText {
    const text::Prompt& prompt;
    const text::Tokenizer& tokenizer;
    std::span<const int32_t> ids;
    bool leads = false;
    std::vector<size_t> counts{};  // by bytes: how many of the ids end there; 0: none does
    std::vector<size_t> ends{};    // by that number: where they end
  };
  // Error: internal (they are others).
  static Result<CutText> cut(const text::Prompt& prompt, const text::Tokenizer& tokenizer,
                             std::span<const int32_t> ids, bool leads);
  // Takes as long as find(), but for paths that are cut otherwise.
  FoundText find_text(Root root, const CutText& text);

  // How many of `ids` some path begins with: beyond find()'s, where two texts part, and where a
  // state would serve both.
  size_t common(Root root, std::span<const int32_t> ids) const;

  // Keeps what a session stands at after `ids`, in the place of what was kept there.
  Kept keep(Root root, std::span<const int32_t> ids, Session::Snapshot snapshot);

  void set_budget(int64_t bytes);
  struct Usage {
    int64_t states = 0;
    int64_t bytes = 0;
  };
  Usage usage() const;  // waits for nobody

 private:
  struct Node {
    Node* parent = nullptr;
    std::vector<int32_t> edge;                          // from the parent
    size_t depth = 0;                                   // tokens from the root
    std::map<int32_t, std::unique_ptr<Node>> children;  // by their edges' first tokens
    Kept kept;
    bool foreign = false;  // somebody else's state, see plant()
    uint64_t used = 0;     // when it was asked for last, in calls
    uint64_t hits = 0;

    int64_t bytes() const;
  };

  Node& root_of(Root root) const;
  Root add_root(std::unique_ptr<Node> node);
  Node& make(Node& root, std::span<const int32_t> ids);
  Node& split(Node& node, size_t at);
  void count(const Node& node, int sign);
  int64_t used() const { return bytes_.load(std::memory_order_relaxed); }
  double value_of(const Node& node) const;
  void trim();
  void prune(Node* node);

  mutable std::mutex mutex_;
  int64_t budget_;
  std::map<Root, std::unique_ptr<Node>> roots_;
  Root next_root_ = 0;
  uint64_t clock_ = 0;
  std::atomic<int64_t> states_{0}, bytes_{0};  // are written under the lock
};

}  // namespace skein
