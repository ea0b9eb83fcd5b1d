#include "ops/backend.h"

namespace skein::ops {

bool SecondPlaneCost::wanted(TwoPlane choice, int64_t step_bytes) const {
  // What it has to save of a step's bytes before it is worth its memory and its making.
  constexpr double kWorth = 0.05;
  if (bytes == 0 || choice == TwoPlane::off) return false;
  return choice == TwoPlane::on ||
         static_cast<double>(saved) >= kWorth * static_cast<double>(step_bytes);
}

}  // namespace skein::ops
