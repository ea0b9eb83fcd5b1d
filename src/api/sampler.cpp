#include "api/border.h"
#include "api/first_version.h"
#include "api/handles.h"
#include "api/sampling.h"
#include "api/sized.h"
#include "base/limits.h"

using namespace skein;
using namespace skein::api;

namespace {

// The settings that both sides write alike, in either direction.
template <typename From, typename To>
void copy_numbers(const From& from, To& to) {
  to.temperature = from.temperature;
  to.top_p = from.top_p;
  to.min_p = from.min_p;
  to.typical_p = from.typical_p;
  to.top_k = from.top_k;
  to.mirostat = from.mirostat;
  to.mirostat_tau = from.mirostat_tau;
  to.mirostat_eta = from.mirostat_eta;
  to.presence = from.presence;
  to.frequency = from.frequency;
  to.penalty_decay = from.penalty_decay;
  to.repetition = from.repetition;
  to.seed = from.seed;
}

sk_sampling defaults() {
  const Sampling s;
  sk_sampling out = {};
  out.size = sizeof out;
  out.order = SK_ORDER_RWKV;
  copy_numbers(s, out);
  out.penalty_style = SK_PENALTY_SKEIN;
  return out;
}

Result<SampleOrder> parse_order(int32_t order) {
  switch (order) {
    case SK_ORDER_RWKV: return SampleOrder::rwkv;
    case SK_ORDER_OPENAI: return SampleOrder::openai;
    default: return fail(Code::argument, "order is {}, it has to be 0 or 1", order);
  }
}

Result<PenaltyStyle> parse_style(int32_t style) {
  switch (style) {
    case SK_PENALTY_SKEIN: return PenaltyStyle::skein;
    case SK_PENALTY_RWKV_PIP: return PenaltyStyle::rwkv_pip;
    case SK_PENALTY_AI00: return PenaltyStyle::ai00;
    case SK_PENALTY_OPENAI: return PenaltyStyle::openai;
    default: return fail(Code::argument, "penalty_style is {}, it has to be 0 to 3", style);
  }
}

Status check_reserved(uint32_t reserved, const char* name) {
  if (reserved != 0) return fail(Code::argument, "{}.reserved is {}, not 0", name, reserved);
  return {};
}

// For bare ids.
Result<std::shared_ptr<const TokenTraits>> traits_of(size_t vocab) {
  if (vocab < 1 || vocab > limits::kVocab)
    return fail(Code::argument, "a vocabulary of {} ids; it has to be 1 to {}", vocab,
                limits::kVocab);
  return std::make_shared<const TokenTraits>(token_traits(static_cast<int32_t>(vocab)));
}

Status make_sampler(const sk_sampling* sampling, std::shared_ptr<const TokenTraits> traits,
                    sk_sampler** out) {
  SK_TRY(const Sampling parsed, parse_sampling(sampling));
  SK_TRY(Sampler sampler, Sampler::create(parsed, *traits));
  *out = new sk_sampler{std::move(traits), std::move(sampler)};
  return {};
}

}  // namespace

Result<Sampling> skein::api::parse_sampling(const sk_sampling* given) {
  if (!given) return Sampling();
  sk_sampling s = defaults();
  SK_TRY_STATUS(read_sized(given, first_version::kSampling, "sk_sampling", s));
  SK_TRY_STATUS(check_reserved(s.reserved, "sk_sampling"));
  Sampling out;
  SK_TRY(out.order, parse_order(s.order));
  SK_TRY(out.penalty_style, parse_style(s.penalty_style));
  copy_numbers(s, out);
  if (s.logit_bias_count > 0) SK_TRY_STATUS(require(s.logit_bias, "logit_bias"));
  if (s.logit_bias_count > limits::kLogitBias)
    return fail(Code::argument, "logit_bias has {} entries, at most {} are allowed",
                s.logit_bias_count, limits::kLogitBias);
  for (const sk_logit_bias& entry : std::span(s.logit_bias, s.logit_bias_count)) {
    SK_TRY_STATUS(check_reserved(entry.reserved, "sk_logit_bias"));
    out.logit_bias.push_back({entry.id, entry.bias});
  }
  if (s.banned_count > 0) SK_TRY_STATUS(require(s.banned, "banned"));
  if (s.banned_count > limits::kVocab)
    return fail(Code::argument, "banned has {} entries, at most {} are allowed", s.banned_count,
                limits::kVocab);
  out.banned.assign(s.banned, s.banned + s.banned_count);
  return out;
}

int32_t sk_sampling_init(sk_sampling* sampling) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(sampling, "sampling"));
    return write_sized(defaults(), first_version::kSampling, "sk_sampling", sampling);
  });
}

int32_t sk_sample(const float* logits, size_t vocab, const sk_sampling* sampling, uint64_t position,
                  int32_t* id) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(logits, "logits"));
    SK_TRY_STATUS(require(id, "id"));
    SK_TRY(const auto traits, traits_of(vocab));
    SK_TRY(const Sampling parsed, parse_sampling(sampling));
    SK_TRY(Sampler sampler, Sampler::create(parsed, *traits));
    SK_TRY(*id, sampler.sample({logits, vocab}, position));
    return {};
  });
}

int32_t sk_sampler_new(const sk_model* model, const sk_sampling* sampling, sk_sampler** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY(Vocabulary vocabulary, model->vocabulary());
    return make_sampler(sampling, std::move(vocabulary.traits), out);
  });
}

int32_t sk_sampler_new_for_ids(size_t vocab, const sk_sampling* sampling, sk_sampler** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(out, "out"));
    SK_TRY(auto traits, traits_of(vocab));
    return make_sampler(sampling, std::move(traits), out);
  });
}

int32_t sk_sampler_clone(const sk_sampler* sampler, sk_sampler** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(sampler, "sampler"));
    SK_TRY_STATUS(require(out, "out"));
    *out = new sk_sampler(*sampler);
    return {};
  });
}

void sk_sampler_free(sk_sampler* sampler) { delete sampler; }

int32_t sk_sampler_sample(sk_sampler* sampler, const float* logits, size_t vocab, uint64_t position,
                          int32_t* id) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(sampler, "sampler"));
    SK_TRY_STATUS(require(logits, "logits"));
    SK_TRY_STATUS(require(id, "id"));
    SK_TRY(*id, sampler->sampler.sample({logits, vocab}, position));
    return {};
  });
}

int32_t sk_sampler_accept(sk_sampler* sampler, int32_t id) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(sampler, "sampler"));
    if (id < 0 || id >= sampler->traits->vocab)
      return fail(Code::argument, "token id {} is out of range: this vocabulary has ids 0 to {}",
                  id, sampler->traits->vocab - 1);
    sampler->sampler.accept(id);
    return {};
  });
}

int32_t sk_sampler_reset(sk_sampler* sampler) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(sampler, "sampler"));
    sampler->sampler.begin_turn();
    return {};
  });
}
