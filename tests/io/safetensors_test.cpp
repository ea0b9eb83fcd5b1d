#include "io/safetensors.h"

#include <gtest/gtest.h>

#include <fmt/format.h>

#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"
#include "io/memory_meter.h"
#include "io/patience.h"

namespace skein::test {
namespace {

std::string entry(std::string_view name, std::string_view shape, uint64_t begin, uint64_t end,
                  std::string_view type = "F32") {
  return fmt::format(R"("{}":{{"dtype":"{}","shape":[{}],"data_offsets":[{},{}]}})", name, type,
                     shape, begin, end);
}
std::string one(std::string_view name, std::string_view shape, uint64_t begin, uint64_t end,
                std::string_view type = "F32") {
  return "{" + entry(name, shape, begin, end, type) + "}";
}

TEST(Safetensors, header_is_read_with_any_space_and_order) {
  const auto container = open(safetensors(
      "{ \"__metadata__\" : {\"format\":\"pt\", \"n\\u00e4me\\ud83d\\ude00\\n\" : "
      "\"\\\"\\\\\\/\"},\r\n"
      "\t\"w\": { \"data_offsets\" : [ 0 , 24 ] , \"shape\":[2,3 ],\"dtype\":\"F32\"} }   "));
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(container->tensors[0].shape.text(), "[2, 3]");
  EXPECT_EQ(std::get<std::string>(container->metadata.at("format")), "pt");
  EXPECT_EQ(std::get<std::string>(container->metadata.at("n\xc3\xa4me\xf0\x9f\x98\x80\n")),
            "\"\\/");
}

TEST(Safetensors, types_map_to_their_sizes) {
  struct Row {
    const char* name;
    DType type;
    uint64_t bytes;
  };
  for (const Row& row :
       {Row{"F64", DType::f64, 24}, Row{"F32", DType::f32, 12}, Row{"F16", DType::f16, 6},
        Row{"BF16", DType::bf16, 6}, Row{"I64", DType::i64, 24}, Row{"I32", DType::i32, 12},
        Row{"I16", DType::i16, 6}, Row{"I8", DType::i8, 3}, Row{"U8", DType::u8, 3},
        Row{"BOOL", DType::boolean, 3}}) {
    const auto container =
        open(safetensors(one("w", "3", 0, row.bytes, row.name), std::string(row.bytes, '\0')));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->tensors[0].dtype, row.type);
    EXPECT_EQ(container->tensors[0].storage.size(), row.bytes);
  }
  // What cannot be read can stand beside a model. Where its size is known, it is compared.
  for (const char* type : {"F8_E4M3", "F8_E5M2", "f32", "Q4_0"}) {
    const auto container = open(safetensors(one("w", "3", 0, 3, type), "123"));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->tensors[0].dtype, DType::unread);
    EXPECT_EQ(container->tensors[0].type_name(), type);
    EXPECT_EQ(container->tensors[0].storage.size(), 3u);
  }
  for (const char* type : {"U16", "U32", "U64", "C64"})
    expect_refused(safetensors(one("w", "3", 0, 3, type), "123"), Code::corrupt, "tensor w takes");
  expect_refused(safetensors(one("w", "3", 0, 4, "Q4_0"), "123"), Code::corrupt, "tensor w");
  expect_refused(safetensors(one("w", "3", 2, 1, "Q4_0"), "123"), Code::corrupt, "tensor w");
}

TEST(Safetensors, metadata_that_is_null_is_none) {
  const auto with = [](std::string_view metadata) {
    return safetensors("{\"__metadata__\":" + std::string(metadata) + "," +
                       std::string(kGoodHeader.substr(1)));
  };
  for (const char* none : {"null", " null ", "{}"}) {
    const auto container = open(with(none));
    ASSERT_TRUE(container) << none << container.error().message;
    EXPECT_TRUE(container->metadata.empty());
  }
  for (const char* other : {"nul", "nullx", "true", "\"\"", "[]", "0", "{\"a\":null}"})
    expect_refused(with(other), Code::corrupt, "in the JSON header");
}

