#include "constrain/regex_places.h"

#include <algorithm>
#include <optional>

namespace skein::constrain::regex {
namespace {

constexpr size_t kMostSteps = 60'000;  // about 20 ms
// How often a part is written out that asks where it stands and is repeated.
constexpr uint32_t kMostCopies = 16;

// What a part matches: between classes `p` and `q` of the characters around it, texts that begin
// with class `f` and end with class `l`.
struct Table {
  std::vector<Term> texts;     // [p, f, l, q]; all but the empty one
  std::vector<uint8_t> empty;  // [p, q]
  bool asks_before = false;
  bool asks_behind = false;

  bool asks() const { return asks_before || asks_behind; }
};

class Places {
 public:
  Places(Terms& terms, const Syntax& syntax, const RegexOptions& options)
      : terms_(terms), syntax_(syntax), options_(options) {
    bool words = false;
    bool lines = false;
    for (const Node& node : syntax.nodes) {
      words = words || node.kind == Kind::boundary || node.kind == Kind::no_boundary;
      lines = lines || node.kind == Kind::line_begin || node.kind == Kind::line_end;
    }
    CharSet rest;
    if (words) {
      CharSet word('0', '9');
      word.add('A', 'Z');
      word.add('_');
      word.add('a', 'z');
      word_ = classes_.size();
      rest.add(word);
      classes_.push_back(std::move(word));
    }
    if (lines) {
      line_ = classes_.size();
      rest.add('\n');
      classes_.emplace_back('\n', '\n');
    }
    rest.negate();
    classes_.push_back(std::move(rest));
    edge_ = classes_.size();
  }

  Checked<Term> run() {
    std::vector<Table> tables;
    for (const Node& node : syntax_.nodes) {
      tables.push_back(table_of(node, tables));
      if (steps_ > kMostSteps || too_many_copies_)
        return tl::unexpected(Problems{
            {"constraint_too_large", "1:1",
             "the pattern asks too often where it stands (^, $ or \\b inside of groups that are "
             "repeated); write a simpler one"}});
    }
    const Table& whole = tables[syntax_.root];
    std::vector<Term> choices;
    if (is_empty(whole, edge_, edge_)) choices.push_back(Term::empty);
    for (size_t f = 0; f < edge_; ++f)
      for (size_t l = 0; l < edge_; ++l) choices.push_back(text(whole, edge_, f, l, edge_));
    return terms_.either(choices);
  }

 private:
  Table blank() const {
    Table table;
    table.texts.assign((edge_ + 1) * edge_ * edge_ * (edge_ + 1), Term::none);
    table.empty.assign((edge_ + 1) * (edge_ + 1), 0);
    return table;
  }

  size_t index(size_t p, size_t f, size_t l, size_t q) const {
    return ((p * edge_ + f) * edge_ + l) * (edge_ + 1) + q;
  }
  Term text(const Table& table, size_t p, size_t f, size_t l, size_t q) const {
    return table.texts[index(p, f, l, q)];
  }
  bool is_empty(const Table& table, size_t p, size_t q) const {
    return table.empty[p * (edge_ + 1) + q] != 0;
  }

  template <typename Make>
  void fill(Table& table, Make make) {
    for (size_t p = 0; p <= edge_; ++p)
      for (size_t f = 0; f < edge_; ++f)
        for (size_t l = 0; l < edge_; ++l)
          for (size_t q = 0; q <= edge_; ++q) table.texts[index(p, f, l, q)] = make(p, f, l, q);
  }
  template <typename Make>
  void fill_empty(Table& table, Make make) {
    for (size_t p = 0; p <= edge_; ++p)
      for (size_t q = 0; q <= edge_; ++q) table.empty[p * (edge_ + 1) + q] = make(p, q) ? 1 : 0;
  }

  Table table_of(const Node& node, const std::vector<Table>& tables) {
    switch (node.kind) {
      case Kind::set: return set_of(node.set);
      case Kind::sequence: {
        Table out = blank();
        fill_empty(out, [](size_t, size_t) { return true; });
        for (size_t n = node.parts.size(); n-- > 0;) out = sequence(tables[node.parts[n]], out);
        return out;
      }
      case Kind::choice: return choice(node, tables);
      case Kind::repeat: return repeat(tables[node.parts[0]], node.min, node.max);
      default: return assertion(node.kind);
    }
  }

  Table set_of(const CharSet& set) {
    std::vector<Term> by_class;
    for (const CharSet& one : classes_) {
      CharSet part = set;
      if (classes_.size() > 1) part.keep(one);
      by_class.push_back(spelled(terms_, options_, part));
    }
    Table out = blank();
    fill(out,
         [&](size_t, size_t f, size_t l, size_t) { return f == l ? by_class[f] : Term::none; });
    return out;
  }

