// The ways to break something, and what all generations can have wrong.
#include "run/mutations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <utility>

namespace skein::test {

using Layer = BrokenModel::Layer;
using ops::kNone;
using ops::Op;
using ops::OpKind;
using ops::Unary;

Change all_of(std::vector<Change> changes) {
  return [=](BrokenModel& m) {
    for (const Change& change : changes) change(m);
  };
}

Change of_all(const std::vector<std::string>& values,
              const std::function<Change(std::string value)>& change) {
  std::vector<Change> all;
  for (const std::string& value : values) all.push_back(change(value));
  return all_of(std::move(all));
}

Change in_layers(std::function<void(const Layer&)> change) {
  return [=](BrokenModel& m) { m.each_layer(change); };
}

Change left_out(std::string value, int kept) {
  return [=](BrokenModel& m) {
    std::vector<Op> found;
    m.each(value, [&](Op& op) { found.push_back(op); });
    for (const Op& op : found) m.redirect(op.out, op.in[kept]);
  };
}

Change reads(std::string value, int place, std::string other) {
  return in_layers([=](const Layer& p) { p.op(value).in[place] = p.value(other); });
}

Change inputs_exchanged(std::string value, int a, int b) {
  return [=](BrokenModel& m) { m.each(value, [&](Op& op) { std::swap(op.in[a], op.in[b]); }); };
}

Change weights_exchanged(std::string a, std::string b, int place) {
  return in_layers(
      [=](const Layer& p) { std::swap(p.op(a).weight[place], p.op(b).weight[place]); });
}

Change weight_left_out(std::string value, int place) {
  return [=](BrokenModel& m) { m.each(value, [&](Op& op) { op.weight[place] = kNone; }); };
}

Change transposed(std::string value) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) { op.weight[0] = m.add_transposed(op.weight[0]); });
  };
}

Change pair_reversed(std::string down, std::string up) {
  return in_layers([=](const Layer& p) {
    const auto low = p.op(down).weight[0], high = p.op(up).weight[0];
    p.op(down).weight[0] = p.model.add_transposed(high);
    p.op(up).weight[0] = p.model.add_transposed(low);
  });
}

Change numbers(std::string value, int place, std::function<double(double)> change) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) {
      auto all = m.numbers(op.weight[place]);
      for (float& x : all) x = static_cast<float>(change(x));
      const Shape shape = m.weights[static_cast<size_t>(op.weight[place])].tensor.shape;
      op.weight[place] = m.add_weight(all, shape);
    });
  };
}

Change channels_moved(std::string value, int place, std::function<size_t(size_t c)> from) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) {
      const auto old = m.numbers(op.weight[place]);
      auto all = old;
      for (size_t c = 0; c < all.size(); ++c) all[c] = old[from(c)];
      const Shape shape = m.weights[static_cast<size_t>(op.weight[place])].tensor.shape;
      op.weight[place] = m.add_weight(all, shape);
    });
  };
}

Change function_is(std::string value, Unary function) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) {
      EXPECT_NE(op.function, function) << value;
      op.function = function;
    });
  };
}

Change kind_is(std::string value, OpKind kind) {
  return [=](BrokenModel& m) { m.each(value, [&](Op& op) { op.kind = kind; }); };
}

Change epsilon_is(std::string value, float epsilon) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) {
      EXPECT_NE(op.epsilon, epsilon) << value;
      op.epsilon = epsilon;
    });
  };
}

Change scale_is(std::string value, float scale) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) {
      EXPECT_NE(op.scale, scale) << value;
      op.scale = scale;
    });
  };
}

Change heads_are(std::string value, int32_t heads) {
  return [=](BrokenModel& m) {
    m.each(value, [&](Op& op) {
      EXPECT_NE(op.heads, heads) << value;
      op.heads = heads;
    });
  };
}

Change gate_before_norm() {
  return in_layers([](const Layer& p) {
    const ops::ValueId norm = p.value("att.ln_x"), gated = p.op("att.out").in[0];
    p.model.maker(gated).in[0] = p.op("att.ln_x").in[0];
    p.op("att.ln_x").in[0] = gated;
    p.op("att.out").in[0] = norm;
  });
}

