/* skein.h as C99: compiles with -std=c99 -pedantic -Werror, links and works. */
#include <skein/skein.h>
#include <stdio.h>
#include <string.h>

#include "support/bundled.h"

/* The prototypes that are promised, so that a change of one does not compile. A function may be
 * declared again if the type is the same. */
int32_t sk_model_open(const char* path, const sk_model_params* params, sk_model** out);
void sk_model_close(sk_model*);
int32_t sk_model_info(const sk_model*, struct sk_model_info* out);
int32_t sk_state_new(const sk_model*, sk_state** out);
int32_t sk_state_clone(const sk_state*, sk_state** out);
void sk_state_free(sk_state*);
int32_t sk_state_export(const sk_state*, int32_t format, void* buf, size_t capacity, size_t* size);
int32_t sk_state_import(const sk_model*, int32_t format, const void* data, size_t size,
                        sk_state** out);
int32_t sk_eval(sk_model*, sk_state*, const int32_t* tokens, size_t count, int32_t want,
                float* logits, size_t capacity);
int32_t sk_tokenize(const sk_model*, const char* text, size_t size, int32_t* ids, size_t capacity,
                    size_t* count);
int32_t sk_detokenize(const sk_model*, const int32_t* ids, size_t count, char* text,
                      size_t capacity, size_t* size);
int32_t sk_sample(const float* logits, size_t vocab, const sk_sampling*, uint64_t position,
                  int32_t* id);
const char* sk_last_error(void);

/* So are the numbers of the codes. */
typedef char codes_are_stable[SK_OK == 0 && SK_ARGUMENT == 1 && SK_CORRUPT == 2 &&
                                      SK_UNSUPPORTED == 3 && SK_MISMATCH == 4 && SK_MEMORY == 5 &&
                                      SK_IO == 6 && SK_DEVICE == 7 && SK_INTERNAL == 8
                                  ? 1
                                  : -1];

#define EXPECT(condition)                                                               \
  do {                                                                                  \
    if (!(condition)) {                                                                 \
      printf("line %d: %s does not hold; %s\n", __LINE__, #condition, sk_last_error()); \
      return 1;                                                                         \
    }                                                                                   \
  } while (0)

int main(int argc, char** argv) {
  sk_model_params params = {0};
  struct sk_model_info info = {0};
  sk_sampling greedy = {0};
  sk_model* model = NULL;
  sk_state *state = NULL, *copy = NULL;
  const char* text = "User: Reverse: garden\n\nAssistant:";
  const char* answer = " " BUNDLED_REVERSED;
  static int32_t ids[64];
  static float logits[257];
  static unsigned char saved[1 << 20];
  char piece[8];
  size_t count = 0, size = 0, i;
  int32_t id = 0, same = 0;

  EXPECT(argc == 2);
  EXPECT(strcmp(sk_last_error(), "") == 0);
  params.size = sizeof params;
  params.threads = 1;
  EXPECT(sk_model_open(argv[1], &params, &model) == SK_OK);
  info.size = sizeof info;
  EXPECT(sk_model_info(model, &info) == SK_OK);
  EXPECT(info.vocab == 257);
  EXPECT(sk_state_new(model, &state) == SK_OK);
  EXPECT(sk_tokenize(model, text, strlen(text), ids + 1, 63, &count) == SK_OK);
  EXPECT(count == strlen(text));
  EXPECT(sk_eval(model, state, ids, count + 1, SK_WANT_LAST, logits, 257) == SK_OK);

  EXPECT(sk_state_export(state, SK_STATE_NATIVE, NULL, 0, &size) == SK_OK);
  EXPECT(size <= sizeof saved);
  EXPECT(sk_state_export(state, SK_STATE_NATIVE, saved, sizeof saved, &size) == SK_OK);
  EXPECT(sk_state_import(model, SK_STATE_NATIVE, saved, size, &copy) == SK_OK);
  EXPECT(sk_state_equal(state, copy, &same) == SK_OK && same == 1);

  greedy.size = sizeof greedy;
  EXPECT(sk_sampling_init(&greedy) == SK_OK);
  greedy.temperature = 0;
  for (i = 0; i < strlen(answer); ++i) {
    EXPECT(sk_sample(logits, 257, &greedy, i, &id) == SK_OK);
    EXPECT(sk_detokenize(model, &id, 1, piece, sizeof piece, &size) == SK_OK);
    EXPECT(size == 1 && piece[0] == answer[i]);
    EXPECT(sk_eval(model, state, &id, 1, SK_WANT_LAST, logits, 257) == SK_OK);
  }
  EXPECT(sk_state_equal(state, copy, &same) == SK_OK && same == 0);
  EXPECT(sk_eval(model, state, ids, 0, SK_WANT_NONE, NULL, 0) == SK_ARGUMENT);
  EXPECT(strcmp(sk_last_error(), "") != 0);
  sk_state_free(copy);
  sk_state_free(state);
  sk_model_close(model);
  printf("%s says%s\n", sk_version(), answer);
  return 0;
}
