// The automaton of a grammar, made while it is used. A configuration says all that was read so far
// means for what may follow; reading a byte leads to another one, and a table remembers to which,
// so that what was met before costs one look-up a byte. The idea is that of lazy automata for
// regular expressions (as in RE2), lifted to pushdown automata: a configuration is a set of items,
// and an item is a term, which reads, on a node of frames.h, which says what follows when it is
// done.
//
// * A call enters its rule on a node that is shared by all that enter the rule here. A call that
// nothing
//   follows enters it on the node of the caller, so that right recursion stacks nothing.
// * prepare() leaves only calls that read a byte. So nobody leaves a node where it was entered, and
// left
//   recursion and hidden emptiness need nothing.
// * Items that could not be completed within the depth are not made, nor are terms that allow no
// text.
//   So each configuration but kDead can be completed.
// * Counts above the longest word are out of a word's sight: clamped() gives a configuration in
// which
//   they are unlimited, or never reached, and from which every word goes as from the first. Few of
//   those exist where a count runs, and what is known of one is known of all.
//
// When the table has outgrown its budget, Trouble::full is told, and reset() begins anew: all
// numbers are void then, and who has read a text reads it again. Not for several threads at once.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <vector>

#include "constrain/frames.h"
#include "constrain/prepare.h"
#include "constrain/slots.h"

namespace skein::constrain {

class Automaton {
 public:
  struct Limits {
    uint16_t depth = 32;             // of calls; or what the grammar needs at least
    size_t items = 2'000;            // of one configuration
    size_t bytes = 32 << 20;         // of tables
    uint32_t word = 128;             // no word is longer; 0: nothing is clamped
    uint64_t step_work = 1'500'000;  // of one step, in the units of Terms::work()
  };
  using Config = uint32_t;
  static constexpr Config kDead = 0;

  enum class Trouble : uint8_t {
    none,
    full,   // over Limits::bytes
    items,  // over Limits::items, or over the work of a step or of what was allowed
  };

  Automaton(Prepared&& prepared, const Limits& limits);

  Config start();
  // kDead: this byte cannot follow, or trouble() says why it is not known.
  Config next(Config config, uint8_t byte) {
    const Config known = table_[config * classes_.count() + classes_.of[byte]];
    return known != kUnset ? known : step(config, classes_.of[byte]);
  }
  // Of what a token may be that no bytes are read for.
  bool has_tokens(Config config) const { return records_[config].token_count > 0; }
  Config next_token(Config config, int32_t id);
  template <typename What>
  void each_token_set(Config config, const What& what) const {  // what(ids, others)
    const Record& r = records_[config];
    for (const TokenWay& way : std::span(token_ways_).subspan(r.tokens, r.token_count))
      what(terms_.token_list(way.set), terms_.other_tokens(way.set));
  }

  bool can_end(Config config) const { return records_[config].can_end; }
  bool must_end(Config config) const {
    const Record& r = records_[config];
    return r.can_end && r.item_count == 0 && r.token_count == 0;
  }
  // Every word goes from here as it goes from `config`.
  Config clamped(Config config);
  // Bytes of one class go the same way everywhere.
  const ByteClasses& classes() const { return classes_; }
  size_t items(Config config) const { return records_[config].item_count; }
  size_t configs() const { return records_.size(); }

  // Steps from here on may do as much work together. What is in the table costs nothing.
  void allow(uint64_t work) { most_work_ = terms_.work() + work; }
  uint64_t allowed() const { return most_work_ - std::min(most_work_, terms_.work()); }
  uint64_t work() const { return terms_.work(); }
  uint64_t most_step_work() const { return most_step_work_; }  // of one step so far

  Trouble trouble() const { return trouble_; }
  // Not after work was broken off: what is remembered is spoiled() then, and reset() helps.
  void forgive() { trouble_ = Trouble::none; }
  bool spoiled() const { return terms_.full(); }
  void reset();
  size_t bytes_held() const;

 private:
  static constexpr uint32_t kUnset = 0xffffffff;

  struct Item {
    Term term;
    Frames::Node node;
    friend auto operator<=>(const Item&, const Item&) = default;
  };
  struct TokenWay {
    Term set;
    Term tail;
    Frames::Node node;
    friend auto operator<=>(const TokenWay&, const TokenWay&) = default;
  };
  struct Record {
    uint32_t items = 0;
    uint32_t item_count = 0;
    uint32_t tokens = 0;
    uint32_t token_count = 0;
    Config clamped = kUnset;
    bool can_end = false;
  };
  struct Entries {
    uint32_t at = kUnset;
    uint32_t count = 0;
  };
  struct Closing;  // a configuration while it is made

  std::span<const Item> items_of(const Record& r) const {
    return std::span(items_).subspan(r.items, r.item_count);
  }
  Config step(Config config, uint8_t group);
  Config close(std::vector<Item>& kernel);
  void leave(std::vector<Item>& kernel, bool& can_end);
  void drop_too_deep(std::vector<Item>& kernel);
  void join_by_node(std::vector<Item>& items);
  void enter(Closing& now);
  void enter_from(Closing& now, Term term, Frames::Node node, uint16_t depth);
  std::vector<Frames::Node> settle(Closing& now);
  Config intern(std::vector<Item>& items, std::vector<TokenWay>& tokens, bool can_end);
  void begin_step();
  bool end_step();
  bool stopped();

  Need need(Term t);
  bool reads(Term t);
  std::span<const Terms::Entry> entries(Term t);
  void add_clamped_rules();
  Term clamp(Term t);
  Frames::Node clamp_node(Frames::Node node);

  Limits limits_;
  Terms terms_;
  std::vector<Term> rules_;
  std::vector<uint16_t> rule_needs_;
  Term root_;
  uint32_t clamped_rules_ = 0;  // rule n has its clamped twin at n + this; 0: there are none
  Terms::Mark mark_{};
  ByteClasses classes_;

  Frames frames_;
  std::vector<Record> records_;
  std::vector<Config> table_;  // [configs, classes]
  std::vector<Item> items_;
  std::vector<TokenWay> token_ways_;
  Slots numbers_;
  Trouble trouble_ = Trouble::none;
  size_t steps_ = 0;
  uint64_t most_work_ = std::numeric_limits<uint64_t>::max();  // as terms_.work() counts
  uint64_t step_began_ = 0;
  uint64_t most_step_work_ = 0;

  // By term or node, as far as known.
  std::vector<Need> needs_;
  std::vector<uint8_t> reads_;
  std::vector<Entries> entries_at_;
  std::vector<Terms::Entry> entries_;
  std::vector<Term> clamps_;
  std::vector<Frames::Node> clamped_nodes_;
};

}  // namespace skein::constrain
