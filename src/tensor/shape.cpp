#include "tensor/shape.h"

#include <fmt/ranges.h>

namespace skein {

int64_t Shape::elements() const {
  int64_t product = 1;
  for (const int64_t axis : axes()) product *= axis;
  return product;
}

Shape Shape::squeezed() const {
  Shape out;
  for (const int64_t axis : axes())
    if (axis != 1) out[out.rank_++] = axis;
  return out;
}

Shape Shape::contiguous_strides() const {
  Shape out = *this;
  int64_t stride = 1;
  for (int axis = rank_ - 1; axis >= 0; --axis) {
    out[axis] = stride;
    stride *= (*this)[axis];
  }
  return out;
}

std::string Shape::text() const { return fmt::format("[{}]", fmt::join(axes(), ", ")); }

}  // namespace skein
