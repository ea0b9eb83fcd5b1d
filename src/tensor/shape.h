// Shapes and strides in PyTorch order: row-major, the last axis runs fastest.
#pragma once

#include <array>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>

#include "base/check.h"

namespace skein {

// Up to eight axes by value, so that a tensor view never allocates.
class Shape {
 public:
  static constexpr int kMaxAxes = 8;

  Shape() = default;
  Shape(std::initializer_list<int64_t> axes) : Shape(std::span(axes.begin(), axes.size())) {}
  explicit Shape(std::span<const int64_t> axes) : rank_(static_cast<int>(axes.size())) {
    SK_CHECK(rank_ <= kMaxAxes);
    for (int i = 0; i < rank_; ++i) axes_[static_cast<size_t>(i)] = axes[static_cast<size_t>(i)];
  }

  int rank() const { return rank_; }
  int64_t operator[](int axis) const { return axes_[static_cast<size_t>(axis)]; }
  int64_t& operator[](int axis) { return axes_[static_cast<size_t>(axis)]; }
  std::span<const int64_t> axes() const { return {axes_.data(), static_cast<size_t>(rank_)}; }
  bool operator==(const Shape&) const = default;

  // The product of the axes. Readers have checked that it does not overflow.
  int64_t elements() const;
  // Without the axes of length 1: [1, 1, D] and [D] are the same vector to an architecture.
  Shape squeezed() const;
  // Strides in elements of a contiguous tensor of this shape.
  Shape contiguous_strides() const;
  // "[768, 64]"
  std::string text() const;

 private:
  int rank_ = 0;
  std::array<int64_t, kMaxAxes> axes_{};
};

}  // namespace skein
