// Texts that are allowed, as expressions: byte sets, sequences, choices, repetitions,
// intersections, complements, and calls of rules, which make them as strong as any context-free
// grammar.
//
// A term is a number that stands for the set of byte strings it allows. Equal expressions have
// equal numbers, since every operation looks for what it would make among what there is. Reading a
// byte is taking a derivative: next(t, b) allows exactly the rests of those strings of t that begin
// with b (Brzozowski 1964; Owens, Reppy and Turon 2009). So the states of an automaton are terms,
// made when they are first met; a repetition of 1 to 1,000,000 is one term with two numbers in it
// and never a million states; and intersection and complement cost nothing special.
//
// That derivatives repeat, so that there are few of them, is what the laws are for by which terms
// are written: choices are sets, what begins alike stands once (ab|ac = a(b|c)), counts that touch
// are one (a{2,3}b|a{4}b = a{2,4}b), repetitions of repetitions are one where their counts leave no
// gap.
//
// Calls are not derived here: next() treats them as what no byte can enter, and entries() says
// which of them can be entered now and what follows each (automaton.h).
//
// Nothing here recurses on its input. Not for several threads at once.
#pragma once

#include <array>
#include <bitset>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "constrain/slots.h"

namespace skein::constrain {

using ByteSet = std::bitset<256>;

enum class Term : uint32_t {
  none = 0,   // no text at all
  empty = 1,  // the text without bytes
};

inline constexpr uint32_t kUnbounded = std::numeric_limits<uint32_t>::max();
// A least count that no reading lowers: the repetition never ends. What stands for counts that are
// too large to be reached (automaton.h).
inline constexpr uint32_t kNever = kUnbounded - 1;

// The bytes in groups that no term of a kind tells apart.
struct ByteClasses {
  std::array<uint8_t, 256> of{};         // group of a byte, numbered as they first appear
  std::vector<uint8_t> representatives;  // one byte of each, the one that reads best

  size_t count() const { return representatives.size(); }
};

class Terms {
 public:
  // At most `limit` terms; over it every operation gives Term::none and full() is true.
  explicit Terms(size_t limit);

  // One byte of those. An empty set is Term::none.
  Term bytes(const ByteSet& set);
  Term byte_range(uint8_t first, uint8_t last);  // both included
  Term literal(std::string_view text);
  // One character of those, as UTF-8. Ranges are of code points, both ends included, in any order;
  // surrogates are left out.
  struct Range {
    uint32_t first = 0;
    uint32_t last = 0;
  };
  Term characters(std::span<const Range> ranges);
  Term any_character();  // any code point that is none of the surrogates
  Term any_byte() const { return Term{2}; }
  Term any_bytes() const { return Term{3}; }  // every byte string

  Term sequence(Term first, Term then);
  Term sequence(std::span<const Term> parts);
  Term either(Term a, Term b);
  Term either(std::span<const Term> choices);
  // min <= max, or max == kUnbounded.
  Term repeat(Term what, uint32_t min, uint32_t max);
  Term optional(Term what) { return either(what, Term::empty); }
  // Of many texts, without a term for each of their combinations: a trie.
  Term any_of(std::vector<std::string> texts);

  // Of regular terms only (see regular()).
  Term both(Term a, Term b);
  Term both(std::span<const Term> all);
  Term except(Term what);  // every byte string that `what` does not allow
  Term without(Term a, Term b) { return both(a, except(b)); }

  // Whatever the rule of this number allows (grammar.h).
  Term call(uint32_t rule);
  // A token by its id, of `ids` or, if `other`, any that is not one of them. Tokens with no text
  // and tokens that a grammar names; no byte enters it.
  Term tokens(std::span<const int32_t> ids, bool other = false);

  // Whether it has neither calls nor tokens.
  bool regular(Term t) const { return node(t).regular; }
  // Whether it allows the text without bytes, where calls count as if they did not.
  bool nullable(Term t) const { return node(t).nullable; }
  Term next(Term t, uint8_t byte);
  // Bytes of one group have the same next().
  const ByteClasses& classes(Term t) { return partitions_[partition(t)]; }

  // A call (or token set) that stands where reading goes on, and what follows it.
  struct Entry {
    Term head;
    Term tail;
  };
  std::vector<Entry> entries(Term t);

