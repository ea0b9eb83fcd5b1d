#include <algorithm>

#include "constrain/schema_write.h"

namespace skein::constrain {
namespace {

// Members beyond these are in rules, so that the choices of which to leave out stay short.
constexpr size_t kBlock = 32;
constexpr size_t kMostChoices = 256;    // of the member that some member is
constexpr size_t kMostStates = 50'000;  // members times how many may be counted

}  // namespace

Term SchemaWriter::member(Term name, Term value) {
  return sequence({quote_, name, quote_, colon_, value});
}

Term SchemaWriter::object(const ObjectForm& object, JsonNode at) {
  if (!object.some.empty()) return some_member(object, at);
  return object_with(object, other_members(object), Term::none, at);
}

// "Some member has such a name and value" is a choice of which: one that is listed, or the first of
// those that are not.
Term SchemaWriter::some_member(const ObjectForm& object, JsonNode at) {
  ObjectForm rest = object;
  const SomeMemberForm some = rest.some.back();
  rest.some.pop_back();
  std::vector<Term> choices;
  for (size_t i = 0; i < object.members.size() && i < kMostChoices; ++i) {
    if (!terms_.matches(some.names, StringTerms::spelled(object.members[i].name))) continue;
    ObjectForm one = rest;
    one.members[i].required = true;
    one.members[i].value = set_.all({one.members[i].value, some.value});
    if (!set_.impossible(one.members[i].value)) choices.push_back(in_rule(this->object(one, at)));
  }
  // A later member of the same name would take the place of an earlier one: all of them have the
  // value.
  ObjectForm first = rest;
  ObjectForm later = rest;
  first.regions.clear();
  later.regions.clear();
  for (const RegionForm& region : rest.regions) {
    if (!region.written()) continue;
    RegionForm inside = region;
    inside.names = set_.strings_of_both(region.names, some.names);
    inside.value = set_.all({region.value, some.value});
    RegionForm outside = region;
    outside.names = terms_.without(region.names, some.names);
    if (!set_.none(inside.names)) first.regions.push_back(inside);
    later.regions.push_back(inside);
    later.regions.push_back(outside);
  }
  if (const Term begin = other_members(first); begin != Term::none && rest.some.empty())
    choices.push_back(in_rule(object_with(rest, other_members(later), begin, at)));
  if (std::all_of(choices.begin(), choices.end(), [](Term t) { return t == Term::none; }))
    set_.report().problem("unsupported_keyword", some.from,
                          "this asks for some member, and there is none that it could be");
  return terms_.either(choices);
}

// `first`: what the first member that is not listed has to be, if there has to be one.
Term SchemaWriter::object_with(const ObjectForm& object, Term other, Term first, JsonNode at) {
  Members members;
  if (!listed_members(object, members)) return Term::none;
  members.other = other;
  members.first = first;
  // How many were written matters only where a bound can be met or missed.
  const bool others = members.other != Term::none;
  members.min = object.min > members.required ? object.min : 0;
  members.max = object.max < members.parts.size() || others ? object.max : kNoMost;
  if (members.max < members.required) return Term::none;
  const uint64_t top = members.max != kNoMost ? members.max : members.min;
  // Those that are not listed are counted by their repetition.
  const uint64_t columns = std::min<uint64_t>(top, members.parts.size()) + 1;
  if (columns > kMostStates / (members.parts.size() + 1)) {
    set_.report().problem("constraint_too_large", at,
                          "too many members to count for minProperties or maxProperties");
    return Term::none;
  }
  if (others && members.min > members.parts.size() + 1) {
    set_.report().problem(
        "unsupported_keyword", at,
        "\"minProperties\" could be met by one name many times; list more names in "
        "\"properties\"");
    return Term::none;
  }
  return members_in_order(members, static_cast<size_t>(columns));
}

// False if one that is required has no value.
bool SchemaWriter::listed_members(const ObjectForm& object, Members& out) {
  for (const MemberForm& each : object.members) {
    const Term value = this->value(each.value);
    if (value == Term::none && each.required) return false;
    if (value == Term::none) continue;
    const Term term = member(set_.strings().exactly(each.name), value);
    out.parts.push_back({alike_ ? in_rule(term) : term, each.required});
    out.required += each.required;
    weight_ += each.name.size() + 6;
  }
  return true;
}

// Any one whose name is not listed.
Term SchemaWriter::other_members(const ObjectForm& object) {
  std::vector<std::string_view> names;
  for (const MemberForm& each : object.members) names.push_back(each.name);
  std::vector<Term> choices;
  for (const RegionForm& region : object.regions) {
    if (!region.written()) continue;
    Term which = region.names;
    if (!names.empty()) which = terms_.without(which, set_.strings().any_of(names));
    if (set_.none(which)) continue;
    const Term value = this->value(region.value);
    if (value != Term::none) choices.push_back(member(which, value));
  }
  return terms_.either(choices);
}

// From the last member to the first, with a column for each number of members written so far, as
// far as that matters. `choice` is what may stand where a member may begin, `after` what follows a
// member. So n optional members make n of each, since any of them may be the next.
Term SchemaWriter::members_in_order(const Members& members, size_t columns) {
  const auto next = [&](size_t c) { return std::min(c + 1, columns - 1); };
  const auto may_end = [&](size_t c) { return c >= members.min; };
  const bool has_first = members.first != Term::none;
  const Term end = text("}");
  std::vector<Term> choice(columns, Term::none);
  std::vector<Term> after(columns, Term::none);
  // Members that are not listed come last. Their names may be equal, so they count for one at
  // least.
  for (size_t c = 0; c < columns; ++c) {
    const uint64_t room = members.max - std::min<uint64_t>(c, members.max);
    if (members.other != Term::none && room > 0 && may_end(c + 1))
      choice[c] = sequence({has_first ? members.first : members.other,
                            repeated(sequence({comma_, members.other}), 0,
                                     members.max == kNoMost ? kNoMost : room - 1),
                            blank_, end});
    after[c] = terms_.either(sequence({comma_, choice[c]}),
                             may_end(c) && !has_first ? sequence({blank_, end}) : Term::none);
  }
  bool can_end = !has_first;  // whether no required member is still to come
  for (size_t i = members.parts.size(); i-- > 0;) {
    const auto& [part, required] = members.parts[i];
    const bool boundary = members.parts.size() > kBlock && i % kBlock == kBlock - 1;
    can_end = can_end && !required;
    for (size_t c = 0; c < columns; ++c) {
      const Term skip = required ? Term::none : boundary ? in_rule(choice[c]) : choice[c];
      const Term here = c < members.max ? terms_.sequence(part, after[next(c)]) : Term::none;
      choice[c] = terms_.either(here, skip);
    }
    for (size_t c = 0; c < columns; ++c)
      after[c] = sequence({blank_, terms_.either(sequence({text(","), blank_, choice[c]}),
                                                 can_end && may_end(c) ? end : Term::none)});
  }
  return sequence(
      {text("{"), blank_, terms_.either(choice[0], can_end && may_end(0) ? end : Term::none)});
}

}  // namespace skein::constrain
