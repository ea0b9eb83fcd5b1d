// The schemas of one text: those that stand in it, and those that come of them when keywords are
// combined. Each is a number, equal ones have equal numbers, and what a schema means (its form) is
// found when it is asked for. So a schema may refer to itself.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "constrain/numbers_terms.h"
#include "constrain/schema.h"
#include "constrain/schema_form.h"
#include "constrain/schema_places.h"
#include "constrain/schema_report.h"
#include "constrain/schema_strings.h"

namespace skein::constrain {

class SchemaSet {
 public:
  // How many schemas may come of one text, and how many shapes of arrays or objects one may have.
  static constexpr size_t kMostSchemas = 200'000;
  static constexpr size_t kMostShapes = 2'000;
  static constexpr size_t kMostHops = 256;
  static constexpr size_t kMostWork = 100'000;
  // Derivatives in one proof.
  static constexpr size_t kMostSteps = 10'000;

  // `dropped`: keywords (their values) that do not hold.
  SchemaSet(Grammar& grammar, const SchemaText& text, const SchemaOptions& options,
            SchemaReport& report, const std::set<JsonNode>& dropped);

  SchemaId node(JsonNode n);
  SchemaId all(const std::vector<SchemaId>& parts);
  SchemaId some(const std::vector<SchemaId>& parts);
  // `from` is the keyword that asks for it.
  SchemaId one(const std::vector<SchemaId>& parts, JsonNode from);
  SchemaId negation(SchemaId part, JsonNode from);
  SchemaId constant(JsonNode value);    // that value
  SchemaId has_key(JsonNode member);    // objects with a member of this member's name
  SchemaId lacks_key(JsonNode member);  // everything but those
  SchemaId has_list(JsonNode names);    // objects with all of them, and what is no object
  SchemaId has_name(JsonNode name);     // the same with one

  // Until the next call of form() for another schema that is not known yet.
  const Form& form(SchemaId id);
  // Whether nothing is allowed, as far as that is known.
  bool impossible(SchemaId id);
  // Whether it is certain that no value is of both.
  bool disjoint(SchemaId a, SchemaId b);
  // Where it stands in the text, for messages.
  JsonNode place(SchemaId id) const;

  Form anything() const;
  Form nothing() const { return {}; }
  Form meet(Form a, const Form& b);
  void unite(Form& a, const Form& b);
  // All that a form does not allow. Nothing where that cannot be said.
  std::optional<Form> complement(const Form& a, JsonNode from);
  // Drops what no value can have. False if that is the whole.
  bool settle(ArrayForm& array);
  bool settle(ObjectForm& object);
  TextForm meet_strings(const TextForm& a, const TextForm& b);
  bool none(Term regular);  // whether it surely is
  // Of strings that are listed, which is remembered: enums and what tells branches apart are quick
  // then.
  Term listed(std::vector<std::string_view> texts);
  Term strings_of_both(Term a, Term b);
  // Strings in which this is found. A problem at the keyword if it is no pattern.
  std::optional<Term> pattern(std::string_view regex, JsonNode from);
  // Nothing if it is not known.
  std::optional<TextForm> format(std::string_view name);

  Grammar& grammar() { return grammar_; }
  Terms& terms() { return grammar_.terms; }
  const SchemaText& text() const { return text_; }
  const SchemaPlaces& places() const { return places_; }
  const SchemaOptions& options() const { return options_; }
  SchemaReport& report() { return report_; }
  NumberTerms& numbers() { return numbers_; }
  StringTerms& strings() { return strings_; }
  bool dropped(JsonNode keyword) const { return dropped_.count(keyword) != 0; }

 private:
  enum class Kind : uint8_t {
    anything,
    nothing,
    node,
    all,
    some,
    one,
    negation,
    constant,
    has_key,
    lacks_key,
    has_list,
    has_name
  };
  struct Schema {
    Kind kind;
    JsonNode from;
    std::vector<SchemaId> parts;
    std::unique_ptr<Form> form;
    bool busy = false;
  };

  // Looking ahead, in which what is still being read is not known, and no fault either.
  class Ahead;
  SchemaId intern(Kind kind, JsonNode from, std::vector<SchemaId> parts = {});
  Form make(SchemaId id);
  Form make_one(const std::vector<SchemaId>& parts, JsonNode from);
  Form constant_form(JsonNode value);
  Form names_form(const std::vector<std::string_view>& names, bool lacking);

  // schema_algebra.cpp
  NumberForm meet(const NumberForm& a, const NumberForm& b);
  ArrayForm meet(const ArrayForm& a, const ArrayForm& b);
  void meet(const ObjectForm& a, const ObjectForm& b, std::vector<ObjectForm>& out);
  void spread(ObjectForm object, std::vector<ObjectForm>& out);
  SchemaId value_of(const ObjectForm& object, std::string_view name);
  bool complement(const ArrayForm& array, JsonNode from, std::vector<ArrayForm>& out);
  bool complement(const ObjectForm& object, JsonNode from, std::vector<ObjectForm>& out);
  TextForm complement_strings(const TextForm& a);
  TextForm complement_numbers(const TextForm& a);
  bool too_many(size_t shapes);

  // schema_proofs.cpp
  bool disjoint_numbers(Term a, Term b);
  bool disjoint_arrays(const ArrayForm& a, const ArrayForm& b);
  bool disjoint_objects(const ObjectForm& a, const ObjectForm& b);

  Grammar& grammar_;
  const SchemaText& text_;
  const SchemaOptions& options_;
  SchemaReport& report_;
  const std::set<JsonNode>& dropped_;
  SchemaPlaces places_;
  NumberTerms numbers_;
  StringTerms strings_;
  std::vector<Schema> schemas_;
  std::map<std::vector<uint32_t>, SchemaId> known_;
  std::map<std::pair<SchemaId, SchemaId>, bool> disjoint_;
  // Sets of strings of which one knows that they are these, or all but these.
  struct Listed {
    bool others = false;
    std::vector<std::string_view> texts;  // sorted
  };
  Term remembered(Listed listed);
  bool disjoint_strings(Term a, Term b);
  std::unordered_map<Term, Listed> listed_;
  std::map<std::string_view, std::optional<TextForm>> formats_;
  std::map<std::string_view, Term> patterns_;
  std::vector<std::unique_ptr<Form>> passing_;  // forms made while something was not known
  std::set<SchemaId> looked_at_;                // that could not be told to be impossible
  size_t ahead_ = 0;
  bool unknown_ = false;  // whether something was not known
  size_t depth_ = 0;
  size_t proof_depth_ = 0;
  JsonNode reading_ = 0;  // the schema whose form is being made
  size_t work_ = 0;       // members of objects that were combined
};

}  // namespace skein::constrain
