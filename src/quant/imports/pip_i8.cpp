#include "quant/imports/pip_i8.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <memory>
#include <mutex>
#include <optional>
#include <utility>

#include "base/finite.h"
#include "quant/read.h"

namespace skein::quant {
namespace {

constexpr float kInfinity = std::numeric_limits<float>::infinity();
constexpr int64_t kRowsAtOnce = 64;

float value_of(float code, float mx, float rx, float my, float ry) {
  return (code + 0.5f) * ry * rx + my + mx;
}

class Decoded final : public ComputedTensor {
 public:
  Decoded(StoredTensor codes, PipI8Matrix scales)
      : codes_(std::move(codes)), scales_(std::move(scales)) {}

  int64_t elements() const override { return codes_.shape.elements(); }

  Status read(int64_t first, std::span<float> out) const override {
    StoredTensor part = codes_;
    part.offset += first;
    part.shape = {static_cast<int64_t>(out.size())};
    part.strides = {1};
    SK_TRY_STATUS(read_f32(part, out));
    const auto width = static_cast<size_t>(scales_.outputs);
    auto at = static_cast<size_t>(first);
    for (float& number : out) {
      const size_t n = at / width;
      const size_t m = at % width;
      number = value_of(number, scales_.mx[m], scales_.rx[m], scales_.my[n], scales_.ry[n]);
      ++at;
    }
    return {};
  }

 private:
  StoredTensor codes_;
  PipI8Matrix scales_;  // without codes
};

Status read_scales(const StoredTensor& tensor, int64_t count, const StoredTensor& codes,
                   std::vector<float>& out) {
  if (tensor.shape.elements() != count)
    return fail(Code::mismatch, "tensor {} is {}, but {} is {} and needs {} of them",
                escaped(tensor.name), tensor.shape.text(), escaped(codes.name), codes.shape.text(),
                count);
  out.resize(static_cast<size_t>(count));
  SK_TRY_STATUS(read_f32(tensor, out));
  if (!all_finite(out))
    return fail(Code::corrupt, "tensor {} has a scale that is not finite", escaped(tensor.name));
  return {};
}

// f(output, its row of inputs) for every row of an official matrix.
template <typename F>
Status each_row(const StoredTensor& weight, std::vector<float>& chunk, F f) {
  const int64_t outputs = weight.shape[0];
  const auto inputs = static_cast<size_t>(weight.shape[1]);
  for (int64_t first = 0; first < outputs; first += kRowsAtOnce) {
    const int64_t rows = std::min(kRowsAtOnce, outputs - first);
    const auto numbers = std::span(chunk).first(static_cast<size_t>(rows) * inputs);
    SK_TRY_STATUS(read_rows_f32(weight, first, rows, numbers));
    if (!all_finite(numbers))
      return fail(Code::corrupt, "tensor {} has a number that is not finite", escaped(weight.name));
    for (int64_t row = 0; row < rows; ++row)
      f(static_cast<size_t>(first + row),
        numbers.subspan(static_cast<size_t>(row) * inputs, inputs));
  }
  return {};
}

// x / range, and 0 where the tool would have 0 / 0.
float share(float x, float range) { return range > 0 ? x / range : 0.0f; }

// A matrix that is encoded when a number of any of its five tensors is first read. The codes, which
// are large, are let go of when something else is read or when they were read to their end;
// encoding again costs less than keeping those of a whole model.
class Encoding {
 public:
  explicit Encoding(StoredTensor weight) : weight_(std::move(weight)) {}

  int64_t codes() const { return weight_.shape.elements(); }

  Status read_codes(int64_t first, std::span<float> out) {
    const std::lock_guard lock(mutex_);
    if (!encoded_ || encoded_->codes.empty()) {
      SK_TRY(encoded_, encode_pip_i8(weight_));
    }
    std::copy_n(encoded_->codes.begin() + first, out.size(), out.begin());
    read_ += static_cast<int64_t>(out.size());
    if (read_ == codes()) let_go();
    return {};
  }