Change gate_left_out() {
  return in_layers(
      [](const Layer& p) { p.op("att.out").in[0] = p.model.maker(p.op("att.out").in[0]).in[0]; });
}

Change mixes_reversed(const std::vector<std::string>& mixes) {
  return of_all(mixes, [](auto mix) { return inputs_exchanged(mix, 0, 1); });
}

Change forgotten(std::string slot) {
  return [=](BrokenModel& m) {
    std::vector<ops::Slot> slots;
    for (const ops::Slot& each : m.program.slots)
      if (each.name.ends_with("." + slot)) slots.push_back(each);
    EXPECT_FALSE(slots.empty()) << "no memory is called " << slot;
    m.afterwards = [slots, start = m.start](std::span<float> state) {
      for (const ops::Slot& each : slots) {
        const auto at = each.offset / static_cast<int64_t>(sizeof(float));
        std::copy_n(start.begin() + at, each.size, state.begin() + at);
      }
    };
  };
}

namespace {

void read_norm_of_time_mix(const Layer& p) { p.op("ln2").in[0] = p.op("ln1").in[0]; }

void share_memory_of_first_layer(BrokenModel& m) {
  const auto first = [&](ops::SlotId slot) {
    const std::string& name = m.program.slots[static_cast<size_t>(slot)].name;
    const std::string wanted = "blocks.0" + name.substr(name.find('.', sizeof("blocks.") - 1));
    const auto& slots = m.program.slots;
    const auto found = std::find_if(slots.begin(), slots.end(),
                                    [&](const ops::Slot& each) { return each.name == wanted; });
    return static_cast<ops::SlotId>(found - slots.begin());
  };
  for (Op& op : m.program.ops)
    if (op.slot != kNone) op.slot = first(op.slot);
}

void read_head_from_embedding(BrokenModel& m) { m.op("logits").weight[0] = m.op("emb").weight[0]; }

void run_layers_backwards(BrokenModel& m) {
  std::vector<Layer> layers;
  m.each_layer([&](const Layer& p) { layers.push_back(p); });
  for (size_t a = 0, b = layers.size() - 1; a < b; ++a, --b)
    for (const char* norm : {"ln1", "ln2"})
      std::swap(layers[a].op(norm).weight, layers[b].op(norm).weight);
}

void norm_embedding_twice(BrokenModel& m) {
  Op again = m.op("blocks.0.ln0");
  again.in[0] = again.out;
  m.insert(again.in[0], again);
}

}  // namespace

Mutations skeleton_mutations() {
  return {
      {"the time mix reads the stream unnormalised", left_out("ln1")},
      {"the channel mix reads the stream unnormalised", left_out("ln2")},
      {"the head reads the stream unnormalised", left_out("ln_out")},
      {"the norms before the two mixes change places",
       all_of({weights_exchanged("ln1", "ln2", 0), weights_exchanged("ln1", "ln2", 1)})},
      {"the layers' norms come in reverse order", run_layers_backwards},
      {"the channel mix reads what the time mix read", in_layers(read_norm_of_time_mix)},
      {"the time mix replaces the stream", left_out("att.sum", 1)},
      {"the channel mix replaces the stream", left_out("ffn.sum", 1)},
      {"the time mix is subtracted", kind_is("att.sum", OpKind::sub)},
      {"the head is the embedding table", read_head_from_embedding},
      {"the time mix forgets the token before", forgotten("att.x_prev")},
      {"the layers share one memory", share_memory_of_first_layer},
      {"the time mix's previous input is the current one", left_out("att.x_prev")},
      {"the time mix remembers its input unnormalised",
       in_layers([](const Layer& p) { p.op("att.x_prev").in[0] = p.op("ln1").in[0]; })},
      {"the receptance matrix is transposed", transposed("att.r")},
      {"the output matrix is transposed", transposed("att.out")},
  };
}

