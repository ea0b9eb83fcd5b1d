/* A program that knows nothing but the first version of skein.h, beside a library of any later one:
 * every struct and every function of it. */
#include <skein/skein.h>
#include <stdio.h>
#include <string.h>

#define EXPECT(condition)                                                               \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      printf("line %d: %s does not hold; %s\n", __LINE__, #condition, sk_last_error()); \
      return 1;                                                                         \
    }                                                                                   \
  } while (0)

/* What the library may not touch behind the structs of this version. */
static const unsigned char kGuard[16] = {0xd1, 7, 0xd1, 7, 0xd1, 7, 0xd1, 7,
                                         0xd1, 7, 0xd1, 7, 0xd1, 7, 0xd1, 7};
#define GUARDED(type, name)                  \
  struct {                                   \
    type value;                              \
    unsigned char guard[16];                 \
  } name;                                    \
  memset(&name, 0, sizeof name);             \
  memcpy(name.guard, kGuard, sizeof kGuard); \
  name.value.size = sizeof name.value
#define UNTOUCHED(name) (memcmp(name.guard, kGuard, sizeof kGuard) == 0)

static int told = 0;
static int32_t tell(int64_t done, int64_t total, void* user) {
  told += *(int*)user;
  return done <= total ? 0 : 1;
}
static void hear(int32_t level, const char* text, void* user) {
  if (level == SK_LOG_INFO && strlen(text) > 0) ++*(int*)user;
}

int main(int argc, char** argv) {
  int one = 1, heard = 0;
  sk_model* model = NULL;
  sk_state *state = NULL, *other = NULL;
  sk_sampler *sampler = NULL, *twin = NULL;
  static float logits[2 * 257];
  static unsigned char saved[1 << 20];
  const int32_t ids[] = {0, 85, 115, 101};
  const sk_logit_bias bias = {65, 0, -1.0};
  const int32_t banned[] = {66};
  sk_job jobs[2];
  size_t size = 0, i;
  uint64_t count = 0;
  int32_t id = -1, again = -1, same = 0;
  const int32_t formats[] = {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_TIME_STATE, SK_STATE_F32};
  GUARDED(sk_model_params, params);
  GUARDED(struct sk_model_info, info);
  GUARDED(struct sk_state_info, state_info);
  GUARDED(sk_sampling, sampling);

  EXPECT(argc == 2);
  EXPECT(strlen(sk_version()) > 0);
  sk_log_set(hear, &heard);
  params.value.threads = 1;
  params.value.chunk = 16;
  params.value.device = "cpu";
  params.value.isa = "scalar";
  params.value.progress = tell;
  params.value.progress_user = &one;
  EXPECT(sk_model_open(argv[1], &params.value, &model) == SK_OK);
  sk_log_set(NULL, NULL);
  EXPECT(heard > 0 && told > 0);
  EXPECT(sk_model_info(model, &info.value) == SK_OK && UNTOUCHED(info));
  EXPECT(info.value.vocab == 257 && info.value.flops_per_token > 0);
  EXPECT(info.value.size == sizeof info.value);

  EXPECT(sk_state_new(model, &state) == SK_OK);
  EXPECT(sk_eval(model, state, ids, 4, SK_WANT_LAST, logits, 257) == SK_OK);
  EXPECT(sk_state_info(state, &state_info.value) == SK_OK && UNTOUCHED(state_info));
  EXPECT(state_info.value.tokens_read == 4);
  EXPECT(sk_state_tokens_read(state, &count) == SK_OK && count == 4);
  EXPECT(memcmp(state_info.value.fingerprint, info.value.fingerprint, 32) == 0);
  EXPECT(sk_state_clone(state, &other) == SK_OK);
  EXPECT(sk_state_equal(state, other, &same) == SK_OK && same == 1);
  for (i = 0; i < 4; ++i) {
    sk_state* back = NULL;
    EXPECT(sk_state_export(state, formats[i], NULL, 0, &size) == SK_OK && size <= sizeof saved);
    EXPECT(sk_state_export(state, formats[i], saved, sizeof saved, &size) == SK_OK);
    EXPECT(sk_state_import(model, formats[i], saved, size, &back) == SK_OK);
    sk_state_free(back);
  }
  EXPECT(sk_state_reset(other) == SK_OK && sk_state_copy(other, state) == SK_OK);

  memset(jobs, 0, sizeof jobs);
  jobs[0].state = state;
  jobs[0].tokens = ids + 1;
  jobs[0].count = 2;
  jobs[0].want = SK_WANT_ALL;
  jobs[0].logits = logits;
  jobs[0].capacity = 2 * 257;
  jobs[1].state = other;
  jobs[1].tokens = ids + 1;
  jobs[1].count = 2;
  EXPECT(sk_eval_batch(model, jobs, 2) == SK_OK);
  EXPECT(sk_state_equal(state, other, &same) == SK_OK && same == 1);

  EXPECT(sk_sampling_init(&sampling.value) == SK_OK && UNTOUCHED(sampling));
  EXPECT(sampling.value.size == sizeof sampling.value && sampling.value.top_p > 0);
  sampling.value.logit_bias = &bias;
  sampling.value.logit_bias_count = 1;
  sampling.value.banned = banned;
  sampling.value.banned_count = 1;
  EXPECT(sk_sample(logits, 257, &sampling.value, 0, &id) == SK_OK && id >= 0);
  EXPECT(sk_sampler_new(model, &sampling.value, &sampler) == SK_OK);
  EXPECT(sk_sampler_sample(sampler, logits, 257, 0, &id) == SK_OK);
  EXPECT(sk_sampler_accept(sampler, id) == SK_OK);
  EXPECT(sk_sampler_clone(sampler, &twin) == SK_OK);
  EXPECT(sk_sampler_sample(sampler, logits, 257, 1, &id) == SK_OK);
  EXPECT(sk_sampler_sample(twin, logits, 257, 1, &again) == SK_OK && again == id);
  EXPECT(sk_sampler_reset(twin) == SK_OK);
  sk_sampler_free(twin);
  sk_sampler_free(sampler);
  EXPECT(sk_sampler_new_for_ids(257, &sampling.value, &sampler) == SK_OK);
  sk_sampler_free(sampler);

  {
    int32_t text_ids[8];
    char text[8];
    size_t found = 0;
    EXPECT(sk_tokenize(model, "garden", 6, text_ids, 8, &found) == SK_OK && found == 6);
    EXPECT(sk_detokenize(model, text_ids, found, text, sizeof text, &size) == SK_OK);
    EXPECT(size == 6 && memcmp(text, "garden", 6) == 0);
  }
  sk_state_free(other);
  sk_state_free(state);
  sk_model_close(model);
  EXPECT(sk_model_open(argv[1], NULL, &model) == SK_OK);
  sk_model_close(model);
  return 0;
}
