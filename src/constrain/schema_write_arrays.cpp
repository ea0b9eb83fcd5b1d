#include <algorithm>

#include "constrain/schema_write.h"

namespace skein::constrain {
namespace {

constexpr size_t kMostUnique = 64;     // values that items which have to differ may have
constexpr size_t kMostStates = 4'096;  // of items that are counted
constexpr size_t kMostCounts = 3;

}  // namespace

Term SchemaWriter::array(const ArrayForm& array, JsonNode at) {
  if (array.min >= uint64_t{1} << 31) {
    set_.report().problem("constraint_too_large", at, "more items than any answer could hold");
    return Term::none;
  }
  const bool unique = array.unique && array.max > 1 && !all_differ(array);
  if (array.counts.empty() && !unique) return plain_array(array);
  if (array.counts.empty()) return unique_array(array);
  if (unique) {
    set_.report().problem("unsupported_keyword", array.unique_from,
                          "\"uniqueItems\" beside \"contains\"");
    return Term::none;
  }
  return counted_array(array);
}

// Whether items differ by what they may be.
bool SchemaWriter::all_differ(const ArrayForm& array) {
  constexpr size_t kMost = 16;
  if (array.max > array.first.size() || array.first.size() > kMost) return false;
  for (size_t i = 0; i < array.first.size(); ++i)
    for (size_t j = 0; j < i; ++j)
      if (!set_.disjoint(array.first[i], array.first[j])) return false;
  return true;
}

// From the last of the first items to the first.
Term SchemaWriter::plain_array(const ArrayForm& array) {
  const uint64_t listed = array.first.size();
  const Term end = sequence({blank_, text("]")});
  const uint64_t least = array.min - std::min(array.min, listed);
  const uint64_t most = array.max == kNoMost ? kNoMost : array.max - listed;
  const Term rest = array.max > listed ? value(array.rest) : Term::none;
  // What follows `listed` items, and what is there if there are none listed.
  Term after = sequence({repeated(sequence({comma_, rest}), least, most), end});
  Term begin = Term::none;
  if (listed == 0 && array.max > 0)
    begin = sequence({rest,
                      repeated(sequence({comma_, rest}), std::max<uint64_t>(least, 1) - 1,
                               most == kNoMost ? kNoMost : most - 1),
                      end});
  for (uint64_t i = listed; i-- > 0;) {
    begin = terms_.sequence(value(array.first[i]), after);
    after = terms_.either(sequence({comma_, begin}), i >= array.min ? end : Term::none);
  }
  return sequence(
      {text("["), blank_, terms_.either(begin, array.min == 0 ? text("]") : Term::none)});
}

// All texts of a term that has few.
std::optional<std::vector<std::string>> SchemaWriter::texts_of(Term regular, size_t most) {
  std::vector<std::string> out;
  if (!terms_.regular(regular)) return std::nullopt;
  while (regular != Term::none) {
    const auto text = terms_.example(regular);
    if (!text) {
      if (terms_.is_none(regular).value_or(false)) break;
      return std::nullopt;
    }
    if (out.size() == most) return std::nullopt;
    out.push_back(*text);
    regular = terms_.without(regular, terms_.literal(*text));
  }
  return out;
}

// Where items have few values: each of those stands once at most. As an intersection that is one
// bit for each value, and only the combinations that occur are ever made.
Term SchemaWriter::unique_array(const ArrayForm& array) {
  std::vector<std::string> texts;
  bool few = true;
  const auto take = [&](SchemaId id) {
    const auto some = few ? texts_of(value(id), kMostUnique) : std::nullopt;
    few = some.has_value();
    if (few) texts.insert(texts.end(), some->begin(), some->end());
  };
  for (const SchemaId id : array.first) take(id);
  if (array.max > array.first.size()) take(array.rest);
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  if (!few || texts.size() > kMostUnique) {
    set_.report().problem(
        "unsupported_keyword", array.unique_from,
        fmt::format("\"uniqueItems\" is kept to where items have up to {} values, as "
                    "an enum has",
                    kMostUnique));
    return Term::none;
  }
  std::vector<Term> all{plain_array(array)};
  for (const std::string& text : texts) {
    std::vector<std::string> rest;
    for (const std::string& other : texts)
      if (other != text) rest.push_back(other);
    const Term other = terms_.any_of(std::move(rest));
    const Term others = terms_.repeat(sequence({other, comma_}), 0, kUnbounded);
    const Term more = terms_.repeat(sequence({comma_, other}), 0, kUnbounded);
    const Term items =
        terms_.either(sequence({others, terms_.literal(text), more}), sequence({other, more}));
    all.push_back(sequence(
        {this->text("["), blank_, terms_.optional(sequence({items, blank_})), this->text("]")}));
  }
  const Term out = terms_.both(all);
  return set_.none(out) ? Term::none : out;
}

// States are (items gone by, of each kind how many), each number as far as it matters. An item is
// of a kind or not; where more of it do not matter, it may be either.
Term SchemaWriter::counted_array(const ArrayForm& array) {
  const auto& counts = array.counts;
  const auto limit = [](uint64_t min, uint64_t max) { return max == kNoMost ? min : max; };
  std::vector<uint64_t> sizes;  // of each part of a state
  uint64_t states = 1;
  const uint64_t last = std::max<uint64_t>(array.first.size(), limit(array.min, array.max));
  bool large = counts.size() > kMostCounts || last > kMostStates;
  if (!large) sizes.push_back(last + 1);
  for (const CountForm& count : counts) {
    large = large || limit(count.min, count.max) > kMostStates;
    sizes.push_back(limit(count.min, count.max) + 1);
  }
  for (const uint64_t size : sizes) {
    if (!large) states *= size;
    large = large || states > kMostStates;
  }
  if (large) {
    set_.report().problem("unsupported_keyword", counts[0].from,
                          "too many items to count for \"contains\"");
    return Term::none;
  }
  const auto part = [&](uint64_t state, size_t which) {
    for (size_t i = 0; i < which; ++i) state /= sizes[i];
    return state % sizes[which];
  };
  const Term end = sequence({blank_, text("]")});
  std::vector<Term> after(states, Term::none);
  Term begin = Term::none;
  const uint64_t kinds = uint64_t{1} << counts.size();
  for (uint64_t state = states; state-- > 0;) {
    const uint64_t index = part(state, 0);
    std::vector<Term> onward;
    std::vector<Term> same;  // items after which the state is this one
    for (uint64_t kind = 0; kind < kinds && index < array.max; ++kind) {
      std::vector<SchemaId> all{array.item(index)};
      uint64_t to = 0;
      uint64_t unit = 1;
      bool allowed = true;
      const auto put = [&](size_t which, uint64_t value) {
        to += unit * std::min(value, sizes[which] - 1);
        unit *= sizes[which];
      };
      put(0, index + 1);
      for (size_t i = 0; i < counts.size(); ++i) {
        const uint64_t now = part(state, i + 1);
        const bool is = kind >> i & 1;
        const bool matters = counts[i].max != kNoMost || now < counts[i].min;
        if (is && now >= counts[i].max) allowed = false;
        if (!matters && is) allowed = false;  // the other kind stands for both
        if (counts[i].max != kNoMost && !is)
          all.push_back(set_.negation(counts[i].items, counts[i].from));
        if (is) all.push_back(counts[i].items);
        put(i + 1, now + is);
      }
      if (!allowed) continue;
      const Term item = value(set_.all(all));
      if (item == Term::none) continue;
      if (to == state)
        same.push_back(item);
      else
        onward.push_back(terms_.sequence(item, after[to]));
    }
    bool may_end = index >= array.min;
    for (size_t i = 0; i < counts.size(); ++i)
      may_end = may_end && part(state, i + 1) >= counts[i].min;
    const Term more = terms_.either(onward);
    after[state] = sequence({terms_.repeat(sequence({comma_, terms_.either(same)}), 0, kUnbounded),
                             terms_.either(sequence({comma_, more}), may_end ? end : Term::none)});
    if (state == 0) {
      begin = terms_.either(more, sequence({terms_.either(same), after[state]}));
      if (may_end) begin = terms_.either(begin, text("]"));
    }
  }
  return sequence({text("["), blank_, begin});
}

}  // namespace skein::constrain
