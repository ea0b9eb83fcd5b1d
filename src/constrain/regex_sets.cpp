#include "constrain/regex_sets.h"

#include <algorithm>
#include <array>

#include "text/unicode_sets.h"

namespace skein::constrain::regex {
namespace {

constexpr uint32_t kFirstLowSurrogate = 0xdc00;

CharSet of(std::initializer_list<Terms::Range> ranges) {
  CharSet set;
  for (const Terms::Range& range : ranges) set.add(range.first, range.last);
  return set;
}

// The spaces of ECMA-262: of its own, and what Unicode calls Zs.
CharSet ecma_spaces() {
  return of({{'\t', '\r'},
             {' ', ' '},
             {0xa0, 0xa0},
             {0x1680, 0x1680},
             {0x2000, 0x200a},
             {0x2028, 0x2029},
             {0x202f, 0x202f},
             {0x205f, 0x205f},
             {0x3000, 0x3000},
             {0xfeff, 0xfeff}});
}

struct PosixClass {
  std::string_view name;
  CharSet set;
};

const std::array<PosixClass, 14>& posix_classes() {
  static const std::array<PosixClass, 14> kClasses = {{
      {"alnum", of({{'0', '9'}, {'A', 'Z'}, {'a', 'z'}})},
      {"alpha", of({{'A', 'Z'}, {'a', 'z'}})},
      {"ascii", of({{0, 0x7f}})},
      {"blank", of({{'\t', '\t'}, {' ', ' '}})},
      {"cntrl", of({{0, 0x1f}, {0x7f, 0x7f}})},
      {"digit", of({{'0', '9'}})},
      {"graph", of({{'!', '~'}})},
      {"lower", of({{'a', 'z'}})},
      {"print", of({{' ', '~'}})},
      {"punct", of({{'!', '/'}, {':', '@'}, {'[', '`'}, {'{', '~'}})},
      {"space", of({{'\t', '\r'}, {' ', ' '}})},
      {"upper", of({{'A', 'Z'}})},
      {"word", of({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}})},
      {"xdigit", of({{'0', '9'}, {'A', 'F'}, {'a', 'f'}})},
  }};
  return kClasses;
}

// The names that ECMA-262 takes beside the short ones.
struct LongName {
  std::string_view name;
  std::string_view category;
};
constexpr std::array<LongName, 42> kLongNames = {{
    {"Letter", "L"},
    {"Cased_Letter", "LC"},
    {"Uppercase_Letter", "Lu"},
    {"Lowercase_Letter", "Ll"},
    {"Titlecase_Letter", "Lt"},
    {"Modifier_Letter", "Lm"},
    {"Other_Letter", "Lo"},
    {"Mark", "M"},
    {"Combining_Mark", "M"},
    {"Nonspacing_Mark", "Mn"},
    {"Spacing_Mark", "Mc"},
    {"Enclosing_Mark", "Me"},
    {"Number", "N"},
    {"Decimal_Number", "Nd"},
    {"digit", "Nd"},
    {"Letter_Number", "Nl"},
    {"Other_Number", "No"},
    {"Punctuation", "P"},
    {"punct", "P"},
    {"Connector_Punctuation", "Pc"},
    {"Dash_Punctuation", "Pd"},
    {"Open_Punctuation", "Ps"},
    {"Close_Punctuation", "Pe"},
    {"Initial_Punctuation", "Pi"},
    {"Final_Punctuation", "Pf"},
    {"Other_Punctuation", "Po"},
    {"Symbol", "S"},
    {"Math_Symbol", "Sm"},
    {"Currency_Symbol", "Sc"},
    {"Modifier_Symbol", "Sk"},
    {"Other_Symbol", "So"},
    {"Separator", "Z"},
    {"Space_Separator", "Zs"},
    {"Line_Separator", "Zl"},
    {"Paragraph_Separator", "Zp"},
    {"Other", "C"},
    {"Control", "Cc"},
    {"cntrl", "Cc"},
    {"Format", "Cf"},
    {"Private_Use", "Co"},
    {"Surrogate", "Cs"},
    {"Unassigned", "Cn"},
}};

CharSet set_of(const std::vector<text::CodeRange>& ranges) {
  CharSet set;
  for (const text::CodeRange& range : ranges) set.add(range.first, range.last);
  return set;
}

CharSet category(std::string_view name, RegexDialect dialect) {
  if (name == "LC") return set_of(text::characters_of_category("L"));
  CharSet set = set_of(text::characters_of_category(name));
  // RE2 does not count the unassigned to C, and has no name for them.
  if (dialect == RegexDialect::re2 && name == "C") {
    CharSet assigned = set_of(text::characters_of_category("Cn"));
    assigned.negate();
    set.keep(assigned);
  }
  return set;
}

std::optional<CharSet> named_set(std::string_view name, RegexDialect dialect) {
  if (name == "Any") return CharSet::all();
  const bool ecma = dialect == RegexDialect::ecma;
  if (ecma) {
    if (name == "ASCII") return of({{0, 0x7f}});
    if (name == "ASCII_Hex_Digit" || name == "AHex") return posix_classes().back().set;
    if (name == "Assigned") {
      CharSet set = category("Cn", dialect);
      set.negate();
      return set;
    }
    for (std::string_view key : {"General_Category=", "gc="})
      if (name.starts_with(key)) name.remove_prefix(key.size());
    for (const LongName& known : kLongNames)
      if (known.name == name) name = known.category;
  }
  if (!ecma && (name == "Cn" || name == "LC")) return std::nullopt;
  if (CharSet set = category(name, dialect); !set.empty() || name == "Cs") return set;
  if (ecma) {
    const size_t before = name.size();
    for (std::string_view key : {"Script=", "sc="})
      if (name.starts_with(key)) name.remove_prefix(key.size());
    if (name.size() == before) return std::nullopt;
  }
  if (auto script = text::characters_of_script(name); !script.empty()) return set_of(script);
  return std::nullopt;
}

CharSet folded(CharSet set, bool ignore_case) {
  if (ignore_case) set.add_other_cases();
  return set;
}

CharSet with_sign(CharSet set, bool negated, bool ignore_case) {
  set = folded(std::move(set), ignore_case);
  if (negated) set.negate();
  return set;
}

// Behind \p or \P.
Read<CharSet> property(TextReader& reader, RegexDialect dialect, bool negated, bool ignore_case) {
  const size_t begin = reader.at();
  std::string_view name;
  if (reader.take('{')) {
    const size_t end = reader.rest().find('}');
    if (end == std::string_view::npos)
      return refuse(reader, begin, "the { behind \\p has no } that closes it");
    name = reader.rest().substr(0, end);
    reader.skip(end + 1);
    if (dialect == RegexDialect::re2 && name.starts_with('^')) {
      name.remove_prefix(1);
      negated = !negated;
    }
  } else if (dialect == RegexDialect::re2 && !reader.done()) {
    reader.take_character();
    name = reader.from(begin);
  } else {
    return refuse(reader, begin, "expected a name in braces behind \\p, as in \\p{L}");
  }
  auto set = named_set(name, dialect);
  if (!set)
    return refuse(reader, begin,
                  fmt::format("no class of characters is called \"{}\" here; there are the general "
                              "categories (L, Lu, Nd ...) and scripts ({})",
                              escaped(name, 40),
                              dialect == RegexDialect::ecma ? "Script=Greek ..." : "Greek ..."));
  return with_sign(std::move(*set), negated, ignore_case);
}

// Behind \x.
Read<uint32_t> hex_escape(TextReader& reader, RegexDialect dialect, size_t begin) {
  if (dialect == RegexDialect::re2 && reader.take('{')) {
    const std::string_view digits = reader.take_while(is_hex_digit);
    uint32_t value = 0;
    for (char digit : digits) {
      TextReader one(std::string_view(&digit, 1));
      value = std::min(value * 16 + *one.take_hex(1), kLastCharacter + 1);
    }
    if (digits.empty() || !reader.take('}') || value > kLastCharacter)
      return refuse(reader, begin, "expected a code point up to 10FFFF in braces behind \\x");
    return value;
  }
  if (const auto value = reader.take_hex(2)) return *value;
  return refuse(reader, begin, "expected two hexadecimal digits behind \\x");
}

// Behind \u; two of them can be one character.
Read<uint32_t> unicode_escape(TextReader& reader, size_t begin) {
  if (reader.peek() == '{') return hex_escape(reader, RegexDialect::re2, begin);
  const auto value = reader.take_hex(4);
  if (!value) return refuse(reader, begin, "expected four hexadecimal digits behind \\u");
  if (*value < 0xd800 || *value >= kFirstLowSurrogate) return *value;
  const size_t behind = reader.at();
  if (reader.take("\\u")) {
    const auto low = reader.take_hex(4);
    if (low && *low >= kFirstLowSurrogate && *low <= 0xdfff)
      return 0x10000 + ((*value - 0xd800) << 10) + (*low - kFirstLowSurrogate);
    reader.go_to(behind);
  }
  return *value;
}

// A digit behind a backslash.
Read<uint32_t> numbered_escape(TextReader& reader, RegexDialect dialect, bool in_class,
                               size_t begin) {
  const auto is_octal = [](char c) { return c >= '0' && c <= '7'; };
  const char first = reader.peek();
  const bool is_one = dialect == RegexDialect::re2
                          ? first == '0' || (is_octal(first) && is_octal(reader.peek(1)))
                          : first == '0' && !is_digit(reader.peek(1));
  if (!is_one) {
    if (in_class || first == '0')
      return refuse(reader, begin, "octal escapes are ambiguous; write \\x and two digits");
    return refuse(reader, begin,
                  fmt::format("\\{} refers back to a group, which no automaton can do; write the "
                              "texts that it may be",
                              first));
  }
  uint32_t value = 0;
  for (int n = 0; n < (dialect == RegexDialect::re2 ? 3 : 1) && is_octal(reader.peek()); ++n) {
    value = value * 8 + static_cast<uint32_t>(reader.peek() - '0');
    reader.skip(1);
  }
  return value;
}

std::string unknown_escape(char c, RegexDialect dialect) {
  const bool ecma = dialect == RegexDialect::ecma;
  switch (c) {
    case 'A': return "\\A is not part of ECMA-262, which `pattern` is written in; write ^";
    case 'Z':
    case 'z':
      return ecma ? fmt::format(
                        "\\{} is not part of ECMA-262, which `pattern` is written in; "
                        "write $",
                        c)
                  : "\\Z differs from program to program; write \\z, the end of the text";
    case 'C': return "\\C, a single byte, could be half a character; write (?s:.)";
    case 'k': return "\\k refers back to a group, which no automaton can do";
    case 'G':
    case 'K':
    case 'R':
    case 'X': return fmt::format("\\{} is not part of {}", c, ecma ? "ECMA-262" : "RE2's syntax");
    case 'h': return "\\h is not known here; write [ \\t]";
    case 'u': return "\\u is not part of RE2's syntax; write \\x{...}";
    default: return fmt::format("\\{} is no escape of {}", c, ecma ? "ECMA-262" : "RE2's syntax");
  }
}

// What a class holds: one character, or a set that no range can begin with.
struct ClassItem {
  std::optional<uint32_t> character;
  CharSet set;
};

// `[:name:]` at the reader; nullopt if it is not even shaped like one.
Read<std::optional<CharSet>> posix_class(TextReader& reader, bool ignore_case) {
  const size_t begin = reader.at();
  const size_t end = reader.rest().find(":]");
  if (end == std::string_view::npos) return std::nullopt;
  std::string_view name = reader.rest().substr(2, end - 2);
  const bool negated = name.starts_with('^');
  if (negated) name.remove_prefix(1);
  if (!std::all_of(name.begin(), name.end(), is_letter)) return std::nullopt;
  for (const PosixClass& known : posix_classes())
    if (known.name == name) {
      reader.skip(end + 2);
      return with_sign(known.set, negated, ignore_case);
    }
  return refuse(reader, begin, fmt::format("no class is called [:{}:]", escaped(name, 40)));
}

void add(CharSet& set, const ClassItem& item, bool ignore_case) {
  // Classes are folded where they are read, before they are negated.
  set.add(item.character ? folded(CharSet(*item.character, *item.character), ignore_case)
                         : item.set);
}

Read<ClassItem> class_item(TextReader& reader, RegexDialect dialect, bool ignore_case) {
  if (reader.starts_with("[:")) {
    const size_t begin = reader.at();
    SK_TRY(auto set, posix_class(reader, ignore_case));
    if (set && dialect == RegexDialect::ecma)
      return refuse(reader, begin, "[:...:] is not part of ECMA-262; write the characters");
    if (set) return ClassItem{std::nullopt, std::move(*set)};
  }
  if (!reader.take('\\')) return ClassItem{reader.take_character(), {}};
  SK_TRY(auto set, class_escape(reader, dialect, ignore_case));
  if (set) return ClassItem{std::nullopt, std::move(*set)};
  SK_TRY(const uint32_t character, character_escape(reader, dialect, true));
  return ClassItem{character, {}};
}

}  // namespace

