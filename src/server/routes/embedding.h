// Texts as vectors, whichever API asks for them: the mean over a text's tokens of what the model's
// logits are computed from, made as long as 1. No RWKV base model was trained to have sentence
// vectors: the documentation calls it experimental.
#pragma once

#include <string_view>
#include <vector>

#include "server/fields.h"
#include "server/reading_reply.h"

namespace skein::server {

struct EmbeddingPlan {
  std::string model;
  size_t dimensions = 0;
  int64_t tokens = 0;
};

// All but `write`. `field`: where the texts stand; `number_bytes`: of a number in the answer,
// about.
ReadingRequest read_embeddings(const Question& asked, Fields& fields, std::string_view field,
                               uint64_t number_bytes, EmbeddingPlan& plan);
// The first numbers of a vector, as long as 1 again.
std::vector<float> embedding_of(const std::vector<float>& mean, size_t dimensions);
void write_embedding(JsonWriter& json, const Findings& found, const EmbeddingPlan& plan);

}  // namespace skein::server
