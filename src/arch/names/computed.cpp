#include "arch/names/computed.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "quant/formats.h"
#include "quant/read.h"

namespace skein::arch::names {
namespace {

class Concatenated final : public ComputedTensor {
 public:
  explicit Concatenated(std::vector<StoredTensor> parts) : parts_(std::move(parts)) {
    for (const StoredTensor& part : parts_) elements_ += part.shape.elements();
  }
  int64_t elements() const override { return elements_; }

  Status read(int64_t first, std::span<float> out) const override {
    for (const StoredTensor& part : parts_) {
      const int64_t size = part.shape.elements();
      if (first < size && !out.empty()) {
        const auto count = std::min(out.size(), static_cast<size_t>(size - first));
        SK_TRY_STATUS(quant::read_range_f32(part, first, out.first(count)));
        out = out.subspan(count);
        first += static_cast<int64_t>(count);
      }
      first -= size;
    }
    return {};
  }

 private:
  std::vector<StoredTensor> parts_;
  int64_t elements_ = 0;
};

template <typename F>
class Mapped final : public ComputedTensor {
 public:
  Mapped(StoredTensor tensor, F f) : tensor_(std::move(tensor)), f_(f) {}
  int64_t elements() const override { return tensor_.shape.elements(); }

  Status read(int64_t first, std::span<float> out) const override {
    SK_TRY_STATUS(quant::read_range_f32(tensor_, first, out));
    for (float& x : out) x = static_cast<float>(f_(double{x}));
    return {};
  }

 private:
  StoredTensor tensor_;
  F f_;
};

// What cannot be read keeps its type, by which it is refused where it is used.
StoredTensor in_shape(const StoredTensor& unread, std::string name, const Shape& shape) {
  StoredTensor out = unread;
  out.name = std::move(name);
  out.shape = shape;
  out.strides = shape.contiguous_strides();
  return out;
}

}  // namespace

StoredTensor concatenated(std::string name, std::vector<StoredTensor> parts) {
  Shape shape = parts[0].shape;
  shape[0] = 0;
  for (const StoredTensor& part : parts) shape[0] += part.shape[0];
  for (const StoredTensor& part : parts)
    if (!quant::decodable(part.dtype)) return in_shape(part, std::move(name), shape);
  return StoredTensor::of(std::move(name), shape, std::make_shared<Concatenated>(std::move(parts)));
}

StoredTensor mapped(StoredTensor tensor, double (*f)(double)) {
  if (!quant::decodable(tensor.dtype)) return tensor;
  const Shape shape = tensor.shape;
  std::string name = tensor.name;
  return StoredTensor::of(std::move(name), shape,
                          std::make_shared<Mapped<double (*)(double)>>(std::move(tensor), f));
}

StoredTensor scaled(StoredTensor tensor, int exponent) {
  if (exponent == 0 || !quant::decodable(tensor.dtype)) return tensor;
  const Shape shape = tensor.shape;
  const DType type = block_size(tensor.dtype).elements == 1 ? tensor.dtype : DType::f32;
  std::string name = tensor.name;
  const auto f = [factor = std::ldexp(1.0, exponent)](double x) { return x * factor; };
  return StoredTensor::of(std::move(name), shape,
                          std::make_shared<Mapped<decltype(f)>>(std::move(tensor), f), type);
}

}  // namespace skein::arch::names
