// Which words may follow a configuration. A mask is made when it is first asked for, by a walk over
// the vocabulary's trie in which the automaton's table is the only thing that is looked at, and is
// kept for all configurations that look alike to a word.
//
// Most masks are small, and their walk ends early everywhere, or huge, inside a string: those come
// from the slices (slices.h) and a walk over the few words that are left.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <unordered_map>
#include <vector>

#include "constrain/automaton.h"
#include "constrain/slices.h"
#include "constrain/words.h"

namespace skein::constrain {

struct Mask {
  IdSet ids;            // ends are none of them
  int32_t allowed = 0;  // how many
  int32_t only = -1;    // the one, if it is one
};
using MaskPtr = std::shared_ptr<const Mask>;

class Masks {
 public:
  struct Options {
    bool slices = true;
    size_t bytes = 32 << 20;
  };

  Masks(const Words& words, Automaton& automaton, const Options& options);

  // Null: automaton.trouble() says why.
  MaskPtr of(Automaton::Config config);
  // Made anew, by a walk over all words.
  MaskPtr walked(Automaton::Config config);
  void clear();
  size_t bytes_held() const { return held_ + character_steps_.size() * kStepBytes; }

 private:
  static constexpr size_t kStepBytes = 128;  // of one in its map

  struct Entry {
    Automaton::Config config;
    MaskPtr mask;
  };
  // What becomes of a configuration by one character of a slice.
  struct CharacterStep {
    enum class Kind : uint8_t { unknown, all, none, some } kind = Kind::unknown;
    std::vector<Automaton::Config> to;
  };
  struct Joint {
    uint8_t byte;  // one of a group that neither side tells apart
    uint8_t to;
  };
  struct Use {
    const Slice* slice = nullptr;
    size_t count = 0;     // as many characters of it may follow; kCounted + 1: any number
    bool longer = false;  // and more than are counted, of which words have to be looked at
  };

  MaskPtr make(Automaton::Config config);
  MaskPtr finish(IdSet&& ids, Automaton::Config config);
  void walk(Automaton::Config config, const WordTrie& trie, IdSet& ids);
  Use usable(Automaton::Config config);
  Use usable(Automaton::Config config, size_t slice);
  const CharacterStep& character_step(Automaton::Config config, size_t slice);
  void keep(Automaton::Config config, const MaskPtr& mask);

  const Words& words_;
  Automaton& automaton_;
  Options options_;
  std::vector<std::vector<std::vector<Joint>>> joints_;  // [slice][state of its characters]
  std::unordered_map<uint64_t, CharacterStep> character_steps_;
  std::vector<Automaton::Config> path_;
  std::list<Entry> order_;  // the last used first
  std::unordered_map<Automaton::Config, std::list<Entry>::iterator> kept_;
  size_t held_ = 0;
};

}  // namespace skein::constrain
