#include "run/prospect.h"

#include <map>

#include "arch/quant_policy.h"
#include "base/platform.h"
#include "ops/pack.h"
#include "run/sampler.h"

namespace skein {
namespace {

Prospect prospect_with(TwoPlane choice, const ops::Outlook& outlook, const ModelOptions& options,
                       int64_t vocab, int64_t text) {
  const ops::SecondPlaneCost& plane = outlook.second_plane;
  Prospect out;
  out.numerics = outlook.fast_rows ? options.numerics : Numerics::exact;
  out.two_plane = plane.wanted(choice, outlook.memory.host.weights) ? choice : TwoPlane::off;
  out.bytes_per_token = outlook.bytes_per_token;
  out.memory = {.host = outlook.memory.host,
                .device = outlook.memory.device,
                .logits = vocab * int64_t{sizeof(float)} + SamplerWork::bytes(vocab),
                .text = text};
  if (out.numerics == Numerics::fast) out.memory.host.step += out.memory.host.fast_step;
  if (out.two_plane != TwoPlane::off)
    (out.memory.device.weights > 0 ? out.memory.device : out.memory.host).weights += plane.bytes;
  return out;
}

}  // namespace

Prospect prospect_of(const ops::Backend& backend, const ops::Program& program,
                     std::span<const ops::WeightData> weights, const ModelOptions& options,
                     int64_t text) {
  const int64_t chunk = options.chunk ? options.chunk : Model::kDefaultChunk;
  const int64_t vocab = program.value(program.logits).width;
  const ops::Outlook outlook = backend.outlook(program, weights, chunk);
  Prospect out = prospect_with(options.two_plane, outlook, options, vocab, text);
  // What nobody asked for must not be what a machine is too small for.
  if (options.two_plane == TwoPlane::probed && memory_total() > 0 &&
      static_cast<uint64_t>(out.memory.peak()) > memory_total())
    out = prospect_with(TwoPlane::off, outlook, options, vocab, text);
  for (const ops::WeightData& weight : weights)
    if (weight.present)
      out.tensor_bytes += bytes_of(weight.tensor.dtype, weight.tensor.shape.elements());
  return out;
}

Result<std::vector<ops::WeightData>> weights_as(const arch::Architecture& architecture,
                                                std::span<const ops::WeightData> weights,
                                                std::string_view target) {
  // Of which no byte is ever read: packing is decided by places, types and sizes.
  alignas(64) static constexpr std::byte kNowhere[64] = {};
  SK_TRY(const auto policy, arch::QuantPolicy::make(target, arch::QuantRules::llama_cpp, {}));
  std::map<std::string, arch::WeightSpec, std::less<>> specs;
  for (arch::WeightSpec& spec : architecture.weights()) specs.emplace(spec.name, std::move(spec));
  std::vector<ops::WeightData> out(weights.begin(), weights.end());
  for (ops::WeightData& weight : out) {
    if (!weight.present) continue;
    const auto spec = specs.find(weight.name.substr(0, weight.name.find('[')));  // "att.w1[2]"
    if (spec == specs.end()) continue;
    if (const ops::Packing now = ops::likely_packing(weight); quant::holds_numbers(now.type))
      weight.thought = now.type;  // F32 keeps what the numbers are
    else
      weight.thought = quant::PanelType::f32;
    StoredTensor tensor;
    tensor.name = weight.name;
    tensor.shape = weight.tensor.shape;
    tensor.strides = tensor.shape.contiguous_strides();
    tensor.dtype = policy.choose(spec->second, tensor.shape[tensor.shape.rank() - 1]).type;
    tensor.storage = {kNowhere,
                      static_cast<size_t>(bytes_of(tensor.dtype, tensor.shape.elements()))};
    weight.tensor = std::move(tensor);
  }
  return out;
}

std::span<const std::string_view> usual_types() {
  static constexpr std::string_view kTypes[] = {"F16",  "Q8_0", "Q6_K", "Q5_K",
                                                "Q4_K", "Q4_0", "Q3_K", "Q2_K"};
  return kTypes;
}

}  // namespace skein
