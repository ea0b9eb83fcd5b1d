#include <span>

#include "base/limits.h"
#include "compat/context.h"
#include "compat/errors.h"

using namespace skein;
using namespace skein::compat;

namespace {

// What a caller gives and wants to have, the same for every function here.
struct Buffers {
  const float* state_in;
  float* state_out;
  float* logits_out;
};

Outcome<void> eval(rwkv_context& context, std::span<const uint32_t> tokens,
                   const Buffers& buffers) {
  // An id beyond INT32_MAX turns negative and is refused like any that is out of range.
  const std::span ids(reinterpret_cast<const int32_t*>(tokens.data()), tokens.size());
  SK_TRY(const Turn::Held turn, context.busy.take("the context"));
  State& state = context.state;
  // What a call before made of it is the caller's to keep, and a lost one is nothing to go on from.
  if (!buffers.state_in || state.lost()) state = context.model->new_state();
  if (buffers.state_in) SK_TRY_STATUS(context.order.read(buffers.state_in, state));
  SK_TRY_STATUS(context.model->eval(state, ids, buffers.logits_out ? Want::last : Want::none,
                                    buffers.logits_out));
  if (buffers.state_out) SK_TRY_STATUS(context.order.write(state, buffers.state_out));
  return {};
}

Outcome<void> eval_sequence(rwkv_context* context, const uint32_t* tokens, size_t count,
                            const Buffers& buffers) {
  SK_TRY_STATUS(require(context, "ctx"));
  if (count == 0 || count > limits::kPromptTokens)
    return failure(RWKV_ERROR_ARGS, fmt::format("a sequence of {} tokens; it has to be 1 to {}",
                                                count, limits::kPromptTokens));
  if (!tokens) return {};
  return eval(*context, {tokens, count}, buffers);
}

}  // namespace

void rwkv_init_state(const rwkv_context* ctx, float* state) {
  guarded(ctx, [&]() -> Outcome<void> {
    SK_TRY_STATUS(require(ctx, "ctx"));
    SK_TRY_STATUS(require(state, "state"));
    SK_TRY_STATUS(ctx->order.write(ctx->model->new_state(), state));
    return {};
  });
}

bool rwkv_eval(rwkv_context* ctx, uint32_t token, const float* state_in, float* state_out,
               float* logits_out) {
  return guarded(ctx, [&] {
    return eval_sequence(ctx, &token, 1, {state_in, state_out, logits_out});
  });
}

bool rwkv_eval_sequence(rwkv_context* ctx, const uint32_t* tokens, size_t sequence_len,
                        const float* state_in, float* state_out, float* logits_out) {
  return guarded(ctx, [&] {
    return eval_sequence(ctx, tokens, sequence_len, {state_in, state_out, logits_out});
  });
}

bool rwkv_eval_sequence_in_chunks(rwkv_context* ctx, const uint32_t* tokens, size_t sequence_len,
                                  size_t chunk_size, const float* state_in, float* state_out,
                                  float* logits_out) {
  return guarded(ctx, [&]() -> Outcome<void> {
    if (chunk_size == 0) return failure(RWKV_ERROR_ARGS, "a chunk of 0 tokens");
    return eval_sequence(ctx, tokens, sequence_len, {state_in, state_out, logits_out});
  });
}
