// What the panels of a packed matrix hold, and how long they are.
#pragma once

#include <cstdint>

#include "quant/level_panels.h"
#include "quant/panels.h"

namespace skein::quant {

// Numbers, or the codes of a quantised matrix, for products of whole numbers (CodePanels) or to be
// made f32 (LevelPanels). Of block types that have neither the decoded f32.
enum class PanelType : uint8_t { f32, f16, bf16, codes, nf4, mxfp4, int8 };

// nullptr: the panels are others.
constexpr const LevelPanels* levels_of(PanelType type) {
  switch (type) {
    case PanelType::nf4: return &kNf4Panels;
    case PanelType::mxfp4: return &kMxfp4Panels;
    case PanelType::int8: return &kInt8Panels;
    case PanelType::f32:
    case PanelType::f16:
    case PanelType::bf16:
    case PanelType::codes: break;
  }
  return nullptr;
}

inline bool holds_numbers(PanelType type) { return type != PanelType::codes && !levels_of(type); }
// Of a number in panels of numbers.
inline int64_t element_bytes(PanelType type) { return type == PanelType::f32 ? 4 : 2; }
// Of a matrix so wide; `codes` where that is the type.
inline int64_t panel_bytes(PanelType type, const CodePanels& codes, int64_t width) {
  if (type == PanelType::codes) return codes.panel_bytes(width);
  const LevelPanels* levels = levels_of(type);
  return levels ? levels->panel_bytes(width) : width * kPanelRows * element_bytes(type);
}
inline int64_t panels_of(int64_t rows) { return (rows + kPanelRows - 1) / kPanelRows; }

}  // namespace skein::quant