TEST(Safetensors, header_that_is_not_what_the_format_says_is_corrupt_with_the_byte) {
  const std::string inside = R"({"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24])";
  const std::string rows[] = {
      "{",
      "{}x",
      "[]",
      "\"w\"",
      "{\"w\"",
      "{\"w\":1}",
      "{\"w\":{}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3]}}",
      "{\"w\":{\"dtype\":\"F32\",\"data_offsets\":[0,24]}}",
      "{\"w\":{\"shape\":[2,3],\"data_offsets\":[0,24]}}",
      inside + "}",
      inside + ",}}",
      inside + "},}",
      inside + ",\"extra\":1}}",
      inside + ",\"dtype\":\"F32\"}}",
      inside + ",\"shape\":[2,3]}}",
      inside + ",\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":1,\"shape\":[2,3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":6,\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2.0,3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2e0,3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[02,3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[+2,3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[-2,-3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[\"2\",3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[[2],3],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3,],\"data_offsets\":[0,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,24,24]}}",
      "{\"w\":{\"dtype\":\"F32\",\"shape\":[2,3],\"data_offsets\":[0,99999999999999999999]}}",
      "{\"__metadata__\":[]}",
      "{\"__metadata__\":{\"a\":1}}",
      "{\"__metadata__\":{\"a\":\"1\",\"a\":\"2\"}}",
      "{\"__metadata__\":{},\"__metadata__\":{}}",
      "{\"w\\x\":1}",
      "{\"w\\u12g4\":1}",
      "{\"\\ud800\":1}",
      "{\"\\ud800\\u0041\":1}",
      "{\"\\udc00\":1}",
      "{\"a\nb\":1}",
      "{\"a\xff\":1}",
      "{\"\xc0\x80\":1}",
      "{\"open",
      "{\"open\\",
  };
  for (const std::string& header : rows) {
    const auto container = open(safetensors(header));
    ASSERT_FALSE(container) << header;
    EXPECT_STREQ(code_name(container.error().code), "corrupt") << container.error().message;
    EXPECT_NE(container.error().message.find("byte "), std::string::npos)
        << container.error().message;
    expect_sentence(container.error(), "file.x");
  }
}

TEST(Safetensors, header_length_is_checked_before_anything_is_taken) {
  const std::string good = safetensors(kGoodHeader);
  const auto with_length = [&good](uint64_t length) { return le(length) + good.substr(8); };
  for (const uint64_t length :
       {uint64_t{1} << 63, UINT64_MAX, UINT64_MAX - 7, uint64_t{good.size()} - 7}) {
    const MemoryMeter meter;
    expect_refused(with_length(length), Code::corrupt, "exceeds the file");
    EXPECT_LT(meter.peak(), 64 * 1024u);
  }
  const auto spaces = [](uint64_t size) {
    std::string header(kGoodHeader);
    header.resize(size, ' ');
    return safetensors(header);
  };
  for (const auto fits : {limits::kHeaderBytes - 1, limits::kHeaderBytes})
    expect_accepted(spaces(fits), std::to_string(fits));
  expect_refused(spaces(limits::kHeaderBytes + 1), Code::unsupported, "header is too large");
  expect_refused(le(limits::kHeaderBytes + 1) + std::string(limits::kHeaderBytes + 1, ' '),
                 Code::unsupported, "header is too large");
}

TEST(Safetensors, ranges_tile_the_data_or_say_how_they_do_not) {
  expect_accepted(safetensors("{" + entry("b", "2", 16, 24) + "," + entry("a", "4", 0, 16) + "}"),
                  "any order");
  expect_accepted(safetensors("{" + entry("e", "0,7", 0, 0) + "," + entry("a", "6", 0, 24) + "," +
                              entry("f", "3,0", 24, 24) + "}"),
                  "empty tensors");
  expect_accepted(safetensors("{}", ""), "nothing at all");
  expect_refused(safetensors("{" + entry("a", "4", 0, 16) + "," + entry("b", "4", 8, 24) + "}"),
                 Code::corrupt, "tensor b overlaps");
  expect_refused(safetensors("{" + entry("a", "6", 0, 24) + "," + entry("b", "6", 0, 24) + "}"),
                 Code::corrupt, "overlaps");
  expect_refused(safetensors("{" + entry("a", "2", 0, 8) + "," + entry("b", "2", 16, 24) + "}"),
                 Code::corrupt, "8 bytes before tensor b belong to no tensor");
  expect_refused(safetensors("{" + entry("a", "5", 4, 24) + "}"), Code::corrupt,
                 "belong to no tensor");
  expect_refused(safetensors(kGoodHeader, six_floats() + "x"), Code::corrupt,
                 "1 bytes follow the last tensor");
  expect_refused(safetensors("{}"), Code::corrupt, "24 bytes follow");
  expect_refused(safetensors(one("w", "2,6", 0, 48)), Code::corrupt, "has only 24");
  expect_refused(safetensors(one("w", "2,3", 24, 0)), Code::corrupt, "range is 24 to 0");
  expect_refused(safetensors(one("w", "2,4", 0, 24)), Code::corrupt, "takes 32 bytes");
}

TEST(Safetensors, shapes_are_bounded_before_an_empty_tensor_is_believed) {
  expect_refused(safetensors(one("w", "4294967296,4294967296", 0, 0), ""), Code::corrupt,
                 "an axis of");
  expect_refused(safetensors(one("w", "2147483648,2147483648,2147483648,0", 0, 0), ""),
                 Code::corrupt, "product overflows");
  expect_refused(safetensors(one("w", "18446744073709551615", 0, 0), ""), Code::corrupt,
                 "an axis of");
  expect_accepted(safetensors(one("w", "0,2147483647", 0, 0), ""));
  expect_accepted(safetensors(one("w", "0,2147483648", 0, 0), ""));
  expect_refused(safetensors(one("w", "0,2147483649", 0, 0), ""), Code::corrupt, "an axis of");
  expect_accepted(safetensors(one("w", "1,2,3,1", 0, 24)));
  expect_refused(safetensors(one("w", "1,1,2,3,1", 0, 24)), Code::unsupported, "axes of tensor w");
  expect_accepted(safetensors(one("w", "", 0, 4), "1234"), "a scalar");
}

TEST(Safetensors, names_are_unique_short_and_printable) {
  expect_refused(safetensors("{" + entry("emb.weight", "3", 0, 12) + "," +
                             entry("emb.weight", "3", 12, 24) + "}"),
                 Code::corrupt, "emb.weight stands twice");
  expect_refused(
      safetensors("{" + entry("a", "3", 0, 12) + "," + entry("\\u0061", "3", 12, 24) + "}"),
      Code::corrupt, "a stands twice");
  expect_refused(safetensors(one("a\\u0000", "6", 0, 24)), Code::corrupt, "control bytes");
  expect_refused(safetensors(one("", "6", 0, 24)), Code::corrupt, "empty name");
  for (const size_t fits : {255, 256})
    expect_accepted(safetensors(one(std::string(fits, 'n'), "6", 0, 24)));
  expect_refused(safetensors(one(std::string(257, 'n'), "6", 0, 24)), Code::corrupt,
                 "name of 257 bytes");
}

// Whoever reads zip files from their end must not find another model in this one.
TEST(Safetensors, file_that_is_also_a_zip_is_refused) {
  const std::string archive = zip(checkpoint(good_pickle()));
  expect_refused(safetensors(kGoodHeader) + archive, Code::corrupt, "bytes follow");
  expect_refused(
      safetensors(one("w", std::to_string(archive.size()), 0, archive.size(), "U8"), archive),
      Code::corrupt, "zip archive at once");
  expect_refused(archive + safetensors(kGoodHeader), Code::corrupt, "end record is missing");
}

TEST(Safetensors, nesting_costs_neither_stack_nor_memory) {
  for (const char* open_bracket : {"[", "{\"a\":"}) {
    for (const std::string& head : {std::string("{\"__metadata__\":"), std::string("{\"w\":"),
                                    std::string("{\"w\":{\"shape\":")}) {
      const std::string file = safetensors(head + repeat(open_bracket, 100'000));
      const MemoryMeter meter;
      expect_refused(file, Code::corrupt, "byte ");
      EXPECT_LT(meter.peak(), 64 * 1024u);
    }
  }
}

TEST(Safetensors, counts_are_bounded_exactly) {
  const auto tensors = [](uint64_t count) {
    std::string header = "{";
    for (uint64_t i = 0; i < count; ++i)
      header += (i ? "," : "") + entry(std::to_string(i), "0", 0, 0);
    return safetensors(header + "}", "");
  };
  for (const auto fits : {limits::kTensors - 1, limits::kTensors}) expect_accepted(tensors(fits));
  expect_refused(tensors(limits::kTensors + 1), Code::unsupported, "more than the limit of 16384");
  const auto keys = [](uint64_t count) {
    std::string header = "{\"__metadata__\":{";
    for (uint64_t i = 0; i < count; ++i)
      header += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
    return safetensors(header + "}}", "");
  };
  for (const auto fits : {limits::kMetadataKeys - 1, limits::kMetadataKeys})
    expect_accepted(keys(fits));
  expect_refused(keys(limits::kMetadataKeys + 1), Code::unsupported, "more than the limit of 4096");
}

TEST(Safetensors, largest_headers_are_answered_in_time_and_memory) {
  const uint64_t most = limits::kHeaderBytes - 64;
  std::vector<std::string> headers = {
      "{\"__metadata__\":{\"a\":\"" + std::string(most, 'x') + "\"}}",
      "{\"__metadata__\":{\"a\":\"" + repeat("\\n", most / 2) + "\"}}",
      "{\"" + std::string(most, 'x') + "\":{}}",
      "{\"w\":{\"dtype\":\"" + std::string(most - 64, 'x') + "\"",
      "{\"w\":{\"shape\":[" + repeat("1,", most / 2) + "1]",
  };
  std::string many = "{";
  while (many.size() < most - 100) many += entry(std::to_string(many.size()), "0", 0, 0) + ",";
  headers.push_back(many + entry("last", "0", 0, 0) + "}");
  for (const std::string& header : headers) {
    const std::string file = safetensors(header, "");
    SCOPED_TRACE(header.substr(0, 30));
    const MemoryMeter meter;
    const Stopwatch watch;
    const auto container = open(file);
    EXPECT_LE(meter.peak(), 64 * limits::kMiB + 4 * header.size());
    EXPECT_LT(watch.seconds(), 2.0);
  }
}

}  // namespace
}  // namespace skein::test