tl::unexpected<Problem> refuse(const TextReader& reader, size_t at, std::string message) {
  return tl::unexpected<Problem>({"invalid_regex", reader.place(at), std::move(message)});
}

CharSet dot(RegexDialect dialect, bool dot_all) {
  if (dot_all) return CharSet::all();
  CharSet set = dialect == RegexDialect::re2 ? CharSet('\n', '\n')
                                             : of({{'\n', '\n'}, {'\r', '\r'}, {0x2028, 0x2029}});
  set.negate();
  return set;
}

Read<std::optional<CharSet>> class_escape(TextReader& reader, RegexDialect dialect,
                                          bool ignore_case) {
  const char c = reader.peek();
  const bool negated = c >= 'A' && c <= 'Z';
  CharSet set;
  switch (c) {
    case 'd':
    case 'D': set.add('0', '9'); break;
    case 'w':
    case 'W': set = of({{'0', '9'}, {'A', 'Z'}, {'_', '_'}, {'a', 'z'}}); break;
    case 's':
    case 'S':
      set = dialect == RegexDialect::ecma ? ecma_spaces()
                                          : of({{'\t', '\n'}, {'\f', '\r'}, {' ', ' '}});
      break;
    case 'p':
    case 'P': {
      reader.skip(1);
      SK_TRY(auto named, property(reader, dialect, negated, ignore_case));
      return named;
    }
    default: return std::nullopt;
  }
  reader.skip(1);
  return with_sign(std::move(set), negated, ignore_case);
}

