#include "text/unicode.h"

#include <utf8proc.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/utf8.h"

namespace skein::text {
namespace {

bool is_white_space(char32_t c) {
  return (c >= 0x09 && c <= 0x0d) || c == 0x20 || c == 0x85 || c == 0xa0 || c == 0x1680 ||
         (c >= 0x2000 && c <= 0x200a) || c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f ||
         c == 0x3000;
}

CharClass classify(char32_t c) {
  if (is_white_space(c)) return CharClass::space;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(c))) {
    case UTF8PROC_CATEGORY_LU:
    case UTF8PROC_CATEGORY_LL:
    case UTF8PROC_CATEGORY_LT:
    case UTF8PROC_CATEGORY_LM:
    case UTF8PROC_CATEGORY_LO: return CharClass::letter;
    case UTF8PROC_CATEGORY_ND:
    case UTF8PROC_CATEGORY_NL:
    case UTF8PROC_CATEGORY_NO: return CharClass::number;
    default: return CharClass::other;
  }
}

// Every character below U+0300 is its own normalization and combines with nothing before it.
bool is_below_combining(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return static_cast<unsigned char>(c) < 0xcc; });
}

utf8proc_propval_t combining_class(utf8proc_int32_t c) {
  return utf8proc_get_property(c)->combining_class;
}

// Canonical ordering. utf8proc's own is an insertion sort, quadratic in a run of marks.
void order_marks(std::vector<utf8proc_int32_t>& codes) {
  const auto is_starter = [](utf8proc_int32_t c) { return combining_class(c) == 0; };
  const auto by_class = [](utf8proc_int32_t a, utf8proc_int32_t b) {
    return combining_class(a) < combining_class(b);
  };
  auto at = codes.begin();
  while (at != codes.end()) {
    const auto run = std::find_if_not(at, codes.end(), is_starter);
    const auto end = std::find_if(run, codes.end(), is_starter);
    if (!std::is_sorted(run, end, by_class)) std::stable_sort(run, end, by_class);
    at = end;
  }
}

}  // namespace

CharClass char_class(char32_t character) {
  static const std::array<CharClass, 128> kAscii = [] {
    std::array<CharClass, 128> table{};
    for (char32_t c = 0; c < 128; ++c) table[c] = classify(c);
    return table;
  }();
  return character < 128 ? kAscii[character] : classify(character);
}

bool is_printable(char32_t character) {
  if (character == ' ') return true;
  switch (utf8proc_category(static_cast<utf8proc_int32_t>(character))) {
    case UTF8PROC_CATEGORY_CN:
    case UTF8PROC_CATEGORY_CC:
    case UTF8PROC_CATEGORY_CF:
    case UTF8PROC_CATEGORY_CO:
    case UTF8PROC_CATEGORY_CS:
    case UTF8PROC_CATEGORY_ZL:
    case UTF8PROC_CATEGORY_ZP:
    case UTF8PROC_CATEGORY_ZS: return false;
    default: return true;
  }
}

const char* general_category(char32_t character) {
  return utf8proc_category_string(static_cast<utf8proc_int32_t>(character));
}

char32_t simple_upper(char32_t character) {
  return static_cast<char32_t>(utf8proc_toupper(static_cast<utf8proc_int32_t>(character)));
}

char32_t simple_lower(char32_t character) {
  return static_cast<char32_t>(utf8proc_tolower(static_cast<utf8proc_int32_t>(character)));
}

int columns_of(char32_t character) {
  return utf8proc_charwidth(static_cast<utf8proc_int32_t>(character));
}

size_t first_cluster(std::string_view bytes) {
  Character last = first_character(bytes);
  size_t length = std::max<size_t>(last.length, 1);
  utf8proc_int32_t state = 0;
  while (last.length > 0) {
    const Character next = first_character(bytes.substr(length));
    if (next.length == 0 ||
        utf8proc_grapheme_break_stateful(static_cast<utf8proc_int32_t>(last.code),
                                         static_cast<utf8proc_int32_t>(next.code), &state))
      break;
    length += next.length;
    last = next;
  }
  return length;
}

Character first_character(std::string_view bytes) {
  const size_t length = utf8_length(bytes);
  if (length == 0) return {};
  const auto byte = [&](size_t n) { return static_cast<unsigned char>(bytes[n]); };
  if (length == 1) return {byte(0), 1};
  char32_t code = byte(0) & (0xffu >> (length + 1));
  for (size_t n = 1; n < length; ++n) code = code << 6 | (byte(n) & 0x3fu);
  return {code, length};
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) {
    put(code);
  } else if (code < 0x800) {
    put(0xc0 | code >> 6);
    put(0x80 | (code & 0x3f));
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
    put(0x80 | (code & 0x3f));
  }
}

size_t first_invalid_utf8(std::string_view bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    if (static_cast<unsigned char>(bytes[at]) < 0x80) {
      ++at;
      continue;
    }
    const size_t length = utf8_length(bytes.substr(at, 4));
    if (length == 0) return at;
    at += length;
  }
  return std::string_view::npos;
}

Result<std::string> to_nfc(std::string_view text) {
  if (is_below_combining(text)) return std::string(text);
  std::vector<utf8proc_int32_t> codes;
  codes.reserve(text.size());
  while (!text.empty()) {
    const Character c = first_character(text);
    if (c.length == 0) return fail(Code::argument, "the text is not valid UTF-8");
    text.remove_prefix(c.length);
    // The longest canonical decomposition has four characters.
    utf8proc_int32_t parts[8];
    int boundary = 0;
    const utf8proc_ssize_t count = utf8proc_decompose_char(
        static_cast<utf8proc_int32_t>(c.code), parts, 8,
        static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_DECOMPOSE), &boundary);
    if (count < 0 || count > 8)
      return fail(Code::internal, "U+{:04X} cannot be normalized: {}",
                  static_cast<uint32_t>(c.code), utf8proc_errmsg(count));
    codes.insert(codes.end(), parts, parts + count);
  }
  order_marks(codes);
  const utf8proc_ssize_t length =
      utf8proc_normalize_utf32(codes.data(), static_cast<utf8proc_ssize_t>(codes.size()),
                               static_cast<utf8proc_option_t>(UTF8PROC_STABLE | UTF8PROC_COMPOSE));
  if (length < 0)
    return fail(Code::internal, "the text cannot be normalized: {}", utf8proc_errmsg(length));
  std::string out;
  for (utf8proc_ssize_t n = 0; n < length; ++n)
    append_utf8(out, static_cast<char32_t>(codes[static_cast<size_t>(n)]));
  return out;
}

}  // namespace skein::text
