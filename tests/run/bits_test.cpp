// The promise of the engine: a sequence's logits and state are the same bits whatever the
// instruction set, the threads, the cut into calls, the company in the batch, and whether the state
// went through a file.
#include <gtest/gtest.h>
#include <unistd.h>

#include "cpu/dispatch.h"
#include "run/state_file.h"
#include "support/allocations.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/random.h"
#include "support/states.h"

namespace skein {
namespace {

using test::same_bits;

std::vector<int32_t> random_tokens(uint64_t seed, size_t count, int32_t vocab) {
  test::Random random(seed);
  std::vector<int32_t> out(count);
  for (int32_t& id : out) id = static_cast<int32_t>(random.below(static_cast<uint64_t>(vocab)));
  return out;
}

struct Result_ {
  std::vector<float> logits;
  std::vector<float> state;
};

Result_ run(Model& model, std::span<const int32_t> tokens, size_t chunk) {
  State state = model.new_state();
  Result_ out;
  out.logits = test::logits_of(model, state, tokens, chunk);
  out.state = test::numbers(state);
  return out;
}

// Golden models, and a random one of every design in sizes that fill no vector.
std::vector<std::string> all_models() {
  std::vector<std::string> out = {"v7.pth", "tiny_v7.pth", "tiny_v6.gguf",
                                  "v4.pth", "v5_2.pth",    "bundled-0.pth"};
  for (const std::string& design : test::runnable_designs()) out.push_back("random " + design);
  return out;
}

class Bits : public testing::TestWithParam<std::string> {
 protected:
  void TearDown() override {
    if (!made_.empty()) std::filesystem::remove(made_);
  }

  std::filesystem::path path() {
    const std::string& name = GetParam();
    if (name == "bundled-0.pth") return std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / name;
    if (!name.starts_with("random ")) return test::fixture("models/" + name);
    if (!made_.empty()) return made_;
    const test::ModelSizes sizes = {.layers = 2,
                                    .width = 120,
                                    .heads = 3,
                                    .inner = 200,
                                    .vocab = 60,
                                    .rank_w = 12,
                                    .rank_a = 20,
                                    .rank_v = 7,
                                    .rank_g = 9,
                                    .design = name.substr(7),
                                    .groups = name.ends_with("qwen2") ? 1 : 0};
    made_ = std::filesystem::temp_directory_path() / fmt::format("skein_bits_{}.st", getpid());
    return test::write_model(made_, test::random_model(sizes), hints_of(sizes));
  }

