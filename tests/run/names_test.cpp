// Hugging Face names that no fixture has: a model under them is the model under official names.
#include <gtest/gtest.h>
#include <unistd.h>

#include "support/make_model.h"
#include "support/models.h"

namespace skein {
namespace {

class Names : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("skein_names_{}", getpid());
    std::filesystem::create_directories(folder_ / "hf");
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  static void write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
    const std::span<const std::byte> parts[] = {bytes};
    ASSERT_TRUE(write_file(path, parts));
  }

  // Logits of the official file and of the folder, and the folder's design and naming.
  void compare(const test::ModelSizes& sizes, const test::ModelData& official,
               const test::ModelData& foreign, const std::string& config, const char* naming) {
    write(folder_ / "official.safetensors", test::as_safetensors(official, hints_of(sizes)));
    write(folder_ / "hf" / "model.safetensors", test::as_safetensors(foreign));
    write(folder_ / "hf" / "config.json", std::as_bytes(std::span(config)));
    const std::vector<int32_t> tokens = {1, 5, 9, 2, 2, 30, 7};
    std::vector<float> logits;
    for (const char* name : {"official.safetensors", "hf"}) {
      const auto model = test::open_model(folder_ / name);
      ASSERT_TRUE(model);
      EXPECT_EQ(model->info().design, sizes.design);
      State state = model->new_state();
      const auto got = test::logits_of(*model, state, tokens);
      if (logits.empty()) logits = got;
      EXPECT_TRUE(test::same_bits(got, logits)) << sizes.design;
      if (std::string_view(name) == "hf") {
        EXPECT_EQ(model->info().naming, naming);
      }
    }
  }

  std::filesystem::path folder_;
};

struct Word {
  std::string_view from, to;
};

std::string reworded(std::string name, std::span<const Word> words) {
  for (const Word& word : words)
    if (const size_t at = name.find(word.from); at != std::string::npos)
      name.replace(at, word.from.size(), word.to);
  return name;
}

TEST_F(Names, of_transformers) {
  constexpr Word kWords[] = {{"emb.", "embeddings."},
                             {".ln0.", ".pre_ln."},
                             {".att.", ".attention."},
                             {".ffn.", ".feed_forward."},
                             {".time_mix_k", ".time_mix_key"},
                             {".time_mix_v", ".time_mix_value"},
                             {".time_mix_r", ".time_mix_receptance"},
                             {".time_mix_g", ".time_mix_gate"}};
  for (const std::string design : {"rwkv4", "rwkv5.2", "rwkv6"}) {
    const test::ModelSizes sizes = {.design = design};
    const auto official = test::random_model(sizes);
    test::ModelData foreign;
    for (const auto& [name, value] : official)
      foreign[name == "head.weight" ? name : "rwkv." + reworded(name, kWords)] = value;
    compare(sizes, official, foreign, R"({"layer_norm_epsilon": 1e-05, "rescale_every": 6})",
            "Hugging Face transformers");
  }
}

constexpr Word kQwenWords[] = {{"emb.weight", "model.embed_tokens.weight"},
                               {"head.weight", "lm_head.weight"},
                               {"ln_out.", "model.norm."},
                               {"blocks.", "model.layers."},
                               {".ln1.", ".input_layernorm."},
                               {".ln2.", ".post_attention_layernorm."},
                               {".ffn.gate.", ".mlp.gate_proj."},
                               {".ffn.up.", ".mlp.up_proj."},
                               {".ffn.down.", ".mlp.down_proj."}};

TEST_F(Names, of_arwkv) {
  const test::ModelSizes sizes = {.width = 128, .heads = 2, .design = "arwkv7"};
  const auto official = test::random_model(sizes);
  test::ModelData foreign;
  for (const auto& [name, value] : official) {
    constexpr Word kMixer[] = {{".att.", ".self_attn.time_mixer."}};
    foreign[reworded(reworded(name, kQwenWords), kMixer)] = value;
  }
  compare(sizes, official, foreign, R"({"rms_norm_eps": 1e-06, "head_size_divisor": 8})",
          "Hugging Face Qwen2");
}

// Its five dynamic mixes stand in the order r, k, v, w, g; officially it is w, k, v, r, g.
TEST_F(Names, of_qrwkv6) {
  const test::ModelSizes sizes = {.width = 128, .heads = 2, .design = "rwkv6qwen2", .groups = 1};
  const auto official = test::random_model(sizes);
  test::ModelData foreign;
  for (const auto& [name, value] : official) {
    constexpr Word kProjections[] = {
        {".att.receptance.", ".att.q_proj."}, {".att.key.", ".att.k_proj."},
        {".att.value.", ".att.v_proj."},      {".att.gate.weight", ".att.gate.weight"},
        {".att.output.", ".att.o_proj."},     {".att.", ".self_attn."}};
    auto& place = foreign[reworded(reworded(name, kQwenWords), kProjections)] = value;
    const bool first = name.ends_with("time_maa_w1"), second = name.ends_with("time_maa_w2");
    if (!first && !second) continue;
    const auto rank = static_cast<size_t>(sizes.rank_w), width = static_cast<size_t>(sizes.width);
    for (size_t d = 0; d < width; ++d) {
      for (size_t r = 0; r < rank; ++r) {
        // Parts 0 and 3 change places.
        const auto at = [&](size_t part) {
          return first ? d * 5 * rank + part * rank + r : (part * rank + r) * width + d;
        };
        std::swap(place.data[at(0)], place.data[at(3)]);
      }
    }
  }
  compare(sizes, official, foreign,
          R"({"rms_norm_eps": 1e-06, "hidden_size": 128, "num_attention_heads": 2,
              "num_key_value_heads": 1})",
          "Hugging Face Qwen2");
}

}  // namespace
}  // namespace skein
