/* A state is a value: read a beginning once, clone what the model remembers, and go on from there
 * in two ways.
 * Usage: fork [MODEL] */
#include <skein/skein.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kMaxTokens = 1024, kMaxAnswer = 64 };

static void check(int32_t code) {
  if (code == SK_OK) return;
  fprintf(stderr, "fork: %s\n", sk_last_error());
  exit(1);
}

/* Feeds text, and stores the logits after it if somebody wants them. */
static void feed(sk_model* model, sk_state* state, const char* text, float* logits, size_t vocab) {
  int32_t tokens[kMaxTokens];
  size_t count = 0;
  check(sk_tokenize(model, text, strlen(text), tokens, kMaxTokens, &count));
  const int32_t want = logits ? SK_WANT_LAST : SK_WANT_NONE;
  check(sk_eval(model, state, tokens, count, want, logits, logits ? vocab : 0));
}

/* Goes on with `end`, and prints what the model answers. */
static void go_on(sk_model* model, sk_state* state, const char* end, float* logits, size_t vocab) {
  sk_sampling greedy = {0};
  greedy.size = sizeof greedy;
  check(sk_sampling_init(&greedy));
  greedy.temperature = 0;

  printf("  %s", end);
  feed(model, state, end, NULL, vocab);
  feed(model, state, "\n\nAssistant:", logits, vocab);
  for (uint64_t position = 0; position < kMaxAnswer; ++position) {
    int32_t id = 0;
    check(sk_sample(logits, vocab, &greedy, position, &id));
    char piece[64];
    size_t size = 0;
    check(sk_detokenize(model, &id, 1, piece, sizeof piece, &size));
    if (id == 0 || memchr(piece, '\n', size)) break;
    fwrite(piece, 1, size, stdout);
    check(sk_eval(model, state, &id, 1, SK_WANT_LAST, logits, vocab));
  }
  printf("\n");
}

int main(int argc, char** argv) {
  sk_model* model = NULL;
  check(sk_model_open(argc > 1 ? argv[1] : "models/bundled-0.pth", NULL, &model));
  struct sk_model_info info = {0};
  info.size = sizeof info;
  check(sk_model_info(model, &info));
  const size_t vocab = (size_t)info.vocab;
  float* logits = malloc(vocab * sizeof *logits);
  if (!logits) return 1;

  /* A document begins with id 0. */
  const char* beginning = "User: Which day follows ";
  const int32_t begin_document = 0;
  sk_state* state = NULL;
  check(sk_state_new(model, &state));
  check(sk_eval(model, state, &begin_document, 1, SK_WANT_NONE, NULL, 0));
  feed(model, state, beginning, NULL, vocab);
  printf("%s...\n", beginning);

  sk_state* branch = NULL;
  check(sk_state_clone(state, &branch));
  go_on(model, state, "Monday?", logits, vocab);
  go_on(model, branch, "Friday?", logits, vocab);

  int32_t equal = 0;
  check(sk_state_equal(state, branch, &equal));
  printf("The two states are %s now, %lld bytes each.\n", equal ? "equal" : "different",
         (long long)info.state_bytes);

  free(logits);
  sk_state_free(branch);
  sk_state_free(state);
  sk_model_close(model);
  return 0;
}
