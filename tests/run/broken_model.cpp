#include "run/broken_model.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

#include "arch/registry.h"
#include "ops/operation.h"
#include "ops/reference.h"
#include "quant/read.h"
#include "support/states.h"

namespace skein::test {
namespace {

using ops::kNone;
using ops::Op;
using ops::OpKind;
using ops::ValueId;
using ops::WeightId;

class Numbers final : public ComputedTensor {
 public:
  explicit Numbers(std::vector<float> all) : all_(std::move(all)) {}
  int64_t elements() const override { return static_cast<int64_t>(all_.size()); }
  Status read(int64_t first, std::span<float> out) const override {
    std::copy_n(all_.begin() + first, out.size(), out.begin());
    return {};
  }

 private:
  std::vector<float> all_;
};

// "att.k" of "blocks.1.att.k"
std::string_view within_layer(std::string_view name) {
  constexpr std::string_view kBlocks = "blocks.";
  if (!name.starts_with(kBlocks)) return name;
  return name.substr(name.find('.', kBlocks.size()) + 1);
}

}  // namespace

Result<BrokenModel> BrokenModel::open(const std::filesystem::path& path) {
  SK_TRY(io::ModelFiles files, io::ModelFiles::open(path));
  BrokenModel out;
  out.files_ = std::make_shared<const io::ModelFiles>(std::move(files));
  const std::string name = out.files_->name();
  const arch::Identified what = arch::identify(out.files_->container());
  SK_TRY(const arch::NamedModel named, arch::official_model(out.files_->container(), what, name));
  SK_TRY(const auto architecture, what.design->open(named, name));
  SK_TRY(out.weights, arch::collect_weights(*architecture, named.tensors, name));
  out.program = architecture->forward();
  out.layers_ = architecture->dimensions().layers;
  for (const arch::StateSpec& part : architecture->state())
    out.start.insert(out.start.end(), static_cast<size_t>(part.shape.elements()), part.initial);
  return out;
}

Op& BrokenModel::op(std::string_view name) {
  for (Op& op : program.ops)
    if (program.values[static_cast<size_t>(op.out)].name == name) return op;
  ADD_FAILURE() << "nothing makes " << name;
  return program.ops.front();
}

Op& BrokenModel::maker(ValueId value) {
  for (Op& op : program.ops)
    if (op.out == value) return op;
  ADD_FAILURE() << "nothing makes value " << value;
  return program.ops.front();
}

Op& BrokenModel::reader(ValueId value) {
  for (Op& op : program.ops)
    if (std::find(std::begin(op.in), std::end(op.in), value) != std::end(op.in)) return op;
  ADD_FAILURE() << "nothing reads value " << value;
  return program.ops.front();
}

void BrokenModel::each(std::string_view name, const std::function<void(Op&)>& change) {
  bool any = false;
  for (Op& op : program.ops) {
    if (within_layer(program.values[static_cast<size_t>(op.out)].name) != name) continue;
    change(op);
    any = true;
  }
  EXPECT_TRUE(any) << "nothing makes " << name;
}

std::string BrokenModel::Layer::name(std::string_view within) const {
  return fmt::format("blocks.{}.{}", index, within);
}

void BrokenModel::each_layer(const std::function<void(const Layer&)>& change) {
  for (int64_t i = 0; i < layers_; ++i) change(Layer{*this, i});
}

void BrokenModel::redirect(ValueId from, ValueId to) {
  for (Op& op : program.ops) std::replace(std::begin(op.in), std::end(op.in), from, to);
}

ValueId BrokenModel::append(Op op, ValueId like) {
  op.out = static_cast<ValueId>(program.values.size());
  const ops::Value value = program.values[static_cast<size_t>(like)];
  program.values.push_back(value);
  program.values.back().name = value.name + ", broken";
  program.ops.push_back(op);
  return op.out;
}

void BrokenModel::insert(ValueId value, Op op) {
  redirect(value, static_cast<ValueId>(program.values.size()));
  append(op, value);
}

std::vector<float> BrokenModel::numbers(WeightId weight) const {
  const StoredTensor& tensor = weights[static_cast<size_t>(weight)].tensor;
  std::vector<float> out(static_cast<size_t>(tensor.shape.elements()));
  const Status done = quant::read_f32(tensor, out);
  EXPECT_TRUE(done) << tensor.name;
  return out;
}

WeightId BrokenModel::add_weight(const std::vector<float>& numbers, const Shape& shape) {
  ops::WeightData& weight = weights.emplace_back();
  weight.name = "broken";
  weight.tensor.shape = shape;
  weight.tensor.strides = shape.contiguous_strides();
  weight.tensor.computed = std::make_shared<Numbers>(numbers);
  return static_cast<WeightId>(weights.size() - 1);
}

WeightId BrokenModel::add_transposed(WeightId weight) {
  ops::WeightData copy = weights[static_cast<size_t>(weight)];
  copy.tensor = copy.tensor.transposed();
  weights.push_back(std::move(copy));
  return static_cast<WeightId>(weights.size() - 1);
}

Result<std::vector<float>> BrokenModel::logits(std::span<const int32_t> tokens) {
  return logits(tokens, *ops::reference_backend());
}

Result<std::vector<float>> BrokenModel::logits(std::span<const int32_t> tokens,
                                               ops::Backend& backend) {
  SK_TRY_STATUS(put_in_order());
  SK_TRY_STATUS(check_widths());
  SK_TRY(const auto executable, backend.compile(program, weights, {}));
  const auto vocab = static_cast<size_t>(program.values[static_cast<size_t>(program.logits)].width);
  std::vector<float> out(tokens.size() * vocab);
  SK_TRY(const auto state, executable->states()->make());
  set_numbers(*state, start);
  const int32_t first = 0;
  for (size_t t = 0; t < tokens.size(); ++t) {
    const ops::Sequence sequence = {.begin = 0, .end = 1, .state = state.get()};
    SK_TRY_STATUS(executable->run({.tokens = tokens.subspan(t, 1),
                                   .sequences = {&sequence, 1},
                                   .outputs = {&first, 1},
                                   .logits = out.data() + t * vocab}));
    if (!afterwards) continue;
    std::vector<float> after = test::numbers(*state);
    afterwards(after);
    set_numbers(*state, after);
  }
  return out;
}

// Every operation after those whose values it reads, otherwise as recorded.
Status BrokenModel::put_in_order() {
  std::vector<Op> waiting = std::exchange(program.ops, {});
  std::vector<bool> made(program.values.size(), false);
  const auto ready = [&](const Op& op) {
    return std::all_of(std::begin(op.in), std::end(op.in), [&](ValueId value) {
      return value == kNone || made[static_cast<size_t>(value)];
    });
  };
  while (!waiting.empty()) {
    const auto next = std::find_if(waiting.begin(), waiting.end(), ready);
    if (next == waiting.end()) return fail(Code::argument, "the program reads what it makes later");
    made[static_cast<size_t>(next->out)] = true;
    program.ops.push_back(*next);
    waiting.erase(next);
  }
  return {};
}

// The reference executor trusts what the recorder checked; so that it may, here again.
Status BrokenModel::check_widths() const {
  for (const Op& op : program.ops) {
    const ops::Operation& row = ops::operation(op);
    const ops::Value& out = program.value(op.out);
    ops::OpShape shape = {.op = op};
    bool fits = true;
    for (size_t i = 0; i < row.operands.size(); ++i) {
      const ops::Operand& operand = row.operands[i];
      if (operand.in_values(op)) {
        shape.operands[i] = program.value(op.in[operand.value]).width;
      } else if (operand.in_weights(op)) {
        const Shape& of = weights[static_cast<size_t>(op.weight[operand.weight])].tensor.shape;
        const bool table = op.kind == OpKind::rows;
        const bool matrix = op.kind == OpKind::linear && i == 1;
        if (matrix) fits = of.rank() == 2 && of[1] == shape.operands[0];
        shape.operands[i] = static_cast<int32_t>(table ? of[1] : matrix ? of[0] : of.elements());
      } else if (operand.weight >= 0 && operand.value < 0 && !operand.optional) {
        shape.operands[i] = out.width;  // to lack it can be the mistake
      }
    }
    if (!fits || ops::width_of(shape, program.slots) != out.width)
      return fail(Code::argument, "{} of {} does not fit", row.name, out.name);
  }
  return {};
}

}  // namespace skein::test
