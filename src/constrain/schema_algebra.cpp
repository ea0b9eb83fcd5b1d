// Intersection, union and complement of forms.
#include <algorithm>
#include <array>
#include <unordered_map>

#include "constrain/schema_set.h"

namespace skein::constrain {
namespace {

// Members of a long object are looked for by hash.
class MemberIndex {
 public:
  explicit MemberIndex(const std::vector<MemberForm>& members) : members_(members) {
    if (members.size() < 8) return;
    for (size_t i = 0; i < members.size(); ++i) places_.emplace(members[i].name, i);
  }

  const MemberForm* find(std::string_view name) const {
    if (!places_.empty()) {
      const auto found = places_.find(name);
      return found == places_.end() ? nullptr : &members_[found->second];
    }
    for (const MemberForm& member : members_)
      if (member.name == name) return &member;
    return nullptr;
  }

 private:
  const std::vector<MemberForm>& members_;
  std::unordered_map<std::string_view, size_t> places_;
};

RegionForm::Said said_of_both(RegionForm::Said a, RegionForm::Said b) {
  using Said = RegionForm::Said;
  if (a == Said::allowed || b == Said::allowed) return Said::allowed;
  return a == Said::absent || b == Said::absent ? Said::absent : Said::nothing;
}

ObjectForm any_object(Term names) {
  ObjectForm out;
  out.regions.push_back({names});
  return out;
}

}  // namespace

NumberForm SchemaSet::meet(const NumberForm& a, const NumberForm& b) {
  const TextForm everything{numbers_.all(), numbers_.all()};
  TextForm texts{terms().both(a.texts.all, b.texts.all),
                 terms().both(a.texts.written, b.texts.written)};
  if (a.texts == everything) texts = b.texts;
  if (b.texts == everything) texts = a.texts;
  return {texts, a.covers && b.covers, a.integral || b.integral, a.bounded || b.bounded};
}

Form SchemaSet::meet(Form a, const Form& b) {
  a.null = a.null && b.null;
  a.no = a.no && b.no;
  a.yes = a.yes && b.yes;
  a.numbers = meet(a.numbers, b.numbers);
  a.strings = meet_strings(a.strings, b.strings);

  static const ArrayForm kAnyArray;
  std::vector<ArrayForm> arrays;
  for (const ArrayForm& one : a.arrays)
    for (const ArrayForm& other : b.arrays) {
      ArrayForm both = one == kAnyArray ? other : other == kAnyArray ? one : meet(one, other);
      if (settle(both)) arrays.push_back(std::move(both));
      if (too_many(arrays.size())) break;
    }
  a.arrays = std::move(arrays);

  const ObjectForm any = any_object(strings_.all());
  if (b.objects.size() == 1 && b.objects[0] == any) return a;
  if (a.objects.size() == 1 && a.objects[0] == any) {
    a.objects = b.objects;
    return a;
  }
  std::vector<ObjectForm> objects;
  for (const ObjectForm& one : a.objects) {
    const size_t before = objects.size();
    for (const ObjectForm& other : b.objects) {
      if (too_many(objects.size())) break;
      meet(one, other, objects);
      if (objects.size() == before || objects.back() != one) continue;
      // It is within this one, so that the other choices add nothing.
      objects.resize(before);
      objects.push_back(one);
      break;
    }
  }
  a.objects = std::move(objects);
  return a;
}

bool SchemaSet::too_many(size_t shapes) {
  if (shapes <= kMostShapes && work_ <= kMostWork) return false;
  report_.problem("constraint_too_large", reading_,
                  "combining the keywords here gives too many alternatives");
  return true;
}

ArrayForm SchemaSet::meet(const ArrayForm& a, const ArrayForm& b) {
  ArrayForm out = a;
  out.first.clear();
  for (size_t i = 0; i < std::max(a.first.size(), b.first.size()); ++i)
    out.first.push_back(all({a.item(i), b.item(i)}));
  out.rest = all({a.rest, b.rest});
  out.min = std::max(a.min, b.min);
  out.max = std::min(a.max, b.max);
  for (const CountForm& count : b.counts)
    if (std::find(out.counts.begin(), out.counts.end(), count) == out.counts.end())
      out.counts.push_back(count);
  if (b.unique && !a.unique) {
    out.unique = true;
    out.unique_from = b.unique_from;
  }
  out.evaluated = std::max(a.evaluated, b.evaluated);
  out.partial = a.partial || b.partial;
  return out;
}

bool SchemaSet::settle(ArrayForm& array) {
  for (size_t i = 0; i < array.first.size() && i < array.max; ++i)
    if (impossible(array.first[i])) array.max = i;
  if (array.max > array.first.size() && impossible(array.rest)) array.max = array.first.size();
  if (array.first.size() > array.max) array.first.resize(array.max);
  if (array.max == array.first.size()) array.rest = kNothing;
  for (const CountForm& count : array.counts)
    if (count.min > count.max || count.min > array.max) return false;
  return array.min <= array.max;
}

// The value of a member that is not listed.
SchemaId SchemaSet::value_of(const ObjectForm& object, std::string_view name) {
  for (const RegionForm& region : object.regions)
    if (region.names == strings_.all() || terms().matches(region.names, StringTerms::spelled(name)))
      return region.value;
  return kNothing;
}

void SchemaSet::meet(const ObjectForm& a, const ObjectForm& b, std::vector<ObjectForm>& out) {
  work_ += 1 + a.members.size() + b.members.size();
  ObjectForm both;
  const MemberIndex in_a(a.members);
  const MemberIndex in_b(b.members);
  const auto evaluated = [&](const ObjectForm& object, std::string_view name) {
    for (const RegionForm& region : object.regions)
      if (region.evaluated && terms().matches(region.names, StringTerms::spelled(name)))
        return true;
    return false;
  };
  for (const MemberForm& member : a.members) {
    if (const MemberForm* other = in_b.find(member.name))
      both.members.push_back({member.name, all({member.value, other->value}),
                              member.required || other->required,
                              member.evaluated || other->evaluated});
    else
      both.members.push_back({member.name, all({member.value, value_of(b, member.name)}),
                              member.required, member.evaluated || evaluated(b, member.name)});
  }
  for (const MemberForm& member : b.members)
    if (!in_a.find(member.name))
      both.members.push_back({member.name, all({value_of(a, member.name), member.value}),
                              member.required, member.evaluated || evaluated(a, member.name)});
  for (const RegionForm& one : a.regions)
    for (const RegionForm& other : b.regions) {
      const Term names = strings_of_both(one.names, other.names);
      const SchemaId value = all({one.value, other.value});
      if (value == kNothing || none(names)) continue;
      both.regions.push_back(
          {names, value, said_of_both(one.said, other.said), one.evaluated || other.evaluated});
    }
  both.min = std::max(a.min, b.min);
  both.max = std::min(a.max, b.max);
  both.some = a.some;
  both.some.insert(both.some.end(), b.some.begin(), b.some.end());
  both.partial = a.partial || b.partial;
  spread(std::move(both), out);
}

// "Some member of these names" is a choice among the members, where no others may be there.
void SchemaSet::spread(ObjectForm object, std::vector<ObjectForm>& out) {
  std::vector<ObjectForm> open{std::move(object)};
  while (!open.empty()) {
    ObjectForm next = std::move(open.back());
    open.pop_back();
    if (too_many(out.size() + open.size())) return;
    if (!settle(next)) continue;
    const auto closed =
        std::find_if(next.some.begin(), next.some.end(), [&](const SomeMemberForm& some) {
          return std::all_of(next.regions.begin(), next.regions.end(), [&](const RegionForm& r) {
            return disjoint_strings(r.names, some.names);
          });
        });
    if (closed == next.some.end()) {
      out.push_back(std::move(next));
      continue;
    }
    const SomeMemberForm some = *closed;
    next.some.erase(closed);
    for (size_t i = next.members.size(); i-- > 0;) {
      if (!terms().matches(some.names, StringTerms::spelled(next.members[i].name))) continue;
      ObjectForm choice = next;
      choice.members[i].required = true;
      choice.members[i].value = all({choice.members[i].value, some.value});
      open.push_back(std::move(choice));
    }
  }
}

bool SchemaSet::settle(ObjectForm& object) {
  uint64_t required = 0;
  uint64_t possible = 0;
  for (MemberForm& member : object.members) {
    // What is neither combined nor excluded is looked at when it is written.
    const bool combined = schemas_[member.value].kind == Kind::all;
    if (member.value == kNothing || (combined && impossible(member.value))) {
      if (member.required) {
        report_.cause(
            fmt::format("\"{}\" is required, and {}", escaped(member.name),
                        member.value == kNothing ? "forbidden too" : "no value of it is allowed"));
        return false;
      }
      member.value = kNothing;
    } else {
      ++possible;
    }
    required += member.required;
  }
  object.min = std::max(object.min, required);
  if (object.regions.empty()) object.max = std::min(object.max, possible);
  return object.min <= object.max;
}

void SchemaSet::unite(Form& a, const Form& b) {
  const auto join = [&](TextForm& one, const TextForm& other) {
    one = {terms().either(one.all, other.all), terms().either(one.written, other.written)};
  };
  a.null = a.null || b.null;
  a.no = a.no || b.no;
  a.yes = a.yes || b.yes;
  if (a.numbers.texts.all == Term::none) {
    a.numbers = b.numbers;
  } else if (b.numbers.texts.all != Term::none) {
    join(a.numbers.texts, b.numbers.texts);
    a.numbers.covers = a.numbers.covers && b.numbers.covers;
    a.numbers.integral = a.numbers.integral && b.numbers.integral;
    a.numbers.bounded = a.numbers.bounded || b.numbers.bounded;
  }
  join(a.strings, b.strings);
  const auto put = [](auto& list, const auto& each) {
    constexpr size_t kCompared = 64;  // the newest, so that long lists stay quick
    const auto from = list.size() > kCompared ? list.end() - kCompared : list.begin();
    if (std::find(from, list.end(), each) == list.end()) list.push_back(each);
  };
  for (const ArrayForm& array : b.arrays) put(a.arrays, array);
  for (const ObjectForm& object : b.objects) put(a.objects, object);
}

TextForm SchemaSet::complement_numbers(const TextForm& a) {
  const auto rest = [&](Term t) {
    if (t == Term::none) return numbers_.all();
    return t == numbers_.all() ? Term::none : terms().without(numbers_.all(), t);
  };
  return {rest(a.written), rest(a.all)};
}

std::optional<Form> SchemaSet::complement(const Form& a, JsonNode from) {
  Form out;
  out.null = !a.null;
  out.no = !a.no;
  out.yes = !a.yes;
  const TextForm numbers{a.numbers.texts.all,
                         a.numbers.covers ? a.numbers.texts.all : a.numbers.texts.written};
  out.numbers.texts = complement_numbers(numbers);
  out.numbers.bounded = true;
  out.strings = complement_strings(a.strings);
  // Outside of all shapes: of the complement of each.
  Form rest = anything();
  for (const ArrayForm& array : a.arrays) {
    Form step = anything();
    step.arrays.clear();
    if (!complement(array, from, step.arrays)) return std::nullopt;
    rest = meet(std::move(rest), step);
  }
  for (const ObjectForm& object : a.objects) {
    Form step = anything();
    step.objects.clear();
    if (!complement(object, from, step.objects)) return std::nullopt;
    rest = meet(std::move(rest), step);
  }
  out.arrays = std::move(rest.arrays);
  out.objects = std::move(rest.objects);
  return out;
}

bool SchemaSet::complement(const ArrayForm& array, JsonNode from, std::vector<ArrayForm>& out) {
  if (array.partial || array.unique) return false;
  const auto put = [&](ArrayForm shape) {
    if (settle(shape)) out.push_back(std::move(shape));
  };
  const auto put_length = [&](uint64_t min, uint64_t max) {
    ArrayForm shape;
    shape.min = min;
    shape.max = max;
    put(std::move(shape));
  };
  const auto put_count = [&](SchemaId items, uint64_t min, uint64_t max) {
    ArrayForm shape;
    shape.counts.push_back({items, min, max, from});
    put(std::move(shape));
  };
  if (array.min > 0) put_length(0, array.min - 1);
  if (array.max != kNoMost) put_length(array.max + 1, kNoMost);
  for (size_t i = 0; i < array.first.size(); ++i) {
    if (array.first[i] == kAnything) continue;
    ArrayForm shape;
    shape.min = i + 1;
    shape.first.assign(i, kAnything);
    shape.first.push_back(negation(array.first[i], from));
    put(std::move(shape));
  }
  const bool more = array.max > array.first.size();
  if (more && array.rest != kAnything) {
    if (!array.first.empty()) return false;
    put_count(negation(array.rest, from), 1, kNoMost);
  }
  for (const CountForm& count : array.counts) {
    if (count.min > 0) put_count(count.items, 0, count.min - 1);
    if (count.max != kNoMost) put_count(count.items, count.max + 1, kNoMost);
  }
  return true;
}

bool SchemaSet::complement(const ObjectForm& object, JsonNode from, std::vector<ObjectForm>& out) {
  if (object.partial) return false;
  const Term every = strings_.all();
  std::vector<std::string_view> names;
  for (const MemberForm& member : object.members) {
    names.push_back(member.name);
    if (member.required) {
      ObjectForm lacks = any_object(every);
      lacks.members.push_back({member.name, kNothing});
      out.push_back(std::move(lacks));
    }
    if (member.value == kAnything) continue;
    ObjectForm other = any_object(every);
    other.members.push_back({member.name, negation(member.value, from), true});
    out.push_back(std::move(other));
  }
  // Both bounds may only say what the members say already.
  const auto required = static_cast<uint64_t>(
      std::count_if(object.members.begin(), object.members.end(),
                    [](const MemberForm& member) { return member.required; }));
  if (object.min > required) {
    ObjectForm fewer = any_object(every);
    fewer.max = object.min - 1;
    out.push_back(std::move(fewer));
  }
  if (object.max != kNoMost && !(object.regions.empty() && object.max >= object.members.size())) {
    ObjectForm more = any_object(every);
    more.min = object.max + 1;
    out.push_back(std::move(more));
  }
  // Outside of members and regions.
  const Term known = listed(names);
  Term outside = known == Term::none ? every : complement_strings({known, known}).all;
  const Term unlisted = outside;
  const auto some = [&](Term which, SchemaId value) {
    if (value == kNothing || none(which)) return;
    ObjectForm shape = any_object(every);
    shape.some.push_back({which, value, from});
    out.push_back(std::move(shape));
  };
  for (const RegionForm& region : object.regions) {
    if (region.names == every)
      outside = Term::none;
    else
      outside = terms().without(outside, region.names);
    if (region.value != kAnything)
      some(strings_of_both(unlisted, region.names), negation(region.value, from));
  }
  some(outside, kAnything);
  for (const SomeMemberForm& each : object.some) {
    ObjectForm shape;
    const SchemaId value = negation(each.value, from);
    if (value != kNothing) shape.regions.push_back({each.names, value});
    shape.regions.push_back({terms().without(every, each.names)});
    out.push_back(std::move(shape));
  }
  return true;
}

}  // namespace skein::constrain
