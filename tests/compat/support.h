// librwkv's contexts as objects that free themselves, and models for them.
#pragma once

#include <gtest/gtest.h>
#include <rwkv.h>
#include <unistd.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "io/ggmf_writer.h"
#include "support/fixtures.h"
#include "support/make_model.h"

namespace skein::test {

// A folder of a test's own, gone when it ends.
class Folder {
 public:
  Folder() {
    const auto* test = ::testing::UnitTest::GetInstance()->current_test_info();
    path_ = std::filesystem::path(::testing::TempDir()) /
            fmt::format("skein_{}_{}_{}", test->test_suite_name(), test->name(), ::getpid());
    std::filesystem::remove_all(path_);
    std::filesystem::create_directories(path_);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  std::string operator/(const std::string& name) const { return (path_ / name).string(); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct FreeContext {
  void operator()(rwkv_context* context) const { rwkv_free(context); }
};
using Context = std::unique_ptr<rwkv_context, FreeContext>;
using Floats = std::vector<float>;
using Tokens = std::vector<uint32_t>;

inline Context open_context(const std::filesystem::path& path, uint32_t threads = 1) {
  Context context(rwkv_init_from_file(path.c_str(), threads, 0));
  EXPECT_TRUE(context) << path << ": " << rwkv_get_last_error(nullptr);
  return context;
}

inline Floats new_state(const Context& context) {
  Floats state(rwkv_get_state_len(context.get()));
  rwkv_init_state(context.get(), state.data());
  return state;
}
inline Floats new_logits(const Context& context) {
  return Floats(rwkv_get_logits_len(context.get()));
}

// One model of each generation, in one container each.
inline std::vector<std::filesystem::path> models() {
  std::vector<std::filesystem::path> out;
  for (const char* name : {"v4.pth", "v5_2.pth", "tiny_v6.gguf", "v7.pth", "tiny_v7.webrwkv.st"})
    out.push_back(fixture(std::string("models/") + name));
  return out;
}

inline Tokens some_tokens(const Context& context, size_t count = 23) {
  Tokens out;
  for (size_t i = 0; i < count; ++i)
    out.push_back(static_cast<uint32_t>((i * i + 3) % rwkv_get_n_vocab(context.get())));
  return out;
}

inline void write_bytes(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char*>(bytes.data()),
             static_cast<std::streamsize>(bytes.size()));
}

inline std::string read_bytes(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline io::OutputTensor output(const std::string& name, const NamedData& value,
                               DType type = DType::f32) {
  StoredTensor part;
  part.name = name;
  part.shape = value.shape;
  part.strides = value.shape.contiguous_strides();
  part.storage = std::as_bytes(std::span(value.data));
  return {.name = name, .dtype = type, .shape = value.shape, .parts = {part}};
}

inline ModelSizes small_v4() {
  ModelSizes sizes;
  sizes.design = "rwkv4";
  return sizes;
}

// An RWKV-4 as rwkv.cpp's converter leaves it: official names, the decay as what is added in the
// exponent.
inline ModelData small_ggmf_data() {
  ModelData model = random_model(small_v4());
  for (auto& [name, value] : model)
    if (name.ends_with("time_decay"))
      for (float& x : value.data) x = -std::exp(x);
  return model;
}

inline io::GgmfHead small_head(DType type = DType::f32) {
  const ModelSizes sizes = small_v4();
  return {.vocab = static_cast<int32_t>(sizes.vocab),
          .width = static_cast<int32_t>(sizes.width),
          .layers = static_cast<int32_t>(sizes.layers),
          .type = type};
}

inline void write_ggmf_file(const std::string& path, const ModelData& model,
                            const io::GgmfHead& head) {
  std::vector<io::OutputTensor> tensors;
  for (const auto& [name, value] : model)
    tensors.push_back(output(name, value, value.shape.rank() > 1 ? head.type : DType::f32));
  const Status written = io::write_ggmf(path, head, tensors, {.overwrite = true});
  EXPECT_TRUE(written) << (written ? "" : written.error().message);
}

// Nothing on stderr from errors that a test means to cause.
class Quiet : public ::testing::Test {
 protected:
  void SetUp() override { rwkv_set_print_errors(nullptr, false); }
  void TearDown() override { rwkv_set_print_errors(nullptr, true); }
};

}  // namespace skein::test
