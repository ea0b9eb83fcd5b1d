// Hostile variants of Skein's own packed file. The builder is written from docs/formats.md and
// shares nothing with the writer.
#include "io/packed.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"
#include "io/outputs.h"
#include "io/patience.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

struct Record {
  std::string name = "t";
  std::string type = "F32";
  uint8_t layout = 0;
  std::vector<int64_t> axes = {2, 3};
  int64_t offset = -1;  // honest
  int64_t bytes = 24;
  int rank = -1;  // honest
};

struct Spec {
  std::string magic = "SKEINPK1";
  uint32_t version = 1;
  uint32_t flags = 0;
  std::string pairs = "";
  uint32_t pair_count = 0;
  std::vector<Record> records = {Record{}};
  int64_t tensor_count = -1;
  std::string behind_header = "";  // inside the header, behind its records
  int64_t header_bytes = -1;
  int64_t file_bytes = -1;
  bool honest_digest = true;
  std::string behind = "";
};

std::string text16(std::string_view s) {
  return le(static_cast<uint16_t>(s.size())) + std::string(s);
}
std::string text32(std::string_view s) {
  return le(static_cast<uint32_t>(s.size())) + std::string(s);
}

uint64_t aligned(uint64_t at, uint64_t to) { return (at + to - 1) / to * to; }

std::string packed(const Spec& spec) {
  const auto header_with = [&](uint64_t data) {
    std::string out = le(spec.pair_count);
    out +=
        le(static_cast<uint32_t>(spec.tensor_count < 0 ? spec.records.size() : spec.tensor_count));
    out += spec.pairs;
    for (const Record& record : spec.records) {
      const auto bytes = static_cast<uint64_t>(record.bytes);
      const std::string content =
          std::string(record.bytes == 24 ? six_floats() : std::string(bytes & 0xffff, '\0'));
      out += text16(record.name) + le(static_cast<uint8_t>(record.type.size())) + record.type;
      out += le(record.layout) +
             le(static_cast<uint8_t>(record.rank < 0 ? record.axes.size() : record.rank));
      for (const int64_t axis : record.axes) out += le(axis);
      out += le(record.offset < 0 ? data : static_cast<uint64_t>(record.offset)) + le(bytes);
      out += le(crc32(bytes_of(content)));
      data = aligned(data + (bytes & 0xffff), 64);
    }
    return out + spec.behind_header;
  };
  const std::string header = header_with(aligned(64 + header_with(0).size(), 4096));
  std::string data;
  for (const Record& record : spec.records) {
    data += record.bytes == 24 ? six_floats()
                               : std::string(static_cast<uint64_t>(record.bytes) & 0xffff, '\0');
    data.resize(aligned(data.size(), 64));
  }
  const uint64_t begin = aligned(64 + header.size(), 4096);
  const uint64_t size = begin + data.size() + spec.behind.size();
  std::string head = spec.magic + le(spec.version) + le(spec.flags);
  head += le(spec.header_bytes < 0 ? uint64_t{header.size()}
                                   : static_cast<uint64_t>(spec.header_bytes));
  head += le(spec.file_bytes < 0 ? size : static_cast<uint64_t>(spec.file_bytes));
  Digest digest = sha256(bytes_of(head + header));
  if (!spec.honest_digest) digest[5] ^= std::byte{1};
  head += std::string(reinterpret_cast<const char*>(digest.data()), digest.size());
  std::string out = head + header;
  out.resize(begin);
  return out + data + spec.behind;
}

void refused(const Spec& spec, Code code, std::string_view fact) {
  expect_refused(packed(spec), code, fact);
}
void record_refused(const Record& record, Code code, std::string_view fact) {
  refused({.records = {record}}, code, fact);
}

Spec with_pair(std::string_view key, uint8_t type, const std::string& value) {
  return {.pairs = text16(key) + le(type) + value, .pair_count = 1};
}

