// What a model's answer is around what was asked of it: a thought before it, calls of functions in
// it.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "constrain/grammar.h"
#include "constrain/schema.h"
#include "text/tools.h"

namespace skein::constrain {

// What stands before the answer.
struct Beginning {
  // What the answer was made to begin with (text::Turn::opening): a thought that it opens is
  // thought to its end first, however long, and one that it leaves half closed is closed.
  std::string opening = {};
  bool may_think = false;  // a thought may be opened, where the opening has none
  bool blank = false;      // a blank may stand before the answer, as after "Assistant:"
  bool lines = true;       // and up to two line ends behind a thought
};
Term after(Grammar& grammar, const Beginning& beginning, Term answer);

// Which functions an answer calls.
enum class Calling {
  none,      // none, nor anything that begins like a call
  optional,  // free text, and calls at its end
  required,  // calls and nothing else
};

struct Calls {
  const text::CallForm* form = nullptr;
  std::vector<text::Tool> tools;
  Calling calling = Calling::optional;
  bool parallel = true;  // several calls in one answer
  SchemaOptions schema{};
};
inline constexpr size_t kMostTools = 512;
inline constexpr size_t kMostCalls = 128;  // in one answer

// Problems: those of the functions' parameters, whose places begin with tools[i].parameters.
Checked<Term> add_calls(Grammar& grammar, const Calls& calls, SchemaNotes* notes = nullptr);

}  // namespace skein::constrain
