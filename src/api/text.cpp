#include "api/border.h"
#include "api/handles.h"

using namespace skein;
using namespace skein::api;

namespace {

Status tokenize(const text::Tokenizer& tokenizer, const char* text, size_t size, int32_t* ids,
                size_t capacity, size_t* count) {
  if (size > 0) SK_TRY_STATUS(require(text, "text"));
  SK_TRY_STATUS(require(count, "count"));
  SK_TRY(const std::vector<int32_t> encoded,
         tokenizer.encode(std::string_view(size > 0 ? text : "", size)));
  return hand_over(std::span(encoded), ids, capacity, count, "ids");
}

Status detokenize(const text::Tokenizer& tokenizer, const int32_t* ids, size_t count, char* text,
                  size_t capacity, size_t* size) {
  if (count > 0) SK_TRY_STATUS(require(ids, "ids"));
  SK_TRY_STATUS(require(size, "size"));
  SK_TRY(const std::string decoded, tokenizer.decode({ids, count}));
  return hand_over(std::span<const char>(decoded), text, capacity, size, "bytes");
}

}  // namespace

int32_t sk_tokenize(const sk_model* model, const char* text, size_t size, int32_t* ids,
                    size_t capacity, size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY(const Vocabulary vocabulary, model->vocabulary());
    return tokenize(*vocabulary.tokenizer, text, size, ids, capacity, count);
  });
}

int32_t sk_detokenize(const sk_model* model, const int32_t* ids, size_t count, char* text,
                      size_t capacity, size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY(const Vocabulary vocabulary, model->vocabulary());
    return detokenize(*vocabulary.tokenizer, ids, count, text, capacity, size);
  });
}

int32_t sk_vocab_open(const char* path, sk_vocab** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(path, "path"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY(text::TokenizerPtr tokenizer, read_tokenizer(path));
    *out = new sk_vocab{tokenizer, std::make_shared<Lexicon>(tokenizer)};
    return {};
  });
}

int32_t sk_vocab_of(const sk_model* model, sk_vocab** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY(const Vocabulary vocabulary, model->vocabulary());
    *out = new sk_vocab{vocabulary.tokenizer, vocabulary.lexicon};
    return {};
  });
}

void sk_vocab_free(sk_vocab* vocab) { delete vocab; }

int32_t sk_vocab_size(const sk_vocab* vocab, size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(vocab, "vocab"));
    SK_TRY_STATUS(require(size, "size"));
    *size = static_cast<size_t>(vocab->tokenizer->size());
    return {};
  });
}

int32_t sk_vocab_tokenize(const sk_vocab* vocab, const char* text, size_t size, int32_t* ids,
                          size_t capacity, size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(vocab, "vocab"));
    return tokenize(*vocab->tokenizer, text, size, ids, capacity, count);
  });
}

int32_t sk_vocab_detokenize(const sk_vocab* vocab, const int32_t* ids, size_t count, char* text,
                            size_t capacity, size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(vocab, "vocab"));
    return detokenize(*vocab->tokenizer, ids, count, text, capacity, size);
  });
}

int32_t sk_vocab_token(const sk_vocab* vocab, int32_t id, const char** text, size_t* size,
                       int32_t* special) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(vocab, "vocab"));
    SK_TRY_STATUS(require(text, "text"));
    SK_TRY_STATUS(require(size, "size"));
    const text::Tokenizer& tokenizer = *vocab->tokenizer;
    if (id < 0 || id >= tokenizer.size())
      return fail(Code::argument, "token id {} is out of range: this vocabulary has ids 0 to {}",
                  id, tokenizer.size() - 1);
    const std::string_view shown = tokenizer.shown(id);
    *text = shown.data() ? shown.data() : "";
    *size = shown.size();
    if (special) *special = tokenizer.has_text(id) || shown.empty() ? 0 : 1;
    return {};
  });
}
