// What a text is asked to be: --schema, --grammar, --regex, --choice, --json-object, one of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli/console.h"
#include "cli/options.h"
#include "constrain/matcher.h"
#include "constrain/wanted.h"

namespace skein::cli {

class ConstraintOptions {
 public:
  void declare(Options& options);
  bool given() const { return !source().empty(); }

  // What was given, files read. Errors: argument (several of them, a schema that is no JSON), io.
  Result<constrain::Wanted> wanted() const;
  // The same, held to the words of a vocabulary; none where nothing was given. What a schema says
  // in vain is warned of. Errors: those of wanted(); argument, with each problem's place.
  Result<std::optional<constrain::Matcher>> matcher(Console& console,
                                                    const text::TokenizerPtr& tokenizer) const;

 private:
  // The first option that was given: "--schema"; empty: none.
  std::string_view source() const;
  // What problems stand in: the file's name, or the option's.
  std::string where() const;
  Status check() const;

  const Options* options_ = nullptr;
  std::string schema_, grammar_, regex_;
  std::vector<std::string> choices_;
  bool any_object_ = false;
  std::string whitespace_ = "bounded";
};

// As members of a request, with the names that vLLM and Skein have for it.
void write_wanted(JsonWriter& json, const constrain::Wanted& wanted);

}  // namespace skein::cli
