#include "constrain/schema_read.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace skein::constrain {
namespace {

using Kind = SchemaText::Kind;

// Every keyword of any draft that we enforce or know to say nothing.
constexpr std::array<std::string_view, 62> kKeywords = {"$anchor",
                                                        "$comment",
                                                        "$defs",
                                                        "$dynamicAnchor",
                                                        "$dynamicRef",
                                                        "$id",
                                                        "$recursiveAnchor",
                                                        "$recursiveRef",
                                                        "$ref",
                                                        "$schema",
                                                        "$vocabulary",
                                                        "additionalItems",
                                                        "additionalProperties",
                                                        "allOf",
                                                        "anyOf",
                                                        "const",
                                                        "contains",
                                                        "contentEncoding",
                                                        "contentMediaType",
                                                        "contentSchema",
                                                        "default",
                                                        "definitions",
                                                        "dependencies",
                                                        "dependentRequired",
                                                        "dependentSchemas",
                                                        "deprecated",
                                                        "description",
                                                        "else",
                                                        "enum",
                                                        "example",
                                                        "examples",
                                                        "exclusiveMaximum",
                                                        "exclusiveMinimum",
                                                        "format",
                                                        "id",
                                                        "if",
                                                        "items",
                                                        "maxContains",
                                                        "maxItems",
                                                        "maxLength",
                                                        "maxProperties",
                                                        "maximum",
                                                        "minContains",
                                                        "minItems",
                                                        "minLength",
                                                        "minProperties",
                                                        "minimum",
                                                        "multipleOf",
                                                        "not",
                                                        "oneOf",
                                                        "pattern",
                                                        "patternProperties",
                                                        "prefixItems",
                                                        "properties",
                                                        "propertyNames",
                                                        "readOnly",
                                                        "required",
                                                        "then",
                                                        "title",
                                                        "type",
                                                        "unevaluatedItems",
                                                        "uniqueItems"};
constexpr std::array<std::string_view, 2> kMore = {"unevaluatedProperties", "writeOnly"};

bool known(std::string_view name) {
  return std::find(kKeywords.begin(), kKeywords.end(), name) != kKeywords.end() ||
         std::find(kMore.begin(), kMore.end(), name) != kMore.end();
}

// Whether one letter more, less, other, or two exchanged make one of the other.
bool nearly(std::string_view a, std::string_view b) {
  if (a.size() > b.size()) std::swap(a, b);
  if (a == b || b.size() - a.size() > 1) return false;
  size_t i = 0;
  while (i < a.size() && a[i] == b[i]) ++i;
  if (a.size() < b.size()) return a.substr(i) == b.substr(i + 1);
  if (a.substr(i + 1) == b.substr(i + 1)) return true;
  return i + 1 < a.size() && a[i] == b[i + 1] && a[i + 1] == b[i] &&
         a.substr(i + 2) == b.substr(i + 2);
}

}  // namespace

SchemaReader::SchemaReader(SchemaSet& set) : set_(set), text_(set.text()) {}

std::optional<JsonNode> SchemaReader::keyword(std::string_view name) const {
  const auto found = text_.find(n_, name);
  return found && !set_.dropped(*found) ? found : std::nullopt;
}

std::optional<JsonNode> SchemaReader::keyword(std::string_view name, Kind kind) const {
  const auto found = keyword(name);
  if (!found || text_.is(*found, kind)) return found;
  static constexpr std::array<const char*, 6> kNames = {"null",     "true or false", "a number",
                                                        "a string", "a list",        "an object"};
  invalid(*found, fmt::format("\"{}\" must be {}", name, kNames[static_cast<size_t>(kind)]));
  return std::nullopt;
}

std::optional<uint64_t> SchemaReader::count(std::string_view name) const {
  const auto at = keyword(name, Kind::number);
  if (!at) return std::nullopt;
  const auto value = Decimal::of(text_.text(*at)).count();
  if (!value) invalid(*at, fmt::format("\"{}\" must be a whole number that is not negative", name));
  return value;
}

void SchemaReader::unsupported(JsonNode at, std::string message) const {
  set_.report().problem("unsupported_keyword", at, std::move(message));
}

void SchemaReader::invalid(JsonNode at, std::string message) const {
  set_.report().problem("invalid_schema", at, std::move(message));
}

