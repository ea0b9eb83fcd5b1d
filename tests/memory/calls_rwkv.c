/* calls_rwkv MODEL OUTPUT THREADS: all that a program does with librwkv, as calls_skein does. */
#include <rwkv.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { kMost = 1 << 20 };

static float logits[kMost], state[kMost];
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

static int again(const char* call, bool good, struct rwkv_context* context) {
  if (good) return 0;
  const int flags = (int)rwkv_get_last_error(context);
  if ((flags & 0xff) == RWKV_ERROR_ALLOC && !retried) return retried = 1;
  char line[256];
  const int length = snprintf(line, sizeof line, "%s: flags %x\n", call, flags);
  if (write(STDERR_FILENO, line, (size_t)length) != length) _exit(9);
  _exit(1);
}
#define DO(call, context) \
  while (again(#call, (call), (context))) continue

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  rwkv_set_print_errors(NULL, false);
  const uint32_t threads = (uint32_t)atoi(argv[3]);
  struct rwkv_context *context = NULL, *twin = NULL;
  DO((context = rwkv_init_from_file(argv[1], threads, 0)) != NULL, NULL);
  DO((twin = rwkv_clone_context(context, threads)) != NULL, NULL);
  const size_t vocab = rwkv_get_logits_len(context), numbers = rwkv_get_state_len(context);
  /* These two say nothing when they fail but through the error. */
  rwkv_init_state(context, state);
  if (rwkv_get_last_error(context) != RWKV_ERROR_NONE) {
    retried = 1;
    rwkv_init_state(context, state);
  }
  uint32_t tokens[11];
  for (uint32_t i = 0; i < 11; ++i) tokens[i] = 7 * i % (uint32_t)vocab;
  DO(rwkv_eval(context, 1, state, state, logits), context);
  say("one", hash_of(logits, vocab * sizeof(float)));
  DO(rwkv_eval_sequence(context, tokens, 11, state, state, logits), context);
  say("many", hash_of(logits, vocab * sizeof(float)));
  DO(rwkv_eval_sequence_in_chunks(twin, tokens, 11, 4, NULL, state, logits), twin);
  say("chunks", hash_of(logits, vocab * sizeof(float)));
  say("state", hash_of(state, numbers * sizeof(float)));
  if (argv[2][0]) DO(rwkv_quantize_model_file(argv[1], argv[2], "Q8_0"), NULL);
  if (!strstr(rwkv_get_system_info_string(), "Skein")) return 1;
  rwkv_free(twin);
  rwkv_free(context);
  return retried ? 4 : 0;
}
