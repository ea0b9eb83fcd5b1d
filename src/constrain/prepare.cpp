#include "constrain/prepare.h"

#include <algorithm>
#include <array>

namespace skein::constrain {
namespace {

using Kind = Terms::Kind;

constexpr Term kUnset{0xffffffff};
constexpr size_t kLongestInlined = 32;        // parts of a sequence
constexpr size_t kMostDerivatives = 200'000;  // to find what is empty, in one grammar
constexpr uint64_t kMostWork = 50'000'000;    // of one grammar, in the units of Terms::work()

size_t place(Term t) { return static_cast<uint32_t>(t); }

Problem too_large() {
  return {
      "constraint_too_large", "",
      "this constraint is too large: it takes more memory or time than one may; make it smaller"};
}

// What the root reaches, and who consists of whom; a call consists of its rule's body.
class Reached {
 public:
  explicit Reached(const Grammar& grammar) : grammar_(grammar), known_(grammar.terms.size()) {
    visit(grammar.root);
    for (size_t n = 0; n < terms_.size(); ++n) {
      const Term t = terms_[n];
      each_part(t, [&](Term part) { visit(part); });
    }
    first_.assign(known_.size() + 1, 0);
    for (const Term t : terms_) each_part(t, [&](Term part) { ++first_[place(part) + 1]; });
    for (size_t n = 1; n < first_.size(); ++n) first_[n] += first_[n - 1];
    users_.resize(first_.back());
    std::vector<uint32_t> at(first_.begin(), first_.end() - 1);
    for (const Term t : terms_) each_part(t, [&](Term part) { users_[at[place(part)]++] = t; });
  }

  std::span<const Term> terms() const { return terms_; }
  std::span<const Term> users(Term t) const {
    return std::span(users_).subspan(first_[place(t)], first_[place(t) + 1] - first_[place(t)]);
  }
  size_t parts(Term t) const {
    return grammar_.terms.kind(t) == Kind::call ? 1 : grammar_.terms.children(t).size();
  }

 private:
  template <typename What>
  void each_part(Term t, const What& what) const {
    if (grammar_.terms.kind(t) == Kind::call)
      what(grammar_.rules[grammar_.terms.rule(t)]);
    else
      for (const Term part : grammar_.terms.children(t)) what(part);
  }
  void visit(Term t) {
    if (known_[place(t)]) return;
    known_[place(t)] = true;
    terms_.push_back(t);
  }

  const Grammar& grammar_;
  std::vector<bool> known_;
  std::vector<Term> terms_;
  std::vector<uint32_t> first_;
  std::vector<Term> users_;
};

// How many of its parts have to be of a kind so that a term is.
enum class Parts : uint8_t { all, any, none_suffices };

// Terms of a kind, from the leaves up.
template <typename Leaf, typename Of>
std::vector<bool> spread(const Grammar& grammar, const Reached& reached, const Leaf& leaf,
                         const Of& of) {
  std::vector<bool> holds(grammar.terms.size());
  std::vector<uint32_t> missing(grammar.terms.size());
  std::vector<Term> ready;
  const auto mark = [&](Term t) {
    if (holds[place(t)]) return;
    holds[place(t)] = true;
    ready.push_back(t);
  };
  for (const Term t : reached.terms()) {
    missing[place(t)] = static_cast<uint32_t>(reached.parts(t));
    if (leaf(t)) mark(t);
  }
  while (!ready.empty()) {
    const Term t = ready.back();
    ready.pop_back();
    for (const Term user : reached.users(t)) {
      const Parts parts = of(user);
      const bool last = --missing[place(user)] == 0;
      if (parts == Parts::any || (parts == Parts::all && last)) mark(user);
    }
  }
  return holds;
}

// Writes the terms that a root reaches into another table.
class Writer {
 public:
  Writer(const Grammar& from, const Reached& reached, const ByteSet& writable, uint64_t work)
      : from_(from), all_writable_(writable.all()), writable_(writable) {
    out_.terms.allow(work);
    const Terms& terms = from.terms;
    regular_ = spread(
        from, reached,
        [&](Term t) {
          return terms.kind(t) != Kind::tokens && terms.kind(t) != Kind::call &&
                 terms.children(t).empty();
        },
        [](Term) { return Parts::all; });
    nullable_ = spread(
        from, reached, [&](Term t) { return terms.nullable(t); },
        [&](Term t) {
          if (terms.regular(t)) return Parts::none_suffices;  // nullable() knows
          return terms.kind(t) == Kind::either ? Parts::any : Parts::all;
        });
    written_.resize(2 * terms.size(), kUnset);
    numbers_.resize(from.rules.size(), kNoNumber);
  }

