// Byte pair tokenizers (20B of RWKV-4 Pile and Raven, Qwen2 of the hybrids): added tokens, NFC,
// words, byte pairs. What differs between them is a row in split.cpp.
#include <algorithm>

#include "base/check.h"
#include "text/bpe_file.h"
#include "text/bpe_merge.h"
#include "text/trie.h"
#include "text/unicode.h"
#include "text/vocab_json.h"

namespace skein::text {
namespace {

// Calls on_text for what lies between the tokens of `trie`, leftmost and longest, and on_token for
// each of those.
template <typename OnText, typename OnToken>
Status cut(std::string_view text, const Trie& trie, OnText on_text, OnToken on_token) {
  size_t start = 0;
  size_t at = 0;
  while (at < text.size()) {
    const Trie::Match match = trie.longest(text.substr(at));
    if (match.length == 0) {
      ++at;
      continue;
    }
    if (at > start) SK_TRY_STATUS(on_text(text.substr(start, at - start)));
    on_token(match.token);
    at += match.length;
    start = at;
  }
  return start < at ? on_text(text.substr(start)) : Status();
}

// The added tokens, by when they are cut out.
struct Cuts {
  Trie before_nfc;
  Trie after_nfc;
};

class Bpe final : public Tokenizer {
 public:
  Bpe(TokenTexts texts, const BpeFile& file, MergeTable merges, Cuts plain, Cuts all)
      : Tokenizer(std::string(file.splitter->name) + " BPE", std::move(texts), file.special),
        first_word_(file.splitter->first_word),
        merges_(std::move(merges)),
        plain_(std::move(plain)),
        all_(std::move(all)),
        byte_ids_(file.byte_ids) {}

 private:
  Result<std::vector<int32_t>> encode_text(std::string_view text, Special special) const override {
    if (text.size() >= UINT32_MAX)
      return fail(Code::argument, "a text of {} bytes is too long", text.size());
    if (const size_t at = first_invalid_utf8(text); at != std::string_view::npos)
      return fail(Code::argument,
                  "the text is not valid UTF-8 at byte {}, and {} takes nothing else", at, name());
    const Cuts& cuts = special == Special::as_token ? all_ : plain_;
    std::vector<int32_t> ids;
    std::vector<int32_t> word;
    const auto token = [&](int32_t id) { ids.push_back(id); };
    const auto words = [&](std::string_view piece) {
      append_words(piece, word, ids);
      return Status();
    };
    const auto normalize = [&](std::string_view piece) -> Status {
      SK_TRY(const std::string normalized, to_nfc(piece));
      return cut(normalized, cuts.after_nfc, words, token);
    };
    SK_TRY_STATUS(cut(text, cuts.before_nfc, normalize, token));
    return ids;
  }

  void append_words(std::string_view piece, std::vector<int32_t>& word,
                    std::vector<int32_t>& ids) const {
    while (!piece.empty()) {
      const size_t length = first_word_(piece);
      SK_CHECK(length > 0);
      word.clear();
      for (const char c : piece.substr(0, length))
        word.push_back(byte_ids_[static_cast<unsigned char>(c)]);
      merges_.apply(word);
      ids.insert(ids.end(), word.begin(), word.end());
      piece.remove_prefix(length);
    }
  }

  size_t (*first_word_)(std::string_view);
  MergeTable merges_;
  Cuts plain_;  // without the special tokens
  Cuts all_;
  std::array<int32_t, 256> byte_ids_;
};

Result<Trie> added_trie(const BpeFile& file, bool normalized, bool with_special) {
  std::vector<std::string> texts;
  std::vector<int32_t> ids;
  for (const auto& token : file.added) {
    if (token.normalized != normalized || (token.special && !with_special)) continue;
    SK_TRY(std::string text, normalized ? to_nfc(token.text) : Result<std::string>(token.text));
    texts.push_back(std::move(text));
    ids.push_back(token.id);
  }
  std::vector<Trie::Entry> entries;
  for (size_t n = 0; n < texts.size(); ++n) entries.push_back({texts[n], ids[n]});
  std::sort(entries.begin(), entries.end(),
            [](const Trie::Entry& a, const Trie::Entry& b) { return a.bytes < b.bytes; });
  for (size_t n = 1; n < entries.size(); ++n)
    if (entries[n].bytes == entries[n - 1].bytes)
      return fail(Code::corrupt, "added_tokens: ids {} and {} have the same text \"{}\"",
                  entries[n - 1].token, entries[n].token, escaped(entries[n].bytes, 64));
  return Trie(entries);
}

Result<Cuts> added_cuts(const BpeFile& file, bool with_special) {
  Cuts out;
  SK_TRY(out.before_nfc, added_trie(file, false, with_special));
  SK_TRY(out.after_nfc, added_trie(file, true, with_special));
  return out;
}

TokenTexts texts_of(const BpeFile& file) {
  std::vector<TokenTexts::Entry> entries;
  for (const auto& token : file.tokens) entries.push_back({token.id, token.bytes});
  for (const auto& token : file.added)
    if (!token.special) entries.push_back({token.id, token.text});
  // An added token that stands in the vocabulary as well comes second, and its text counts.
  std::stable_sort(entries.begin(), entries.end(),
                   [](const auto& a, const auto& b) { return a.id < b.id; });
  size_t kept = 0;
  for (size_t n = 0; n < entries.size(); ++n)
    if (n + 1 == entries.size() || entries[n + 1].id != entries[n].id) entries[kept++] = entries[n];
  entries.resize(kept);
  return TokenTexts(entries, file.size);
}

Result<TokenizerPtr> build(Result<BpeFile> read, std::string_view file_name) {
  const auto made = [&]() -> Result<TokenizerPtr> {
    SK_TRY(const BpeFile file, std::move(read));
    SK_TRY(MergeTable merges, MergeTable::create(file.merges, file.size));
    SK_TRY(Cuts plain, added_cuts(file, false));
    SK_TRY(Cuts all, added_cuts(file, true));
    return std::make_shared<const Bpe>(texts_of(file), file, std::move(merges), std::move(plain),
                                       std::move(all));
  }();
  if (!made) return fail(made.error().code, "{}: {}", escaped(file_name), made.error().message);
  return made;
}

}  // namespace

Result<TokenizerPtr> bpe_from_object(const Json& root, std::string_view file_name) {
  return build(read_bpe_json(root), file_name);
}

Result<TokenizerPtr> bpe_from_json(std::span<const std::byte> bytes, std::string_view file_name) {
  SK_TRY(const Json root, parse_vocab_json(bytes, file_name));
  return bpe_from_object(root, file_name);
}

Result<TokenizerPtr> bpe_from_gguf(const BpeMetadata& metadata, std::string_view file_name) {
  return build(read_bpe_metadata(metadata), file_name);
}

}  // namespace skein::text