  Status read_scales(std::vector<float> PipI8Matrix::*scales, int64_t first, std::span<float> out) {
    const std::lock_guard lock(mutex_);
    if (!encoded_) {
      SK_TRY(encoded_, encode_pip_i8(weight_));
    }
    std::copy_n(((*encoded_).*scales).begin() + first, out.size(), out.begin());
    let_go();
    return {};
  }

 private:
  void let_go() {
    encoded_->codes = {};
    read_ = 0;
  }

  std::mutex mutex_;  // several threads encode what a file is written from
  StoredTensor weight_;
  std::optional<PipI8Matrix> encoded_;
  int64_t read_ = 0;  // of the codes
};

class EncodedCodes final : public ComputedTensor {
 public:
  explicit EncodedCodes(std::shared_ptr<Encoding> encoding) : encoding_(std::move(encoding)) {}
  int64_t elements() const override { return encoding_->codes(); }
  Status read(int64_t first, std::span<float> out) const override {
    return encoding_->read_codes(first, out);
  }

 private:
  std::shared_ptr<Encoding> encoding_;
};

class EncodedScales final : public ComputedTensor {
 public:
  EncodedScales(std::shared_ptr<Encoding> encoding, int64_t elements,
                std::vector<float> PipI8Matrix::*scales)
      : encoding_(std::move(encoding)), elements_(elements), scales_(scales) {}
  int64_t elements() const override { return elements_; }
  Status read(int64_t first, std::span<float> out) const override {
    return encoding_->read_scales(scales_, first, out);
  }

