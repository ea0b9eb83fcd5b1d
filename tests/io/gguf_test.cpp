#include "io/gguf.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"
#include "io/memory_meter.h"
#include "io/patience.h"

namespace skein::test {
namespace {

using gguf::file;
using gguf::pair;
using gguf::pair_array;
using gguf::pair_text;
using gguf::tensor;

enum Type : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64
};

std::string with_pair(const std::string& one) { return file({.pairs = {one}}); }
std::string with_tensor(const gguf::Tensor& one, std::string data = six_floats()) {
  return file({.tensors = {tensor(one)}, .data = std::move(data)});
}
// A head with these counts and nothing behind it but `rest`.
std::string head(uint64_t tensors, uint64_t pairs, std::string_view rest = "") {
  return "GGUF" + le(uint32_t{3}) + le(tensors) + le(pairs) + std::string(rest);
}

TEST(Gguf, values_of_every_type_are_kept) {
  const auto container =
      open(file({.pairs = {pair("u8", kU8, uint8_t{200}),
                           pair("i8", kI8, int8_t{-5}),
                           pair("u16", kU16, uint16_t{60000}),
                           pair("i16", kI16, int16_t{-300}),
                           pair("u32", kU32, uint32_t{4000000000}),
                           pair("i32", kI32, int32_t{-70000}),
                           pair("f32", kF32, 0.5f),
                           pair("bool", kBool, uint8_t{1}),
                           pair_text("string", "text\0with zero"sv),
                           pair("u64", kU64, UINT64_MAX),
                           pair("i64", kI64, INT64_MIN),
                           pair("f64", kF64, 0.25),
                           pair_array("u8s", kU8, 2, "\1\2"),
                           pair_array("i8s", kI8, 1, "\xff"),
                           pair_array("u16s", kU16, 1, le(uint16_t{7})),
                           pair_array("i16s", kI16, 1, le(int16_t{-7})),
                           pair_array("u32s", kU32, 1, le(uint32_t{7})),
                           pair_array("i32s", kI32, 2, le(int32_t{-1}) + le(int32_t{6})),
                           pair_array("f32s", kF32, 1, le(1.5f)),
                           pair_array("bools", kBool, 2, "\0\1"sv),
                           pair_array("strings", kString, 2, gguf::text("a") + gguf::text("")),
                           pair_array("u64s", kU64, 1, le(UINT64_MAX)),
                           pair_array("i64s", kI64, 1, le(INT64_MIN)),
                           pair_array("f64s", kF64, 1, le(2.5)),
                           pair_array("none", kU32, 0, "")}}));
  ASSERT_TRUE(container) << container.error().message;
  const Metadata& m = container->metadata;
  EXPECT_EQ(m.at("u8"), MetaValue(uint64_t{200}));
  EXPECT_EQ(m.at("i8"), MetaValue(int64_t{-5}));
  EXPECT_EQ(m.at("u16"), MetaValue(uint64_t{60000}));
  EXPECT_EQ(m.at("i16"), MetaValue(int64_t{-300}));
  EXPECT_EQ(m.at("u32"), MetaValue(uint64_t{4000000000}));
  EXPECT_EQ(m.at("i32"), MetaValue(int64_t{-70000}));
  EXPECT_EQ(m.at("f32"), MetaValue(0.5));
  EXPECT_EQ(m.at("bool"), MetaValue(true));
  EXPECT_EQ(m.at("string"), MetaValue("text\0with zero"s));
  EXPECT_EQ(m.at("u64"), MetaValue(UINT64_MAX));
  EXPECT_EQ(m.at("i64"), MetaValue(INT64_MIN));
  EXPECT_EQ(m.at("f64"), MetaValue(0.25));
  EXPECT_EQ(m.at("u8s"), MetaValue(std::vector<uint64_t>{1, 2}));
  EXPECT_EQ(m.at("i8s"), MetaValue(std::vector<int64_t>{-1}));
  EXPECT_EQ(m.at("u16s"), MetaValue(std::vector<uint64_t>{7}));
  EXPECT_EQ(m.at("i16s"), MetaValue(std::vector<int64_t>{-7}));
  EXPECT_EQ(m.at("u32s"), MetaValue(std::vector<uint64_t>{7}));
  EXPECT_EQ(m.at("i32s"), MetaValue(std::vector<int64_t>{-1, 6}));
  EXPECT_EQ(m.at("f32s"), MetaValue(std::vector<double>{1.5}));
  EXPECT_EQ(m.at("bools"), MetaValue(std::vector<bool>{false, true}));
  EXPECT_EQ(m.at("strings"), MetaValue(std::vector<std::string>{"a", ""}));
  EXPECT_EQ(m.at("u64s"), MetaValue(std::vector<uint64_t>{UINT64_MAX}));
  EXPECT_EQ(m.at("i64s"), MetaValue(std::vector<int64_t>{INT64_MIN}));
  EXPECT_EQ(m.at("f64s"), MetaValue(std::vector<double>{2.5}));
  EXPECT_EQ(m.at("none"), MetaValue(std::vector<uint64_t>{}));
}

TEST(Gguf, tensor_types_map_to_their_blocks) {
  struct Row {
    uint32_t id;
    const char* name;
    uint64_t elements, bytes;
  };
  for (const Row& row :
       {Row{0, "F32", 1, 4},         Row{1, "F16", 1, 2},         Row{2, "Q4_0", 32, 18},
        Row{3, "Q4_1", 32, 20},      Row{6, "Q5_0", 32, 22},      Row{7, "Q5_1", 32, 24},
        Row{8, "Q8_0", 32, 34},      Row{9, "Q8_1", 32, 36},      Row{10, "Q2_K", 256, 84},
        Row{11, "Q3_K", 256, 110},   Row{12, "Q4_K", 256, 144},   Row{13, "Q5_K", 256, 176},
        Row{14, "Q6_K", 256, 210},   Row{15, "Q8_K", 256, 292},   Row{16, "IQ2_XXS", 256, 66},
        Row{17, "IQ2_XS", 256, 74},  Row{18, "IQ3_XXS", 256, 98}, Row{19, "IQ1_S", 256, 50},
        Row{20, "IQ4_NL", 32, 18},   Row{21, "IQ3_S", 256, 110},  Row{22, "IQ2_S", 256, 82},
        Row{23, "IQ4_XS", 256, 136}, Row{24, "I8", 1, 1},         Row{25, "I16", 1, 2},
        Row{26, "I32", 1, 4},        Row{27, "I64", 1, 8},        Row{28, "F64", 1, 8},
        Row{29, "IQ1_M", 256, 56},   Row{30, "BF16", 1, 2},       Row{34, "TQ1_0", 256, 54},
        Row{35, "TQ2_0", 256, 66},   Row{39, "MXFP4", 32, 17}}) {
    SCOPED_TRACE(row.name);
    const gguf::Tensor two_rows{.axes = {row.elements, 2}, .type = row.id};
    const auto container = open(with_tensor(two_rows, std::string(2 * row.bytes, '\0')));
    ASSERT_TRUE(container) << container.error().message;
    const StoredTensor& stored = container->tensors[0];
    EXPECT_EQ(dtype_name(stored.dtype), row.name);
    EXPECT_EQ(stored.storage.size(), 2 * row.bytes);
    EXPECT_EQ(stored.shape.text(), Shape({2, static_cast<int64_t>(row.elements)}).text());
    EXPECT_TRUE(stored.contiguous());
    expect_refused(with_tensor(two_rows, std::string(2 * row.bytes - 1, '\0')), Code::corrupt,
                   "tensor t takes");
    if (row.elements > 1)
      expect_refused(with_tensor({.axes = {row.elements / 8, 8}, .type = row.id},
                                 std::string(row.bytes, '\0')),
                     Code::corrupt, "comes in blocks of");
  }
  for (const uint32_t id : {4u, 5u, 31u, 32u, 33u, 36u, 37u, 38u, 40u, 777u, UINT32_MAX}) {
    // It can stand beside a model, and has what is left of the data.
    const auto container = open(with_tensor({.type = id}));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->tensors[0].dtype, DType::unread);
    EXPECT_EQ(container->tensors[0].type_name(), "number " + std::to_string(id));
    EXPECT_EQ(container->tensors[0].storage.size(), six_floats().size());
  }
}

