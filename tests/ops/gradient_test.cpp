// The gradients of every operation against differences of its definition, and of a program against
// differences of its logits and states.
#include "ops/gradient.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>

#include "ops/host_states.h"
#include "small_program.h"
#include "support/random.h"

namespace skein {
namespace {

using ops::Op, ops::OpCall, ops::OpGradient, ops::OpKind, ops::Operation, ops::Unary;
using test::Random;

// One operation over three sequences of 4, 1 and 3 tokens: its operands, and a loss that is a
// random sum of its results and of the states that it leaves.
struct Case {
  Op op;
  int64_t width = 0;
  std::vector<std::pair<int64_t, bool>> widths;  // of each operand; whether rows are its own
  float low = -1.5f, high = 1.5f;
  std::vector<std::pair<size_t, std::pair<float, float>>> ranges = {};  // of some operands
};

constexpr int64_t kTokens = 8, kTable = 6;

class Differences {
 public:
  Differences(const Case& c, uint64_t seed) : c_(c), row_(ops::operation(c.op)) {
    Random random(seed);
    for (size_t i = 0; i < c.widths.size(); ++i) {
      const auto [width, rows] = c.widths[i];
      float low = c.low, high = c.high;
      for (const auto& [place, range] : c.ranges)
        if (place == i) std::tie(low, high) = range;
      operands_.push_back(
          random.floats(static_cast<size_t>(width * (rows ? kTokens : 1)), low, high));
    }
    rows_ = c.op.kind == OpKind::pick ? std::ssize(outputs_) : kTokens;
    of_y_ = random.floats(static_cast<size_t>(rows_ * c.width), -1, 1);
    if (row_.slots > 0) slot_ = row_.slots * row_.slot_size(c.op, c.width);
    for (int s = 0; s < 3; ++s) {
      const auto state = random.floats(static_cast<size_t>(slot_), -1, 1);
      states_.emplace_back(state.begin(), state.end());
      const auto of_state = random.floats(static_cast<size_t>(slot_), -1, 1);
      of_states_.emplace_back(of_state.begin(), of_state.end());
    }
    if (c.op.kind == OpKind::wkv4)  // bb, a sum of exponentials, is positive
      for (auto& state : states_)
        for (int64_t i = 0; i < c.width; ++i) state[static_cast<size_t>(c.width + i)] += 2;
  }

  int compared = 0, without_slope = 0;

  void check(const std::string& name) {
    std::vector<std::vector<double>> found, of_states = of_states_;
    OpGradient gradient;
    for (size_t i = 0; i < operands_.size(); ++i)
      gradient.in[i] = {found.emplace_back(operands_[i].size()).data(), stride(i)};
    for (size_t i = 0; i < operands_.size(); ++i) gradient.in[i].data = found[i].data();
    const std::vector<double> of_y(of_y_.begin(), of_y_.end());
    std::vector<double*> places;
    for (auto& state : of_states) places.push_back(state.data());
    gradient.out = of_y.data();
    gradient.states = places;
    auto states = states_;
    std::vector<OpCall::Sequence> sequences;
    row_.gradient(call(states, sequences), gradient);

    for (size_t i = 0; i < operands_.size(); ++i)
      for (size_t j = 0; j < operands_[i].size(); ++j)
        expect_near(found[i][j], operands_[i][j], name + " " + row_.operands[i].name);
    for (size_t s = 0; s < states_.size(); ++s)
      for (size_t j = 0; j < states_[s].size(); ++j)
        expect_near(of_states[s][j], states_[s][j], name + " state");
  }

 private:
  int64_t stride(size_t i) const { return c_.widths[i].second ? c_.widths[i].first : 0; }

  OpCall call(std::vector<std::vector<double>>& states,
              std::vector<OpCall::Sequence>& sequences) const {
    sequences = {{0, 4, states[0].data()}, {4, 5, states[1].data()}, {5, 8, states[2].data()}};
    OpCall out = {.op = c_.op,
                  .rows = rows_,
                  .width = c_.width,
                  .sequences = sequences,
                  .tokens = tokens_,
                  .outputs = outputs_};
    for (size_t i = 0; i < operands_.size(); ++i)
      out.in[i] = {operands_[i].data(), stride(i), c_.widths[i].first};
    return out;
  }

  double loss() const {
    auto states = states_;
    std::vector<OpCall::Sequence> sequences;
    std::vector<double> y(static_cast<size_t>(rows_ * c_.width));
    row_.reference(call(states, sequences), y.data());
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) sum += y[i] * of_y_[i];
    for (size_t s = 0; s < states.size(); ++s)
      for (size_t i = 0; i < states[s].size(); ++i) sum += states[s][i] * of_states_[s][i];
    return sum;
  }

