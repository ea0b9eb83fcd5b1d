#include <algorithm>

#include "api/border.h"
#include "api/handles.h"
#include "base/limits.h"
#include "run/score.h"

using namespace skein;
using namespace skein::api;

namespace {

Result<Want> parse_want(int32_t want) {
  switch (want) {
    case SK_WANT_NONE: return Want::none;
    case SK_WANT_LAST: return Want::last;
    case SK_WANT_ALL: return Want::all;
    default: return fail(Code::argument, "want is {}, it has to be 0, 1 or 2", want);
  }
}

// `width`: floats of a row.
Result<Job> checked_job(const sk_job& job, size_t width, const char* what) {
  SK_TRY_STATUS(require(job.state, "state"));
  SK_TRY_STATUS(require(job.tokens, "tokens"));
  if ((job.flags & ~SK_JOB_TAIL) != 0)
    return fail(Code::argument,
                "sk_job.flags is {}, which has flags that this version of the "
                "library does not know",
                job.flags);
  // Also keeps count * vocab far from overflowing.
  if (job.count > limits::kPromptTokens)
    return fail(Code::argument, "{} tokens in one call, at most {} are allowed", job.count,
                limits::kPromptTokens);
  SK_TRY(const Want want, parse_want(job.want));
  size_t first = 0;
  if (want != Want::none) {
    SK_TRY_STATUS(require(job.logits, what));
    size_t rows = want == Want::all ? job.count : 1;
    if (want == Want::all && (job.flags & SK_JOB_TAIL) != 0) {
      rows = std::clamp<size_t>(job.capacity / width, 1, std::max<size_t>(job.count, 1));
      first = job.count - std::min(rows, job.count);
    }
    const size_t needed = rows * width;
    if (job.capacity < needed)
      return fail(Code::argument, "a capacity of {} floats for {}; {} are needed", job.capacity,
                  what, needed);
  }
  return Job{&job.state->state, {job.tokens, job.count}, want, job.logits, first};
}

Status eval(const sk_model& model, std::span<const sk_job> given) {
  std::vector<Job> jobs;
  jobs.reserve(given.size());
  for (const sk_job& job : given) {
    SK_TRY(Job checked, checked_job(job, static_cast<size_t>(model.model->vocab()), "logits"));
    jobs.push_back(checked);
  }
  return model.model->eval(jobs);
}

}  // namespace

int32_t sk_eval(sk_model* model, sk_state* state, const int32_t* tokens, size_t count, int32_t want,
                float* logits, size_t capacity) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    const sk_job job = {state, tokens, count, logits, capacity, want, 0};
    return eval(*model, {&job, 1});
  });
}

int32_t sk_eval_batch(sk_model* model, const sk_job* jobs, size_t count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(jobs, "jobs"));
    if (count == 0) return fail(Code::argument, "a batch without jobs");
    return eval(*model, {jobs, count});
  });
}

int32_t sk_eval_hidden(sk_model* model, sk_state* state, const int32_t* tokens, size_t count,
                       int32_t want, float* hidden, size_t capacity) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    const auto width = static_cast<size_t>(model->model->info().dimensions.width);
    const sk_job given = {state, tokens, count, hidden, capacity, want, 0};
    SK_TRY(const Job job, checked_job(given, width, "hidden"));
    return model->model->eval_hidden(*job.state, job.tokens, job.want, hidden);
  });
}

int32_t sk_score(sk_model* model, sk_state* state, const int32_t* tokens, size_t count,
                 double* logprobs, uint8_t* best) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(require(tokens, "tokens"));
    if (count > 1) SK_TRY_STATUS(require(logprobs, "logprobs"));
    if (count > limits::kPromptTokens)
      return fail(Code::argument, "{} tokens in one call, at most {} are allowed", count,
                  limits::kPromptTokens);
    // On a copy, so that whatever fails leaves the state as it was.
    const Model& its = *model->model;
    if (!its.state_layout()->fits(state->state.layout()))
      return fail(Code::mismatch, "the state belongs to another model");
    if (state->state.lost()) return lost_state();
    SK_TRY(State copy, state->state.copy_into(its.state_layout()));
    Engine engine(model->model);
    Session session(model->model, std::move(copy));
    const size_t known = count > 0 ? count - 1 : 0;
    SK_TRY_STATUS(
        score(engine, session, {tokens, count}, {logprobs, known}, {best, best ? known : 0}));
    session.exchange(state->state);
    return {};
  });
}
