// From forms to terms: the texts that are allowed.
#pragma once

#include <array>
#include <deque>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "constrain/schema_set.h"

namespace skein::constrain {

class SchemaWriter {
 public:
  explicit SchemaWriter(SchemaSet& set);

  // The texts of a schema. What refers to itself becomes rules of the grammar.
  Term write(SchemaId id);

 private:
  // A value's term, or a call of the rule that will have it.
  Term value(SchemaId id);
  Term call(SchemaId id);
  Term form(const Form& form, JsonNode at);
  Term numbers(const NumberForm& numbers);
  Term in_rule(Term term);
  Term repeated(Term what, uint64_t min, uint64_t max);

  // schema_write_arrays.cpp
  Term array(const ArrayForm& array, JsonNode at);
  bool all_differ(const ArrayForm& array);
  Term plain_array(const ArrayForm& array);
  Term unique_array(const ArrayForm& array);
  Term counted_array(const ArrayForm& array);
  std::optional<std::vector<std::string>> texts_of(Term regular, size_t most);

  // schema_write_objects.cpp
  struct Members {
    struct Part {
      Term term;
      bool required;
    };
    std::vector<Part> parts;
    Term other = Term::none;
    Term first = Term::none;  // of the others, if there has to be one
    uint64_t required = 0;
    uint64_t min = 0;  // 0 and kNoMost where they hold anyway
    uint64_t max = kNoMost;
  };
  Term object(const ObjectForm& object, JsonNode at);
  Term object_with(const ObjectForm& object, Term other, Term first, JsonNode at);
  Term some_member(const ObjectForm& object, JsonNode at);
  bool listed_members(const ObjectForm& object, Members& out);
  Term other_members(const ObjectForm& object);
  Term members_in_order(const Members& members, size_t columns);
  Term member(Term name, Term value);

  Term text(std::string_view literal) { return terms_.literal(literal); }
  Term sequence(std::initializer_list<Term> parts) {
    return terms_.sequence(std::span<const Term>(parts.begin(), parts.size()));
  }

  SchemaSet& set_;
  Terms& terms_;
  Term blank_;
  Term comma_;  // with the blanks around it
  Term quote_;
  Term colon_;
  struct Written {
    std::optional<Term> term;
    std::optional<uint32_t> rule;
    size_t weight = 0;
    bool busy = false;
  };
  std::map<SchemaId, Written> written_;
  std::deque<SchemaId> waiting_;  // whose rules are called and not yet set
  size_t depth_ = 0;
  bool alike_ = false;  // many objects are being written that share members
  std::map<Term, uint32_t> rules_;
  size_t weight_ = 0;  // of what is being written: about the bytes of its names
};

}  // namespace skein::constrain