  // The slope over two distances, extrapolated: what is left is their fourth power.
  template <typename Number>
  void expect_near(double gradient, Number& x, const std::string& name) {
    const Number kept = x;
    const auto slope = [&](double distance) {
      x = static_cast<Number>(kept + distance);
      const double up = x, above = loss();
      x = static_cast<Number>(kept - distance);
      const double down = x, below = loss();
      x = kept;
      return (above - below) / (up - down);
    };
    const double near = slope(1e-3), far = slope(2e-3);
    ++compared;
    // Of the larger of two that are as near as this, as wkv4's exponents can be, there is no slope.
    if (std::fabs(near - far) > 1e-3) return void(++without_slope);
    EXPECT_NEAR(gradient, (4 * near - far) / 3, 2e-6 * (1 + std::fabs(gradient))) << name;
  }

  const Case& c_;
  const Operation& row_;
  std::vector<std::vector<float>> operands_;
  std::vector<float> of_y_;
  std::vector<std::vector<double>> states_, of_states_;
  int64_t slot_ = 0, rows_ = 0;
  const std::vector<int32_t> tokens_ = {2, 0, 2, 5, 1, 1, 4, 2}, outputs_ = {1, 3, 4, 7};
};

std::vector<std::pair<std::string, Case>> cases() {
  constexpr int64_t D = 6;
  std::vector<std::pair<std::string, Case>> all;
  const auto add = [&](const std::string& name, Case c) { all.emplace_back(name, std::move(c)); };
  add("rows", {{.kind = OpKind::rows}, D, {{kTable * D, false}}});
  add("pick", {{.kind = OpKind::pick}, D, {{D, true}}});
  add("shift", {{.kind = OpKind::shift}, D, {{D, true}}});
  for (const bool shared : {true, false}) {
    add("lerp", {{.kind = OpKind::lerp}, D, {{D, true}, {D, true}, {D, !shared}}});
    add("add", {{.kind = OpKind::add}, D, {{D, true}, {D, !shared}}});
    add("mul", {{.kind = OpKind::mul}, D, {{D, true}, {D, !shared}}});
    for (const bool bonus : {true, false}) {
      std::vector<std::pair<int64_t, bool>> widths = {
          {D, true}, {D, true}, {D, true}, {D, !shared}};
      if (bonus) widths.emplace_back(D, false);
      add("wkv6",
          {{.kind = OpKind::wkv6, .heads = 2, .scale = 0.5f}, D, widths, -1, 1, {{3, {0.2f, 1}}}});
    }
  }
  add("sub", {{.kind = OpKind::sub}, D, {{D, true}, {D, true}}});
  for (const Unary function :
       {Unary::relu2, Unary::sigmoid, Unary::tanh, Unary::silu, Unary::decay, Unary::decay7}) {
    add("unary", {{.kind = OpKind::unary, .function = function}, D, {{D, true}}});
    add("linear", {{.kind = OpKind::linear, .function = function},
                   D,
                   {{5, true}, {5 * D, false}, {D, false}},
                   -0.8f,
                   0.8f});
  }
  add("linear, bare", {{.kind = OpKind::linear}, D, {{5, true}, {5 * D, false}}});
  add("layer_norm", {{.kind = OpKind::layer_norm, .heads = 1, .epsilon = 1e-2f},
                     D,
                     {{D, true}, {D, false}, {D, false}}});
  add("rms_norm",
      {{.kind = OpKind::rms_norm, .heads = 1, .epsilon = 1e-2f}, D, {{D, true}, {D, false}}});
  add("group_norm", {{.kind = OpKind::group_norm, .heads = 2, .epsilon = 1e-2f},
                     D,
                     {{D, true}, {D, false}, {D, false}}});
  add("l2norm_heads", {{.kind = OpKind::l2norm_heads, .heads = 2}, D, {{D, true}}, 0.3f, 1.5f});
  add("repeat_heads", {{.kind = OpKind::repeat_heads, .heads = 4, .groups = 2}, 12, {{6, true}}});
  for (const int32_t heads : {1, 2})
    add("token_matmul",
        {{.kind = OpKind::token_matmul, .heads = heads}, 6, {{4, true}, {4 * 6 / heads, true}}});
  add("bonus",
      {{.kind = OpKind::bonus, .heads = 2}, D, {{D, true}, {D, true}, {D, true}, {D, false}}});
  add("wkv4", {{.kind = OpKind::wkv4},
               D,
               {{D, true}, {D, true}, {D, false}, {D, false}},
               -1,
               1,
               {{2, {-1.5f, -0.1f}}}});
  add("wkv7", {{.kind = OpKind::wkv7, .heads = 2},
               D,
               {{D, true}, {D, true}, {D, true}, {D, true}, {D, true}, {D, true}},
               -0.8f,
               0.8f,
               {{1, {0.5f, 1}}, {5, {0, 1}}}});
  return all;
}

TEST(Gradient, every_operations_is_the_slope_of_its_definition) {
  uint64_t seed = 1;
  std::set<OpKind> seen;
  for (const auto& [name, c] : cases()) {
    Differences differences(c, seed++);
    differences.check(name);
    EXPECT_LE(differences.without_slope, c.op.kind == OpKind::wkv4 ? 6 : 0) << name;
    EXPECT_GE(differences.compared, 36) << name;
    seen.insert(c.op.kind);
  }
  EXPECT_EQ(seen.size(), ops::kOpKinds);
}

// Of a head smaller than any norm may be, only a factor is left.
TEST(Gradient, heads_of_nothing_are_divided_by_the_smallest_norm) {
  const Op op = {.kind = OpKind::l2norm_heads, .heads = 1};
  const float x[] = {0, 0};
  const double dy[] = {1, -2};
  double dx[] = {0, 0};
  OpGradient gradient = {.out = dy};
  gradient.in[0] = {dx, 2};
  ops::operation(op).gradient({.op = op, .in = {{{x, 2, 2}}}, .rows = 1, .width = 2}, gradient);
  EXPECT_EQ(dx[0], 1e12);
  EXPECT_EQ(dx[1], -2e12);
}

// The program of all operations: what one weight or number of a state changes in a random sum of
// the results, over two sequences.
TEST(Gradient, a_programs_is_the_slope_of_its_results) {
  const test::SmallProgram small;
  ops::WeightNumbers weights = small.data;
  Random random(7);
  const auto pool = ops::HostStates::of(small.program.slots);
  const auto one = pool->make(), two = pool->make();
  ASSERT_TRUE(one && two);
  for (const auto& state : {one->get(), two->get()})
    test::set_numbers(*state, random.floats(test::numbers(*state).size(), 0.5f, 1));
  const std::vector<int32_t> tokens = {3, 1, 22, 0, 7, 9}, outputs = {0, 2, 3, 5};
  const ops::Sequence sequences[] = {{0, 4, one->get()}, {4, 6, two->get()}};
  const ops::Step step = {.tokens = tokens, .sequences = sequences, .outputs = outputs};
  const auto of_logits = random.floats(outputs.size() * test::SmallProgram::kVocab, -1, 1);
  const std::vector<double> of_logits64(of_logits.begin(), of_logits.end());
  std::vector<std::vector<std::vector<double>>> of_states;
  for (int s = 0; s < 2; ++s) {
    auto& slots = of_states.emplace_back();
    for (const ops::Slot& slot : small.program.slots) {
      const auto numbers = random.floats(static_cast<size_t>(slot.size), -0.1f, 0.1f);
      slots.emplace_back(numbers.begin(), numbers.end());
    }
  }
  const auto found = ops::gradients(small.program, weights, step, of_logits64, of_states);

  const auto loss = [&] {
    ops::DefinedStep defined(small.program, weights, step);
    for (const Op& op : small.program.ops) defined.run(op);
    double sum = 0;
    const auto logits = defined.value(small.program.logits);
    for (size_t i = 0; i < logits.size(); ++i) sum += double{logits[i]} * of_logits[i];
    for (size_t s = 0; s < 2; ++s)
      for (const Op& op : small.program.ops) {
        if (op.slot == ops::kNone) continue;
        const auto state = defined.state(op, s);
        size_t at = 0;
        for (ops::SlotId slot = op.slot; slot < op.slot + ops::operation(op).slots; ++slot)
          for (const double of : of_states[s][static_cast<size_t>(slot)]) sum += state[at++] * of;
      }
    return sum;
  };
  // Values are rounded to f32 between operations, so that the slope over 2 % of a number is.
  double worst = 0, largest = 0;
  for (size_t w = 0; w < weights.size(); ++w) {
    for (int i = 0; i < 3; ++i) {
      float& x = weights[w][random.below(weights[w].size())];
      const auto place = static_cast<size_t>(&x - weights[w].data());
      const float kept = x, distance = 0.01f;
      x = kept + distance;
      const double up = x, above = loss();
      x = kept - distance;
      const double down = x, below = loss();
      x = kept;
      const double slope = (above - below) / (up - down);
      worst = std::max(worst, std::fabs(slope - found.weights[w][place]));
      largest = std::max(largest, std::fabs(slope));
    }
  }
  for (size_t slot = 0; slot < small.program.slots.size(); ++slot) {
    auto numbers = test::numbers(**one);
    const auto place = static_cast<size_t>(small.program.slots[slot].offset) / sizeof(float) + 3;
    const float kept = numbers[place], distance = 0.01f;
    const auto with = [&](float x) {
      numbers[place] = x;
      test::set_numbers(**one, numbers);
      return loss();
    };
    const double slope = (with(kept + distance) - with(kept - distance)) /
                         (double{kept + distance} - double{kept - distance});
    with(kept);
    worst = std::max(worst, std::fabs(slope - found.states[0][slot][3]));
  }
  EXPECT_GT(largest, 1);
  EXPECT_LT(worst, 2e-3 * largest);
}

}  // namespace
}  // namespace skein
