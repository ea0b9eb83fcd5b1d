#include "arch/official_sizes.h"

#include <algorithm>
#include <utility>

#include "arch/registry.h"
#include "base/check.h"

namespace skein::arch {
namespace {

constexpr OfficialSize kSizes[] = {
    {"0.1B", 12, 768, 64, 64, 32, 128},    {"0.4B", 24, 1024, 64, 64, 32, 128},
    {"1.5B", 24, 2048, 96, 96, 64, 256},   {"2.9B", 32, 2560, 96, 96, 64, 320},
    {"7.2B", 32, 4096, 128, 128, 96, 480}, {"13.3B", 61, 4096, 128, 128, 96, 480},
};
constexpr int64_t kVocab = 65536, kHeadSize = 64, kInnerWidths = 4;

void add(NamedTensors& tensors, const std::string& name, const Shape& shape) {
  StoredTensor& tensor = tensors[name];
  tensor.name = name;
  tensor.dtype = DType::f16;
  tensor.shape = shape;
  tensor.strides = shape.contiguous_strides();
}

}  // namespace

std::span<const OfficialSize> official_sizes() { return kSizes; }

Result<ShapedModel> shaped(const OfficialSize& size) {
  const int64_t D = size.width;
  // What the design reads its sizes from; its own list has the rest.
  NamedModel model;
  NamedTensors& tensors = model.tensors;
  add(tensors, "emb.weight", {kVocab, D});
  for (int64_t layer = 0; layer < size.layers; ++layer)
    add(tensors, fmt::format("blocks.{}.ln1.weight", layer), {D});
  for (const char* ln0 : {"blocks.0.ln0.weight", "blocks.0.ln0.bias"}) add(tensors, ln0, {D});
  add(tensors, "blocks.0.ffn.key.weight", {kInnerWidths * D, D});
  add(tensors, "blocks.0.att.r_k", {D / kHeadSize, kHeadSize});
  add(tensors, "blocks.0.att.w1", {D, size.rank_w});
  add(tensors, "blocks.0.att.a1", {D, size.rank_a});
  add(tensors, "blocks.0.att.g1", {D, size.rank_g});
  add(tensors, "blocks.1.att.v1", {D, size.rank_v});
  const auto all = designs();
  const auto design = std::find_if(all.begin(), all.end(), [](const Design& one) {
    return std::string_view(one.id) == "rwkv7";
  });
  SK_CHECK(design != all.end());
  ShapedModel out;
  SK_TRY(out.architecture, design->open(model, size.name));
  for (const WeightSpec& spec : out.architecture->weights()) add(tensors, spec.name, spec.shape);
  SK_TRY(out.weights, collect_weights(*out.architecture, tensors, size.name));
  return out;
}

}  // namespace skein::arch
