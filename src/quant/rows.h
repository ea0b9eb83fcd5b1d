// The table itself, for formats.cpp and read.cpp. Private to quant.
#pragma once

#include "base/error.h"
#include "quant/table.h"
#include "tensor/dtype.h"

namespace skein::quant {

struct FormatRow {
  DType type;
  DecodeBlocks decode;  // null: recognised by size, refused by name
  EncodeBlocks encode;  // null: no writer
};

const FormatRow& format_row(DType type);

// Why a decoder stopped at `block` of a tensor's data, or with an empty name of any: corrupt, or
// unsupported where the numbers are good and F32 is too narrow.
tl::unexpected<Error> undecodable(DType type, int64_t block, std::string_view tensor);

}  // namespace skein::quant
