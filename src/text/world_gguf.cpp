// The World vocabulary in GGUF metadata: every string is the inside of Python's repr of the token's
// bytes.
#include <array>

#include "text/gguf_vocabulary.h"
#include "text/world.h"

namespace skein::text {
namespace {

constexpr int32_t kNormal = 1;
constexpr int32_t kControl = 3;
constexpr int32_t kUnused = 5;

// -1 for what is no lower-case hexadecimal digit.
int digit_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  return -1;
}

Result<std::string> unescape(std::string_view text) {
  std::string out;
  for (size_t n = 0; n < text.size(); ++n) {
    const char c = text[n];
    if (c < 0x20 || c > 0x7e)  // bytes above 0x7f are negative or above: both are no repr
      return fail(Code::corrupt, "has the bare byte 0x{:02x}, which should be an escape",
                  static_cast<unsigned char>(c));
    if (c != '\\') {
      out += c;
      continue;
    }
    const char kind = ++n < text.size() ? text[n] : '\0';
    if (kind == 'n') {
      out += '\n';
    } else if (kind == 't') {
      out += '\t';
    } else if (kind == 'r') {
      out += '\r';
    } else if (kind == '\\' || kind == '\'') {
      out += kind;
    } else if (kind == 'x' && n + 2 < text.size() && digit_value(text[n + 1]) >= 0 &&
               digit_value(text[n + 2]) >= 0) {
      out += static_cast<char>(digit_value(text[n + 1]) * 16 + digit_value(text[n + 2]));
      n += 2;
    } else {
      return fail(Code::corrupt, "has a bad escape");
    }
  }
  return out;
}

// Of a file without types: what converters put at id 0 and behind the last token is no text.
int32_t likely_type(size_t id, std::string_view text) {
  if (id == 0) return kControl;
  return is_padding(id, text) ? kUnused : kNormal;
}

Status add_token(size_t id, std::string_view text, int32_t type, WorldTokens& tokens) {
  if (type == kControl || type == kUnused) return {};
  if (type != kNormal)
    return fail(Code::corrupt, "is of type {}, and World has only 1, 3 and 5", type);
  SK_TRY(const std::string bytes, unescape(text));
  return tokens.add(static_cast<int64_t>(id), bytes);
}

}  // namespace

Result<TokenizerPtr> world_from_gguf(std::span<const std::string_view> tokens,
                                     std::span<const int32_t> token_types,
                                     std::string_view file_name) {
  const std::string name = escaped(file_name);
  const bool typed = !token_types.empty();
  if (typed && tokens.size() != token_types.size())
    return fail(Code::corrupt, "{}: tokenizer.ggml.tokens has {} elements and token_type has {}",
                name, tokens.size(), token_types.size());
  WorldTokens collected;
  for (size_t id = 0; id < tokens.size(); ++id)
    if (auto status = add_token(id, tokens[id],
                                typed ? token_types[id] : likely_type(id, tokens[id]), collected);
        !status)
      return fail(status.error().code, "{}: tokenizer.ggml.tokens: '{}' ({}): {}", name,
                  escaped(tokens[id], 64), id, status.error().message);
  auto tokenizer = std::move(collected).finish();
  if (!tokenizer)
    return fail(tokenizer.error().code, "{}: tokenizer.ggml.tokens: {}", name,
                tokenizer.error().message);
  return tokenizer;
}

}  // namespace skein::text
