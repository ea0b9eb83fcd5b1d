// What an answer is asked to be: one description for the server, the command line and the C API,
// and the constraint that is made of it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/answer.h"
#include "constrain/compiled.h"
#include "constrain/constraint.h"

namespace skein::constrain {

enum class Language {
  any_text,
  any_object,  // JSON
  schema,      // JSON Schema
  regex,       // RE2's syntax, the whole answer
  choices,
  grammar,  // GBNF or Lark, whichever it is
  kbnf,
};

struct Wanted {
  Language language = Language::any_text;
  std::string text{};                  // of the schema, the expression or the grammar
  std::vector<std::string> choices{};  // of Language::choices
  SchemaOptions schema{};
  Beginning beginning{};
  // Calls of functions, instead of such an answer or, with any_text, behind free text.
  std::optional<Calls> calls{};

  bool says_something() const { return language != Language::any_text || calls; }
  // Whether blanks at its begin and end, or what looks like a thought, may be the answer's own:
  // then nothing stands around it.
  bool has_own_blanks() const;
};

// One that was made before is found again. Problems: those of the language, whose places are in its
// text; unsatisfiable, constraint_too_large.
Checked<Made> made_for(const Wanted& wanted, const std::shared_ptr<const Words>& words);
Checked<ConstraintPtr> constraint_of(const Wanted& wanted,
                                     const std::shared_ptr<const Words>& words,
                                     SchemaNotes* notes = nullptr);
// By which Compiled knows it.
Digest key_of(const Wanted& wanted, const Words& words);

// All of them as one sentence.
std::string sentence(const Problems& problems);

}  // namespace skein::constrain
