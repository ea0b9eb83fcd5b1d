// f32 tensors in memory as small files: states, traces. Models are written by model_writer.h.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "base/error.h"
#include "tensor/shape.h"

namespace skein::io {

struct NamedTensor {
  std::string name;
  Shape shape;
  std::span<const float> data;  // shape.elements() numbers, row-major
};

// A dict from name to tensor, or with `as_list` the tensors as a list, without their names.
// Errors: argument (data that is not the shape's, a name that is empty, too long or twice there).
Result<std::vector<std::byte>> write_pth(std::span<const NamedTensor> tensors, bool as_list);
// How many bytes that makes; the tensors' data may be missing. Errors: argument.
Result<uint64_t> pth_size(std::span<const NamedTensor> tensors, bool as_list);

// Errors: argument, as above, and a name or metadata that is not UTF-8.
Result<std::vector<std::byte>> write_safetensors(
    std::span<const NamedTensor> tensors,
    const std::map<std::string, std::string, std::less<>>& metadata);

}  // namespace skein::io
