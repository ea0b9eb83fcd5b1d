// Vocabulary files of every kind, and what they encode: whatever is accepted must give every text
// back (F6).
//
// The first byte chooses: 'f' a whole file; 'w' lines for a World vocabulary that has its 256 bytes
// already, '\0', a text; 'g' tokens of a GGUF that has them already, one a line with its type in
// front; 'b' the same of a byte pair vocabulary, where '+' begins a merge; 'm' and 'q' members of a
// small tokenizer.json of 20B and of Qwen2, '\0', a text.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "fuzz/oracle.h"
#include "fuzz/vocabularies.h"

namespace {

using skein::fuzz::require;
using skein::text::TokenizerPtr;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

void check(const skein::Result<TokenizerPtr>& tokenizer, std::string_view text) {
  if (!tokenizer)
    skein::fuzz::check_error(tokenizer.error());
  else
    require(skein::fuzz::tokenizer_problem(**tokenizer, text).empty());
}

void check_gguf(std::string_view lines, std::string_view text) {
  std::vector<std::string> strings = {"<s>"};
  std::vector<int32_t> types = {3};
  for (int byte = 0; byte < 256; ++byte) {
    strings.push_back(skein::fuzz::world_escape(byte));
    types.push_back(1);
  }
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    types.push_back(line.empty() ? 5 : line[0] - '0');
    strings.emplace_back(line.empty() ? line : line.substr(1));
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  const std::vector<std::string_view> views(strings.begin(), strings.end());
  check(skein::text::world_from_gguf(views, types, "fuzz"), text);
}

void check_bpe_gguf(std::string_view lines, std::string_view text) {
  std::vector<std::string> tokens, merges;
  std::vector<int64_t> types;
  int next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    tokens.emplace_back();
    skein::text::append_utf8(tokens.back(), skein::fuzz::letter_code(byte, next));
    types.push_back(1);
  }
  while (!lines.empty()) {
    const std::string_view line = lines.substr(0, lines.find('\n'));
    if (line.starts_with('+')) {
      merges.emplace_back(line.substr(1));
    } else {
      types.push_back(line.empty() ? 5 : line[0] - '0');
      tokens.emplace_back(line.empty() ? line : line.substr(1));
    }
    lines.remove_prefix(std::min(line.size() + 1, lines.size()));
  }
  check(skein::text::bpe_from_gguf({"qwen2", tokens, types, merges, {}}, "fuzz"), text);
}

void check_members(std::string_view pre_tokenizer, std::string_view members,
                   std::string_view text) {
  const std::string json = skein::fuzz::tokenizer_json(pre_tokenizer, members);
  check(skein::text::open_tokenizer(as_bytes(json), "fuzz"), text);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view input(reinterpret_cast<const char*>(data) + 1, size - 1);
  const std::string_view file = input.substr(0, input.find('\0'));
  const std::string_view text = input.substr(std::min(file.size() + 1, input.size()));
  switch (data[0]) {
    case 'w':
      check(skein::text::open_tokenizer(as_bytes(skein::fuzz::world_lines() + std::string(file)),
                                        "fuzz"),
            text);
      break;
    case 'g': check_gguf(file, text); break;
    case 'b': check_bpe_gguf(file, text); break;
    case 'm': check_members(skein::fuzz::kByteLevel, file, text); break;
    case 'q': check_members(skein::fuzz::qwen2_parts(), file, text); break;
    default: check(skein::text::open_tokenizer(as_bytes(input), "fuzz"), input);
  }
  return 0;
}