TEST(Gguf, versions_2_and_3_are_read_and_the_rest_named) {
  for (const uint32_t version : {2u, 3u}) {
    const auto container = open(file({.version = version}));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->version, static_cast<int>(version));
  }
  for (const uint32_t version : {0u, 1u, 4u, 1u << 16})
    expect_refused(file({.version = version}), Code::unsupported,
                   "GGUF version " + std::to_string(version));
  for (const uint32_t version : {1u, 2u, 3u})
    expect_refused(file({.version = version << 24}), Code::unsupported, "byte order");
  expect_refused("GGUF", Code::corrupt, "ends inside the head");
}

TEST(Gguf, counts_beyond_the_file_are_refused_at_once) {
  const Stopwatch watch;
  const MemoryMeter meter;
  expect_refused(head(uint64_t{1} << 62, uint64_t{1} << 63), Code::corrupt, "pairs claimed");
  expect_refused(head(uint64_t{1} << 62, 0), Code::corrupt, "tensors claimed");
  expect_refused(head(1, 0), Code::corrupt, "tensors claimed");
  expect_refused(head(0, UINT64_MAX, std::string(100, '\0')), Code::corrupt, "pairs claimed");
  EXPECT_LT(watch.seconds(), 0.01);
  EXPECT_LT(meter.peak(), 64 * 1024u);
}

