// The writers of the formats with unequal levels.
#include "quant/iq/bits.h"
#include "quant/iq/codec.h"
#include "quant/search/iq4.h"

namespace skein::quant::iq {
namespace {

constexpr int kSize = 32;

// The codes of one group as sixteen bytes: element j below, j + 16 above.
template <int G>
void pack_nibbles(const float (&levels)[kSize][G], int group, uint8_t* qs) {
  for (int j = 0; j < 16; ++j)
    qs[j] = static_cast<uint8_t>(search::Iq4::code_of(levels[j][group]) |
                                 search::Iq4::code_of(levels[j + 16][group]) << 4);
}

bool to_iq4_xs(const float* x, BlockIQ4_XS& block) {
  search::Groups<8, kSize> groups;
  search::ScaledBlock<8, kSize> found;
  if (!load_groups(x, groups) || !search::fit_scaled_block<search::Iq4, -32>(groups, found))
    return false;
  block = {};
  block.d = found.d;
  for (int g = 0; g < 8; ++g) {
    const int scale = static_cast<int>(found.scales[g]) + 32;
    block.scales_l[g / 2] =
        static_cast<uint8_t>(block.scales_l[g / 2] | (scale & 15) << (4 * (g & 1)));
    block.scales_h = static_cast<uint16_t>(block.scales_h | (scale >> 4) << (2 * g));
    pack_nibbles(found.levels, g, block.qs + 16 * g);
  }
  return true;
}

// IQ4_NL: up to this many blocks at once, each a group with a unit and a half of its own.
constexpr int kAtOnce = 8;
using Lanes = search::Lanes<kAtOnce>;
using Groups = search::Groups<kAtOnce, kSize>;

// How many of `count` blocks have a unit; lanes beyond them stay zero.
int load_blocks(const float* x, int count, Groups& groups, Lanes& unit) {
  for (int g = 0; g < count; ++g) {
    const auto found = search::unit_of(x + g * kSize, kSize);
    if (!found) return g;
    unit[g] = *found;
    const float inverse = search::inverse_of(unit[g]);
    for (int n = 0; n < kSize; ++n) groups.x[n][g] = search::in_units(x[g * kSize + n], inverse);
  }
  return count;
}

// From the fitted scales to halves: rounded, fitted to the codes that this gives, and again. Zeros
// may be better than any half.
void choose_halves(const Groups& groups, const Lanes& unit, Lanes& fitted,
                   search::HalfScale (&chosen)[kAtOnce]) {
  constexpr int kRounds = 3;
  Lanes best = {};
  for (int n = 0; n < kSize; ++n)
    for (int g = 0; g < kAtOnce; ++g) best[g] += groups.x[n][g] * groups.x[n][g];
  for (int round = 0; round < kRounds; ++round) {
    search::HalfScale half[kAtOnce];
    Lanes scale;
    Lanes inverse;
    Lanes error;
    Lanes xq;
    Lanes qq;
    for (int g = 0; g < kAtOnce; ++g) {
      half[g] = search::half_scale(fitted[g], unit[g]);
      scale[g] = half[g].value;
      inverse[g] = search::inverse_of(scale[g]);
    }
    search::level_errors<search::Iq4>(groups, scale, error);
    search::level_sums<search::Iq4>(groups, inverse, xq, qq);
    for (int g = 0; g < kAtOnce; ++g) {
      if (error[g] < best[g]) {
        best[g] = error[g];
        chosen[g] = half[g];
      }
      fitted[g] = xq[g] * search::inverse_of(qq[g]);
    }
  }
}

// How many of `count` blocks went well.
int to_iq4_nl(const float* x, int count, BlockIQ4_NL* blocks) {
  Groups groups = {};
  Lanes unit = {};
  Lanes fitted;
  count = load_blocks(x, count, groups, unit);
  search::fit_scales<search::Iq4>(groups, fitted);
  for (int g = 0; g < count; ++g)
    if (!search::has_half(fitted[g], unit[g])) count = g;
  search::HalfScale chosen[kAtOnce];
  choose_halves(groups, unit, fitted, chosen);
  float levels[kSize][kAtOnce];
  for (int g = 0; g < count; ++g) {
    const float inverse = search::inverse_of(chosen[g].value);
    for (int n = 0; n < kSize; ++n) levels[n][g] = search::Iq4::nearest(groups.x[n][g] * inverse);
    blocks[g].d = chosen[g].bits;
    pack_nibbles(levels, g, blocks[g].qs);
  }
  return count;
}

}  // namespace

size_t encode_iq4_xs(const float* values, size_t count, std::byte* blocks) {
  return encode_each<BlockIQ4_XS, 256, to_iq4_xs>(values, count, blocks);
}

size_t encode_iq4_nl(const float* values, size_t count, std::byte* blocks) {
  for (size_t done = 0; done < count; done += kAtOnce) {
    const int wanted = static_cast<int>(std::min(count - done, size_t{kAtOnce}));
    BlockIQ4_NL encoded[kAtOnce];
    const int good = to_iq4_nl(values + done * kSize, wanted, encoded);
    std::memcpy(blocks + done * sizeof(BlockIQ4_NL), encoded,
                static_cast<size_t>(good) * sizeof(BlockIQ4_NL));
    if (good != wanted) return done + static_cast<size_t>(good);
  }
  return count;
}

}  // namespace skein::quant::iq
