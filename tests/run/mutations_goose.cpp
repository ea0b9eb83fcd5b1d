// What can be wrong with RWKV-7, RWKV-7a and ARWKV.
#include <utility>

#include "run/mutations.h"

namespace skein::test {
namespace {

using Layer = BrokenModel::Layer;
using ops::kNone;
using ops::Op;
using ops::OpKind;
using ops::Unary;

// The recurrence's inputs in the program.
constexpr int kR = 0, kW = 1, kK = 2, kV = 3, kKk = 4, kA = 5;

// y = ... + bonus
Op& bonus_sum(const Layer& p) { return p.model.reader(p.value("att.bonus")); }

Change bonus_is(OpKind kind) {
  return in_layers([=](const Layer& p) { bonus_sum(p).kind = kind; });
}

void leave_bonus_out(const Layer& p) {
  const Op sum = bonus_sum(p);
  p.model.redirect(sum.out, sum.in[0]);
}

// (y + bonus) normalised
void normalise_bonus(const Layer& p) {
  Op& norm = p.op("att.ln_x");
  Op& sum = bonus_sum(p);
  p.model.redirect(sum.out, norm.out);
  sum.in[0] = norm.in[0];
  norm.in[0] = sum.out;
}

// y * g + bonus
void gate_before_bonus(const Layer& p) {
  Op& sum = bonus_sum(p);
  Op& gated = p.model.maker(p.op("att.out").in[0]);
  gated.in[0] = sum.in[0];
  sum.in[0] = gated.out;
  p.op("att.out").in[0] = sum.out;
}

// From layer 1 on, the only ones that mix.
Change in_mixing_layers(std::function<void(const Layer&)> change) {
  return in_layers([=](const Layer& p) {
    if (p.index > 0) change(p);
  });
}

void take_value_of_layer_before(BrokenModel& m) {
  m.op("blocks.2.att.v_mixed").in[1] = m.value("blocks.1.att.v_mixed");
}

// -a, as code that keeps kk negated may have it
void negate_rate(const Layer& p) {
  Op minus = {.kind = OpKind::sub};
  const ops::ValueId a = p.op("att.wkv").in[kA];
  minus.in[0] = minus.in[1] = a;
  const ops::ValueId zero = p.model.append(minus, a);
  minus.in[0] = zero;
  p.op("att.wkv").in[kA] = p.model.append(minus, a);
}

// DeepEmbed's matrix of a token is 32 rows of 32, one after the other.
constexpr size_t kSide = 32, kTable = kSide * kSide;
size_t across(size_t c) { return c % kSide * kSide + c / kSide; }

Op& deep_embed_product(const Layer& p) { return p.model.reader(p.value("ffn.scale")); }

// relu2(k * scale) for relu2(k) * scale
void scale_before_function(const Layer& p) {
  p.op("ffn.k").function = Unary::none;
  const ops::ValueId product = deep_embed_product(p).out;
  Op relu = {.kind = OpKind::unary, .function = Unary::relu2};
  relu.in[0] = product;
  p.model.insert(product, relu);
}

// k * (1 + scale), for tables that are trained around 1
void add_unscaled(const Layer& p) {
  const Op product = deep_embed_product(p);
  Op sum = {.kind = OpKind::add};
  sum.in[0] = product.out, sum.in[1] = product.in[0];
  p.model.insert(product.out, sum);
}

}  // namespace

Mutations goose_mutations() {
  return {
      {"the time mix's shares of past and present change places",
       mixes_reversed({"att.xr", "att.xw", "att.xk", "att.xv", "att.xa"})},
      {"r and k change their mixes", weights_exchanged("att.xr", "att.xk")},
      {"w and a change their mixes", weights_exchanged("att.xw", "att.xa")},
      {"k and v change their mixes", weights_exchanged("att.xk", "att.xv")},
      {"the decay is that of RWKV-6", function_is("att.w", Unary::decay)},
      {"the decay is a sigmoid", function_is("att.w", Unary::sigmoid)},
      {"the decay lacks its tanh", function_is("att.w_low", Unary::none)},
      {"the decay lacks its constant", weight_left_out("att.w", 1)},
      {"the decay's matrices are each other's, transposed", pair_reversed("att.w_low", "att.w")},
      {"a has no sigmoid", function_is("att.a", Unary::none)},
      {"a lacks its constant", weight_left_out("att.a", 1)},
      {"a goes through a tanh on its way", function_is("att.a_low", Unary::tanh)},
      {"a has the wrong sign in the state", in_layers(negate_rate)},
      {"the first layer's value is not mixed in", in_mixing_layers([](const Layer& p) {
         p.model.redirect(p.value("att.v_mixed"), p.op("att.v_mixed").in[0]);
       })},
      {"the first layer's value is mixed in the wrong way round",
       inputs_exchanged("att.v_mixed", 0, 1)},
      {"the value mix has no sigmoid", function_is("att.v_gate", Unary::none)},
      {"the value mix lacks its constant", weight_left_out("att.v_gate", 1)},
      {"the value mix reads what the key reads",
       in_mixing_layers([](const Layer& p) { p.op("att.v_low").in[0] = p.value("att.xk"); })},
      {"kk is of the key after a changed it", reads("att.k_scaled", 0, "att.k_mixed")},
      {"kk is not normalised", left_out("att.kk")},
      {"kk is normalised before its scale", in_layers([](const Layer& p) {
         Op& kk = p.op("att.kk");
         Op& scaled = p.op("att.k_scaled");
         p.model.redirect(kk.out, scaled.out);
         kk.in[0] = scaled.in[0];
         scaled.in[0] = kk.out;
       })},
      {"kk lacks its scale", left_out("att.k_scaled")},
      {"the scales of kk and of a change places", weights_exchanged("att.k_scaled", "att.k_mixed")},
      {"a changes the key fully", left_out("att.k_mixed", 1)},
      {"a does not change the key", left_out("att.k_mixed", 0)},
      {"a's share in the key is turned around", inputs_exchanged("att.k_mixed", 0, 1)},
      {"r and k change places", inputs_exchanged("att.wkv", kR, kK)},
      {"the state is transposed: k and v change places", inputs_exchanged("att.wkv", kK, kV)},
      {"what is removed is found by the key itself", reads("att.wkv", kKk, "att.k_mixed")},
      {"kk and a change places", inputs_exchanged("att.wkv", kKk, kA)},
      {"w and a change places", inputs_exchanged("att.wkv", kW, kA)},
      {"the state is forgotten", forgotten("att.wkv")},
      {"the bonus is left out", in_layers(leave_bonus_out)},
      {"the bonus is taken off", bonus_is(OpKind::sub)},
      {"the bonus is a factor", bonus_is(OpKind::mul)},
      {"the bonus counts twice", numbers("att.bonus", 0, [](double u) { return 2 * u; })},
      {"the bonus reads the key before a changed it", reads("att.bonus", 1, "att.k")},
      {"the bonus reads the value before it was mixed", reads("att.bonus", 2, "att.v")},
      {"the bonus is over the whole row",
       in_layers([](const Layer& p) { p.op("att.bonus").heads = 1; })},
      {"neighbouring channels take turns at the heads' bonuses", in_layers([](const Layer& p) {
         Op& bonus = p.op("att.bonus");
         const auto old = p.model.numbers(bonus.weight[0]);
         const auto heads = static_cast<size_t>(bonus.heads), size = old.size() / heads;
         auto all = old;
         for (size_t c = 0; c < all.size(); ++c) all[c] = old[c % heads * size + c / heads];
         bonus.weight[0] = p.model.add_weight(all, {static_cast<int64_t>(all.size())});
       })},
  };
}

Mutations goose_gate_mutations() {
  return {
      {"the gate is left out", gate_left_out()},
      {"the gate's inner product has no sigmoid", function_is("att.g_low", Unary::none)},
      {"the gate's inner product goes through tanh", function_is("att.g_low", Unary::tanh)},
      {"the gate goes through silu as in RWKV-6", function_is("att.g", Unary::silu)},
      {"the gate is a sigmoid", function_is("att.g", Unary::sigmoid)},
      {"the gate comes before the bonus", in_layers(gate_before_bonus)},
      {"the gate's matrices are each other's, transposed", pair_reversed("att.g_low", "att.g")},
      {"the gate's shares of past and present change places", inputs_exchanged("att.xg", 0, 1)},
      {"the bonus is normalised too", in_layers(normalise_bonus)},
  };
}

Mutations goose_third_layer_mutations() {
  return {{"the value of the layer before is mixed in, not the first", take_value_of_layer_before}};
}

Mutations rwkv7_channel_mix_mutations() {
  return {
      {"the channel mix's shares of past and present change places",
       inputs_exchanged("ffn.xk", 0, 1)},
      {"the channel mix takes the time mix's share for k", weights_exchanged("ffn.xk", "att.xk")},
      {"the channel mix's previous input is the current one", left_out("ffn.x_prev")},
      {"the channel mix remembers its input unnormalised",
       in_layers([](const Layer& p) { p.op("ffn.x_prev").in[0] = p.op("ln2").in[0]; })},
      {"the channel mix forgets the token before", forgotten("ffn.x_prev")},
      {"the channel mix's key goes through silu, not relu squared",
       function_is("ffn.k", Unary::silu)},
      {"the channel mix's key goes through nothing", function_is("ffn.k", Unary::none)},
  };
}

Mutations rwkv7a_mutations() {
  return {
      {"DeepEmbed's matrix is transposed",
       all_of({channels_moved("ffn.s_emb", 0,
                              [](size_t i) { return i / kTable * kTable + across(i % kTable); }),
               // [kTable, width]
               in_layers([](const Layer& p) {
                 Op& op = p.op("ffn.s_x");
                 const auto old = p.model.numbers(op.weight[0]);
                 const size_t width = old.size() / kTable;
                 auto all = old;
                 for (size_t i = 0; i < all.size(); ++i)
                   all[i] = old[across(i / width) * width + i % width];
                 op.weight[0] = p.model.add_weight(
                     all, {static_cast<int64_t>(kTable), static_cast<int64_t>(width)});
               })})},
      {"only the table's part of the matrix is transposed",
       channels_moved("ffn.s_emb", 0,
                      [](size_t i) { return i / kTable * kTable + across(i % kTable); })},
      {"every token has its neighbour's table", in_layers([](const Layer& p) {
         Op& op = p.op("ffn.s_emb");
         const auto old = p.model.numbers(op.weight[0]);
         auto all = old;
         for (size_t i = 0; i < all.size(); ++i) all[i] = old[(i + kTable) % all.size()];
         const auto rows = static_cast<int64_t>(all.size() / kTable);
         op.weight[0] = p.model.add_weight(all, {rows, static_cast<int64_t>(kTable)});
       })},
      {"the layers' tables come in reverse order",
       [](BrokenModel& m) {
         std::swap(m.op("blocks.0.ffn.s_emb").weight[0], m.op("blocks.1.ffn.s_emb").weight[0]);
       }},
      {"the matrix is the table's alone", left_out("ffn.m", 0)},
      {"the matrix is the embedding's alone", left_out("ffn.m", 1)},
      {"the matrix is of the embedding before its norm",
       in_layers([](const Layer& p) { p.op("ffn.s_x").in[0] = p.model.value("emb"); })},
      {"the matrix is of the layer's input", reads("ffn.s_x", 0, "ln2")},
      {"what the matrix turns is mixed with the token before", reads("ffn.s_low", 0, "ffn.xk")},
      {"what the matrix turns goes through tanh", function_is("ffn.s_low", Unary::tanh)},
      {"the scale lacks its constant", weight_left_out("ffn.scale", 1)},
      {"the scale is a sigmoid", function_is("ffn.scale", Unary::sigmoid)},
      {"the scale is left out", in_layers([](const Layer& p) {
         const Op product = deep_embed_product(p);
         p.model.redirect(product.out, product.in[0]);
       })},
      {"the scale is an offset from 1", in_layers(add_unscaled)},
      {"the scale comes before relu squared", in_layers(scale_before_function)},
  };
}

}  // namespace skein::test
