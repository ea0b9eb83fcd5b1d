// rwkv_vocab_v20230424.txt: one `id literal length` a line, the literal as Python's repr writes it.
#include <charconv>

#include "base/limits.h"
#include "base/utf8.h"
#include "text/unicode.h"
#include "text/world.h"

namespace skein::text {
namespace {

bool parse_number(std::string_view text, int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size() && text[0] != '-';
}

// `count` hexadecimal digits at the beginning of `text`.
bool parse_hex(std::string_view text, size_t count, char32_t& out) {
  if (text.size() < count) return false;
  uint32_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + count, value, 16);
  out = value;
  return error == std::errc() && end == text.data() + count;
}

// The inside of a literal. In '...' an escape is a character, in b'...' it is a byte: \x85 is two
// bytes of UTF-8 in the one and one byte in the other.
class Literal {
 public:
  Literal(std::string_view inside, char quote, bool is_bytes)
      : rest_(inside), quote_(quote), is_bytes_(is_bytes) {}

  Result<std::string> parse() {
    while (!rest_.empty()) {
      if (rest_[0] == '\\') {
        SK_TRY_STATUS(escape());
      } else {
        SK_TRY_STATUS(plain());
      }
    }
    return std::move(out_);
  }

 private:
  Status plain() {
    const auto byte = static_cast<unsigned char>(rest_[0]);
    if (rest_[0] == quote_) return fail(Code::corrupt, "the literal has a bare {} inside", quote_);
    if (byte < 0x20 || byte == 0x7f)
      return fail(Code::corrupt, "the literal has the bare control byte 0x{:02x}", byte);
    const size_t length = utf8_length(rest_);
    if (length == 0) return fail(Code::corrupt, "the literal is not valid UTF-8");
    if (is_bytes_ && length > 1)
      return fail(Code::corrupt, "the b literal has a character that is not ASCII");
    out_ += rest_.substr(0, length);
    rest_.remove_prefix(length);
    return {};
  }

  Status escape() {
    const char kind = rest_.size() > 1 ? rest_[1] : '\0';
    rest_.remove_prefix(std::min<size_t>(2, rest_.size()));
    switch (kind) {
      case 'n': out_ += '\n'; return {};
      case 't': out_ += '\t'; return {};
      case 'r': out_ += '\r'; return {};
      case '\\':
      case '\'':
      case '"': out_ += kind; return {};
      case 'x': return number(2);
      case 'u': return number(4);
      case 'U': return number(8);
      default: return fail(Code::corrupt, "the literal has an unknown escape");
    }
  }

  Status number(size_t digits) {
    char32_t code = 0;
    if (!parse_hex(rest_, digits, code))
      return fail(Code::corrupt, "the literal has an escape without its {} digits", digits);
    if (is_bytes_ && digits != 2)
      return fail(Code::corrupt, "the b literal has an escape of {} digits", digits);
    if (code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff))
      return fail(Code::corrupt, "the literal has the escape {:X}, which is no character",
                  static_cast<uint32_t>(code));
    rest_.remove_prefix(digits);
    if (is_bytes_) {
      out_ += static_cast<char>(code);
    } else {
      append_utf8(out_, code);
    }
    return {};
  }

  std::string_view rest_;
  char quote_;
  bool is_bytes_;
  std::string out_;
};

Result<std::string> parse_literal(std::string_view text) {
  const bool is_bytes = text.starts_with('b');
  if (is_bytes) text.remove_prefix(1);
  if (text.size() < 2 || (text[0] != '\'' && text[0] != '"') || text.back() != text[0])
    return fail(Code::corrupt, "'{}' is no quoted literal", escaped(text, 64));
  return Literal(text.substr(1, text.size() - 2), text[0], is_bytes).parse();
}

Status parse_line(std::string_view line, WorldTokens& tokens) {
  const size_t first = line.find(' ');
  const size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return fail(Code::corrupt, "not `id literal length`: '{}'", escaped(line, 64));
  int64_t id = 0;
  int64_t length = 0;
  if (!parse_number(line.substr(0, first), id))
    return fail(Code::corrupt, "the id '{}' is not a number", escaped(line.substr(0, first), 64));
  if (!parse_number(line.substr(last + 1), length))
    return fail(Code::corrupt, "the length '{}' is not a number",
                escaped(line.substr(last + 1), 64));
  SK_TRY(const std::string bytes, parse_literal(line.substr(first + 1, last - first - 1)));
  if (length < 0 || bytes.size() != static_cast<uint64_t>(length))
    return fail(Code::corrupt, "token {} has {} bytes and says it has {}", id, bytes.size(),
                length);
  return tokens.add(id, bytes);
}

}  // namespace

Result<TokenizerPtr> world_from_vocab_file(std::span<const std::byte> bytes,
                                           std::string_view file_name) {
  const std::string name = escaped(file_name);
  if (bytes.size() > limits::kVocabFileBytes)
    return fail(Code::unsupported, "{}: {} bytes are more than a vocabulary may have ({})", name,
                bytes.size(), limits::kVocabFileBytes);
  std::string_view rest(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (rest.starts_with("\xef\xbb\xbf")) rest.remove_prefix(3);
  if (rest.empty()) return fail(Code::corrupt, "{}: the vocabulary is empty", name);

  WorldTokens tokens;
  for (size_t number = 1; !rest.empty(); ++number) {
    const size_t end = std::min(rest.find('\n'), rest.size());
    std::string_view line = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
    if (line.ends_with('\r')) line.remove_suffix(1);
    if (auto status = parse_line(line, tokens); !status)
      return fail(status.error().code, "{}: line {}: {}", name, number, status.error().message);
  }
  if (auto status = tokens.check_not_cut(); !status)
    return fail(status.error().code, "{}: {}", name, status.error().message);
  auto tokenizer = std::move(tokens).finish();
  if (!tokenizer) return fail(tokenizer.error().code, "{}: {}", name, tokenizer.error().message);
  return tokenizer;
}

}  // namespace skein::text