TEST(Packed, a_file_built_by_hand_is_read) {
  const std::string file =
      packed({.pairs = text16("design") + le(uint8_t{4}) + text32("rwkv7"), .pair_count = 1});
  const auto container = open(file);
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(container->format, Format::packed);
  EXPECT_EQ(container->version, 1);
  EXPECT_EQ(container->metadata.at("design"), MetaValue(std::string("rwkv7")));
  EXPECT_EQ(numbers_of(container->tensors[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_TRUE(io::verify_container(bytes_of(file), *container, "file.x"));
}

TEST(Packed, panels_built_by_hand_are_read) {
  // Two rows of width 3 in one panel.
  std::vector<float> panel(48);
  for (int k = 0; k < 3; ++k)
    for (int row = 0; row < 2; ++row)
      panel[static_cast<size_t>(k * 16 + row)] = static_cast<float>(1 + row * 3 + k);
  std::string file = packed({.records = {{.layout = 1, .bytes = 192}}});
  const auto data = std::as_bytes(std::span(panel));
  file.replace(file.size() - 192, 192, reinterpret_cast<const char*>(data.data()), 192);
  const auto container = open(file);
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(numbers_of(container->tensors[0]), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(container->tensors[0].layout, Layout::panels16);
}

TEST(Packed, what_its_head_says_has_to_hold) {
  refused({.version = 2}, Code::unsupported, "version 2");
  refused({.version = 0}, Code::unsupported, "version 0");
  refused({.flags = 1}, Code::unsupported, "flags");
  refused({.header_bytes = 1}, Code::corrupt, "checksum");
  refused({.header_bytes = 1 << 20}, Code::corrupt, "exceeds");
  refused({.header_bytes = INT64_MAX}, Code::corrupt, "exceeds");
  refused({.file_bytes = 0}, Code::corrupt, "its head says 0");
  refused({.file_bytes = INT64_MAX}, Code::corrupt, "its head says");
  refused({.honest_digest = false}, Code::corrupt, "checksum");
  refused({.behind = "x"}, Code::corrupt, "the file at");
  refused({.magic = "SKEINPK2"}, Code::unsupported, "begins with");
  refused({.behind_header = "x"}, Code::corrupt, "belong to nothing");
}

TEST(Packed, a_header_length_that_wraps_is_corrupt) {
  std::string file = packed({});
  for (const uint64_t length : {UINT64_MAX, UINT64_MAX - 63, UINT64_MAX - 4095}) {
    file.replace(16, 8, le(length));
    expect_refused(file, Code::corrupt, "exceeds");
  }
}

TEST(Packed, a_header_above_the_limit_is_unsupported) {
  refused({.behind_header = std::string(limits::kHeaderBytes, 'x')}, Code::unsupported,
          "too large");
}

TEST(Packed, counts_are_bounded_before_anything_is_taken) {
  refused({.tensor_count = 2}, Code::corrupt, "hold");
  refused({.tensor_count = limits::kTensors + 1}, Code::unsupported, "tensors");
  refused({.tensor_count = UINT32_MAX}, Code::unsupported, "tensors");
  refused({.pair_count = UINT32_MAX}, Code::unsupported, "metadata pairs");
  refused({.pair_count = limits::kMetadataKeys}, Code::corrupt, "hold");
  refused({.tensor_count = 0}, Code::corrupt, "belong to nothing");
}

TEST(Packed, a_tensor_stands_where_the_one_before_it_ends) {
  record_refused({.offset = 0}, Code::corrupt, "stands at 0");
  record_refused({.offset = 4097}, Code::corrupt, "stands at 4097");
  record_refused({.offset = 8192}, Code::corrupt, "stands at 8192");
  record_refused({.offset = INT64_MAX}, Code::corrupt, "stands at");
  // The second over the first, behind a hole, not at a multiple of 64.
  for (const int64_t offset : {4096, 4096 + 128, 4096 + 24, 4096 + 65})
    refused({.records = {{.name = "a"}, {.name = "b", .offset = offset}}}, Code::corrupt,
            "tensor b stands at");
  expect_accepted(packed({.records = {{.name = "a"}, {.name = "b"}}}));
}

TEST(Packed, bytes_are_those_of_type_shape_and_layout) {
  record_refused({.bytes = 20}, Code::corrupt, "takes 24 bytes");
  record_refused({.bytes = 0}, Code::corrupt, "takes 24 bytes");
  record_refused({.bytes = INT64_MAX}, Code::corrupt, "takes 24 bytes");
  record_refused({.type = "F16"}, Code::corrupt, "takes 12 bytes");
  record_refused({.layout = 1}, Code::corrupt, "takes 192 bytes");
  record_refused({.axes = {2, -3}}, Code::corrupt, "axis of -3");
  record_refused({.axes = {int64_t{1} << 32, 1}}, Code::corrupt, "axis of");
  record_refused({.axes = {int64_t{1} << 31, int64_t{1} << 31, int64_t{1} << 31}}, Code::corrupt,
                 "overflows");
  record_refused({.type = "Q4_0", .axes = {2, 33}}, Code::corrupt, "blocks of 32");
  record_refused({.axes = {int64_t{1} << 31, int64_t{1} << 20}, .bytes = 24}, Code::corrupt,
                 "takes");
  // Padding to whole panels takes the product over the edge.
  record_refused({.layout = 1, .axes = {(int64_t{1} << 31) - 7, int64_t{1} << 30}}, Code::corrupt,
                 "panels");
  record_refused({.type = "Q8_0", .layout = 2, .axes = {2, 32}}, Code::corrupt, "takes 576 bytes");
  record_refused({.type = "Q8_0", .layout = 2, .axes = {17, 32}, .bytes = 576}, Code::corrupt,
                 "takes 1152 bytes");
  record_refused({.type = "Q4_0", .layout = 2, .axes = {2, 33}}, Code::corrupt, "blocks of 32");
  record_refused({.type = "Q8_0", .layout = 2, .axes = {(int64_t{1} << 31) - 7, int64_t{1} << 30}},
                 Code::corrupt, "takes");
}

TEST(Packed, panels_of_codes_are_for_matrices_of_some_block_types) {
  record_refused({.layout = 2}, Code::corrupt, "panels");
  record_refused({.type = "F16", .layout = 2}, Code::corrupt, "panels");
  record_refused({.type = "NF4", .layout = 2, .axes = {2, 64}}, Code::corrupt, "panels");
  record_refused({.type = "Q8_0", .layout = 2, .axes = {32}}, Code::corrupt, "panels");
  record_refused({.type = "Q8_0", .layout = 2, .axes = {1, 1, 32}}, Code::corrupt, "panels");
  record_refused({.type = "Q8_0", .layout = 2, .axes = {0, 32}, .bytes = 0}, Code::corrupt,
                 "panels");
}

TEST(Packed, panels_of_codes_built_by_hand_are_read) {
  // Two rows of a block of Q4_0 in one panel: nibbles of 8 inputs and a row in 4 bytes, the next
  // four inputs above; then a half for each row.
  std::string panel(256 + 32 + 32, '\0');
  for (size_t row = 0; row < 2; ++row) {
    for (size_t k = 0; k < 32; ++k) {
      const size_t code = (k + 3 * row) % 16;
      char& byte = panel[k / 8 * 64 + row * 4 + k % 4];
      byte = static_cast<char>(byte | static_cast<char>(code << (k % 8 < 4 ? 0 : 4)));
    }
    panel[256 + row * 2 + 1] = row == 0 ? '\x3c' : '\x40';  // 1 and 2
  }
  std::string file =
      packed({.records = {{.type = "Q4_0", .layout = 2, .axes = {2, 32}, .bytes = 320}}});
  file.replace(file.size() - 320, 320, panel);
  const auto container = open(file);
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(container->tensors[0].layout, Layout::codes16);
  const auto numbers = numbers_of(container->tensors[0]);
  ASSERT_EQ(numbers.size(), 64u);
  for (size_t row = 0; row < 2; ++row)
    for (size_t k = 0; k < 32; ++k)
      EXPECT_EQ(numbers[row * 32 + k],
                static_cast<float>(row + 1) * (static_cast<float>((k + 3 * row) % 16) - 8.0f));
}

TEST(Packed, panels_are_for_plain_matrices) {
  record_refused({.layout = 1, .axes = {6}}, Code::corrupt, "panels");
  record_refused({.layout = 1, .axes = {1, 2, 3}}, Code::corrupt, "panels");
  record_refused({.layout = 1, .axes = {}}, Code::corrupt, "panels");
  record_refused({.layout = 1, .axes = {0, 3}, .bytes = 0}, Code::corrupt, "panels");
  record_refused({.layout = 1, .axes = {3, 0}, .bytes = 0}, Code::corrupt, "panels");
  record_refused({.type = "Q8_0", .layout = 1, .axes = {2, 32}}, Code::corrupt, "panels");
  record_refused({.type = "F64", .layout = 1}, Code::corrupt, "panels");
  record_refused({.layout = 3}, Code::unsupported, "layout 3");
  record_refused({.layout = 255}, Code::unsupported, "layout 255");
}

TEST(Packed, names_and_types_are_checked) {
  record_refused({.name = ""}, Code::corrupt, "empty name");
  record_refused({.name = "a\n"}, Code::corrupt, "control bytes");
  record_refused({.name = std::string(300, 'n')}, Code::corrupt, "300 bytes");
  refused({.records = {{}, {}}}, Code::corrupt, "twice");
  record_refused({.type = ""}, Code::corrupt, "empty name");
  record_refused({.type = "\x1b[2J"}, Code::corrupt, "control bytes in its name");
  record_refused({.axes = std::vector<int64_t>(9, 1)}, Code::corrupt, "9 axes");
  record_refused({.rank = 8}, Code::corrupt, "ends inside");
}

TEST(Packed, metadata_is_checked) {
  refused(with_pair("", 4, text32("x")), Code::corrupt, "empty name");
  refused(with_pair("a\x01", 4, text32("x")), Code::corrupt, "control bytes");
  refused(with_pair("k", 10, text32("x")), Code::corrupt, "value type 10");
  refused(with_pair("k", 0, "\2"), Code::corrupt, "bool of 2");
  refused(with_pair("k", 5, le(uint64_t{1}) + "\3"), Code::corrupt, "bool of 3");
  refused(with_pair("k", 4, le(UINT32_MAX)), Code::corrupt, "ends inside");
  for (const int list : {5, 6, 7, 8, 9})
    refused(with_pair("k", static_cast<uint8_t>(list), le(UINT64_MAX)), Code::corrupt, "claims");
  refused(with_pair("k", 9, le(uint64_t{2}) + le(uint32_t{1}) + "x" + le(uint32_t{9999})),
          Code::corrupt, "ends inside");
  Spec twice = with_pair("k", 4, text32("x"));
  twice.pairs += twice.pairs;
  twice.pair_count = 2;
  refused(twice, Code::corrupt, "twice");
}

TEST(Packed, cut_at_every_byte_it_is_corrupt) {
  const std::string whole = packed({.records = {{.name = "a"}, {.name = "b"}}});
  for (size_t size = 1; size < whole.size(); size += kOptimised || size < 300 ? 1 : 61) {
    const std::vector<char> cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size));
    const auto container = open({cut.data(), cut.size()});
    ASSERT_FALSE(container) << size;
    ASSERT_EQ(container.error().code, Code::corrupt) << size << ": " << container.error().message;
  }
}

TEST(Packed, a_changed_byte_of_the_header_is_noticed_by_reading_and_of_the_data_by_verifying) {
  const std::string whole = packed({.records = {{.name = "a"}, {.name = "b"}}});
  const size_t header_end = whole.find(std::string(64, '\0'), 64);
  for (size_t at = 0; at < header_end; ++at) {
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    EXPECT_FALSE(open(changed)) << at;
  }
  for (size_t at = 4096; at < whole.size(); ++at) {
    if ((at - 4096) % 64 >= 24) continue;  // padding says nothing
    std::string changed = whole;
    changed[at] = static_cast<char>(changed[at] ^ 1);
    const auto container = open(changed);
    ASSERT_TRUE(container);
    const Status verified = io::verify_container(bytes_of(changed), *container, "file.x");
    ASSERT_FALSE(verified) << at;
    EXPECT_EQ(verified.error().code, Code::corrupt);
    expect_sentence(verified.error(), "file.x");
  }
}

}  // namespace
}  // namespace skein::test