  Table assertion(Kind kind) {
    const auto is_word = [&](size_t place) { return word_ == place; };
    const auto ends_line = [&](size_t place) { return place == edge_ || line_ == place; };
    Table out = blank();
    fill_empty(out, [&](size_t p, size_t q) {
      switch (kind) {
        case Kind::begin: return p == edge_;
        case Kind::end: return q == edge_;
        case Kind::line_begin: return ends_line(p);
        case Kind::line_end: return ends_line(q);
        case Kind::boundary: return is_word(p) != is_word(q);
        default: return is_word(p) == is_word(q);
      }
    });
    const bool is_boundary = kind == Kind::boundary || kind == Kind::no_boundary;
    out.asks_before = is_boundary || kind == Kind::begin || kind == Kind::line_begin;
    out.asks_behind = is_boundary || kind == Kind::end || kind == Kind::line_end;
    return out;
  }

  Table choice(const Node& node, const std::vector<Table>& tables) {
    Table out = blank();
    std::vector<Term> choices;
    fill(out, [&](size_t p, size_t f, size_t l, size_t q) {
      choices.clear();
      for (uint32_t part : node.parts) choices.push_back(text(tables[part], p, f, l, q));
      steps_ += choices.size();
      return terms_.either(choices);
    });
    for (uint32_t part : node.parts) {
      fill_empty(out, [&](size_t p, size_t q) {
        return is_empty(out, p, q) || is_empty(tables[part], p, q);
      });
      out.asks_before = out.asks_before || tables[part].asks_before;
      out.asks_behind = out.asks_behind || tables[part].asks_behind;
    }
    return out;
  }

  Table sequence(const Table& a, const Table& b) {
    Table out = blank();
    std::vector<Term> choices;
    fill(out, [&](size_t p, size_t f, size_t l, size_t q) {
      choices.clear();
      if (is_empty(a, p, f)) choices.push_back(text(b, p, f, l, q));
      if (is_empty(b, l, q)) choices.push_back(text(a, p, f, l, q));
      for (size_t x = 0; x < edge_; ++x) add_joined(choices, a, b, {p, f, x, l, q});
      return terms_.either(choices);
    });
    fill_empty(out, [&](size_t p, size_t q) { return is_empty(a, p, q) && is_empty(b, p, q); });
    out.asks_before = a.asks_before || b.asks_before;
    out.asks_behind = a.asks_behind || b.asks_behind;
    return out;
  }

  // A text of `a` that ends with class x, and then one of `b`, neither of them empty.
  struct Corners {
    size_t p, f, x, l, q;
  };
  void add_joined(std::vector<Term>& choices, const Table& a, const Table& b, Corners at) {
    std::vector<Term> behind;
    for (size_t y = 0; y < edge_; ++y) {
      ++steps_;
      behind.push_back(text(b, at.x, y, at.l, at.q));
      if (a.asks_behind)
        choices.push_back(terms_.sequence(text(a, at.p, at.f, at.x, y), behind.back()));
    }
    if (!a.asks_behind)
      choices.push_back(terms_.sequence(text(a, at.p, at.f, at.x, 0), terms_.either(behind)));
  }

  Table repeat(const Table& what, uint32_t min, uint32_t max) {
    Table out = blank();
    // What has no text of its own, as (^)*, has none however often.
    const bool any_text = std::any_of(what.texts.begin(), what.texts.end(),
                                      [](Term term) { return term != Term::none; });
    if (!any_text) max = 0;
    if (max > 0 && (!what.asks() || edge_ == 1)) {
      out = counted(what, min, max);
    } else if (max > 0) {
      const uint32_t copies = max == kUnbounded ? min : max;
      too_many_copies_ = too_many_copies_ || copies > kMostCopies;
      if (too_many_copies_) return out;
      Table maybe = max == kUnbounded ? any_times(what) : what;
      fill_empty(maybe, [](size_t, size_t) { return true; });
      fill_empty(out, [](size_t, size_t) { return true; });
      if (max == kUnbounded) out = maybe;
      for (uint32_t n = copies; n-- > 0;) out = sequence(n < min ? what : maybe, out);
    }
    fill_empty(out, [&](size_t p, size_t q) { return min == 0 || is_empty(what, p, q); });
    out.asks_before = what.asks_before;
    out.asks_behind = what.asks_behind;
    return out;
  }

