// How each weight is kept in panels: decided here once from what its file holds, so that sizes,
// estimates and the packing itself cannot part. For every device that computes with panels.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "ops/backend.h"
#include "quant/panel_type.h"

namespace skein::ops {

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
  quant::PanelType type = quant::PanelType::f32;
  quant::CodePanels codes{};            // where that is the type
  int64_t bytes = 0;                    // in the buffer of packed weights, at most
  std::span<const std::byte> mapped{};  // a matrix's panels in the file
};

Packing packing_of(const WeightData& weight);
std::vector<Packing> packings_of(std::span<const WeightData> weights);

// A matrix in the buffer, where weights begin at cache lines.
int64_t buffer_bytes(quant::PanelType type, const quant::CodePanels& codes, int64_t rows,
                     int64_t width);

}  // namespace skein::ops
