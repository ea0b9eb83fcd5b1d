#include "run/limits.h"

#include <algorithm>

namespace skein {
namespace {

struct Row {
  std::string_view key, name, unit;
  double ops::DeviceLimits::*value;
};

// A new limit is a row here.
constexpr Row kRows[] = {
    {kReadLimit, "read bandwidth", "GB/s", &ops::DeviceLimits::read_bandwidth},
    {kArithmeticLimit, "f32 multiply-adds", "GFLOP/s", &ops::DeviceLimits::multiply_adds},
};

}  // namespace

void MachineLimits::measure(Model& model) {
  ops::DeviceLimits now = model.measure_limits();
  for (const Row& row : kRows) now.*row.value = std::max(now.*row.value, best_.*row.value);
  best_ = now;
}

std::vector<Limit> MachineLimits::all() const {
  std::vector<Limit> out;
  for (const Row& row : kRows)
    if (best_.*row.value > 0) out.push_back({row.key, row.name, row.unit, best_.*row.value});
  return out;
}

Limit MachineLimits::find(std::string_view key) const {
  for (const Limit& limit : all())
    if (limit.key == key) return limit;
  return {};
}

MachineLimits::Bound MachineLimits::bound(double bytes, double flops) const {
  const Limit reading = find(kReadLimit), arithmetic = find(kArithmeticLimit);
  const auto least = [](double amount, const Limit& limit) {
    return limit.value > 0 ? amount / limit.value : 0;
  };
  const double moved = least(bytes, reading), computed = least(flops, arithmetic);
  return moved >= computed ? Bound{reading, moved} : Bound{arithmetic, computed};
}

}  // namespace skein
