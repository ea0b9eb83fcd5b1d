// States as plain numbers, for tests: the fixed f32 parts one after the other.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "ops/states.h"
#include "run/state.h"

namespace skein::test {

inline std::vector<float> numbers(const ops::DeviceState& state) {
  std::vector<float> out;
  const auto slots = state.pool().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].growth != ops::Growth::fixed || slots[i].type != DType::f32) continue;
    std::vector<float> part(static_cast<size_t>(slots[i].size));
    SK_CHECK(state.read(static_cast<ops::SlotId>(i), std::as_writable_bytes(std::span(part)))
                 .has_value());
    out.insert(out.end(), part.begin(), part.end());
  }
  return out;
}

inline void set_numbers(ops::DeviceState& state, std::span<const float> numbers) {
  const auto slots = state.pool().slots();
  for (size_t i = 0; i < slots.size(); ++i) {
    if (slots[i].growth != ops::Growth::fixed || slots[i].type != DType::f32) continue;
    const auto part = numbers.first(static_cast<size_t>(slots[i].size));
    SK_CHECK(state.write(static_cast<ops::SlotId>(i), std::as_bytes(part)).has_value());
    numbers = numbers.subspan(part.size());
  }
  SK_CHECK(numbers.empty());
}

inline std::vector<float> numbers(const State& state) { return numbers(state.memory()); }
inline void set_numbers(State& state, std::span<const float> numbers) {
  set_numbers(state.memory(), numbers);
}
inline void set_number(State& state, size_t index, float value) {
  std::vector<float> all = numbers(state);
  all[index] = value;
  set_numbers(state, all);
}
inline void fill_numbers(State& state, float value) {
  set_numbers(state, std::vector<float>(numbers(state).size(), value));
}

}  // namespace skein::test
