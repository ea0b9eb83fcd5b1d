// Every generation against the official code's numbers, from every container.
#include <gtest/gtest.h>

#include "cpu/backend.h"
#include "ops/expand.h"
#include "ops/operation.h"
#include "ops/reference.h"
#include "run/broken_model.h"
#include "run/state_file.h"
#include "support/models.h"

namespace skein {
namespace {

// Two correct programs differ by about 1e-6 of the largest logit; any mistake moves it by 0.1.
constexpr double kTolerance = 5e-6;
// The numbers of what came after RWKV-7 are of programs with half-precision tables and vectors of
// their own.
constexpr double kNextTolerance = 2e-5;

struct Golden {
  std::string design;
  std::string model;
  std::string expected;
  double tolerance = kTolerance;
};

// Names the case in test reports.
void PrintTo(const Golden& golden, std::ostream* out) { *out << golden.model; }

const Golden kGolden[] = {
    {"rwkv4", "v4.pth", "v4.expected.safetensors"},
    {"rwkv5.0", "v5_0.pth", "v5_0.expected.safetensors"},
    {"rwkv5.1", "v5_1.pth", "v5_1.expected.safetensors"},
    {"rwkv5.2", "v5_2.pth", "v5_2.expected.safetensors"},
    {"rwkv6", "v6.pth", "v6.expected.safetensors"},
    {"rwkv6", "tiny_v6.webrwkv.st", "tiny_v6.expected.safetensors"},
    {"rwkv6", "tiny_v6.gguf", "tiny_v6.expected.safetensors"},
    {"rwkv7", "v7.pth", "v7.expected.safetensors"},
    {"rwkv7", "v7.official.safetensors", "v7.expected.safetensors"},
    {"rwkv7", "v7.fla.safetensors", "v7.expected.safetensors"},
    {"rwkv7", "tiny_v7.pth", "tiny_v7.expected.safetensors"},
    {"rwkv7", "tiny_v7.legacy_fp16.pth", "tiny_v7.expected.safetensors"},
    {"rwkv7", "tiny_v7.strided_bf16.pth", "tiny_v7.expected.safetensors"},
    {"rwkv7", "tiny_v7.webrwkv.st", "tiny_v7.expected.safetensors"},
    {"rwkv7", "tiny_v7.fla_fused.safetensors", "tiny_v7.expected.safetensors"},
    {"rwkv7", "tiny_v7.gguf", "tiny_v7.expected.safetensors"},
    {"rwkv7a", "next/v7a/model.pth", "next/v7a/expected.safetensors", kNextTolerance},
    {"rwkv6qwen2", "next/rwkv6qwen2/model.gguf", "next/rwkv6qwen2/expected.safetensors",
     kNextTolerance},
    {"rwkv6qwen2", "next/rwkv6qwen2_nogqa/model.gguf", "next/rwkv6qwen2_nogqa/expected.safetensors",
     kNextTolerance},
    {"arwkv7", "next/arwkv7/model.gguf", "next/arwkv7/expected.safetensors", kNextTolerance},
    {"arwkv7", "next/arwkv7_gate/model.gguf", "next/arwkv7_gate/expected.safetensors",
     kNextTolerance},
};

std::filesystem::path path_of(const Golden& golden) {
  return test::fixture("models/" + golden.model);
}
std::filesystem::path numbers_of(const Golden& golden) {
  return test::fixture("models/" + golden.expected);
}

class GoldenModel : public testing::TestWithParam<Golden> {};

TEST_P(GoldenModel, gives_the_official_logits_after_every_token) {
  const Golden& golden = GetParam();
  const auto expected = test::read_expected(numbers_of(golden));
  ASSERT_GE(expected.tokens.size(), 24u);
  for (const char* device : {"cpu", "reference"}) {
    ModelOptions options;
    options.device = device;
    const auto model = test::open_model(path_of(golden), options);
    ASSERT_TRUE(model);
    EXPECT_EQ(model->info().design, golden.design);
    State state = model->new_state();
    const auto logits = test::logits_of(*model, state, expected.tokens);
    const double error = test::relative_error(logits, expected.logits);
    EXPECT_LE(error, golden.tolerance) << device;
    RecordProperty(device, std::to_string(error));
  }
}

// What a backend with few kernels would run.
TEST_P(GoldenModel, gives_them_on_primitives_alone) {
  const Golden& golden = GetParam();
  const auto expected = test::read_expected(numbers_of(golden));
  auto model = test::BrokenModel::open(path_of(golden));
  ASSERT_TRUE(model) << model.error().message;
  model->program = ops::expand(model->program, [](const ops::Op&) { return false; });
  for (const ops::Op& op : model->program.ops)
    EXPECT_FALSE(ops::operation(op).composite(op)) << ops::op_name(op.kind);
  const auto cpu = cpu::make_backend({.threads = 2});
  ASSERT_TRUE(cpu) << cpu.error().message;
  const auto reference = ops::reference_backend();
  for (ops::Backend* backend : {reference.get(), cpu->get()}) {
    const auto logits = model->logits(expected.tokens, *backend);
    ASSERT_TRUE(logits) << logits.error().message;
    EXPECT_LE(test::relative_error(*logits, expected.logits), golden.tolerance)
        << backend->describe();
  }
}

INSTANTIATE_TEST_SUITE_P(All, GoldenModel, testing::ValuesIn(kGolden), [](const auto& test) {
  std::string name = test.param.model;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

// The state after the fixture's tokens, part by part, as its file names them.
void check_final_state(const Golden& golden, const std::vector<std::string>& parts,
                       const std::function<std::string(size_t layer, size_t part)>& name) {
  const auto path = numbers_of(golden);
  const auto expected = test::read_expected(path);
  const auto model = test::open_model(path_of(golden));
  ASSERT_TRUE(model);
  State state = model->new_state();
  test::logits_of(*model, state, expected.tokens);
  const auto file = export_pth(state);  // in official layout
  ASSERT_TRUE(file);
  const auto container = io::read_container(*file, "exported");
  ASSERT_TRUE(container) << container.error().message;
  const auto layers = static_cast<size_t>(model->info().dimensions.layers);
  ASSERT_EQ(container->tensors.size(), layers * parts.size());
  for (size_t i = 0; i < container->tensors.size(); ++i) {
    const auto want = test::read_tensor(path, name(i / parts.size(), i % parts.size()));
    std::vector<float> got(want.size());
    ASSERT_TRUE(quant::read_f32(container->tensors[i], got));
    EXPECT_LE(test::relative_error(got, want), golden.tolerance)
        << golden.model << " layer " << i / parts.size() << " " << parts[i % parts.size()];
  }
}

TEST(GoldenState, after_all_tokens_is_the_official_one) {
  for (const Golden& golden : kGolden) {
    if (golden.tolerance == kNextTolerance) continue;
    std::vector<std::string> parts = {"att_x", "att_kv", "ffn_x"};
    if (golden.design == "rwkv4") parts = {"att_x", "att_aa", "att_bb", "att_pp", "ffn_x"};
    check_final_state(golden, parts, [&](size_t layer, size_t part) {
      return fmt::format("final.{}.{}", layer, parts[part]);
    });
  }
}

TEST(GoldenState, of_rwkv7a_after_all_tokens_is_the_official_one) {
  const Golden golden = {"rwkv7a", "next/v7a/model.pth", "next/v7a/expected.safetensors",
                         kNextTolerance};
  check_final_state(golden, {"x", "kv", "x2"}, [](size_t layer, size_t part) {
    return fmt::format("state.{}", 3 * layer + part);
  });
}

TEST(GoldenState, one_model_in_six_containers_gives_the_same_bits) {
  const auto expected = test::read_expected(test::fixture("models/tiny_v7.expected.safetensors"));
  std::vector<float> first;
  Digest fingerprint{};
  for (const Golden& golden : kGolden) {
    if (!golden.model.starts_with("tiny_v7")) continue;
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
TEST(GoldenGgmf, rwkv_cpp_test_models_give_their_stored_rows) {
  SK_NEEDS_SHARED("fixtures/rwkv.cpp/tiny-rwkv-7v0-834K-FP32.bin");
  const auto folder = test::shared_file("fixtures/rwkv.cpp");
  for (const std::string which : {"4v0-660K", "5v2-730K", "7v0-834K"}) {
    const auto model = test::open_model(folder / ("tiny-rwkv-" + which + "-FP32.bin"));
    ASSERT_TRUE(model);
    const auto prompt = read_file(folder / "prompt.txt", 1 << 20);
    const auto row = read_file(folder / ("expected-logits-" + which + ".bin"), 1 << 20);
    ASSERT_TRUE(prompt && row);
    std::vector<int32_t> tokens;
    for (const std::byte byte : *prompt) tokens.push_back(std::to_integer<int32_t>(byte));
    std::vector<float> expected(row->size() / sizeof(float));
    std::memcpy(expected.data(), row->data(), row->size());
    std::vector<float> logits(expected.size());
    ASSERT_EQ(model->vocab(), 256);
    State state = model->new_state();
    ASSERT_TRUE(model->eval(state, tokens, Want::last, logits.data()));
    EXPECT_LE(test::relative_error(logits, expected), kTolerance) << which;
  }
}

TEST(GoldenTimeState, starts_a_sequence_as_the_official_code_does) {
  const struct {
    const char* model;
    const char* tuned;
    const char* expected;
  } rows[] = {{"v7.pth", "v7.time_state.pth", "v7.time_state.expected.safetensors"},
              {"v6.pth", "v6.time_state.pth", "v6.time_state.expected.safetensors"},
              {"v6.pth", "v6.time_state.st", "v6.time_state.expected.safetensors"}};
  for (const auto& row : rows) {
    const auto expected = test::read_expected(test::fixture(std::string("models/") + row.expected));
    const auto model = test::open_model(test::fixture(std::string("models/") + row.model));
    const auto bytes = read_file(test::fixture(std::string("models/") + row.tuned), 1 << 24);
    ASSERT_TRUE(model && bytes);
    auto state = import_state(*bytes, row.tuned, model->state_layout());
    ASSERT_TRUE(state) << state.error().message;
    const auto tuned = state;
    const auto logits = test::logits_of(*model, *state, expected.tokens);
    EXPECT_LE(test::relative_error(logits, expected.logits), kTolerance) << row.tuned;
    // Written again it is the same state.
    const auto written = export_time_state(*tuned);
    ASSERT_TRUE(written);
    const auto again = import_state(*written, "again.pth", model->state_layout());
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, *tuned);
  }
}

TEST(GoldenTimeState, of_a_generation_without_matrices_is_refused) {
  const auto model = test::open_model(test::fixture("models/v4.pth"));
  const auto bytes = read_file(test::fixture("models/v7.time_state.pth"), 1 << 24);
  const auto state = import_state(*bytes, "v7.time_state.pth", model->state_layout());
  ASSERT_FALSE(state);
  EXPECT_EQ(state.error().code, Code::mismatch);
  EXPECT_FALSE(export_time_state(model->new_state()));
}

// Half of a fixture's tokens, then the official package's saved state, then the rest.
TEST(GoldenState, official_list_continues_the_sequence) {
  for (const std::string which : {"v4", "v6", "v7"}) {
    const auto file = [&](const char* ending) { return test::fixture("models/" + which + ending); };
    const auto expected = test::read_expected(file(".expected.safetensors"));
    const auto model = test::open_model(file(".pth"));
    const auto bytes = read_file(file(".state.pth"), 1 << 24);
    ASSERT_TRUE(model && bytes);
    auto state = import_state(*bytes, which, model->state_layout());
    ASSERT_TRUE(state) << state.error().message;
    constexpr size_t kRead = 16;
    const auto logits = test::logits_of(*model, *state, std::span(expected.tokens).subspan(kRead));
    const auto rest =
        std::span(expected.logits).subspan(kRead * static_cast<size_t>(model->vocab()));
    EXPECT_LE(test::relative_error(logits, {rest.begin(), rest.end()}), kTolerance) << which;
  }
}

TEST(GoldenNames, what_is_no_model_is_named_and_not_opened) {
  const struct {
    const char* file;
    const char* says;
  } rows[] = {{"v7.time_state.pth", "tuned initial states of 3 layers"},
              {"v7.state.pth", "a list of 9 tensors"},
              {"v7.lora.pth", "LoRA"}};
  for (const auto& row : rows) {
    const auto model = Model::open(test::fixture(std::string("models/") + row.file));
    ASSERT_FALSE(model) << row.file;
    EXPECT_EQ(model.error().code, Code::unsupported);
    EXPECT_NE(model.error().message.find(row.says), std::string::npos) << model.error().message;
  }
}

TEST(GoldenNames, designs_that_do_not_run_are_named) {
  const struct {
    const char* file;
    const char* says;
  } rows[] = {{"next/rwkv_x/model.pth", "RWKV-X"},
              {"next/v7b/model.pth", "RWKV-7b"},
              {"next/v8_rc00/model.pth", "RWKV-8 rc00 "},
              {"next/v8_rc00_hybrid/model.pth", "RWKV-8 rc00 hybrid"},
              {"next/rosa1bit_lm/model.pth", "ROSA language model"}};
  for (const auto& row : rows) {
    const auto model = Model::open(test::fixture(std::string("models/") + row.file));
    ASSERT_FALSE(model) << row.file;
    EXPECT_NE(model.error().message.find(row.says), std::string::npos) << model.error().message;
    EXPECT_NE(model.error().message.find("not runnable yet"), std::string::npos);
  }
}

}  // namespace
}  // namespace skein
