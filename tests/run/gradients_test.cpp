// The gradients of RWKV-7 by the operations' rules against PyTorch's: each weight's, from a loss of
// two sequences in which some targets do not count.
#include <gtest/gtest.h>

#include <cmath>

#include "arch/registry.h"
#include "ops/gradient.h"
#include "ops/host_states.h"
#include "support/models.h"

namespace skein {
namespace {

constexpr int32_t kNotCounted = -100;

// Mean cross-entropy over the targets that count, and L2Wrap over all rows: what the loss changes
// with, for each logit.
std::vector<double> of_logits(const std::vector<float>& logits, const std::vector<float>& targets) {
  const size_t rows = targets.size(), vocab = logits.size() / rows;
  const auto counted = static_cast<double>(
      std::count_if(targets.begin(), targets.end(), [](float id) { return id >= 0; }));
  std::vector<double> out(logits.size());
  for (size_t row = 0; row < rows; ++row) {
    const float* y = logits.data() + row * vocab;
    const size_t most = static_cast<size_t>(std::max_element(y, y + vocab) - y);
    double sum = 0;
    for (size_t i = 0; i < vocab; ++i) sum += std::exp(double{y[i]} - y[most]);
    for (size_t i = 0; i < vocab && targets[row] != kNotCounted; ++i) {
      const double is_target = static_cast<size_t>(targets[row]) == i ? 1 : 0;
      out[row * vocab + i] = (std::exp(double{y[i]} - y[most]) / sum - is_target) / counted;
    }
    out[row * vocab + most] += 1e-4 / static_cast<double>(rows) * y[most];
  }
  return out;
}

TEST(Gradients, of_a_loss_are_the_official_ones) {
  const auto path = test::fixture("training/gradients_d32.safetensors");
  const auto file = File::map(path);
  ASSERT_TRUE(file) << path;
  const auto container = io::read_container(file->bytes(), path.string());
  ASSERT_TRUE(container) << container.error().message;
  arch::NamedModel model;
  arch::NamedTensors official;
  for (const StoredTensor& tensor : container->tensors) {
    if (tensor.name.starts_with("p.")) model.tensors.emplace(tensor.name.substr(2), tensor);
    if (tensor.name.starts_with("g.")) official.emplace(tensor.name.substr(2), tensor);
  }
  model.hints.head_size = 16;
  const auto designs = arch::designs();
  const auto design = std::find_if(designs.begin(), designs.end(), [](const arch::Design& one) {
    return one.id == std::string_view("rwkv7");
  });
  ASSERT_NE(design, designs.end());
  const auto architecture = design->open(model, "gradients");
  ASSERT_TRUE(architecture) << architecture.error().message;
  const auto numbers_of = [&](const arch::NamedTensors& tensors) {
    const auto weights = arch::collect_weights(**architecture, tensors, "gradients");
    EXPECT_TRUE(weights) << (weights ? "" : weights.error().message);
    ops::WeightNumbers out(weights ? weights->size() : 0);
    for (size_t i = 0; i < out.size(); ++i) {
      const ops::WeightData& weight = (*weights)[i];
      if (!weight.present) continue;
      out[i].resize(static_cast<size_t>(weight.tensor.shape.elements()));
      EXPECT_TRUE(quant::read_f32(weight.tensor, out[i]));
    }
    return out;
  };
  const ops::WeightNumbers weights = numbers_of(model.tensors), expected = numbers_of(official);
  const ops::Program program = (*architecture)->forward();

  std::vector<int32_t> tokens, outputs;
  for (const float id : test::read_tensor(path, "in.idx")) {
    outputs.push_back(static_cast<int32_t>(tokens.size()));
    tokens.push_back(static_cast<int32_t>(id));
  }
  const auto pool = ops::HostStates::of(program.slots);
  const auto one = pool->make(), two = pool->make();
  ASSERT_TRUE(one && two);
  const auto half = static_cast<int32_t>(tokens.size() / 2);
  const ops::Sequence sequences[] = {{0, half, one->get()}, {half, 2 * half, two->get()}};
  const ops::Step step = {.tokens = tokens, .sequences = sequences, .outputs = outputs};
  ops::DefinedStep forward(program, weights, step);
  for (const ops::Op& op : program.ops) forward.run(op);
  const auto logits = forward.value(program.logits);
  const std::vector<float> logits_now(logits.begin(), logits.end());
  EXPECT_LE(test::relative_error(logits_now, test::read_tensor(path, "out.logits")), 1e-6);

  const auto found = ops::gradients(program, weights, step,
                                    of_logits(logits_now, test::read_tensor(path, "in.targets")));
  ASSERT_EQ(found.weights.size(), expected.size());
  size_t compared = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    if (expected[i].empty()) continue;
    ++compared;
    const std::vector<float> rounded(found.weights[i].begin(), found.weights[i].end());
    EXPECT_LE(test::relative_error(rounded, expected[i]), 4e-6) << "weight " << i;
  }
  EXPECT_GT(compared, 60u);
}

}  // namespace
}  // namespace skein
