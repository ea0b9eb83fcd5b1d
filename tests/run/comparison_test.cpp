#include "run/comparison.h"

#include <gtest/gtest.h>

#include <cmath>

#include "run/convert.h"
#include "run/quant_report.h"
#include "support/fixtures.h"
#include "support/models.h"

namespace skein::test {
namespace {

const std::filesystem::path kModel = fixture("models/v7.pth");

// A quantised copy that goes away with the test.
class Copy {
 public:
  explicit Copy(const std::string& type) {
    std::string name = (std::filesystem::temp_directory_path() / "skein-copy-XXXXXX").string();
    EXPECT_TRUE(::mkdtemp(name.data()));
    folder_ = name;
    auto conversion =
        Conversion::prepare(kModel, {.format = io::WriteFormat::packed, .quant = type});
    EXPECT_TRUE(conversion && conversion->write(path(), {}));
  }
  ~Copy() { std::filesystem::remove_all(folder_); }
  std::filesystem::path path() const { return folder_ / "copy.skein"; }

 private:
  std::filesystem::path folder_;
};

Documents some_documents() {
  Documents out = {{}, {}};
  for (int32_t i = 0; i < 150; ++i) out[0].push_back((i * 7 + 3) % 200);
  for (int32_t i = 0; i < 9; ++i) out[1].push_back(i);
  return out;
}

// ln of the probabilities after each token, in the plainest way.
std::vector<std::vector<double>> log_softmax(Model& model, const std::vector<int32_t>& ids) {
  const auto vocab = static_cast<size_t>(model.vocab());
  State state = model.new_state();
  std::vector<std::vector<double>> out;
  for (const int32_t id : ids) {
    std::vector<float> logits(vocab);
    EXPECT_TRUE(model.eval(state, {&id, 1}, Want::last, logits.data()));
    double sum = 0;
    for (const float x : logits) sum += std::exp(static_cast<double>(x));
    auto& row = out.emplace_back();
    for (const float x : logits) row.push_back(static_cast<double>(x) - std::log(sum));
  }
  return out;
}

Result<Comparison> compare(const std::filesystem::path& b, const Documents& documents,
                           const ComparisonOptions& options = {}) {
  const ComparedModel first = {.path = kModel, .options = {}};
  const ComparedModel second = {.path = b, .options = {}};
  return compare_models(first, &second, documents, options, {});
}

TEST(Comparison, is_the_definition_summed_over_every_prediction) {
  const Copy copy("Q4_0");
  const Documents documents = some_documents();
  const auto found = compare(copy.path(), documents);
  ASSERT_TRUE(found && found->both);
  const auto a = open_model(kModel), b = open_model(copy.path());
  double loss_a = 0, loss_b = 0, divergence = 0, largest = 0, squares = 0;
  int64_t count = 0, same = 0;
  for (const auto& ids : documents) {
    const auto p = log_softmax(*a, ids), q = log_softmax(*b, ids);
    for (size_t i = 0; i + 1 < ids.size(); ++i, ++count) {
      const auto next = static_cast<size_t>(ids[i + 1]);
      loss_a -= p[i][next], loss_b -= q[i][next];
      squares += (q[i][next] - p[i][next]) * (q[i][next] - p[i][next]);
      double here = 0;
      for (size_t k = 0; k < p[i].size(); ++k) here += std::exp(p[i][k]) * (p[i][k] - q[i][k]);
      divergence += here, largest = std::max(largest, here);
      same += std::max_element(p[i].begin(), p[i].end()) - p[i].begin() ==
              std::max_element(q[i].begin(), q[i].end()) - q[i].begin();
    }
  }
  const auto n = static_cast<double>(count);
  EXPECT_EQ(found->predictions, count);
  EXPECT_NEAR(found->a.perplexity, std::exp(loss_a / n), 1e-6 * found->a.perplexity);
  EXPECT_NEAR(found->both->b.loss, loss_b / n, 1e-6);
  EXPECT_NEAR(found->both->change, (loss_a - loss_b) / n, 1e-6);
  EXPECT_NEAR(found->both->change_rms, std::sqrt(squares / n), 1e-6);
  EXPECT_NEAR(found->both->divergence.mean, divergence / n, 1e-6);
  EXPECT_NEAR(found->both->divergence.largest, largest, 1e-6);
  EXPECT_DOUBLE_EQ(found->both->same_first, static_cast<double>(same) / n);
  EXPECT_GT(found->both->divergence.mean, 0);
  EXPECT_LE(found->both->divergence.median, found->both->divergence.most_of_99);
  EXPECT_LE(found->both->divergence.most_of_99, found->both->divergence.largest);
}

TEST(Comparison, of_a_model_with_itself_is_nothing) {
  const auto found = compare(kModel, some_documents());
  ASSERT_TRUE(found && found->both);
  EXPECT_EQ(found->both->divergence.largest, 0);
  EXPECT_EQ(found->both->change_rms, 0);
  EXPECT_EQ(found->both->same_first, 1);
  EXPECT_EQ(found->both->b.loss, found->a.loss);
}

TEST(Comparison, one_model_after_the_other_finds_the_same_numbers) {
  const Copy copy("Q4_0");
  const auto together = compare(copy.path(), some_documents());
  const auto apart = compare(copy.path(), some_documents(), {.separately = true});
  ASSERT_TRUE(together && apart);
  EXPECT_FALSE(together->separately);
  EXPECT_TRUE(apart->separately);
  EXPECT_EQ(apart->a.loss, together->a.loss);
  EXPECT_EQ(apart->both->divergence.mean, together->both->divergence.mean);
  EXPECT_EQ(apart->both->change_rms, together->both->change_rms);
}

TEST(Comparison, a_prompt_is_read_and_not_predicted) {
  const Documents documents = some_documents();
  const auto whole = compare(kModel, documents), rest = compare(kModel, documents, {.prompt = 4});
  ASSERT_TRUE(whole && rest);
  EXPECT_EQ(rest->predictions, whole->predictions - 8);
}

TEST(Comparison, what_cannot_be_compared_is_said) {
  const auto nothing = compare(kModel, {{1}}), strange = compare(kModel, {{1, 1'000'000}});
  ASSERT_FALSE(nothing || strange);
  EXPECT_EQ(nothing.error().code, Code::argument);
  EXPECT_EQ(strange.error().code, Code::mismatch);
  const auto bundled =
      compare(std::filesystem::path(SKEIN_SOURCE_DIR) / "models/bundled-0.pth", {{1, 2}});
  ASSERT_FALSE(bundled);
  EXPECT_EQ(bundled.error().code, Code::mismatch);
}

TEST(Comparison, a_model_writes_the_same_documents_each_time) {
  const auto model = open_model(kModel);
  const auto once = write_documents(*model, 300, {}), again = write_documents(*model, 300, {});
  ASSERT_TRUE(once && again);
  EXPECT_EQ(*once, *again);
  ASSERT_EQ(once->size(), 2u);
  EXPECT_NE((*once)[0], (*once)[1]);
  for (const auto& document : *once) {
    EXPECT_EQ(std::ssize(document), kOwnDocument);
    EXPECT_EQ(document[0], 0);
  }
}

TEST(QuantReport, finer_types_lose_less_and_vectors_nothing) {
  const auto losses_of = [](const std::string& type) {
    const Copy copy(type);
    const auto before = ModelSource::open(kModel), after = ModelSource::open(copy.path());
    EXPECT_TRUE(before && after);
    auto losses = compare_weights(*before, *after, 2, {});
    EXPECT_TRUE(losses);
    std::map<arch::WeightClass, QuantLoss> out;
    for (QuantLoss& loss : *losses) out[loss.kind] = loss;
    return out;
  };
  auto exact = losses_of("F32"), fine = losses_of("Q8_0"), coarse = losses_of("Q4_0");
  for (const auto& [kind, loss] : exact) EXPECT_EQ(loss.largest, 0) << loss.worst;
  EXPECT_EQ(coarse[arch::WeightClass::vector].rms, 0);
  const auto kind = arch::WeightClass::attention;
  EXPECT_GT(fine[kind].rms, 0);
  EXPECT_LT(fine[kind].rms, 0.01);
  EXPECT_GT(coarse[kind].rms, 5 * fine[kind].rms);
  EXPECT_LE(coarse[kind].rms, coarse[kind].worst_rms);
  EXPECT_LT(coarse[kind].bytes_after, fine[kind].bytes_after);
  EXPECT_EQ(coarse[kind].bytes_before, fine[kind].bytes_before);
}

}  // namespace
}  // namespace skein::test