TEST(Gguf, lengths_beyond_the_file_are_refused_at_once) {
  const auto text = gguf::text("k");
  const std::string refused[] = {
      with_pair(le(UINT64_MAX) + "k" + le(uint32_t{kU32}) + le(uint32_t{0})),
      with_pair(text + le(uint32_t{kString}) + le(UINT64_MAX)),
      with_pair(text + le(uint32_t{kString}) + le(uint64_t{1} << 63)),
      with_pair(pair_array("k", kU64, uint64_t{1} << 61, "")),
      with_pair(pair_array("k", kU8, UINT64_MAX, "")),
      with_pair(pair_array("k", kString, uint64_t{1} << 60, "")),
      with_pair(pair_array("k", kString, 2, le(UINT64_MAX))),
      with_pair(pair_array("k", kArray, uint64_t{1} << 60, "")),
  };
  for (const std::string& one : refused) {
    const MemoryMeter meter;
    expect_refused(one, Code::corrupt, "claims");
    EXPECT_LT(meter.peak(), 64 * 1024u);
  }
}

TEST(Gguf, alignment_is_a_power_of_two_in_a_u32) {
  for (const uint32_t good : {1u, 8u, 32u, 64u, 4096u, 1u << 21})
    expect_accepted(file({.pairs = {pair("general.alignment", kU32, good)}, .alignment = good}),
                    std::to_string(good));
  for (const uint32_t bad : {0u, 3u, 24u, 1u << 22, 1u << 31, UINT32_MAX})
    expect_refused(with_pair(pair("general.alignment", kU32, bad)), Code::corrupt,
                   "general.alignment is " + std::to_string(bad));
  expect_refused(with_pair(pair_text("general.alignment", "32")), Code::corrupt,
                 "general.alignment has value type 8");
  expect_refused(with_pair(pair("general.alignment", kU64, uint64_t{32})), Code::corrupt,
                 "general.alignment has value type 10");
}

TEST(Gguf, arrays_of_arrays_are_skipped_to_the_depth_allowed) {
  const auto nested = [](int depth) {  // arrays inside each other, with one number in the last
    std::string value = le(uint32_t{kU32}) + le(uint64_t{1}) + le(uint32_t{7});
    for (int i = 1; i < depth; ++i) value = le(uint32_t{kArray}) + le(uint64_t{1}) + value;
    return file({.pairs = {gguf::text("n") + le(uint32_t{kArray}) + value,
                           pair("behind", kU32, uint32_t{9})}});
  };
  for (const int depth : {3, 4}) {
    const auto container = open(nested(depth));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->metadata.at("behind"), MetaValue(uint64_t{9}));
    ASSERT_EQ(container->notes.size(), 1u) << "depth " << depth;
    EXPECT_NE(container->notes[0].find("array of arrays"), std::string::npos);
  }
  for (const int depth : {5, 1000}) expect_refused(nested(depth), Code::corrupt, "nested deeper");
  const auto strings = open(
      with_pair(pair_array("n", kArray, 2,
                           le(uint32_t{kString}) + le(uint64_t{2}) + gguf::text("a") +
                               gguf::text("b") + le(uint32_t{kF64}) + le(uint64_t{1}) + le(1.0))));
  EXPECT_TRUE(strings) << strings.error().message;
}

