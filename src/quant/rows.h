// The table itself, for formats.cpp and read.cpp. Private to quant.
#pragma once

#include "quant/table.h"
#include "tensor/dtype.h"

namespace skein::quant {

struct FormatRow {
  DType type;
  DecodeBlocks decode;  // null: recognised by size, refused by name
  EncodeBlocks encode;  // null: no writer
};

const FormatRow& format_row(DType type);

}  // namespace skein::quant
