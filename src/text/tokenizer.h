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

// Tokens that stand for no letters: they separate documents and mark turns.
struct SpecialTokens {
  struct Entry {
    std::string name;  // "<|im_end|>"
    int32_t id = 0;
  };
  std::vector<Entry> tokens;
  int32_t end_of_text = 0;          // separates documents; -1: the vocabulary names no such token
  std::vector<int32_t> ends = {0};  // generation ends on these: end_of_text, the end of a turn
  bool blank_line_is_two = false;   // models learned "\n\n" at the end of a prompt as two "\n"
};

// What the name of a special token means in a text.
enum class Special : uint8_t {
  as_text,   // letters like others: nobody's words can end a turn or begin one
  as_token,  // the token, as in the libraries that these vocabularies come from
};

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;
  Tokenizer(const Tokenizer&) = delete;
  Tokenizer& operator=(const Tokenizer&) = delete;

  // World and bytes take any bytes; byte pair vocabularies take valid UTF-8 only (error: argument).
  // Nothing is put before or after the text. World and bytes have no special tokens in a text.
  Result<std::vector<int32_t>> encode(std::string_view text,
                                      Special special = Special::as_text) const {
    return encode_text(text, special);
  }

  // The ids' bytes, one after the other, which need not be valid UTF-8 (utf8_stream.h). An id
  // outside [0, size()) is an error (argument); an id without text gives nothing, or its name where
  // special tokens are to be seen.
  Result<std::string> decode(std::span<const int32_t> ids,
                             Special special = Special::as_text) const;

  // Empty for ids without text and for ids out of range. The view lives as long as the tokenizer.
  std::string_view bytes_of(int32_t id) const { return texts_[id]; }
  bool has_text(int32_t id) const { return !texts_[id].empty(); }

  int32_t size() const { return texts_.size(); }     // one above the largest id
  const std::string& name() const { return name_; }  // "World", "bytes", "20B BPE", "Qwen2 BPE"

  // Separates documents; -1 where the vocabulary names no such token. It has no text, except in the
  // 256-id byte vocabulary, where it is the byte 0 as well.
  int32_t end_of_text() const { return special_.end_of_text; }
  // Generation ends on these.
  std::span<const int32_t> ends() const { return special_.ends; }
  bool is_end(int32_t id) const;

  // Whether models of this vocabulary learned "\n\n" at the end of a prompt as two "\n".
  bool blank_line_is_two() const { return special_.blank_line_is_two; }

  // -1: the vocabulary has no special token of this name.
  int32_t special_id(std::string_view name) const;
  // Empty for ids that are none.
  std::string_view special_name(int32_t id) const;
  // What stands for an id in a list that people read: its bytes or its name.
  std::string_view shown(int32_t id) const {
    return has_text(id) ? bytes_of(id) : special_name(id);
  }

 protected:
  Tokenizer(std::string name, TokenTexts texts, SpecialTokens special = {})
      : name_(std::move(name)), texts_(std::move(texts)), special_(std::move(special)) {}

 private:
  virtual Result<std::vector<int32_t>> encode_text(std::string_view text,
                                                   Special special) const = 0;

  std::string name_;
  TokenTexts texts_;
  SpecialTokens special_;
};

using TokenizerPtr = std::shared_ptr<const Tokenizer>;

// All errors name `file_name`. Malformed files are corrupt; well-formed ones of another tokenizer
// are unsupported.

// Decides by content: a JSON object with a "model" is a tokenizer.json, another JSON object is a
// World vocabulary as ai00 writes it, everything else is a rwkv_vocab text.
Result<TokenizerPtr> open_tokenizer(std::span<const std::byte> bytes, std::string_view file_name);

// rwkv_vocab_v20230424.txt. Errors carry the line number.
Result<TokenizerPtr> world_from_vocab_file(std::span<const std::byte> bytes,
                                           std::string_view file_name);

// rwkv_vocab_v20230424.json: an object from id to a string or an array of bytes.
Result<TokenizerPtr> world_from_json(std::span<const std::byte> bytes, std::string_view file_name);

// tokenizer.ggml.tokens and tokenizer.ggml.token_type of a GGUF whose tokenizer.ggml.model is
// "rwkv". Without types every token is an ordinary one, but for id 0 and padding.
Result<TokenizerPtr> world_from_gguf(std::span<const std::string_view> tokens,
                                     std::span<const int32_t> token_types,
                                     std::string_view file_name);

// Hugging Face's tokenizer.json of a byte pair vocabulary: 20B_tokenizer.json (GPT-NeoX) and
// Qwen2's.
Result<TokenizerPtr> bpe_from_json(std::span<const std::byte> bytes, std::string_view file_name);

// The same vocabularies in a GGUF whose tokenizer.ggml.model is "gpt2".
struct BpeMetadata {
  std::string_view pre;                  // tokenizer.ggml.pre
  std::span<const std::string> tokens;   // an id is a place
  std::span<const int64_t> token_types;  // one for each token, or none: all ordinary but by name
  std::span<const std::string> merges;
  std::vector<int64_t> ends;  // eos_token_id, eot_token_id: those that the file has
};
Result<TokenizerPtr> bpe_from_gguf(const BpeMetadata& metadata, std::string_view file_name);

// 0 ends a document, id = byte + 1: the first ids of World.
TokenizerPtr byte_tokenizer_257();
// id = byte, for ggmf files of 256 rows.
TokenizerPtr byte_tokenizer_256();

}  // namespace skein::text
