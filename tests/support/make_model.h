// RWKV-7 models of any sizes, made in the test: for shapes that no released model has.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "arch/architecture.h"
#include "io/pth_writer.h"
#include "support/random.h"

namespace skein::test {

struct ModelSizes {
  int64_t layers = 2, width = 64, heads = 1, inner = 96, vocab = 40;
  int64_t rank_w = 16, rank_a = 24, rank_v = 8, rank_g = 40;
};

// Official names and shapes of such a model.
inline std::map<std::string, Shape> model_shapes(const ModelSizes& m) {
  const Shape d = {m.width}, square = {m.width, m.width};
  std::map<std::string, Shape> out = {{"emb.weight", {m.vocab, m.width}},
                                      {"head.weight", {m.vocab, m.width}},
                                      {"ln_out.weight", d},
                                      {"ln_out.bias", d},
                                      {"blocks.0.ln0.weight", d},
                                      {"blocks.0.ln0.bias", d}};
  for (int64_t i = 0; i < m.layers; ++i) {
    const std::string block = fmt::format("blocks.{}.", i);
    for (const char* name :
         {"ln1.weight", "ln1.bias", "ln2.weight", "ln2.bias", "att.x_r", "att.x_w", "att.x_k",
          "att.x_v", "att.x_a", "att.x_g", "att.w0", "att.a0", "att.k_k", "att.k_a",
          "att.ln_x.weight", "att.ln_x.bias", "ffn.x_k"})
      out[block + name] = d;
    for (const char* name : {"receptance", "key", "value", "output"})
      out[block + "att." + name + ".weight"] = square;
    out[block + "att.r_k"] = {m.heads, m.width / m.heads};
    out[block + "ffn.key.weight"] = {m.inner, m.width};
    out[block + "ffn.value.weight"] = {m.width, m.inner};
    const auto pair = [&](char letter, int64_t rank) {
      out[fmt::format("{}att.{}1", block, letter)] = {m.width, rank};
      out[fmt::format("{}att.{}2", block, letter)] = {rank, m.width};
    };
    pair('w', m.rank_w), pair('a', m.rank_a), pair('g', m.rank_g);
    if (i > 0) pair('v', m.rank_v), out[block + "att.v0"] = d;
  }
  return out;
}

// The same without numbers, for what looks at shapes only.
inline arch::NamedTensors shapes_only(const ModelSizes& sizes) {
  arch::NamedTensors out;
  for (const auto& [name, shape] : model_shapes(sizes)) {
    StoredTensor tensor;
    tensor.name = name;
    tensor.shape = shape;
    tensor.strides = shape.contiguous_strides();
    out.emplace(name, tensor);
  }
  return out;
}

// A safetensors file of random weights. `change` may alter names, shapes and data before writing.
struct NamedData {
  Shape shape;
  std::vector<float> data;
};
using ModelData = std::map<std::string, NamedData>;

inline ModelData random_model(const ModelSizes& sizes, uint64_t seed = 1) {
  Random random(seed);
  ModelData out;
  for (const auto& [name, shape] : model_shapes(sizes)) {
    const bool norm = name.find("ln") != std::string::npos && name.ends_with("weight");
    auto data = random.floats(static_cast<size_t>(shape.elements()), -0.3f, 0.3f);
    if (norm)
      for (float& x : data) x += 1;
    out[name] = {shape, std::move(data)};
  }
  return out;
}

inline std::vector<std::byte> as_safetensors(const ModelData& model) {
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, value] : model) tensors.push_back({name, value.shape, value.data});
  auto file = io::write_safetensors(tensors, {});
  EXPECT_TRUE(file) << (file ? "" : file.error().message);
  return file ? *file : std::vector<std::byte>();
}

}  // namespace skein::test
