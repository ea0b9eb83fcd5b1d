// A program that uses every operation, small enough to check by other means.
#pragma once

#include <vector>

#include "ops/backend.h"
#include "ops/recorder.h"
#include "support/random.h"
#include "support/states.h"

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
    const auto vector = [&](float low = -0.6f, float high = 0.6f) {
      return add(random, ops::WeightUse::vector, {kWidth}, low, high);
    };
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
    y = y + older(b, x, r, k, v, vector, matrix);
    program = b.finish(b.linear("logits", b.pick("picked", y), matrix(kVocab, kWidth)));
  }

 private:
  // What the other generations have instead of RWKV-7's operations.
  static ops::Var older(ops::Recorder& b, ops::Var x, ops::Var r, ops::Var k, ops::Var v,
                        const auto& vector, const auto& matrix) {
    using ops::Unary, ops::Var;
    const auto aa = b.slot("aa", kWidth);
    b.slot("bb", kWidth);
    b.slot("pp", kWidth);
    Var y4 = b.wkv4("wkv4", k, v, vector(-2, -0.1f), vector(), aa);
    Var w = b.linear("w6", x, matrix(kWidth, kWidth), Unary::decay, vector());
    Var shared = b.repeat_heads("shared", b.linear("k6", x, matrix(20, kWidth)), 1, kHeads);
    Var y6 = b.wkv6("wkv6", r, shared, v, w, vector(), b.slot("state6", kHeads * 20 * 20), kHeads);
    Var y5 =
        b.wkv6("wkv5", r, k, v, vector(0, 1), {}, b.slot("state5", kHeads * 20 * 20), kHeads, 0.5f);
    Var z = b.rms_norm("rms", y6 - y5 + y4, vector(), 1e-6f);
    Var deep = b.token_matmul("deep", b.linear("rows", x, matrix(5, kWidth)),
                              b.linear("own", x, matrix(5 * 7, kWidth)));
    return z * b.linear("gate", deep, matrix(kWidth, 7), Unary::silu);
  }

  ops::Weight add(Random& random, ops::WeightUse use, Shape shape, float low = -0.6f,
                  float high = 0.6f) {
    const auto& values =
        data.emplace_back(random.floats(static_cast<size_t>(shape.elements()), low, high));
    ops::WeightData& weight = weights.emplace_back();
    weight.use = use;
    weight.name = fmt::format("w{}", weights.size());
    weight.tensor.name = weight.name;
    weight.tensor.dtype = DType::f32;
    weight.tensor.shape = shape;
    weight.tensor.strides = shape.contiguous_strides();
    weight.tensor.storage = std::as_bytes(std::span(values));
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
  SK_TRY(const auto executable, backend.compile(program, weights, {}));
  const std::vector<int32_t> tokens = {3, 1, 22, 0, 7, 9, 9, 2};
  const std::vector<int32_t> outputs = {0, 1, 2, 3, 4, 5, 6, 7};
  Ran ran;
  SK_TRY(const auto one, executable->states()->make());
  SK_TRY(const auto two, executable->states()->make());
  ran.logits.resize(outputs.size() * SmallProgram::kVocab);
  const ops::Sequence sequences[] = {{0, 5, one.get()}, {5, 8, two.get()}};
  for (int round = 0; round < 2; ++round)  // the second round begins with a state that is not zero
    SK_TRY_STATUS(executable->run({.tokens = tokens,
                                   .sequences = sequences,
                                   .outputs = outputs,
                                   .logits = ran.logits.data()}));
  for (const auto& state : {one.get(), two.get()}) {
    const std::vector<float> values = numbers(*state);
    ran.states.insert(ran.states.end(), values.begin(), values.end());
  }
  return ran;
}

}  // namespace skein::test