 private:
  std::shared_ptr<Encoding> encoding_;
  int64_t elements_;
  std::vector<float> PipI8Matrix::*scales_;
};

}  // namespace

Status decode_pip_i8(const PipI8& matrix, std::span<float> out) {
  const auto inputs = static_cast<size_t>(matrix.inputs);
  const auto outputs = static_cast<size_t>(matrix.outputs);
  if (matrix.inputs < 0 || matrix.outputs < 0 || matrix.my.size() != inputs ||
      matrix.ry.size() != inputs || matrix.mx.size() != outputs || matrix.rx.size() != outputs ||
      matrix.codes.size() != out.size() ||
      (inputs != 0 ? out.size() % inputs != 0 || out.size() / inputs != outputs : !out.empty()))
    return fail(Code::argument, "pip i8: {} codes and {} + {} scales do not make [{}, {}]",
                matrix.codes.size(), matrix.ry.size(), matrix.rx.size(), matrix.inputs,
                matrix.outputs);
  for (const auto scales : {matrix.mx, matrix.rx, matrix.my, matrix.ry})
    for (const float scale : scales)
      if (!std::isfinite(scale)) return fail(Code::corrupt, "pip i8: a scale is not finite");
  for (size_t n = 0; n < inputs; ++n)
    for (size_t m = 0; m < outputs; ++m)
      out[n * outputs + m] = value_of(static_cast<float>(matrix.codes[n * outputs + m]),
                                      matrix.mx[m], matrix.rx[m], matrix.my[n], matrix.ry[n]);
  return {};
}

Result<StoredTensor> pip_i8_tensor(std::string name, const PipI8Tensors& parts) {
  const StoredTensor& codes = parts.codes;
  if (codes.dtype != DType::u8 || codes.computed || codes.layout != Layout::rows ||
      codes.shape.rank() != 2 || codes.strides != codes.shape.contiguous_strides())
    return fail(Code::mismatch, "tensor {}: {} of {} are not the codes of a matrix",
                escaped(codes.name), codes.shape.text(), dtype_name(codes.dtype));
  PipI8Matrix scales;
  scales.inputs = codes.shape[0];
  scales.outputs = codes.shape[1];
  SK_TRY_STATUS(read_scales(parts.mx, scales.outputs, codes, scales.mx));
  SK_TRY_STATUS(read_scales(parts.rx, scales.outputs, codes, scales.rx));
  SK_TRY_STATUS(read_scales(parts.my, scales.inputs, codes, scales.my));
  SK_TRY_STATUS(read_scales(parts.ry, scales.inputs, codes, scales.ry));
  return StoredTensor::of(std::move(name), codes.shape,
                          std::make_shared<Decoded>(codes, std::move(scales)));
}

// The tool subtracts minima and divides by maxima of the whole matrix in place, one axis after the
// other. Here each number is led through the same operations again in every pass, which gives the
// same bits without a second matrix.
Result<PipI8Matrix> encode_pip_i8(const StoredTensor& weight) {
  if (weight.shape.rank() != 2)
    return fail(Code::argument, "tensor {} is {}, not a matrix", escaped(weight.name),
                weight.shape.text());
  PipI8Matrix out;
  out.outputs = weight.shape[0];
  out.inputs = weight.shape[1];
  const auto inputs = static_cast<size_t>(out.inputs);
  const auto outputs = static_cast<size_t>(out.outputs);
  std::vector<float> chunk(static_cast<size_t>(std::min(kRowsAtOnce, out.outputs)) * inputs);
  out.mx.assign(outputs, kInfinity);
  out.my.assign(inputs, kInfinity);
  out.rx.assign(outputs, 0.0f);
  out.ry.assign(inputs, 0.0f);

  const bool inputs_first = inputs > outputs;
  const auto above_minima = [&](float x, size_t m, size_t n) {
    return inputs_first ? (x - out.my[n]) - out.mx[m] : (x - out.mx[m]) - out.my[n];
  };
  SK_TRY_STATUS(each_row(weight, chunk, [&](size_t m, std::span<const float> row) {
    if (!inputs_first) out.mx[m] = inputs > 0 ? *std::min_element(row.begin(), row.end()) : 0.0f;
    const float taken = inputs_first ? 0.0f : out.mx[m];
    for (size_t n = 0; n < inputs; ++n) out.my[n] = std::min(out.my[n], row[n] - taken);
  }));
  SK_TRY_STATUS(each_row(weight, chunk, [&](size_t m, std::span<const float> row) {
    if (inputs_first)
      for (size_t n = 0; n < inputs; ++n) out.mx[m] = std::min(out.mx[m], row[n] - out.my[n]);
    for (size_t n = 0; n < inputs; ++n) out.rx[m] = std::max(out.rx[m], above_minima(row[n], m, n));
    for (size_t n = 0; n < inputs; ++n)
      out.ry[n] = std::max(out.ry[n], share(above_minima(row[n], m, n), out.rx[m]));
  }));
  out.codes.resize(inputs * outputs);
  SK_TRY_STATUS(each_row(weight, chunk, [&](size_t m, std::span<const float> row) {
    for (size_t n = 0; n < inputs; ++n) {
      const float place = share(share(above_minima(row[n], m, n), out.rx[m]), out.ry[n]);
      out.codes[n * outputs + m] =
          static_cast<uint8_t>(std::clamp(std::floor(place * 256.0f), 0.0f, 255.0f));
    }
  }));
  for (float& range : out.rx) range /= 16;
  for (float& range : out.ry) range /= 16;
  return out;
}

PipI8Tensors pip_i8_tensors(std::string_view name, StoredTensor weight) {
  const int64_t outputs = weight.shape[0], inputs = weight.shape[1];
  const auto encoding = std::make_shared<Encoding>(std::move(weight));
  const auto scales = [&](std::vector<float> PipI8Matrix::*of, const Shape& shape) {
    return StoredTensor::of({}, shape,
                            std::make_shared<EncodedScales>(encoding, shape.elements(), of));
  };
  PipI8Tensors out = {
      .codes = StoredTensor::of({}, {inputs, outputs}, std::make_shared<EncodedCodes>(encoding),
                                DType::u8),
      .mx = scales(&PipI8Matrix::mx, {outputs}),
      .rx = scales(&PipI8Matrix::rx, {outputs}),
      .my = scales(&PipI8Matrix::my, {inputs, 1}),
      .ry = scales(&PipI8Matrix::ry, {inputs, 1})};
  for (const PipI8Part& part : kPipI8Parts)
    (out.*part.place).name = fmt::format("{}{}", name, part.suffix);
  return out;
}

}  // namespace skein::quant
