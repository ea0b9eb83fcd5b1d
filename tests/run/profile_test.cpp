// What a profile says of a step has to add up to what the model says of itself.
#include "run/profile.h"

#include <gtest/gtest.h>

#include "run/measuring.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

std::vector<std::shared_ptr<Model>> models() {
  std::vector<std::shared_ptr<Model>> out;
  for (const char* name : {"v4.pth", "v5_2.pth", "tiny_v6.gguf", "v7.pth"}) {
    auto model = Model::open(fixture(std::string("models/") + name), {.threads = 2});
    EXPECT_TRUE(model) << name;
    if (model) out.push_back(*model);
  }
  return out;
}

ops::Work all_of(const ops::Profile& profile) {
  ops::Work work;
  for (const auto& entry : profile.entries) work += entry.work;
  return work;
}

ops::Profile profile_of(Model& model, int64_t tokens, std::vector<float>& logits) {
  State state = model.new_state();
  ops::Profile profile;
  logits.resize(static_cast<size_t>(model.vocab()));
  EXPECT_TRUE(
      model.profile(state, some_tokens(tokens, model.vocab()), Want::last, logits.data(), profile));
  return profile;
}

TEST(Profile, the_work_of_a_token_adds_up_to_the_models) {
  for (const auto& model : models()) {
    std::vector<float> logits;
    const ops::Work work = all_of(profile_of(*model, 1, logits));
    EXPECT_EQ(work.weight_bytes + work.state_bytes, model->info().bytes_per_token)
        << model->info().file;
    EXPECT_EQ(work.flops, model->info().flops_per_token);
    EXPECT_GE(work.state_bytes, 2 * model->info().state_bytes);
    EXPECT_GT(work.value_bytes, 0);
  }
}

TEST(Profile, a_pass_reads_weights_once_and_computes_every_token) {
  for (const auto& model : models()) {
    std::vector<float> logits;
    const ops::Work one = all_of(profile_of(*model, 1, logits));
    const ops::Work many = all_of(profile_of(*model, 9, logits));
    EXPECT_EQ(many.weight_bytes, one.weight_bytes) << model->info().file;
    EXPECT_EQ(many.state_bytes, one.state_bytes);
    const auto& d = model->info().dimensions;
    const int64_t head = 2 * d.vocab * d.width;
    EXPECT_EQ(many.flops, 9 * (one.flops - head) + head);
  }
}

TEST(Profile, looking_changes_no_bit) {
  for (const auto& model : models()) {
    std::vector<float> seen, unseen(static_cast<size_t>(model->vocab()));
    profile_of(*model, 40, seen);
    State state = model->new_state();
    ASSERT_TRUE(model->eval(state, some_tokens(40, model->vocab()), Want::last, unseen.data()));
    EXPECT_EQ(seen, unseen) << model->info().file;
  }
}

TEST(Profile, time_is_somewhere_and_nowhere_twice) {
  for (const auto& model : models()) {
    std::vector<float> logits;
    const ops::Profile profile = profile_of(*model, 1, logits);  // too small for two threads
    double busy = 0;
    for (const auto& entry : profile.entries) {
      EXPECT_GE(entry.seconds, 0);
      busy += entry.seconds;
    }
    EXPECT_GT(busy, 0);
    EXPECT_LE(busy, profile.seconds);
  }
}

TEST(Profile, a_report_groups_what_every_layer_has) {
  const auto model = Model::open(fixture("models/v7.pth"), {.threads = 2});
  ASSERT_TRUE(model);
  const auto report = run_profile(**model, {.prompt = 5, .repeats = 2}, {});
  ASSERT_TRUE(report);
  ASSERT_EQ(report->steps.size(), 2u);
  EXPECT_EQ(report->steps[0].name, "decode");
  EXPECT_EQ(report->steps[1].name, "prefill 5");
  const int64_t layers = (*model)->info().dimensions.layers;
  for (const StepProfile& step : report->steps) {
    const auto count = [&](std::string_view operation, std::string_view weight) {
      for (const ProfileRow& row : step.rows)
        if (row.operation == operation && row.weight == weight) return row.count;
      return int64_t{0};
    };
    for (const char* weight :
         {"att.receptance", "att.key", "att.value", "att.output", "ffn.key", "ffn.value"})
      EXPECT_EQ(count("linear", weight), layers) << weight;
    EXPECT_EQ(count("linear", "head"), 1);
    EXPECT_EQ(count("linear", "low-rank"), 8 * layers - 2);  // the first layer has no v1, v2
    EXPECT_EQ(count("wkv7", ""), layers);
    double seconds = step.waiting;
    for (const ProfileRow& row : step.rows) seconds += row.seconds;
    EXPECT_GE(seconds, step.seconds * (1 - 1e-9));
  }
  EXPECT_GT(report->limits.find(kReadLimit).value, 0);
}

TEST(Profile, a_device_that_cannot_tell_says_so) {
  const auto model = Model::open(fixture("models/v7.pth"), {.device = "reference"});
  ASSERT_TRUE(model);
  const auto report = run_profile(**model, {.prompt = 2, .repeats = 1}, {});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Code::unsupported);
}

}  // namespace
}  // namespace skein::test
