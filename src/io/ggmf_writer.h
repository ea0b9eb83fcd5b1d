// Writes rwkv.cpp's .bin, version 101, for read_ggmf and for that program. Values have to be as its
// converter leaves them, exponentials applied; writing changes their type and nothing else.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>

#include "base/error.h"
#include "io/model_writer.h"

namespace skein::io {

struct GgmfHead {
  int32_t vocab = 0;
  int32_t width = 0;
  int32_t layers = 0;
  DType type = DType::f32;  // of most matrices
};

// As write_model (io/model_writer.h). Errors: argument (a type or a shape that the format has no
// place for, a name that is too long, parts that are not the tensor); io; those of the parts.
Status write_ggmf(const std::filesystem::path& path, const GgmfHead& head,
                  std::span<const OutputTensor> tensors, const WriteOptions& options = {});

}  // namespace skein::io
