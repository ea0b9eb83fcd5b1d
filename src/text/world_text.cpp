#include "text/world_text.h"

#include "text/unicode.h"

namespace skein::text {
namespace {

// Which quotes Python takes: the single ones, unless they are inside and the double ones are not.
char quote_of(std::string_view bytes) {
  const bool single = bytes.find('\'') != std::string_view::npos;
  return single && bytes.find('"') == std::string_view::npos ? '"' : '\'';
}

// What both kinds of literals write alike; false for all else.
bool append_plain(std::string& out, unsigned char byte, char quote) {
  switch (byte) {
    case '\n': out += "\\n"; return true;
    case '\r': out += "\\r"; return true;
    case '\t': out += "\\t"; return true;
    case '\\': out += "\\\\"; return true;
    default: break;
  }
  if (byte < 0x20 || byte > 0x7e) return false;
  if (byte == static_cast<unsigned char>(quote)) out += '\\';
  out += static_cast<char>(byte);
  return true;
}

std::string bytes_literal(std::string_view bytes) {
  const char quote = quote_of(bytes);
  std::string out = {'b', quote};
  for (const char c : bytes) {
    const auto byte = static_cast<unsigned char>(c);
    if (!append_plain(out, byte, quote)) out += fmt::format("\\x{:02x}", byte);
  }
  return out + quote;
}

std::string text_literal(std::string_view text) {
  const char quote = quote_of(text);
  std::string out(1, quote);
  while (!text.empty()) {
    const Character next = first_character(text);
    const auto code = static_cast<uint32_t>(next.code);
    if (code < 0x80) {
      if (!append_plain(out, static_cast<unsigned char>(code), quote))
        out += fmt::format("\\x{:02x}", code);
    } else if (is_printable(next.code)) {
      out += text.substr(0, next.length);
    } else {
      out += code < 0x100     ? fmt::format("\\x{:02x}", code)
             : code < 0x10000 ? fmt::format("\\u{:04x}", code)
                              : fmt::format("\\U{:08x}", code);
    }
    text.remove_prefix(next.length);
  }
  return out + quote;
}

}  // namespace

Result<std::string> world_text(const Tokenizer& tokenizer, std::string_view name) {
  if (tokenizer.name() != "World")
    return fail(Code::unsupported, "{}: its vocabulary is {}, and only World's is a text file",
                name, tokenizer.name());
  std::string out;
  for (int32_t id = 0; id < tokenizer.size(); ++id) {
    if (!tokenizer.has_text(id)) continue;
    const std::string_view bytes = tokenizer.bytes_of(id);
    const bool is_text = first_invalid_utf8(bytes) == std::string_view::npos;
    out += fmt::format("{} {} {}\n", id, is_text ? text_literal(bytes) : bytes_literal(bytes),
                       bytes.size());
  }
  return out;
}

}  // namespace skein::text
