#include "run/model.h"

#include <algorithm>
#include <new>
#include <optional>
#include <utility>

#include "base/check.h"

namespace skein {

Model::Model(io::ModelFiles files, ModelInfo info)
    : files_(std::move(files)),
      info_(std::move(info)),
      intact_([this] { return files_.intact(); }),
      unread_([this](std::span<const std::byte> part) { files_.drop(part); }) {}

Model::~Model() = default;

const std::filesystem::path& Model::path() const { return files_.path(); }

Status Model::check(std::span<const Job> jobs) const {
  for (size_t i = 0; i < jobs.size(); ++i) {
    const Job& job = jobs[i];
    if (!job.state) return fail(Code::argument, "a job without a state");
    if (job.tokens.empty()) return fail(Code::argument, "no tokens to feed");
    if (job.state->lost()) return lost_state();
    if (job.want != Want::none && !job.logits)
      return fail(Code::argument, "logits are wanted, but there is no place for them");
    if (job.want == Want::all && job.first >= job.tokens.size())
      return fail(Code::argument, "logits are wanted from token {} of {} on", job.first,
                  job.tokens.size());
    for (size_t other = 0; other < i; ++other)  // no set: a step allocates nothing
      if (jobs[other].state == job.state)
        return fail(Code::argument, "two jobs of one call share a state");
    if (!layout_->fits(job.state->layout()))
      return fail(Code::mismatch, "the state belongs to another model");
    if (&job.state->layout() != layout_.get() && !executable_->takes(job.state->memory()))
      return fail(Code::mismatch,
                  "the state lies on another device; copy it into one of this model");
    for (const int32_t token : job.tokens)
      if (token < 0 || token >= vocab())
        return fail(Code::argument, "token id {} is out of range: this model has ids 0 to {}",
                    token, vocab() - 1);
  }
  return {};
}

// Puts states back unless told that all went well, whether the way out is an error or an exception.
class Model::Restorer {
 public:
  // `kept` is for the copies. Its owner keeps one of them, so that one sequence's prompts allocate
  // nothing; those of many would double what states take.
  Restorer(std::span<const Job> jobs, std::vector<State>& kept) : copies_{kept}, jobs_(jobs) {
    for (size_t i = 0; i < jobs.size(); ++i) {
      if (i < kept.size())
        kept[i] = *jobs[i].state;
      else
        kept.push_back(*jobs[i].state);
    }
  }
  ~Restorer() {
    for (size_t i = 0; i < jobs_.size(); ++i) restore(i);
  }
  void restore(size_t job) { std::swap(*jobs_[job].state, copies_.kept[job]); }
  void keep_new() { jobs_ = {}; }

