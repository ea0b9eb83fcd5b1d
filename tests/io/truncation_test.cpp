// A file cut anywhere is an error and never a model.
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "base/file.h"
#include "io/build.h"
#include "io/expect.h"
#include "io/patience.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

std::vector<std::byte> load(const std::filesystem::path& path) {
  auto bytes = read_file(path, 64 << 20);
  if (!bytes) throw std::runtime_error(bytes.error().message);
  return std::move(*bytes);
}

void expect_cut_is_corrupt(std::span<const std::byte> whole, size_t size, bool mismatch_too) {
  // A copy of exactly this size, so that a sanitizer sees a read beyond the cut.
  const std::vector<std::byte> cut(whole.begin(), whole.begin() + static_cast<ptrdiff_t>(size));
  const auto container = io::read_container(cut, "cut.x");
  ASSERT_FALSE(container) << "cut at " << size << " of " << whole.size() << " was accepted";
  const Code code = container.error().code;
  EXPECT_TRUE(code == Code::corrupt || (mismatch_too && code == Code::mismatch))
      << "cut at " << size << " of " << whole.size() << ": " << container.error().message;
}

// The header at every byte, the data at 200 spread offsets. Reading a header again for each of its
// bytes takes a slow build minutes, so that looks at every seventh.
void cut_everywhere(std::span<const std::byte> whole, size_t header, size_t end,
                    bool mismatch_too) {
  const size_t stride = kOptimised || header < 1000 ? 1 : 7;
  for (size_t size = 0; size<std::min(header, end); size += header> 1000 ? stride : 1) {
    expect_cut_is_corrupt(whole, size, mismatch_too);
    if (::testing::Test::HasFatalFailure()) return;
  }
  for (size_t i = 0; header < end && i < 200; ++i)
    expect_cut_is_corrupt(whole, header + (end - header) * i / 200, mismatch_too);
  expect_cut_is_corrupt(whole, end - 1, mismatch_too);
}

TEST(Truncation, small_files_cut_at_every_byte_are_corrupt) {
  for (const char* name : {"ok_minimal.pth", "ok_transposed.pth", "ok_broadcast.pth",
                           "ok_minimal.safetensors", "ok_minimal.gguf", "ok_minimal.bin"}) {
    SCOPED_TRACE(name);
    const auto whole = load(fixture(std::string("malformed/") + name));
    // 24 bytes of a .bin are a head with nothing behind it.
    cut_everywhere(whole, whole.size(), whole.size(), std::string_view(name).ends_with(".bin"));
  }
}

TEST(Truncation, models_cut_in_their_header_or_data_are_corrupt) {
  for (const char* name :
       {"tiny_v7.pth", "tiny_v7.strided_bf16.pth", "v7.state.pth", "tiny_v7.legacy_fp16.pth",
        "tiny_v7.webrwkv.st", "tiny_v7.fla_fused.safetensors", "tiny_v7.gguf"}) {
    SCOPED_TRACE(name);
    const auto whole = load(fixture(std::string("models/") + name));
    const auto container = io::read_container(whole, name);
    ASSERT_TRUE(container) << container.error().message;
    size_t header = whole.size(), end = 0;
    for (const StoredTensor& tensor : container->tensors) {
      const auto begin = static_cast<size_t>(tensor.storage.data() - whole.data());
      header = std::min(header, begin);
      end = std::max(end, begin + tensor.storage.size());
    }
    if (container->format == Format::gguf) {
      // What may follow the last tensor is padding, which nobody misses.
      for (size_t size = end; size < whole.size(); ++size)
        EXPECT_TRUE(io::read_container(std::span(whole).first(size), name));
    } else {
      end = whole.size();
    }
    cut_everywhere(whole, header, end, false);
  }
}

TEST(Truncation, zip_directory_cut_at_every_byte_is_corrupt) {
  const auto whole = load(fixture("models/v7.state.pth"));
  for (size_t size = whole.size() - 1200; size < whole.size(); ++size)
    expect_cut_is_corrupt(whole, size, false);
}

TEST(Truncation, rwkv_cpp_model_cut_between_tensors_is_a_mismatch) {
  SK_NEEDS_SHARED("fixtures/rwkv.cpp/tiny-rwkv-7v0-834K-FP32.bin");
  const auto whole = load(shared_file("fixtures/rwkv.cpp/tiny-rwkv-7v0-834K-FP32.bin"));
  const auto container = io::read_container(whole, "whole.bin");
  ASSERT_TRUE(container) << container.error().message;
  std::set<size_t> boundaries{24};
  for (const StoredTensor& tensor : container->tensors)
    boundaries.insert(
        static_cast<size_t>(tensor.storage.data() + tensor.storage.size() - whole.data()));
  ASSERT_EQ(*boundaries.rbegin(), whole.size());
  boundaries.erase(whole.size());
  for (const size_t size : boundaries) {
    const auto cut = io::read_container(std::span(whole).first(size), "cut.bin");
    ASSERT_FALSE(cut) << size;
    EXPECT_STREQ(code_name(cut.error().code), "mismatch") << cut.error().message;
    for (const size_t beside : {size - 1, size + 1}) expect_cut_is_corrupt(whole, beside, false);
  }
  cut_everywhere(whole, 200, whole.size(), true);
}

}  // namespace
}  // namespace skein::test
