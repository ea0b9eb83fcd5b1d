// Reading a byte: derivatives, and what can be known by taking many of them.
#include <algorithm>
#include <cctype>
#include <unordered_set>

#include "constrain/term.h"

namespace skein::constrain {
namespace {

constexpr Term kUnset{0xffffffff};

// Groups beyond this many stay unjoined: each byte by itself is always right.
constexpr size_t kMostPartitions = 4096;
constexpr uint32_t kOneGroup = 1, kEachByte = 2;  // numbers of partitions, plus 1

int reads_well(uint8_t byte) {
  if (byte >= 'a' && byte <= 'z') return 5;
  if (byte >= '0' && byte <= '9') return 4;
  if (byte >= 'A' && byte <= 'Z') return 3;
  return byte == ' ' ? 2 : byte > ' ' && byte < 0x7f ? 1 : 0;
}

size_t place(Term t) { return static_cast<uint32_t>(t); }

}  // namespace

// ---- groups of bytes
// ------------------------------------------------------------------------------

// `of` numbers its groups as they first appear, so that equal partitions are equal arrays. Plus 1.
uint32_t Terms::intern_partition(const std::array<uint8_t, 256>& of) {
  uint64_t hash = 0xcbf29ce484222325;
  for (const uint8_t group : of) hash = (hash ^ group) * 0x100000001b3;
  const auto [begin, end] = partition_numbers_.equal_range(hash);
  for (auto it = begin; it != end; ++it)
    if (partitions_[it->second - 1].of == of) return it->second;
  if (partitions_.size() >= kMostPartitions) return kEachByte;
  ByteClasses made{of, {}};
  for (int byte = 0; byte < 256; ++byte) {
    const uint8_t group = of[static_cast<size_t>(byte)];
    if (group == made.representatives.size()) made.representatives.push_back(0);
    uint8_t& best = made.representatives[group];
    if (of[best] != group || reads_well(static_cast<uint8_t>(byte)) > reads_well(best))
      best = static_cast<uint8_t>(byte);
  }
  partitions_.push_back(std::move(made));
  const auto number = static_cast<uint32_t>(partitions_.size());
  partition_numbers_.emplace(hash, number);
  return number;
}

uint32_t Terms::meet(uint32_t a, uint32_t b) {
  if (a == b || b == kOneGroup) return a;
  if (a == kOneGroup) return b;
  if (a == kEachByte || b == kEachByte) return kEachByte;
  if (a > b) std::swap(a, b);
  const uint64_t key = uint64_t{a} << 32 | b;
  if (const auto known = meets_.find(key); known != meets_.end()) return known->second;
  spend(64);
  const ByteClasses& one = partitions_[a - 1];
  const ByteClasses& other = partitions_[b - 1];
  std::vector<int> numbers(one.count() * other.count(), -1);
  std::array<uint8_t, 256> of{};
  int next = 0;
  for (size_t byte = 0; byte < 256; ++byte) {
    int& number = numbers[one.of[byte] * other.count() + other.of[byte]];
    if (number < 0) number = next++;
    of[byte] = static_cast<uint8_t>(number);
  }
  const uint32_t met = intern_partition(of);
  if (meets_.size() < 16 * kMostPartitions) meets_.emplace(key, met);
  return met;
}

// Those of the terms that can stand in front. Plus 1.
uint32_t Terms::partition(Term t) {
  if (partition_of_.size() < nodes_.size()) partition_of_.resize(nodes_.size());
  if (const uint32_t known = partition_of_[place(t)]) return known - 1;
  if (partitions_.empty()) {
    std::array<uint8_t, 256> of{};
    intern_partition(of);
    for (size_t byte = 0; byte < 256; ++byte) of[byte] = static_cast<uint8_t>(byte);
    intern_partition(of);
  }
  std::vector<Term> stack{t};
  while (!stack.empty()) {
    const Term now = stack.back();
    if (partition_of_[place(now)] != 0) {
      stack.pop_back();
      continue;
    }
    std::span<const Term> parts = children(now);
    if (kind(now) == Kind::sequence && !nullable(parts[0])) parts = parts.first(1);
    const size_t depth = stack.size();
    for (const Term part : parts)
      if (partition_of_[place(part)] == 0) stack.push_back(part);
    if (stack.size() > depth) continue;
    uint32_t met = kOneGroup;
    if (kind(now) == Kind::bytes) {
      std::array<uint8_t, 256> of{};
      for (size_t byte = 0; byte < 256; ++byte) of[byte] = set(now)[byte] != set(now)[0];
      met = intern_partition(of);
    }
    spend(2 * parts.size());
    for (const Term part : parts) met = meet(met, partition_of_[place(part)]);
    partition_of_[place(now)] = met;
    stack.pop_back();
  }
  return partition_of_[place(t)] - 1;
}

// ---- derivatives
// ----------------------------------------------------------------------------------

Term* Terms::derived(Term t, uint8_t byte) {
  const ByteClasses& groups = classes(t);
  if (derived_at_.size() < nodes_.size()) derived_at_.resize(nodes_.size());
  uint32_t& at = derived_at_[place(t)];
  if (at == 0) {
    at = static_cast<uint32_t>(derived_.size()) + 1;
    derived_.resize(derived_.size() + groups.count(), kUnset);
    if (derived_.size() > 64 * limit_) full_ = true;
  }
  return &derived_[at - 1 + groups.of[byte]];
}

Term Terms::one_less(Term t) {
  const Node n = node(t);
  const uint32_t min = n.b() == 0 || n.b() == kNever ? n.b() : n.b() - 1;
  return repeat(n.of[0], min, n.c == kUnbounded ? n.c : n.c - 1);
}

// Calls `what` with the parts of a sequence that can read the next byte and with what follows each:
// a run of parts that may be absent, and the one after it.
template <typename What>
void Terms::each_front(Term t, const What& what) const {
  while (true) {
    const auto [head, tail] = split(t);
    what(head, tail);
    if (!nullable(head) || tail == Term::empty) return;
    t = tail;
  }
}

// What has to be derived before t: appended to `out`. False: nothing.
bool Terms::lacks(Term t, uint8_t byte, std::vector<Term>& out) {
  const size_t before = out.size();
  const auto look = [&](Term part, Term) {
    if (*derived(part, byte) == kUnset) out.push_back(part);
  };
  if (kind(t) == Kind::sequence)
    each_front(t, look);
  else
    for (size_t n = 0; n < children(t).size(); ++n) look(children(t)[n], Term::empty);
  return out.size() > before;
}

// Its parts are derived.
Term Terms::derive(Term t, uint8_t byte) {
  const Node n = node(t);
  std::vector<Term> parts;
  switch (n.kind) {
    case Kind::none:
    case Kind::empty:
    case Kind::call:
    case Kind::tokens: return Term::none;
    case Kind::bytes: return set(t)[byte] ? Term::empty : Term::none;
    case Kind::sequence: {
      // All choices at once: one after the other they would be sorted for each of a long run.
      std::vector<Split> fronts;
      each_front(t, [&](Term head, Term tail) { fronts.push_back({head, tail}); });
      for (const auto& [head, tail] : fronts) {
        const Term read = *derived(head, byte);
        if (read != Term::none) parts.push_back(sequence(read, tail));
      }
      return parts.size() == 1 ? parts.front() : either(parts);
    }
    case Kind::repeat: {
      const Term read = *derived(n.of[0], byte);
      return read == Term::none ? read : sequence(read, one_less(t));
    }
    case Kind::except: return except(*derived(n.of[0], byte));
    case Kind::either:
    case Kind::both:
      for (size_t i = 0; i < n.b(); ++i) {
        const Term read = *derived(lists_[n.a() + i], byte);
        if (read != Term::none || n.kind == Kind::both) parts.push_back(read);
      }
      return n.kind == Kind::both ? both(parts) : either(parts);
  }
  return Term::none;
}

Term Terms::next(Term t, uint8_t byte) {
  spend(1);
  if (const Term known = *derived(t, byte); known != kUnset) return known;
  std::vector<Term> stack{t};
  while (!stack.empty()) {
    const Term now = stack.back();
    spend(4);
    if (*derived(now, byte) == kUnset) {
      spend(children(now).size());
      if (lacks(now, byte, stack)) continue;
      const Term read = full_ ? Term::none : derive(now, byte);
      *derived(now, byte) = read;
    }
    stack.pop_back();
  }
  return *derived(t, byte);
}

std::vector<Terms::Entry> Terms::entries(Term t) {
  constexpr size_t kMost = 100'000;
  std::vector<Entry> out;
  if (regular(t)) return out;
  std::vector<Entry> stack{{t, Term::empty}};
  std::unordered_set<uint64_t> seen;
  while (!stack.empty()) {
    const auto [head, tail] = stack.back();
    stack.pop_back();
    if (regular(head)) continue;
    if (!seen.insert(uint64_t{place(head)} << 32 | place(tail)).second) continue;
    spend(8);
    if (seen.size() > kMost) full_ = true;
    if (full_) return {};
    const Node n = node(head);
    switch (n.kind) {
      case Kind::call:
      case Kind::tokens: out.push_back({head, tail}); break;
      case Kind::sequence:
        if (nullable(n.of[0])) stack.push_back({n.of[1], tail});
        if (!regular(n.of[0])) stack.push_back({n.of[0], sequence(n.of[1], tail)});
        break;
      case Kind::repeat: stack.push_back({n.of[0], sequence(one_less(head), tail)}); break;
      case Kind::either:
        for (size_t i = n.b(); i > 0; --i) stack.push_back({lists_[n.a() + i - 1], tail});
        break;
      default: break;
    }
  }
  return out;
}

// ---- many derivatives
// -----------------------------------------------------------------------------

Terms::Verdict& Terms::verdict(Term t) {
  if (verdicts_.size() < nodes_.size()) verdicts_.resize(nodes_.size());
  return verdicts_[place(t)];
}

// Whether it is seen without reading that it allows some text: only what intersections and
// complements are in can be none, since the laws leave none nowhere else.
bool Terms::surely_some(Term t) {
  if (t == Term::none) return false;
  if (nullable(t) || !node(t).fragile || verdict(t) == Verdict::some) return true;
  if (kind(t) != Kind::either) return false;
  return std::ranges::any_of(children(t), [&](Term part) {
    return !node(part).fragile || verdict(part) == Verdict::some;
  });
}

// False: it allows no text; nullopt: not known. With `text`, on until the end of one; without,
// until it is seen that there is one.
std::optional<bool> Terms::find_text(Term t, size_t budget, std::string* text) {
  if (search_work_ >= most_search_work_) return std::nullopt;
  const uint64_t began = work_;
  const auto found = search(t, budget, text);
  search_work_ += work_ - began;
  return found;
}

// Breadth first, so that what is found first is shortest.
std::optional<bool> Terms::search(Term t, size_t budget, std::string* text) {
  struct Step {
    Term term;
    uint32_t before;
    uint8_t byte;
  };
  std::vector<Step> steps;
  std::unordered_set<Term> seen{t};
  const uint64_t left = most_search_work_ - search_work_, began = work_;
  // Whether the last step was the last one that was needed.
  const auto arrived = [&](Term term, size_t before, uint8_t byte) {
    steps.push_back({term, static_cast<uint32_t>(before), byte});
    if (text ? !nullable(term) : !surely_some(term)) return false;
    for (size_t n = steps.size() - 1;; n = steps[n].before) {
      verdict(steps[n].term) = Verdict::some;
      if (n == 0) return true;
      if (text) text->insert(text->begin(), static_cast<char>(steps[n].byte));
    }
  };
  if (arrived(t, 0, 0)) return true;
  for (size_t at = 0; at < steps.size(); ++at) {
    const Term now = steps[at].term;
    const std::vector<uint8_t> bytes = classes(now).representatives;
    for (const uint8_t byte : bytes) {
      if (budget-- == 0 || full_ || work_ - began > left) return std::nullopt;
      ++searched_;
      const Term read = next(now, byte);
      if (read == Term::none || verdict(read) == Verdict::none || !seen.insert(read).second)
        continue;
      if (arrived(read, at, byte)) return true;
    }
  }
  if (full_) return std::nullopt;
  for (const Step& step : steps) verdict(step.term) = Verdict::none;
  return false;
}

std::optional<bool> Terms::is_none(Term t, size_t budget) {
  if (t == Term::none || verdict(t) == Verdict::none) return true;
  if (surely_some(t)) return false;
  const auto some = find_text(t, budget, nullptr);
  if (!some) return std::nullopt;
  return !*some;
}

std::optional<bool> Terms::disjoint(Term a, Term b, size_t budget) {
  return is_none(both(a, b), budget);
}

std::optional<std::string> Terms::example(Term t, size_t budget) {
  if (t == Term::none) return std::nullopt;
  std::string text;
  if (!find_text(t, budget, &text).value_or(false)) return std::nullopt;
  return text;
}

bool Terms::matches(Term t, std::string_view text) {
  for (const char c : text) t = next(t, static_cast<uint8_t>(c));
  return nullable(t);
}

Term Terms::prune(Term t, size_t budget) {
  if (!fragile(t)) return t;
  const auto known = [&](Term part) {
    return !fragile(part) ? part : pruned_.contains(part) ? pruned_[part] : kUnset;
  };
  std::vector<Term> stack{t};
  while (!stack.empty()) {
    const Term now = stack.back();
    if (known(now) != kUnset) {
      stack.pop_back();
      continue;
    }
    const Node n = node(now);
    spend(4 + children(now).size());
    const size_t depth = stack.size();
    const size_t count = n.kind == Kind::sequence ? 1
                         : n.kind == Kind::both   ? 0
                         : n.kind == Kind::except ? 0
                                                  : children(now).size();
    for (size_t i = 0; i < count; ++i)
      if (known(children(now)[i]) == kUnset) stack.push_back(children(now)[i]);
    if (stack.size() > depth) continue;
    Term out = now;
    if (n.kind == Kind::sequence) {
      out = sequence(known(n.of[0]), n.of[1]);
    } else if (n.kind == Kind::repeat) {
      out = repeat(known(n.of[0]), n.b(), n.c);
    } else if (n.kind == Kind::either) {
      std::vector<Term> parts;
      for (const Term part : children(now)) parts.push_back(known(part));
      out = either(parts);
    } else if (is_none(now, budget).value_or(false)) {
      out = Term::none;
    }
    pruned_[now] = out;
    stack.pop_back();
  }
  return known(t);
}

}  // namespace skein::constrain
