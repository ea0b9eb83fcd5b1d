// How each weight is kept: decided here once from what its file holds, so that sizes, estimates and
// the packing itself cannot part.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "cpu/kernels.h"
#include "ops/backend.h"

namespace skein::cpu {

struct Packing {
  // Where the numbers come from.
  enum class Source : uint8_t {
    none,      // an optional weight that the program does not read
    in_place,  // panels or a table's rows, used where the file holds them
    halves,    // rows of halves, interleaved as they are
    blocks,    // rows of a block type, which keep their codes
    numbers,   // whatever else a reader makes f32 of
  };

  Source source = Source::none;
  // Of a matrix; of F32 at most, because its numbers may turn out to be halves.
  PanelType type = PanelType::f32;
  CodePanels codes{};                   // where that is the type
  int64_t bytes = 0;                    // in the buffer of packed weights, at most
  std::span<const std::byte> mapped{};  // a matrix's panels in the file
};

Packing packing_of(const ops::WeightData& weight);
std::vector<Packing> packings_of(std::span<const ops::WeightData> weights);

inline bool holds_numbers(PanelType type) { return type != PanelType::codes && !levels_of(type); }
// Of a number in panels of numbers.
inline int64_t element_bytes(PanelType type) { return type == PanelType::f32 ? 4 : 2; }
int64_t panel_bytes(PanelType type, const CodePanels& codes, int64_t width);
inline int64_t panels_of(int64_t rows) { return (rows + kPanel - 1) / kPanel; }
// In the buffer, where weights begin at cache lines.
int64_t buffer_bytes(PanelType type, const CodePanels& codes, int64_t rows, int64_t width);

}  // namespace skein::cpu
