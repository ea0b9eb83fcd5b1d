// What a schema means, apart from how it says it. A form tells, for each type of JSON, which values
// of it are allowed: strings and numbers as regular terms, arrays and objects as a list of shapes
// of which a value must have one. Forms can be intersected, united and complemented, which is all
// that `allOf`,
// `$ref`, `anyOf`, `oneOf`, `not`, `if` and `dependentRequired` need.
//
// A form knows two sets. One is the schema's, and proofs and complements are about it. The other,
// within it, is what is written: closed objects where nothing was said of other members, and
// formats by their common core. Where a set stands as two terms, `all` is the first and `written`
// is the second.
#pragma once

#include <cstdint>
#include <limits>
#include <string_view>
#include <vector>

#include "constrain/schema_text.h"
#include "constrain/term.h"

namespace skein::constrain {

// A schema that is made of others, by number (schema_set.h).
using SchemaId = uint32_t;
inline constexpr SchemaId kAnything = 0;
inline constexpr SchemaId kNothing = 1;

inline constexpr uint64_t kNoMost = std::numeric_limits<uint64_t>::max();

// Texts, of strings without their quotation marks or of numbers.
struct TextForm {
  Term all = Term::none;
  Term written = Term::none;

  friend bool operator==(const TextForm&, const TextForm&) = default;
};

struct NumberForm {
  TextForm texts;
  // Whether `written` has the shortest spelling of each value of `all`.
  bool covers = true;
  bool integral = false;  // nothing is written with a point
  bool bounded = false;   // where it ends matters: write no more digits than a double has

  friend bool operator==(const NumberForm&, const NumberForm&) = default;
};

// How many of the items are of a schema.
struct CountForm {
  SchemaId items = kAnything;
  uint64_t min = 1;
  uint64_t max = kNoMost;
  JsonNode from = 0;  // the keyword that says so

  friend bool operator==(const CountForm&, const CountForm&) = default;
};

struct ArrayForm {
  std::vector<SchemaId> first;  // of the first items
  SchemaId rest = kAnything;    // of those after them
  uint64_t min = 0;
  uint64_t max = kNoMost;
  std::vector<CountForm> counts;
  bool unique = false;
  JsonNode unique_from = 0;
  // Items from here on are for `unevaluatedItems`. See ObjectForm.
  uint64_t evaluated = 0;
  bool partial = false;

  SchemaId item(uint64_t index) const { return index < first.size() ? first[index] : rest; }
  friend bool operator==(const ArrayForm&, const ArrayForm&) = default;
};

struct MemberForm {
  std::string_view name;  // decoded
  SchemaId value = kAnything;
  bool required = false;
  bool evaluated = false;  // not for `unevaluatedProperties`

  friend bool operator==(const MemberForm&, const MemberForm&) = default;
};

// Members by the language of their names, as those are spelled in JSON.
struct RegionForm {
  Term names = Term::none;
  SchemaId value = kAnything;
  enum class Said : uint8_t {
    nothing,  // no schema spoke of them
    absent,   // a schema listed others and did not speak of them: they are not written
    allowed,
  } said = Said::nothing;
  bool evaluated = false;

  bool written() const { return said != Said::absent; }
  friend bool operator==(const RegionForm&, const RegionForm&) = default;
};

// At least one member has such a name and such a value.
struct SomeMemberForm {
  Term names = Term::none;
  SchemaId value = kAnything;
  JsonNode from = 0;

  friend bool operator==(const SomeMemberForm&, const SomeMemberForm&) = default;
};

struct ObjectForm {
  std::vector<MemberForm> members;  // in the order in which they are written
  // Of names that are not among the members'; disjoint. What is in none of them is forbidden.
  std::vector<RegionForm> regions;
  uint64_t min = 0;
  uint64_t max = kNoMost;
  std::vector<SomeMemberForm> some;
  // Whether the schema may allow more than this, so that this proves nothing.
  bool partial = false;

  const MemberForm* find(std::string_view name) const;
  friend bool operator==(const ObjectForm&, const ObjectForm&) = default;
};

struct Form {
  bool null = false;
  bool no = false;   // false
  bool yes = false;  // true
  NumberForm numbers;
  TextForm strings;
  std::vector<ArrayForm> arrays;
  std::vector<ObjectForm> objects;

  friend bool operator==(const Form&, const Form&) = default;
};

}  // namespace skein::constrain
