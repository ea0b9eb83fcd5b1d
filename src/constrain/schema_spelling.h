// A JSON value in the spelling that a schema's term allows: members in its order, no blanks, the
// short escapes, numbers without exponent. A judge of terms can thus take values from anywhere.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/schema.h"

namespace skein::constrain {

class SchemaSpeller {
 public:
  // The schema must live as long as this. Problems: those of its text.
  static Checked<SchemaSpeller> of(std::string_view schema, const SchemaOptions& options = {});
  SchemaSpeller(SchemaSpeller&&) noexcept;
  ~SchemaSpeller();

  // Each order of members that the schema could want; the first is one that is allowed, if there is
  // one. Problems are those of the value's text.
  Checked<std::vector<std::string>> spell(std::string_view value);

 private:
  struct Parts;
  explicit SchemaSpeller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace skein::constrain
