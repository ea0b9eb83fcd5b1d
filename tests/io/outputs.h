// What the tests of the writers have in common.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <string>
#include <vector>

#include "io/model_files.h"
#include "io/model_writer.h"
#include "quant/read.h"

namespace skein::test {

// A folder of a test's own, gone when it ends.
class TestFolder {
 public:
  TestFolder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(::testing::TempDir()) /
            (std::string("skein_") + test->test_suite_name() + "_" + test->name() + "_" +
             std::to_string(::getpid()));
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~TestFolder() { std::filesystem::remove_all(path_); }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }
  size_t entries() const {
    return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(path_), {}));
  }

 private:
  std::filesystem::path path_;
};

// The tensors of a container as they are.
inline std::vector<io::OutputTensor> outputs_of(const Container& container) {
  std::vector<io::OutputTensor> out;
  for (const StoredTensor& tensor : container.tensors)
    out.push_back(
        {.name = tensor.name, .dtype = tensor.dtype, .shape = tensor.shape, .parts = {tensor}});
  return out;
}

// A row-major tensor over numbers that the caller keeps.
template <typename T>
StoredTensor stored(std::string name, DType dtype, const Shape& shape, std::span<const T> data) {
  return {.name = std::move(name),
          .dtype = dtype,
          .shape = shape,
          .strides = shape.contiguous_strides(),
          .offset = 0,
          .storage = std::as_bytes(data)};
}

inline std::vector<float> numbers_of(const StoredTensor& tensor) {
  std::vector<float> out(static_cast<size_t>(tensor.shape.elements()));
  const Status read = quant::read_f32(tensor, out);
  EXPECT_TRUE(read) << (read ? "" : read.error().message);
  return out;
}

inline const StoredTensor* find(const Container& container, std::string_view name) {
  for (const StoredTensor& tensor : container.tensors)
    if (tensor.name == name) return &tensor;
  return nullptr;
}

}  // namespace skein::test
