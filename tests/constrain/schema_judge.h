// What a schema's term allows, for tests.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "constrain/recognizer.h"
#include "constrain/schema.h"

namespace skein::constrain {

class SchemaJudge {
 public:
  explicit SchemaJudge(std::string_view schema, const SchemaOptions& options = {})
      : term_(add_schema(*grammar_, schema, options, &notes)) {}

  bool allows(std::string_view text) {
    return term_ && Recognizer::matches(*grammar_, *term_, text);
  }
  // Whether something that is allowed begins like this, as far as the plain reader can tell.
  bool begins(std::string_view text) { return term_ && Recognizer(*grammar_, *term_).read(text); }
  bool refused() const { return !term_; }
  // "code where" of the first problem.
  std::string problem() const {
    if (term_) return "none";
    return term_.error().front().code + " " + term_.error().front().where;
  }
  const Problems& problems() const { return term_.error(); }
  Grammar& grammar() { return *grammar_; }

  SchemaNotes notes;

 private:
  std::unique_ptr<Grammar> grammar_ = std::make_unique<Grammar>();
  Checked<Term> term_;
};

// The options that most tests of one keyword want.
inline SchemaOptions open_compact() {
  SchemaOptions out;
  out.blanks = JsonBlanks::compact;
  out.open_objects = true;
  return out;
}

}  // namespace skein::constrain
