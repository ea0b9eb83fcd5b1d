// States as other programs keep them, and whatever file a state comes in. Skein's own:
// run/saved_state.h.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "run/saved_state.h"
#include "run/state.h"

namespace skein {

// The `rwkv` package's list of 3 L tensors, as torch.save writes it. Import takes the list in any
// float type. Errors: corrupt, mismatch; unsupported (parts that grow, which no list has).
Result<std::vector<std::byte>> export_pth(const State& state);
Result<uint64_t> pth_size(const StateLayout& layout);  // how many bytes that makes
// Tuned initial states as official tools keep them: blocks.i.att.time_state [H, N value, N key],
// for every generation that has them. Error: unsupported (RWKV-4).
Result<std::vector<std::byte>> export_time_state(const State& state);
Result<uint64_t> time_state_size(const StateLayout& layout);  // how many bytes that makes

// Whether the tuned initial states among `tensors` are of all layers and of the shapes that these
// parts have, and of types that can be read; without any that is so. Errors: mismatch, unsupported.
Status check_tuned_shapes(const arch::NamedTensors& tensors, std::span<const arch::StateSpec> parts,
                          std::string_view name);

// The state that tuned initial states make. `swapped`: as web-rwkv keeps them, [H, N key, N value];
// otherwise [H, N value, N key], for every generation. Error: mismatch.
Result<State> from_time_state(const arch::NamedTensors& tensors,
                              std::shared_ptr<const StateLayout> layout, bool swapped,
                              std::string_view name);

// The numbers of that list one after the other, without names or header. Errors: device,
// unsupported (a state with parts that no such list has, as for export_pth).
Result<std::vector<float>> official_values(const State& state);
// Errors: mismatch (another count), corrupt (numbers that no model computes).
Result<State> from_official_values(std::span<const float> values,
                                   std::shared_ptr<const StateLayout> layout,
                                   std::string_view name);

// Whatever state file this is: ours, a list, or tuned states. `transposed_time_state` says how the
// axes of time_state stand; by default as the container's usual writers do it (safetensors not
// named .safetensors: swapped). Errors: corrupt, unsupported, mismatch.
Result<State> import_state(std::span<const std::byte> file, std::string_view name,
                           std::shared_ptr<const StateLayout> layout,
                           std::optional<bool> transposed_time_state = std::nullopt);

}  // namespace skein
