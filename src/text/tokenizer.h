// Text to token ids and back. A tokenizer never changes once it is made; any number of threads may
// use one at the same time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"

namespace skein::text {

// The bytes of every id, side by side.
class TokenTexts {
 public:
  struct Entry {
    int32_t id = 0;
    std::string_view bytes;
  };

  // `entries` in ascending order of id, each id once.
  TokenTexts(std::span<const Entry> entries, int32_t size);

  int32_t size() const { return static_cast<int32_t>(begin_.size()) - 1; }
  std::string_view operator[](int32_t id) const {
    if (id < 0 || id >= size()) return {};
    const auto n = static_cast<size_t>(id);
    return std::string_view(bytes_).substr(begin_[n], begin_[n + 1] - begin_[n]);
  }

 private:
  std::string bytes_;
  std::vector<uint32_t> begin_;  // [size + 1] offsets into bytes_
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // World and bytes take any bytes; 20B takes valid UTF-8 only (error: argument). Nothing is put
  // before or after the text, and what looks like a special token in World text stays text.
  virtual Result<std::vector<int32_t>> encode(std::string_view text) const = 0;

  // The ids' bytes, one after the other, which need not be valid UTF-8 (utf8_stream.h). An id
  // outside [0, size()) is an error (argument); an id without text gives nothing.
  Result<std::string> decode(std::span<const int32_t> ids) const;

  // Empty for ids without text and for ids out of range. The view lives as long as the tokenizer.
  std::string_view bytes_of(int32_t id) const { return texts_[id]; }
  bool has_text(int32_t id) const { return !texts_[id].empty(); }

  int32_t size() const { return texts_.size(); }     // one above the largest id
  const std::string& name() const { return name_; }  // "World", "bytes", "20B BPE"

  // Separates documents; generation ends on it. It has no text, except in the 256-id byte
  // vocabulary, where it is the byte 0 as well.
  static constexpr int32_t end_of_text() { return 0; }

 protected:
  Tokenizer(std::string name, TokenTexts texts)
      : name_(std::move(name)), texts_(std::move(texts)) {}

  const TokenTexts& texts() const { return texts_; }

 private:
  std::string name_;
  TokenTexts texts_;
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

// All errors name `file_name`. Malformed files are corrupt; well-formed ones that are not the World
// or the 20B tokenizer are unsupported.

// Decides by content: a JSON object with a "model" is a 20B_tokenizer.json, another JSON object is
// a World vocabulary as ai00 writes it, everything else is a rwkv_vocab text.
Result<TokenizerPtr> open_tokenizer(std::span<const std::byte> bytes, std::string_view file_name);

// rwkv_vocab_v20230424.txt. Errors carry the line number.
Result<TokenizerPtr> world_from_vocab_file(std::span<const std::byte> bytes,
                                           std::string_view file_name);

// rwkv_vocab_v20230424.json: an object from id to a string or an array of bytes.
Result<TokenizerPtr> world_from_json(std::span<const std::byte> bytes, std::string_view file_name);

// tokenizer.ggml.tokens and tokenizer.ggml.token_type of a GGUF whose tokenizer.ggml.model is
// "rwkv".
Result<TokenizerPtr> world_from_gguf(std::span<const std::string_view> tokens,
                                     std::span<const int32_t> token_types,
                                     std::string_view file_name);

// 20B_tokenizer.json (GPT-NeoX).
Result<TokenizerPtr> bpe_20b_from_json(std::span<const std::byte> bytes,
                                       std::string_view file_name);

// 0 ends a document, id = byte + 1: the first ids of World.
TokenizerPtr byte_tokenizer_257();
// id = byte, for ggmf files of 256 rows.
TokenizerPtr byte_tokenizer_256();

}  // namespace skein::text
