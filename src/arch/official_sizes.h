// The sizes in which RWKV-7 models are published, as shapes without numbers: what doctor tells of
// models that are not there.
#pragma once

#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "arch/architecture.h"

namespace skein::arch {

struct OfficialSize {
  std::string_view name;  // "1.5B"
  int64_t layers = 0;
  int64_t width = 0;
  int64_t rank_w = 0, rank_a = 0, rank_v = 0, rank_g = 0;
};

// By size. All have the World vocabulary's 65,536 rows, heads of 64 and an inner width of 4 widths.
std::span<const OfficialSize> official_sizes();

// A model of that size in F16, whose tensors have no bytes: nothing may read them.
struct ShapedModel {
  std::unique_ptr<Architecture> architecture;
  std::vector<ops::WeightData> weights;
};
// Errors: those of opening a design, which are ours.
Result<ShapedModel> shaped(const OfficialSize& size);

}  // namespace skein::arch
