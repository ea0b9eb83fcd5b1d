#include "run/endurance.h"

#include <array>
#include <chrono>
#include <cmath>

#include "base/platform.h"
#include "run/engine.h"

namespace skein {
namespace {

// Times in buckets half a percent apart: a median of any number of them in fixed memory.
class Times {
 public:
  void add(double microseconds) {
    const double place = std::log(std::max(microseconds, kLeast) / kLeast) / kStep;
    ++counts_[static_cast<size_t>(std::min<double>(place, kBuckets - 1))];
    ++total_;
  }
  double median() const {
    int64_t seen = 0;
    for (size_t i = 0; i < kBuckets; ++i) {
      seen += counts_[i];
      if (seen * 2 >= total_) return kLeast * std::exp((static_cast<double>(i) + 0.5) * kStep);
    }
    return 0;
  }

 private:
  static constexpr double kLeast = 0.1, kStep = 0.005;
  static constexpr size_t kBuckets = 4096;  // up to 78 s
  std::array<int64_t, kBuckets> counts_{};
  int64_t total_ = 0;
};

// The slope of a least-squares line, point by point.
class Slope {
 public:
  void add(double x, double y) { n_ += 1, x_ += x, y_ += y, xx_ += x * x, xy_ += x * y; }
  double value() const {
    const double spread = n_ * xx_ - x_ * x_;
    return spread > 0 ? (n_ * xy_ - x_ * y_) / spread : 0;
  }

 private:
  double n_ = 0, x_ = 0, y_ = 0, xx_ = 0, xy_ = 0;
};

}  // namespace

Result<Endurance> run_endurance(std::shared_ptr<Model> model, int64_t tokens,
                                const std::function<bool(int64_t done)>& step) {
  if (tokens < 1000) return fail(Code::argument, "at least 1000 tokens are needed to see a trend");
  Engine engine(model);
  Session session(model);
  const int32_t first[] = {0};
  Sampling sampling;
  sampling.banned = {kEndOfDocument[0]};
  sampling.seed = 1;
  const TokenTraits traits = token_traits(model->vocab());
  SK_TRY(Sampler sampler, Sampler::create(sampling, traits));
  GenerateOptions options;
  options.max_tokens = tokens;
  options.all_logits = true;
  SK_TRY(const std::shared_ptr<Generation> generation,
         Generation::start(session, first, nullptr, std::move(sampler), options));
  Endurance out;
  out.tokens = tokens;
  Times second, last, hundredth;
  out.course.reserve(100);  // now, not where memory is watched
  Slope resident;
  Event event;
  for (int64_t i = 0; i < tokens; ++i) {
    const auto start = std::chrono::steady_clock::now();
    SK_TRY_STATUS(engine.next(generation, event));
    const auto end = std::chrono::steady_clock::now();
    const double us = std::chrono::duration<double, std::micro>(end - start).count();
    if (i * 10 / tokens == 1) second.add(us);
    if (i * 10 / tokens == 9) last.add(us);
    hundredth.add(us);
    if ((i + 1) * 100 / tokens > i * 100 / tokens) {
      out.course.push_back({hundredth.median(), static_cast<double>(resident_bytes())});
      hundredth = Times();
    }
    if (i % 1000 != 0) continue;
    if (step && !step(i)) return fail(Code::io, "interrupted");
    if (i < tokens / 4) continue;
    const auto bytes = static_cast<double>(resident_bytes());
    if (out.resident_begin == 0) out.resident_begin = bytes;
    out.resident_end = bytes;
    resident.add(static_cast<double>(i), bytes);
  }
  out.second_tenth_us = second.median();
  out.last_tenth_us = last.median();
  out.resident_slope = resident.value();
  out.fingerprint = generation->fingerprint().value_or(0);
  return out;
}

}  // namespace skein
