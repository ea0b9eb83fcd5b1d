// Models of every design and of any sizes, made in the test: for shapes that no released model has.
#pragma once

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include "io/pth_writer.h"
#include "support/design_shapes.h"
#include "support/random.h"

namespace skein::test {

inline std::unique_ptr<arch::Architecture> make_architecture(const ModelSizes& sizes) {
  const auto designs = arch::designs();
  const auto design = std::find_if(designs.begin(), designs.end(),
                                   [&](const auto& row) { return row.id == sizes.design; });
  auto opened = design->open(without_numbers(telling_shapes(sizes), hints_of(sizes)), "model");
  EXPECT_TRUE(opened) << (opened ? "" : opened.error().message);
  return opened ? std::move(*opened) : nullptr;
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
  for (const arch::WeightSpec& spec : make_architecture(sizes)->weights()) {
    if (spec.unused) continue;
    const bool norm = spec.name.find("ln") != std::string::npos && spec.name.ends_with("weight");
    auto data = random.floats(static_cast<size_t>(spec.shape.elements()), -0.3f, 0.3f);
    if (norm)
      for (float& x : data) x += 1;
    out[spec.name] = {spec.shape, std::move(data)};
  }
  return out;
}

inline std::vector<std::byte> as_safetensors(const ModelData& model,
                                             const arch::Hints& hints = {}) {
  std::vector<io::NamedTensor> tensors;
  for (const auto& [name, value] : model) tensors.push_back({name, value.shape, value.data});
  std::map<std::string, std::string, std::less<>> metadata;
  if (hints.head_size > 0) metadata["skein.head_size"] = std::to_string(hints.head_size);
  if (hints.key_value_heads > 0)
    metadata["skein.key_value_heads"] = std::to_string(hints.key_value_heads);
  auto file = io::write_safetensors(tensors, metadata);
  EXPECT_TRUE(file) << (file ? "" : file.error().message);
  return file ? *file : std::vector<std::byte>();
}

// Without the syncs of write_file(), which nobody needs of a file that is gone in a moment.
inline std::filesystem::path write_model(const std::filesystem::path& path, const ModelData& model,
                                         const arch::Hints& hints = {}) {
  const auto bytes = as_safetensors(model, hints);
  std::ofstream file(path, std::ios::binary);
  file.write(reinterpret_cast<const char*>(bytes.data()), std::ssize(bytes));
  EXPECT_TRUE(file.flush().good()) << path;
  return path;
}

}  // namespace skein::test
