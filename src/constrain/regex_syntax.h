// A regular expression as a tree. Parts stand before what they are parts of, so that whoever reads
// `nodes` from front to back needs no recursion.
#pragma once

#include <string_view>
#include <vector>

#include "constrain/regex.h"

namespace skein::constrain::regex {

enum class Kind : uint8_t {
  set,         // one character of `set`
  sequence,    // of `parts`; without any it is the empty text
  choice,      // of `parts`
  repeat,      // parts[0], min to max times
  begin,       // of the text
  end,         //
  line_begin,  // of the text or of a line
  line_end,    //
  boundary,    // of an ASCII word
  no_boundary,
};

struct Node {
  Kind kind = Kind::sequence;
  uint32_t min = 0;
  uint32_t max = 0;
  CharSet set;
  std::vector<uint32_t> parts;
};

struct Syntax {
  std::vector<Node> nodes;
  uint32_t root = 0;
};

tl::expected<Syntax, Problem> parse(std::string_view pattern, RegexDialect dialect,
                                    const RegexOptions& options);

}  // namespace skein::constrain::regex
