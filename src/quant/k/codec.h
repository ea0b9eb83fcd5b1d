#pragma once

#include "quant/table.h"

namespace skein::quant::k {

size_t decode_q2_k(const std::byte* blocks, size_t count, float* out);
size_t decode_q3_k(const std::byte* blocks, size_t count, float* out);
size_t decode_q4_k(const std::byte* blocks, size_t count, float* out);
size_t decode_q5_k(const std::byte* blocks, size_t count, float* out);
size_t decode_q6_k(const std::byte* blocks, size_t count, float* out);
size_t decode_q8_k(const std::byte* blocks, size_t count, float* out);

size_t encode_q2_k(const float* values, size_t count, std::byte* blocks);
size_t encode_q3_k(const float* values, size_t count, std::byte* blocks);
size_t encode_q4_k(const float* values, size_t count, std::byte* blocks);
size_t encode_q5_k(const float* values, size_t count, std::byte* blocks);
size_t encode_q6_k(const float* values, size_t count, std::byte* blocks);
size_t encode_q8_k(const float* values, size_t count, std::byte* blocks);

}  // namespace skein::quant::k
