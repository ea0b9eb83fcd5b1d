#include "quant/formats.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "quant/blocks32/codec.h"
#include "quant/iq/codec.h"
#include "quant/k/codec.h"
#include "quant/plain/codec.h"
#include "quant/rows.h"
#include "quant/webrwkv/codec.h"

namespace skein::quant {
namespace {

constexpr FormatRow kRows[kDTypes] = {
    {DType::f64, plain::decode_f64, nullptr},
    {DType::f32, plain::decode_f32, plain::encode_f32},
    {DType::f16, plain::decode_f16, plain::encode_f16},
    {DType::bf16, plain::decode_bf16, plain::encode_bf16},
    {DType::i64, plain::decode_i64, nullptr},
    {DType::i32, plain::decode_i32, nullptr},
    {DType::i16, plain::decode_i16, nullptr},
    {DType::i8, plain::decode_i8, nullptr},
    {DType::u8, plain::decode_u8, plain::encode_u8},
    {DType::boolean, plain::decode_boolean, nullptr},
    {DType::q4_0, blocks32::decode_q4_0, blocks32::encode_q4_0},
    {DType::q4_1, blocks32::decode_q4_1, blocks32::encode_q4_1},
    {DType::q5_0, blocks32::decode_q5_0, blocks32::encode_q5_0},
    {DType::q5_1, blocks32::decode_q5_1, blocks32::encode_q5_1},
    {DType::q8_0, blocks32::decode_q8_0, blocks32::encode_q8_0},
    {DType::q8_1, blocks32::decode_q8_1, blocks32::encode_q8_1},
    {DType::q2_k, k::decode_q2_k, k::encode_q2_k},
    {DType::q3_k, k::decode_q3_k, k::encode_q3_k},
    {DType::q4_k, k::decode_q4_k, k::encode_q4_k},
    {DType::q5_k, k::decode_q5_k, k::encode_q5_k},
    {DType::q6_k, k::decode_q6_k, k::encode_q6_k},
    {DType::q8_k, k::decode_q8_k, k::encode_q8_k},
    {DType::iq4_nl, blocks32::decode_iq4_nl, iq::encode_iq4_nl},
    {DType::iq4_xs, iq::decode_iq4_xs, iq::encode_iq4_xs},
    {DType::mxfp4, blocks32::decode_mxfp4, nullptr},
    {DType::int8, webrwkv::decode_int8, webrwkv::encode_int8},
    {DType::nf4, webrwkv::decode_nf4, webrwkv::encode_nf4},
    {DType::iq2_xxs, nullptr, nullptr},
    {DType::iq2_xs, nullptr, nullptr},
    {DType::iq2_s, nullptr, nullptr},
    {DType::iq3_xxs, nullptr, nullptr},
    {DType::iq3_s, nullptr, nullptr},
    {DType::iq1_s, nullptr, nullptr},
    {DType::iq1_m, nullptr, nullptr},
    {DType::tq1_0, nullptr, nullptr},
    {DType::tq2_0, nullptr, nullptr},
    {DType::unread, nullptr, nullptr},
};

constexpr bool rows_in_order() {
  for (int i = 0; i < kDTypes; ++i)
    if (kRows[i].type != static_cast<DType>(i)) return false;
  return true;
}
static_assert(rows_in_order());

// How many whole blocks `bytes` are, if `numbers` is what they hold.
Result<size_t> count_blocks(DType type, size_t bytes, size_t numbers) {
  const BlockSize size = block_size(type);
  const size_t count = bytes / static_cast<size_t>(size.bytes);
  if (bytes % static_cast<size_t>(size.bytes) != 0 ||
      numbers % static_cast<size_t>(size.elements) != 0 ||
      numbers / static_cast<size_t>(size.elements) != count)
    return fail(Code::argument, "{} bytes of {} are not {} numbers: a block is {} in {} bytes",
                bytes, dtype_name(type), numbers, size.elements, size.bytes);
  return count;
}

}  // namespace

const FormatRow& format_row(DType type) {
  SK_CHECK(static_cast<int>(type) < kDTypes);
  return kRows[static_cast<int>(type)];
}

tl::unexpected<Error> undecodable(DType type, int64_t block, std::string_view tensor) {
  const bool number = block_size(type).elements == 1;
  const std::string where =
      tensor.empty()
          ? fmt::format("{} {} of {} data", number ? "number" : "block", block, dtype_name(type))
          : fmt::format("tensor {}: {} {} of its {} data", escaped(tensor),
                        number ? "number" : "block", block, dtype_name(type));
  return number ? fail(Code::unsupported, "{} is too large for F32", where)
                : fail(Code::corrupt, "{} has a scale that is not finite", where);
}

bool decodable(DType type) { return format_row(type).decode != nullptr; }
namespace {

bool is_whole(DType type) {
  switch (type) {
    case DType::i64:
    case DType::i32:
    case DType::i16:
    case DType::i8:
    case DType::u8:
    case DType::boolean: return true;
    default: return false;
  }
}

}  // namespace

bool encodable(DType type) { return format_row(type).encode != nullptr; }

Status decode(DType type, std::span<const std::byte> blocks, std::span<float> out) {
  const FormatRow& row = format_row(type);
  if (row.decode == nullptr)
    return fail(Code::unsupported, "type {} is recognised but cannot be decoded", dtype_name(type));
  SK_TRY(const size_t count, count_blocks(type, blocks.size(), out.size()));
  const size_t done = row.decode(blocks.data(), count, out.data());
  if (done != count) return undecodable(type, static_cast<int64_t>(done), "");
  return {};
}

Status encode(DType type, std::span<const float> values, std::span<std::byte> blocks) {
  const FormatRow& row = format_row(type);
  if (row.encode == nullptr)
    return fail(Code::unsupported, "type {} cannot be written", dtype_name(type));
  SK_TRY(const size_t count, count_blocks(type, blocks.size(), values.size()));
  const size_t done = row.encode(values.data(), count, blocks.data());
  if (done == count) return {};
  const auto size = static_cast<size_t>(block_size(type).elements);
  const auto block = values.subspan(done * size, size);
  const bool finite =
      std::all_of(block.begin(), block.end(), [](float x) { return std::isfinite(x); });
  return fail(finite ? Code::argument : Code::corrupt, "{} {} cannot be written as {}: {} {}",
              size == 1 ? "number" : "block", done, dtype_name(type),
              size == 1 ? "it is" : "it has a number that is",
              !finite          ? "not finite"
              : is_whole(type) ? "too large for that, or no whole number"
                               : "too large for that");
}

}  // namespace skein::quant
