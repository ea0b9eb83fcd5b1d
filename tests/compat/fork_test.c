/* fork_test MODEL: a forked process computes with, clones and frees what its parent has opened. */
#include <rwkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kTokens = 48, kSeconds = 20 };

static uint32_t tokens[kTokens];

static int computes(struct rwkv_context* context, const float* expected, size_t vocab) {
  float* logits = malloc(vocab * sizeof *logits);
  const int good = logits && rwkv_eval_sequence(context, tokens, kTokens, NULL, NULL, logits) &&
                   memcmp(logits, expected, vocab * sizeof *logits) == 0;
  free(logits);
  return good;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (uint32_t i = 0; i < kTokens; ++i) tokens[i] = (7 * i + 3) % 97;
  int bad = 0;
  for (uint32_t threads = 1; threads <= 3; ++threads) {
    struct rwkv_context* context = rwkv_init_from_file(argv[1], threads, 0);
    if (!context) return 1;
    const size_t vocab = rwkv_get_logits_len(context);
    float* expected = malloc(vocab * sizeof *expected);
    if (!expected || !rwkv_eval_sequence(context, tokens, kTokens, NULL, NULL, expected)) return 1;
    for (int child = 0; child < 3; ++child) {
      const pid_t pid = fork();
      if (pid == 0) {
        alarm(kSeconds);
        int good = 1;
        if (child != 1) good = computes(context, expected, vocab);
        if (child == 2) {
          struct rwkv_context* twin = rwkv_clone_context(context, threads);
          good = good && twin && computes(twin, expected, vocab);
          rwkv_free(twin);
        }
        rwkv_free(context);
        free(expected);
        exit(good ? 0 : 1);
      }
      int status = 0;
      waitpid(pid, &status, 0);
      if (status != 0 || !computes(context, expected, vocab)) {
        fprintf(stderr, "%u threads, child %d: status %x\n", (unsigned)threads, child,
                (unsigned)status);
        bad = 1;
      }
    }
    rwkv_free(context);
    free(expected);
  }
  return bad;
}
