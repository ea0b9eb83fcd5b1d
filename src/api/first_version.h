// The first version of the structs of skein.h that may grow: what programs that were compiled with
// it pass is understood for ever, so nothing here ever changes. Fields are appended behind it.
#pragma once

#include <cstddef>

#include "skein/skein.h"

namespace skein::api::first_version {

// The end of the struct's last field then.
#define SK_ENDS_WITH(type, field) \
  (offsetof(type, field) + sizeof(static_cast<type*>(nullptr)->field))

inline constexpr size_t kModelParams = SK_ENDS_WITH(sk_model_params, progress_user);
inline constexpr size_t kModelInfo = SK_ENDS_WITH(struct sk_model_info, fingerprint);
inline constexpr size_t kDeviceInfo = SK_ENDS_WITH(struct sk_device_info, about);
inline constexpr size_t kStateInfo = SK_ENDS_WITH(struct sk_state_info, fingerprint);
inline constexpr size_t kEngineParams = SK_ENDS_WITH(sk_engine_params, patience);
inline constexpr size_t kGenerateParams = SK_ENDS_WITH(sk_generate_params, top_logprobs);
inline constexpr size_t kConstraintParams = SK_ENDS_WITH(sk_constraint_params, flags);
inline constexpr size_t kEvent = SK_ENDS_WITH(struct sk_event, top_count);
inline constexpr size_t kGenerationInfo = SK_ENDS_WITH(struct sk_generation_info, fingerprint);
inline constexpr size_t kSampling = SK_ENDS_WITH(sk_sampling, banned_count);

#undef SK_ENDS_WITH

// Where the fields stand, for pointers of eight bytes.
#define SK_STANDS(type, field, at) \
  static_assert(sizeof(void*) != 8 || offsetof(type, field) == (at), #type "." #field)
#define SK_SIZE(constant, bytes) \
  static_assert(sizeof(void*) != 8 || (constant) == (bytes), #constant)

SK_STANDS(sk_model_params, size, 0);
SK_STANDS(sk_model_params, threads, 4);
SK_STANDS(sk_model_params, chunk, 8);
SK_STANDS(sk_model_params, reserved, 12);
SK_STANDS(sk_model_params, vocab, 16);
SK_STANDS(sk_model_params, device, 24);
SK_STANDS(sk_model_params, isa, 32);
SK_STANDS(sk_model_params, progress, 40);
SK_STANDS(sk_model_params, progress_user, 48);
SK_SIZE(kModelParams, 56);

SK_STANDS(struct sk_model_info, size, 0);
SK_STANDS(struct sk_model_info, vocab, 4);
SK_STANDS(struct sk_model_info, title, 8);
SK_STANDS(struct sk_model_info, design, 16);
SK_STANDS(struct sk_model_info, format, 24);
SK_STANDS(struct sk_model_info, device, 32);
SK_STANDS(struct sk_model_info, layers, 40);
SK_STANDS(struct sk_model_info, width, 48);
SK_STANDS(struct sk_model_info, heads, 56);
SK_STANDS(struct sk_model_info, head_size, 64);
SK_STANDS(struct sk_model_info, inner, 72);
SK_STANDS(struct sk_model_info, trained_context, 80);
SK_STANDS(struct sk_model_info, parameters, 88);
SK_STANDS(struct sk_model_info, state_bytes, 96);
SK_STANDS(struct sk_model_info, weight_bytes, 104);
SK_STANDS(struct sk_model_info, bytes_per_token, 112);
SK_STANDS(struct sk_model_info, flops_per_token, 120);
SK_STANDS(struct sk_model_info, fingerprint, 128);
SK_SIZE(kModelInfo, 160);

SK_STANDS(struct sk_device_info, name, 8);
SK_STANDS(struct sk_device_info, about, 16);
SK_SIZE(kDeviceInfo, 24);

SK_STANDS(struct sk_state_info, size, 0);
SK_STANDS(struct sk_state_info, reserved, 4);
SK_STANDS(struct sk_state_info, numbers, 8);
SK_STANDS(struct sk_state_info, tokens_read, 16);
SK_STANDS(struct sk_state_info, tokens_hash, 24);
SK_STANDS(struct sk_state_info, fingerprint, 32);
SK_SIZE(kStateInfo, 64);

SK_STANDS(sk_sampling, size, 0);
SK_STANDS(sk_sampling, order, 4);
SK_STANDS(sk_sampling, temperature, 8);
SK_STANDS(sk_sampling, top_p, 16);
SK_STANDS(sk_sampling, min_p, 24);
SK_STANDS(sk_sampling, typical_p, 32);
SK_STANDS(sk_sampling, top_k, 40);
SK_STANDS(sk_sampling, mirostat, 44);
SK_STANDS(sk_sampling, mirostat_tau, 48);
SK_STANDS(sk_sampling, mirostat_eta, 56);
SK_STANDS(sk_sampling, presence, 64);
SK_STANDS(sk_sampling, frequency, 72);
SK_STANDS(sk_sampling, penalty_decay, 80);
SK_STANDS(sk_sampling, repetition, 88);
SK_STANDS(sk_sampling, penalty_style, 96);
SK_STANDS(sk_sampling, reserved, 100);
SK_STANDS(sk_sampling, seed, 104);
SK_STANDS(sk_sampling, logit_bias, 112);
SK_STANDS(sk_sampling, logit_bias_count, 120);
SK_STANDS(sk_sampling, banned, 128);
SK_STANDS(sk_sampling, banned_count, 136);
SK_SIZE(kSampling, 144);

SK_STANDS(sk_engine_params, patience, 8);
SK_SIZE(kEngineParams, 16);

SK_STANDS(sk_generate_params, size, 0);
SK_STANDS(sk_generate_params, flags, 4);
SK_STANDS(sk_generate_params, prompt, 8);
SK_STANDS(sk_generate_params, prompt_count, 16);
SK_STANDS(sk_generate_params, messages, 24);
SK_STANDS(sk_generate_params, message_count, 32);
SK_STANDS(sk_generate_params, think, 40);
SK_STANDS(sk_generate_params, sampling, 48);
SK_STANDS(sk_generate_params, stop, 56);
SK_STANDS(sk_generate_params, stop_count, 64);
SK_STANDS(sk_generate_params, max_tokens, 72);
SK_STANDS(sk_generate_params, think_budget, 80);
SK_STANDS(sk_generate_params, draft, 88);
SK_STANDS(sk_generate_params, top_logprobs, 92);
SK_SIZE(kGenerateParams, 96);

SK_STANDS(sk_constraint_params, size, 0);
SK_STANDS(sk_constraint_params, language, 4);
SK_STANDS(sk_constraint_params, text, 8);
SK_STANDS(sk_constraint_params, text_size, 16);
SK_STANDS(sk_constraint_params, choices, 24);
SK_STANDS(sk_constraint_params, choice_count, 32);
SK_STANDS(sk_constraint_params, whitespace, 40);
SK_STANDS(sk_constraint_params, flags, 44);
SK_SIZE(kConstraintParams, 48);

SK_STANDS(struct sk_event, size, 0);
SK_STANDS(struct sk_event, id, 4);
SK_STANDS(struct sk_event, finish, 8);
SK_STANDS(struct sk_event, forced, 12);
SK_STANDS(struct sk_event, text, 16);
SK_STANDS(struct sk_event, text_size, 24);
SK_STANDS(struct sk_event, thinking, 32);
SK_STANDS(struct sk_event, thinking_size, 40);
SK_STANDS(struct sk_event, logprob, 48);
SK_STANDS(struct sk_event, top, 56);
SK_STANDS(struct sk_event, top_count, 64);
SK_SIZE(kEvent, 72);

SK_STANDS(struct sk_generation_info, size, 0);
SK_STANDS(struct sk_generation_info, finish, 4);
SK_STANDS(struct sk_generation_info, prompt_tokens, 8);
SK_STANDS(struct sk_generation_info, prompt_read, 16);
SK_STANDS(struct sk_generation_info, tokens, 24);
SK_STANDS(struct sk_generation_info, thought_tokens, 32);
SK_STANDS(struct sk_generation_info, drafted, 40);
SK_STANDS(struct sk_generation_info, accepted, 48);
SK_STANDS(struct sk_generation_info, fingerprint, 56);
SK_SIZE(kGenerationInfo, 64);

// Those that stand in arrays are what they are.
SK_STANDS(sk_message, role, 0);
SK_STANDS(sk_message, text, 8);
SK_SIZE(sizeof(sk_message), 16);

SK_STANDS(sk_token_logprob, id, 0);
SK_STANDS(sk_token_logprob, reserved, 4);
SK_STANDS(sk_token_logprob, logprob, 8);
SK_SIZE(sizeof(sk_token_logprob), 16);

SK_STANDS(sk_job, state, 0);
SK_STANDS(sk_job, tokens, 8);
SK_STANDS(sk_job, count, 16);
SK_STANDS(sk_job, logits, 24);
SK_STANDS(sk_job, capacity, 32);
SK_STANDS(sk_job, want, 40);
SK_STANDS(sk_job, flags, 44);
SK_SIZE(sizeof(sk_job), 48);

SK_STANDS(sk_logit_bias, id, 0);
SK_STANDS(sk_logit_bias, reserved, 4);
SK_STANDS(sk_logit_bias, bias, 8);
SK_SIZE(sizeof(sk_logit_bias), 16);

SK_STANDS(sk_adapter, path, 0);
SK_STANDS(sk_adapter, initial, 8);
SK_STANDS(sk_adapter, only, 16);
SK_STANDS(sk_adapter, alpha, 24);
SK_STANDS(sk_adapter, blend, 32);
SK_STANDS(sk_adapter, reserved, 40);
SK_SIZE(sizeof(sk_adapter), 48);

#undef SK_STANDS
#undef SK_SIZE

}  // namespace skein::api::first_version
