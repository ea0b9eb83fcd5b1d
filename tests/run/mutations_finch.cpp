// What can be wrong with RWKV-6 and QRWKV6.
#include <cmath>
#include <utility>

#include "run/mutations.h"

namespace skein::test {
namespace {

using Layer = BrokenModel::Layer;
using ops::kNone;
using ops::Op;
using ops::OpKind;
using ops::Unary;

constexpr int kBonus = 1;  // of the recurrence's weights
const std::vector<std::string> kMixes = {"w", "k", "v", "r", "g"};

std::string mix_low(const std::string& j) { return fmt::format("att.{}_mix_low", j); }
std::string mix_up(const std::string& j) { return fmt::format("att.{}_mix", j); }
std::string mixed(const std::string& j) { return fmt::format("att.x{}", j); }

// The five parts of both matrices, taken for those of other mixes.
Change parts_exchanged(const std::string& a, const std::string& b) {
  return all_of(
      {weights_exchanged(mix_low(a), mix_low(b)), weights_exchanged(mix_up(a), mix_up(b))});
}

// What the mix would be without an offset that depends on the token.
Change offset_left_out(const std::string& j) {
  return in_layers([=](const Layer& p) {
    Op& mix = p.op(mixed(j));
    mix.weight[0] = p.op(mix_up(j)).weight[1];
    mix.in[2] = kNone;
  });
}

// Head a takes group a % groups, not a / (heads / groups).
void take_groups_in_turn(const Layer& p, const char* value) {
  Op& op = p.op(value);
  const auto width = [&](ops::ValueId id) {
    return static_cast<size_t>(p.model.program.values[static_cast<size_t>(id)].width);
  };
  const size_t outputs = width(op.out), inputs = width(op.in[0]);
  std::vector<float> choice(outputs * inputs);
  for (size_t c = 0; c < outputs; ++c) choice[c * inputs + c % inputs] = 1;
  op.kind = OpKind::linear;
  op.weight[0] =
      p.model.add_weight(choice, {static_cast<int64_t>(outputs), static_cast<int64_t>(inputs)});
}

void read_state_before_token(const Layer& p) {
  Op& wkv = p.op("att.wkv");
  const int32_t width = p.model.program.values[static_cast<size_t>(wkv.out)].width;
  wkv.weight[kBonus] = p.model.add_weight(std::vector<float>(static_cast<size_t>(width)), {width});
}

// Of k - k * w, QRWKV6's key: one of the two instead.
Change key_is_only(int term) {
  return in_layers([=](const Layer& p) {
    Op& wkv = p.op("att.wkv");
    wkv.in[1] = p.model.maker(wkv.in[1]).in[term];
  });
}

}  // namespace

Mutations finch_mutations() {
  return {
      {"the time mix's shares of past and present change places",
       mixes_reversed({"att.xx", "att.xw", "att.xk", "att.xv", "att.xr", "att.xg"})},
      {"the mix that the offsets are made of is turned around", inputs_exchanged("att.xx", 0, 1)},
      {"the offsets are made of the input unmixed", left_out("att.xx")},
      {"the five offsets come in the order k w v r g", parts_exchanged("w", "k")},
      {"the five offsets come in the order r k v w g", parts_exchanged("w", "r")},
      {"the five offsets come in the order w k v g r", parts_exchanged("r", "g")},
      {"the halves of the offsets of k and v belong to each other",
       weights_exchanged(mix_up("k"), mix_up("v"))},
      {"the offsets lack their tanh",
       of_all(kMixes, [](auto j) { return function_is(mix_low(j), Unary::none); })},
      {"the offsets are left out", of_all(kMixes, offset_left_out)},
      {"the mixes are offsets alone",
       of_all(kMixes, [](auto j) { return weight_left_out(mix_up(j), 1); })},
      {"the constant mixes of k and r change places",
       weights_exchanged(mix_up("k"), mix_up("r"), 1)},
      {"the decay reads what the key reads", reads("att.w_low", 0, "att.xk")},
      {"the decay lacks its tanh", function_is("att.w_low", Unary::none)},
      {"the decay lacks its constant", weight_left_out("att.w", 1)},
      {"the decay is that of RWKV-7", function_is("att.w", Unary::decay7)},
      {"the decay is a sigmoid", function_is("att.w", Unary::sigmoid)},
      {"the decay's matrices are each other's, transposed", pair_reversed("att.w_low", "att.w")},
      {"r and k change places", inputs_exchanged("att.wkv", 0, 1)},
      {"the state is transposed: k and v change places", inputs_exchanged("att.wkv", 1, 2)},
      {"the state is forgotten", forgotten("att.wkv")},
      {"the gate is left out", gate_left_out()},
      {"the gate is applied as it is", function_is("att.g", Unary::none)},
  };
}

Mutations rwkv6_mutations() {
  return {
      {"the gate is a sigmoid", function_is("att.g", Unary::sigmoid)},
      {"the gate comes before the norm", gate_before_norm()},
      {"the state is read after the token, without bonus", weight_left_out("att.wkv", kBonus)},
      {"the bonus is left out", numbers("att.wkv", kBonus, [](double) { return 0.0; })},
      {"the bonus is taken off", numbers("att.wkv", kBonus, [](double u) { return -u; })},
      {"the bonus counts twice", numbers("att.wkv", kBonus, [](double u) { return 2 * u; })},
      {"the bonus is taken for a logarithm",
       numbers("att.wkv", kBonus, [](double u) { return std::exp(u); })},
      // Only the norm's epsilon tells the two apart.
      {"outputs are divided by 8, with the epsilon of undivided ones", scale_is("att.wkv", 0.125f)},
  };
}

Mutations qrwkv6_mutations() {
  return {
      {"the gate is silu, as RWKV-6's", function_is("att.g", Unary::silu)},
      {"the key is not scaled by 1 - w", key_is_only(0)},
      {"the key is scaled by w", key_is_only(1)},
      {"the state is read before the token", in_layers(read_state_before_token)},
      {"outputs are not divided by the root of a head's width", scale_is("att.wkv", 1)},
      {"outputs are divided by a head's width", scale_is("att.wkv", 1.0f / 16)},
      {"heads take their groups in turn", in_layers([](const Layer& p) {
         take_groups_in_turn(p, "att.k_heads");
         take_groups_in_turn(p, "att.v_heads");
       })},
      {"heads take their groups' values in turn",
       in_layers([](const Layer& p) { take_groups_in_turn(p, "att.v_heads"); })},
      {"r lacks its bias", weight_left_out("att.r", 1)},
      {"k lacks its bias", weight_left_out("att.k", 1)},
      {"v lacks its bias", weight_left_out("att.v", 1)},
      {"the biases of k and v change places", weights_exchanged("att.k", "att.v", 1)},
  };
}

}  // namespace skein::test