TEST(Gguf, wrong_values_are_refused_with_their_key) {
  expect_refused(with_pair(pair("k", 13, uint32_t{0})), Code::corrupt, "k has the unknown value");
  expect_refused(with_pair(pair("k", 99, uint32_t{0})), Code::corrupt, "k has the unknown value");
  expect_refused(with_pair(pair_array("k", 13, 0, "")), Code::corrupt, "unknown type 13");
  expect_refused(with_pair(pair("k", kBool, uint8_t{2})), Code::corrupt, "k is a bool of 2");
  expect_refused(with_pair(pair_array("k", kBool, 1, "\2")), Code::corrupt, "k has a bool of 2");
  expect_refused(file({.pairs = {pair("k", kU32, uint32_t{1}), pair("k", kU32, uint32_t{1})}}),
                 Code::corrupt, "the key k stands twice");
  expect_refused(with_pair(pair("a\nb", kU32, uint32_t{0})), Code::corrupt, "control bytes");
  expect_refused(with_pair(pair("", kU32, uint32_t{0})), Code::corrupt, "empty name");
  expect_refused(with_pair(pair(std::string(257, 'k'), kU32, uint32_t{0})), Code::corrupt,
                 "name of 257 bytes");
}

TEST(Gguf, split_models_are_unsupported) {
  expect_accepted(with_pair(pair("split.count", kU16, uint16_t{1})));
  expect_refused(with_pair(pair("split.count", kU16, uint16_t{2})), Code::unsupported, "split");
  expect_refused(with_pair(pair_text("split.count", "1")), Code::unsupported, "split");
}

TEST(Gguf, template_in_a_file_is_text_and_nothing_else) {
  const std::string evil = "{{ cycler.__init__.__globals__.os.popen('id').read() }}";
  const auto container = open(with_pair(pair_text("tokenizer.chat_template", evil)));
  ASSERT_TRUE(container);
  EXPECT_EQ(container->metadata.at("tokenizer.chat_template"), MetaValue(evil));
}

// Tokens are the tokenizer's to judge; only their lengths and types are judged here.
TEST(Gguf, tokens_are_kept_as_they_stand) {
  const auto container =
      open(file({.pairs = {pair("rwkv7.block_count", kU32, uint32_t{1'000'000}),
                           pair_array("tokenizer.ggml.tokens", kString, 2,
                                      gguf::text("<0x-1>") + gguf::text("<0x-1>")),
                           pair_array("tokenizer.ggml.scores", kF32, 1, le(1.0f))}}));
  ASSERT_TRUE(container) << container.error().message;
}

TEST(Gguf, tensors_stay_inside_the_data) {
  const std::string data(96, 'd');
  expect_accepted(with_tensor({.offset = 64}, data));
  expect_refused(with_tensor({.offset = 96}, data), Code::corrupt, "tensor t takes 24 bytes at 96");
  expect_refused(with_tensor({.offset = 128}, data), Code::corrupt, "has only 96");
  expect_refused(with_tensor({.offset = uint64_t{1} << 63}, data), Code::corrupt, "has only 96");
  expect_refused(with_tensor({.offset = UINT64_MAX - 31}, data), Code::corrupt, "has only 96");
  expect_refused(with_tensor({.axes = {1 << 18}, .offset = 64}, data), Code::corrupt, "has only");
  expect_refused(with_tensor({.offset = 4}, data), Code::corrupt, "no multiple of 32");
  expect_accepted(with_tensor({.axes = {0, 5}, .offset = 96}, data), "empty at the end");
}

TEST(Gguf, tensors_stand_in_any_order_but_not_over_each_other) {
  const auto two = [](uint64_t first, uint64_t second) {
    return file({.tensors = {tensor({.name = "a", .axes = {10}, .offset = first}),
                             tensor({.name = "b", .axes = {10}, .offset = second})},
                 .data = std::string(128, 'd')});
  };
  expect_accepted(two(0, 64));
  expect_accepted(two(64, 0));
  for (const auto& [first, second] : {std::pair{0, 32}, {32, 0}, {64, 64}, {64, 32}})
    expect_refused(two(first, second), Code::corrupt, "overlap");
  const auto same_name =
      file({.tensors = {tensor({.axes = {8}}), tensor({.axes = {8}, .offset = 32})},
            .data = std::string(64, 'd')});
  expect_refused(same_name, Code::corrupt, "t stands twice");
}

TEST(Gguf, axes_are_bounded) {
  expect_accepted(with_tensor({.axes = {3, 2, 1, 1}}));
  expect_accepted(with_tensor({.axes = {}}), "a scalar");
  expect_refused(with_tensor({.axes = {3, 2, 1, 1, 1}}), Code::corrupt, "5 axes");
  expect_refused(with_tensor({.axes = std::vector<uint64_t>(200, 1)}), Code::corrupt, "200 axes");
  const uint64_t limit = limits::kDimension;
  for (const uint64_t fits : {limit - 1, limit}) expect_accepted(with_tensor({.axes = {fits, 0}}));
  expect_refused(with_tensor({.axes = {limit + 1, 0}}), Code::corrupt, "an axis of 2147483649");
  expect_refused(with_tensor({.axes = {uint64_t{1} << 63}}), Code::corrupt, "an axis of");
  expect_refused(with_tensor({.axes = {limit, limit, limit}}), Code::corrupt, "product overflows");
  expect_refused(with_tensor({.axes = {limit, limit, limit, 0}}), Code::corrupt,
                 "product overflows");
  expect_refused(with_tensor({.axes = {limit, 2}}), Code::corrupt, "takes");
}