 private:
  std::filesystem::path made_;
};

TEST_P(Bits, do_not_depend_on_instruction_set_threads_or_chunks) {
  constexpr size_t kTokens = 90;
  Result_ first;
  for (const cpu::Isa& isa : cpu::instruction_sets()) {
    if (!isa.supported) continue;
    // Threads divide the work alike whatever the instructions: all of them with the fastest, one
    // other number with each of the rest.
    const bool fastest = isa.kernels == *cpu::kernels();
    const int other = 1 + static_cast<int>(&isa - cpu::instruction_sets().data()) % 3;
    for (const int threads : {1, 2, 3}) {
      if (!fastest && threads != other) continue;
      ModelOptions options;
      options.isa = isa.kernels->name;
      options.threads = threads;
      const auto model = test::open_model(path(), options);
      ASSERT_TRUE(model);
      const auto tokens = random_tokens(5, kTokens, model->vocab());
      for (const size_t chunk : {size_t{1}, size_t{7}, size_t{64}, kTokens}) {
        const Result_ got = run(*model, tokens, chunk);
        if (first.logits.empty()) first = got;
        EXPECT_TRUE(same_bits(got.logits, first.logits))
            << isa.kernels->name << ", " << threads << " threads, chunks of " << chunk;
        EXPECT_TRUE(same_bits(got.state, first.state))
            << isa.kernels->name << ", " << threads << " threads, chunks of " << chunk;
      }
    }
  }
}

TEST_P(Bits, do_not_depend_on_the_pass_size) {
  Result_ first;
  for (const int pass : {1, 5, 32, 512}) {
    ModelOptions options;
    options.chunk = pass;
    const auto model = test::open_model(path(), options);
    const auto tokens = random_tokens(6, 100, model->vocab());
    const Result_ got = run(*model, tokens, tokens.size());
    if (first.logits.empty()) first = got;
    EXPECT_TRUE(same_bits(got.logits, first.logits)) << "passes of " << pass;
    EXPECT_TRUE(same_bits(got.state, first.state)) << "passes of " << pass;
  }
}

TEST_P(Bits, do_not_depend_on_the_other_seven_in_the_batch) {
  constexpr size_t kBatch = 8;
  const auto model = test::open_model(path());
  const auto vocab = static_cast<size_t>(model->vocab());
  std::vector<State> states(kBatch, model->new_state());
  std::vector<State> alone = states;
  // Prompts of different lengths in one call, then all decode together.
  for (int round = 0; round < 4; ++round) {
    std::vector<std::vector<int32_t>> tokens;
    std::vector<std::vector<float>> logits(kBatch);
    std::vector<Job> jobs;
    for (size_t i = 0; i < kBatch; ++i) {
      tokens.push_back(random_tokens(100 * i + static_cast<size_t>(round),
                                     round == 0 ? 1 + 37 * i : 1, model->vocab()));
      const Want want = i % 3 == 0 ? Want::all : i % 3 == 1 ? Want::last : Want::none;
      logits[i].resize(want == Want::all ? tokens[i].size() * vocab : vocab);
      jobs.push_back({&states[i], {}, want, want == Want::none ? nullptr : logits[i].data()});
    }
    for (size_t i = 0; i < kBatch; ++i) jobs[i].tokens = tokens[i];
    ASSERT_TRUE(model->eval(jobs));
    for (size_t i = 0; i < kBatch; ++i) {
      std::vector<float> expected(logits[i].size());
      ASSERT_TRUE(model->eval(alone[i], tokens[i], jobs[i].want, expected.data()));
      if (jobs[i].want == Want::none) expected = logits[i];  // nothing was written to either
      EXPECT_TRUE(same_bits(logits[i], expected)) << "round " << round << ", sequence " << i;
      EXPECT_TRUE(states[i] == alone[i]) << "round " << round << ", sequence " << i;
    }
  }
}

TEST_P(Bits, survive_saving_and_restoring) {
  const auto model = test::open_model(path());
  const auto tokens = random_tokens(9, 60, model->vocab());
  const std::span<const int32_t> all = tokens;
  State straight = model->new_state();
  const auto expected = test::logits_of(*model, straight, all);
  State state = model->new_state();
  test::logits_of(*model, state, all.first(30));
  const auto file = StateFile::make(state, all.first(30), "text")->bytes();
  auto restored = import_state(file, "state", model->state_layout());
  ASSERT_TRUE(restored) << restored.error().message;
  EXPECT_EQ(restored->tokens_read(), 30u);
  const auto rest = test::logits_of(*model, *restored, all.subspan(30));
  const std::span<const float> want = expected;
  EXPECT_TRUE(same_bits(rest, want.subspan(want.size() / 2)));
  EXPECT_TRUE(*restored == straight);
  EXPECT_EQ(restored->tokens_hash(), straight.tokens_hash());
  // The official package's layout keeps the bits too.
  const auto pth = export_pth(straight);
  ASSERT_TRUE(pth);
  const auto back = import_state(*pth, "state.pth", model->state_layout());
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == straight);
}

INSTANTIATE_TEST_SUITE_P(Models, Bits, testing::ValuesIn(all_models()), [](const auto& test) {
  std::string name = test.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

// The device that others are compared with keeps the promise, too.
TEST(Reference, does_not_mind_how_a_text_is_cut) {
  for (const char* name : {"v4.pth", "v6.pth", "tiny_v7.pth"}) {
    const auto model =
        test::open_model(test::fixture(std::string("models/") + name), {.device = "reference"});
    const auto tokens = random_tokens(4, 9, model->vocab());
    const Result_ whole = run(*model, tokens, tokens.size());
    for (const size_t chunk : {1, 4}) {
      const Result_ cut = run(*model, tokens, chunk);
      EXPECT_TRUE(same_bits(cut.logits, whole.logits)) << name << ", pieces of " << chunk;
      EXPECT_TRUE(same_bits(cut.state, whole.state)) << name << ", pieces of " << chunk;
    }
  }
}

TEST(Hidden, times_the_head_is_the_logits) {
  const auto path = test::fixture("models/v7.pth");
  const std::vector<float> head = test::read_tensor(path, "head.weight");
  for (const char* device : {"cpu", "reference"}) {
    const auto model = test::open_model(path, {.threads = 2, .device = device});
    const auto vocab = static_cast<size_t>(model->vocab());
    const auto width = static_cast<size_t>(model->info().dimensions.width);
    const auto tokens = random_tokens(3, 20, model->vocab());
    State state = model->new_state(), other = model->new_state();
    std::vector<float> hidden(tokens.size() * width), product(tokens.size() * vocab);
    ASSERT_TRUE(model->eval_hidden(state, tokens, Want::all, hidden.data()));
    for (size_t t = 0; t < tokens.size(); ++t)
      for (size_t o = 0; o < vocab; ++o) {
        double sum = 0;
        for (size_t i = 0; i < width; ++i)
          sum += double{head[o * width + i]} * hidden[t * width + i];
        product[t * vocab + o] = static_cast<float>(sum);
      }
    EXPECT_LE(test::relative_error(product, test::logits_of(*model, other, tokens)), 1e-6)
        << device;
    EXPECT_TRUE(state == other);
    // The next token's logits are computed as if nothing had been left out.
    std::vector<float> a(vocab), b(vocab);
    const int32_t next = 7;
    ASSERT_TRUE(model->eval(state, {&next, 1}, Want::last, a.data()));
    ASSERT_TRUE(model->eval(other, {&next, 1}, Want::last, b.data()));
    EXPECT_EQ(a, b);
  }
}

TEST(Eval, a_refused_call_leaves_the_state_as_it_was) {
  const auto model = test::open_model(test::fixture("models/tiny_v7.pth"));
  State state = model->new_state();
  test::logits_of(*model, state, random_tokens(1, 10, model->vocab()));
  const State before = state;
  std::vector<float> logits(static_cast<size_t>(model->vocab()));
  const auto refuse = [&](std::span<const Job> jobs, Code code) {
    const Status status = model->eval(jobs);
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, code) << status.error().message;
    EXPECT_TRUE(state == before);
    EXPECT_EQ(state.tokens_read(), 10u);
  };
  const std::vector<int32_t> good = {1}, too_large = {1, model->vocab()}, negative = {-1};
  refuse({{Job{&state, too_large, Want::none, nullptr}}}, Code::argument);
  refuse({{Job{&state, negative, Want::none, nullptr}}}, Code::argument);
  refuse({{Job{&state, {}, Want::none, nullptr}}}, Code::argument);
  refuse({{Job{&state, good, Want::last, nullptr}}}, Code::argument);
  refuse({{Job{nullptr, good, Want::none, nullptr}}}, Code::argument);
  const Job twice[] = {{&state, good, Want::none, nullptr}, {&state, good, Want::none, nullptr}};
  refuse(twice, Code::argument);
  // A good job beside a bad one does not run either.
  State other = model->new_state();
  const Job mixed[] = {{&state, good, Want::none, nullptr},
                       {&other, too_large, Want::none, nullptr}};
  refuse(mixed, Code::argument);
  const auto stranger = test::open_model(test::fixture("models/v7.pth"));
  State foreign = stranger->new_state();
  refuse({{Job{&foreign, good, Want::none, nullptr}}}, Code::mismatch);
}

TEST(Eval, a_decode_step_allocates_nothing) {
  const auto model = test::open_model(test::fixture("models/v7.pth"));
  std::vector<State> states(8, model->new_state());
  std::vector<float> logits(8 * static_cast<size_t>(model->vocab()));
  const std::vector<int32_t> tokens = {5};
  std::vector<Job> jobs;
  for (size_t i = 0; i < states.size(); ++i)
    jobs.push_back(
        {&states[i], tokens, Want::last, logits.data() + i * static_cast<size_t>(model->vocab())});
  for (const size_t batch : {size_t{1}, states.size()}) {
    const auto part = std::span(jobs).first(batch);
    ASSERT_TRUE(model->eval(part));  // the first step of a size may make room
    const long before = test::allocations();
    for (int i = 0; i < 20; ++i) ASSERT_TRUE(model->eval(part));
    EXPECT_EQ(test::allocations(), before) << batch << " sequences";
  }
}

TEST(StateExport, a_state_that_could_not_be_loaded_again_is_not_handed_out) {
  const auto model = test::open_model(test::fixture("models/tiny_v7.pth"));
  State state = model->new_state();
  EXPECT_TRUE(check_exportable(state));
  for (const float bad : {std::nanf(""), INFINITY, -2e6f}) {
    test::set_number(state, 7, bad);
    EXPECT_FALSE(check_exportable(state));
    EXPECT_FALSE(parse_saved_state(StateFile::make(state, {}, {})->bytes(), "state"))
        << "they have to agree";
  }
}

TEST(Eval, tracing_shows_every_named_value_and_changes_nothing) {
  const auto model = test::open_model(test::fixture("models/tiny_v7.pth"));
  const auto tokens = random_tokens(2, 9, model->vocab());
  State plain = model->new_state(), traced = model->new_state();
  const auto expected = test::logits_of(*model, plain, tokens);
  std::vector<float> logits(expected.size()), last;
  std::vector<std::string> names;
  ASSERT_TRUE(model->trace(traced, tokens, Want::all, logits.data(),
                           [&](const ops::Value& value, std::span<const float> data) {
                             names.push_back(value.name);
                             EXPECT_EQ(data.size(), tokens.size() * size_t(value.width));
                             last.assign(data.begin(), data.end());
                           }));
  EXPECT_TRUE(same_bits(logits, expected));
  EXPECT_TRUE(same_bits(last, expected));
  EXPECT_TRUE(plain == traced);
  EXPECT_NE(std::find(names.begin(), names.end(), "blocks.1.att.kk"), names.end());
}

TEST(Eval, a_file_cut_under_a_loaded_model_is_an_error_and_no_crash) {
  const auto path = std::filesystem::temp_directory_path() /
                    fmt::format("skein_cut_{}.pth", static_cast<long>(getpid()));
  std::filesystem::copy_file(test::fixture("models/v7.pth"), path,
                             std::filesystem::copy_options::overwrite_existing);
  const auto model = test::open_model(path);
  State state = model->new_state();
  const std::vector<int32_t> tokens = {1, 2, 3};
  ASSERT_TRUE(model->eval(state, tokens, Want::none, nullptr));
  const State before = state;
  std::filesystem::resize_file(path, 100);
  const Status status = model->eval(state, tokens, Want::none, nullptr);
  ASSERT_FALSE(status);
  EXPECT_EQ(status.error().code, Code::io);
  EXPECT_TRUE(state == before);
  std::filesystem::remove(path);
}

}  // namespace
}  // namespace skein
