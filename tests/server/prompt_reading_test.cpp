// What is found out about a prompt: the same in any company and with any cutting, in every design.
#include "server/prompt_reading.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "run/engine.h"
#include "support/make_model.h"
#include "support/models.h"

namespace skein::test {
namespace {

using server::Findings;
using server::PromptReading;
using server::Wanted;
using Ids = std::vector<int32_t>;

class PromptReadings : public testing::TestWithParam<std::string> {
 protected:
  PromptReadings() {
    const ModelSizes sizes = {.design = GetParam(), .groups = GetParam() == "rwkv6qwen2" ? 1 : 0};
    const auto bytes = as_safetensors(random_model(sizes), hints_of(sizes));
    const std::span<const std::byte> parts[] = {bytes};
    path_ = std::filesystem::temp_directory_path() / fmt::format("skein_reading_{}.st", getpid());
    EXPECT_TRUE(write_file(path_, parts));
  }
  ~PromptReadings() override { std::filesystem::remove(path_); }

  static Ids ids(size_t count, size_t seed) {
    Ids out(count);
    for (size_t i = 0; i < count; ++i) out[i] = static_cast<int32_t>((i * 7 + seed * 13 + 3) % 40);
    return out;
  }

  std::filesystem::path path_;
};

// One that is read beside others or alone.
struct Reader {
  Session session;
  std::shared_ptr<PromptReading> reading;
  Reader(const std::shared_ptr<Model>& model, const Ids& ids, const Wanted& wanted)
      : session(model), reading(std::make_shared<PromptReading>(session, ids, wanted)) {}
};

Findings alone(const std::shared_ptr<Model>& model, const Ids& ids, const Wanted& wanted) {
  Engine engine(model);
  Reader one(model, ids, wanted);
  EXPECT_TRUE(engine.wait(one.reading));
  EXPECT_TRUE(one.reading->status());
  return std::move(one.reading->findings());
}

// Token by token, on whichever device the model is.
std::vector<float> mean_of(Model& model, const Ids& ids) {
  const auto width = static_cast<size_t>(model.info().dimensions.width);
  std::vector<double> sums(width);
  std::vector<float> row(width);
  State state = model.new_state();
  for (const int32_t& id : ids) {
    EXPECT_TRUE(model.eval_hidden(state, {&id, 1}, Want::last, row.data()));
    for (size_t i = 0; i < width; ++i) sums[i] += double{row[i]};
  }
  for (size_t i = 0; i < width; ++i)
    row[i] = static_cast<float>(sums[i] / static_cast<double>(ids.size()));
  return row;
}

TEST_P(PromptReadings, a_mean_is_that_of_its_tokens_one_by_one) {
  const auto model = open_model(path_, {.threads = 2, .chunk = 32});
  const auto reference = open_model(path_, {.device = "reference"});
  for (const size_t count : {1, 33, 100}) {
    const Ids text = ids(count, count);
    const std::vector<float> mean = alone(model, text, {.mean = true}).mean;
    EXPECT_TRUE(same_bits(mean, mean_of(*model, text))) << count;
    EXPECT_LE(relative_error(mean, mean_of(*reference, text)), 1e-5) << count;
  }
  // A text of any length takes what a chunk takes.
  EXPECT_EQ(PromptReading::bytes(*model, 1'000'000, {.mean = true}),
            PromptReading::bytes(*model, 32, {.mean = true}));
}

TEST_P(PromptReadings, company_changes_nothing) {
  const auto model = open_model(path_, {.threads = 2, .chunk = 32});
  const Wanted kinds[] = {{.mean = true}, {.scores = true, .top = 2}, {.following = {1, 2}}};
  std::vector<std::unique_ptr<Reader>> readers;
  Engine engine(model);
  for (size_t i = 0; i < 9; ++i) {
    readers.push_back(std::make_unique<Reader>(model, ids(5 + 17 * i, i), kinds[i % 3]));
    ASSERT_TRUE(engine.submit(readers.back()->reading));
  }
  while (engine.active().value() > 0) ASSERT_TRUE(engine.step());
  for (size_t i = 0; i < readers.size(); ++i) {
    const Findings& found = readers[i]->reading->findings();
    const Findings expected = alone(model, ids(5 + 17 * i, i), kinds[i % 3]);
    EXPECT_TRUE(same_bits(found.mean, expected.mean)) << i;
    EXPECT_EQ(found.following, expected.following) << i;
    ASSERT_EQ(found.scores.size(), expected.scores.size()) << i;
    for (size_t k = 0; k < found.scores.size(); ++k)
      EXPECT_EQ(found.scores[k].logprob, expected.scores[k].logprob) << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Design, PromptReadings, testing::ValuesIn(runnable_designs()),
                         [](const auto& tested) {
                           std::string name = tested.param;
                           std::replace(name.begin(), name.end(), '.', '_');
                           return name;
                         });

}  // namespace
}  // namespace skein::test
