// The five dynamic mixes of RWKV-6: officially w, k, v, r, g; other programs stack them otherwise.
#pragma once

#include <array>
#include <string_view>
#include <vector>

#include "arch/names/computed.h"
#include "arch/names/table.h"

namespace skein::arch::names {

// order[i]: which official mix stands at place i of the other program's stack.
using MixOrder = std::array<size_t, 5>;
inline constexpr MixOrder kFlaMixes = {3, 0, 1, 2, 4};   // r, w, k, v, g
inline constexpr MixOrder kQwenMixes = {3, 1, 2, 0, 4};  // r, k, v, w, g

constexpr MixOrder inverse(const MixOrder& order) {
  MixOrder out{};
  for (size_t i = 0; i < order.size(); ++i) out[order[i]] = i;
  return out;
}

// Fifths of the rows in another order: result part i is part from[i].
inline StoredTensor reordered_fifths(const StoredTensor& tensor, const MixOrder& from) {
  std::vector<StoredTensor> parts;
  const int64_t rows = tensor.shape[0] / 5;
  for (const size_t part : from) {
    StoredTensor slice = tensor;
    slice.shape[0] = rows;
    slice.offset += static_cast<int64_t>(part) * rows * tensor.strides[0];
    parts.push_back(std::move(slice));
  }
  return concatenated(tensor.name, std::move(parts));
}

// Of a stack [5, R, D] as [5 R, D].
inline StoredTensor reordered_stack(const StoredTensor& tensor, const MixOrder& from) {
  std::vector<StoredTensor> parts;
  for (const size_t part : from) parts.push_back(tensor.row(static_cast<int64_t>(part)));
  return concatenated(tensor.name, std::move(parts));
}

// Whether a matrix's rows (axis 0) or columns (axis 1) are five equal parts. Error: mismatch.
inline Status check_fifths(const StoredTensor& tensor, int axis, std::string_view file_name) {
  if (tensor.shape.rank() == 2 && tensor.shape[axis] > 0 && tensor.shape[axis] % 5 == 0) return {};
  return fail(Code::mismatch, "{}: tensor {} is {}, not five equal parts along axis {}", file_name,
              escaped(tensor.name), tensor.shape.text(), axis);
}

}  // namespace skein::arch::names