// A tenth or ten times of an epsilon moves these models' logits by half a tolerance to five: the
// epsilons themselves are compared in mutation_test.cpp.
Mutations layer_norm_mutations() {
  const std::vector<std::string> norms = {"ln0", "ln1", "ln2", "ln_out"};
  return {
      {"the embedding is not normalised", left_out("ln0")},
      {"the embedding is normalised twice", norm_embedding_twice},
      {"the norms' epsilon is 1e-3",
       of_all(norms, [](auto norm) { return epsilon_is(norm, 1e-3f); })},
      {"the norms keep the mean",
       of_all(norms, [](auto norm) { return kind_is(norm, OpKind::rms_norm); })},
      {"the norms lack their biases",
       of_all(norms, [](auto norm) { return weight_left_out(norm, 1); })},
  };
}

Mutations rms_norm_mutations() {
  const std::vector<std::string> norms = {"ln1", "ln2", "ln_out"};
  return {
      {"the norms' epsilon is 1e-3",
       of_all(norms, [](auto norm) { return epsilon_is(norm, 1e-3f); })},
      {"the norms take the mean off",
       of_all(norms, [](auto norm) { return kind_is(norm, OpKind::layer_norm); })},
      {"the norms' weights are offsets from 1",
       of_all(norms, [](auto norm) { return numbers(norm, 0, [](double x) { return 1 + x; }); })},
  };
}

Mutations gated_channel_mix_mutations() {
  return {
      {"the channel mix's shares of past and present change places",
       all_of({inputs_exchanged("ffn.xk", 0, 1), inputs_exchanged("ffn.xr", 0, 1)})},
      {"the channel mix's k and r change their mixes", weights_exchanged("ffn.xk", "ffn.xr")},
      {"the channel mix's previous input is the current one", left_out("ffn.x_prev")},
      {"the channel mix remembers its input unnormalised",
       in_layers([](const Layer& p) { p.op("ffn.x_prev").in[0] = p.op("ln2").in[0]; })},
      {"the channel mix forgets the token before", forgotten("ffn.x_prev")},
      {"the channel mix's receptance has no sigmoid", function_is("ffn.r", Unary::none)},
      {"the channel mix lacks its receptance", left_out("ffn.out", 1)},
      {"the channel mix's key goes through silu, not relu squared",
       function_is("ffn.k", Unary::silu)},
      {"the channel mix's receptance matrix is transposed", transposed("ffn.r")},
  };
}

Mutations swiglu_mutations() {
  return {
      {"the feed-forward's gate and the gated change places",
       weights_exchanged("ffn.gate", "ffn.up")},
      {"the feed-forward's gate is a sigmoid", function_is("ffn.gate", Unary::sigmoid)},
      {"the feed-forward's gate is relu squared", function_is("ffn.gate", Unary::relu2)},
      {"the feed-forward has no gate",
       in_layers([](const Layer& p) { p.op("ffn.out").in[0] = p.value("ffn.up"); })},
      {"the feed-forward goes through silu twice", function_is("ffn.up", Unary::silu)},
      {"the feed-forward mixes in the token before", in_layers([](const Layer& p) {
         Op mix = {.kind = OpKind::lerp};
         mix.in[0] = p.value("ln2"), mix.in[1] = p.value("att.x_prev");
         mix.weight[0] = p.op("att.xk").weight[0];
         if (mix.weight[0] == kNone) mix.weight[0] = p.op("att.xx").weight[0];
         p.op("ffn.gate").in[0] = p.model.append(mix, mix.in[0]);
       })},
  };
}

Mutations group_norm_mutations() {
  return {
      {"the norm after the recurrence is left out", left_out("att.ln_x")},
      {"the norm after the recurrence has the layers' epsilon", epsilon_is("att.ln_x", 1e-5f)},
      {"the norm after the recurrence keeps the mean", kind_is("att.ln_x", OpKind::rms_norm)},
      {"the norm after the recurrence lacks its bias", weight_left_out("att.ln_x", 1)},
  };
}

Mutations heads_mutations() {
  return {
      {"the norm after the recurrence is over the whole row", heads_are("att.ln_x", 1)},
  };
}

}  // namespace skein::test
