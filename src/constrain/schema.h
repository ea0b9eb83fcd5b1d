// JSON Schema as terms. What is allowed is JSON in one spelling (strings with the short escapes
// only, numbers without exponent, members in the schema's order) that the schema allows: all of it,
// or where a keyword cannot be told exactly, less; never more. What can be neither is a problem
// with its place.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/grammar.h"

namespace skein::constrain {

// Between the parts of the JSON; there is none before it and after it.
enum class JsonBlanks {
  bounded,  // nothing, a space, or a newline and up to 20 spaces or tabs
  compact,  // nothing
  any,      // up to 8 of any
};

// How deep values may nest is ConstraintOptions::depth (constraint.h).
struct SchemaOptions {
  JsonBlanks blanks = JsonBlanks::bounded;
  // Whether any character may be written as \uXXXX (or a pair of them), counted as one.
  bool unicode_escapes = false;
  // Whether an object with `properties` and without `additionalProperties` may have other members,
  // as the specification says. Else it has none: models seldom know where to stop.
  bool open_objects = false;
  // Whether a format that is not known is a problem and not a warning.
  bool strict = false;
  // Keywords that may be left out where they cannot be kept to: SchemaNotes::relaxed says which
  // were.
  std::vector<std::string> relax;
};

struct SchemaNote {
  std::string where;  // a JSON pointer into the schema
  std::string message;
};

struct SchemaNotes {
  std::vector<SchemaNote> warnings;  // at most kMostProblems
  std::vector<std::string> relaxed;  // JSON pointers of the keywords that do not hold
};

// Of reading one, in the units of Terms::work(): beyond it a schema is refused as too large.
inline constexpr uint64_t kMostSchemaWork = 60'000'000;
// And of those, to prove that patterns exclude each other or leave something.
inline constexpr uint64_t kMostProofWork = 3'000'000;

// Adds what the schema allows. The whole text of an answer is this term's.
Checked<Term> add_schema(Grammar& grammar, std::string_view json, const SchemaOptions& options = {},
                         SchemaNotes* notes = nullptr);

}  // namespace skein::constrain
