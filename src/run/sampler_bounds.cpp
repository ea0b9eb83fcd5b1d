// Drawing from logits that are known between bounds.
//
// What may be drawn is a set of tokens at the top: those before a cut, which top-k places by count
// and top-p by mass, and above min-p's line. It is certain once the tokens at the top are known
// exactly down to the cut, no other can be as large, and the mass of all others, which is known
// between bounds, cannot move the cut. Then whatever is put in for the others within their bounds
// leaves what may be drawn the same, and with it weights, random number and token. So logits are
// made exact from the top down until that is so, and the rest of the sampler sees the row as it is.
#include <algorithm>
#include <array>
#include <bit>
#include <cfloat>
#include <cmath>
#include <functional>
#include <limits>
#include <optional>

#include "run/sampler.h"
#include "run/sampler_math.h"

namespace skein {

using namespace sampling;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

// Beyond this share of a row it is cheaper to make all of it exact.
constexpr int32_t kMostExact = 8;

// More than the dense sampler's sum of weights can differ from another order's.
constexpr double kSumError = 1e-9;

// The sum of exp((value - largest) / temperature) over what is not exact, within kMassError of it:
// an exp for each would take longer than what is saved by it.
constexpr double kMassError = 0.01;

double mass_of(std::span<const float> values, std::span<const float> error, const Weigher& weigh) {
  const auto largest = static_cast<float>(weigh.largest);
  const auto inverse = static_cast<float>(weigh.inverse);
  // Small temperatures make too much of how a difference was rounded to f32.
  const bool rounds_little = weigh.inverse * std::fabs(weigh.largest) < 1e4;
  constexpr float kLog2E = 1.44269504f, kLeast = -115;
  double total = 0;
  for (size_t start = 0; start < values.size(); start += kChunk) {
    const size_t count = std::min(kChunk, values.size() - start);
    const float* value = values.data() + start;
    const float* unknown = error.data() + start;
    if (!rounds_little) {
      for (size_t i = 0; i < count; ++i) total += unknown[i] > 0 ? weigh(value[i]) : 0.0;
      continue;
    }
    float weights[kChunk];
    for (size_t i = 0; i < count; ++i) {
      const float scaled = (value[i] - largest) * inverse * kLog2E;
      const float x = scaled > kLeast ? scaled : kLeast;
      const auto n = static_cast<int32_t>(x);
      const float f = x - static_cast<float>(n);  // 2^f is 1 + af + bf^2 within 0.4 %
      const float power = std::bit_cast<float>((n + 127) << 23);
      const float weight = (1 + f * (0.6717f + 0.1717f * f)) * power;
      weights[i] = unknown[i] > 0 ? weight : 0.0f;
    }
    float sum = 0;
    for (size_t i = 0; i < count; ++i) sum += weights[i];
    total += static_cast<double>(sum);
  }
  return total;
}

// How many values lie how deep below `top`.
class Depths {
 public:
  Depths(std::span<const float> values, float top) : top_(top) {
    const float lowest = std::min(extremes_of(values).smallest, top);
    // At least a thousandth, so that all equal is no division by zero.
    height_ = std::max((top - lowest) / kBuckets, 1e-3f);
    for (const float value : values) {
      const float depth = (top - value) / height_;
      if (depth < kBuckets) ++counts_[static_cast<size_t>(depth > 0 ? depth : 0)];
    }
  }
  // Below which about so many values lie above.
  float line(int64_t count) const {
    size_t bucket = 0;
    for (int64_t above = 0; bucket < kBuckets; ++bucket)
      if ((above += counts_[bucket]) >= count) break;
    return bucket < kBuckets ? top_ - static_cast<float>(bucket + 1) * height_ : -FLT_MAX;
  }

 private:
  static constexpr size_t kBuckets = 1024;
  float top_;
  float height_ = 0;
  std::array<int32_t, kBuckets> counts_{};
};

float largest_unknown(std::span<const float> high, std::span<const float> error) {
  float out = kMinusInfinity;
  for (size_t i = 0; i < high.size(); ++i) out = error[i] > 0 && high[i] > out ? high[i] : out;
  return out;
}

// Those of `row` that are exact and not banned, at the beginning of `values`.
std::span<float> exact_values(const LogitBounds& logits, std::span<const float> row,
                              std::vector<float>& values) {
  size_t count = 0;
  for (int32_t group = 0; group < logits.groups(); ++group) {
    if (!logits.is_exact(group)) continue;
    const size_t begin = static_cast<size_t>(group) * ops::kLogitGroup;
    for (size_t i = begin; i < std::min(begin + ops::kLogitGroup, row.size()); ++i)
      if (row[i] > kMinusInfinity) values[count++] = row[i];
  }
  return std::span(values).first(count);
}

// Whether the groups that hold an allowed token are few enough to make them exact at once; `groups`
// are then those of them that are not.
bool are_few(const LogitBounds& logits, Allowed allowed, std::vector<int32_t>& groups) {
  if (allowed.empty()) return false;
  groups.clear();
  int32_t holding = 0;
  constexpr size_t kWord = 64, kGroup = ops::kLogitGroup;
  static_assert(kWord % kGroup == 0 && kGroup < kWord);
  for (int32_t group = 0; group < logits.groups(); ++group) {
    const size_t begin = static_cast<size_t>(group) * kGroup;
    const uint64_t word = begin / kWord < allowed.size() ? allowed[begin / kWord] : 0;
    if ((word >> begin % kWord & ((uint64_t{1} << kGroup) - 1)) == 0) continue;
    if (kMostExact * ++holding > logits.groups()) return false;
    if (!logits.is_exact(group)) groups.push_back(group);
  }
  return true;
}

// What is known of the mass of all tokens.
struct MassBounds {
  double low = 0, high = 0;
};

// Whether the cut is certain, if `top` is exact, in descending order, and above all the others,
// which are at most `others`.
bool is_cut_certain(std::span<const float> top, float others, const Weigher& weigh, MassBounds mass,
                    const Sampling& s, double first_temperature) {
  if (top.empty()) return false;
  if (s.top_p <= 0) return true;
  const bool by_mass = s.top_p < 1;
  const double surely = by_mass ? s.top_p * mass.high * (1 + kSumError) : kInfinity;
  const double maybe = by_mass ? s.top_p * mass.low * (1 - kSumError) : kInfinity;
  const double line =
      s.min_p > 0 ? weigh.largest + first_temperature * std::log(s.min_p) : -kInfinity;
  double sum = 0;
  for (size_t i = 0; i < top.size(); ++i) {
    // Below min-p's line, and no cut before it: the line decides.
    if (static_cast<double>(top[i]) < line) return true;
    sum += weigh(top[i]);
    if (s.top_k > 0 && i + 1 >= static_cast<size_t>(s.top_k)) return true;
    if (sum >= surely) return true;
    if (sum >= maybe) return false;
  }
  return others == kMinusInfinity || static_cast<double>(others) < line;
}

}  // namespace

