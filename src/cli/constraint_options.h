// What a text is asked to be: --schema, --grammar, --regex, --choice, --json-object, one of them;
// and in a chat /set with the same names.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "cli/console.h"
#include "cli/options.h"
#include "constrain/wanted.h"

namespace skein::cli {

class ConstraintOptions {
 public:
  void declare(Options& options);
  bool given() const { return !source().empty(); }

  // Error: argument (several of them, an empty one).
  Status check() const;
  // What was given, files read. Errors: those of check(); argument (a schema that is no JSON), io.
  Result<constrain::Wanted> wanted() const;
  // The same, over the words of a vocabulary; null where nothing was given. What a schema says in
  // vain is warned of. Errors: those of wanted(); argument, with each problem's place.
  Result<constrain::ConstraintPtr> compiled(
      Console& console, const std::shared_ptr<const constrain::Words>& words) const;

  // From now on that, instead of what was before; an empty value: any text. A choice's texts stand
  // between bars. False: there is no such setting.
  bool set(std::string_view name, std::string_view value);
  // Every name that set() knows and its value.
  std::vector<std::pair<std::string, std::string>> shown() const;
  // Of a text that reached its limit first.
  static std::string cut_text(int64_t limit);

 private:
  // The first option that was given: "--schema"; empty: none.
  std::string_view source() const;
  // What problems stand in: the file's name, or the option's.
  std::string where() const;

  const Options* options_ = nullptr;
  std::string schema_, grammar_, regex_;
  std::vector<std::string> choices_;
  bool any_object_ = false, typed_ = false;  // typed_: by set()
  std::string whitespace_ = "bounded";
};

// As members of a request, with the names that vLLM and Skein have for it.
void write_wanted(JsonWriter& json, const constrain::Wanted& wanted);

}  // namespace skein::cli
