#include "arch/architecture.h"

#include <cmath>
#include <limits>

#include "quant/formats.h"
#include "quant/read.h"

namespace skein::arch {
namespace {

double prepared(Prepare prepare, double x) {
  // The limit of a function must not hide that a weight is none.
  if (!std::isfinite(x)) return std::numeric_limits<double>::quiet_NaN();
  switch (prepare) {
    case Prepare::none: return x;
    case Prepare::exp: return std::exp(x);
    case Prepare::neg_exp: return -std::exp(x);
    case Prepare::decay: return std::exp(-std::exp(x));
  }
  return x;
}

// A vector as the program wants it: each number prepared and repeated.
class PreparedVector final : public ComputedTensor {
 public:
  PreparedVector(StoredTensor source, Prepare prepare, int64_t repeat)
      : source_(std::move(source)), prepare_(prepare), repeat_(repeat) {}

  int64_t elements() const override { return source_.shape.elements() * repeat_; }

  Status read(int64_t first, std::span<float> out) const override {
    std::vector<float> all(static_cast<size_t>(source_.shape.elements()));
    SK_TRY_STATUS(quant::read_f32(source_, all));
    for (size_t i = 0; i < out.size(); ++i) {
      const auto from = (static_cast<size_t>(first) + i) / static_cast<size_t>(repeat_);
      out[i] = static_cast<float>(prepared(prepare_, all[from]));
    }
    return {};
  }

 private:
  StoredTensor source_;
  Prepare prepare_;
  int64_t repeat_;
};

StoredTensor prepared(const StoredTensor& source, const WeightSpec& spec) {
  if (spec.prepare == Prepare::none && spec.repeat == 1) return source;
  return StoredTensor::of(source.name, {source.shape.elements() * spec.repeat},
                          std::make_shared<PreparedVector>(source, spec.prepare, spec.repeat));
}

// Part `index` of a matrix in the shape of its use, [out, in], or of a stack of them.
StoredTensor part_of(const StoredTensor& tensor, const WeightSpec& spec, int32_t index) {
  const bool stack = tensor.shape.rank() == 3;
  StoredTensor out = stack ? tensor.row(index) : tensor;
  if (spec.stored_in_out) out = out.transposed();
  if (!stack && spec.parts > 1) {
    out.shape[0] /= spec.parts;
    out.offset += index * out.shape[0] * out.strides[0];
  }
  return out;
}

}  // namespace

const char* weight_class_name(WeightClass kind) {
  switch (kind) {
    case WeightClass::embedding: return "embedding";
    case WeightClass::head: return "head";
    case WeightClass::attention: return "attention";
    case WeightClass::feed_forward: return "feed-forward";
    case WeightClass::low_rank: return "low-rank";
    case WeightClass::vector: return "vectors";
  }
  return "unknown";
}

Result<std::vector<ops::WeightData>> collect_weights(const Architecture& architecture,
                                                     const NamedTensors& tensors,
                                                     std::string_view file_name) {
  std::vector<ops::WeightData> out;
  for (const WeightSpec& spec : architecture.weights()) {
    const auto use = spec.kind == WeightClass::vector      ? ops::WeightUse::vector
                     : spec.kind == WeightClass::embedding ? ops::WeightUse::table
                                                           : ops::WeightUse::matrix;
    const auto found = tensors.find(spec.name);
    if (spec.unused) {
      out.push_back({.name = spec.name, .use = use, .tensor = {}, .present = false});
      continue;
    }
    if (found == tensors.end())
      return fail(Code::mismatch, "{}: tensor {} is missing (expected {})", file_name, spec.name,
                  spec.shape.text());
    const StoredTensor& tensor = found->second;
    // Only of what is used, so that what is not cannot keep a model from running.
    if (!quant::decodable(tensor.dtype))
      return fail(Code::unsupported, "{}: tensor {} is of the type {}, which Skein cannot read",
                  file_name, spec.name, escaped(tensor.type_name(), 32));
    // Vectors come as [D], [1, 1, D] or, r_k, as [H, N]: the element count decides.
    const bool fits = use == ops::WeightUse::vector
                          ? tensor.shape.elements() == spec.shape.elements()
                          : tensor.shape == spec.shape;
    if (!fits)
      return fail(Code::mismatch, "{}: tensor {} is {}, expected {}", file_name, spec.name,
                  tensor.shape.text(), spec.shape.text());
    if (use == ops::WeightUse::vector) {
      out.push_back({.name = spec.name, .use = use, .tensor = prepared(tensor, spec)});
      continue;
    }
    for (int32_t i = 0; i < spec.parts; ++i)
      out.push_back({.name = spec.parts == 1 ? spec.name : fmt::format("{}[{}]", spec.name, i),
                     .use = use,
                     .tensor = part_of(tensor, spec, i)});
  }
  return out;
}

}  // namespace skein::arch
