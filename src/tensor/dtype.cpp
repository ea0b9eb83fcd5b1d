#include "tensor/dtype.h"

#include <algorithm>

#include "base/check.h"

namespace skein {
namespace {

struct Row {
  DType type;
  std::string_view name;
  BlockSize block;
};

constexpr Row kRows[kDTypes] = {
    {DType::f64, "F64", {1, 8}},
    {DType::f32, "F32", {1, 4}},
    {DType::f16, "F16", {1, 2}},
    {DType::bf16, "BF16", {1, 2}},
    {DType::i64, "I64", {1, 8}},
    {DType::i32, "I32", {1, 4}},
    {DType::i16, "I16", {1, 2}},
    {DType::i8, "I8", {1, 1}},
    {DType::u8, "U8", {1, 1}},
    {DType::boolean, "BOOL", {1, 1}},
    {DType::q4_0, "Q4_0", {32, 18}},
    {DType::q4_1, "Q4_1", {32, 20}},
    {DType::q5_0, "Q5_0", {32, 22}},
    {DType::q5_1, "Q5_1", {32, 24}},
    {DType::q8_0, "Q8_0", {32, 34}},
    {DType::q8_1, "Q8_1", {32, 36}},
    {DType::q2_k, "Q2_K", {256, 84}},
    {DType::q3_k, "Q3_K", {256, 110}},
    {DType::q4_k, "Q4_K", {256, 144}},
    {DType::q5_k, "Q5_K", {256, 176}},
    {DType::q6_k, "Q6_K", {256, 210}},
    {DType::q8_k, "Q8_K", {256, 292}},
    {DType::iq4_nl, "IQ4_NL", {32, 18}},
    {DType::iq4_xs, "IQ4_XS", {256, 136}},
    {DType::mxfp4, "MXFP4", {32, 17}},
    {DType::int8, "INT8", {128, 132}},
    {DType::nf4, "NF4", {64, 34}},
    {DType::iq2_xxs, "IQ2_XXS", {256, 66}},
    {DType::iq2_xs, "IQ2_XS", {256, 74}},
    {DType::iq2_s, "IQ2_S", {256, 82}},
    {DType::iq3_xxs, "IQ3_XXS", {256, 98}},
    {DType::iq3_s, "IQ3_S", {256, 110}},
    {DType::iq1_s, "IQ1_S", {256, 50}},
    {DType::iq1_m, "IQ1_M", {256, 56}},
    {DType::tq1_0, "TQ1_0", {256, 54}},
    {DType::tq2_0, "TQ2_0", {256, 66}},
    {DType::unread, "unread", {1, 1}},
};

constexpr bool rows_in_order() {
  for (int i = 0; i < kDTypes; ++i)
    if (kRows[i].type != static_cast<DType>(i)) return false;
  return true;
}
static_assert(rows_in_order());

const Row& row(DType type) {
  SK_CHECK(static_cast<int>(type) < kDTypes);
  return kRows[static_cast<int>(type)];
}

}  // namespace

BlockSize block_size(DType type) { return row(type).block; }
int64_t bytes_of(DType type, int64_t elements) {
  const BlockSize block = block_size(type);
  return elements / block.elements * block.bytes;
}

std::string_view dtype_name(DType type) { return row(type).name; }

std::optional<DType> dtype_named(std::string_view name) {
  const auto upper = [](char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c; };
  for (const Row& candidate : kRows)
    if (candidate.type != DType::unread &&
        std::equal(name.begin(), name.end(), candidate.name.begin(), candidate.name.end(),
                   [&](char given, char known) { return upper(given) == known; }))
      return candidate.type;
  return std::nullopt;
}

}  // namespace skein
