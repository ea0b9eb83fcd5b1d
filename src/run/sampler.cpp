#include "run/sampler.h"

#include <algorithm>
#include <bit>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/limits.h"
#include "run/sampler_math.h"

namespace skein {

using namespace sampling;

namespace {

using Kept = SamplerWork::Kept;

constexpr double kInfinity = std::numeric_limits<double>::infinity();
constexpr int64_t kUnlimited = std::numeric_limits<int64_t>::max();
constexpr int kBuckets = 1024;
// So many values are sorted; more are divided into buckets once more.
constexpr size_t kSortable = 512;
// Logits further below the largest (times the temperature) weigh less than 2^-92 of it and share
// the last bucket.
constexpr double kDepth = 64;
constexpr std::string_view kPipExempt = " \t0123456789";

struct OrderName {
  SampleOrder order;
  std::string_view name;
};
constexpr OrderName kOrders[] = {{SampleOrder::rwkv, "rwkv"}, {SampleOrder::openai, "openai"}};

struct StyleName {
  PenaltyStyle style;
  std::string_view name;
};
constexpr StyleName kStyles[] = {{PenaltyStyle::skein, "skein"},
                                 {PenaltyStyle::rwkv_pip, "rwkv-pip"},
                                 {PenaltyStyle::ai00, "ai00"},
                                 {PenaltyStyle::openai, "openai"}};

// What top-p and top-k keep: all logits above `value`, and `ties` of those equal to it, the lowest
// ids first.
struct Cut {
  float value;
  int64_t ties;
};

// How many units of the exponent a bucket is high.
double slope_of(const Division& division, const Weigher& weigh) {
  return division.height / (kBuckets - 1) * weigh.inverse;
}

// Where buckets are steeper than this, only the first of them weighs anything.
constexpr double kSteepest = 1.01 * kDepth / (kBuckets - 1);

Division divide(float largest, double bottom, const Weigher& weigh) {
  Division out{largest, largest - bottom, 0, 0};
  out.scale = (kBuckets - 1) / out.height;
  const double slope = slope_of(out, weigh);
  out.step = slope <= kSteepest ? slope : 0;
  return out;
}

// Bounds of a bucket's logits, a little too wide.
float highest_of(const Division& division, int bucket) {
  return static_cast<float>(division.top - (bucket - 1) / division.scale);
}
float lowest_of(const Division& division, int bucket) {
  return bucket + 1 < kBuckets ? static_cast<float>(division.top - (bucket + 2) / division.scale)
                               : -FLT_MAX;
}

// Adds up weights, and where `counted` also how many, by bucket. An exp for each logit would be
// most of the sampler's time: only the place in the bucket is looked at for each, and the weight of
// the bucket's middle is multiplied in at the end.
void fill_buckets(std::span<const float> values, const Division& division, const Weigher& weigh,
                  bool counted, SamplerWork& work) {
  work.masses.assign(kBuckets, 0);
  work.counts.assign(kBuckets, 0);
  for (size_t start = 0; start < values.size(); start += kChunk) {
    const auto chunk = values.subspan(start, std::min(kChunk, values.size() - start));
    int32_t bucket[kChunk];
    double factor[kChunk];
    passes().place(chunk, division, bucket, factor);
    for (size_t i = 0; i < chunk.size(); ++i)
      work.masses[static_cast<size_t>(bucket[i])] += factor[i];
    if (!counted) continue;
    for (size_t i = 0; i < chunk.size(); ++i)
      work.counts[static_cast<size_t>(bucket[i])] += chunk[i] > kMinusInfinity ? 1 : 0;
  }
  const double slope = slope_of(division, weigh);
  const double first = (division.top - weigh.largest) * weigh.inverse - division.step / 2;
  for (int i = 0; i < kBuckets; ++i)
    if (double& mass = work.masses[static_cast<size_t>(i)]; mass > 0)
      mass *= exp_nonpositive(std::min(0.0, first - i * slope));
}

// The place in descending order at which the weights reach `target` (equals stay) or the count
// reaches `limit`, whichever comes first, when `mass` and `above` are what stands before `values`.
Cut cut_few(std::span<float> values, const Weigher& weigh, double target, int64_t limit,
            double mass, int64_t above) {
  std::sort(values.begin(), values.end(), std::greater<float>());
  size_t larger = 0;  // than values[i]
  size_t i = 0;
  for (;; ++i) {
    if (i > 0 && values[i] < values[i - 1]) larger = i;
    mass += weigh(values[i]);
    // The last one too should rounding have left the sum below the target.
    if (mass >= target || above + static_cast<int64_t>(i) + 1 >= limit || i + 1 == values.size())
      break;
  }
  const int64_t before = above + static_cast<int64_t>(larger);
  return {values[i], limit == kUnlimited ? kUnlimited : limit - before};
}

// The cut where the weights reach top_p of their sum or the count reaches top_k. Sorting 65,536
// logits to find it would cost more than the rest of the sampler, so they are put into buckets by
// value, and only the bucket that holds the place is looked into. Sums run in the order of the ids;
// nothing depends on a sort's habits.
Cut find_cut(SamplerWork& work, double top_p, int32_t top_k, double temperature) {
  const int64_t limit = top_k > 0 ? top_k : kUnlimited;
  if (top_p <= 0) return {work.largest, limit};
  if (top_p >= 1 && limit >= static_cast<int64_t>(work.logits.size()))
    return {work.smallest, kUnlimited};

  const Weigher weigh(work.largest, temperature);
  std::span<const float> values = work.logits;
  work.values.resize(values.size());
  if (values.size() <= kSortable) {
    double total = 0;
    each_chunk(values, weigh, [&](size_t, size_t count, const double* weights) {
      for (size_t i = 0; i < count; ++i) total += weights[i];
    });
    size_t size = 0;
    each_between(values, work.smallest, FLT_MAX,
                 [&](size_t i) { work.values[size++] = values[i]; });
    return cut_few(std::span(work.values).first(size), weigh, top_p < 1 ? top_p * total : kInfinity,
                   limit, 0, 0);
  }

  Extremes range{work.largest, work.smallest};
  // Below the largest even where the temperature is too small to see between two floats.
  double bottom = std::max<double>(range.smallest,
                                   std::min<double>(range.largest - kDepth * temperature,
                                                    std::nextafter(range.largest, kMinusInfinity)));
  double target = -1;  // known after the first pass
  double mass = 0;     // of all that stands above `range`, and its count
  int64_t above = 0;
  while (range.smallest < range.largest) {
    const Division division = divide(range.largest, bottom, weigh);
    fill_buckets(values, division, weigh, limit != kUnlimited, work);
    if (target < 0) {
      double total = 0;
      for (const double each : work.masses) total += each;
      target = top_p < 1 ? top_p * total : kInfinity;
    }
    int found = 0;
    for (; found < kBuckets; ++found) {
      const auto bucket = static_cast<size_t>(found);
      if (mass + work.masses[bucket] >= target || above + work.counts[bucket] >= limit) break;
      mass += work.masses[bucket];
      above += work.counts[bucket];
    }
    if (found == kBuckets) return {range.smallest, kUnlimited};

    size_t size = 0;  // in place from the second pass on: what is written was read before
    each_between(values, lowest_of(division, found), highest_of(division, found), [&](size_t i) {
      if (division.bucket(values[i]) == found) work.values[size++] = values[i];
    });
    const auto inside = std::span(work.values).first(size);
    if (size <= kSortable) return cut_few(inside, weigh, target, limit, mass, above);
    values = inside;
    range = extremes_of(values);
    bottom = range.smallest;
  }
  return {range.largest, limit == kUnlimited ? kUnlimited : limit - above};
}

// Fills work.kept by ascending id.
void gather(SamplerWork& work, Cut cut, double lowest) {
  work.kept.clear();
  // Rounded down: the exact comparison follows.
  const float low = std::max(cut.value, std::nextafter(static_cast<float>(lowest), kMinusInfinity));
  each_between(work.logits, low, FLT_MAX, [&](size_t i) {
    const float logit = work.logits[i];
    if (logit < lowest || (logit == cut.value && --cut.ties < 0)) return;
    work.kept.push_back({static_cast<int32_t>(i), logit});
  });
}

// Weighs what is kept and returns the sum.
double weigh_kept(SamplerWork& work, double temperature) {
  const Weigher weigh(work.largest, temperature);
  work.weights.resize(work.kept.size());
  double total = 0;
  for (size_t start = 0; start < work.kept.size(); start += kChunk) {
    const size_t count = std::min(kChunk, work.kept.size() - start);
    float logits[kChunk];
    for (size_t i = 0; i < count; ++i) logits[i] = work.kept[start + i].logit;
    weigh(std::span<const float>(logits, count), work.weights.data() + start);
    for (size_t i = 0; i < count; ++i) total += work.weights[start + i];
  }
  return total;
}

// Of what is kept, those whose surprise is nearest to the expected one, until they weigh typical_p.
void keep_typical(SamplerWork& work, double typical_p, double temperature) {
  const double total = weigh_kept(work, temperature);
  const Weigher weigh(work.largest, temperature);
  const auto surprise = [&, level = std::log(total)](size_t i) {
    return level - (static_cast<double>(work.kept[i].logit) - weigh.largest) * weigh.inverse;
  };
  auto& all = work.typical;
  all.clear();
  double expected = 0;
  for (size_t i = 0; i < work.kept.size(); ++i) {
    if (work.weights[i] == 0) continue;
    expected += work.weights[i] / total * surprise(i);
    all.push_back({0, i});
  }
  for (auto& each : all) each.distance = std::fabs(surprise(each.index) - expected);

  // Sorted piece by piece, because the first thousand are mostly enough.
  const auto nearer = [](const SamplerWork::Typical& a, const SamplerWork::Typical& b) {
    return a.distance != b.distance ? a.distance < b.distance : a.index < b.index;
  };
  double mass = 0;
  size_t count = 0;
  size_t sorted = 0;
  do {
    if (count == sorted) {
      const auto begin = all.begin() + static_cast<ptrdiff_t>(sorted);
      sorted = std::min(all.size(), 8 * sorted + kSortable);
      const auto end = all.begin() + static_cast<ptrdiff_t>(sorted);
      if (end != all.end()) std::nth_element(begin, end, all.end(), nearer);
      std::sort(begin, end, nearer);
    }
    mass += work.weights[all[count++].index];
  } while (count < all.size() && mass < typical_p * total);
  all.resize(count);
  std::sort(all.begin(), all.end(), [](const auto& a, const auto& b) { return a.index < b.index; });
  for (size_t i = 0; i < count; ++i) work.kept[i] = work.kept[all[i].index];
  work.kept.resize(count);
}

// Mirostat: those whose surprise is at most `mu` bits, and the largest in any case.
void keep_unsurprising(SamplerWork& work, double mu, double temperature) {
  const Weigher weigh(work.largest, temperature);
  double total = 0;
  each_chunk(work.logits, weigh, [&](size_t, size_t count, const double* weights) {
    for (size_t i = 0; i < count; ++i) total += weights[i];
  });
  constexpr double kLn2 = 0.6931471805599453;
  const double least = std::min(1.0, total * exp_nonpositive(std::min(0.0, -mu * kLn2)));
  work.kept.clear();
  each_chunk(work.logits, weigh, [&](size_t start, size_t count, const double* weights) {
    for (size_t i = 0; i < count; ++i)
      if (weights[i] >= least && work.logits[start + i] > kMinusInfinity)
        work.kept.push_back({static_cast<int32_t>(start + i), work.logits[start + i]});
  });
}

void keep_largest(SamplerWork& work) {
  const auto first = std::find(work.logits.begin(), work.logits.end(), work.largest);
  work.kept.assign(1, {static_cast<int32_t>(first - work.logits.begin()), work.largest});
}

void forbid_others(std::span<float> logits, Allowed allowed) {
  for (size_t begin = 0; begin < logits.size(); begin += 64) {
    const uint64_t word = begin / 64 < allowed.size() ? allowed[begin / 64] : 0;
    if (word == ~uint64_t{0}) continue;
    const auto group = logits.subspan(begin, std::min<size_t>(64, logits.size() - begin));
    for (size_t i = 0; i < group.size(); ++i)
      if ((word >> i & 1) == 0) group[i] = kMinusInfinity;
  }
}

template <typename F>
void each_allowed(Allowed allowed, size_t vocab, F f) {
  for (size_t i = 0; i < allowed.size(); ++i)
    for (uint64_t word = allowed[i]; word != 0; word &= word - 1)
      if (const size_t id = 64 * i + static_cast<size_t>(std::countr_zero(word)); id < vocab) f(id);
}

size_t count_allowed(Allowed allowed) {
  size_t count = 0;
  for (const uint64_t word : allowed) count += static_cast<size_t>(std::popcount(word));
  return count;
}

// Where few tokens are allowed the rest of a draw looks at nothing but those.
void keep_allowed(SamplerWork& work, Allowed allowed) {
  constexpr size_t kFew = 16;
  work.ids.clear();
  if (allowed.empty() || count_allowed(allowed) > work.logits.size() / kFew) return;
  each_allowed(allowed, work.logits.size(), [&](size_t id) {
    work.logits[work.ids.size()] = work.logits[id];  // which stands there or behind it
    work.ids.push_back(static_cast<int32_t>(id));
  });
  work.logits.resize(work.ids.size());
}

int32_t id_of(const SamplerWork& work, int32_t place) {
  return work.ids.empty() ? place : work.ids[static_cast<size_t>(place)];
}

bool is_mark(char byte) {
  const auto c = static_cast<unsigned char>(byte);
  return c < 0x80 && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z');
}

Status check_number(const char* name, double value, double low, double high) {
  if (value >= low && value <= high) return {};
  return fail(Code::argument, "{} is {}, it must be from {} to {}", name, value, low, high);
}

}  // namespace

Result<SampleOrder> parse_sample_order(std::string_view name) {
  for (const auto& row : kOrders)
    if (row.name == name) return row.order;
  return fail(Code::argument, "sampling order '{}' is unknown; there are rwkv and openai",
              escaped(name));
}

Result<PenaltyStyle> parse_penalty_style(std::string_view name) {
  for (const auto& row : kStyles)
    if (row.name == name) return row.style;
  return fail(Code::argument,
              "penalty style '{}' is unknown; there are skein, rwkv-pip, ai00 and openai",
              escaped(name));
}

std::string_view sample_order_name(SampleOrder order) {
  return kOrders[static_cast<size_t>(order)].name;
}
std::string_view penalty_style_name(PenaltyStyle style) {
  return kStyles[static_cast<size_t>(style)].name;
}

Status validate(const Sampling& s) {
  SK_TRY_STATUS(check_number("temperature", s.temperature, 0, 1000));
  SK_TRY_STATUS(check_number("top_p", s.top_p, 0, 1));
  SK_TRY_STATUS(check_number("top_k", s.top_k, 0, INT32_MAX));
  SK_TRY_STATUS(check_number("min_p", s.min_p, 0, 1));
  SK_TRY_STATUS(check_number("typical_p", s.typical_p, 0, 1));
  if (s.mirostat != 0 && s.mirostat != 2)
    return fail(Code::argument, "mirostat is {}, it must be 0 (off) or 2", s.mirostat);
  SK_TRY_STATUS(check_number("mirostat_tau", s.mirostat_tau, 0, 100));
  SK_TRY_STATUS(check_number("mirostat_eta", s.mirostat_eta, 0, 1));
  SK_TRY_STATUS(check_number("presence", s.presence, -100, 100));
  SK_TRY_STATUS(check_number("frequency", s.frequency, -100, 100));
  SK_TRY_STATUS(check_number("penalty_decay", s.penalty_decay, 0, 1));
  SK_TRY_STATUS(check_number("repetition", s.repetition, 0.01, 100));
  if (s.logit_bias.size() > limits::kLogitBias)
    return fail(Code::argument, "logit_bias has {} entries, at most {} are allowed",
                s.logit_bias.size(), limits::kLogitBias);
  for (const LogitBias& entry : s.logit_bias) {
    if (entry.id < 0) return fail(Code::argument, "logit_bias names the token {}", entry.id);
    if (entry.bias != -kInfinity && !(std::fabs(entry.bias) <= 1e6))
      return fail(Code::argument,
                  "logit_bias of token {} is {}, it must be from -1e6 to 1e6 or minus infinity",
                  entry.id, entry.bias);
  }
  for (const int32_t id : s.banned)
    if (id < 0) return fail(Code::argument, "banned names the token {}", id);
  return {};
}

TokenTraits token_traits(int32_t vocab, const std::function<std::string_view(int32_t)>& text_of,
                         std::span<const int32_t> ends) {
  TokenTraits out = token_traits(vocab);
  for (int32_t id = 0; id < vocab; ++id) {
    const std::string_view text = text_of(id);
    if (text.empty() && std::find(ends.begin(), ends.end(), id) == ends.end())
      out.silent.push_back(id);
    const auto i = static_cast<size_t>(id);
    out.marks[i] = !text.empty() && std::all_of(text.begin(), text.end(), is_mark) ? 1 : 0;
    out.exempt[i] =
        !text.empty() && text.find_first_not_of(kPipExempt) == std::string_view::npos ? 1 : 0;
    out.pip_exempt[i] = kPipExempt.find(text) != std::string_view::npos ? 1 : 0;
  }
  return out;
}

TokenTraits token_traits(int32_t vocab) {
  SK_CHECK(vocab >= 0);
  TokenTraits out;
  out.vocab = vocab;
  out.exempt.resize(static_cast<size_t>(vocab));
  out.marks.resize(static_cast<size_t>(vocab));
  out.pip_exempt.resize(static_cast<size_t>(vocab));
  return out;
}

Sampler::Sampler(const Sampling& sampling, const TokenTraits& tokens)
    : sampling_(sampling), tokens_(&tokens), entry_of_(static_cast<size_t>(tokens.vocab), -1) {
  begin_turn();
}

Result<Sampler> Sampler::create(const Sampling& sampling, const TokenTraits& tokens) {
  SK_TRY_STATUS(validate(sampling));
  if (tokens.vocab < 1 || static_cast<uint64_t>(tokens.vocab) > limits::kVocab)
    return fail(Code::argument, "a vocabulary of {} tokens cannot be sampled from", tokens.vocab);
  for (const LogitBias& entry : sampling.logit_bias)
    if (entry.id >= tokens.vocab)
      return fail(Code::argument, "logit_bias names the token {} of a vocabulary of {}", entry.id,
                  tokens.vocab);
  for (const int32_t id : sampling.banned)
    if (id >= tokens.vocab)
      return fail(Code::argument, "banned names the token {} of a vocabulary of {}", id,
                  tokens.vocab);
  return Sampler(sampling, tokens);
}

void Sampler::adjust(std::span<float> logits, Allowed allowed) const {
  for (const auto& [id, weight] : memory_.seen) {
    float& logit = logits[static_cast<size_t>(id)];
    if (logit == kMinusInfinity) continue;
    if (sampling_.repetition != 1) {
      const double value = logit;
      logit = static_cast<float>(std::clamp<double>(
          value > 0 ? value / sampling_.repetition : value * sampling_.repetition, -FLT_MAX,
          FLT_MAX));
    }
    // Subtracted as f32: pip does, and a client may compare.
    logit -= static_cast<float>(sampling_.penalty_style == PenaltyStyle::ai00
                                    ? weight
                                    : sampling_.presence + weight * sampling_.frequency);
    logit = std::clamp(logit, -FLT_MAX, FLT_MAX);
  }
  for (const auto& [id, bias] : sampling_.logit_bias)
    logits[static_cast<size_t>(id)] += static_cast<float>(bias);
  // Whoever allows an id without text means it.
  if (allowed.empty())
    for (const int32_t id : tokens_->silent) logits[static_cast<size_t>(id)] = kMinusInfinity;
  else
    forbid_others(logits, allowed);
  for (const int32_t id : sampling_.banned) logits[static_cast<size_t>(id)] = kMinusInfinity;
}

Result<double> Sampler::select(std::span<const float> logits, SamplerWork& work,
                               Allowed allowed) const {
  const auto vocab = static_cast<size_t>(tokens_->vocab);
  if (logits.size() != vocab)
    return fail(Code::argument, "{} logits for a vocabulary of {}", logits.size(), vocab);
  if (passes().has_nan_or_plus_infinity(logits))
    return fail(Code::corrupt, "a logit is NaN or infinite");
  work.logits.assign(logits.begin(), logits.end());
  adjust(work.logits, allowed);
  keep_allowed(work, allowed);
  const Extremes range = extremes_of(work.logits);
  work.largest = range.largest;
  work.smallest = range.smallest;
  if (work.largest == kMinusInfinity) {
    if (extremes_of(logits).largest == kMinusInfinity)
      return fail(Code::corrupt, "the model produced no finite logit");
    if (!allowed.empty())
      return fail(Code::argument,
                  "every token that the constraint allows here is banned or has no finite logit");
    return fail(Code::argument, "every token with a finite logit is banned or has no text");
  }

  const double temperature = sampling_.temperature;
  if (temperature == 0) {
    keep_largest(work);
    return weigh_kept(work, 1);
  }
  if (sampling_.mirostat == 2) {
    keep_unsurprising(work, memory_.mirostat_mu, temperature);
    return weigh_kept(work, temperature);
  }
  const double first = sampling_.order == SampleOrder::openai ? temperature : 1;
  const Cut cut = find_cut(work, sampling_.top_p, sampling_.top_k, first);
  const double lowest = sampling_.min_p > 0 ? work.largest + first * std::log(sampling_.min_p)
                                            : static_cast<double>(work.smallest);
  gather(work, cut, lowest);
  if (sampling_.typical_p < 1) keep_typical(work, sampling_.typical_p, first);
  return weigh_kept(work, temperature);
}

namespace {

double sum_of(std::span<const float> logits, const Weigher& weigh) {
  double sum = 0;
  each_chunk(logits, weigh, [&](size_t, size_t count, const double* weights) {
    for (size_t i = 0; i < count; ++i) sum += weights[i];
  });
  return sum;
}

}  // namespace

double log_sum_exp(std::span<const float> logits) {
  const Weigher weigh(extremes_of(logits).largest, 1);
  return weigh.largest + std::log(sum_of(logits, weigh));
}

void softmax(std::span<const float> logits, std::vector<float>& probabilities) {
  const Weigher weigh(extremes_of(logits).largest, 1);
  const double sum = sum_of(logits, weigh);
  probabilities.resize(logits.size());
  each_chunk(logits, weigh, [&](size_t start, size_t count, const double* weights) {
    for (size_t i = 0; i < count; ++i)
      probabilities[start + i] = static_cast<float>(weights[i] / sum);
  });
}

Result<int32_t> Sampler::sample(std::span<const float> logits, uint64_t position, SamplerWork& work,
                                Allowed allowed) {
  const auto vocab = static_cast<size_t>(tokens_->vocab);
  work.logits.reserve(vocab);
  work.kept.reserve(vocab);
  work.weights.reserve(vocab);
  work.values.reserve(vocab);
  if (!allowed.empty()) work.ids.reserve(vocab);
  if (sampling_.typical_p < 1) work.typical.reserve(vocab);
  SK_TRY(const double total, select(logits, work, allowed));

  const double target = uniform_at(sampling_.seed, position) * total;
  double sum = 0;
  size_t drawn = 0;  // ends at the last one that weighs anything, should rounding miss the target
  for (size_t i = 0; i < work.kept.size(); ++i) {
    if (work.weights[i] == 0) continue;
    drawn = i;
    sum += work.weights[i];
    if (sum > target) break;
  }
  drawn_id_ = id_of(work, work.kept[drawn].id);
  drawn_surprise_ = -std::log2(work.weights[drawn] / total);
  return drawn_id_;
}

Result<Candidates> Sampler::distribution(std::span<const float> logits) const {
  SamplerWork work;
  SK_TRY(const double total, select(logits, work, {}));
  Candidates out(work.kept.size());
  for (size_t i = 0; i < out.size(); ++i) out[i] = {work.kept[i].id, work.weights[i] / total};
  std::sort(out.begin(), out.end(), [](const Candidate& a, const Candidate& b) {
    return a.probability != b.probability ? a.probability > b.probability : a.id < b.id;
  });
  return out;
}

void Sampler::accept(int32_t id, bool marks_are_exempt) {
  SK_CHECK(id >= 0 && id < tokens_->vocab);
  // At once and first: a step must not allocate, a failed one must change nothing, and pages that
  // are not used cost nothing.
  if (memory_.seen.empty()) memory_.seen.reserve(static_cast<size_t>(tokens_->vocab));
  if (sampling_.mirostat == 2 && id == drawn_id_)
    memory_.mirostat_mu -= sampling_.mirostat_eta * (drawn_surprise_ - sampling_.mirostat_tau);
  drawn_id_ = -1;

  const PenaltyStyle style = sampling_.penalty_style;
  if (style != PenaltyStyle::openai)
    for (auto& entry : memory_.seen) {
      entry.weight *= sampling_.penalty_decay;
      // Before it gets subnormal, where each further multiplication would cost a hundredfold.
      if (std::fabs(entry.weight) < 1e-300) entry.weight = 0;
    }
  const auto index = static_cast<size_t>(id);
  if (style == PenaltyStyle::skein && tokens_->exempt[index] != 0) return;
  if (marks_are_exempt && tokens_->marks[index] != 0) return;
  const bool weightless = style == PenaltyStyle::rwkv_pip && tokens_->pip_exempt[index] != 0;
  const double counted = weightless ? 0 : 1;
  int32_t& place = entry_of_[index];
  if (place < 0) {
    place = static_cast<int32_t>(memory_.seen.size());
    memory_.seen.push_back({id, style == PenaltyStyle::ai00 ? sampling_.presence : counted});
  } else {
    memory_.seen[static_cast<size_t>(place)].weight +=
        style == PenaltyStyle::ai00 ? sampling_.frequency : counted;
  }
}

void Sampler::begin_turn() {
  for (const auto& entry : memory_.seen) entry_of_[static_cast<size_t>(entry.id)] = -1;
  memory_.seen.clear();
  memory_.mirostat_mu = 2 * sampling_.mirostat_tau;
  drawn_id_ = -1;
}

Status Sampler::restore(const SamplerMemory& memory) {
  std::vector<int32_t> entry_of(static_cast<size_t>(tokens_->vocab), -1);
  for (size_t i = 0; i < memory.seen.size(); ++i) {
    const auto& [id, weight] = memory.seen[i];
    if (id < 0 || id >= tokens_->vocab || entry_of[static_cast<size_t>(id)] >= 0 ||
        !std::isfinite(weight))
      return fail(Code::argument,
                  "a saved sampler remembers token {} with weight {}, in a vocabulary of {}", id,
                  weight, tokens_->vocab);
    entry_of[static_cast<size_t>(id)] = static_cast<int32_t>(i);
  }
  if (!std::isfinite(memory.mirostat_mu))
    return fail(Code::argument, "a saved sampler has a mirostat mu of {}", memory.mirostat_mu);
  memory_ = memory;
  entry_of_ = std::move(entry_of);
  drawn_id_ = -1;
  return {};
}

std::array<uint32_t, 4> philox4x32(std::array<uint32_t, 4> counter, std::array<uint32_t, 2> key) {
  for (int round = 0; round < 10; ++round) {
    const uint64_t a = uint64_t{0xd2511f53u} * counter[0];
    const uint64_t b = uint64_t{0xcd9e8d57u} * counter[2];
    counter = {static_cast<uint32_t>(b >> 32) ^ counter[1] ^ key[0], static_cast<uint32_t>(b),
               static_cast<uint32_t>(a >> 32) ^ counter[3] ^ key[1], static_cast<uint32_t>(a)};
    key[0] += 0x9e3779b9u;
    key[1] += 0xbb67ae85u;
  }
  return counter;
}

double uniform_at(uint64_t seed, uint64_t position) {
  const auto random =
      philox4x32({static_cast<uint32_t>(position), static_cast<uint32_t>(position >> 32), 0, 0},
                 {static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)});
  const uint64_t bits = uint64_t{random[1]} << 32 | random[0];
  return static_cast<double>(bits >> 11) * 0x1p-53;
}

}  // namespace skein
