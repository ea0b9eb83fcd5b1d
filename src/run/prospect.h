// What a model needs and how fast it may be, as its file has it or as it would be with matrices of
// another type: told from shapes and types alone, so that nothing is loaded, or even there.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "ops/backend.h"
#include "run/memory_estimate.h"
#include "run/model.h"

namespace skein {

struct Prospect {
  std::string type{};        // a target of arch::QuantPolicy; empty: as it is
  int64_t tensor_bytes = 0;  // of all its tensors: the file, but for what stands beside them
  MemoryEstimate memory;
  Numerics numerics = Numerics::exact;  // what there will be of what `options` wish
  TwoPlane two_plane = TwoPlane::off;
  int64_t bytes_per_token = 0;  // weights and state that a decode step reads
};

// `text`: text_bytes() of the file.
Prospect prospect_of(const ops::Backend& backend, const ops::Program& program,
                     std::span<const ops::WeightData> weights, const ModelOptions& options,
                     int64_t text);

// Weights of the same shapes as a GGUF would have them that is quantised to `target`, with no bytes
// behind them. Errors: those of arch::QuantPolicy::make.
Result<std::vector<ops::WeightData>> weights_as(const arch::Architecture& architecture,
                                                std::span<const ops::WeightData> weights,
                                                std::string_view target);

// Types that a model may be asked to be quantised to, of falling size and quality.
std::span<const std::string_view> usual_types();

}  // namespace skein
