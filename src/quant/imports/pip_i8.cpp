#include "quant/imports/pip_i8.h"

#include <cmath>

namespace skein::quant {

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
    for (size_t m = 0; m < outputs; ++m) {
      const float code = static_cast<float>(matrix.codes[n * outputs + m]) + 0.5f;
      out[n * outputs + m] = code * matrix.ry[n] * matrix.rx[m] + matrix.my[n] + matrix.mx[m];
    }
  return {};
}

}  // namespace skein::quant
