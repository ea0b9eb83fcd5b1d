// Products with matrices in records (Linear::records): the numbers or codes of one input for all
// rows lie together, so that an input that is zero need not be read. For the channel mix, whose
// hidden units are relu(x)^2: in trained models seven of eight are zero.
//
// What is left out is exactly nothing: weights are finite, so a zero times one of them added to a
// chain that began at +0 leaves it as it is, and to a sum of whole numbers anyway. The chains and
// groups are those of linear.h and codes.h, so are the bits.
//
// Memory decides, as for any single token, and here the processor cannot guess the addresses: they
// are known from the list of active inputs, and asked for two groups ahead. Sums wait in y, which
// stays in the L1 cache while a stretch of active inputs passes over it.
#pragma once

#include "cpu/kernels/codes.h"
#include "cpu/kernels/numbers.h"

namespace skein::cpu::SK_ISA {

// Inputs whose records of a thread's rows stay in an L2 cache while several tokens use them.
inline constexpr int64_t kSparseInputs = 256;

// The inputs of a token that are not zero, in a thread's scratch.
struct ActiveInputs {
  int32_t* index;  // [up to in]
  float* x;        // numbers: theirs
  // Codes: four by four, each group filled up with zeros; where it ends; their two planes.
  int32_t* end;
  std::byte* first;
  std::byte* second;

  ActiveInputs(float* scratch, int64_t in) {
    index = reinterpret_cast<int32_t*>(scratch);
    x = scratch + in;
    end = index + in;
    first = reinterpret_cast<std::byte*>(end + in / 16);
    second = first + in;
  }
};

template <typename Panel>
inline void sparse_numbers(const Linear& l, Range panels, int64_t token, int64_t first,
                           int64_t last) {
  using Element = typename Panel::Element;
  const ActiveInputs active(l.scratch, l.in);
  const float* x = l.x + token * l.x_stride;
  int64_t count = 0;
  for (int64_t k = first; k < last; ++k) {
    active.index[count] = static_cast<int32_t>(k);
    active.x[count] = x[k];
    count += x[k] != 0.0f;
  }
  const auto* records = reinterpret_cast<const Element*>(l.panels);
  float* y = l.y + token * l.y_stride;
  const auto record = [&](int64_t i) { return records + active.index[i] * l.out; };
  constexpr int64_t kTogether = 4, kAhead = 8;
  constexpr int64_t kPanelsInLine = 64 / (kPanel * static_cast<int64_t>(sizeof(Element)));
  int64_t i = 0;
  for (; i + kTogether <= count; i += kTogether) {
    F32x16 inputs[kTogether];
    const Element* w[kTogether];
    const Element* ahead[kTogether];
    for (int64_t n = 0; n < kTogether; ++n) {
      inputs[n] = set1(active.x[i + n]);
      w[n] = record(i + n);
      ahead[n] = i + n + kAhead < count ? record(i + n + kAhead) : w[n];
    }
    for (int64_t panel = panels.begin; panel < panels.end; ++panel) {
      const int64_t row = panel * kPanel;
      if (panel % kPanelsInLine == 0)
        for (const Element* p : ahead) prefetch(p + row);
      F32x16 sum = load(y + row);
      for (int n = 0; n < kTogether; ++n) sum = fma(Panel::read(w[n] + row), inputs[n], sum);
      store(y + row, sum);
    }
  }
  for (; i < count; ++i) {
    const F32x16 input = set1(active.x[i]);
    const Element* w = record(i);
    for (int64_t row = panels.begin * kPanel; row < panels.end * kPanel; row += kPanel)
      store(y + row, fma(Panel::read(w + row), input, load(y + row)));
  }
}

// The planes of a matrix of codes in records: a panel's, each for all rows.
template <typename Shape>
struct CodeRecords {
  static constexpr int64_t kPanels = 4 * Shape::kQuads;  // in 64 bytes of a record

  const uint8_t* codes;
  const uint16_t* scales;
  const uint16_t* offsets;
  const int8_t* multipliers;
  const int8_t* offset_multipliers;
  int64_t rows;

  explicit CodeRecords(const Linear& l) : rows(l.out) {
    const CodePanels& c = l.codes;
    const std::byte* at = l.panels;
    const int64_t times = rows / kPanel;
    codes = reinterpret_cast<const uint8_t*>(at);
    scales = reinterpret_cast<const uint16_t*>(at + times * c.scales_at(l.in));
    offsets = reinterpret_cast<const uint16_t*>(at + times * c.offsets_at(l.in));
    multipliers = reinterpret_cast<const int8_t*>(at + times * c.multipliers_at(l.in));
    offset_multipliers =
        reinterpret_cast<const int8_t*>(at + times * c.offset_multipliers_at(l.in));
  }

  const uint8_t* record(int64_t input) const { return codes + input * rows * Shape::kBits / 8; }
  F32x16 scale(int64_t g, int64_t row) const { return number(g, row, scales, multipliers); }
  F32x16 offset(int64_t g, int64_t row) const {
    return number(g, row, offsets, offset_multipliers);
  }

