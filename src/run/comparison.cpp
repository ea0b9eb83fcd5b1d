#include "run/comparison.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/platform.h"
#include "base/pool.h"
#include "run/opening.h"
#include "run/sampler.h"

namespace skein {
namespace {

constexpr int64_t kRows = 64;  // predictions whose logits are there at once

Status told(const ComparisonProgress& progress, int64_t done, int64_t total) {
  if (progress && !progress(done, total)) return fail(Code::io, "interrupted");
  return {};
}

// What the logits of one prediction by two models have in common.
struct Measured {
  double loss_a = 0, loss_b = 0;
  double divergence = 0;
  double largest = 0, difference = 0;  // of A's logits, and between both
  bool same_first = false;
};

double log_probability(std::span<const float> logits, double log_sum, int32_t id) {
  return static_cast<double>(logits[static_cast<size_t>(id)]) - log_sum;
}

// `b` may be empty.
Measured measure(std::span<const float> a, std::span<const float> b, int32_t next) {
  const double sum_a = log_sum_exp(a);
  Measured out = {.loss_a = -log_probability(a, sum_a, next)};
  if (b.empty()) return out;
  const double sum_b = log_sum_exp(b);
  out.loss_b = -log_probability(b, sum_b, next);
  for (size_t i = 0; i < a.size(); ++i) {
    const double p = static_cast<double>(a[i]) - sum_a, q = static_cast<double>(b[i]) - sum_b;
    out.divergence += std::exp(p) * (p - q);
  }
  out.divergence = std::max(out.divergence, 0.0);  // rounding of two that are the same
  for (size_t i = 0; i < a.size(); ++i) {
    out.largest = std::max<double>(out.largest, std::fabs(a[i]));
    out.difference = std::max<double>(out.difference, std::fabs(b[i] - a[i]));
  }
  out.same_first = std::max_element(a.begin(), a.end()) - a.begin() ==
                   std::max_element(b.begin(), b.end()) - b.begin();
  return out;
}

class Tally {
 public:
  void add(const Measured& one) {
    a_ += one.loss_a, b_ += one.loss_b;
    const double change = one.loss_a - one.loss_b;
    change_ += change, squares_ += change * change;
    same_ += one.same_first;
    divergences_.push_back(static_cast<float>(one.divergence));
    sum_ += one.divergence;
    largest_ = std::max(largest_, one.largest);
    difference_ = std::max(difference_, one.difference);
  }

  Comparison result(bool both) && {
    Comparison out;
    out.predictions = std::ssize(divergences_);
    const auto count = static_cast<double>(out.predictions);
    out.a = {a_ / count, std::exp(a_ / count)};
    if (!both) return out;
    const auto rank = [&](double share) {  // the smallest that so many are not above
      const auto place = static_cast<std::ptrdiff_t>(std::ceil(share * count)) - 1;
      const auto at = divergences_.begin() + std::max<std::ptrdiff_t>(place, 0);
      std::nth_element(divergences_.begin(), at, divergences_.end());
      return static_cast<double>(*at);
    };
    out.both = {.b = {b_ / count, std::exp(b_ / count)},
                .divergence = {.mean = sum_ / count,
                               .median = rank(0.5),
                               .most_of_99 = rank(0.99),
                               .largest = rank(1)},
                .same_first = static_cast<double>(same_) / count,
                .change = change_ / count,
                .change_rms = std::sqrt(squares_ / count),
                .logit_error = largest_ > 0 ? difference_ / largest_ : 0};
    return out;
  }

 private:
  double a_ = 0, b_ = 0, change_ = 0, squares_ = 0, sum_ = 0, largest_ = 0, difference_ = 0;
  int64_t same_ = 0;
  std::vector<float> divergences_;
};

// One of the two: open or not, and where it stands in the document.
class Reader {
 public:
  explicit Reader(const ComparedModel& what) : what_(what) {}

  Status open() {
    if (model_) return {};
    SK_TRY(model_, Model::open(what_.path, what_.options));
    return {};
  }
  void close() { model_.reset(); }  // the state outlives it
  void begin() { state_.reset(); }
  Model& model() { return *model_; }

  Status read(std::span<const int32_t> ids, float* logits) {
    if (!state_) state_ = model_->new_state();
    return model_->eval(*state_, ids, logits ? Want::all : Want::none, logits);
  }