  Checked<Prepared> write() {
    out_.root = write(from_.root);
    for (size_t n = 0; n < origins_.size(); ++n)
      out_.rules.push_back(write(from_.rules[origins_[n]]));
    if (out_.terms.full() || undecided_) return tl::unexpected(Problems{too_large()});
    return std::move(out_);
  }

 private:
  static constexpr uint32_t kNoNumber = 0xffffffff;

  // Below intersections and complements bytes keep their meaning, and what is written is cut after.
  struct Work {
    Term term;
    bool logic;
  };
  Term& written(Work work) { return written_[2 * place(work.term) + work.logic]; }

  bool logical(Term t) const {
    return from_.terms.kind(t) == Kind::both || from_.terms.kind(t) == Kind::except;
  }

  Term write(Term root) {
    std::vector<Work> stack{{root, all_writable_}};
    while (!stack.empty()) {
      const Work now = stack.back();
      if (written(now) != kUnset) {
        stack.pop_back();
        continue;
      }
      const size_t depth = stack.size();
      const auto need = [&](Work work) {
        if (written(work) == kUnset) stack.push_back(work);
      };
      if (logical(now.term) && !now.logic) {
        need({now.term, true});
      } else if (from_.terms.kind(now.term) == Kind::call) {
        const Term body = from_.rules[from_.terms.rule(now.term)];
        if (regular_[place(body)]) need({body, now.logic});
      } else {
        for (const Term part : from_.terms.children(now.term)) need({part, now.logic});
      }
      if (stack.size() > depth) continue;
      written(now) = written_now(now);
      stack.pop_back();
    }
    return written({root, all_writable_});
  }

  Term written_now(Work now) {
    Terms& to = out_.terms;
    const Terms& terms = from_.terms;
    const Term t = now.term;
    const auto part = [&](size_t n) { return written({terms.children(t)[n], now.logic}); };
    const auto parts = [&] {
      std::vector<Term> all;
      for (size_t n = 0; n < terms.children(t).size(); ++n) all.push_back(part(n));
      return all;
    };
    if (logical(t) && !now.logic)
      return some(to.both(written({t, true}), to.repeat(to.bytes(writable_), 0, kUnbounded)));
    switch (terms.kind(t)) {
      case Kind::none: return Term::none;
      case Kind::empty: return Term::empty;
      case Kind::bytes: return to.bytes(now.logic ? terms.set(t) : terms.set(t) & writable_);
      case Kind::sequence: return to.sequence(part(0), part(1));
      case Kind::either: return to.either(parts());
      case Kind::repeat: return to.repeat(part(0), terms.minimum(t), terms.maximum(t));
      case Kind::both: return some(to.both(parts()));
      case Kind::except: return some(to.except(part(0)));
      case Kind::tokens: return to.tokens(terms.token_ids(t), terms.other_tokens(t));
      case Kind::call: return call(t, now.logic);
    }
    return Term::none;
  }

  Term call(Term t, bool logic) {
    const uint32_t rule = from_.terms.rule(t);
    const Term body = from_.rules[rule];
    if (regular_[place(body)]) {
      const Term inlined = written({body, logic});
      size_t length = 1;
      for (Term rest = inlined;
           out_.terms.kind(rest) == Kind::sequence && length <= kLongestInlined;
           rest = out_.terms.children(rest)[1])
        ++length;
      if (length <= kLongestInlined) return inlined;
    }
    if (numbers_[rule] == kNoNumber) {
      numbers_[rule] = static_cast<uint32_t>(origins_.size());
      origins_.push_back(rule);
    }
    const Term called = out_.terms.call(numbers_[rule]);
    return nullable_[place(body)] ? out_.terms.optional(called) : called;
  }

