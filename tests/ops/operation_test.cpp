// The table of operations against itself, and several results of one operation.
#include "ops/operation.h"

#include <gtest/gtest.h>

#include <set>

#include "ops/plan.h"
#include "small_program.h"

namespace skein {
namespace {

using ops::kNone, ops::Op, ops::OpKind, ops::Operation, ops::ValueId;

TEST(OperationTable, every_kind_has_its_row) {
  std::set<std::string> names;
  for (size_t i = 0; i < ops::kOpKinds; ++i) {
    const auto kind = static_cast<OpKind>(i);
    const Operation& row = ops::operation(kind);
    EXPECT_EQ(row.kind, kind);
    EXPECT_TRUE(names.insert(row.name).second) << row.name;
    EXPECT_TRUE(row.width && row.reference && row.gradient) << row.name;
    EXPECT_EQ(row.slots > 0, row.slot_use != ops::SlotUse::none) << row.name;
    EXPECT_EQ(row.slots > 0, row.slot_size != nullptr) << row.name;
    EXPECT_EQ(row.is_composite != nullptr, row.expand != nullptr) << row.name;
    // What reads other rows through the state says so.
    EXPECT_EQ(row.slot_use == ops::SlotUse::recurrent, row.along == ops::Along::earlier)
        << row.name;
  }
}

// Each operand has a place of its own, and places are used from the first on.
TEST(OperationTable, operands_have_places_of_their_own) {
  for (size_t i = 0; i < ops::kOpKinds; ++i) {
    const Operation& row = ops::operation(static_cast<OpKind>(i));
    std::set<int> values, weights;
    for (const ops::Operand& operand : row.operands) {
      if (!operand.name) continue;
      EXPECT_TRUE(operand.value >= 0 || operand.weight >= 0) << row.name << " " << operand.name;
      if (operand.value >= 0) {
        EXPECT_TRUE(values.insert(operand.value).second) << row.name;
      }
      if (operand.weight >= 0) {
        EXPECT_TRUE(weights.insert(operand.weight).second) << row.name;
      }
    }
    EXPECT_TRUE(values.empty() || *values.rbegin() + 1 == std::ssize(values)) << row.name;
    EXPECT_TRUE(weights.empty() || *weights.rbegin() + 1 == std::ssize(weights)) << row.name;
  }
}

// The program of all operations, as a net for the one above: whatever a recorded one has is an
// operand of its row.
TEST(OperationTable, a_program_has_no_operand_that_the_table_does_not_know) {
  const test::SmallProgram small;
  std::set<OpKind> seen;
  for (const Op& op : small.program.ops) {
    seen.insert(op.kind);
    int known = 0, used = 0;
    for (const ops::Operand& operand : ops::operation(op).operands)
      known += operand.in_values(op) || operand.in_weights(op);
    for (const ValueId in : op.in) used += in != kNone;
    for (const ops::WeightId weight : op.weight) used += weight != kNone;
    EXPECT_EQ(known, used) << op_name(op.kind);
  }
  EXPECT_EQ(seen.size(), ops::kOpKinds);  // it has them all
}

// The rule, said again: what the table counts for a step of RWKV-7's recurrence and of a product.
TEST(OperationTable, work_is_counted_by_rows) {
  const test::SmallProgram small;
  for (const Op& op : small.program.ops) {
    const ops::Work one = work_of(small.program, op, 1, 1, 1);
    const ops::Work many = work_of(small.program, op, 10, 2, 3);
    const bool outputs = small.program.value(op.out).rows == ops::Rows::outputs;
    EXPECT_EQ(many.flops, one.flops * (outputs ? 3 : 10)) << op_name(op.kind);
    EXPECT_EQ(many.state_bytes, one.state_bytes * 2) << op_name(op.kind);
    switch (op.kind) {
      case OpKind::wkv7:
        EXPECT_EQ(one.flops, 9 * 2 * 20 * 20);
        EXPECT_EQ(one.state_bytes, 2 * 4 * 2 * 20 * 20);
        break;
      case OpKind::wkv4: EXPECT_EQ(one.state_bytes, 2 * 4 * 3 * 40); break;
      // Of ten rows three are picked and three are made.
      case OpKind::pick: EXPECT_EQ(many.value_bytes, 4 * 40 * (3 + 3)); break;
      default: break;
    }
  }
}

// No design has such an operation yet; the plan must not give two results one place, nor keep one
// for longer than somebody reads it.
TEST(OperationTable, each_of_several_results_has_a_place_and_an_end) {
  ops::Program program;
  for (const char* name : {"x", "first", "second", "third", "logits"})
    program.values.push_back({ops::Rows::tokens, 32, name});
  const auto op = [&](OpKind kind, ValueId out, int32_t results, std::vector<ValueId> in) {
    Op one = {.kind = kind, .out = out, .results = results};
    std::copy(in.begin(), in.end(), one.in);
    program.ops.push_back(one);
  };
  op(OpKind::rows, 0, 1, {});
  op(OpKind::lerp, 1, 3, {0, 0, 0});  // makes 1, 2 and 3
  op(OpKind::add, 4, 1, {1, 3});
  program.logits = 4;
  const ops::Plan plan = ops::make_plan(program);
  std::set<int64_t> places;
  for (const ValueId value : {0, 1, 2, 3}) places.insert(plan.offset[static_cast<size_t>(value)]);
  EXPECT_EQ(places.size(), 4u);
  EXPECT_EQ(plan.floats_per_token, 4 * 32);
  EXPECT_EQ(&program.head(), &program.ops[2]);
  EXPECT_TRUE(program.ops[1].makes(3) && !program.ops[1].makes(4) && !program.ops[1].makes(0));
  EXPECT_EQ(work_of(program, program.ops[1], 2, 1, 2).value_bytes, 4 * 2 * 32 * (3 + 3));
}

}  // namespace
}  // namespace skein
