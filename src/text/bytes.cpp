// The byte vocabularies: an id is a byte, shifted by one where id 0 ends a document.
#include <array>

#include "text/tokenizer.h"

namespace skein::text {
namespace {

TokenTexts byte_texts(int32_t shift) {
  std::array<char, 256> bytes;
  std::array<TokenTexts::Entry, 256> entries;
  for (int32_t n = 0; n < 256; ++n) {
    const auto i = static_cast<size_t>(n);
    bytes[i] = static_cast<char>(n);
    entries[i] = {n + shift, std::string_view(&bytes[i], 1)};
  }
  return TokenTexts(entries, 256 + shift);
}

class ByteTokenizer final : public Tokenizer {
 public:
  explicit ByteTokenizer(int32_t shift) : Tokenizer("bytes", byte_texts(shift)), shift_(shift) {}

 private:
  Result<std::vector<int32_t>> encode_text(std::string_view text, Special) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size());
    for (const char c : text) ids.push_back(static_cast<unsigned char>(c) + shift_);
    return ids;
  }

  int32_t shift_;
};

}  // namespace

TokenizerPtr byte_tokenizer_257() { return std::make_shared<ByteTokenizer>(1); }
TokenizerPtr byte_tokenizer_256() { return std::make_shared<ByteTokenizer>(0); }

}  // namespace skein::text
