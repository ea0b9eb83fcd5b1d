// Greedy longest match on bytes: no normalization, no words, no special tokens in the text.
#include "text/world.h"

#include <algorithm>

#include "base/check.h"
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
