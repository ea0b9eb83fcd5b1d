// Byte pair vocabularies in GGUF metadata: tokens in the GPT-2 alphabet, merges as "left right".
#include <algorithm>

#include "base/limits.h"
#include "text/bpe_file.h"
#include "text/gguf_vocabulary.h"

namespace skein::text {
namespace {

enum TokenType : int64_t {
  kNormal = 1,
  kControl = 3,
  kUserDefined = 4,
  kUnused = 5,
};

// Of a file without types.
int64_t likely_type(const BpeMetadata& metadata, size_t id) {
  const std::string& text = metadata.tokens[id];
  const bool ends = std::find(metadata.ends.begin(), metadata.ends.end(),
                              static_cast<int64_t>(id)) != metadata.ends.end();
  if (ends || looks_special(text)) return kControl;
  return is_padding(id, text) ? kUnused : kNormal;
}

Status read_tokens(const BpeMetadata& metadata, BpeSource& out) {
  for (size_t n = 0; n < metadata.tokens.size(); ++n) {
    const std::string& text = metadata.tokens[n];
    const auto id = static_cast<int32_t>(n);
    const bool typed = !metadata.token_types.empty();
    switch (typed ? metadata.token_types[n] : likely_type(metadata, n)) {
      case kNormal: out.vocab.push_back({text, id}); break;
      case kControl: out.added.push_back({text, id, true, false}); break;
      case kUserDefined: out.added.push_back({text, id, looks_special(text), false}); break;
      case kUnused: break;
      default:
        return fail(Code::corrupt,
                    "tokenizer.ggml.tokens: '{}' ({}) is of type {}, and byte pair vocabularies "
                    "have only 1, 3, 4 and 5",
                    escaped(text, 64), n, metadata.token_types[n]);
    }
  }
  return {};
}

}  // namespace

Result<BpeFile> read_bpe_metadata(const BpeMetadata& metadata) {
  BpeSource source;
  source.splitter = splitter_by_gguf_name(metadata.pre);
  if (!source.splitter)
    return fail(Code::unsupported,
                "tokenizer.ggml.pre is \"{}\", and only the words of {} are known",
                escaped(metadata.pre, 64), splitter_names());
  source.vocab_name = source.added_name = "tokenizer.ggml.tokens";
  source.merges_name = "tokenizer.ggml.merges";
  if (metadata.tokens.size() > limits::kVocab)
    return fail(Code::unsupported, "tokenizer.ggml.tokens has {} elements, more than {}",
                metadata.tokens.size(), limits::kVocab);
  if (!metadata.token_types.empty() && metadata.token_types.size() != metadata.tokens.size())
    return fail(Code::corrupt, "tokenizer.ggml.tokens has {} elements and token_type has {}",
                metadata.tokens.size(), metadata.token_types.size());
  SK_TRY_STATUS(read_tokens(metadata, source));
  for (const std::string& merge : metadata.merges) SK_TRY_STATUS(add_merge(merge, source));
  for (const int64_t id : metadata.ends) {
    if (id < 0 || static_cast<uint64_t>(id) >= metadata.tokens.size())
      return fail(Code::corrupt,
                  "the end of a text or a turn is id {}, and tokenizer.ggml.tokens has {}", id,
                  metadata.tokens.size());
    source.ends.push_back(static_cast<int32_t>(id));
  }
  return check_bpe(std::move(source));
}

}  // namespace skein::text