 private:
  // Also where there was no memory for all of them, and nobody is there to put anything back.
  struct Copies {
    std::vector<State>& kept;
    ~Copies() {
      if (kept.size() > 1) kept.erase(kept.begin() + 1, kept.end());
    }
  } copies_;
  std::span<const Job> jobs_;
};

// The rows of whole aligned blocks, among `count` tokens of the job from `position` on that are the
// next rows of the pass.
void Model::mark_fast(const Job& job, size_t position, size_t count) {
  const auto read = static_cast<int64_t>(job.state->tokens_read());
  const int64_t end = read + static_cast<int64_t>(job.tokens.size());
  const int64_t from = read + static_cast<int64_t>(position);
  const int64_t begin = std::max((read + kFastBlock - 1) / kFastBlock * kFastBlock, from);
  const int64_t last = std::min(end / kFastBlock * kFastBlock, from + static_cast<int64_t>(count));
  const int64_t row = static_cast<int64_t>(tokens_.size() - count) - from;
  if (begin < last)
    fast_.push_back({static_cast<int32_t>(row + begin), static_cast<int32_t>(row + last)});
}

Status Model::shortened() const {
  return fail(Code::io, "{}: became shorter while it is in use; open it again when it is whole",
              files_.name());
}

// Whether a step that failed so may have changed states (ops::Executable::run).
bool Model::leaves_undefined(Code code) const {
  return code == Code::device || (code == Code::io && executable_->facts().reads_file);
}

size_t Model::row_size(const Watch& watch) const {
  return static_cast<size_t>(watch.hidden ? head_input_ : vocab());
}

// What the next pass reads: up to chunk_ tokens, job after job, a long job over several passes.
// Gives where the one after it begins.
Model::Place Model::fill_pass(std::span<const Job> jobs, const Watch& watch, Place at) {
  const size_t row = row_size(watch);
  tokens_.clear();
  outputs_.clear();
  sequences_.clear();
  fast_.clear();
  targets_.clear();
  owners_.clear();
  while (at.job < jobs.size() && tokens_.size() < chunk_) {
    const Job& job = jobs[at.job];
    const size_t count = std::min(job.tokens.size() - at.token, chunk_ - tokens_.size());
    const auto begin = static_cast<int32_t>(tokens_.size());
    for (size_t i = at.token; i < at.token + count; ++i) {
      const bool last = i + 1 == job.tokens.size();
      const bool one_of_all = job.want == Want::all && i >= job.first;
      if (one_of_all || (job.want == Want::last && last)) {
        outputs_.push_back(static_cast<int32_t>(tokens_.size()));
        owners_.push_back(at.job);
        targets_.push_back(job.logits + (one_of_all ? (i - job.first) * row : 0));
      }
      tokens_.push_back(job.tokens[i]);
    }
    sequences_.push_back({begin, begin + static_cast<int32_t>(count), &job.state->memory()});
    if (info_.numerics == Numerics::fast && job.want != Want::all) mark_fast(job, at.token, count);
    at.token += count;
    if (at.token < job.tokens.size()) break;
    at = {at.job + 1, 0};
  }
  return at;
}

Status Model::read_pass(const Watch& watch) {
  const size_t row = row_size(watch);
  // One stretch of outputs that lies together is written in place, as a single job's always is.
  bool together = true;
  for (size_t i = 1; i < targets_.size(); ++i)
    together = together && targets_[i] == targets_[i - 1] + row;
  if (!together) gathered_.resize(targets_.size() * row);
  not_finite_.assign(outputs_.size(), 0);
  float* const rows = targets_.empty() ? nullptr : together ? targets_[0] : gathered_.data();
  const ops::Step step = {.tokens = tokens_,
                          .sequences = sequences_,
                          .outputs = outputs_,
                          .logits = watch.hidden ? nullptr : rows,
                          .hidden = watch.hidden ? rows : nullptr,
                          .rough = watch.rough,
                          .not_finite = not_finite_,
                          .fast = fast_,
                          .trace = watch.trace,
                          .intact = &intact_,
                          .unread = &unread_,
                          .profile = watch.profile};
  SK_TRY_STATUS(executable_->run(step));
  if (!together)
    for (size_t i = 0; i < targets_.size(); ++i)
      std::copy_n(gathered_.data() + i * row, row, targets_[i]);
  return {};
}

Status Model::run(std::span<const Job> jobs, const Watch& watch, Turn::Held& turn) {
  constexpr size_t kWorthCopies = 32;  // tokens of a job beside whose time a state's copy is little
  // One pass fails before it changes anything, but for what its numbers or a file that is cut under
  // it do to states; of several passes a later one may fail.
  size_t tokens = 0;
  for (const Job& job : jobs) {
    tokens += job.tokens.size();
    SK_TRY_STATUS(job.state->memory().reserve(static_cast<int64_t>(job.tokens.size())));
  }
  if (!files_.intact()) return shortened();  // while states are as they were
  // What lasts from pass to pass is this call's while others have their turn.
  struct Borrowed {
    Model& model;
    std::vector<State> kept = std::exchange(model.kept_, {});
    std::vector<uint8_t> strange = std::exchange(model.strange_, {});
    ~Borrowed() {
      model.kept_ = std::move(kept);
      model.strange_ = std::move(strange);
    }
  } own{*this};
  std::optional<Restorer> restorer;
  if (tokens > std::min(chunk_, kWorthCopies * jobs.size())) restorer.emplace(jobs, own.kept);
  own.strange.assign(jobs.size(), 0);
  for (Place next{}; next.job < jobs.size();) {
    next = fill_pass(jobs, watch, next);
    if (Status done = read_pass(watch); !done) {
      if (!restorer && leaves_undefined(done.error().code))
        for (const Job& job : jobs) job.state->lose();
      return done;
    }
    for (size_t i = 0; i < owners_.size(); ++i) own.strange[owners_[i]] |= not_finite_[i];
    // Others who wait for the model have it between two passes.
    if (next.job == jobs.size()) break;
    SK_TRY(turn, turn_.take_again(std::move(turn), "the model"));
  }
  return finish(jobs, own.strange, restorer ? &*restorer : nullptr, watch.not_finite);
}

// Jobs whose numbers are not finite any more fail, each by itself: their states are what they were,
// or lost where nobody has a copy. Others are done. Where no logits were wanted the state itself
// tells: what it holds goes into all that comes after.
Status Model::finish(std::span<const Job> jobs, std::span<const uint8_t> strange,
                     Restorer* restorer, std::span<uint8_t> not_finite) {
  std::optional<size_t> first;
  for (size_t i = 0; i < jobs.size(); ++i) {
    State& state = *jobs[i].state;
    if (!strange[i] &&
        (jobs[i].want != Want::none || state.memory().all_finite().value_or(false))) {
      state.note(jobs[i].tokens);
      continue;
    }
    if (!first) first = i;
    if (!not_finite.empty()) not_finite[i] = 1;
    restorer ? restorer->restore(i) : state.lose();
  }
  if (restorer) restorer->keep_new();
  if (!first) return {};
  return jobs.size() > 1 ? not_finite_in(*first + 1, jobs.size()) : this->not_finite();
}

Status Model::not_finite_in(size_t job, size_t jobs) const {
  try {
    return fail(
        Code::corrupt,
        "{}: computing{} gives numbers that are not finite; weights are damaged or too large",
        files_.name(), jobs > 1 ? fmt::format(" job {} of {}", job, jobs) : "");
  } catch (const std::bad_alloc&) {  // by now the other jobs are done, which is not to be undone
    return tl::unexpected(Error{Code::corrupt, "not finite"});
  }
}

Status Model::eval(std::span<const Job> jobs, std::span<uint8_t> not_finite) {
  SK_TRY_STATUS(check(jobs));
  SK_TRY(Turn::Held turn, turn_.take("the model"));
  return run(jobs, {.not_finite = not_finite}, turn);
}

Status Model::eval(State& state, std::span<const int32_t> tokens, Want want, float* logits) {
  const Job job = {&state, tokens, want, logits};
  return eval({&job, 1});
}

Status Model::eval_hidden(State& state, std::span<const int32_t> tokens, Want want, float* hidden) {
  const Job job = {&state, tokens, want, hidden};
  return eval_hidden({&job, 1});
}

Status Model::eval_hidden(std::span<const Job> jobs, std::span<uint8_t> not_finite) {
  SK_TRY_STATUS(check(jobs));
  SK_TRY(Turn::Held turn, turn_.take("the model"));
  return run(jobs, {.not_finite = not_finite, .hidden = true}, turn);
}

Result<LogitBounds> Model::logit_bounds() {
  SK_CHECK(info_.two_plane != TwoPlane::off);
  {
    SK_TRY(const Turn::Held turn, turn_.take("the model"));
    SK_TRY_STATUS(executable_->second_plane()->make());
    has_second_plane_ = true;
  }
  return LogitBounds(
      vocab(), head_input_,
      [this](const float* input, std::span<const int32_t> groups, float* logits) -> Status {
        SK_TRY(const Turn::Held turn, turn_.take("the model"));
        return executable_->second_plane()->exact_logits(input, groups, logits, intact_);
      });
}

Status Model::eval(State& state, int32_t token, LogitBounds& logits) {
  const ops::RoughLogits rough = logits.begin();
  const Job job = {&state, {&token, 1}, Want::last, rough.about};
  SK_TRY_STATUS(check({&job, 1}));
  SK_TRY(Turn::Held turn, turn_.take("the model"));
  return run({&job, 1}, {.rough = &rough}, turn);
}

ops::DeviceLimits Model::measure_limits(int passes) {
  const auto turn = turn_.take("the model");
  if (!turn) return {};
  return executable_->measure_limits(passes);
}

Status Model::trace(State& state, std::span<const int32_t> tokens, Want want, float* logits,
                    const ops::Trace& sink) {
  const Job job = {&state, tokens, want, logits};
  SK_TRY_STATUS(check({&job, 1}));
  SK_TRY(Turn::Held turn, turn_.take("the model"));
  return run({&job, 1}, {.trace = &sink}, turn);
}

Status Model::profile(State& state, std::span<const int32_t> tokens, Want want, float* logits,
                      ops::Profile& profile) {
  const Job job = {&state, tokens, want, logits};
  SK_TRY_STATUS(check({&job, 1}));
  SK_TRY(Turn::Held turn, turn_.take("the model"));
  return run({&job, 1}, {.profile = &profile}, turn);
}

}  // namespace skein
