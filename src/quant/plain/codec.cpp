#include "quant/plain/codec.h"

#include <cmath>

#include "quant/plain/bits.h"

namespace skein::quant::plain {
namespace {

// Elements may stand at any address.
template <typename T, typename Convert>
size_t decode_as(const std::byte* in, size_t count, float* out, Convert convert) {
  for (size_t i = 0; i < count; ++i) {
    T value;
    std::memcpy(&value, in + i * sizeof(T), sizeof(T));
    out[i] = convert(value);
  }
  return count;
}

template <typename T>
size_t decode_number(const std::byte* in, size_t count, float* out) {
  return decode_as<T>(in, count, out, [](T value) { return static_cast<float>(value); });
}

// A number that was finite and would not be any more is no rounding error. `limit` is halfway from
// the largest half to what would be the next one.
size_t encode_halves(const float* in, size_t count, std::byte* out, uint16_t (*convert)(float),
                     float limit) {
  for (size_t i = 0; i < count; ++i)
    if (std::fabs(in[i]) >= limit && std::isfinite(in[i])) return i;
  for (size_t i = 0; i < count; ++i) {
    const uint16_t bits = convert(in[i]);
    std::memcpy(out + i * sizeof(bits), &bits, sizeof(bits));
  }
  return count;
}

}  // namespace

size_t decode_f64(const std::byte* in, size_t count, float* out) {
  constexpr double kLimit = 0x1.ffffffp127;  // halfway from the largest float to 2^128
  for (size_t i = 0; i < count; ++i) {
    double value = 0;
    std::memcpy(&value, in + i * sizeof(value), sizeof(value));
    if (std::fabs(value) >= kLimit && std::isfinite(value)) return i;
    out[i] = static_cast<float>(value);
  }
  return count;
}
size_t decode_f32(const std::byte* in, size_t count, float* out) {
  if (count > 0) std::memcpy(out, in, count * sizeof(float));
  return count;
}
size_t decode_f16(const std::byte* in, size_t count, float* out) {
  return decode_as<uint16_t>(in, count, out, f16_to_f32);
}
size_t decode_bf16(const std::byte* in, size_t count, float* out) {
  return decode_as<uint16_t>(in, count, out, bf16_to_f32);
}
size_t decode_i64(const std::byte* in, size_t count, float* out) {
  return decode_number<int64_t>(in, count, out);
}
size_t decode_i32(const std::byte* in, size_t count, float* out) {
  return decode_number<int32_t>(in, count, out);
}
size_t decode_i16(const std::byte* in, size_t count, float* out) {
  return decode_number<int16_t>(in, count, out);
}
size_t decode_i8(const std::byte* in, size_t count, float* out) {
  return decode_number<int8_t>(in, count, out);
}
size_t decode_u8(const std::byte* in, size_t count, float* out) {
  return decode_number<uint8_t>(in, count, out);
}
size_t decode_boolean(const std::byte* in, size_t count, float* out) {
  return decode_as<uint8_t>(in, count, out, [](uint8_t flag) { return flag != 0 ? 1.0f : 0.0f; });
}

size_t encode_f32(const float* in, size_t count, std::byte* out) {
  if (count > 0) std::memcpy(out, in, count * sizeof(float));
  return count;
}
size_t encode_f16(const float* in, size_t count, std::byte* out) {
  return encode_halves(in, count, out, f32_to_f16, 65520);
}
size_t encode_bf16(const float* in, size_t count, std::byte* out) {
  return encode_halves(in, count, out, f32_to_bf16, 0x1.ffp127f);
}
// Whole numbers that fit, which codes of a scheme are; anything else is refused.
size_t encode_u8(const float* in, size_t count, std::byte* out) {
  for (size_t i = 0; i < count; ++i) {
    if (!(in[i] >= 0 && in[i] <= 255)) return i;
    const auto code = static_cast<uint8_t>(in[i]);
    if (static_cast<float>(code) != in[i]) return i;
    out[i] = static_cast<std::byte>(code);
  }
  return count;
}

}  // namespace skein::quant::plain
