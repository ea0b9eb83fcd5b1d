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
#include "text/split.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace {

using skein::fuzz::require;
using skein::text::Special;
using skein::text::TokenizerPtr;

std::span<const std::byte> as_bytes(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string escape(int byte) { return fmt::format("\\x{:02x}", byte); }

// A character of the GPT-2 alphabet.
char32_t letter_code(int byte, int& next) {
  const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  return static_cast<char32_t>(itself ? byte : next++);
}

// The same as JSON.
std::string byte_letter(int byte, int& next) {
  return fmt::format("\\u{:04x}", static_cast<uint32_t>(letter_code(byte, next)));
}

const std::string& world_lines() {
  static const std::string kLines = [] {
    std::string out;
    for (int byte = 0; byte < 256; ++byte)
      out += fmt::format("{} b'{}' 1\n", byte + 1, escape(byte));
    return out;
  }();
  return kLines;
}

const std::string& bpe_vocab() {
  static const std::string kVocab = [] {
    std::string out;
    int next = 256;
    for (int byte = 0; byte < 256; ++byte)
      out += fmt::format("\"{}\": {}, ", byte_letter(byte, next), byte + 1);
    return out;
  }();
  return kVocab;
}

void check_world(const TokenizerPtr& tokenizer, std::string_view text) {
  const auto ids = tokenizer->encode(text);
  require(ids.has_value());
  const auto back = tokenizer->decode(*ids);
  require(back.has_value() && *back == text);
}

// NFC changes some texts. Special tokens come from a text only where they are asked for.
void check_bpe(const TokenizerPtr& tokenizer, std::string_view text, Special special) {
  const bool valid = skein::text::first_invalid_utf8(text) == std::string_view::npos;
  const auto ids = tokenizer->encode(text, special);
  require(ids.has_value() == valid);
  if (!valid) return;
  for (const int32_t id : *ids) {
    require(id >= 0 && id < tokenizer->size());
    require(special == Special::as_token || tokenizer->special_name(id).empty());
  }
  const auto back = tokenizer->decode(*ids, special);
  require(back.has_value());
  const auto composed = skein::text::to_nfc(text);
  const auto composed_back = skein::text::to_nfc(*back);
  require(composed.has_value() && composed_back.has_value() && *composed == *composed_back);
}

void check(const skein::Result<TokenizerPtr>& tokenizer, std::string_view text) {
  if (!tokenizer) {
    skein::fuzz::check_error(tokenizer.error());
  } else if ((*tokenizer)->name() == "World") {
    check_world(*tokenizer, text);
  } else {
    check_bpe(*tokenizer, text, Special::as_text);
    check_bpe(*tokenizer, text, Special::as_token);
    for (const int32_t id : (*tokenizer)->ends()) require(id >= 0 && id < (*tokenizer)->size());
  }
}

void check_gguf(std::string_view lines, std::string_view text) {
  std::vector<std::string> strings = {"<s>"};
  std::vector<int32_t> types = {3};
  for (int byte = 0; byte < 256; ++byte) {
    strings.push_back(escape(byte));
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
    skein::text::append_utf8(tokens.back(), letter_code(byte, next));
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

constexpr std::string_view kByteLevel = R"({"type": "ByteLevel", "add_prefix_space": false})";

std::string qwen2_parts() {
  std::string pattern;
  for (const char c : skein::text::splitter_by_gguf_name("qwen2")->pattern) {
    if (c == '\\') pattern += '\\';
    pattern += c;
  }
  return fmt::format(
      R"({{"type": "Sequence", "pretokenizers": [
          {{"type": "Split", "pattern": {{"Regex": "{}"}}, "behavior": "Isolated"}},
          {{"type": "ByteLevel", "add_prefix_space": false, "use_regex": false}}]}})",
      pattern);
}

void check_members(std::string_view pre_tokenizer, std::string_view members,
                   std::string_view text) {
  const std::string json = fmt::format(
      R"({{"normalizer": {{"type": "NFC"}}, "pre_tokenizer": {},
          "model": {{"type": "BPE", "vocab": {{{} "ab": 300, "abc": 301, "\u0120a": 302, {}}})",
      pre_tokenizer, bpe_vocab(), members);
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
      check(skein::text::open_tokenizer(as_bytes(world_lines() + std::string(file)), "fuzz"), text);
      break;
    case 'g': check_gguf(file, text); break;
    case 'b': check_bpe_gguf(file, text); break;
    case 'm': check_members(kByteLevel, file, text); break;
    case 'q': check_members(qwen2_parts(), file, text); break;
    default: check(skein::text::open_tokenizer(as_bytes(input), "fuzz"), input);
  }
  return 0;
}
