// What can be wrong with each generation, one detail at a time.
#pragma once

#include "run/broken_model.h"

namespace skein::test {

struct Mutation {
  std::string broken;  // a sentence
  std::function<void(BrokenModel&)> apply;
};
using Mutations = std::vector<Mutation>;

// Of all, and of what generations share.
Mutations skeleton_mutations();
Mutations layer_norm_mutations();         // RWKV-4 to 7a
Mutations rms_norm_mutations();           // what came from Qwen2
Mutations gated_channel_mix_mutations();  // RWKV-4 to 6
Mutations swiglu_mutations();             // what came from Qwen2
Mutations group_norm_mutations();         // where there is a norm after the recurrence
Mutations heads_mutations();              // where there is one, and more than one head
Mutations rwkv4_mutations();
Mutations rwkv5_mutations();
Mutations rwkv5_gate_mutations();         // 5.1 and 5.2
Mutations rwkv5_per_head_mutations();     // 5.0 and 5.1
Mutations rwkv5_log_bonus_mutations();    // 5.0
Mutations rwkv5_plain_bonus_mutations();  // 5.1 and 5.2
Mutations finch_mutations();              // RWKV-6 and QRWKV6
Mutations rwkv6_mutations();
Mutations qrwkv6_mutations();
Mutations goose_mutations();              // RWKV-7, 7a and ARWKV
Mutations goose_gate_mutations();         // not of every ARWKV
Mutations goose_third_layer_mutations();  // where there are three layers
Mutations rwkv7_channel_mix_mutations();  // RWKV-7 and 7a
Mutations rwkv7a_mutations();

// The ways to break something, by the names of values, in every layer that has them.
using Change = std::function<void(BrokenModel&)>;
Change all_of(std::vector<Change> changes);
Change of_all(const std::vector<std::string>& values,
              const std::function<Change(std::string value)>& change);
Change in_layers(std::function<void(const BrokenModel::Layer&)> change);
Change left_out(std::string value, int kept = 0);  // its readers read its input
Change reads(std::string value, int place, std::string other);
Change inputs_exchanged(std::string value, int a, int b);
// What two operations of a layer take at `place`.
Change weights_exchanged(std::string a, std::string b, int place = 0);
Change weight_left_out(std::string value, int place);
Change transposed(std::string value);
// Of two linears, one after the other: each takes the other's matrix, transposed.
Change pair_reversed(std::string down, std::string up);
Change numbers(std::string value, int place, std::function<double(double)> change);
// Channel c gets the number of channel from(c).
Change channels_moved(std::string value, int place, std::function<size_t(size_t c)> from);
Change function_is(std::string value, ops::Unary function);
Change kind_is(std::string value, ops::OpKind kind);
Change epsilon_is(std::string value, float epsilon);
Change scale_is(std::string value, float scale);
Change heads_are(std::string value, int32_t heads);
// norm(y * g) for norm(y) * g, of the recurrence's y; and y for y * g.
Change gate_before_norm();
Change gate_left_out();
// Shares of past and present, in mixes of these names.
Change mixes_reversed(const std::vector<std::string>& mixes);
// After every token the slot holds what it held at first.
Change forgotten(std::string slot);

}  // namespace skein::test
