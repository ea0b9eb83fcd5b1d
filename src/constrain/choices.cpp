#include "constrain/choices.h"

#include <vector>

#include "text/unicode.h"

namespace skein::constrain {
namespace {

constexpr size_t kMostChoices = 10'000;
constexpr size_t kMostChoiceBytes = 1024 * 1024;

tl::unexpected<Problems> refuse(std::string code, std::string where, std::string message) {
  return tl::unexpected(Problems{{std::move(code), std::move(where), std::move(message)}});
}

}  // namespace

Checked<Term> add_choices(Grammar& grammar, std::span<const std::string> choices) {
  if (choices.empty()) return refuse("unsatisfiable", "", "there is nothing to choose from");
  if (choices.size() > kMostChoices)
    return refuse(
        "constraint_too_large", "",
        fmt::format("there are {} choices; at most {} are taken", choices.size(), kMostChoices));
  size_t bytes = 0;
  for (size_t n = 0; n < choices.size(); ++n) {
    const std::string where = fmt::format("[{}]", n);
    bytes += choices[n].size();
    if (choices[n].empty())
      return refuse("invalid_grammar", where, "an empty text cannot be chosen");
    if (text::first_invalid_utf8(choices[n]) != std::string_view::npos)
      return refuse("invalid_grammar", where, "the text is not UTF-8");
    if (bytes > kMostChoiceBytes)
      return refuse("constraint_too_large", where,
                    fmt::format("the choices have more than {} bytes together", kMostChoiceBytes));
  }
  const Term term = grammar.terms.any_of({choices.begin(), choices.end()});
  if (grammar.terms.full())
    return refuse("constraint_too_large", "", "the choices are too many different texts");
  return term;
}

}  // namespace skein::constrain
