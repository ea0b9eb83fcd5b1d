// A model whose step is a few microseconds, and one of whose tokens is no number.
#pragma once

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "support/make_model.h"
#include "support/models.h"

namespace skein::test {

// Whose embedding is no number.
inline constexpr int32_t kPoison = 256;

inline std::shared_ptr<Model> small_model() {
  const ModelSizes sizes = {.layers = 1,
                            .width = 64,
                            .heads = 1,
                            .inner = 32,
                            .vocab = 257,
                            .rank_w = 8,
                            .rank_a = 8,
                            .rank_v = 8,
                            .rank_g = 8};
  ModelData data = random_model(sizes);
  auto& embedding = data["emb.weight"].data;
  std::fill_n(embedding.begin() + kPoison * sizes.width, sizes.width, std::nanf(""));
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("skein_small_{}.st", getpid());
  write_model(path, data, hints_of(sizes));
  auto model = open_model(path, {.threads = 1, .chunk = 64});
  std::filesystem::remove(path);
  return model;
}

}  // namespace skein::test
