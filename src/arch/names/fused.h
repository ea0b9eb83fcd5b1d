// Pieces that several namings share: the fused mixes and the translation of single names.
#pragma once

#include <array>
#include <string_view>

#include "arch/architecture.h"

namespace skein::arch::names {

// The six mixes of RWKV-7 in the order in which fla, GGUF and ggmf stack them.
inline constexpr std::array<std::string_view, 6> kMixes = {"x_r", "x_w", "x_k",
                                                           "x_v", "x_a", "x_g"};

// Splits a stacked [6, ..., D] into blocks.<layer>.att.x_r ... Error: mismatch.
inline Status unstack_mixes(const StoredTensor& stack, int64_t layer, std::string_view file_name,
                            NamedTensors& out) {
  if (stack.shape.rank() < 2 || stack.shape[0] != static_cast<int64_t>(kMixes.size()))
    return fail(Code::mismatch, "{}: tensor {} is {}, expected six mixes", file_name,
                escaped(stack.name), stack.shape.text());
  for (size_t i = 0; i < kMixes.size(); ++i)
    out.emplace(fmt::format("blocks.{}.att.{}", layer, kMixes[i]),
                stack.row(static_cast<int64_t>(i)));
  return {};
}

struct Rename {
  std::string_view from;
  std::string_view to;
  bool transpose = false;
};

// The entry of `tensor` under its official name: `local` (its name, or what follows the layer's
// prefix) looked up in `table`, "blocks.<layer>." put before names that belong to a layer. A name
// the table does not know stays as it is. Error: mismatch (a vector that should be transposed).
inline Result<NamedTensors::value_type> rename(const StoredTensor& tensor,
                                               std::span<const Rename> table,
                                               std::string_view local, int64_t layer,
                                               std::string_view file_name) {
  for (const Rename& row : table) {
    if (row.from != local) continue;
    std::string name = local.size() == tensor.name.size()
                           ? std::string(row.to)
                           : fmt::format("blocks.{}.{}", layer, row.to);
    if (!row.transpose) return NamedTensors::value_type(std::move(name), tensor);
    if (tensor.shape.rank() != 2)
      return fail(Code::mismatch, "{}: tensor {} is {}, expected a matrix", file_name,
                  escaped(tensor.name), tensor.shape.text());
    return NamedTensors::value_type(std::move(name), tensor.transposed());
  }
  return NamedTensors::value_type(tensor.name, tensor);
}

}  // namespace skein::arch::names
