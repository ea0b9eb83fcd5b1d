#include "text/split_20b.h"

#include <array>

#include "text/unicode.h"

namespace skein::text {
namespace {

struct Run {
  size_t length = 0;  // of all characters of one class
  size_t last = 0;    // of the last character among them
};

Run run_of(CharClass wanted, std::string_view text) {
  Run run;
  while (run.length < text.size()) {
    const Character c = first_character(text.substr(run.length, 4));
    if (c.length == 0 || char_class(c.code) != wanted) break;
    run.last = c.length;
    run.length += c.length;
  }
  return run;
}

}  // namespace

size_t first_word(std::string_view rest) {
  constexpr std::array<std::string_view, 7> kEndings = {"'s", "'t",  "'re", "'ve",
                                                        "'m", "'ll", "'d"};
  if (rest[0] == '\'')
    for (const std::string_view ending : kEndings)
      if (rest.starts_with(ending)) return ending.size();

  const size_t space = rest[0] == ' ' && rest.size() > 1 ? 1 : 0;
  const CharClass kind = char_class(first_character(rest.substr(space, 4)).code);
  if (kind != CharClass::space) return space + run_of(kind, rest.substr(space)).length;

  // A run of blanks leaves its last one to the word that follows, unless it is the only one.
  const Run blanks = run_of(CharClass::space, rest);
  const bool at_end = blanks.length == rest.size();
  return at_end || blanks.length == blanks.last ? blanks.length : blanks.length - blanks.last;
}

}  // namespace skein::text
