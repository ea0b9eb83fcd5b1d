/* calls_skein MODEL VOCAB THREADS: all that a program does with libskein. A call that says
 * SK_MEMORY is made once more and has to work then; what comes out is printed, and is the same
 * whatever failed on the way. Keeps nothing on the heap itself. */
#include <skein/skein.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kMost = 1 << 20 };

static float logits[kMost];
static unsigned char bytes[4 * kMost];
static int retried;

static void say(const char* what, uint64_t number) {
  char line[128];
  const int length = snprintf(line, sizeof line, "%s %016llx\n", what, (unsigned long long)number);
  if (write(STDOUT_FILENO, line, (size_t)length) != length) _exit(9);
}

static uint64_t hash_of(const void* data, size_t size) {
  uint64_t hash = 14695981039346656037u;
  for (size_t i = 0; i < size; ++i)
    hash = (hash ^ ((const unsigned char*)data)[i]) * 1099511628211u;
  return hash;
}

static void wrong(const char* call, int32_t code) {
  char line[512];
  const int length =
      snprintf(line, sizeof line, "%s: code %d: %s\n", call, (int)code, sk_last_error());
  if (write(STDERR_FILENO, line, (size_t)length) != length) _exit(9);
  _exit(1);
}

static int again(const char* call, int32_t code) {
  if (code == SK_OK) return 0;
  if (code != SK_MEMORY || retried) wrong(call, code);
  retried = 1;
  return 1;
}
/* Only one allocation fails, so there is one more try in all. */
#define DO(call) \
  while (again(#call, (call))) continue

static void note(int32_t level, const char* text, void* user) {
  (void)level, (void)text, (void)user;
}

/* Two that talk at once. One that runs out of memory has ended where it says, and is begun anew. */
static void talk(const sk_model* model, const int32_t* prompt, size_t count) {
  sk_engine* engine = NULL;
  DO(sk_engine_new(model, NULL, &engine));
  const int32_t banned[1] = {0};
  sk_sampling sampling;
  memset(&sampling, 0, sizeof sampling);
  sampling.size = sizeof sampling;
  DO(sk_sampling_init(&sampling));
  sampling.banned = banned;
  sampling.banned_count = 1;
  const sk_message message = {"user", "Reverse: garden"};
  const char* const stop[1] = {"never there"};
  sk_generation* talks[2] = {NULL, NULL};
  uint64_t heard[2] = {0, 0}, told[2] = {0, 0};
  int ended[2] = {0, 0};
  struct sk_generate_params params[2];
  memset(params, 0, sizeof params);
  for (int i = 0; i < 2; ++i) {
    params[i].size = sizeof params[i];
    params[i].sampling = &sampling;
    params[i].max_tokens = 12;
    params[i].draft = i == 0 ? 8 : 0;
    params[i].top_logprobs = i;
    params[i].stop = stop;
    params[i].stop_count = 1;
  }
  params[0].prompt = prompt;
  params[0].prompt_count = count;
  params[1].messages = &message;
  params[1].message_count = 1;
  for (int i = 0; i < 2; ++i) DO(sk_generation_start(engine, NULL, &params[i], &talks[i]));
  while (!ended[0] || !ended[1]) {
    DO(sk_engine_step(engine, NULL));
    for (int i = 0; i < 2; ++i) {
      struct sk_event event;
      memset(&event, 0, sizeof event);
      event.size = sizeof event;
      int32_t got = 0;
      if (ended[i]) continue;
      if (!again("sk_generation_poll", sk_generation_poll(talks[i], &event, &got))) {
        if (!got) continue;
        if (event.id >= 0) heard[i] = heard[i] * 31 + (uint64_t)event.id, ++told[i];
        heard[i] ^= hash_of(event.text, event.text_size);
        ended[i] = event.finish != SK_FINISH_NONE;
        continue;
      }
      if (!got) continue; /* nothing was fetched */
      sk_state* state = NULL;
      struct sk_generation_info info;
      memset(&info, 0, sizeof info);
      info.size = sizeof info;
      DO(sk_generation_info(talks[i], &info));
      DO(sk_generation_state(talks[i], &state));
      uint64_t read = 0;
      DO(sk_state_tokens_read(state, &read));
      if (info.finish != SK_FINISH_ERROR || read != info.prompt_read + told[i]) _exit(3);
      sk_state_free(state);
      sk_generation_free(talks[i]);
      heard[i] = told[i] = 0;
      DO(sk_generation_start(engine, NULL, &params[i], &talks[i]));
    }
  }
  for (int i = 0; i < 2; ++i) {
    sk_state* state = NULL;
    size_t size = 0;
    say("heard", heard[i]);
    DO(sk_generation_state(talks[i], &state));
    static int32_t read[256];
    size_t tokens = 0;
    DO(sk_generation_tokens(talks[i], read, 256, &tokens));
    DO(sk_state_save(state, read, tokens, NULL, 0, bytes, sizeof bytes, &size));
    say("state", hash_of(bytes, size));
    sk_state_free(state);
    sk_generation_free(talks[i]);
  }
  sk_engine_free(engine);
}

/* A constraint, the matcher of one text, and a generation under it. */
static void constrain(const sk_model* model, const int32_t* prompt, size_t count) {
  static const char schema[] =
      "{\"type\":\"object\",\"properties\":{\"n\":{\"type\":\"integer\",\"maximum\":99},"
      "\"a\":{\"enum\":[\"x\",\"yy\"]}},\"required\":[\"n\",\"a\"]}";
  sk_constraint_params params;
  memset(&params, 0, sizeof params);
  params.size = sizeof params;
  params.text = schema;
  params.text_size = sizeof schema - 1;
  sk_vocab* vocab = NULL;
  sk_constraint* constraint = NULL;
  sk_matcher *matcher = NULL, *fork = NULL;
  DO(sk_vocab_of(model, &vocab));
  DO(sk_constraint_new(vocab, &params, &constraint));
  DO(sk_matcher_new(constraint, &matcher));
  int32_t read = 0;
  size_t size = 0;
  DO(sk_matcher_read(matcher, "{\"n\":7,", 7, &read));
  DO(sk_matcher_clone(matcher, &fork));
  static uint64_t mask[2048];
  DO(sk_matcher_mask(fork, mask, 2048, &size));
  say("mask", hash_of(mask, size * sizeof mask[0]));
  sk_engine* engine = NULL;
  sk_generation* generation = NULL;
  struct sk_generate_params asked;
  memset(&asked, 0, sizeof asked);
  asked.size = sizeof asked;
  asked.prompt = prompt;
  asked.prompt_count = count;
  asked.constraint = constraint;
  asked.max_tokens = 30;
  DO(sk_engine_new(model, NULL, &engine));
  uint64_t heard = 0;
  struct sk_event event;
  memset(&event, 0, sizeof event);
  event.size = sizeof event;
  DO(sk_generation_start(engine, NULL, &asked, &generation));
  while (event.finish == SK_FINISH_NONE) {
    if (again("sk_generation_next", sk_generation_next(generation, &event))) {
      if (event.finish == SK_FINISH_NONE) continue;
      /* It has ended there, and is begun anew. */
      sk_generation_free(generation);
      heard = 0;
      event.finish = SK_FINISH_NONE;
      DO(sk_generation_start(engine, NULL, &asked, &generation));
      continue;
    }
    heard = heard * 31 + hash_of(event.text, event.text_size);
  }
  say("constrained", heard);
  sk_generation_free(generation);
  sk_engine_free(engine);
  sk_matcher_free(fork);
  sk_matcher_free(matcher);
  sk_constraint_free(constraint);
  sk_vocab_free(vocab);
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  struct sk_model_params params;
  memset(&params, 0, sizeof params);
  params.size = sizeof params;
  params.vocab = argv[2][0] ? argv[2] : NULL;
  params.threads = atoi(argv[3]);
  params.chunk = 4;
  sk_log_set(note, NULL);
  sk_model* model = NULL;
  DO(sk_model_open(argv[1], &params, &model));
  struct sk_model_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  DO(sk_model_info(model, &info));
  say("fingerprint", hash_of(info.fingerprint, 32));
  const size_t vocab = (size_t)info.vocab;

  static const char text[] = "The sun was red, and Mia laughed. Again and again!";
  static int32_t ids[256];
  size_t count = 0;
  DO(sk_tokenize(model, text, sizeof text - 1, ids, 256, &count));
  say("ids", hash_of(ids, count * sizeof ids[0]));
  size_t size = 0;
  DO(sk_detokenize(model, ids, count, (char*)bytes, sizeof bytes, &size));
  say("text", hash_of(bytes, size));

  sk_state *state = NULL, *copy = NULL, *other = NULL;
  DO(sk_state_new(model, &state));
  if (count > 11) count = 11;
  DO(sk_eval(model, state, ids, count, SK_WANT_ALL, logits, kMost));
  say("all logits", hash_of(logits, count * vocab * sizeof(float)));
  DO(sk_state_clone(state, &copy));
  DO(sk_state_new(model, &other));
  const struct sk_job jobs[2] = {{state, ids, 3, logits, vocab, SK_WANT_LAST, 0},
                                 {other, ids, 6, logits + vocab, vocab, SK_WANT_LAST, 0}};
  DO(sk_eval_batch(model, jobs, 2));
  say("batch", hash_of(logits, 2 * vocab * sizeof(float)));
  for (int32_t format = SK_STATE_NATIVE; format <= SK_STATE_F32; ++format) {
    sk_state* back = NULL;
    DO(sk_state_export(copy, format, bytes, sizeof bytes, &size));
    say("exported", hash_of(bytes, size));
    DO(sk_state_import(model, format, bytes, size, &back));
    DO(sk_eval(model, back, ids, 1, SK_WANT_LAST, logits, kMost));
    say("imported", hash_of(logits, vocab * sizeof(float)));
    sk_state_free(back);
  }
  DO(sk_state_copy(other, copy));
  static double logprobs[256];
  DO(sk_score(model, copy, ids, count, logprobs, NULL));
  say("scored", hash_of(logprobs, (count - 1) * sizeof logprobs[0]));
  DO(sk_state_reset(copy));
  DO(sk_eval_hidden(model, copy, ids, count, SK_WANT_LAST, logits, kMost));
  say("hidden", hash_of(logits, 32 * sizeof(float)));
  DO(sk_state_reset(copy));
  talk(model, ids, count);
  constrain(model, ids, count);

  struct sk_sampling sampling;
  memset(&sampling, 0, sizeof sampling);
  sampling.size = sizeof sampling;
  DO(sk_sampling_init(&sampling));
  const sk_logit_bias bias[2] = {{65, 0, 2.5}, {66, 0, -1}};
  const int32_t banned[1] = {0};
  sampling.logit_bias = bias;
  sampling.logit_bias_count = 2;
  sampling.banned = banned;
  sampling.banned_count = 1;
  sampling.typical_p = 0.9;
  sampling.repetition = 1.1;
  for (int mirostat = 0; mirostat <= 2; mirostat += 2) {
    sampling.mirostat = mirostat;
    if (mirostat) sampling.typical_p = 1, sampling.top_p = 1;
    sk_sampler *sampler = NULL, *twin = NULL;
    DO(sk_sampler_new(model, &sampling, &sampler));
    DO(sk_sampler_clone(sampler, &twin));
    for (uint64_t i = 0; i < 6; ++i) {
      int32_t id = 0;
      DO(sk_sampler_sample(sampler, logits, vocab, i, &id));
      DO(sk_sampler_accept(sampler, id));
      DO(sk_eval(model, other, &id, 1, SK_WANT_LAST, logits, kMost));
      say("drawn", (uint64_t)id);
    }
    DO(sk_sampler_reset(sampler));
    sk_sampler_free(twin);
    sk_sampler_free(sampler);
  }
  int32_t id = 0;
  DO(sk_sample(logits, vocab, NULL, 3, &id));
  say("alone", (uint64_t)id);
  sk_state_free(state);
  sk_state_free(copy);
  sk_state_free(other);
  sk_model_close(model);
  return retried ? 4 : 0;
}
