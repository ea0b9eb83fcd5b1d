// Opening the golden models and reading what the official code computed for them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <string>
#include <vector>

#include "base/file.h"
#include "io/container.h"
#include "quant/read.h"
#include "run/model.h"
#include "support/fixtures.h"

namespace skein::test {

struct Expected {
  std::vector<int32_t> tokens;
  std::vector<float> logits;  // [tokens, vocab]
};

inline std::vector<float> read_tensor(const std::filesystem::path& path, const std::string& name) {
  std::vector<float> out;
  const auto file = File::map(path);
  EXPECT_TRUE(file) << path;
  if (!file) return out;
  const auto container = io::read_container(file->bytes(), path.string());
  EXPECT_TRUE(container) << path;
  if (!container) return out;
  for (const StoredTensor& tensor : container->tensors) {
    if (tensor.name != name) continue;
    out.resize(static_cast<size_t>(tensor.shape.elements()));
    EXPECT_TRUE(quant::read_f32(tensor, out));
  }
  EXPECT_FALSE(out.empty()) << path << " has no tensor " << name;
  return out;
}

inline Expected read_expected(const std::filesystem::path& path) {
  Expected out;
  for (const float id : read_tensor(path, "tokens")) out.tokens.push_back(static_cast<int32_t>(id));
  out.logits = read_tensor(path, "logits");
  return out;
}

inline std::shared_ptr<Model> open_model(const std::filesystem::path& path,
                                         const ModelOptions& options = {}) {
  auto model = Model::open(path, options);
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  return model ? *model : nullptr;
}

// Logits after every token, fed in pieces of `chunk`.
inline std::vector<float> logits_of(Model& model, State& state, std::span<const int32_t> tokens,
                                    size_t chunk = SIZE_MAX) {
  const auto vocab = static_cast<size_t>(model.vocab());
  std::vector<float> out(tokens.size() * vocab);
  for (size_t at = 0; at < tokens.size(); at += std::min(chunk, tokens.size() - at)) {
    const auto part = tokens.subspan(at, std::min(chunk, tokens.size() - at));
    const Status done = model.eval(state, part, Want::all, out.data() + at * vocab);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
  }
  return out;
}

// Largest difference over largest expected value; of what is not finite, infinity.
inline double relative_error(const std::vector<float>& actual, const std::vector<float>& expected) {
  EXPECT_EQ(actual.size(), expected.size());
  double most = 0, scale = 0;
  for (size_t i = 0; i < std::min(actual.size(), expected.size()); ++i) {
    if (!std::isfinite(actual[i])) return std::numeric_limits<double>::infinity();
    most = std::max<double>(most, std::fabs(actual[i] - expected[i]));
    scale = std::max<double>(scale, std::fabs(expected[i]));
  }
  return most / scale;
}

inline bool same_bits(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

}  // namespace skein::test
