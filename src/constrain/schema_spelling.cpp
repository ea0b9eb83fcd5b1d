#include "constrain/schema_spelling.h"

#include <algorithm>
#include <map>
#include <set>

#include "constrain/schema_set.h"

namespace skein::constrain {
namespace {

using Kind = SchemaText::Kind;

constexpr size_t kMostSpellings = 32;

class Speller {
 public:
  Speller(SchemaSet& set, const SchemaText& value) : set_(set), value_(value) {}

  std::vector<std::string> all(SchemaId id) {
    std::vector<std::string> out{spell(id, SchemaText::kRoot)};
    const auto put = [&](std::string text) {
      if (out.size() < kMostSpellings && std::find(out.begin(), out.end(), text) == out.end())
        out.push_back(std::move(text));
    };
    const Form& form = set_.form(id);
    if (value_.is(SchemaText::kRoot, Kind::object))
      for (const ObjectForm& object : form.objects) put(spell_object(object, SchemaText::kRoot));
    if (value_.is(SchemaText::kRoot, Kind::array))
      for (const ArrayForm& array : form.arrays) put(spell_array(array, SchemaText::kRoot));
    return out;
  }

 private:
  // By the first shape that allows the value, or else the first at all.
  std::string spell(SchemaId id, JsonNode n) {
    if (value_.is(n, Kind::object)) {
      const auto& objects = set_.form(id).objects;
      for (const ObjectForm& object : objects)
        if (allows(object, n)) return spell_object(object, n);
      return spell_object(objects.empty() ? ObjectForm{} : objects.front(), n);
    }
    if (value_.is(n, Kind::array)) {
      const auto& arrays = set_.form(id).arrays;
      for (const ArrayForm& array : arrays)
        if (allows(array, n)) return spell_array(array, n);
      return spell_array(arrays.empty() ? ArrayForm{} : arrays.front(), n);
    }
    if (value_.is(n, Kind::number)) return number(n);
    return value_.json(n);
  }

  std::string number(JsonNode n) const {
    // To draft 4, 1.0 is no integer.
    const std::string_view text = value_.text(n);
    if (set_.places().draft() == SchemaDraft::draft4 && text.find_first_of("eE") == text.npos)
      return std::string(text);
    const Decimal value = Decimal::of(text);
    return value.point > 1000 || value.point < -1000 ? std::string(text) : value.plain();
  }

  std::string spell_array(const ArrayForm& array, JsonNode n) {
    std::string out;
    uint64_t index = 0;
    for (const JsonNode each : value_.children(n)) {
      if (!out.empty()) out += ',';
      out += spell(array.item(index++), each);
    }
    return '[' + out + ']';
  }

  std::string spell_object(const ObjectForm& object, JsonNode n) {
    std::string out;
    const auto put = [&](JsonNode member) {
      if (!out.empty()) out += ',';
      out += '"' + StringTerms::spelled(value_.key(member)) +
             "\":" + spell(value_of(object, value_.key(member)), member);
    };
    std::set<std::string_view> names;
    for (const MemberForm& member : object.members) {
      names.insert(member.name);
      if (const auto found = value_.find(n, member.name)) put(*found);
    }
    for (const JsonNode member : value_.children(n))
      if (names.count(value_.key(member)) == 0) put(member);
    return '{' + out + '}';
  }

  // What is written; members of no region are nothing.
  SchemaId value_of(const ObjectForm& object, std::string_view name) {
    if (const MemberForm* member = object.find(name)) return member->value;
    for (const RegionForm& region : object.regions)
      if (region.written() && set_.terms().matches(region.names, StringTerms::spelled(name)))
        return region.value;
    return kNothing;
  }

  bool allows(SchemaId id, JsonNode n) {
    if (id == kAnything) return true;
    const auto [known, added] = known_.emplace(std::pair(id, n), false);
    if (!added) return known->second;
    const bool out = find_out(set_.form(id), n);
    known_[{id, n}] = out;
    return out;
  }

  bool find_out(const Form& form, JsonNode n) {
    switch (value_.kind(n)) {
      case Kind::null: return form.null;
      case Kind::boolean: return value_.truth(n) ? form.yes : form.no;
      case Kind::number: return set_.terms().matches(form.numbers.texts.written, number(n));
      case Kind::string:
        return set_.terms().matches(form.strings.written, StringTerms::spelled(value_.text(n)));
      case Kind::array:
        return std::any_of(form.arrays.begin(), form.arrays.end(),
                           [&](const ArrayForm& array) { return allows(array, n); });
      case Kind::object:
        return std::any_of(form.objects.begin(), form.objects.end(),
                           [&](const ObjectForm& object) { return allows(object, n); });
    }
    return false;
  }

  bool allows(const ArrayForm& array, JsonNode n) {
    const auto items = value_.children(n);
    if (items.size() < array.min || items.size() > array.max) return false;
    std::set<std::string> different;
    for (size_t i = 0; i < items.size(); ++i) {
      if (!allows(array.item(i), items[i])) return false;
      different.insert(spell(kAnything, items[i]));
    }
    if (array.unique && different.size() < items.size()) return false;
    return std::all_of(array.counts.begin(), array.counts.end(), [&](const CountForm& count) {
      const auto found = static_cast<uint64_t>(std::count_if(
          items.begin(), items.end(), [&](JsonNode item) { return allows(count.items, item); }));
      return found >= count.min && found <= count.max;
    });
  }

  bool allows(const ObjectForm& object, JsonNode n) {
    const auto members = value_.children(n);
    if (members.size() < object.min || members.size() > object.max) return false;
    for (const MemberForm& member : object.members)
      if (member.required && !value_.find(n, member.name)) return false;
    return std::all_of(members.begin(), members.end(), [&](JsonNode member) {
      return allows(value_of(object, value_.key(member)), member);
    });
  }

  SchemaSet& set_;
  const SchemaText& value_;
  std::map<std::pair<SchemaId, JsonNode>, bool> known_;
};

}  // namespace

struct SchemaSpeller::Parts {
  SchemaText text;
  SchemaOptions options;
  Grammar grammar;
  SchemaReport report;
  std::set<JsonNode> dropped;
  SchemaSet set{grammar, text, options, report, dropped};

  Parts(SchemaText schema, SchemaOptions how) : text(std::move(schema)), options(std::move(how)) {}
};

SchemaSpeller::SchemaSpeller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
SchemaSpeller::SchemaSpeller(SchemaSpeller&&) noexcept = default;
SchemaSpeller::~SchemaSpeller() = default;

Checked<SchemaSpeller> SchemaSpeller::of(std::string_view schema, const SchemaOptions& options) {
  auto text = SchemaText::parse(schema);
  if (!text) return tl::unexpected(text.error());
  return SchemaSpeller(std::make_unique<Parts>(std::move(*text), options));
}

Checked<std::vector<std::string>> SchemaSpeller::spell(std::string_view value) {
  const auto instance = SchemaText::parse(value);
  if (!instance) return tl::unexpected(instance.error());
  return Speller(parts_->set, *instance).all(parts_->set.node(SchemaText::kRoot));
}

}  // namespace skein::constrain
