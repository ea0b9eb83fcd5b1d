// rwkv.cpp's converter keeps official names but stacks the mixes and transposes the low-rank pairs.
#include "arch/names/fused.h"
#include "arch/names/names.h"

namespace skein::arch::names {
namespace {

constexpr std::string_view kLayers = "blocks.";

bool is_ggmf7(const Container& container) {
  return container.format == Format::ggmf && has(container, "blocks.0.att.r_k");
}

bool low_rank(std::string_view name) {
  for (const char* x :
       {"att.w1", "att.w2", "att.a1", "att.a2", "att.v1", "att.v2", "att.g1", "att.g2"})
    if (name == x) return true;
  return false;
}

Result<NamedTensors> translate(const Container& container, std::string_view file_name) {
  NamedTensors out;
  for (const StoredTensor& tensor : container.tensors) {
    int64_t layer = 0;
    std::string_view rest;
    const bool in_layer = split_layer(tensor.name, kLayers, layer, rest);
    if (in_layer && rest == "att.x_rwkvag") {
      SK_TRY_STATUS(unstack_mixes(tensor, layer, file_name, out));
      continue;
    }
    StoredTensor official = tensor;
    if (in_layer && low_rank(rest)) {
      if (tensor.shape.rank() != 2)
        return fail(Code::mismatch, "{}: tensor {} is {}, expected a matrix", file_name,
                    escaped(tensor.name), tensor.shape.text());
      official = tensor.transposed();
    }
    out.emplace(tensor.name, std::move(official));
  }
  return out;
}

}  // namespace

const Naming kGgmf7 = {"rwkv.cpp", is_ggmf7, translate};

}  // namespace skein::arch::names
