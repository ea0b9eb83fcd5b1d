// Greedy longest match on bytes: no normalization, no words, no special tokens in the text.
#include "text/world.h"

#include <algorithm>

#include "base/check.h"
#include "base/hash.h"
#include "base/limits.h"
#include "text/trie.h"

namespace skein::text {
namespace {

class WorldTokenizer final : public Tokenizer {
 public:
  WorldTokenizer(TokenTexts texts, Trie trie)
      : Tokenizer("World", std::move(texts)), trie_(std::move(trie)) {}

 private:
  Result<std::vector<int32_t>> encode_text(std::string_view text, Special) const override {
    std::vector<int32_t> ids;
    ids.reserve(text.size() / 4);
    while (!text.empty()) {
      const Trie::Match match = trie_.longest(text);
      SK_CHECK(match.length > 0);  // every single byte is a token
      ids.push_back(match.token);
      text.remove_prefix(match.length);
    }
    return ids;
  }

  Trie trie_;
};

}  // namespace

Status WorldTokens::add(int64_t id, std::string_view bytes) {
  if (id < 1 || id >= kWorldIds)
    return fail(Code::corrupt, "id {} is outside 1 to {}", id, kWorldIds - 1);
  if (bytes.empty()) return fail(Code::corrupt, "token {} is empty", id);
  if (bytes.size() > limits::kTokenBytes)
    return fail(Code::corrupt, "token {} has {} bytes, more than {}", id, bytes.size(),
                limits::kTokenBytes);
  const auto n = static_cast<size_t>(id);
  if (tokens_.size() <= n) tokens_.resize(n + 1);
  if (tokens_[n].length != 0) return fail(Code::corrupt, "id {} stands twice", id);
  tokens_[n] = {static_cast<uint32_t>(pool_.size()), static_cast<uint32_t>(bytes.size())};
  pool_ += bytes;
  return {};
}

Status WorldTokens::check_not_cut() const {
  // CRC-32 of World's first tokens, each with a line end behind it. The vocabulary goes from short
  // tokens to long ones, so nobody makes a smaller one of its beginning. From fewer lines than the
  // least of these it cannot be told from others that begin with the 256 bytes.
  struct Beginning {
    size_t tokens;
    uint32_t crc;
  };
  constexpr Beginning kWorld[] = {{512, 0x5996be98},  {1024, 0x1dd32829}, {2048, 0x98939fa8},
                                  {4096, 0x8343903d}, {8192, 0xb16fc1cb}, {16384, 0x38d44375},
                                  {32768, 0x376ed71a}};
  constexpr size_t kWorldTokens = 65529;
  const size_t last = tokens_.empty() ? 0 : tokens_.size() - 1;
  if (last >= kWorldTokens) return {};
  std::string beginning;
  const Beginning* expected = nullptr;
  for (const Beginning& row : kWorld)
    if (row.tokens <= last) expected = &row;
  if (!expected) return {};
  for (size_t n = 1; n <= last; ++n) {
    const Token& token = tokens_[n];
    // Behind what is compared, own tokens would not go on from short to long.
    if (token.length == 0 || (n > 1 && token.length < tokens_[n - 1].length)) return {};
    if (n > expected->tokens) continue;
    beginning += std::string_view(pool_).substr(token.begin, token.length);
    beginning += '\n';
  }
  if (crc32(std::as_bytes(std::span(beginning))) != expected->crc) return {};
  return fail(Code::corrupt,
              "it ends behind token {} of the World vocabulary, which has {}; the file was cut",
              last, kWorldTokens);
}

Result<TokenizerPtr> WorldTokens::finish() && {
  std::vector<Trie::Entry> sorted;
  std::vector<TokenTexts::Entry> by_id;
  for (size_t n = 0; n < tokens_.size(); ++n) {
    if (tokens_[n].length == 0) continue;
    const auto bytes = std::string_view(pool_).substr(tokens_[n].begin, tokens_[n].length);
    sorted.push_back({bytes, static_cast<int32_t>(n)});
    by_id.push_back({static_cast<int32_t>(n), bytes});
  }
  std::sort(sorted.begin(), sorted.end(),
            [](const Trie::Entry& a, const Trie::Entry& b) { return a.bytes < b.bytes; });
  for (size_t n = 1; n < sorted.size(); ++n)
    if (sorted[n].bytes == sorted[n - 1].bytes)
      return fail(Code::corrupt, "ids {} and {} have the same text '{}'",
                  std::min(sorted[n - 1].token, sorted[n].token),
                  std::max(sorted[n - 1].token, sorted[n].token), escaped(sorted[n].bytes));
  Trie trie(sorted);
  for (int byte = 0; byte < 256; ++byte) {
    const char single = static_cast<char>(byte);
    if (trie.longest(std::string_view(&single, 1)).length == 0)
      return fail(Code::corrupt,
                  "no token is the single byte 0x{:02x}, so not every text could be "
                  "encoded",
                  byte);
  }
  TokenTexts texts(by_id, static_cast<int32_t>(tokens_.size()));
  return std::make_shared<const WorldTokenizer>(std::move(texts), std::move(trie));
}

}  // namespace skein::text