  // Whether a regular term allows no text; nullopt if `budget` derivatives did not tell.
  // Remembered.
  std::optional<bool> is_none(Term t, size_t budget = 200'000);
  // Whether two regular terms have no text in common. As is_none().
  std::optional<bool> disjoint(Term a, Term b, size_t budget = 200'000);
  // A text of a regular term, one of the shortest; for messages. nullopt: none, or not found.
  std::optional<std::string> example(Term t, size_t budget = 200'000);
  // Whether the whole text is allowed; for regular terms.
  bool matches(Term t, std::string_view text);
  // The same language without choices at the front that is_none(); what `budget` does not tell
  // stays.
  Term prune(Term t, size_t budget = 2'000);

  // What searches may cost in all from here on, in units of work(); beyond it they tell nothing.
  void allow_searches(uint64_t work) { most_search_work_ = search_work_ + work; }
  uint64_t search_work() const { return search_work_; }
  // Derivatives that searches looked at, all together.
  uint64_t searched() const { return searched_; }

  // Work that was done, in units of one to four nanoseconds: lists and terms that were looked at,
  // and whatever else who uses the table spends. The same calls on an equal table cost the same on
  // every machine. Beyond what is allowed the table is full; what it then remembers counts for
  // nothing until rewind().
  void allow(uint64_t more) { most_work_ = work_ + more; }
  void allow_all() { most_work_ = std::numeric_limits<uint64_t>::max(); }
  void spend(uint64_t work) {
    work_ += work;
    if (work_ > most_work_) full_ = overworked_ = true;
  }
  uint64_t work() const { return work_; }
  bool overworked() const { return overworked_; }

  size_t size() const { return nodes_.size(); }
  bool full() const { return full_; }
  size_t bytes_held() const;

  // Terms made after a mark are forgotten by rewind() (and full() with them); those before stay.
  struct Mark {
    size_t nodes;
    size_t lists;
    size_t sets;
  };
  Mark mark() const { return {nodes_.size(), lists_.size(), sets_.size()}; }
  void rewind(const Mark& mark);

  // How a term is written, for who walks over it.
  enum class Kind : uint8_t {
    none,
    empty,
    bytes,     // set()
    sequence,  // children: what comes first, which is no sequence, and the rest
    either,    // children: at least two
    repeat,    // children: what; minimum(), maximum()
    both,      // children: at least two
    except,    // children: what
    call,      // rule()
    tokens,    // token_ids(), other_tokens()
  };
  Kind kind(Term t) const { return node(t).kind; }
  // Views end with the next operation.
  std::span<const Term> children(Term t) const;
  const ByteSet& set(Term t) const { return sets_[node(t).a()]; }
  uint32_t minimum(Term t) const { return node(t).b(); }
  uint32_t maximum(Term t) const { return node(t).c; }
  uint32_t rule(Term t) const { return node(t).a(); }
  std::span<const Term> token_list(Term t) const;  // the ids, as they are kept
  std::vector<int32_t> token_ids(Term t) const;
  bool other_tokens(Term t) const { return node(t).c != 0; }
  // Whether intersections or complements are in it, so that it may be none without looking so.
  bool fragile(Term t) const { return node(t).fragile; }

 private:
  struct Node {
    Kind kind = Kind::none;
    bool nullable = false;
    bool regular = true;
    bool fragile = false;
    // sequence, except, repeat: the children. bytes: the set. call: the rule. either, both, tokens:
    // place and count in lists_. repeat: its counts in b and c.
    std::array<Term, 2> of{};
    uint32_t c = 0;

    uint32_t a() const { return static_cast<uint32_t>(of[0]); }
    uint32_t b() const { return static_cast<uint32_t>(of[1]); }
  };
  struct Split {
    Term head;
    Term tail;
  };
  enum class Verdict : uint8_t { unknown, some, none };

  const Node& node(Term t) const { return nodes_[static_cast<uint32_t>(t)]; }
  Split split(Term t) const;
  Term intern(const Node& node);
  Term intern(Node node, std::span<const Term> list);  // the list is put into lists_
  bool same(const Node& node, std::span<const Term> list, Term t) const;
  uint64_t hash_of(const Node& node, std::span<const Term> list) const;

  Term join(Term first, Term then);  // `first` is no sequence
  void flatten(Kind kind, std::span<const Term> list, std::vector<Term>& out) const;
  bool simplify_choices(std::vector<Term>& choices);
  bool merge_by_tail(std::vector<Split>& parts);
  void merge_heads(std::vector<Term>& heads);
  Term intern_choices(const std::vector<Term>& choices);
  struct Choosing;
  bool next_group(Choosing& now, bool apart, std::vector<Term>& tails);
  Term known_choice(Choosing& now);

  Term digits(std::span<const Range> ranges, int count, uint32_t lead);

  uint32_t partition(Term t);
  uint32_t meet(uint32_t a, uint32_t b);
  uint32_t intern_partition(const std::array<uint8_t, 256>& of);
  Term* derived(Term t, uint8_t byte);  // where next(t, byte) is remembered
  template <typename What>
  void each_front(Term t, const What& what) const;
  bool lacks(Term t, uint8_t byte, std::vector<Term>& out);
  Term derive(Term t, uint8_t byte);
  Term one_less(Term repeat);
  bool surely_some(Term t);
  Verdict& verdict(Term t);
  std::optional<bool> find_text(Term t, size_t budget, std::string* text);
  std::optional<bool> search(Term t, size_t budget, std::string* text);

  size_t limit_;
  bool full_ = false;
  bool overworked_ = false;
  uint64_t work_ = 0;
  uint64_t most_work_ = std::numeric_limits<uint64_t>::max();
  uint64_t searched_ = 0;
  uint64_t search_work_ = 0;
  uint64_t most_search_work_ = std::numeric_limits<uint64_t>::max();
  std::vector<Node> nodes_;
  std::vector<Term> lists_;
  std::vector<ByteSet> sets_;
  Slots numbers_;
  std::unordered_map<uint64_t, Term> chosen_;  // of two, by both
  std::unordered_map<ByteSet, uint32_t> set_numbers_;

  std::vector<ByteClasses> partitions_;
  std::unordered_multimap<uint64_t, uint32_t> partition_numbers_;  // by hash
  std::unordered_map<uint64_t, uint32_t> meets_;
  std::vector<uint32_t> partition_of_;  // by term, plus 1; 0: not known
  std::vector<uint32_t> derived_at_;    // by term, in derived_, plus 1; 0: nothing yet
  std::vector<Term> derived_;
  std::vector<Verdict> verdicts_;
  std::unordered_map<Term, Term> pruned_;
};

}  // namespace skein::constrain
