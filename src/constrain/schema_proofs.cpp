// Proofs that two schemas share no value. What is not proved in a few steps counts as not so.
#include <algorithm>

#include "constrain/schema_ahead.h"

namespace skein::constrain {
namespace {

constexpr size_t kProofDepth = 6;
constexpr size_t kItemsLookedAt = 16;

}  // namespace

bool SchemaSet::disjoint(SchemaId a, SchemaId b) {
  if (a == kNothing || b == kNothing) return true;
  if (a == b || a == kAnything || b == kAnything) return false;
  if (proof_depth_ >= kProofDepth) return false;
  if (a > b) std::swap(a, b);
  // While it is being found out, it is not so.
  const auto [known, added] = disjoint_.emplace(std::pair(a, b), false);
  if (!added) return known->second;
  Ahead ahead(*this);
  ++proof_depth_;
  const Form& one = form(a);
  const Form& other = form(b);
  bool out = !(one.null && other.null) && !(one.no && other.no) && !(one.yes && other.yes) &&
             disjoint_strings(one.strings.all, other.strings.all) &&
             disjoint_numbers(one.numbers.texts.all, other.numbers.texts.all);
  for (const ArrayForm& array : one.arrays)
    for (const ArrayForm& second : other.arrays) out = out && disjoint_arrays(array, second);
  for (const ObjectForm& object : one.objects)
    for (const ObjectForm& second : other.objects) out = out && disjoint_objects(object, second);
  --proof_depth_;
  out = out && !unknown_;
  disjoint_[{a, b}] = out;
  return out;
}

bool SchemaSet::disjoint_numbers(Term a, Term b) {
  if (a == Term::none || b == Term::none) return true;
  return a != b && terms().disjoint(a, b, kMostSteps).value_or(false);
}

bool SchemaSet::disjoint_arrays(const ArrayForm& a, const ArrayForm& b) {
  if (a.partial || b.partial) return false;
  const uint64_t min = std::max(a.min, b.min);
  if (min > std::min(a.max, b.max)) return true;
  for (uint64_t i = 0; i < std::min<uint64_t>(min, kItemsLookedAt); ++i)
    if (disjoint(a.item(i), b.item(i))) return true;
  return false;
}

bool SchemaSet::disjoint_objects(const ObjectForm& a, const ObjectForm& b) {
  if (a.partial || b.partial) return false;
  if (std::max(a.min, b.min) > std::min(a.max, b.max)) return true;
  const auto clash = [&](const ObjectForm& one, const ObjectForm& other) {
    return std::any_of(one.members.begin(), one.members.end(), [&](const MemberForm& member) {
      if (!member.required) return false;
      const MemberForm* same = other.find(member.name);
      return disjoint(member.value, same ? same->value : value_of(other, member.name));
    });
  };
  return clash(a, b) || clash(b, a);
}

}  // namespace skein::constrain
