// The C API with objects that free themselves, and the files these tests use.
#pragma once

#include <gtest/gtest.h>
#include <skein/skein.h>

#include <cstring>
#include <fstream>
#include <iterator>
#include <memory>
#include <string>
#include <vector>

#include "support/fixtures.h"

namespace skein::test {

struct Free {
  void operator()(sk_model* model) const { sk_model_close(model); }
  void operator()(sk_state* state) const { sk_state_free(state); }
  void operator()(sk_sampler* sampler) const { sk_sampler_free(sampler); }
  void operator()(sk_engine* engine) const { sk_engine_free(engine); }
  void operator()(sk_generation* generation) const { sk_generation_free(generation); }
  void operator()(sk_vocab* vocab) const { sk_vocab_free(vocab); }
  void operator()(sk_constraint* constraint) const { sk_constraint_free(constraint); }
  void operator()(sk_matcher* matcher) const { sk_matcher_free(matcher); }
};
using ModelPtr = std::unique_ptr<sk_model, Free>;
using StatePtr = std::unique_ptr<sk_state, Free>;
using SamplerPtr = std::unique_ptr<sk_sampler, Free>;
using EnginePtr = std::unique_ptr<sk_engine, Free>;
using GenerationPtr = std::unique_ptr<sk_generation, Free>;
using VocabPtr = std::unique_ptr<sk_vocab, Free>;
using ConstraintPtr = std::unique_ptr<sk_constraint, Free>;
using MatcherPtr = std::unique_ptr<sk_matcher, Free>;
using Bytes = std::vector<uint8_t>;
using Ids = std::vector<int32_t>;

inline std::string bundled_model() {
  return (std::filesystem::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth").string();
}
inline std::string v7_model() { return fixture("models/v7.pth").string(); }

inline sk_model_params with_threads(int threads, int chunk = 0) {
  sk_model_params params = {};
  params.size = sizeof params;
  params.threads = threads;
  params.chunk = chunk;
  return params;
}

inline ModelPtr open_model(const std::string& path,
                           const sk_model_params& params = with_threads(1)) {
  sk_model* model = nullptr;
  EXPECT_EQ(sk_model_open(path.c_str(), &params, &model), SK_OK) << sk_last_error();
  return ModelPtr(model);
}

inline struct sk_model_info info_of(const sk_model* model) {
  struct sk_model_info info = {};
  info.size = sizeof info;
  EXPECT_EQ(sk_model_info(model, &info), SK_OK) << sk_last_error();
  return info;
}

inline size_t vocab_of(const ModelPtr& model) {
  return static_cast<size_t>(info_of(model.get()).vocab);
}

inline StatePtr new_state(const ModelPtr& model) {
  sk_state* state = nullptr;
  EXPECT_EQ(sk_state_new(model.get(), &state), SK_OK) << sk_last_error();
  return StatePtr(state);
}

inline StatePtr clone(const StatePtr& from) {
  sk_state* state = nullptr;
  EXPECT_EQ(sk_state_clone(from.get(), &state), SK_OK) << sk_last_error();
  return StatePtr(state);
}

inline bool equal(const StatePtr& a, const StatePtr& b) {
  int32_t out = -1;
  EXPECT_EQ(sk_state_equal(a.get(), b.get(), &out), SK_OK) << sk_last_error();
  return out == 1;
}

inline uint64_t tokens_read(const StatePtr& state) {
  uint64_t count = UINT64_MAX;
  EXPECT_EQ(sk_state_tokens_read(state.get(), &count), SK_OK) << sk_last_error();
  return count;
}

// The logits after every token.
inline std::vector<float> feed(const ModelPtr& model, const StatePtr& state, const Ids& ids) {
  std::vector<float> logits(ids.size() * vocab_of(model));
  EXPECT_EQ(sk_eval(model.get(), state.get(), ids.data(), ids.size(), SK_WANT_ALL, logits.data(),
                    logits.size()),
            SK_OK)
      << sk_last_error();
  return logits;
}

inline Bytes export_state(const StatePtr& state, int32_t format) {
  size_t size = 0;
  EXPECT_EQ(sk_state_export(state.get(), format, nullptr, 0, &size), SK_OK) << sk_last_error();
  Bytes bytes(size);
  size_t written = 0;
  EXPECT_EQ(sk_state_export(state.get(), format, bytes.data(), size, &written), SK_OK);
  EXPECT_EQ(written, size);
  return bytes;
}

inline StatePtr import_state(const ModelPtr& model, int32_t format, const Bytes& bytes) {
  sk_state* state = nullptr;
  EXPECT_EQ(sk_state_import(model.get(), format, bytes.data(), bytes.size(), &state), SK_OK)
      << sk_last_error();
  return StatePtr(state);
}

inline Ids tokenize(const ModelPtr& model, const std::string& text) {
  size_t count = 0;
  EXPECT_EQ(sk_tokenize(model.get(), text.data(), text.size(), nullptr, 0, &count), SK_OK)
      << sk_last_error();
  Ids ids(count);
  EXPECT_EQ(sk_tokenize(model.get(), text.data(), text.size(), ids.data(), count, &count), SK_OK);
  return ids;
}

inline Bytes read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  EXPECT_TRUE(file) << path;
  return Bytes(std::istreambuf_iterator<char>(file), {});
}

inline bool same_bits(const std::vector<float>& a, const std::vector<float>& b) {
  return a.size() == b.size() &&
         (a.empty() || std::memcmp(a.data(), b.data(), a.size() * sizeof(float)) == 0);
}

// Some ids below 250, the same every time.
inline Ids some_ids(size_t count, uint32_t seed = 1) {
  Ids ids(count);
  for (int32_t& id : ids) {
    seed = seed * 1664525u + 1013904223u;
    id = static_cast<int32_t>((seed >> 8) % 250);
  }
  return ids;
}

}  // namespace skein::test

// `call` answers with `code`, and the message of this thread holds `fact`.
#define SK_EXPECT_FAILS(code, fact, ...)                                                      \
  do {                                                                                        \
    EXPECT_EQ(__VA_ARGS__, code) << sk_last_error();                                          \
    EXPECT_NE(std::string(sk_last_error()).find(fact), std::string::npos) << sk_last_error(); \
  } while (false)
