#include "server/routes/state_math.h"

#include <algorithm>
#include <cmath>

#include "quant/plain/bits.h"

namespace skein::server {

double norm_of(std::span<const float> numbers) {
  double sum = 0;
  for (const float x : numbers) sum += double{x} * double{x};
  return std::sqrt(sum);
}

double distance_of(std::span<const float> a, std::span<const float> b) {
  double sum = 0;
  for (size_t i = 0; i < a.size(); ++i)
    sum += (double{a[i]} - double{b[i]}) * (double{a[i]} - double{b[i]});
  return std::sqrt(sum);
}

double cosine_of(std::span<const float> a, std::span<const float> b) {
  double product = 0;
  for (size_t i = 0; i < a.size(); ++i) product += double{a[i]} * double{b[i]};
  const double sizes = norm_of(a) * norm_of(b);
  return sizes > 0 ? product / sizes : 1.0;
}

double change_of(std::span<const float> now, std::span<const float> before) {
  const double size = norm_of(before), apart = distance_of(now, before);
  return size > 0 ? apart / size : apart > 0 ? 1.0 : 0.0;
}

double rank_of(std::span<const float> matrix, size_t columns) {
  const size_t rows = matrix.size() / columns;
  double square = 0, product = 0;
  for (const float x : matrix) square += double{x} * double{x};
  for (size_t i = 0; i < columns; ++i)
    for (size_t j = i; j < columns; ++j) {
      double sum = 0;
      for (size_t row = 0; row < rows; ++row)
        sum += double{matrix[row * columns + i]} * double{matrix[row * columns + j]};
      product += (i == j ? 1 : 2) * sum * sum;
    }
  return product > 0 ? square * square / product : 0;
}

Asked<HeadShape> heads_of(const StateLayout& layout) {
  HeadShape out;
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    const Shape& shape = layout.parts[i].shape;
    if (layout.slots[i].type != DType::f32 || shape.rank() != 3) continue;
    const auto heads = static_cast<size_t>(shape[0]);
    if (!out.parts.empty() && heads != out.heads) continue;
    out.heads = heads;
    out.rows = static_cast<size_t>(shape[1]);
    out.columns = static_cast<size_t>(shape[2]);
    out.parts.push_back(i);
  }
  if (out.parts.empty() || out.heads == 0)
    return refused("states of this model have no matrix for each head", "id");
  return out;
}

std::string half_floats(std::span<const float> numbers) {
  constexpr float kMost = 65504;
  std::string out;
  out.reserve(2 * numbers.size());
  for (const float number : numbers) {
    const uint16_t half = quant::f32_to_f16(std::clamp(number, -kMost, kMost));
    out += static_cast<char>(half & 0xff);
    out += static_cast<char>(half >> 8);
  }
  return out;
}

}  // namespace skein::server