TEST(Gguf, tensor_and_key_counts_are_bounded_exactly) {
  const auto tensors = [](uint64_t count) {
    gguf::Spec spec{.tensors = {}, .data = ""};
    for (uint64_t i = 0; i < count; ++i)
      spec.tensors.push_back(tensor({.name = std::to_string(i), .axes = {0}}));
    return file(spec);
  };
  for (const auto fits : {limits::kTensors - 1, limits::kTensors}) expect_accepted(tensors(fits));
  expect_refused(tensors(limits::kTensors + 1), Code::unsupported, "more than the limit of 16384");
  const auto keys = [](uint64_t count) {
    gguf::Spec spec;
    for (uint64_t i = 0; i < count; ++i)
      spec.pairs.push_back(pair(std::to_string(i), kU8, uint8_t{0}));
    return file(spec);
  };
  for (const auto fits : {limits::kMetadataKeys - 1, limits::kMetadataKeys})
    expect_accepted(keys(fits));
  expect_refused(keys(limits::kMetadataKeys + 1), Code::unsupported, "more than the limit of 4096");
}

TEST(Gguf, array_counts_are_bounded_exactly) {
  const auto array = [](uint64_t count) {
    return with_pair(pair_array("k", kU8, count, std::string(count, '\0')));
  };
  for (const auto fits : {limits::kArrayElements - 1, limits::kArrayElements})
    expect_accepted(array(fits));
  expect_refused(array(limits::kArrayElements + 1), Code::unsupported,
                 "elements in k, more than the limit of 2000000");
}

TEST(Gguf, metadata_size_is_bounded) {
  const auto sized = [](uint64_t bytes) {
    return with_pair(pair_text("k", std::string(bytes, 'x')));
  };
  const uint64_t around = file({.pairs = {pair_text("k", "")}, .data = ""}).size();
  expect_accepted(sized(limits::kHeaderBytes - around));
  expect_refused(sized(limits::kHeaderBytes), Code::unsupported, "limit of 16777216 bytes");
}

TEST(Gguf, million_keys_are_refused_at_once) {
  std::string many;
  for (int i = 0; i < 1'000'000; ++i) {
    std::string key = std::to_string(i);
    many += pair(std::string(14 - key.size(), 'k') + key, kU8, uint8_t{0});
  }
  const std::string whole = head(0, 1'000'000, many);
  const MemoryMeter meter;
  const Stopwatch watch;
  expect_refused(whole, Code::unsupported, "1000000 metadata pairs, more than the limit");
  EXPECT_LT(watch.seconds(), 0.2);
  EXPECT_LT(meter.peak(), 64 * 1024u);
}

TEST(Gguf, largest_metadata_is_answered_in_time_and_memory) {
  const uint64_t most = limits::kArrayElements;
  std::vector<gguf::Spec> specs(4);
  specs[0].pairs = {pair_array("empty strings", kString, most, repeat(le(uint64_t{0}), most))};
  const std::string long_text = gguf::text(std::string(16, 's'));
  specs[1].pairs = {pair_array("strings", kString, 690'000, repeat(long_text, 690'000))};
  for (int i = 0; i < 8; ++i)
    specs[2].pairs.push_back(
        pair_array("bytes " + std::to_string(i), kU8, most, std::string(most, '\0')));
  for (int i = 0; i < 4; ++i)
    specs[3].pairs.push_back(
        pair_array("numbers " + std::to_string(i), kI16, most, std::string(2 * most, '\0')));
  for (const gguf::Spec& spec : specs) {
    const std::string whole = file(spec);
    const MemoryMeter meter;
    const Stopwatch watch;
    const auto container = open(whole);
    EXPECT_LE(meter.peak(), 64 * limits::kMiB + 4 * std::min(whole.size(), limits::kHeaderBytes));
    EXPECT_LT(watch.seconds(), 2.0);
  }
}

}  // namespace
}  // namespace skein::test
