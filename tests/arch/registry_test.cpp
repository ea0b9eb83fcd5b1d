#include "arch/registry.h"

#include <gtest/gtest.h>

namespace skein::arch {
namespace {

StoredTensor tensor(std::string name, const Shape& shape) {
  StoredTensor out;
  out.name = std::move(name);
  out.shape = shape;
  out.strides = shape.contiguous_strides();
  return out;
}

Container five() {
  Container file;
  file.tensors = {tensor("emb.weight", {10, 4}), tensor("blocks.0.att.time_decay", {2, 2}),
                  tensor("blocks.0.att.ln_x.weight", {4}),
                  tensor("blocks.0.att.gate.weight", {4, 4})};
  return file;
}

// Its names are those of the model it was made from, and its numbers are not.
TEST(Registry, what_the_official_package_converted_is_refused_by_its_strategy) {
  Container file = five();
  ASSERT_TRUE(identify(file).design);
  EXPECT_EQ(std::string_view(identify(file).design->id), "rwkv5.2");
  file.metadata["_strategy"] = std::string("cpu fp32");
  const auto model = official_model(file, identify(file), "converted.pth");
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::unsupported);
  EXPECT_NE(model.error().message.find("use the file they were made from"), std::string::npos);
}

TEST(Registry, one_number_a_head_or_a_channel_tells_5_1_from_5_2) {
  Container file = five();
  const auto design = [&](const Shape& decay) {
    file.tensors[1] = tensor("blocks.0.att.time_decay", decay);
    return std::string_view(identify(file).design->id);
  };
  EXPECT_EQ(design({2}), "rwkv5.1");
  EXPECT_EQ(design({2, 1}), "rwkv5.1");
  EXPECT_EQ(design({2, 2}), "rwkv5.2");
  EXPECT_EQ(design({1, 4}), "rwkv5.2");
}

// rwkv.cpp keeps heads as [H, N, 1]; where there is one, its axis is as short as the last.
TEST(Registry, one_head_of_rwkv_cpp_stays_a_head) {
  for (const int64_t heads : {1, 2}) {
    const int64_t size = 4 / heads;
    Container file = five();
    file.format = Format::ggmf;
    file.tensors[1] = tensor("blocks.0.att.time_decay", {heads, size, 1});
    file.tensors.push_back(tensor("blocks.0.att.time_faaaa", {heads, size, 1}));
    file.tensors.push_back(tensor("blocks.0.att.time_mix_g", {1, 1, 4}));
    file.tensors.push_back(tensor("blocks.0.ffn.key.weight", {8, 4}));
    file.tensors.push_back(tensor("blocks.0.ln0.weight", {4}));
    file.tensors.push_back(tensor("blocks.0.ln0.bias", {4}));
    const auto model = open_model(file, identify(file), "m.bin");
    ASSERT_TRUE(model) << model.error().message;
    EXPECT_EQ(model->architecture->dimensions().heads, heads);
    EXPECT_EQ(model->architecture->dimensions().head_size, size);
  }
}

}  // namespace
}  // namespace skein::arch
