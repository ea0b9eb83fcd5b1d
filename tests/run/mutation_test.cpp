// Would the golden models notice? Every generation is broken in one detail at a time, and its
// logits have to leave the official ones by far more than golden_test.cpp allows.
#include <gtest/gtest.h>

#include "run/mutations.h"
#include "support/models.h"

namespace skein::test {
namespace {

// As in golden_test.cpp.
constexpr double kTolerance = 5e-6;
constexpr double kNextTolerance = 2e-5;
// A mistake has to show by this many tolerances.
constexpr double kFactor = 20;
// The first tokens of the fixtures suffice.
constexpr size_t kTokens = 12;

struct Breakable {
  std::string model;
  std::string expected;
  double tolerance;
  std::vector<Mutations (*)()> mutations;
};
void PrintTo(const Breakable& breakable, std::ostream* out) { *out << breakable.model; }

const Breakable kBreakables[] = {
    {"v4.pth",
     "v4.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, gated_channel_mix_mutations, rwkv4_mutations}},
    {"v5_0.pth",
     "v5_0.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, gated_channel_mix_mutations, group_norm_mutations, heads_mutations,
      rwkv5_mutations, rwkv5_per_head_mutations, rwkv5_log_bonus_mutations}},
    {"v5_1.pth",
     "v5_1.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, gated_channel_mix_mutations, group_norm_mutations, heads_mutations,
      rwkv5_mutations, rwkv5_gate_mutations, rwkv5_per_head_mutations,
      rwkv5_plain_bonus_mutations}},
    {"v5_2.pth",
     "v5_2.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, gated_channel_mix_mutations, group_norm_mutations, heads_mutations,
      rwkv5_mutations, rwkv5_gate_mutations, rwkv5_plain_bonus_mutations}},
    {"v6.pth",
     "v6.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, gated_channel_mix_mutations, group_norm_mutations, heads_mutations,
      finch_mutations, rwkv6_mutations}},
    {"tiny_v6.gguf",
     "tiny_v6.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, gated_channel_mix_mutations, group_norm_mutations, finch_mutations,
      rwkv6_mutations}},
    {"v7.pth",
     "v7.expected.safetensors",
     kTolerance,
     {layer_norm_mutations, group_norm_mutations, heads_mutations, goose_mutations,
      goose_gate_mutations, goose_third_layer_mutations, rwkv7_channel_mix_mutations}},
    {"next/v7a/model.pth",
     "next/v7a/expected.safetensors",
     kNextTolerance,
     {layer_norm_mutations, group_norm_mutations, heads_mutations, goose_mutations,
      goose_gate_mutations, rwkv7_channel_mix_mutations, rwkv7a_mutations}},
    {"next/rwkv6qwen2/model.gguf",
     "next/rwkv6qwen2/expected.safetensors",
     kNextTolerance,
     {rms_norm_mutations, swiglu_mutations, finch_mutations, qrwkv6_mutations}},
    {"next/arwkv7_gate/model.gguf",
     "next/arwkv7_gate/expected.safetensors",
     kNextTolerance,
     {rms_norm_mutations, swiglu_mutations, group_norm_mutations, heads_mutations, goose_mutations,
      goose_gate_mutations}},
    {"next/arwkv7/model.gguf",
     "next/arwkv7/expected.safetensors",
     kNextTolerance,
     {rms_norm_mutations, swiglu_mutations, goose_mutations}},
};

class BrokenGeneration : public testing::TestWithParam<Breakable> {};

TEST_P(BrokenGeneration, leaves_the_official_logits_with_every_single_mistake) {
  const Breakable& breakable = GetParam();
  const auto model = BrokenModel::open(fixture("models/" + breakable.model));
  ASSERT_TRUE(model) << model.error().message;
  Expected expected = read_expected(fixture("models/" + breakable.expected));
  ASSERT_GE(expected.tokens.size(), kTokens);
  expected.logits.resize(expected.logits.size() / expected.tokens.size() * kTokens);
  expected.tokens.resize(kTokens);

  const auto tolerances = [&](const Mutation& mutation) {
    BrokenModel broken = *model;
    mutation.apply(broken);
    const auto logits = broken.logits(expected.tokens);
    EXPECT_TRUE(logits) << logits.error().message;
    if (!logits) return 0.0;
    return relative_error(*logits, expected.logits) / breakable.tolerance;
  };
  const double whole = tolerances({"nothing", [](BrokenModel&) {}});
  ASSERT_LE(whole, 1);
  RecordProperty("nothing is broken", std::to_string(whole));

  int count = 0;
  const auto check = [&](const Mutations& mutations) {
    for (const Mutation& mutation : mutations) {
      SCOPED_TRACE(mutation.broken);
      const double factor = tolerances(mutation);
      EXPECT_GE(factor, kFactor);
      RecordProperty(mutation.broken, std::to_string(factor));
      ++count;
    }
  };
  check(skeleton_mutations());
  for (const auto& mutations : breakable.mutations) check(mutations());
  EXPECT_GE(count, 10);
}

INSTANTIATE_TEST_SUITE_P(All, BrokenGeneration, testing::ValuesIn(kBreakables),
                         [](const auto& test) {
                           std::string name = test.param.model;
                           std::replace_if(
                               name.begin(), name.end(), [](char c) { return !std::isalnum(c); },
                               '_');
                           return name;
                         });

// The golden models hardly tell 1e-5 from 1e-6.
TEST_P(BrokenGeneration, has_the_official_epsilons_when_it_is_whole) {
  const Breakable& breakable = GetParam();
  const auto model = BrokenModel::open(fixture("models/" + breakable.model));
  ASSERT_TRUE(model) << model.error().message;
  int norms = 0;
  for (const ops::Op& op : model->program.ops) {
    const float official = op.kind == ops::OpKind::layer_norm   ? 1e-5f
                           : op.kind == ops::OpKind::rms_norm   ? 1e-6f
                           : op.kind == ops::OpKind::group_norm ? 64e-5f
                                                                : 0;
    EXPECT_EQ(op.epsilon, official) << model->program.values[static_cast<size_t>(op.out)].name;
    norms += op.kind == ops::OpKind::layer_norm || op.kind == ops::OpKind::rms_norm;
  }
  EXPECT_GE(norms, 5);
}

// Both sums of an empty state are 0, whatever they are divided by, and the golden models' keys are
// small: neither their logits nor their final states show an exponent that starts at 0. Keys of
// some hundreds below it do, since what they weigh then vanishes from the state.
TEST(BrokenState, of_rwkv4_has_to_start_below_every_exponent) {
  const auto model = BrokenModel::open(fixture("models/v4.pth"));
  ASSERT_TRUE(model) << model.error().message;
  Expected expected = read_expected(fixture("models/v4.expected.safetensors"));
  expected.tokens.resize(kTokens);
  BrokenModel low = *model;
  numbers("att.k", 0, [](double weight) { return 300 * weight; })(low);
  BrokenModel broken = low;
  std::replace(broken.start.begin(), broken.start.end(), -1e30f, 0.0f);
  ASSERT_NE(broken.start, low.start);
  const auto logits = low.logits(expected.tokens), other = broken.logits(expected.tokens);
  ASSERT_TRUE(logits && other);
  EXPECT_GE(relative_error(*other, *logits) / kTolerance, kFactor);
}

}  // namespace
}  // namespace skein::test
