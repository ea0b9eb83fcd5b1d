// The World vocabulary as ai00 and web-rwkv write it: {"1": "\u0000", ..., "129": [128], ...}.
#include <charconv>

#include "text/vocab_json.h"
#include "text/world.h"

namespace skein::text {
namespace {

Result<std::string> token_bytes(const Json& value) {
  if (const auto text = value.string()) return std::string(*text);
  const Json::Array bytes = value.array();
  if (!bytes) return fail(Code::corrupt, "is neither a string nor an array of bytes");
  std::string out;
  for (const Json& element : bytes) {
    int64_t byte = 0;
    if (!element.integer(byte) || byte < 0 || byte > 255)
      return fail(Code::corrupt, "has an element that is no byte");
    out += static_cast<char>(byte);
  }
  return out;
}

Status add_member(std::string_view key, const Json& value, WorldTokens& tokens) {
  int64_t id = 0;
  const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), id);
  if (error != std::errc() || end != key.data() + key.size())
    return fail(Code::corrupt, "is not an id");
  SK_TRY(const std::string bytes, token_bytes(value));
  return tokens.add(id, bytes);
}

}  // namespace

Result<TokenizerPtr> world_from_object(const Json& root, std::string_view file_name) {
  const std::string name = escaped(file_name);
  WorldTokens tokens;
  for (const auto& [key, value] : root.object())
    if (auto status = add_member(key, value, tokens); !status)
      return fail(status.error().code, "{}: \"{}\": {}", name, escaped(key, 64),
                  status.error().message);
  auto tokenizer = std::move(tokens).finish();
  if (!tokenizer) return fail(tokenizer.error().code, "{}: {}", name, tokenizer.error().message);
  return tokenizer;
}

Result<TokenizerPtr> world_from_json(std::span<const std::byte> bytes, std::string_view file_name) {
  SK_TRY(const Json root, parse_vocab_json(bytes, file_name));
  return world_from_object(root, file_name);
}

}  // namespace skein::text
