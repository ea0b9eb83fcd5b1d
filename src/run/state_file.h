// States as bytes: Skein's own file, and the layouts of other programs.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "run/state.h"

namespace skein {

// Our own format, version 1, little-endian:
//   "SkeinSt1"  u32 version  u32 design length  design  32 bytes fingerprint
//   u64 tokens read  u64 their hash  u64 n  i32 token[n]  u64 m  text[m]  u64 f  f32 value[f]
//   32 bytes SHA-256 of everything before
// `token` and `text` are what the state stands for, as far as the program that saved it kept them
// (n and m may be 0); the values are exact.
struct SavedState {
  std::string design;
  Digest fingerprint{};
  uint64_t tokens_read = 0;
  uint64_t tokens_hash = 0;
  std::vector<int32_t> tokens;
  std::string text;
  std::vector<float> values;
};

bool is_saved_state(std::span<const std::byte> file);

// Whether a file of this state could be loaded again: every number finite and below
// limits::kStateMagnitude. To be asked before one is handed out. Error: corrupt (the state is lost,
// or weights are too large for its numbers to be kept).
Status check_exportable(const State& state);

std::vector<std::byte> serialise(const State& state, std::span<const int32_t> tokens,
                                 std::string_view text);
// How many bytes that makes.
uint64_t serialised_size(const StateLayout& layout, size_t tokens, size_t text_bytes);
// Checks magic, version, every length, the checksum, and that all values are finite and below
// limits::kStateMagnitude. Errors: corrupt, unsupported (a newer version).
Result<SavedState> parse_saved_state(std::span<const std::byte> file, std::string_view name);
// Error: mismatch (made by another model).
Result<State> to_state(const SavedState& saved, std::shared_ptr<const StateLayout> layout,
                       std::string_view name);

// The `rwkv` package's list of 3 L tensors, as torch.save writes it. Import takes the list in any
// float type. Errors: corrupt, mismatch.
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

// The numbers of that list one after the other, without names or header.
std::vector<float> official_values(const State& state);
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
