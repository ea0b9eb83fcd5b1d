// From a schema's keywords to its form.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "constrain/schema_set.h"

namespace skein::constrain {

class SchemaReader {
 public:
  explicit SchemaReader(SchemaSet& set);

  Form read(JsonNode n);

 private:
  // The value of a keyword of n, unless it was dropped.
  std::optional<JsonNode> keyword(std::string_view name) const;
  // The same, where its value must be of that kind; else a problem.
  std::optional<JsonNode> keyword(std::string_view name, SchemaText::Kind kind) const;
  std::optional<uint64_t> count(std::string_view name) const;
  void unsupported(JsonNode at, std::string message) const;
  void invalid(JsonNode at, std::string message) const;
  bool is_text_list(JsonNode list) const;

  Form types() const;
  Form values(const std::vector<JsonNode>& list) const;
  void look_for_misspellings() const;

  // schema_read_values.cpp
  void strings(Form& form) const;
  void arrays(Form& form) const;
  void counts(ArrayForm& array) const;
  void objects(Form& form) const;
  std::vector<RegionForm> pattern_regions() const;
  Form names_of(JsonNode names) const;

  // schema_read_combined.cpp
  std::vector<SchemaId> combined() const;
  void combine(JsonNode member, std::vector<SchemaId>& out) const;
  SchemaId reference(JsonNode member) const;
  SchemaId condition(JsonNode test) const;
  void dependencies(JsonNode member, std::vector<SchemaId>& out) const;
  std::vector<SchemaId> branches(JsonNode list) const;
  void unevaluated(Form& form) const;

  SchemaSet& set_;
  const SchemaText& text_;
  JsonNode n_ = 0;
};

class NumberReader {
 public:
  // Of a number in a schema, written without exponent.
  static constexpr int64_t kMostDigits = 1'000;

  explicit NumberReader(SchemaSet& set) : set_(set) {}

  void bounds(JsonNode n, Form& form);
  NumberForm any_of(const std::vector<JsonNode>& values);
  void format(std::string_view name, Form& form);

 private:
  std::optional<Decimal> bound(JsonNode n, std::string_view name);
  bool too_long(const Decimal& value) const;
  void keep(Form& form, Term term);

  SchemaSet& set_;
};

}  // namespace skein::constrain
