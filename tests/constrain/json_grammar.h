// Any JSON value, written as Skein writes it: short escapes, plain numbers, one blank at most.
#pragma once

#include "constrain/grammar.h"

namespace skein::constrain::test {

inline Term json_string(Terms& t, uint32_t min = 0, uint32_t max = kUnbounded) {
  constexpr Terms::Range kPlain[] = {{0x20, '"' - 1}, {'"' + 1, '\\' - 1}, {'\\' + 1, 0x10ffff}};
  ByteSet escapes;
  for (const char c : {'"', '\\', 'n', 'r', 't', 'b', 'f'}) escapes.set(static_cast<size_t>(c));
  const Term escape = t.sequence(t.literal("\\"), t.bytes(escapes));
  const Term character = t.either(t.characters(kPlain), escape);
  return t.sequence(t.literal("\""), t.sequence(t.repeat(character, min, max), t.literal("\"")));
}

inline Term json_number(Terms& t) {
  const Term digit = t.byte_range('0', '9');
  const Term whole =
      t.either(t.literal("0"), t.sequence(t.byte_range('1', '9'), t.repeat(digit, 0, kUnbounded)));
  const Term rest = t.sequence(t.literal("."), t.repeat(digit, 1, 17));
  return t.sequence(t.optional(t.literal("-")), t.sequence(whole, t.optional(rest)));
}

// A list of `item`s with commas between them, in brackets.
inline Term json_list(Terms& t, Term item, const char* open, const char* close, Term blank) {
  const Term more = t.sequence(t.literal(","), t.sequence(blank, item));
  const Term items = t.sequence(item, t.repeat(more, 0, kUnbounded));
  return t.sequence(
      t.literal(open),
      t.sequence(blank, t.sequence(t.optional(t.sequence(items, blank)), t.literal(close))));
}

inline Grammar json_grammar() {
  Grammar g;
  Terms& t = g.terms;
  const uint32_t value = g.add_rule();
  const Term blank = t.optional(
      t.either(t.literal(" "), t.sequence(t.literal("\n"), t.repeat(t.literal(" "), 0, 20))));
  const Term colon = t.sequence(t.literal(":"), blank);
  const Term pair = t.sequence(json_string(t), t.sequence(colon, t.call(value)));
  const Term choices[] = {json_string(t),
                          json_number(t),
                          t.literal("true"),
                          t.literal("false"),
                          t.literal("null"),
                          json_list(t, pair, "{", "}", blank),
                          json_list(t, t.call(value), "[", "]", blank)};
  g.rules[value] = t.either(choices);
  g.root = t.call(value);
  return g;
}

}  // namespace skein::constrain::test
