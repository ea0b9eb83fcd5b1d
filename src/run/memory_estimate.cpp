#include "run/memory_estimate.h"

#include <algorithm>

namespace skein {
namespace {

// This program and its libraries, what of their pages gets touched, the stacks of threads and what
// the allocator keeps. Measured as the peak with a model of no size, x86-64, shared libraries.
constexpr int64_t kProgram = int64_t{11} << 20;

// States together stand on whole pages.
int64_t states_of(const ops::MemoryNeed& need, int64_t count) {
  const int64_t bytes = count * need.state, page = need.state_pages;
  return (bytes + page - 1) / page * page;
}

// Packing and computing do not overlap, so the larger of their needs counts.
int64_t on_top_of_weights(const ops::MemoryNeed& need, int64_t sequences, int64_t logits) {
  return std::max(need.packing,
                  need.step + states_of(need, 1 + 2 * sequences) + sequences * logits);
}

// A string of up to 15 bytes stands where it is, a longer one in a block of its own.
int64_t bytes_of(const std::string& text) {
  constexpr size_t kInside = 15, kBlock = 16;
  return static_cast<int64_t>(sizeof(text) + (text.size() > kInside ? text.size() + kBlock : 0));
}

}  // namespace

int64_t MemoryEstimate::allocated(int64_t sequences) const {
  return host.weights - host.mapped + on_top_of_weights(host, sequences, logits) + text;
}

int64_t MemoryEstimate::peak(int64_t sequences) const {
  return kProgram + host.mapped + allocated(sequences);
}

int64_t MemoryEstimate::device_peak(int64_t sequences) const {
  return device.weights + on_top_of_weights(device, sequences, 0);
}

int64_t text_bytes(const Metadata& metadata, int64_t vocab) {
  constexpr int64_t kOfAnId = 40;  // World: texts, places and a node of the tree for most
  int64_t bytes = vocab * kOfAnId;
  for (const auto& [key, value] : metadata)
    std::visit(
        [&](const auto& held) {
          using Held = std::decay_t<decltype(held)>;
          if constexpr (std::is_same_v<Held, std::string>) {
            bytes += bytes_of(held);
          } else if constexpr (std::is_same_v<Held, std::vector<std::string>>) {
            for (const std::string& text : held) bytes += bytes_of(text);
          } else if constexpr (std::is_same_v<Held, std::vector<bool>>) {
            bytes += static_cast<int64_t>(held.size() / 8);
          } else if constexpr (!std::is_arithmetic_v<Held>) {
            bytes += static_cast<int64_t>(held.size() * sizeof(held[0]));
          }
        },
        static_cast<const MetaVariant&>(value));
  return bytes;
}

}  // namespace skein
