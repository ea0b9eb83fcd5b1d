// RWKV-7 against the official code's numbers, from every container.
#include <gtest/gtest.h>

#include "run/state_file.h"
#include "support/models.h"

namespace skein {
namespace {

// Two correct programs differ by about 1e-6 of the largest logit; any mistake moves it by 0.1.
constexpr double kTolerance = 5e-6;

struct Golden {
  std::string model;
  std::string expected;
  bool shared = false;  // under ../shared/fixtures instead of tests/fixtures/models
};

// Names the case in test reports.
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.model; }

const Golden kGolden[] = {
    {"v7.pth", "v7.expected.safetensors"},
    {"v7.official.safetensors", "v7.expected.safetensors", true},
    {"v7.fla.safetensors", "v7.expected.safetensors", true},
    {"tiny_v7.pth", "tiny_v7.expected.safetensors"},
    {"tiny_v7.legacy_fp16.pth", "tiny_v7.expected.safetensors"},
    {"tiny_v7.strided_bf16.pth", "tiny_v7.expected.safetensors"},
    {"tiny_v7.webrwkv.st", "tiny_v7.expected.safetensors"},
    {"tiny_v7.fla_fused.safetensors", "tiny_v7.expected.safetensors"},
    {"tiny_v7.gguf", "tiny_v7.expected.safetensors"},
};

std::filesystem::path path_of(const Golden& golden) {
  return golden.shared ? test::shared_file("fixtures/" + golden.model)
                       : test::fixture("models/" + golden.model);
}

class GoldenModel : public testing::TestWithParam<Golden> {};

TEST_P(GoldenModel, gives_the_official_logits_after_every_token) {
  if (GetParam().shared) SK_NEEDS_SHARED("fixtures/" + GetParam().model);
  const auto expected = test::read_expected(test::fixture("models/" + GetParam().expected));
  ASSERT_EQ(expected.tokens.size(), 40u);
  for (const char* device : {"cpu", "reference"}) {
    ModelOptions options;
    options.device = device;
    const auto model = test::open_model(path_of(GetParam()), options);
    ASSERT_TRUE(model);
    EXPECT_EQ(model->info().design, "rwkv7");
    State state = model->new_state();
    const auto logits = test::logits_of(*model, state, expected.tokens);
    const double error = test::relative_error(logits, expected.logits);
    EXPECT_LE(error, kTolerance);
    RecordProperty(device, std::to_string(error));
  }
}

INSTANTIATE_TEST_SUITE_P(V7, GoldenModel, testing::ValuesIn(kGolden), [](const auto& test) {
  std::string name = test.param.model;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

TEST(GoldenState, after_all_tokens_is_the_official_one) {
  const auto path = test::fixture("models/v7.expected.safetensors");
  const auto expected = test::read_expected(path);
  const auto model = test::open_model(test::fixture("models/v7.pth"));
  State state = model->new_state();
  test::logits_of(*model, state, expected.tokens);
  const auto file = export_pth(state);  // in official layout
  ASSERT_TRUE(file);
  const auto container = io::read_container(*file, "exported");
  ASSERT_TRUE(container) << container.error().message;
  ASSERT_EQ(container->tensors.size(), 9u);
  const char* const parts[] = {"att_x", "att_kv", "ffn_x"};
  for (size_t i = 0; i < container->tensors.size(); ++i) {
    const auto want = test::read_tensor(path, fmt::format("final.{}.{}", i / 3, parts[i % 3]));
    std::vector<float> got(want.size());
    ASSERT_TRUE(quant::read_f32(container->tensors[i], got));
    EXPECT_LE(test::relative_error(got, want), kTolerance) << i;
  }
}

TEST(GoldenState, one_model_in_six_containers_gives_the_same_bits) {
  const auto expected = test::read_expected(test::fixture("models/tiny_v7.expected.safetensors"));
  std::vector<float> first;
  Digest fingerprint{};
  for (const Golden& golden : kGolden) {
    if (!golden.model.starts_with("tiny")) continue;
    const auto model = test::open_model(path_of(golden));
    ASSERT_TRUE(model);
    State state = model->new_state();
    const auto logits = test::logits_of(*model, state, expected.tokens);
    if (first.empty()) {
      first = logits;
      fingerprint = model->info().fingerprint;
    }
    EXPECT_TRUE(test::same_bits(logits, first)) << golden.model;
    EXPECT_EQ(model->info().fingerprint, fingerprint) << golden.model;
  }
}

TEST(GoldenBundled, gives_the_logits_of_its_card) {
  const std::filesystem::path models = std::filesystem::path(SKEIN_SOURCE_DIR) / "models";
  const auto expected = test::read_expected(models / "bundled-0.expected.safetensors");
  const auto model = test::open_model(models / "bundled-0.pth");
  State state = model->new_state();
  const auto logits = test::logits_of(*model, state, expected.tokens);
  EXPECT_LE(test::relative_error(logits, expected.logits), kTolerance);
}

// rwkv.cpp's own test: the bytes of its prompt, and the logits after the last.
TEST(GoldenGgmf, rwkv_cpp_test_model_gives_its_stored_row) {
  SK_NEEDS_SHARED("fixtures/rwkv.cpp/tiny-rwkv-7v0-834K-FP32.bin");
  const auto folder = test::shared_file("fixtures/rwkv.cpp");
  const auto model = test::open_model(folder / "tiny-rwkv-7v0-834K-FP32.bin");
  ASSERT_TRUE(model);
  const auto prompt = read_file(folder / "prompt.txt", 1 << 20);
  const auto row = read_file(folder / "expected-logits-7v0-834K.bin", 1 << 20);
  ASSERT_TRUE(prompt && row);
  std::vector<int32_t> tokens;
  for (const std::byte byte : *prompt) tokens.push_back(std::to_integer<int32_t>(byte));
  std::vector<float> expected(row->size() / sizeof(float));
  std::memcpy(expected.data(), row->data(), row->size());
  std::vector<float> logits(expected.size());
  ASSERT_EQ(model->vocab(), 256);
  State state = model->new_state();
  ASSERT_TRUE(model->eval(state, tokens, Want::last, logits.data()));
  EXPECT_LE(test::relative_error(logits, expected), kTolerance);
}

TEST(GoldenTimeState, starts_a_sequence_as_the_official_code_does) {
  const auto expected =
      test::read_expected(test::fixture("models/v7.time_state.expected.safetensors"));
  const auto model = test::open_model(test::fixture("models/v7.pth"));
  const auto bytes = read_file(test::fixture("models/v7.time_state.pth"), 1 << 24);
  ASSERT_TRUE(bytes);
  auto state = import_state(*bytes, "v7.time_state.pth", model->state_layout());
  ASSERT_TRUE(state) << state.error().message;
  const auto logits = test::logits_of(*model, *state, expected.tokens);
  EXPECT_LE(test::relative_error(logits, expected.logits), kTolerance);
}

TEST(GoldenNames, other_generations_are_named_and_not_opened) {
  const struct {
    const char* file;
    const char* says;
  } rows[] = {{"tiny_v6.gguf", "RWKV-6 \"Finch\""},
              {"tiny_v6.webrwkv.st", "RWKV-6 \"Finch\""},
              {"v7.time_state.pth", "tuned initial states of 3 layers"},
              {"v7.state.pth", "a list of 9 tensors"},
              {"v7.lora.pth", "LoRA"}};
  for (const auto& row : rows) {
    const auto model = Model::open(test::fixture(std::string("models/") + row.file));
    ASSERT_FALSE(model) << row.file;
    EXPECT_EQ(model.error().code, Code::unsupported);
    EXPECT_NE(model.error().message.find(row.says), std::string::npos) << model.error().message;
  }
}

TEST(GoldenNames, every_design_of_the_shared_fixtures_is_named) {
  SK_NEEDS_SHARED("fixtures/next");
  const struct {
    const char* file;
    const char* says;
  } rows[] = {{"v4.pth", "RWKV-4"},
              {"v5_0.pth", "RWKV-5.0"},
              {"v5_1.pth", "RWKV-5.1"},
              {"v5_2.pth", "RWKV-5.2"},
              {"v6.pth", "RWKV-6"},
              {"next/arwkv7/model.gguf", "ARWKV"},
              {"next/rwkv6qwen2/model.gguf", "QRWKV6"},
              {"next/rwkv_x/model.pth", "RWKV-X"},
              {"next/v7a/model.pth", "RWKV-7a"},
              {"next/v7b/model.pth", "RWKV-7b"},
              {"next/v8_rc00/model.pth", "RWKV-8 rc00 "},
              {"next/v8_rc00_hybrid/model.pth", "RWKV-8 rc00 hybrid"},
              {"next/rosa1bit_lm/model.pth", "ROSA language model"}};
  for (const auto& row : rows) {
    const auto model = Model::open(test::shared_file(std::string("fixtures/") + row.file));
    ASSERT_FALSE(model) << row.file;
    EXPECT_NE(model.error().message.find(row.says), std::string::npos) << model.error().message;
    EXPECT_NE(model.error().message.find("not runnable yet"), std::string::npos);
  }
}

}  // namespace
}  // namespace skein
