#include "base/file.h"
#include "compat/support.h"
#include "io/container.h"
#include "quant/formats.h"
#include "quant/read.h"
#include "support/models.h"

namespace skein::test {
namespace {

struct Read {
  File file;
  Container container;

  const StoredTensor& tensor(const std::string& name) const {
    for (const StoredTensor& tensor : container.tensors)
      if (tensor.name == name) return tensor;
    ADD_FAILURE() << "no tensor " << name;
    return container.tensors.at(0);
  }
};

Read read(const std::string& path) {
  auto file = File::map(path);
  auto container = io::read_container(file->bytes(), path);
  EXPECT_TRUE(container) << (container ? "" : container.error().message);
  return {std::move(*file), container ? std::move(*container) : Container()};
}

bool quantise(const std::string& in, const std::string& out, const char* format) {
  return rwkv_quantize_model_file(in.c_str(), out.c_str(), format);
}

using CompatQuantize = Quiet;

TEST_F(CompatQuantize, matrices_get_the_blocks_of_the_codec_and_the_rest_stays) {
  const Folder folder;
  write_ggmf_file(folder / "in.bin", small_ggmf_data(), small_head());
  const Read before = read(folder / "in.bin");
  struct Row {
    const char* name;
    DType type;
    int64_t id;
  };
  for (const Row& row :
       {Row{"Q4_0", DType::q4_0, 2}, Row{"Q4_1", DType::q4_1, 3}, Row{"Q5_0", DType::q5_0, 7},
        Row{"Q5_1", DType::q5_1, 8}, Row{"Q8_0", DType::q8_0, 9}}) {
    SCOPED_TRACE(row.name);
    const std::string path = folder / row.name;
    ASSERT_TRUE(quantise(folder / "in.bin", path, row.name));
    const Read after = read(path);
    EXPECT_EQ(after.container.version, 101);
    EXPECT_EQ(std::get<int64_t>(after.container.metadata.at("data_type")), row.id);
    ASSERT_EQ(after.container.tensors.size(), before.container.tensors.size());
    size_t quantised = 0;
    for (size_t i = 0; i < before.container.tensors.size(); ++i) {
      const StoredTensor &old = before.container.tensors[i], &now = after.container.tensors[i];
      EXPECT_EQ(now.name, old.name);
      EXPECT_EQ(now.shape, old.shape);
      std::vector<std::byte> expected(old.storage.begin(), old.storage.end());
      if (old.shape.rank() == 2 && old.name != "emb.weight" && old.name != "head.weight") {
        ++quantised;
        EXPECT_EQ(now.dtype, row.type) << now.name;
        Floats values(static_cast<size_t>(old.shape.elements()));
        ASSERT_TRUE(quant::read_f32(old, values));
        expected.resize(now.storage.size());
        ASSERT_TRUE(quant::encode(row.type, values, expected));
      }
      EXPECT_TRUE(
          std::equal(expected.begin(), expected.end(), now.storage.begin(), now.storage.end()))
          << now.name;
    }
    EXPECT_EQ(quantised, 2u * 7);
    const Context full = open_context(folder / "in.bin"), small = open_context(path);
    Floats a = new_logits(full), b = new_logits(small);
    ASSERT_TRUE(rwkv_eval(full.get(), 3, nullptr, nullptr, a.data()));
    ASSERT_TRUE(rwkv_eval(small.get(), 3, nullptr, nullptr, b.data()));
    EXPECT_FALSE(same_bits(a, b));
    EXPECT_LT(relative_error(b, a), 0.3);
  }
}

TEST_F(CompatQuantize, what_rwkv_7_has_in_place_of_mixes_is_left_alone) {
  const Folder folder;
  ModelData model;
  const auto put = [&](const std::string& name, const Shape& shape) {
    model[name] = {shape, Floats(static_cast<size_t>(shape.elements()), 0.5f)};
  };
  put("emb.weight", {32, 32}), put("head.weight", {32, 32});
  std::vector<std::string> exempt = {"r_k"};
  for (const char letter : {'w', 'a', 'v', 'g'})
    for (const char digit : {'1', '2'}) exempt.push_back({letter, digit});
  for (const std::string& name : exempt) put("blocks.0.att." + name, {32, 32});
  put("blocks.0.att.x_rwkvag", {6, 1, 32});
  put("blocks.0.att.w0", {1, 1, 32});
  put("blocks.0.ffn.x_k", {32});
  const std::vector<std::string> matrices = {"att.key.weight", "att.value.weight", "ffn.key.weight",
                                             // of RWKV-6, where the rule has no exception
                                             "att.time_maa_w1", "att.time_decay_w2"};
  for (const std::string& name : matrices) put("blocks.0." + name, {32, 32});
  for (const DType type : {DType::f32, DType::f16}) {
    write_ggmf_file(folder / "in.bin", model,
                    {.vocab = 32, .width = 32, .layers = 1, .type = type});
    ASSERT_TRUE(quantise(folder / "in.bin", folder / "out.bin", "Q8_0"));
    const Read in = read(folder / "in.bin"), out = read(folder / "out.bin");
    for (const StoredTensor& tensor : in.container.tensors) {
      const bool expected = std::any_of(matrices.begin(), matrices.end(), [&](const auto& name) {
        return tensor.name == "blocks.0." + name;
      });
      EXPECT_EQ(out.tensor(tensor.name).dtype, expected ? DType::q8_0 : tensor.dtype)
          << tensor.name;
    }
  }
}

TEST_F(CompatQuantize, the_first_file_version_becomes_the_second) {
  const Folder folder;
  write_ggmf_file(folder / "in.bin", small_ggmf_data(), small_head());
  ASSERT_TRUE(quantise(folder / "in.bin", folder / "new.bin", "Q5_1"));
  std::string bytes = read_bytes(folder / "in.bin");
  bytes[4] = 100;
  std::ofstream(folder / "in.bin", std::ios::binary) << bytes;
  ASSERT_EQ(read(folder / "in.bin").container.version, 100);
  ASSERT_TRUE(quantise(folder / "in.bin", folder / "old.bin", "Q5_1"));
  EXPECT_EQ(read_bytes(folder / "old.bin"), read_bytes(folder / "new.bin"));
}

TEST_F(CompatQuantize, a_file_may_be_replaced_by_its_own_quantisation) {
  const Folder folder;
  const std::string path = folder / "model.bin";
  write_ggmf_file(path, small_ggmf_data(), small_head());
  ASSERT_TRUE(quantise(path, folder / "other.bin", "Q5_0"));
  ASSERT_TRUE(quantise(path, path, "Q5_0"));
  EXPECT_EQ(read_bytes(path), read_bytes(folder / "other.bin"));
}

TEST_F(CompatQuantize, a_link_is_followed_and_stays) {
  const Folder folder;
  write_ggmf_file(folder / "in.bin", small_ggmf_data(), small_head());
  ASSERT_TRUE(quantise(folder / "in.bin", folder / "plain.bin", "Q8_0"));
  std::filesystem::create_symlink("target.bin", folder / "link.bin");
  for (int i = 0; i < 2; ++i) {
    ASSERT_TRUE(quantise(folder / "in.bin", folder / "link.bin", "Q8_0"));
    EXPECT_TRUE(std::filesystem::is_symlink(folder / "link.bin"));
    EXPECT_TRUE(std::ranges::equal(File::map(folder / "target.bin")->bytes(),
                                   File::map(folder / "plain.bin")->bytes()));
  }
}

TEST_F(CompatQuantize, wrong_calls_and_files_are_errors_and_leave_nothing) {
  const Folder folder;
  const std::string in = folder / "in.bin", out = folder / "out.bin";
  write_ggmf_file(in, small_ggmf_data(), small_head());
  const auto refused = [&](bool done, int flags) {
    EXPECT_FALSE(done);
    EXPECT_EQ(rwkv_get_last_error(nullptr), flags);
    EXPECT_FALSE(std::filesystem::exists(out));
  };
  refused(rwkv_quantize_model_file(nullptr, out.c_str(), "Q8_0"), RWKV_ERROR_ARGS);
  refused(rwkv_quantize_model_file(in.c_str(), nullptr, "Q8_0"), RWKV_ERROR_ARGS);
  refused(rwkv_quantize_model_file(in.c_str(), out.c_str(), nullptr), RWKV_ERROR_ARGS);
  for (const char* format : {"", "Q5_2", "q5_1", "FP16", "F32", "Q8_1", "MXFP4"})
    refused(quantise(in, out, format), RWKV_ERROR_ARGS | RWKV_ERROR_DATA_TYPE);
  refused(quantise(folder / "nothing.bin", out, "Q8_0"), RWKV_ERROR_FILE | RWKV_ERROR_FILE_OPEN);
  refused(quantise(fixture("models/v7.pth"), out, "Q8_0"), RWKV_ERROR_FILE | RWKV_ERROR_FILE_MAGIC);
  refused(quantise(fixture("malformed/version102.bin"), out, "Q8_0"),
          RWKV_ERROR_FILE | RWKV_ERROR_FILE_VERSION);
  refused(quantise(fixture("malformed/data_short.bin"), out, "Q8_0"),
          RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_FILE_READ);
  refused(quantise(in, folder / "no/such/folder.bin", "Q8_0"),
          RWKV_ERROR_FILE | RWKV_ERROR_FILE_WRITE);
  ASSERT_TRUE(quantise(in, folder / "small.bin", "Q8_0"));
  refused(quantise(folder / "small.bin", out, "Q4_0"), RWKV_ERROR_FILE | RWKV_ERROR_DATA_TYPE);
  // Rows of 3, and a number without a finite scale.
  refused(quantise(fixture("malformed/ok_minimal.bin"), out, "Q8_0"),
          RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DATA);
  ModelData endless = small_ggmf_data();
  endless["blocks.0.att.key.weight"].data[5] = INFINITY;
  write_ggmf_file(in, endless, small_head());
  refused(quantise(in, out, "Q8_0"), RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_DATA);
}

}  // namespace
}  // namespace skein::test
