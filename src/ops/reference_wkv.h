// The recurrences by their definition, in double between f32 states.
#pragma once

#include "ops/program.h"

namespace skein::ops {

// One token of one sequence. Operands stand where Op has them; the state is the whole slot's.
struct WkvRow {
  const float* in[6] = {};      // [width] each, nullptr where the operation has none
  const float* weight[2] = {};  // [width] each, likewise
  float* y = nullptr;           // [width]
  float* state = nullptr;
  int64_t width = 0;
  int64_t heads = 1;
  double scale = 1;
};

// `kind` is one of the recurrences.
void reference_wkv(OpKind kind, const WkvRow& row);

}  // namespace skein::ops