 private:
  const ComparedModel& what_;
  std::shared_ptr<Model> model_;
  std::optional<State> state_;
};

// Some tokens of a document whose predictions are compared.
struct Piece {
  const std::vector<int32_t>* document;
  int64_t at, count;
};

class Comparer {
 public:
  Comparer(const ComparedModel& a, const ComparedModel* b, const Documents& documents,
           const ComparisonOptions& options, const ComparisonProgress& progress)
      : documents_(documents), options_(options), progress_(progress), a_(a) {
    if (b) b_.emplace(*b);
  }

  Result<Comparison> run(const ComparedModel& a, const ComparedModel* b) {
    SK_TRY_STATUS(look(a, b));
    SK_TRY(const int threads, thread_count(a.options.threads));
    pool_.emplace(threads);
    for (const auto& document : documents_) {
      const int64_t end = std::ssize(document) - 1;  // the last is read by nobody
      for (int64_t at = options_.prompt; at < end; at += kRows) {
        pieces_.push_back({&document, at, std::min(kRows, end - at)});
        rows_ += pieces_.back().count;
        if (rows_ + kRows > step_) SK_TRY_STATUS(compare());
      }
    }
    SK_TRY_STATUS(compare());
    Comparison out = std::move(tally_).result(b_.has_value());
    out.separately = separately_;
    return out;
  }

 private:
  // What both are, from their headers, and whether there is room for both.
  Status look(const ComparedModel& a, const ComparedModel* b) {
    SK_TRY(const Opening first, Opening::look(a.path, a.options));
    vocab_ = first.info().dimensions.vocab;
    for (const auto& document : documents_) {
      total_ += std::max<int64_t>(0, std::ssize(document) - 1 - options_.prompt);
      for (const int32_t id : document)
        if (id < 0 || id >= vocab_)
          return fail(Code::mismatch, "{}: has no id {}, which the text has; it has {} ids",
                      escaped(a.path.filename().string()), id, vocab_);
    }
    if (total_ == 0) return fail(Code::argument, "the text is too short: nothing is predicted");
    step_ = kRows;
    if (!b) return {};
    SK_TRY(const Opening second, Opening::look(b->path, b->options));
    if (second.info().dimensions.vocab != vocab_)
      return fail(Code::mismatch,
                  "{} has {} ids and {} {}: what they predict cannot be compared; two files of one "
                  "model can",
                  escaped(a.path.filename().string()), vocab_, escaped(b->path.filename().string()),
                  second.info().dimensions.vocab);
    const int64_t row = vocab_ * int64_t{sizeof(float)};
    const uint64_t free = memory_available() + resident_bytes();
    const auto peaks = static_cast<uint64_t>(first.memory().peak() + second.memory().peak());
    separately_ = options_.separately ||
                  (memory_available() > 0 && peaks + static_cast<uint64_t>(2 * kRows * row) > free);
    if (!separately_) return {};
    // Opening takes its time: as many rows between two of them as half of what is left holds.
    const auto larger =
        static_cast<uint64_t>(std::max(first.memory().peak(), second.memory().peak()));
    constexpr int64_t kMost = int64_t{1} << 30;
    const int64_t room =
        free > larger ? static_cast<int64_t>(std::min<uint64_t>((free - larger) / 2, kMost)) : 0;
    step_ = std::max(kRows, room / row / kRows * kRows);
    return {};
  }

  Status open(Reader& one, Reader* other) {
    if (separately_ && other) other->close();
    SK_TRY_STATUS(one.open());
    // Both are as wide as they were when they were looked at, unless a file was replaced.
    if (one.model().vocab() != vocab_)
      return fail(Code::io, "{}: became another model meanwhile", one.model().info().file);
    return {};
  }

  // Predictions of the `count` tokens behind `at`.
  Status read(Reader& one, const Piece& piece, float* logits) {
    const std::span<const int32_t> document = *piece.document;
    if (piece.at == options_.prompt) {
      one.begin();
      if (piece.at > 0)
        SK_TRY_STATUS(one.read(document.first(static_cast<size_t>(piece.at)), nullptr));
    }
    SK_TRY_STATUS(one.read(
        document.subspan(static_cast<size_t>(piece.at), static_cast<size_t>(piece.count)), logits));
    done_ += piece.count;
    return told(progress_, done_, (b_ ? 2 : 1) * total_);
  }

