#include "io/ggmf.h"

#include <gtest/gtest.h>

#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"
#include "io/memory_meter.h"

namespace skein::test {
namespace {

using ggmf::head;
using ggmf::model;
using ggmf::tensor;

std::string with_tensor(const ggmf::Tensor& one) { return head() + tensor(one); }
// A tensor whose head says these numbers, whatever follows.
std::string with_record(int32_t axes, int32_t name_bytes, int32_t type) {
  return head() + le(axes) + le(name_bytes) + le(type) + le(int32_t{3}) + le(int32_t{2}) + "t" +
         six_floats();
}

TEST(Ggmf, head_and_tensors_are_read) {
  const auto container = open(model(2));
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(container->format, Format::ggmf);
  EXPECT_EQ(container->metadata.at("n_vocab"), MetaValue(int64_t{2}));
  EXPECT_EQ(container->metadata.at("n_embed"), MetaValue(int64_t{3}));
  EXPECT_EQ(container->metadata.at("n_layer"), MetaValue(int64_t{2}));
  EXPECT_EQ(container->metadata.at("data_type"), MetaValue(int64_t{0}));
  EXPECT_EQ(container->tensors[0].name, "emb.weight");
  EXPECT_EQ(container->tensors[0].shape.text(), "[2, 3]");
}

TEST(Ggmf, type_numbers_are_its_own) {
  struct Row {
    int32_t id;
    const char* name;
    int32_t elements;
    size_t bytes;
  };
  for (const Row& row :
       {Row{0, "F32", 1, 4}, Row{1, "F16", 1, 2}, Row{2, "Q4_0", 32, 18}, Row{3, "Q4_1", 32, 20},
        Row{7, "Q5_0", 32, 22}, Row{8, "Q5_1", 32, 24}, Row{9, "Q8_0", 32, 34},
        Row{10, "Q8_1", 32, 36}, Row{11, "Q2_K", 256, 84}, Row{12, "Q3_K", 256, 110},
        Row{13, "Q4_K", 256, 144}, Row{14, "Q5_K", 256, 176}, Row{15, "Q6_K", 256, 210},
        Row{16, "Q8_K", 256, 292}}) {
    SCOPED_TRACE(row.name);
    const ggmf::Tensor one{
        .axes = {row.elements, 2}, .type = row.id, .data = std::string(2 * row.bytes, '\0')};
    const auto container = open(with_tensor(one));
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(dtype_name(container->tensors[0].dtype), row.name);
    const std::string old = head(100) + tensor(one);
    if (row.elements > 1) {
      expect_refused(old, Code::unsupported, "blocks are of an older kind");
      expect_refused(with_tensor({.axes = {row.elements / 2, 2}, .type = row.id}), Code::corrupt,
                     "comes in blocks");
    } else {
      expect_accepted(old);
    }
  }
  for (const int32_t id : {-1, 4, 5, 6, 17, 255})
    expect_refused(with_tensor({.type = id}), Code::unsupported,
                   "tensor t has type " + std::to_string(id));
  for (const int32_t id : {-1, 4, 5, 6, 17, 255})
    expect_refused(head(101, 2, 3, 1, id) + tensor(), Code::unsupported, "data type");
}

TEST(Ggmf, head_is_bounded) {
  for (const int32_t version : {0, 99, 102, -1})
    expect_refused(head(version) + tensor(), Code::unsupported,
                   "version " + std::to_string(version));
  for (const int32_t bad : {0, -1, INT32_MIN}) {
    expect_refused(head(101, bad) + tensor(), Code::corrupt, "n_vocab");
    expect_refused(head(101, 2, bad) + tensor(), Code::corrupt, "n_embed");
    expect_refused(head(101, 2, 3, bad) + tensor(), Code::corrupt, "n_layer");
  }
  const auto vocab = static_cast<int32_t>(limits::kVocab);
  const auto width = static_cast<int32_t>(limits::kWidth);
  const auto layers = static_cast<int32_t>(limits::kLayers);
  expect_accepted(head(101, vocab, width, layers) + tensor());
  expect_refused(head(101, vocab + 1) + tensor(), Code::unsupported, "n_vocab");
  expect_refused(head(101, 2, width + 1) + tensor(), Code::unsupported, "n_embed");
  expect_refused(head(101, 2, 3, layers + 1) + tensor(), Code::unsupported, "n_layer");
  expect_refused(head().substr(0, 20), Code::corrupt, "head of 24 bytes");
}

TEST(Ggmf, records_are_bounded_before_anything_is_taken) {
  const MemoryMeter meter;
  for (const int32_t axes : {0, 4, -1, 1 << 30})
    expect_refused(with_record(axes, 1, 0), Code::corrupt, std::to_string(axes) + " axes");
  for (const int32_t name : {0, -1, 257, INT32_MAX})
    expect_refused(with_record(2, name, 0), Code::corrupt, "a name of " + std::to_string(name));
  EXPECT_LT(meter.peak(), 64 * 1024u);
  for (const size_t fits : {255, 256})
    expect_accepted(with_tensor({.name = std::string(fits, 'n')}));
  expect_refused(with_record(2, 200, 0), Code::corrupt, "ends inside the head of the tensor");
  expect_refused(with_tensor({.name = "a\nb"}), Code::corrupt, "control bytes");
  expect_refused(head() + tensor() + tensor(), Code::corrupt, "t stands twice");
  for (const std::vector<int32_t>& axes :
       {std::vector<int32_t>{-3, -2}, {3, 0}, {0}, {INT32_MIN, 2}})
    expect_refused(with_tensor({.axes = axes}), Code::corrupt, "not positive");
  expect_refused(with_tensor({.axes = {INT32_MAX, INT32_MAX, INT32_MAX}}), Code::corrupt,
                 "product overflows");
  expect_refused(with_tensor({.axes = {INT32_MAX, 2}}), Code::corrupt, "left");
  expect_refused(with_tensor({.data = six_floats().substr(1)}), Code::corrupt,
                 "takes 24 bytes, more than the 23");
}

TEST(Ggmf, key_of_four_gigabytes_costs_nothing) {
  const std::string file = with_record(1, -1, 0).substr(0, 36);
  const MemoryMeter meter;
  expect_refused(file, Code::corrupt, "a name of -1 bytes");
  EXPECT_LT(meter.peak(), 64 * 1024u);
}

TEST(Ggmf, tensors_and_head_that_disagree_are_a_mismatch) {
  expect_refused(head(), Code::mismatch, "no tensors");
  expect_refused(model(9, 7), Code::mismatch, "block 7 of 9 is missing");
  expect_refused(model(9, 8), Code::mismatch, "block 8 of 9 is missing");
  const std::string emb = tensor({.name = "emb.weight"});
  const std::string block = tensor({.name = "blocks.0.ln1.weight"});
  const std::string last = tensor({.name = "head.weight"});
  expect_accepted(head() + emb + block + last);
  expect_accepted(head() + emb + block + last + tensor({.name = "of.somebody.else"}));
  expect_refused(head(101, 3, 3) + emb + block + last, Code::mismatch, "emb.weight is [2, 3]");
  expect_refused(head(101, 2, 4) + emb + block + last, Code::mismatch, "says [2, 4]");
  expect_refused(head() + emb + block + tensor({.name = "blocks.1.ln1.weight"}) + last,
                 Code::mismatch, "a block 1");
  expect_refused(head() + emb, Code::mismatch, "block 0 of 1 is missing");
  expect_refused(head() + emb + block, Code::mismatch, "head.weight is missing");
  expect_refused(head() + block + last, Code::mismatch, "emb.weight is missing");
}

TEST(Ggmf, number_of_tensors_is_bounded_exactly) {
  const auto many = [](uint64_t count) {
    std::string out = head();
    for (uint64_t i = 0; i < count; ++i)
      out += tensor({.name = std::to_string(i), .axes = {1}, .type = 1, .data = "hf"});
    return out;
  };
  for (const auto fits : {limits::kTensors - 1, limits::kTensors}) expect_accepted(many(fits));
  expect_refused(many(limits::kTensors + 1), Code::unsupported, "more than the limit of 16384");
}

}  // namespace
}  // namespace skein::test