bool SchemaReader::is_text_list(JsonNode list) const {
  const auto strings = [&](JsonNode each) { return text_.is(each, Kind::string); };
  const auto children = text_.children(list);
  if (text_.is(list, Kind::array) && std::all_of(children.begin(), children.end(), strings))
    return true;
  invalid(list, "this must be a list of names");
  return false;
}

Form SchemaReader::read(JsonNode n) {
  n_ = n;
  if (text_.is(n, Kind::boolean)) return text_.truth(n) ? set_.anything() : set_.nothing();
  if (!text_.is(n, Kind::object)) {
    invalid(n, "a schema must be an object, true or false");
    return {};
  }
  look_for_misspellings();
  // Until draft 7 a reference was alone, whatever stood beside it.
  if (set_.places().draft() != SchemaDraft::latest)
    if (const auto alone = keyword("$ref", Kind::string)) return set_.form(reference(*alone));

  Form form = types();
  if (const auto value = text_.find(n, "const"); value && !set_.dropped(*value))
    form = set_.meet(std::move(form), values({*value}));
  if (const auto list = keyword("enum", Kind::array)) {
    const auto each = text_.children(*list);
    if (each.empty()) invalid(*list, "\"enum\" must have a value");
    form = set_.meet(std::move(form), values({each.begin(), each.end()}));
  }
  if (form.numbers.texts.all != Term::none) NumberReader(set_).bounds(n, form);
  strings(form);
  arrays(form);
  objects(form);
  for (const SchemaId id : combined()) form = set_.meet(std::move(form), set_.form(id));
  unevaluated(form);
  return form;
}

Form SchemaReader::types() const {
  const auto at = keyword("type");
  if (!at) return set_.anything();
  std::vector<JsonNode> list{*at};
  if (text_.is(*at, Kind::array))
    list.assign(text_.children(*at).begin(), text_.children(*at).end());
  const Form any = set_.anything();
  Form out;
  bool fractions = false;
  bool integers = false;
  for (const JsonNode each : list) {
    const std::string_view name = text_.is(each, Kind::string) ? text_.text(each) : "";
    if (name == "null")
      out.null = true;
    else if (name == "boolean")
      out.no = out.yes = true;
    else if (name == "string")
      out.strings = any.strings;
    else if (name == "array")
      out.arrays = any.arrays;
    else if (name == "object")
      out.objects = any.objects;
    else if (name == "number")
      fractions = true;
    else if (name == "integer")
      integers = true;
    else
      invalid(each, "a type is one of null, boolean, integer, number, string, array, object");
  }
  if (fractions) {
    out.numbers = any.numbers;
  } else if (integers) {
    const NumberTerms& numbers = set_.numbers();
    out.numbers.texts = {set_.terms().both(numbers.all(), numbers.integers()),
                         numbers.plain_integers()};
    out.numbers.integral = true;
  }
  return out;
}

// Strings and numbers go into one trie each.
Form SchemaReader::values(const std::vector<JsonNode>& list) const {
  Form out;
  std::vector<std::string_view> texts;
  std::vector<JsonNode> numbers;
  for (const JsonNode each : list) {
    if (text_.is(each, Kind::string))
      texts.push_back(text_.text(each));
    else if (text_.is(each, Kind::number))
      numbers.push_back(each);
    else
      set_.unite(out, set_.form(set_.constant(each)));
  }
  if (!texts.empty()) {
    const Term term = set_.listed(std::move(texts));
    out.strings = {term, term};
  }
  if (!numbers.empty()) out.numbers = NumberReader(set_).any_of(numbers);
  return out;
}

void SchemaReader::look_for_misspellings() const {
  if (n_ == SchemaText::kRoot && text_.find(n_, "properties") && !text_.find(n_, "type"))
    set_.report().warn(*text_.find(n_, "properties"),
                       "without \"type\": \"object\" values that are no objects are allowed too");
  for (const JsonNode member : text_.children(n_)) {
    const std::string_view name = text_.key(member);
    if (name.size() < 3 || known(name)) continue;
    const auto like = [&](std::string_view keyword) { return nearly(name, keyword); };
    auto meant = std::find_if(kKeywords.begin(), kKeywords.end(), like);
    if (meant != kKeywords.end())
      set_.report().warn(member, fmt::format("\"{}\" is not known and was ignored; \"{}\" is",
                                             escaped(name), *meant));
  }
}

}  // namespace skein::constrain
