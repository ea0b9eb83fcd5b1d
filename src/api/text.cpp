#include "api/border.h"
#include "api/handles.h"

using namespace skein;
using namespace skein::api;

int32_t sk_tokenize(const sk_model* model, const char* text, size_t size, int32_t* ids,
                    size_t capacity, size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    if (size > 0) SK_TRY_STATUS(require(text, "text"));
    SK_TRY_STATUS(require(count, "count"));
    SK_TRY(const Vocabulary vocabulary, model->vocabulary());
    SK_TRY(const std::vector<int32_t> encoded,
           vocabulary.tokenizer->encode(std::string_view(size > 0 ? text : "", size)));
    return hand_over(std::span(encoded), ids, capacity, count, "ids");
  });
}

int32_t sk_detokenize(const sk_model* model, const int32_t* ids, size_t count, char* text,
                      size_t capacity, size_t* size) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    if (count > 0) SK_TRY_STATUS(require(ids, "ids"));
    SK_TRY_STATUS(require(size, "size"));
    SK_TRY(const Vocabulary vocabulary, model->vocabulary());
    SK_TRY(const std::string decoded, vocabulary.tokenizer->decode({ids, count}));
    return hand_over(std::span<const char>(decoded), text, capacity, size, "bytes");
  });
}
