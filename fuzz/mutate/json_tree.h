// JSON as a tree that may also be wrong: keys twice, numbers and words as they are written. For
// changing files, not for reading them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "support/random.h"

namespace skein::mutate {

struct JsonTree {
  enum class Kind { scalar, array, object };
  Kind kind = Kind::scalar;
  std::string text;                  // of a scalar, as it is written: 12, "a\n", null
  std::vector<std::string> names{};  // of an object's members, as they are written
  std::vector<JsonTree> items{};

  // Of valid JSON; what is not gives a scalar of the rest.
  static JsonTree parse(std::string_view text);
  std::string written() const;
};

// Changes one place: a member twice, missing, elsewhere, of another type, a huge or odd number,
// something nested deeply. Says what it did.
std::string change_json(JsonTree& tree, test::Random& random);

// The same of a text; now and then around it (a byte order mark, blanks, a cut, something behind).
std::string change_json_text(std::string& text, test::Random& random);

}  // namespace skein::mutate