  // None, if that is what it is.
  Term some(Term t) {
    if (!out_.terms.regular(t)) return t;
    if (out_.terms.searched() >= kMostDerivatives) undecided_ = true;
    if (undecided_) return t;
    const auto none = out_.terms.is_none(t, kMostDerivatives - out_.terms.searched());
    undecided_ = !none;
    return none.value_or(false) ? Term::none : t;
  }

  const Grammar& from_;
  const bool all_writable_;
  const ByteSet writable_;
  std::vector<bool> regular_;   // with calls of regular rules
  std::vector<bool> nullable_;  // with calls of nullable rules
  std::vector<Term> written_;
  std::vector<uint32_t> numbers_;  // of rules, where they are written
  std::vector<uint32_t> origins_;
  Prepared out_;
  bool undecided_ = false;
};

// Needs of all terms that the root reaches, the smallest first (Knuth 1977, after Dijkstra): what
// is taken from the queue cannot become smaller.
class Needs {
 public:
  Needs(const Grammar& grammar, const Reached& reached)
      : grammar_(grammar), reached_(reached), values_(2 * grammar.terms.size(), kImpossible) {
    for (const Term t : reached.terms()) {
      const bool absent = grammar.terms.kind(t) == Kind::repeat && grammar.terms.minimum(t) == 0;
      if (t == Term::none) continue;
      if (grammar.terms.regular(t) || grammar.terms.kind(t) == Kind::tokens || absent)
        for (const bool inside : {false, true}) lower(t, inside, 0);
    }
    for (size_t level = 0; level < queue_.size(); ++level)
      for (size_t n = 0; n < queue_[level].size(); ++n) settle(queue_[level][n], level);
  }

  uint16_t at_end(Term t) const { return values_[2 * place(t)]; }

 private:
  uint16_t value(Term t, bool inside) const { return values_[2 * place(t) + inside]; }

  void lower(Term t, bool inside, size_t value) {
    uint16_t& known = values_[2 * place(t) + inside];
    if (value >= known) return;
    known = static_cast<uint16_t>(value);
    if (queue_.size() <= value) queue_.resize(value + 1);
    queue_[value].push_back(2 * place(t) + inside);
  }

  void settle(size_t number, size_t level) {
    if (values_[number] != level) return;
    const Term t{static_cast<uint32_t>(number / 2)};
    const bool inside = number % 2 != 0;
    const Terms& terms = grammar_.terms;
    for (const Term user : reached_.users(t)) {
      switch (terms.kind(user)) {
        case Kind::call:
          if (!inside) lower(user, false, level), lower(user, true, level + 1);
          break;
        case Kind::either: lower(user, inside, level); break;
        case Kind::repeat:
          if (inside) lower(user, false, level), lower(user, true, level);
          break;
        case Kind::sequence: {
          const Term first = terms.children(user)[0], rest = terms.children(user)[1];
          for (const bool in : {false, true})
            lower(user, in, std::max(value(first, true), value(rest, in)));
          break;
        }
        default: break;
      }
    }
  }

  const Grammar& grammar_;
  const Reached& reached_;
  std::vector<uint16_t> values_;
  std::vector<std::vector<size_t>> queue_;
};

}  // namespace

Checked<Prepared> prepare(Grammar&& grammar, const ByteSet& writable) {
  if (grammar.terms.full() || grammar.rules.size() > Grammar::kMostRules)
    return tl::unexpected(Problems{too_large()});
  // The second time only where rules were found that never end.
  for (uint64_t work = 0;;) {
    const Reached reached(grammar);
    auto written = Writer(grammar, reached, writable, kMostWork - work).write();
    if (!written) return written;
    work += written->terms.work();
    Grammar left{std::move(written->terms), std::move(written->rules), written->root};
    const Needs needs(left, Reached(left));
    if (left.root == Term::none || needs.at_end(left.root) == kImpossible)
      return tl::unexpected(Problems{{"unsatisfiable", "", "no text satisfies this constraint"}});
    bool endless = false;
    std::vector<uint16_t> rule_needs;
    for (Term& body : left.rules) {
      rule_needs.push_back(needs.at_end(body));
      if (rule_needs.back() == kImpossible) endless = true, body = Term::none;
    }
    if (!endless)
      return Prepared{std::move(left.terms), std::move(left.rules), std::move(rule_needs),
                      left.root};
    grammar = std::move(left);
  }
}

}  // namespace skein::constrain
