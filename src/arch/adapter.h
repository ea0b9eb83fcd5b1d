// What RWKV-PEFT trains beside a model and a merge adds to it: LoRA, PiSSA, Bone and Bat, with the
// norms and other whole tensors that ride along in the same files.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "arch/architecture.h"

namespace skein::arch {

enum class AdapterKind : uint8_t {
  none,
  lora,   // W + (alpha / r) B A
  pissa,  // W - B0 A0 + B A; told from LoRA by its initial pair, a file of its own
  bone,   // column j of the change is disha[j mod r]
  bat,    // in blocks of r x r: W + W Z + Z
};
const char* adapter_name(AdapterKind kind);

// Of the tensor names in a file. PiSSA files cannot be told from LoRA by themselves.
AdapterKind identify_adapter(const Container& container);
// "a LoRA of rank 32 for 144 matrices, with 50 whole tensors"; empty if it is no adapter.
std::string describe_adapter(const Container& container);

struct AdapterOptions {
  // No file holds it, and a wrong one gives a wrong model: LoRA cannot be merged without.
  std::optional<double> alpha{};
  double blend = 1;           // of the change: 0 leaves the model as it is
  std::string pattern = "*";  // glob over the names of the tensors to change
};

// Replaces the tensors of `model` that the adapter changes by what they become, computed in f32 as
// they are read. The adapter's low-rank matrices are read now; its container's bytes have to stay
// until the model's tensors have been read. `initial` is PiSSA's initial pair (init_pissa.pth), or
// null. Errors name `file_name`: mismatch (a target that does not exist or fit, one matrix of a
// pair), argument (alpha missing, a blend that is not finite), unsupported (no adapter).
Status merge_adapter(NamedTensors& model, const Container& adapter, const Container* initial,
                     const AdapterOptions& options, std::string_view file_name);

}  // namespace skein::arch
