/* compat/rwkv.h as C99: compiles with -std=c99 -pedantic -Werror, links and works. */
#include <rwkv.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The prototypes of rwkv.cpp, so that a difference does not compile. A function may be declared
 * again if the type is the same. */
void rwkv_set_print_errors(struct rwkv_context*, const bool);
bool rwkv_get_print_errors(const struct rwkv_context*);
enum rwkv_error_flags rwkv_get_last_error(struct rwkv_context*);
struct rwkv_context* rwkv_init_from_file(const char*, const uint32_t, const uint32_t);
struct rwkv_context* rwkv_clone_context(struct rwkv_context*, const uint32_t);
bool rwkv_eval(struct rwkv_context*, const uint32_t, const float*, float*, float*);
bool rwkv_eval_sequence(struct rwkv_context*, const uint32_t*, const size_t, const float*, float*,
                        float*);
bool rwkv_eval_sequence_in_chunks(struct rwkv_context*, const uint32_t*, const size_t, const size_t,
                                  const float*, float*, float*);
size_t rwkv_get_n_vocab(const struct rwkv_context*);
size_t rwkv_get_n_embed(const struct rwkv_context*);
size_t rwkv_get_n_layer(const struct rwkv_context*);
size_t rwkv_get_state_len(const struct rwkv_context*);
size_t rwkv_get_logits_len(const struct rwkv_context*);
uint32_t rwkv_get_state_buffer_element_count(const struct rwkv_context*);
uint32_t rwkv_get_logits_buffer_element_count(const struct rwkv_context*);
void rwkv_init_state(const struct rwkv_context*, float*);
void rwkv_free(struct rwkv_context*);
bool rwkv_quantize_model_file(const char*, const char*, const char*);
const char* rwkv_get_system_info_string(void);

/* So are its numbers. */
typedef char places[RWKV_ERROR_ARGS == 0x100 && RWKV_ERROR_FILE == 0x200 &&
                            RWKV_ERROR_MODEL == 0x300 && RWKV_ERROR_MODEL_PARAMS == 0x400 &&
                            RWKV_ERROR_GRAPH == 0x500 && RWKV_ERROR_CTX == 0x600
                        ? 1
                        : -1];
typedef char details[RWKV_ERROR_ALLOC == 1 && RWKV_ERROR_FILE_OPEN == 2 &&
                             RWKV_ERROR_FILE_STAT == 3 && RWKV_ERROR_FILE_READ == 4 &&
                             RWKV_ERROR_FILE_WRITE == 5 && RWKV_ERROR_FILE_MAGIC == 6 &&
                             RWKV_ERROR_FILE_VERSION == 7 && RWKV_ERROR_DATA_TYPE == 8 &&
                             RWKV_ERROR_UNSUPPORTED == 9 && RWKV_ERROR_SHAPE == 10 &&
                             RWKV_ERROR_DIMENSION == 11 && RWKV_ERROR_KEY == 12 &&
                             RWKV_ERROR_DATA == 13 && RWKV_ERROR_PARAM_MISSING == 14
                         ? 1
                         : -1];
typedef char head[RWKV_FILE_MAGIC == 0x67676d66 && RWKV_FILE_VERSION_MIN == 100 &&
                          RWKV_FILE_VERSION_MAX == 101 && RWKV_FILE_VERSION == 101
                      ? 1
                      : -1];

#define EXPECT(condition)                                          \
  do {                                                             \
    if (!(condition)) {                                            \
      printf("line %d: %s does not hold\n", __LINE__, #condition); \
      return 1;                                                    \
    }                                                              \
  } while (0)

int main(int argc, char** argv) {
  const uint32_t tokens[3] = {1, 2, 3};
  struct rwkv_context* context;
  size_t vocab, i;
  float *state, *logits, *again;

  EXPECT(argc == 2);
  context = rwkv_init_from_file(argv[1], 1, 0);
  EXPECT(context != NULL);
  EXPECT(rwkv_get_last_error(NULL) == RWKV_ERROR_NONE);
  vocab = rwkv_get_logits_len(context);
  state = malloc(rwkv_get_state_len(context) * sizeof(float));
  logits = malloc(vocab * sizeof(float));
  again = malloc(vocab * sizeof(float));
  EXPECT(state && logits && again);
  EXPECT(rwkv_eval_sequence(context, tokens, 3, NULL, NULL, logits));
  rwkv_init_state(context, state);
  for (i = 0; i < 3; ++i) EXPECT(rwkv_eval(context, tokens[i], state, state, again));
  EXPECT(memcmp(logits, again, vocab * sizeof(float)) == 0);
  EXPECT(strncmp(rwkv_get_system_info_string(), "Skein ", 6) == 0);
  free(state);
  free(logits);
  free(again);
  rwkv_free(context);
  return 0;
}
