/* Asks the model one question and prints the answer as it comes.
 * Usage: hello [MODEL [QUESTION]] */
#include <skein/skein.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMaxPrompt = 4096, kMaxAnswer = 200 };

static void check(int32_t code) {
  if (code == SK_OK) return;
  fprintf(stderr, "hello: %s\n", sk_last_error());
  exit(1);
}

int main(int argc, char** argv) {
  const char* path = argc > 1 ? argv[1] : "models/bundled-0.pth";
  const char* question = argc > 2 ? argv[2] : "Reverse: garden";

  sk_model* model = NULL;
  check(sk_model_open(path, NULL, &model));
  struct sk_model_info info = {0};
  info.size = sizeof info;
  check(sk_model_info(model, &info));
  printf("%s on %s\n", info.title, info.device);

  /* A document begins with id 0; a turn is "User: ...", a blank line, "Assistant:". */
  char prompt[kMaxPrompt];
  const int length = snprintf(prompt, sizeof prompt, "User: %s\n\nAssistant:", question);
  if (length < 0 || length >= (int)sizeof prompt) {
    fprintf(stderr, "hello: the question is too long\n");
    return 1;
  }
  int32_t tokens[1 + kMaxPrompt] = {0};
  size_t count = 0;
  check(sk_tokenize(model, prompt, (size_t)length, tokens + 1, kMaxPrompt, &count));
  count += 1;

  sk_state* state = NULL;
  check(sk_state_new(model, &state));
  const size_t vocab = (size_t)info.vocab;
  float* logits = malloc(vocab * sizeof *logits);
  if (!logits) return 1;

  sk_sampling greedy = {0};
  greedy.size = sizeof greedy;
  check(sk_sampling_init(&greedy));
  greedy.temperature = 0;

  /* The answer ends with the document or a blank line. */
  int line_ends = 0;
  check(sk_eval(model, state, tokens, count, SK_WANT_LAST, logits, vocab));
  for (uint64_t position = 0; position < kMaxAnswer; ++position) {
    int32_t id = 0;
    check(sk_sample(logits, vocab, &greedy, position, &id));
    if (id == 0) break;
    char piece[64];
    size_t size = 0;
    check(sk_detokenize(model, &id, 1, piece, sizeof piece, &size));
    fwrite(piece, 1, size, stdout);
    fflush(stdout);
    for (size_t i = 0; i < size; ++i) line_ends = piece[i] == '\n' ? line_ends + 1 : 0;
    if (line_ends >= 2) break;
    check(sk_eval(model, state, &id, 1, SK_WANT_LAST, logits, vocab));
  }

  free(logits);
  sk_state_free(state);
  sk_model_close(model);
  return 0;
}
