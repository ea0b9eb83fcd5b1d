#include "constrain/term.h"

#include <algorithm>

#include "base/check.h"

namespace skein::constrain {
namespace {

uint32_t number(Term t) { return static_cast<uint32_t>(t); }

void sort_once_each(std::vector<Term>& terms) {
  std::sort(terms.begin(), terms.end());
  terms.erase(std::unique(terms.begin(), terms.end()), terms.end());
}

}  // namespace

Terms::Terms(size_t limit) : limit_(std::max<size_t>(limit, 8)) {
  nodes_.push_back({});
  nodes_.push_back({.kind = Kind::empty, .nullable = true});
  ByteSet all;
  all.set();
  SK_CHECK(bytes(all) == any_byte());
  SK_CHECK(repeat(any_byte(), 0, kUnbounded) == any_bytes());
}

// ---- one of each
// ----------------------------------------------------------------------------------

uint64_t Terms::hash_of(const Node& node, std::span<const Term> list) const {
  uint64_t hash = mixed(static_cast<uint64_t>(node.kind), node.b());
  hash = mixed(hash, node.c);
  if (list.empty()) return mixed(hash, node.a());
  for (const Term t : list) hash = mixed(hash, number(t));
  return hash;
}

bool Terms::same(const Node& node, std::span<const Term> list, Term t) const {
  const Node& other = this->node(t);
  if (node.kind != other.kind || node.b() != other.b() || node.c != other.c) return false;
  return list.empty() ? node.a() == other.a() : std::ranges::equal(list, token_list(t));
}

Term Terms::intern(const Node& node) { return intern(node, {}); }

Term Terms::intern(Node node, std::span<const Term> list) {
  spend(4 + list.size());
  if (!list.empty()) node.of[1] = Term{static_cast<uint32_t>(list.size())};
  const uint64_t hash = hash_of(node, list);
  const uint32_t known = numbers_.find(hash, [&](uint32_t n) { return same(node, list, Term{n}); });
  if (known != Slots::kNone) return Term{known};
  if (full_ || nodes_.size() >= limit_ || lists_.size() + list.size() > limit_ * 8) {
    full_ = true;
    return Term::none;
  }
  if (!list.empty()) {
    node.of[0] = Term{static_cast<uint32_t>(lists_.size())};
    lists_.insert(lists_.end(), list.begin(), list.end());
  }
  numbers_.add(hash, static_cast<uint32_t>(nodes_.size()));
  nodes_.push_back(node);
  return Term{static_cast<uint32_t>(nodes_.size() - 1)};
}

void Terms::rewind(const Mark& mark) {
  nodes_.resize(mark.nodes);
  lists_.resize(mark.lists);
  for (auto it = set_numbers_.begin(); it != set_numbers_.end();)
    it = it->second >= mark.sets ? set_numbers_.erase(it) : std::next(it);
  sets_.resize(mark.sets);
  numbers_.clear();
  for (uint32_t t = 2; t < nodes_.size(); ++t) {
    const Node& n = nodes_[t];
    const bool listed = n.kind == Kind::either || n.kind == Kind::both || n.kind == Kind::tokens;
    numbers_.add(hash_of(n, listed ? token_list(Term{t}) : std::span<const Term>()), t);
  }
  partition_of_.resize(std::min(partition_of_.size(), nodes_.size()));
  verdicts_.resize(std::min(verdicts_.size(), nodes_.size()));
  // What is remembered of older terms may name younger ones.
  derived_at_.clear();
  derived_.clear();
  pruned_.clear();
  chosen_.clear();
  full_ = overworked_ = false;
}

size_t Terms::bytes_held() const {
  constexpr size_t kMapEntry = 48;
  return nodes_.capacity() * sizeof(Node) + lists_.capacity() * sizeof(Term) +
         sets_.capacity() * sizeof(ByteSet) + numbers_.bytes_held() +
         set_numbers_.size() * (kMapEntry + sizeof(ByteSet)) +
         partitions_.size() * (sizeof(ByteClasses) + 64) +
         (partition_numbers_.size() + meets_.size() + pruned_.size() + chosen_.size()) * kMapEntry +
         (partition_of_.capacity() + derived_at_.capacity()) * sizeof(uint32_t) +
         derived_.capacity() * sizeof(Term) + verdicts_.capacity();
}

// ---- what a term consists of
// ----------------------------------------------------------------------

std::span<const Term> Terms::children(Term t) const {
  const Node& n = node(t);
  switch (n.kind) {
    case Kind::sequence: return n.of;
    case Kind::repeat:
    case Kind::except: return std::span(n.of).first(1);
    case Kind::either:
    case Kind::both: return token_list(t);
    default: return {};
  }
}

std::span<const Term> Terms::token_list(Term t) const {
  return std::span(lists_).subspan(node(t).a(), node(t).b());
}

std::vector<int32_t> Terms::token_ids(Term t) const {
  std::vector<int32_t> ids;
  for (const Term id : token_list(t)) ids.push_back(static_cast<int32_t>(id));
  return ids;
}

Terms::Split Terms::split(Term t) const {
  const Node& n = node(t);
  return n.kind == Kind::sequence ? Split{n.of[0], n.of[1]} : Split{t, Term::empty};
}

// ---- leaves
// ---------------------------------------------------------------------------------------

Term Terms::bytes(const ByteSet& set) {
  if (set.none()) return Term::none;
  spend(8);
  const auto [it, fresh] = set_numbers_.try_emplace(set, static_cast<uint32_t>(sets_.size()));
  if (fresh) sets_.push_back(set);
  return intern({.kind = Kind::bytes, .of = {Term{it->second}}});
}

Term Terms::byte_range(uint8_t first, uint8_t last) {
  ByteSet set;
  for (int byte = first; byte <= last; ++byte) set.set(static_cast<size_t>(byte));
  return bytes(set);
}

Term Terms::call(uint32_t rule) {
  return intern({.kind = Kind::call, .regular = false, .of = {Term{rule}}});
}

Term Terms::tokens(std::span<const int32_t> ids, bool other) {
  std::vector<Term> list;
  for (const int32_t id : ids) list.push_back(static_cast<Term>(id));
  sort_once_each(list);
  if (list.empty() && !other) return Term::none;
  return intern({.kind = Kind::tokens, .regular = false, .c = other}, list);
}

// ---- sequences
// ------------------------------------------------------------------------------------

Term Terms::join(Term first, Term then) {
  if (first == Term::none || then == Term::none) return Term::none;
  if (first == Term::empty) return then;
  if (then == Term::empty) return first;
  const Split rest = split(then);
  const Node& a = node(first);
  const Node& b = node(rest.head);
  if (a.kind == Kind::repeat && b.kind == Kind::repeat && a.a() == b.a()) {
    const uint64_t min = uint64_t{a.b()} + b.b();
    const bool unbounded = a.c == kUnbounded || b.c == kUnbounded;
    const uint64_t max = unbounded ? kUnbounded : uint64_t{a.c} + b.c;
    if (min < kUnbounded && (unbounded || max < kUnbounded)) {
      Node merged = a;
      merged.of[1] = Term{static_cast<uint32_t>(min)};
      merged.c = static_cast<uint32_t>(max);
      merged.nullable = a.nullable && b.nullable;
      return join(intern(merged), rest.tail);  // once: the rest begins with no such repetition
    }
  }
  const Node& t = node(then);
  return intern({.kind = Kind::sequence,
                 .nullable = a.nullable && t.nullable,
                 .regular = a.regular && t.regular,
                 .fragile = a.fragile || t.fragile,
                 .of = {first, then}});
}

Term Terms::sequence(Term first, Term then) {
  if (kind(first) != Kind::sequence || then == Term::empty) return join(first, then);
  std::vector<Term> heads;
  while (kind(first) == Kind::sequence) {
    heads.push_back(split(first).head);
    first = split(first).tail;
  }
  then = join(first, then);
  for (size_t n = heads.size(); n > 0; --n) then = join(heads[n - 1], then);
  return then;
}

Term Terms::sequence(std::span<const Term> parts) {
  Term out = Term::empty;
  for (size_t n = parts.size(); n > 0; --n) out = sequence(parts[n - 1], out);
  return out;
}

// ---- repetitions
// ----------------------------------------------------------------------------------

Term Terms::repeat(Term what, uint32_t min, uint32_t max) {
  if (min > max) return Term::none;
  if (what == Term::empty || max == 0) return Term::empty;
  if (what == Term::none) return min == 0 ? Term::empty : Term::none;
  if (nullable(what)) min = 0;
  if (kind(what) == Kind::either && nullable(what)) {
    std::vector<Term> rest(children(what).begin(), children(what).end());
    if (std::erase(rest, Term::empty) > 0) what = either(rest);
  }
  if (kind(what) == Kind::repeat) {
    const Node inner = node(what);
    // Counts min*m to max*n without a gap: after k rounds at most k*n, with one more at least
    // (k+1)*m.
    const bool unbounded = inner.c == kUnbounded || max == kUnbounded;
    const bool contiguous =
        min == max ||
        (inner.c == kUnbounded ? min > 0 || inner.b() <= 1
                               : uint64_t{min} * inner.c + 1 >= (uint64_t{min} + 1) * inner.b());
    const uint64_t least = uint64_t{min} * inner.b();
    const uint64_t most = unbounded ? kUnbounded : uint64_t{max} * inner.c;
    if (contiguous && least < kUnbounded && (unbounded || most < kUnbounded)) {
      what = inner.of[0];
      min = static_cast<uint32_t>(least);
      max = static_cast<uint32_t>(most);
    }
  }
  if (min == 1 && max == 1) return what;
  if (min == 0 && max == 1) return either(what, Term::empty);
  const Node& body = node(what);
  return intern({.kind = Kind::repeat,
                 .nullable = min == 0,
                 .regular = body.regular,
                 .fragile = body.fragile,
                 .of = {what, Term{min}},
                 .c = max});
}

// ---- intersections and complements
// ----------------------------------------------------------------

Term Terms::both(Term a, Term b) {
  const std::array pair = {a, b};
  return both(pair);
}

Term Terms::both(std::span<const Term> all) {
  std::vector<Term> parts;
  flatten(Kind::both, all, parts);
  spend(4 * parts.size());
  sort_once_each(parts);
  std::erase(parts, any_bytes());
  if (parts.empty()) return any_bytes();
  if (parts.front() == Term::none) return Term::none;
  bool nullable = true;
  ByteSet common;
  common.set();
  size_t sets = 0;
  for (const Term t : parts) {
    SK_CHECK(regular(t) || full_);
    nullable = nullable && node(t).nullable;
    if (kind(t) == Kind::bytes) common &= set(t), ++sets;
    if (kind(t) == Kind::except && std::ranges::binary_search(parts, node(t).of[0]))
      return Term::none;
  }
  if (parts.front() == Term::empty) return nullable ? Term::empty : Term::none;
  if (sets > 1) {
    std::erase_if(parts, [&](Term t) { return kind(t) == Kind::bytes; });
    const Term met = bytes(common);
    if (met == Term::none) return Term::none;
    parts.insert(std::ranges::lower_bound(parts, met), met);
  }
  if (parts.size() == 1) return parts.front();
  return intern({.kind = Kind::both, .nullable = nullable, .fragile = true}, parts);
}

Term Terms::except(Term what) {
  SK_CHECK(regular(what) || full_);
  if (what == Term::none) return any_bytes();
  if (what == any_bytes()) return Term::none;
  if (kind(what) == Kind::except) return node(what).of[0];
  return intern({.kind = Kind::except, .nullable = !nullable(what), .fragile = true, .of = {what}});
}

}  // namespace skein::constrain
