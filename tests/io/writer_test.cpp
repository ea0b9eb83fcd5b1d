// What is written is read back, by our readers and (checked by hand) by others.
#include "io/pth_writer.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/limits.h"
#include "io/container.h"
#include "io/zip.h"

namespace skein::test {
namespace {

using io::NamedTensor;

struct Tensors {
  std::vector<std::vector<float>> data;
  std::vector<NamedTensor> named;
};

Tensors some_tensors(int count) {
  Tensors out;
  for (int i = 0; i < count; ++i) {
    auto& data = out.data.emplace_back(static_cast<size_t>(2 * (i % 5)));
    std::iota(data.begin(), data.end(), static_cast<float>(i));
  }
  for (int i = 0; i < count; ++i)
    out.named.push_back(
        {"blocks." + std::to_string(i) + ".x", Shape{i % 5, 2}, out.data[static_cast<size_t>(i)]});
  return out;
}

void expect_same(std::span<const NamedTensor> written, const Container& read, bool as_list) {
  ASSERT_EQ(read.tensors.size(), written.size());
  for (size_t i = 0; i < written.size(); ++i) {
    const StoredTensor& tensor = read.tensors[i];
    EXPECT_EQ(tensor.name, as_list ? std::to_string(i) : written[i].name);
    EXPECT_EQ(tensor.shape.text(), written[i].shape.text());
    EXPECT_EQ(dtype_name(tensor.dtype), "F32");
    EXPECT_TRUE(tensor.contiguous());
    ASSERT_EQ(tensor.storage.size(), written[i].data.size_bytes());
    const auto bytes = std::as_bytes(written[i].data);
    EXPECT_TRUE(std::equal(bytes.begin(), bytes.end(), tensor.storage.begin()));
  }
}

TEST(PthWriter, what_is_written_is_read_back) {
  for (const int count : {1, 7, 999, 1000, 1001, 2500}) {
    const Tensors tensors = some_tensors(count);
    for (const bool as_list : {false, true}) {
      const auto file = io::write_pth(tensors.named, as_list);
      ASSERT_TRUE(file) << file.error().message;
      const auto container = io::read_container(*file, "written.pth");
      ASSERT_TRUE(container) << container.error().message;
      EXPECT_EQ(container->list, as_list);
      expect_same(tensors.named, *container, as_list);
      EXPECT_TRUE(io::verify_container(*file, *container, "written.pth"));
    }
  }
}

TEST(PthWriter, storages_begin_at_multiples_of_64) {
  const auto file = io::write_pth(some_tensors(40).named, false);
  ASSERT_TRUE(file);
  const auto archive = io::ZipArchive::read(*file);
  ASSERT_TRUE(archive);
  for (const io::ZipEntry& entry : archive->entries())
    EXPECT_EQ((entry.data.data() - file->data()) % 64, 0) << entry.name;
}

TEST(PthWriter, equal_tensors_give_equal_files) {
  EXPECT_EQ(*io::write_pth(some_tensors(9).named, false),
            *io::write_pth(some_tensors(9).named, false));
}

TEST(PthWriter, empty_state_is_a_file_without_weights) {
  const auto file = io::write_pth({}, true);
  ASSERT_TRUE(file);
  const auto container = io::read_container(*file, "empty.pth");
  ASSERT_FALSE(container);
  EXPECT_STREQ(code_name(container.error().code), "unsupported");
}

TEST(SafetensorsWriter, what_is_written_is_read_back) {
  const Tensors tensors = some_tensors(30);
  const std::map<std::string, std::string, std::less<>> metadata = {
      {"format", "pt"}, {"quoted \"key\"\n", "\\ \x01 \xe4\xb8\xad"}};
  const auto file = io::write_safetensors(tensors.named, metadata);
  ASSERT_TRUE(file) << file.error().message;
  const auto container = io::read_container(*file, "written.safetensors");
  ASSERT_TRUE(container) << container.error().message;
  expect_same(tensors.named, *container, false);
  EXPECT_EQ(container->metadata.size(), metadata.size());
  for (const auto& [key, value] : metadata)
    EXPECT_EQ(container->metadata.at(key), MetaValue(value));
  uint64_t header = 0;
  std::memcpy(&header, file->data(), sizeof(header));
  EXPECT_EQ(header % 8, 0u);
}

TEST(Writers, what_no_reader_would_take_is_an_argument_error) {
  const float numbers[6] = {};
  const std::vector<std::vector<NamedTensor>> wrong = {
      {{"a", Shape{2, 2}, numbers}},
      {{"a", Shape{-1, -6}, numbers}},
      {{"", Shape{6}, numbers}},
      {{"a\n", Shape{6}, numbers}},
      {{std::string(limits::kNameBytes + 1, 'n'), Shape{6}, numbers}},
      {{"a", Shape{6}, numbers}, {"a", Shape{6}, numbers}},
  };
  for (const auto& tensors : wrong) {
    const auto pth = io::write_pth(tensors, false);
    ASSERT_FALSE(pth);
    EXPECT_STREQ(code_name(pth.error().code), "argument");
    const auto safetensors = io::write_safetensors(tensors, {});
    ASSERT_FALSE(safetensors);
    EXPECT_STREQ(code_name(safetensors.error().code), "argument");
  }
  const std::vector<NamedTensor> bytes = {{"\xff", Shape{6}, numbers}};
  EXPECT_FALSE(io::write_safetensors(bytes, {}));
  EXPECT_FALSE(io::write_safetensors({}, {{"k", "\xff"}}));
  const std::vector<NamedTensor> reserved = {{"__metadata__", Shape{6}, numbers}};
  EXPECT_FALSE(io::write_safetensors(reserved, {}));
  const std::vector<NamedTensor> axes = {{"a", Shape{1, 1, 1, 1, 6}, numbers}};
  EXPECT_FALSE(io::write_safetensors(axes, {}));
  EXPECT_TRUE(io::write_pth(axes, false));
}

}  // namespace
}  // namespace skein::test