  // What has come together, by both.
  Status compare() {
    if (pieces_.empty()) return {};
    const auto row = static_cast<size_t>(vocab_);
    rows_a_.resize(static_cast<size_t>(rows_) * row);
    SK_TRY_STATUS(open(a_, b_ ? &*b_ : nullptr));
    size_t first = 0;
    for (const Piece& piece : pieces_) {
      SK_TRY_STATUS(read(a_, piece, rows_a_.data() + first));
      first += static_cast<size_t>(piece.count) * row;
    }
    if (b_) SK_TRY_STATUS(open(*b_, &a_));
    first = 0;
    for (const Piece& piece : pieces_) {
      if (b_) {
        rows_b_.resize(static_cast<size_t>(piece.count) * row);
        SK_TRY_STATUS(read(*b_, piece, rows_b_.data()));
      }
      SK_TRY_STATUS(add(*piece.document, piece.at, piece.count, first));
      first += static_cast<size_t>(piece.count) * row;
    }
    pieces_.clear();
    rows_ = 0;
    return {};
  }

  Status add(const std::vector<int32_t>& document, int64_t at, int64_t count, size_t first) {
    const auto row = static_cast<size_t>(vocab_);
    std::vector<Measured> all(static_cast<size_t>(count));
    SK_TRY_STATUS(run_shares(*pool_, count, [&](Range part) -> Status {
      for (int64_t i = part.begin; i < part.end; ++i) {
        const auto n = static_cast<size_t>(i);
        const auto a = std::span(rows_a_).subspan(first + n * row, row);
        const auto b = b_ ? std::span(rows_b_).subspan(n * row, row) : std::span<float>();
        all[n] = measure(a, b, document[static_cast<size_t>(at) + n + 1]);
      }
      return {};
    }));
    for (const Measured& one : all) tally_.add(one);
    return {};
  }

  const Documents& documents_;
  const ComparisonOptions& options_;
  const ComparisonProgress& progress_;
  Reader a_;
  std::optional<Reader> b_;
  std::optional<Pool> pool_;
  int64_t vocab_ = 0, total_ = 0, done_ = 0;
  int64_t step_ = kRows;  // predictions between two openings
  std::vector<Piece> pieces_;
  int64_t rows_ = 0;  // theirs
  bool separately_ = false;
  std::vector<float> rows_a_, rows_b_;
  Tally tally_;
};

}  // namespace

Result<Documents> write_documents(Model& model, int64_t tokens,
                                  const ComparisonProgress& progress) {
  constexpr int64_t kTogether = 16;  // sequences share a step
  const int64_t count = std::max<int64_t>(1, (tokens + kOwnDocument - 1) / kOwnDocument);
  const auto vocab = static_cast<size_t>(model.vocab());
  Sampling sampling;
  sampling.temperature = 1;
  sampling.top_p = 1;
  sampling.presence = sampling.frequency = 0;
  const TokenTraits traits = token_traits(model.vocab());
  Documents out(static_cast<size_t>(count), std::vector<int32_t>(1, 0));
  SamplerWork work;
  int64_t done = 0;
  for (int64_t first = 0; first < count; first += kTogether) {
    const auto now = static_cast<size_t>(std::min(kTogether, count - first));
    std::vector<State> states(now, model.new_state());
    std::vector<float> logits(now * vocab);
    std::vector<Job> jobs(now);
    std::vector<Sampler> samplers;
    for (size_t i = 0; i < now; ++i) {
      sampling.seed = static_cast<uint64_t>(first) + i + 1;
      SK_TRY(Sampler sampler, Sampler::create(sampling, traits));
      samplers.push_back(std::move(sampler));
    }
    for (int64_t place = 1; place < kOwnDocument; ++place) {
      for (size_t i = 0; i < now; ++i) {
        const auto& document = out[static_cast<size_t>(first) + i];
        jobs[i] = {&states[i], std::span(document).last(1), Want::last, logits.data() + i * vocab};
      }
      SK_TRY_STATUS(model.eval(jobs));
      for (size_t i = 0; i < now; ++i) {
        SK_TRY(const int32_t id, samplers[i].sample(std::span(logits).subspan(i * vocab, vocab),
                                                    static_cast<uint64_t>(place), work));
        out[static_cast<size_t>(first) + i].push_back(id);
      }
      done += static_cast<int64_t>(now);
      SK_TRY_STATUS(told(progress, done, count * (kOwnDocument - 1)));
    }
  }
  return out;
}

Result<Comparison> compare_models(const ComparedModel& a, const ComparedModel* b,
                                  const Documents& documents, const ComparisonOptions& options,
                                  const ComparisonProgress& progress) {
  if (options.prompt < 0) return fail(Code::argument, "a prompt of {} tokens", options.prompt);
  return Comparer(a, b, documents, options, progress).run(a, b);
}

}  // namespace skein
