#pragma once

#include "quant/table.h"

namespace skein::quant::blocks32 {

size_t decode_q4_0(const std::byte* blocks, size_t count, float* out);
size_t decode_q4_1(const std::byte* blocks, size_t count, float* out);
size_t decode_q5_0(const std::byte* blocks, size_t count, float* out);
size_t decode_q5_1(const std::byte* blocks, size_t count, float* out);
size_t decode_q8_0(const std::byte* blocks, size_t count, float* out);
size_t decode_q8_1(const std::byte* blocks, size_t count, float* out);
size_t decode_iq4_nl(const std::byte* blocks, size_t count, float* out);
size_t decode_mxfp4(const std::byte* blocks, size_t count, float* out);

size_t encode_q4_0(const float* values, size_t count, std::byte* blocks);
size_t encode_q4_1(const float* values, size_t count, std::byte* blocks);
size_t encode_q5_0(const float* values, size_t count, std::byte* blocks);
size_t encode_q5_1(const float* values, size_t count, std::byte* blocks);
size_t encode_q8_0(const float* values, size_t count, std::byte* blocks);
size_t encode_q8_1(const float* values, size_t count, std::byte* blocks);

}  // namespace skein::quant::blocks32