 private:
  F32x16 number(int64_t g, int64_t row, const uint16_t* halves, const int8_t* factors) const {
    const F32x16 block = load_f16(halves + g * Shape::kGroup / Shape::kBlock * rows + row);
    return Shape::kNested ? mul(block, load_i8(factors + g * rows + row)) : block;
  }
};

// Lists the active inputs of groups [first, last).
template <typename Shape>
inline void find_active(const Activations& x, const ActiveInputs& active, int64_t first,
                        int64_t last) {
  constexpr std::byte kZero[4] = {};
  int64_t count = 0;
  for (int64_t g = first; g < last; ++g) {
    for (int64_t k = g * Shape::kGroup; k < (g + 1) * Shape::kGroup; ++k) {
      active.index[count] = static_cast<int32_t>(k);
      count += move_activation(x.first, x.second, k, active.first, active.second, count);
    }
    for (; count % 4 != 0; ++count) {
      active.index[count] = active.index[count - 1];
      move_activation(kZero, kZero, 0, active.first, active.second, count);
    }
    active.end[g - first] = static_cast<int32_t>(count);
  }
}

template <typename Shape>
inline void sparse_codes(const Linear& l, Range panels, int64_t token, int64_t first,
                         int64_t last) {
  using Records = CodeRecords<Shape>;
  constexpr int64_t kAhead = 2;  // groups
  const NibbleTable table = table_of<Shape>(l.codes);
  const Activations x(l, token);
  const ActiveInputs active(l.scratch, l.in);
  const Records records(l);
  find_active<Shape>(x, active, first, last);
  float* y = l.y + token * l.y_stride;
  int64_t begin = 0;
  for (int64_t g = first; g < last; begin = active.end[g - first], ++g) {
    const int64_t end = active.end[g - first];
    if (begin == end) continue;
    const int64_t ahead = g + kAhead < last ? g + kAhead : g;
    const int64_t ahead_end = active.end[ahead - first];
    const int64_t ahead_begin = ahead > first ? active.end[ahead - first - 1] : 0;
    // A thread's first and last panels may share their lines with others'.
    for (int64_t panel = panels.begin / Records::kPanels * Records::kPanels; panel < panels.end;
         panel += Records::kPanels) {
      const int64_t at = panel / Records::kPanels * 64;
      for (int64_t i = ahead_begin; i < ahead_end; ++i)
        prefetch(records.record(active.index[i]) + at);
      Dots dots[Records::kPanels];
      for (Dots& sums : dots) sums = x.start<Shape::kMissing>(g, 0);
      for (int64_t i = begin; i < end; i += 4) {
        const uint8_t* four[4];
        for (int n = 0; n < 4; ++n) four[n] = records.record(active.index[i + n]) + at;
        alignas(64) uint8_t quads[256];
        interleave(four, quads);
        for (int q = 0; q < 4; ++q) {
          Quads w[2];
          if constexpr (Shape::kBits == 8) {
            w[0] = load_quads(quads + 64 * q);
          } else if constexpr (Shape::kTable) {
            look_up_nibbles(quads + 64 * q, table, &w[0], &w[1]);
          } else {
            load_nibbles(quads + 64 * q, &w[0], &w[1]);
          }
          for (int half = 0; half < Shape::kQuads; ++half)
            dot(&dots[4 * half + q], w[half], active.first + i, active.second + i);
        }
      }
      for (int64_t p = 0; p < Records::kPanels; ++p) {
        if (panel + p < panels.begin || panel + p >= panels.end) continue;
        const int64_t row = (panel + p) * kPanel;
        const F32x16 scale = records.scale(g, row);
        const F32x16 offset = Shape::kShifted ? records.offset(g, row) : scale;
        store(y + row,
              add_group<Shape::kShifted>(load(y + row), dots[p], scale, offset, x.inputs(g, 0)));
      }
    }
  }
}

// Blocks of inputs, so that tokens share what is read; one token is one block, all of whose records
// can be asked for ahead.
template <typename Pass>
inline void for_each_token(const Linear& l, Range panels, Pass pass) {
  const int64_t block = l.tokens == 1 ? l.in : kSparseInputs;
  for (int64_t token = 0; token < l.tokens; token += kBlockTokens) {
    const int64_t end = l.tokens - token < kBlockTokens ? l.tokens : token + kBlockTokens;
    for (int64_t t = token; t < end; ++t)
      for (int64_t panel = panels.begin; panel < panels.end; ++panel) park(l, set1(0.0f), panel, t);
    for (int64_t first = 0; first < l.in; first += block) {
      const int64_t last = l.in - first < block ? l.in : first + block;
      for (int64_t t = token; t < end; ++t) pass(t, first, last);
    }
  }
}

template <typename Panel>
inline void records_of_numbers(const Linear& l, Range panels) {
  for_each_token(l, panels, [&](int64_t token, int64_t first, int64_t last) {
    sparse_numbers<Panel>(l, panels, token, first, last);
  });
  for (int64_t t = 0; t < l.tokens; ++t)
    for (int64_t panel = panels.begin; panel < panels.end; ++panel)
      finish(l, resume(l, panel, t), panel, t);
}

template <typename Shape>
inline void records_of_codes(const Linear& l, Range panels) {
  for_each_token(l, panels, [&](int64_t token, int64_t first, int64_t last) {
    sparse_codes<Shape>(l, panels, token, first / Shape::kGroup, last / Shape::kGroup);
  });
  for (int64_t t = 0; t < l.tokens; ++t)
    for (int64_t panel = panels.begin; panel < panels.end; ++panel)
      finish(l, mul(resume(l, panel, t), set1(Activations(l, t).scale)), panel, t);
}

inline void linear_of_records(const Linear& l, Range panels) {
  switch (l.type) {
    case PanelType::f32: return records_of_numbers<PanelF32>(l, panels);
    case PanelType::f16: return records_of_numbers<PanelF16>(l, panels);
    case PanelType::bf16: return records_of_numbers<PanelBf16>(l, panels);
    case PanelType::codes:
    case PanelType::nf4:
    case PanelType::mxfp4:
    case PanelType::int8: break;  // never in records
  }
  with_shape(l.codes, [&]<typename Shape>(Shape) { records_of_codes<Shape>(l, panels); });
}

template <typename Element>
inline void unpack_plane(const Element* plane, int64_t rows, int64_t count, Range panels,
                         std::byte* out, int64_t panel_bytes) {
  for (int64_t i = 0; i < count; ++i)
    for (int64_t panel = panels.begin; panel < panels.end; ++panel)
      __builtin_memcpy(out + (panel - panels.begin) * panel_bytes +
                           i * kPanel * static_cast<int64_t>(sizeof(Element)),
                       plane + i * rows + panel * kPanel, kPanel * sizeof(Element));
}

template <typename Shape>
inline void unpack_codes(const Linear& l, Range panels, std::byte* out) {
  using Records = CodeRecords<Shape>;
  const Records records(l);
  const int64_t panel_bytes = l.codes.panel_bytes(l.in);
  const auto quads_of = [&](int64_t input, int64_t at, uint8_t* quads) {
    const uint8_t* four[4];
    for (int n = 0; n < 4; ++n) four[n] = records.record(input + n) + at;
    interleave(four, quads);
  };
  for (int64_t k = 0; k < l.in; k += 4 * Shape::kQuads) {
    for (int64_t panel = panels.begin; panel < panels.end; panel += Records::kPanels) {
      const int64_t at = panel / Records::kPanels * 64;
      alignas(64) uint8_t quads[Shape::kQuads][256];
      for (int n = 0; n < Shape::kQuads; ++n) quads_of(k + 4 * n, at, quads[n]);
      auto* first = reinterpret_cast<uint8_t*>(out) + (panel - panels.begin) * panel_bytes +
                    k / (4 * Shape::kQuads) * 64;
      for (int q = 0; q < 4; ++q) {
        if constexpr (Shape::kBits == 8) {
          __builtin_memcpy(first + q * panel_bytes, quads[0] + 64 * q, 64);
        } else {
          uint8_t *low = first + q * panel_bytes, *high = low + 4 * panel_bytes;
          for (int i = 0; i < 64; ++i) {
            const uint8_t a = quads[0][64 * q + i], b = quads[1][64 * q + i];
            low[i] = static_cast<uint8_t>((a & 15) | b << 4);
            high[i] = static_cast<uint8_t>(a >> 4 | (b & 0xf0));
          }
        }
      }
    }
  }
  out += l.codes.codes_bytes(l.in);
  const int64_t blocks = l.in / Shape::kBlock, groups = l.in / Shape::kGroup;
  const auto unpack = [&](const auto* plane, int64_t count, int64_t bytes) {
    unpack_plane(plane, l.out, count, panels, out, panel_bytes);
    out += bytes;
  };
  unpack(records.scales, blocks, l.codes.scales_bytes(l.in));
  if (Shape::kShifted) unpack(records.offsets, blocks, l.codes.scales_bytes(l.in));
  if (!Shape::kNested) return;
  unpack(records.multipliers, groups, l.codes.multipliers_bytes(l.in));
  if (Shape::kShifted) unpack(records.offset_multipliers, groups, 0);
}

// Panels of a matrix in records, whole kRecordRows of them.
inline void unpack_records(const Linear& l, Range panels, std::byte* out) {
  const int64_t size = l.type == PanelType::f32 ? 4 : 2;
  if (l.type == PanelType::codes) {
    with_shape(l.codes, [&]<typename Shape>(Shape) { unpack_codes<Shape>(l, panels, out); });
  } else if (l.type == PanelType::f32) {
    unpack_plane(reinterpret_cast<const float*>(l.panels), l.out, l.in, panels, out,
                 l.in * kPanel * size);
  } else {
    unpack_plane(reinterpret_cast<const uint16_t*>(l.panels), l.out, l.in, panels, out,
                 l.in * kPanel * size);
  }
}

}  // namespace skein::cpu::SK_ISA