bool Sampler::needs_all_logits() const {
  if (sampling_.temperature == 0) return false;
  if (sampling_.mirostat == 2 || sampling_.typical_p < 1) return true;
  return sampling_.top_p >= 1 && sampling_.top_k == 0 && sampling_.min_p == 0;
}

Status Sampler::narrow(LogitBounds& logits, SamplerWork& work, Allowed allowed) {
  const size_t vocab = logits.about().size();
  if (!logits.finite()) return logits.make_all_exact();
  work.groups.reserve(static_cast<size_t>(logits.groups()));
  if (are_few(logits, allowed, work.groups)) return logits.make_exact(work.groups);
  if (needs_all_logits()) return logits.make_all_exact();
  const bool greedy = sampling_.temperature == 0;
  const double first = sampling_.order == SampleOrder::openai ? sampling_.temperature : 1;
  work.low.resize(vocab);
  work.high.resize(vocab);
  work.values.resize(vocab);
  std::optional<Depths> depths;
  // First those that may be the largest, then ever more.
  for (int64_t candidates = 0;;
       candidates = candidates == 0 ? 24 + 2 * int64_t{sampling_.top_k} : 4 * candidates) {
    const std::span<const float> about = logits.about(), error = logits.error();
    for (size_t i = 0; i < vocab; ++i) {
      work.low[i] = about[i] - error[i];
      work.high[i] = about[i] + error[i];
    }
    adjust(work.low, allowed);
    adjust(work.high, allowed);
    float line = extremes_of(work.low).largest;
    if (line == kMinusInfinity) return logits.make_all_exact();
    if (candidates > 0) {
      if (!depths) depths.emplace(work.high, line);
      line = depths->line(candidates);
    }
    const float at_least = std::nextafter(line, kMinusInfinity);

    work.groups.clear();
    // Up to infinity, which a bound can be where logits are near the largest number.
    each_between(work.high, at_least, static_cast<float>(kInfinity), [&](size_t i) {
      const auto group = static_cast<int32_t>(i / ops::kLogitGroup);
      if (logits.is_exact(group)) return;
      if (work.groups.empty() || work.groups.back() != group) work.groups.push_back(group);
    });
    const auto wanted = static_cast<int32_t>(work.groups.size());
    if (kMostExact * (logits.exact_groups() + wanted) > logits.groups())
      return logits.make_all_exact();
    SK_TRY_STATUS(logits.make_exact(work.groups));
    if (greedy) return {};

    // The row as it is now, and of it what is exact.
    work.logits.assign(about.begin(), about.end());
    adjust(work.logits, allowed);
    const float others = largest_unknown(work.high, error);
    const std::span<float> exact = exact_values(logits, work.logits, work.values);
    std::sort(exact.begin(), exact.end(), std::greater<float>());
    const auto end = std::partition_point(exact.begin(), exact.end(),
                                          [&](float value) { return value > others; });
    const auto top = exact.first(static_cast<size_t>(end - exact.begin()));
    if (top.empty()) continue;

    const Weigher weigh(top.front(), first);
    MassBounds mass;
    if (sampling_.top_p > 0 && sampling_.top_p < 1) {
      double known = 0;
      for (const float value : exact) known += weigh(value);
      mass = {known + (1 - kMassError) * mass_of(work.low, error, weigh),
              known + (1 + kMassError) * mass_of(work.high, error, weigh)};
    }
    if (is_cut_certain(top, others, weigh, mass, sampling_, first)) return {};
  }
}

Result<int32_t> Sampler::sample(LogitBounds& logits, uint64_t position, SamplerWork& work,
                                Allowed allowed) {
  if (logits.about().size() != static_cast<size_t>(tokens_->vocab))
    return fail(Code::argument, "{} logits for a vocabulary of {}", logits.about().size(),
                tokens_->vocab);
  if (!logits.all_exact()) SK_TRY_STATUS(narrow(logits, work, allowed));
  return sample(logits.about(), position, work, allowed);
}

}  // namespace skein