Read<uint32_t> character_escape(TextReader& reader, RegexDialect dialect, bool in_class) {
  const size_t begin = reader.at() - 1;
  const bool ecma = dialect == RegexDialect::ecma;
  if (reader.done()) return refuse(reader, begin, "nothing follows the backslash");
  const char c = reader.peek();
  if (is_digit(c)) return numbered_escape(reader, dialect, in_class, begin);
  if (!is_letter(c)) {
    if (static_cast<unsigned char>(c) >= 0x80 && !ecma)
      return refuse(reader, begin, "only ASCII is escaped by a backslash");
    return reader.take_character();
  }
  reader.skip(1);
  switch (c) {
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    case 'v': return '\v';
    case 'x': return hex_escape(reader, dialect, begin);
    case 'a':
      if (!ecma) return '\a';
      break;
    case 'b':
      if (ecma && in_class) return '\b';
      break;
    case 'c':
      if (ecma && is_letter(reader.peek())) {
        const uint32_t control = static_cast<uint32_t>(reader.peek()) % 32;
        reader.skip(1);
        return control;
      }
      break;
    case 'u':
      if (ecma) return unicode_escape(reader, begin);
      break;
    default: break;
  }
  return refuse(reader, begin, unknown_escape(c, dialect));
}

Read<CharSet> bracketed(TextReader& reader, RegexDialect dialect, bool ignore_case) {
  const size_t begin = reader.at() - 1;
  const bool ecma = dialect == RegexDialect::ecma;
  const bool negated = reader.take('^');
  CharSet set;
  // RE2 takes a bracket in the first place as itself; ECMA-262 has empty classes.
  bool may_end = ecma;
  while (!may_end || !reader.take(']')) {
    may_end = true;
    if (reader.done()) return refuse(reader, begin, "the [ has no ] that closes it");
    const size_t at = reader.at();
    SK_TRY(ClassItem low, class_item(reader, dialect, ignore_case));
    const bool is_range = reader.rest().size() > 1 && reader.peek() == '-' &&
                          reader.peek(1) != ']' && (low.character || ecma);
    if (!is_range) {
      add(set, low, ignore_case);
      continue;
    }
    reader.skip(1);
    const size_t high_at = reader.at();
    SK_TRY(const ClassItem high, class_item(reader, dialect, ignore_case));
    if (low.character && high.character) {
      if (*high.character < *low.character)
        return refuse(reader, at, fmt::format("the range {} goes backwards", reader.from(at)));
      set.add(folded(CharSet(*low.character, *high.character), ignore_case));
      continue;
    }
    if (!ecma) return refuse(reader, high_at, "a range of characters has to end with a character");
    // [\w-.]: with a class at one end there is no range, and the dash is itself.
    add(set, low, ignore_case);
    set.add('-');
    add(set, high, ignore_case);
  }
  if (negated) set.negate();
  return set;
}

}  // namespace skein::constrain::regex