  // With counts in the terms: where there is but one class of characters, so that it does not
  // matter what meets what, or where the part does not ask.
  Table counted(const Table& what, uint32_t min, uint32_t max) {
    std::vector<Term> all;
    for (size_t f = 0; f < edge_; ++f)
      for (size_t l = 0; l < edge_; ++l) all.push_back(text(what, 0, f, l, 0));
    const Term middle = terms_.either(all);
    const auto less = [](uint32_t count, uint32_t by) {
      return count == kUnbounded ? count : count - std::min(count, by);
    };
    Table out = blank();
    fill(out, [&](size_t p, size_t f, size_t l, size_t q) {
      ++steps_;
      // Empty texts fill the count up, where they may stand.
      const bool one_is_enough = min <= 1 || is_empty(what, p, f) || is_empty(what, l, q);
      const bool two_are_enough = one_is_enough || is_empty(what, 0, 0);
      if (edge_ == 1 && !what.asks()) return terms_.repeat(middle, one_is_enough ? 1 : min, max);
      const Term one = one_is_enough ? text(what, p, f, l, q) : Term::none;
      if (max < 2) return one;
      std::vector<Term> heads;
      std::vector<Term> tails;
      for (size_t n = 0; n < edge_; ++n) {
        heads.push_back(text(what, p, f, n, 0));
        tails.push_back(text(what, 0, n, l, q));
      }
      const uint32_t least = two_are_enough ? 0 : less(min, 2);
      const Term parts[] = {terms_.either(heads), terms_.repeat(middle, least, less(max, 2)),
                            terms_.either(tails)};
      return terms_.either(one, terms_.sequence(parts));
    });
    return out;
  }

  // Any number of texts. Where two of them meet, the classes of both characters are a state of an
  // automaton, whose arrows are texts (Kleene's construction).
  Table any_times(const Table& what) {
    const size_t states = edge_ * edge_;
    std::vector<Term> ways(states * states);  // [from, to]; more than none
    const auto way = [&](size_t from, size_t to) -> Term& { return ways[from * states + to]; };
    for (size_t from = 0; from < states; ++from)
      for (size_t to = 0; to < states; ++to)
        way(from, to) = text(what, from / edge_, from % edge_, to / edge_, to % edge_);
    for (size_t by = 0; by < states; ++by) {
      const std::vector<Term> before = ways;
      const Term loop = terms_.repeat(way(by, by), 0, kUnbounded);
      for (size_t from = 0; from < states; ++from)
        for (size_t to = 0; to < states; ++to) {
          ++steps_;
          const Term parts[] = {before[from * states + by], loop, before[by * states + to]};
          way(from, to) = terms_.either(before[from * states + to], terms_.sequence(parts));
        }
    }
    for (size_t state = 0; state < states; ++state)
      way(state, state) = terms_.optional(way(state, state));
    Table out = blank();
    std::vector<Term> choices;
    fill(out, [&](size_t p, size_t f, size_t l, size_t q) {
      choices = {text(what, p, f, l, q)};
      for (size_t from = 0; from < states; ++from)
        for (size_t to = 0; to < states; ++to) {
          ++steps_;
          const Term parts[] = {text(what, p, f, from / edge_, from % edge_), way(from, to),
                                text(what, to / edge_, to % edge_, l, q)};
          choices.push_back(terms_.sequence(parts));
        }
      return terms_.either(choices);
    });
    fill_empty(out, [](size_t, size_t) { return true; });
    out.asks_before = what.asks_before;
    out.asks_behind = what.asks_behind;
    return out;
  }

  Terms& terms_;
  const Syntax& syntax_;
  const RegexOptions& options_;
  std::vector<CharSet> classes_;
  std::optional<size_t> word_;
  std::optional<size_t> line_;
  size_t edge_ = 0;  // the class of no character: the text begins or ends
  size_t steps_ = 0;
  bool too_many_copies_ = false;
};

}  // namespace

Term spelled(Terms& terms, const RegexOptions& options, const CharSet& set) {
  return options.spelling(terms, set.ranges());
}

Checked<Term> with_places(Terms& terms, const Syntax& syntax, const RegexOptions& options) {
  if (!options.search) return Places(terms, syntax, options).run();
  Syntax anywhere = syntax;
  Node any;
  any.kind = Kind::set;
  any.set = CharSet::all();
  const auto add = [&](Node node) {
    anywhere.nodes.push_back(std::move(node));
    return static_cast<uint32_t>(anywhere.nodes.size() - 1);
  };
  Node text;
  text.kind = Kind::repeat;
  text.max = kUnbounded;
  text.parts = {add(std::move(any))};
  const uint32_t around = add(std::move(text));
  Node whole;
  whole.parts = {around, syntax.root, around};
  anywhere.root = add(std::move(whole));
  return Places(terms, anywhere, options).run();
}

}  // namespace skein::constrain::regex
