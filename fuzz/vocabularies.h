// Small vocabularies of every kind, and what has to hold for any that is accepted (F6).
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "text/split.h"
#include "text/tokenizer.h"
#include "text/unicode.h"

namespace skein::fuzz {

inline std::string world_escape(int byte) { return fmt::format("\\x{:02x}", byte); }

// A character of the GPT-2 alphabet.
inline char32_t letter_code(int byte, int& next) {
  const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  return static_cast<char32_t>(itself ? byte : next++);
}

// The same as JSON.
inline std::string byte_letter(int byte, int& next) {
  return fmt::format("\\u{:04x}", static_cast<uint32_t>(letter_code(byte, next)));
}

inline const std::string& world_lines() {
  static const std::string kLines = [] {
    std::string out;
    for (int byte = 0; byte < 256; ++byte)
      out += fmt::format("{} b'{}' 1\n", byte + 1, world_escape(byte));
    return out;
  }();
  return kLines;
}

inline const std::string& bpe_vocab() {
  static const std::string kVocab = [] {
    std::string out;
    int next = 256;
    for (int byte = 0; byte < 256; ++byte)
      out += fmt::format("\"{}\": {}, ", byte_letter(byte, next), byte + 1);
    return out;
  }();
  return kVocab;
}

inline constexpr std::string_view kByteLevel =
    R"({"type": "ByteLevel", "add_prefix_space": false})";

inline std::string qwen2_parts() {
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

// A tokenizer.json with more members of its vocabulary and what follows it.
inline std::string tokenizer_json(std::string_view pre_tokenizer, std::string_view members) {
  return fmt::format(
      R"({{"normalizer": {{"type": "NFC"}}, "pre_tokenizer": {},
          "model": {{"type": "BPE", "vocab": {{{} "ab": 300, "abc": 301, "\u0120a": 302, {}}})",
      pre_tokenizer, bpe_vocab(), members);
}

// Whatever is accepted gives every text back, but for what NFC changes, and takes special tokens
// from a text only where they are asked for. What does not hold, or nothing.
inline std::string text_problem(const text::Tokenizer& tokenizer, std::string_view text,
                                text::Special special) {
  const bool bytes = tokenizer.name() == "World";
  const bool valid = text::first_invalid_utf8(text) == std::string_view::npos;
  const auto ids = tokenizer.encode(text, special);
  if (ids.has_value() != (valid || bytes))
    return ids ? "takes bytes that are no text" : ids.error().message;
  if (!ids) return {};
  for (const int32_t id : *ids) {
    if (id < 0 || id >= tokenizer.size()) return "an id out of range";
    if (special == text::Special::as_text && !tokenizer.special_name(id).empty())
      return "a special token that nobody asked for";
  }
  const auto back = tokenizer.decode(*ids, special);
  if (!back) return back.error().message;
  if (bytes) return *back == text ? "" : "other bytes came back";
  const auto composed = text::to_nfc(text), composed_back = text::to_nfc(*back);
  if (!composed || !composed_back || *composed != *composed_back) return "another text came back";
  return {};
}

inline std::string tokenizer_problem(const text::Tokenizer& tokenizer, std::string_view text) {
  for (const int32_t id : tokenizer.ends())
    if (id < 0 || id >= tokenizer.size()) return "an end that is no id";
  std::string problem = text_problem(tokenizer, text, text::Special::as_text);
  if (problem.empty()) problem = text_problem(tokenizer, text, text::Special::as_token);
  return problem;
}

}  // namespace skein::fuzz
