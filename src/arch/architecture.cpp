#include "arch/architecture.h"

namespace skein::arch {

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
    ops::WeightData& data = out.emplace_back();
    data.name = spec.name;
    data.use = spec.kind == WeightClass::vector      ? ops::WeightUse::vector
               : spec.kind == WeightClass::embedding ? ops::WeightUse::table
                                                     : ops::WeightUse::matrix;
    const auto found = tensors.find(spec.name);
    if (found == tensors.end() || spec.presence == Presence::unused) {
      data.present = false;
      if (spec.presence != Presence::required) continue;
      return fail(Code::mismatch, "{}: tensor {} is missing (expected {})", file_name, spec.name,
                  spec.shape.text());
    }
    data.tensor = found->second;
    const StoredTensor& tensor = data.tensor;
    if (data.use == ops::WeightUse::vector) {
      // Vectors come as [D], [1, 1, D] or, r_k, as [H, N]: the element count decides.
      if (tensor.shape.elements() != spec.shape.elements())
        return fail(Code::mismatch, "{}: tensor {} is {}, expected {}", file_name, spec.name,
                    tensor.shape.text(), spec.shape.text());
      continue;
    }
    if (tensor.shape != spec.shape)
      return fail(Code::mismatch, "{}: tensor {} is {}, expected {}", file_name, spec.name,
                  tensor.shape.text(), spec.shape.text());
    if (spec.stored_in_out) data.tensor = tensor.transposed();
  }
  return out;
}

}  // namespace skein::arch
