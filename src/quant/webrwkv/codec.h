#pragma once

#include "quant/table.h"
#include "quant/webrwkv/bits.h"

namespace skein::quant::webrwkv {

// One block, its scales as numbers: web-rwkv's own files keep scales and codes apart, and
// imports/webrwkv.h reads those with the same words.
void int8_values(const uint8_t (&codes)[128], float min, float max, float* out);
void nf4_values(const uint8_t (&codes)[32], float absmax, float* out);

// False when a number has no finite half.
bool to_int8(const float* values, BlockINT8& block);
bool to_nf4(const float* values, BlockNF4& block);

size_t decode_int8(const std::byte* blocks, size_t count, float* out);
size_t decode_nf4(const std::byte* blocks, size_t count, float* out);
size_t encode_int8(const float* values, size_t count, std::byte* blocks);
size_t encode_nf4(const float* values, size_t count, std::byte* blocks);

}  // namespace skein::quant::webrwkv
