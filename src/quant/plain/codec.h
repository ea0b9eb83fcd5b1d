#pragma once

#include "quant/table.h"

namespace skein::quant::plain {

size_t decode_f64(const std::byte* in, size_t count, float* out);
size_t decode_f32(const std::byte* in, size_t count, float* out);
size_t decode_f16(const std::byte* in, size_t count, float* out);
size_t decode_bf16(const std::byte* in, size_t count, float* out);
size_t decode_i64(const std::byte* in, size_t count, float* out);
size_t decode_i32(const std::byte* in, size_t count, float* out);
size_t decode_i16(const std::byte* in, size_t count, float* out);
size_t decode_i8(const std::byte* in, size_t count, float* out);
size_t decode_u8(const std::byte* in, size_t count, float* out);
size_t decode_boolean(const std::byte* in, size_t count, float* out);

size_t encode_f32(const float* in, size_t count, std::byte* out);
size_t encode_f16(const float* in, size_t count, std::byte* out);
size_t encode_bf16(const float* in, size_t count, std::byte* out);
size_t encode_u8(const float* in, size_t count, std::byte* out);

}  // namespace skein::quant::plain
