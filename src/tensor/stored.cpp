#include "tensor/stored.h"

#include <utility>

namespace skein {

StoredTensor StoredTensor::of(std::string name, const Shape& shape,
                              std::shared_ptr<const ComputedTensor> numbers, DType dtype) {
  StoredTensor out;
  out.name = std::move(name);
  out.dtype = dtype;
  out.shape = shape;
  out.strides = shape.contiguous_strides();
  out.computed = std::move(numbers);
  return out;
}

StoredTensor StoredTensor::transposed() const {
  SK_CHECK(shape.rank() >= 2);
  StoredTensor out = *this;
  const int last = shape.rank() - 1;
  std::swap(out.shape[last], out.shape[last - 1]);
  std::swap(out.strides[last], out.strides[last - 1]);
  return out;
}

StoredTensor StoredTensor::reshaped(const Shape& to) const {
  SK_CHECK(to.elements() == shape.elements() && strides == shape.contiguous_strides());
  StoredTensor out = *this;
  out.shape = to;
  out.strides = to.contiguous_strides();
  return out;
}

StoredTensor StoredTensor::row(int64_t index) const {
  SK_CHECK(shape.rank() >= 1 && index >= 0 && index < shape[0]);
  StoredTensor out = *this;
  out.offset += index * strides[0];
  out.shape = Shape(shape.axes().subspan(1));
  out.strides = Shape(strides.axes().subspan(1));
  return out;
}

std::string_view format_name(Format format) {
  switch (format) {
    case Format::pth_zip: return ".pth (zip)";
    case Format::pth_legacy: return ".pth (legacy)";
    case Format::safetensors: return "safetensors";
    case Format::gguf: return "GGUF";
    case Format::ggmf: return "rwkv.cpp .bin";
    case Format::packed: return "Skein packed";
  }
  return "unknown";
}

}  // namespace skein
