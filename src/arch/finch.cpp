#include "arch/finch.h"

namespace skein::arch {
namespace {

// In the order of the five parts of time_maa_w1 and time_maa_w2 in official files.
constexpr std::array kMixes = {"w", "k", "v", "r", "g"};

}  // namespace

Status Finch::read_time_mix(const NamedModel& model, std::string_view file_name, int64_t head_size,
                            Config& c) {
  const Shapes shapes(model.tensors, file_name);
  SK_TRY_STATUS(divide_heads(file_name, head_size, c));
  SK_TRY(const int64_t stacked, shapes.rank_of("blocks.0.att.time_maa_w1"));
  if (stacked % static_cast<int64_t>(kMixes.size()) != 0)
    return fail(Code::mismatch, "{}: blocks.0.att.time_maa_w1 has {} columns, not five equal parts",
                file_name, stacked);
  c.rank_mix = stacked / static_cast<int64_t>(kMixes.size());
  SK_TRY(c.rank_decay, shapes.rank_of("blocks.0.att.time_decay_w1"));
  return {};
}

void Finch::add_dynamic_weights(LayerWeights& w) const {
  const auto& c = config_;
  const int64_t D = c.width;
  constexpr auto kParts = static_cast<int32_t>(kMixes.size());
  w.vector("att.time_maa_x", {D});
  for (const char* j : kMixes) w.vector(fmt::format("att.time_maa_{}", j), {D});
  w.low_rank("att.time_maa_w1", {D, kParts * c.rank_mix}).parts = kParts;
  w.low_rank("att.time_maa_w2", {kParts, c.rank_mix, D}).parts = kParts;
  w.vector("att.time_decay", {D});
  w.low_rank("att.time_decay_w1", {D, c.rank_decay});
  w.low_rank("att.time_decay_w2", {c.rank_decay, D});
}

Finch::Mixed Finch::mix(const Layer& p, Var x) const {
  ops::Recorder& b = p.b;
  Var x_prev = p.previous("att.x_prev", x);
  Var xx = b.lerp("att.xx", x, x_prev, p("att.time_maa_x"));
  std::array<Var, kMixes.size()> low, mixed;
  for (size_t j = 0; j < kMixes.size(); ++j)
    low[j] = b.linear(fmt::format("att.{}_mix_low", kMixes[j]).c_str(), xx, p("att.time_maa_w1", j),
                      Unary::tanh);
  for (size_t j = 0; j < kMixes.size(); ++j) {
    Var t = b.linear(fmt::format("att.{}_mix", kMixes[j]).c_str(), low[j], p("att.time_maa_w2", j),
                     Unary::none, p(fmt::format("att.time_maa_{}", kMixes[j])));
    mixed[j] = b.lerp(fmt::format("att.x{}", kMixes[j]).c_str(), x, x_prev, t);
  }
  return {mixed[0], mixed[1], mixed[2], mixed[3], mixed[4]};
}

Var Finch::decay(const Layer& p, Var xw) const {
  Var low = p.b.linear("att.w_low", xw, p("att.time_decay_w1"), Unary::tanh);
  return p.b.linear("att.w", low, p("att.time_decay_w2"), Unary::decay, p("att.time_decay"));
}

}  // namespace skein::arch
