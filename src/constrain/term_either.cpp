// Choices, written so that equal ones are the same term (term.h says by which laws).
#include <algorithm>

#include "constrain/term.h"

namespace skein::constrain {

Term Terms::either(Term a, Term b) {
  if (a == b || b == Term::none) return a;
  if (a == Term::none) return b;
  const std::array pair = {a, b};
  return either(pair);
}

// Members of members of this kind are members.
void Terms::flatten(Kind kind, std::span<const Term> list, std::vector<Term>& out) const {
  for (const Term t : list) {
    if (this->kind(t) == kind)
      out.insert(out.end(), children(t).begin(), children(t).end());
    else
      out.push_back(t);
  }
}

// Leaves them sorted, each once, without what others allow anyway. False: one or none is left.
bool Terms::simplify_choices(std::vector<Term>& choices) {
  std::vector<Term> flat;
  flatten(Kind::either, choices, flat);
  spend(8 * flat.size());
  std::sort(flat.begin(), flat.end());
  flat.erase(std::unique(flat.begin(), flat.end()), flat.end());
  if (!flat.empty() && flat.front() == Term::none) flat.erase(flat.begin());
  const bool regular_only =
      std::all_of(flat.begin(), flat.end(), [&](Term t) { return regular(t); });
  for (const Term t : flat)
    if (regular_only && (t == any_bytes() || (kind(t) == Kind::except &&
                                              std::ranges::binary_search(flat, node(t).of[0])))) {
      choices = {any_bytes()};
      return false;
    }
  if (flat.size() > 1 && flat.front() == Term::empty &&
      std::any_of(flat.begin() + 1, flat.end(), [&](Term t) { return nullable(t); }))
    flat.erase(flat.begin());
  choices = std::move(flat);
  return choices.size() > 1;
}

// Of parts that go on alike: byte sets become one, and so do counts of one thing that touch.
bool Terms::merge_by_tail(std::vector<Split>& parts) {
  std::sort(parts.begin(), parts.end(), [](const Split& a, const Split& b) {
    return a.tail != b.tail ? a.tail < b.tail : a.head < b.head;
  });
  const size_t before = parts.size();
  std::vector<Split> out;
  std::vector<Term> heads;
  for (size_t begin = 0, end = 0; begin < parts.size(); begin = end) {
    while (end < parts.size() && parts[end].tail == parts[begin].tail) ++end;
    heads.clear();
    for (size_t n = begin; n < end; ++n) heads.push_back(parts[n].head);
    if (heads.size() > 1) merge_heads(heads);
    for (const Term head : heads) out.push_back({head, parts[begin].tail});
  }
  parts = std::move(out);
  return parts.size() < before;
}

void Terms::merge_heads(std::vector<Term>& heads) {
  struct Count {
    Term what;
    uint32_t min;
    uint32_t max;
    bool merged;
  };
  std::vector<Count> counts;
  for (const Term t : heads) {
    const Node& n = node(t);
    counts.push_back(n.kind == Kind::repeat ? Count{n.of[0], n.b(), n.c, true}
                                            : Count{t, 1, 1, false});
  }
  std::sort(counts.begin(), counts.end(), [](const Count& a, const Count& b) {
    return a.what != b.what ? a.what < b.what : a.min < b.min;
  });
  heads.clear();
  ByteSet united;
  size_t sets = 0;
  for (size_t n = 0; n < counts.size();) {
    Count one = counts[n++];
    while (n < counts.size() && counts[n].what == one.what &&
           (one.max == kUnbounded || counts[n].min <= one.max + 1)) {
      one.max = std::max(one.max, counts[n++].max);
      one.merged = true;
    }
    const Node& body = node(one.what);
    if (one.merged) {
      heads.push_back(intern({.kind = Kind::repeat,
                              .nullable = one.min == 0,
                              .regular = body.regular,
                              .fragile = body.fragile,
                              .of = {one.what, Term{one.min}},
                              .c = one.max}));
    } else if (body.kind == Kind::bytes) {
      united |= set(one.what), ++sets;
    } else {
      heads.push_back(one.what);
    }
  }
  if (sets > 0) heads.push_back(bytes(united));
}

Term Terms::intern_choices(const std::vector<Term>& choices) {
  bool nullable = false, regular = true, fragile = false;
  for (const Term t : choices) {
    nullable = nullable || node(t).nullable;
    regular = regular && node(t).regular;
    fragile = fragile || node(t).fragile;
  }
  return intern(
      {.kind = Kind::either, .nullable = nullable, .regular = regular, .fragile = fragile},
      choices);
}

// Choices of what follows a common beginning are choices again: a stack of those that wait for one.
struct Terms::Choosing {
  std::vector<Term> choices;
  uint64_t pair = 0;         // two choices, to be remembered by
  std::vector<Split> parts;  // by head
  std::vector<Split> done;
  size_t at = 0;
  bool ready = false;  // parts were made
};

// Puts parts into done until one head has several tails, which are given to `tails`; with `apart`,
// all.
bool Terms::next_group(Choosing& now, bool apart, std::vector<Term>& tails) {
  while (now.at < now.parts.size()) {
    const Term head = now.parts[now.at].head;
    tails.clear();
    for (; now.at < now.parts.size() && now.parts[now.at].head == head; ++now.at)
      tails.push_back(now.parts[now.at].tail);
    if (tails.size() > 1 && !apart) return true;
    for (const Term tail : tails) now.done.push_back({head, tail});
  }
  return false;
}

// What two choices became before; they are sorted.
Term Terms::known_choice(Choosing& now) {
  if (now.choices.size() != 2) return Term::none;
  const uint64_t pair =
      static_cast<uint64_t>(now.choices[0]) << 32 | static_cast<uint32_t>(now.choices[1]);
  if (now.pair == 0) now.pair = pair;
  const auto known = chosen_.find(pair);
  return known == chosen_.end() ? Term::none : known->second;
}

Term Terms::either(std::span<const Term> choices) {
  // Two automata beside each other have pairs of states; ways to come to a pair there are without
  // end. What is left after that stays apart, and derivatives take it together as far as it is
  // read.
  constexpr size_t kMostJoined = 1'000;
  size_t joined = 0;
  std::vector<Choosing> stack(1);
  stack.back().choices.assign(choices.begin(), choices.end());
  std::vector<Term> tails;
  while (true) {
    if (full_) return Term::none;
    Choosing& now = stack.back();
    std::optional<Term> result;
    if (!now.ready) {
      if (!simplify_choices(now.choices)) {
        result = now.choices.empty() ? Term::none : now.choices.front();
      } else if (const Term known = known_choice(now); known != Term::none) {
        result = known;
      } else {
        now.parts.clear(), now.done.clear(), now.at = 0;
        for (const Term t : now.choices) now.parts.push_back(split(t));
        std::sort(now.parts.begin(), now.parts.end(), [](const Split& a, const Split& b) {
          return a.head != b.head ? a.head < b.head : a.tail < b.tail;
        });
        now.ready = true;
      }
    }
    if (!result) {
      if (next_group(now, joined >= kMostJoined, tails)) {
        ++joined;
        stack.emplace_back().choices = tails;
        continue;
      }
      const bool merged = merge_by_tail(now.done);
      if (!merged && now.done.size() == now.choices.size()) {
        result = intern_choices(now.choices);
      } else {
        now.choices.clear();
        for (const Split& part : now.done) now.choices.push_back(sequence(part.head, part.tail));
        now.ready = false;
        continue;
      }
    }
    if (now.pair != 0 && !full_) chosen_.emplace(now.pair, *result);
    stack.pop_back();
    if (stack.empty()) return *result;
    Choosing& above = stack.back();
    above.done.push_back({above.parts[above.at - 1].head, *result});
  }
}

}  // namespace skein::constrain
