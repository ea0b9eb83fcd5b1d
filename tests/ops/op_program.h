// A program around one operation: its inputs are rows of tables, its result goes through an
// identity matrix to the logits, so that neither adds a rounding.
#pragma once

#include <deque>
#include <vector>

#include "ops/backend.h"
#include "ops/recorder.h"
#include "support/random.h"
#include "support/states.h"

namespace skein::test {

class OpProgram {
 public:
  static constexpr int kVocab = 13;

  explicit OpProgram(uint64_t seed) : random_(seed) {}

  ops::Recorder recorder;

  ops::Var input(int32_t width, float low = -2, float high = 2) {
    const ops::Weight table =
        add(ops::WeightUse::table, {kVocab, width},
            random_.floats(static_cast<size_t>(kVocab) * static_cast<size_t>(width), low, high));
    return recorder.rows("input", table, width);
  }
  ops::Weight vector(int32_t width, float low = -2, float high = 2) {
    return add(ops::WeightUse::vector, {width},
               random_.floats(static_cast<size_t>(width), low, high));
  }
  ops::Weight matrix(int32_t out, int32_t in) {
    return add(ops::WeightUse::matrix, {out, in},
               random_.floats(static_cast<size_t>(out) * static_cast<size_t>(in)));
  }
  void finish(ops::Var y) {
    const auto width = static_cast<size_t>(y.width());
    std::vector<float> identity(width * width, 0.0f);
    for (size_t i = 0; i < width; ++i) identity[i * width + i] = 1;
    const ops::Weight head =
        add(ops::WeightUse::matrix, {y.width(), y.width()}, std::move(identity));
    width_ = width;
    program = recorder.finish(recorder.linear("logits", recorder.pick("picked", y), head));
  }

  // The numbers of the table or weight that was added as the `index`-th.
  const std::vector<float>& data(size_t index) const { return data_[index]; }
  static int32_t token(int32_t row) { return row * 5 % kVocab; }

  struct Ran {
    std::vector<float> logits;  // of every token
    std::vector<float> states;
    bool operator==(const Ran&) const = default;
  };

  // Sequences of 6, 1 and 9 tokens in steps of at most `chunk` tokens of each, all outputs wanted.
  // The logits come in the order of the sequences however they were cut.
  Result<Ran> run(ops::Backend& backend, int32_t chunk = 9) const {
    SK_TRY(const auto executable, backend.compile(program, weights_, {}));
    const int32_t lengths[] = {6, 1, 9}, firsts[] = {0, 6, 7};
    Ran ran;
    std::unique_ptr<ops::DeviceState> states[3];
    for (auto& state : states) {
      SK_TRY(state, executable->states()->make());
      for (size_t i = 0; i < program.slots.size(); ++i) {
        if (program.slots[i].name != "pp") continue;
        const std::vector<float> none(static_cast<size_t>(program.slots[i].size), -1e30f);
        SK_TRY_STATUS(state->write(static_cast<ops::SlotId>(i), std::as_bytes(std::span(none))));
      }
    }
    ran.logits.resize(16 * width_);
    for (int32_t begin = 0; begin < 9; begin += chunk) {
      std::vector<int32_t> tokens, outputs, places;
      std::vector<ops::Sequence> sequences;
      for (size_t s = 0; s < 3; ++s) {
        const int32_t end = std::min(begin + chunk, lengths[s]);
        if (begin >= end) continue;
        const auto first = static_cast<int32_t>(tokens.size());
        for (int32_t t = begin; t < end; ++t) {
          outputs.push_back(static_cast<int32_t>(tokens.size()));
          places.push_back(firsts[s] + t);
          tokens.push_back(token(firsts[s] + t));
        }
        sequences.push_back({first, static_cast<int32_t>(tokens.size()), states[s].get()});
      }
      std::vector<float> logits(outputs.size() * width_);
      SK_TRY_STATUS(executable->run(
          {.tokens = tokens, .sequences = sequences, .outputs = outputs, .logits = logits.data()}));
      for (size_t i = 0; i < places.size(); ++i)
        std::copy_n(logits.begin() + static_cast<int64_t>(i * width_), width_,
                    ran.logits.begin() + places[i] * static_cast<int64_t>(width_));
    }
    for (const auto& state : states) {
      const std::vector<float> values = numbers(*state);
      ran.states.insert(ran.states.end(), values.begin(), values.end());
    }
    return ran;
  }

  ops::Program program;

 private:
  ops::Weight add(ops::WeightUse use, Shape shape, std::vector<float> values) {
    const auto& kept = data_.emplace_back(std::move(values));
    ops::WeightData& weight = weights_.emplace_back();
    weight.use = use;
    weight.name = fmt::format("w{}", weights_.size());
    weight.tensor.name = weight.name;
    weight.tensor.dtype = DType::f32;
    weight.tensor.shape = shape;
    weight.tensor.strides = shape.contiguous_strides();
    weight.tensor.storage = std::as_bytes(std::span(kept));
    return {static_cast<ops::WeightId>(weights_.size() - 1), static_cast<int32_t>(shape[0])};
  }

  Random random_;
  std::deque<std::vector<float>> data_;
  std::vector<ops::WeightData> weights_;
  size_t width_ = 0;
};

}  // namespace skein::test
