// What a conversion did to a model's numbers, kind by kind: both files are read again and compared.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "run/model_source.h"

namespace skein {

// Of all tensors of a kind together.
struct QuantLoss {
  arch::WeightClass kind = arch::WeightClass::vector;
  int64_t tensors = 0;
  int64_t parameters = 0;
  int64_t bytes_before = 0, bytes_after = 0;
  std::map<std::string, int64_t> types;  // of the new file: parameters
  double rms = 0;                        // of the differences over that of the numbers
  double largest = 0;                    // difference over the largest number
  std::string worst;                     // the tensor with the largest rms, and that
  double worst_rms = 0;
};

// By kind. `before` with its adapters merged; of one design and the same sizes. `progress` gets
// bytes of the source done and in all; false gives up. Errors: mismatch (another model), those of
// reading numbers, io "interrupted".
Result<std::vector<QuantLoss>> compare_weights(
    const ModelSource& before, const ModelSource& after, int threads,
    const std::function<bool(int64_t, int64_t)>& progress);

}  // namespace skein
