// Models of shapes that nobody released: odd ones have to run, impossible ones to be refused.
#include <gtest/gtest.h>
#include <unistd.h>

#include "cpu/dispatch.h"
#include "cpu/schedule.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/races.h"
#include "support/thorough.h"

namespace skein {
namespace {

using test::ModelSizes;

class ShapesTest : public testing::Test {
 protected:
  void TearDown() override { std::filesystem::remove(path_); }

  const std::filesystem::path& write(const test::ModelData& model, const arch::Hints& hints = {}) {
    test::write_model(path_, model, hints);
    return path_;
  }

  std::filesystem::path path_ =
      std::filesystem::temp_directory_path() / fmt::format("skein_shapes_{}.st", getpid());
};

TEST(ShapesSchedule, no_two_threads_touch_one_number_between_two_barriers) {
  test::Random random(1);
  for (int round = 0; round < 120; ++round) {
    ModelSizes sizes;
    sizes.layers = 2;
    sizes.width = 64 * static_cast<int64_t>(1 + random.below(8));
    sizes.heads = sizes.width / 64;
    sizes.inner = 16 * static_cast<int64_t>(1 + random.below(40));
    sizes.vocab = 70;
    for (int64_t* rank : {&sizes.rank_w, &sizes.rank_a, &sizes.rank_v, &sizes.rank_g})
      *rank = 16 * static_cast<int64_t>(1 + random.below(24));
    const auto designs = test::runnable_designs();
    sizes.design = designs[random.below(designs.size())];
    const auto program = test::make_architecture(sizes)->forward();
    const int threads = 2 + static_cast<int>(random.below(4));
    for (const auto size : {cpu::StepSize::small, cpu::StepSize::large}) {
      const auto schedule = cpu::make_schedule(program, size, threads);
      ASSERT_EQ(test::find_race(program, schedule, threads, 5), "")
          << "width " << sizes.width << " of " << sizes.design << ", ranks " << sizes.rank_w << " "
          << sizes.rank_a << " " << sizes.rank_v << " " << sizes.rank_g << ", " << threads
          << " threads";
    }
  }
}

// What a layer costs in barriers and in memory: RWKV-7 at the sizes of its smallest model.
TEST(ShapesSchedule, a_decode_step_of_rwkv7_meets_seven_times_a_layer) {
  ModelSizes sizes;
  sizes.layers = 3;
  sizes.width = 768;
  sizes.heads = 12;
  sizes.inner = 3072;
  sizes.rank_w = sizes.rank_a = 64;
  sizes.rank_v = 32;
  sizes.rank_g = 128;
  sizes.design = "rwkv7";
  const auto program = test::make_architecture(sizes)->forward();
  const auto schedule = cpu::make_schedule(program, cpu::StepSize::small, 2);
  int barriers = 0;
  for (const cpu::Scheduled& op : schedule.ops) barriers += op.wait_before;
  EXPECT_LE(barriers, 7 * 3 + 4);
  // The chain of a head's small operations needs no memory for all tokens.
  const auto prompt = cpu::make_schedule(program, cpu::StepSize::large, 2);
  EXPECT_LT(prompt.plan.floats_per_token, ops::make_plan(program).floats_per_token);
}

// Wide enough for single tokens to be shared among threads, with ranks that make values reuse each
// other's memory at odd places. Designs divide the numbers of threads among each other.
TEST_F(ShapesTest, wide_models_of_odd_ranks_give_the_same_bits_on_any_number_of_threads) {
  const auto designs = test::runnable_designs();
  for (size_t turn = 0; turn < designs.size(); ++turn) {
    const std::string& design = designs[turn];
    const ModelSizes sizes = {.layers = 2,
                              .width = 512,
                              .heads = 8,
                              .inner = 1040,
                              .vocab = 50,
                              .rank_w = 128,
                              .rank_a = 256,
                              .rank_v = 128,
                              .rank_g = 384,
                              .design = design};
    const auto& path = write(test::random_model(sizes), hints_of(sizes));
    std::vector<int32_t> tokens;
    for (int32_t i = 0; i < 45; ++i) tokens.push_back(i * 7 % 50);
    std::vector<float> first;
    for (const int threads : {1, 2, 3, 4}) {
      if (threads > 1 && !test::taken(static_cast<size_t>(threads), turn, designs.size())) continue;
      ModelOptions options;
      options.threads = threads;
      const auto model = test::open_model(path, options);
      ASSERT_TRUE(model);
      ASSERT_EQ(model->info().design, design);
      ASSERT_GT(model->info().flops_per_token, 4'000'000);
      for (const size_t chunk : {size_t{1}, size_t{5}, size_t{45}}) {
        State state = model->new_state();
        const auto logits = test::logits_of(*model, state, tokens, chunk);
        if (first.empty()) first = logits;
        EXPECT_TRUE(test::same_bits(logits, first))
            << design << ", " << threads << " threads, chunks of " << chunk;
      }
      // Three sequences that begin and end within blocks, side by side.
      const size_t lengths[] = {37, 1, 45};
      const auto vocab = static_cast<size_t>(model->vocab());
      std::vector<State> states(3, model->new_state());
      std::vector<std::vector<float>> logits(3);
      std::vector<Job> jobs;
      for (size_t i = 0; i < 3; ++i) {
        logits[i].resize(lengths[i] * vocab);
        jobs.push_back(
            {&states[i], std::span(tokens).first(lengths[i]), Want::all, logits[i].data()});
      }
      ASSERT_TRUE(model->eval(jobs));
      for (const auto& got : logits)
        EXPECT_TRUE(test::same_bits(got, std::span<const float>(first).first(got.size())))
            << design << ", " << threads << " threads, sequence of " << got.size() / vocab;
    }
  }
}

TEST_F(ShapesTest, heads_that_fill_no_vector_agree_with_the_reference) {
  for (const std::string& design : test::runnable_designs()) {
    for (const int64_t groups : {0, 1}) {
      if (groups && design != "rwkv6qwen2") continue;
      const ModelSizes sizes = {.layers = 2,
                                .width = 40,
                                .heads = 2,
                                .inner = 33,
                                .vocab = 17,
                                .rank_w = 3,
                                .rank_a = 5,
                                .rank_v = 7,
                                .rank_g = 1,
                                .design = design,
                                .groups = groups};
      const auto& path = write(test::random_model(sizes), hints_of(sizes));
      const std::vector<int32_t> tokens = {1, 16, 0, 5, 5, 9};
      std::vector<float> expected;
      for (const char* device : {"reference", "cpu"}) {
        ModelOptions options;
        options.device = device;
        const auto model = test::open_model(path, options);
        ASSERT_TRUE(model);
        State state = model->new_state();
        const auto logits = test::logits_of(*model, state, tokens);
        if (expected.empty()) expected = logits;
        EXPECT_LE(test::relative_error(logits, expected), 5e-6) << design;
      }
    }
  }
}

TEST_F(ShapesTest, a_model_without_ln0_runs_and_one_with_half_of_it_is_refused) {
  auto model = test::random_model({});
  model.erase("blocks.0.ln0.bias");
  auto refused = Model::open(write(model));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::mismatch);
  EXPECT_NE(refused.error().message.find("blocks.0.ln0.bias"), std::string::npos);
  model.erase("blocks.0.ln0.weight");
  const auto opened = test::open_model(write(model));
  ASSERT_TRUE(opened);
  State state = opened->new_state();
  EXPECT_EQ(test::logits_of(*opened, state, std::vector<int32_t>{1, 2}).size(), 80u);
}

TEST_F(ShapesTest, sizes_that_contradict_each_other_are_a_mismatch_that_names_the_file) {
  const auto refuse = [&](const char* what, const auto& change) {
    auto model = test::random_model({});
    change(model);
    const auto opened = Model::open(write(model));
    ASSERT_FALSE(opened) << what;
    EXPECT_EQ(opened.error().code, Code::mismatch) << what << ": " << opened.error().message;
    EXPECT_NE(opened.error().message.find("skein_shapes"), std::string::npos);
  };
  const auto reshape = [](test::ModelData& model, const std::string& name, Shape shape) {
    model[name] = {shape, std::vector<float>(static_cast<size_t>(shape.elements()))};
  };
  refuse("rank 0", [&](auto& m) {
    for (const char* layer : {"0", "1"}) {
      reshape(m, fmt::format("blocks.{}.att.w1", layer), {64, 0});
      reshape(m, fmt::format("blocks.{}.att.w2", layer), {0, 64});
    }
  });
  refuse("no heads", [&](auto& m) { reshape(m, "blocks.0.att.r_k", {0, 64}); });
  refuse("no head size", [&](auto& m) { reshape(m, "blocks.0.att.r_k", {64, 0}); });
  refuse("heads of another width", [&](auto& m) { reshape(m, "blocks.0.att.r_k", {3, 20}); });
  refuse("flat r_k", [&](auto& m) { reshape(m, "blocks.0.att.r_k", {64}); });
  refuse("no vocabulary", [&](auto& m) { reshape(m, "emb.weight", {0, 64}); });
  refuse("head of another vocabulary", [&](auto& m) { reshape(m, "head.weight", {41, 64}); });
  refuse("no inner width", [&](auto& m) {
    for (const char* layer : {"0", "1"}) {
      reshape(m, fmt::format("blocks.{}.ffn.key.weight", layer), {0, 64});
      reshape(m, fmt::format("blocks.{}.ffn.value.weight", layer), {64, 0});
    }
  });
  refuse("layer missing", [&](auto& m) {
    for (auto it = m.begin(); it != m.end();)
      it = it->first.starts_with("blocks.0.") && it->first != "blocks.0.att.r_k" ? m.erase(it)
                                                                                 : std::next(it);
  });
  refuse("vector too short", [&](auto& m) { reshape(m, "blocks.1.att.x_g", {63}); });
}

TEST_F(ShapesTest, every_single_missing_tensor_is_named) {
  for (const std::string& design : test::runnable_designs()) {
    const ModelSizes sizes = {.design = design};
    const auto whole = test::random_model(sizes);
    for (const auto& [name, value] : whole) {
      auto model = whole;
      model.erase(name);
      const auto opened = Model::open(write(model, hints_of(sizes)));
      ASSERT_FALSE(opened) << design << " without " << name;
      // Without one of these it is a file of another design, or of none.
      const bool mark = opened.error().code == Code::unsupported ||
                        opened.error().message.find(name) == std::string::npos;
      static constexpr std::string_view kMarks[] = {
          "blocks.0.att.r_k",        "blocks.0.att.time_maa_x",  "blocks.0.att.time_decay",
          "blocks.0.att.time_first", "blocks.0.ffn.gate.weight", "blocks.0.ffn.s_emb.weight",
          "blocks.0.att.ln_x.weight"};
      if (mark)
        EXPECT_NE(std::find(std::begin(kMarks), std::end(kMarks), name), std::end(kMarks))
            << design << " without " << name << ": " << opened.error().message;
      else
        EXPECT_EQ(opened.error().code, Code::mismatch) << design << " without " << name;
    }
  }
}

}  // namespace
}  // namespace skein
