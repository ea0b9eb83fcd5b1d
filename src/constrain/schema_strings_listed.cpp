// Sets of strings that a schema lists, and their combinations: no automaton is needed to know them.
#include <algorithm>
#include <iterator>

#include "constrain/schema_set.h"

namespace skein::constrain {
namespace {

constexpr size_t kMostListedBytes = 256 * 1024;

using Texts = std::vector<std::string_view>;

Texts both_of(const Texts& a, const Texts& b) {
  Texts out;
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Texts any_of(const Texts& a, const Texts& b) {
  Texts out;
  std::set_union(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

Texts without(const Texts& a, const Texts& b) {
  Texts out;
  std::set_difference(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(out));
  return out;
}

}  // namespace

Term SchemaSet::remembered(Listed listed) {
  size_t bytes = 0;
  for (const std::string_view text : listed.texts) bytes += text.size();
  if (bytes > kMostListedBytes) {
    report_.problem("constraint_too_large", reading_,
                    fmt::format("more than {} bytes of strings in one list", kMostListedBytes));
    return Term::none;
  }
  work_ += 1 + listed.texts.size() / 4;
  Term term = strings_.any_of(listed.texts);
  if (listed.others) term = terms().without(strings_.all(), term);
  if (term != Term::none) listed_.emplace(term, std::move(listed));
  return term;
}

Term SchemaSet::listed(Texts texts) {
  std::sort(texts.begin(), texts.end());
  texts.erase(std::unique(texts.begin(), texts.end()), texts.end());
  return remembered({false, std::move(texts)});
}

Term SchemaSet::strings_of_both(Term a, Term b) {
  if (a == b || b == strings_.all()) return a;
  if (a == strings_.all()) return b;
  const auto one = listed_.find(a);
  const auto other = listed_.find(b);
  if (one != listed_.end() && other != listed_.end()) {
    const Listed& x = one->second;
    const Listed& y = other->second;
    if (x.others && y.others) return remembered({true, any_of(x.texts, y.texts)});
    if (x.others) return remembered({false, without(y.texts, x.texts)});
    if (y.others) return remembered({false, without(x.texts, y.texts)});
    return remembered({false, both_of(x.texts, y.texts)});
  }
  if (one != listed_.end() && !one->second.others) {
    Texts left;
    for (const std::string_view text : one->second.texts)
      if (terms().matches(b, StringTerms::spelled(text))) left.push_back(text);
    return remembered({false, std::move(left)});
  }
  if (other != listed_.end() && !other->second.others) return strings_of_both(b, a);
  return terms().both(a, b);
}

TextForm SchemaSet::meet_strings(const TextForm& a, const TextForm& b) {
  const Term all = strings_of_both(a.all, b.all);
  const bool same = a.all == a.written && b.all == b.written;
  return {all, same ? all : strings_of_both(a.written, b.written)};
}

TextForm SchemaSet::complement_strings(const TextForm& a) {
  const auto rest = [&](Term t) {
    if (t == Term::none) return strings_.all();
    if (t == strings_.all()) return Term::none;
    const auto known = listed_.find(t);
    if (known == listed_.end()) return terms().without(strings_.all(), t);
    return remembered({!known->second.others, known->second.texts});
  };
  return {rest(a.written), rest(a.all)};
}

bool SchemaSet::disjoint_strings(Term a, Term b) {
  if (a == Term::none || b == Term::none) return true;
  if (a == b) return false;
  const auto one = listed_.find(a);
  const auto other = listed_.find(b);
  const bool few = (one != listed_.end() && !one->second.others) ||
                   (other != listed_.end() && !other->second.others);
  if (few || (one != listed_.end() && other != listed_.end()))
    return strings_of_both(a, b) == Term::none;
  return terms().disjoint(a, b, kMostSteps).value_or(false);
}

}  // namespace skein::constrain
