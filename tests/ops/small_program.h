// A program that uses every operation, small enough to check by other means.
#pragma once

#include <vector>

#include "ops/backend.h"
#include "ops/recorder.h"
#include "support/random.h"

namespace skein::test {

// Width 40 in two heads of 20: neither fills whole vectors. The weights are owned here.
struct SmallProgram {
  static constexpr int kWidth = 40, kHeads = 2, kVocab = 23;

  ops::Program program;
  std::vector<std::vector<float>> data;
  std::vector<ops::WeightData> weights;

  explicit SmallProgram(uint64_t seed = 1) {
    Random random(seed);
    data.reserve(64);
    ops::Recorder b;
    const auto vector = [&] { return add(random, ops::WeightUse::vector, {kWidth}); };
    const auto matrix = [&](int64_t out, int64_t in) {
      return add(random, ops::WeightUse::matrix, {out, in});
    };
    using ops::Unary, ops::Var;
    Var x = b.rows("emb", add(random, ops::WeightUse::table, {kVocab, kWidth}), kWidth);
    x = b.layer_norm("norm", x, vector(), vector(), 1e-5f);
    Var before = b.shift("before", x, b.slot("before", kWidth));
    const auto state = b.slot("state", kHeads * 20 * 20);
    Var r = b.linear("r", b.lerp("xr", x, before, vector()), matrix(kWidth, kWidth));
    Var low = b.linear("low", x, matrix(7, kWidth), Unary::tanh);
    Var w = b.linear("w", low, matrix(kWidth, 7), Unary::decay7, vector());
    Var a = b.linear("a", before, matrix(kWidth, kWidth), Unary::sigmoid, vector());
    Var k = b.linear("k", before, matrix(kWidth, kWidth));
    Var v = b.lerp("v", k, x, a);
    Var kk = b.l2norm_heads("kk", b.mul("scaled", k, vector()), kHeads);
    Var y = b.wkv7("wkv", r, w, k, v, kk, a, state, kHeads);
    y = b.group_norm("gn", y, vector(), vector(), kHeads, 64e-5f);
    y = (y + b.bonus("bonus", r, k, v, vector(), kHeads)) * a;
    y = b.sub("difference", y, b.unary("relu2", x, Unary::relu2));
    program = b.finish(b.linear("logits", b.pick("picked", y), matrix(kVocab, kWidth)));
  }

 private:
  ops::Weight add(Random& random, ops::WeightUse use, Shape shape) {
    const auto& values =
        data.emplace_back(random.floats(static_cast<size_t>(shape.elements()), -0.6f, 0.6f));
    ops::WeightData& weight = weights.emplace_back();
    weight.use = use;
    weight.name = fmt::format("w{}", weights.size());
    weight.tensor = {.name = weight.name,
                     .dtype = DType::f32,
                     .shape = shape,
                     .strides = shape.contiguous_strides(),
                     .storage = std::as_bytes(std::span(values))};
    return {static_cast<ops::WeightId>(weights.size() - 1), static_cast<int32_t>(shape[0])};
  }
};

// Runs `program` on a backend over two sequences, 5 and 3 tokens, all outputs wanted.
struct Ran {
  std::vector<float> logits;
  std::vector<float> states;
};

inline Result<Ran> run_small(ops::Backend& backend, const ops::Program& program,
                             std::span<const ops::WeightData> weights) {
  SK_TRY(const auto executable, backend.compile(program, weights, nullptr, nullptr));
  const std::vector<int32_t> tokens = {3, 1, 22, 0, 7, 9, 9, 2};
  const std::vector<int32_t> outputs = {0, 1, 2, 3, 4, 5, 6, 7};
  const auto size = static_cast<size_t>(program.state_size());
  Ran ran;
  ran.states.assign(2 * size, 0.0f);
  ran.logits.resize(outputs.size() * SmallProgram::kVocab);
  const ops::Sequence sequences[] = {{0, 5, ran.states.data()}, {5, 8, ran.states.data() + size}};
  for (int round = 0; round < 2; ++round)  // the second round begins with a state that is not zero
    SK_TRY_STATUS(executable->run({.tokens = tokens,
                                   .sequences = sequences,
                                   .outputs = outputs,
                                   .logits = ran.logits.data()}));
  return ran;
}

}  // namespace skein::test
