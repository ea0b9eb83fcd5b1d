// What can be wrong with RWKV-4 and RWKV-5.
#include <algorithm>
#include <cmath>

#include "run/mutations.h"

namespace skein::test {
namespace {

using Layer = BrokenModel::Layer;
using ops::OpKind;
using ops::Unary;

// The order of recurrence weights in the program.
constexpr int kDecay = 0, kBonus = 1;

void exchange_decay_and_bonus(ops::Op& op) { std::swap(op.weight[0], op.weight[1]); }

// r * (Wo y) for Wo (r * y)
void multiply_after_output(const Layer& p) {
  const ops::Op gated = p.model.maker(p.op("att.out").in[0]);
  const ops::ValueId out = p.value("att.out");
  p.op("att.out").in[0] = gated.in[1];
  ops::Op gate = {.kind = OpKind::mul};
  gate.in[0] = gated.in[0], gate.in[1] = out;
  p.model.insert(out, gate);
}

}  // namespace

Mutations rwkv4_mutations() {
  return {
      {"the time mix's shares of past and present change places",
       mixes_reversed({"att.xk", "att.xv", "att.xr"})},
      {"k and v change their mixes", weights_exchanged("att.xk", "att.xv")},
      {"k and r change their mixes", weights_exchanged("att.xk", "att.xr")},
      {"r has no sigmoid", function_is("att.r", Unary::none)},
      {"k and v change places", inputs_exchanged("att.wkv", 0, 1)},
      {"r weighs what the output matrix made", in_layers(multiply_after_output)},
      {"the decay lacks its minus", numbers("att.wkv", kDecay, [](double w) { return -w; })},
      {"the decay is taken as stored",
       numbers("att.wkv", kDecay, [](double w) { return std::log(-w); })},
      {"the decay is that of RWKV-5",
       numbers("att.wkv", kDecay, [](double w) { return std::exp(w); })},
      {"the bonus is left out", numbers("att.wkv", kBonus, [](double) { return 0.0; })},
      {"the bonus is taken off", numbers("att.wkv", kBonus, [](double u) { return -u; })},
      {"the bonus counts twice", numbers("att.wkv", kBonus, [](double u) { return 2 * u; })},
      {"decay and bonus change places",
       [](BrokenModel& m) { m.each("att.wkv", exchange_decay_and_bonus); }},
      // An exponent that starts at 0 shows with much smaller keys only: see mutation_test.cpp.
      {"the state is full of ones at first",
       [](BrokenModel& m) { std::fill(m.start.begin(), m.start.end(), 1.0f); }},
      {"the sum of values is forgotten", forgotten("att.aa")},
      {"the sum of weights is forgotten", forgotten("att.bb")},
      {"the exponent is forgotten", forgotten("att.pp")},
  };
}

Mutations rwkv5_mutations() {
  return {
      {"the time mix's shares of past and present change places",
       mixes_reversed({"att.xk", "att.xv", "att.xr"})},
      {"k and v change their mixes", weights_exchanged("att.xk", "att.xv")},
      {"k and r change their mixes", weights_exchanged("att.xk", "att.xr")},
      {"r goes through a sigmoid as in RWKV-4", function_is("att.r", Unary::sigmoid)},
      {"r and k change places", inputs_exchanged("att.wkv", 0, 1)},
      {"the state is transposed: k and v change places", inputs_exchanged("att.wkv", 1, 2)},
      {"the state is forgotten", forgotten("att.wkv")},
      {"the state is read after the token, without bonus", weight_left_out("att.wkv", kBonus)},
      {"the bonus is left out", numbers("att.wkv", kBonus, [](double) { return 0.0; })},
      {"the bonus is taken off", numbers("att.wkv", kBonus, [](double u) { return -u; })},
      {"the bonus counts twice", numbers("att.wkv", kBonus, [](double u) { return 2 * u; })},
      {"decay and bonus change places",
       [](BrokenModel& m) { m.each("att.wkv", exchange_decay_and_bonus); }},
      {"the decay is taken as stored",
       numbers("att.wkv", kDecay, [](double w) { return std::log(-std::log(w)); })},
      {"the decay's logarithm has the wrong sign",
       numbers("att.wkv", kDecay, [](double w) { return std::exp(1 / std::log(w)); })},
      {"the decay is what is lost", numbers("att.wkv", kDecay, [](double w) { return 1 - w; })},
      // Only the norm's epsilon tells the two apart.
      {"outputs are divided by 8, with the epsilon of undivided ones", scale_is("att.wkv", 0.125f)},
  };
}

Mutations rwkv5_gate_mutations() {
  return {
      {"the gate is a sigmoid", function_is("att.g", Unary::sigmoid)},
      {"the gate is applied as it is", function_is("att.g", Unary::none)},
      {"the gate comes before the norm", gate_before_norm()},
      {"the gate is left out", gate_left_out()},
      {"the gate's shares of past and present change places", inputs_exchanged("att.xg", 0, 1)},
      {"g and r change their mixes", weights_exchanged("att.xg", "att.xr")},
  };
}

Mutations rwkv5_per_head_mutations() {
  const auto interleaved = [](size_t c) { return c % 2 * 64 + c / 2; };
  return {
      {"neighbouring channels take turns at the heads' decays",
       channels_moved("att.wkv", kDecay, interleaved)},
      {"neighbouring channels take turns at the heads' bonuses",
       channels_moved("att.wkv", kBonus, interleaved)},
  };
}

Mutations rwkv5_log_bonus_mutations() {
  return {{"the bonus is taken as stored, a logarithm",
           numbers("att.wkv", kBonus, [](double u) { return std::log(u); })}};
}

Mutations rwkv5_plain_bonus_mutations() {
  return {{"the bonus is taken for a logarithm",
           numbers("att.wkv", kBonus, [](double u) { return std::exp(u); })}};
}

}  // namespace skein::test
