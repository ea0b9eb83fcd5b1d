// The element and block types a tensor's bytes can have. Their layouts stand in quant/.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace skein {

enum class DType : uint8_t {
  // plain elements
  f64,
  f32,
  f16,
  bf16,
  i64,
  i32,
  i16,
  i8,
  u8,
  boolean,
  // blocks of ggml (spec: GGUF v3, rwkv.cpp ggmf)
  q4_0,
  q4_1,
  q5_0,
  q5_1,
  q8_0,
  q8_1,
  q2_k,
  q3_k,
  q4_k,
  q5_k,
  q6_k,
  q8_k,
  iq4_nl,
  iq4_xs,
  mxfp4,
  // blocks of web-rwkv; no GGUF id
  int8,  // min, max and bytes; the plain type is i8
  nf4,
  // recognised by size so that they can be refused by name
  iq2_xxs,
  iq2_xs,
  iq2_s,
  iq3_xxs,
  iq3_s,
  iq1_s,
  iq1_m,
  tq1_0,
  tq2_0,
  // any other that a container may name: kept so that a file can be used that has such a tensor
  // beside its model (StoredTensor::unread_type)
  unread,
};
inline constexpr int kDTypes = static_cast<int>(DType::unread) + 1;

// A block is `elements` consecutive numbers of one row in `bytes` bytes; plain types are blocks of
// one.
struct BlockSize {
  int32_t elements;
  int32_t bytes;
};
// Of `unread`, whose size nobody knows, a byte.
BlockSize block_size(DType type);
// Of so many numbers, whole blocks.
int64_t bytes_of(DType type, int64_t elements);

// "F32", "BF16", "Q4_K": as GGUF and safetensors write them.
std::string_view dtype_name(DType type);
// The inverse, in upper or lower case; nothing for a name that no type has, nor for `unread`.
std::optional<DType> dtype_named(std::string_view name);

}  // namespace skein
