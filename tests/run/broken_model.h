// A golden model that can be broken in one place: opened as Model::open does it, up to the program
// and its weights, changed there, and run by the reference executor.
#pragma once

#include <filesystem>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/model_files.h"
#include "ops/backend.h"

namespace skein::test {

// Copies share the file and nothing else.
class BrokenModel {
 public:
  static Result<BrokenModel> open(const std::filesystem::path& path);

  ops::Program program;
  std::vector<ops::WeightData> weights;
  std::vector<float> start;                                // the state before the first token
  std::function<void(std::span<float> state)> afterwards;  // done to the state after every token

  // Values are named as in the program ("blocks.1.att.k"), or in every layer at once ("att.k").
  // A name that is not there is a mistake in the test, and fails it.
  ops::Op& op(std::string_view value);
  ops::Op& maker(ops::ValueId value);
  ops::Op& reader(ops::ValueId value);  // the first
  ops::ValueId value(std::string_view name) { return op(name).out; }
  void each(std::string_view name, const std::function<void(ops::Op&)>& change);
  // The same for layers, in which op() then takes names within the layer.
  struct Layer {
    BrokenModel& model;
    int64_t index;
    std::string name(std::string_view within) const;
    ops::Op& op(std::string_view within) const { return model.op(name(within)); }
    ops::ValueId value(std::string_view within) const { return op(within).out; }
  };
  void each_layer(const std::function<void(const Layer&)>& change);

  // Whoever read `from` reads `to`.
  void redirect(ops::ValueId from, ops::ValueId to);
  // A new value as wide as `like`.
  ops::ValueId append(ops::Op op, ops::ValueId like);
  // Whoever read `value` reads what `op` makes of it.
  void insert(ops::ValueId value, ops::Op op);

  std::vector<float> numbers(ops::WeightId weight) const;
  ops::WeightId add_weight(const std::vector<float>& numbers, const Shape& shape);
  ops::WeightId add_transposed(ops::WeightId weight);

  // Logits after every token. Errors: argument, if what the changes left is no program.
  Result<std::vector<float>> logits(std::span<const int32_t> tokens);
  Result<std::vector<float>> logits(std::span<const int32_t> tokens, ops::Backend& backend);

 private:
  Status put_in_order();
  Status check_widths() const;

  std::shared_ptr<const io::ModelFiles> files_;
  int64_t layers_ = 0;
};

}  // namespace skein::test
