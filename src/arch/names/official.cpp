// Official names, and web-rwkv's: the same names for RWKV-7, with the low-rank pairs transposed.
#include "arch/names/names.h"

namespace skein::arch::names {
namespace {

const StoredTensor* find(const Container& container, std::string_view name) {
  for (const StoredTensor& tensor : container.tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

bool is_official(const Container& container) {
  return has(container, "blocks.0.att.r_k") && container.format != Format::ggmf;
}

// Officially w1 is [D, R]. A converted file has [R, D]; when R equals D the shape says nothing, and
// then a file is taken as official unless it says otherwise in its metadata.
bool is_web_rwkv(const Container& container) {
  const StoredTensor* w1 = find(container, "blocks.0.att.w1");
  const StoredTensor* emb = find(container, "emb.weight");
  if (!is_official(container) || !w1 || !emb || w1->shape.rank() < 2 || emb->shape.rank() != 2)
    return false;
  const Shape shape = w1->shape.squeezed();
  return shape.rank() == 2 && shape[1] == emb->shape[1] && shape[0] != emb->shape[1];
}

// Names that web-rwkv's converter stores with the last two axes swapped.
bool swapped(std::string_view name) {
  for (const char* part : {"att.w1", "att.w2", "att.a1", "att.a2", "att.g1", "att.g2", "att.v1",
                           "att.v2", "time_state"})
    if (name.ends_with(part)) return true;
  return false;
}

// Matrices may come with axes of length 1 around them; vectors are compared by element count.
StoredTensor plain(const StoredTensor& tensor) {
  if (tensor.shape.rank() <= 2) return tensor;
  const Shape squeezed = tensor.shape.squeezed();
  if (squeezed.rank() > 2 || tensor.strides != tensor.shape.contiguous_strides()) return tensor;
  return tensor.reshaped(squeezed);
}

Result<NamedTensors> keep_names(const Container& container, std::string_view) {
  NamedTensors out;
  for (const StoredTensor& tensor : container.tensors) out.emplace(tensor.name, plain(tensor));
  return out;
}

Result<NamedTensors> swap_back(const Container& container, std::string_view file_name) {
  NamedTensors out;
  for (const StoredTensor& tensor : container.tensors) {
    StoredTensor official = plain(tensor);
    if (swapped(tensor.name)) {
      if (official.shape.rank() < 2)
        return fail(Code::mismatch, "{}: tensor {} is {}, expected a matrix", file_name,
                    escaped(tensor.name), tensor.shape.text());
      official = official.transposed();
    }
    out.emplace(tensor.name, std::move(official));
  }
  return out;
}

}  // namespace

const Naming kOfficial = {"official", is_official, keep_names};
const Naming kWebRwkv7 = {"web-rwkv", is_web_rwkv, swap_back};

}  // namespace skein::arch::names
