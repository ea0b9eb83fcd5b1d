/* librwkv: the interface of rwkv.cpp, computed by Skein.
 *
 * For programs and bindings that exist already: names, numbers and the order of a state are those
 * of rwkv.cpp, so that they run unchanged when this library takes the place of that one. New
 * programs have more from skein.h. What is different here:
 *
 *   - Every model that Skein opens can be opened: .pth, safetensors, GGUF and .bin, RWKV-4 to 7.
 *   - Logits and states do not depend on the number of threads, nor on how a text is cut into
 *     calls. Quantised weights are multiplied with activations that are not rounded.
 *   - Arguments are checked, and a call that fails has written to none of its buffers, but for
 *     logits when memory or a device fails while it computes.
 *
 * A context belongs to one caller at a time; calls on the same one take turns. Different contexts
 * may be used by different threads, clones too: those share the weights and take turns computing.
 * A process that was forked may go on using its parent's contexts, with threads of its own; one
 * that another thread was using at that moment, and its clones, fail there with ARGS and can be
 * freed.
 */
#ifndef SKEIN_COMPAT_RWKV_H
#define SKEIN_COMPAT_RWKV_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define RWKV_API __attribute__((visibility("default")))
#else
#define RWKV_API
#endif

/* The head of a .bin: its magic number and the versions that exist. */
#define RWKV_FILE_MAGIC 0x67676d66
#define RWKV_FILE_VERSION_0 100
#define RWKV_FILE_VERSION_1 101
#define RWKV_FILE_VERSION_MIN RWKV_FILE_VERSION_0
#define RWKV_FILE_VERSION_MAX RWKV_FILE_VERSION_1
#define RWKV_FILE_VERSION RWKV_FILE_VERSION_MAX

#ifdef __cplusplus
extern "C" {
#endif

/* An error is one of the first group, where it happened, plus none or one of the second, what it
 * was. The groups are numbers and not bits: take them apart with & 0xff00 and & 0xff. */
enum rwkv_error_flags {
  RWKV_ERROR_NONE = 0,

  RWKV_ERROR_ARGS = 1 << 8,         /* what the caller passed */
  RWKV_ERROR_FILE = 2 << 8,         /* the file as a whole */
  RWKV_ERROR_MODEL = 3 << 8,        /* what the file holds */
  RWKV_ERROR_MODEL_PARAMS = 4 << 8, /* one of its tensors */
  RWKV_ERROR_GRAPH = 5 << 8,        /* computing */
  RWKV_ERROR_CTX = 6 << 8,          /* making or using a context */

  RWKV_ERROR_ALLOC = 1,
  RWKV_ERROR_FILE_OPEN = 2,
  RWKV_ERROR_FILE_STAT = 3,
  RWKV_ERROR_FILE_READ = 4, /* too short, or shorter than it says */
  RWKV_ERROR_FILE_WRITE = 5,
  RWKV_ERROR_FILE_MAGIC = 6,   /* no kind of model file that is known */
  RWKV_ERROR_FILE_VERSION = 7, /* a .bin of another version */
  RWKV_ERROR_DATA_TYPE = 8,
  RWKV_ERROR_UNSUPPORTED = 9,
  RWKV_ERROR_SHAPE = 10,
  RWKV_ERROR_DIMENSION = 11, /* the head of a .bin and its tensors disagree */
  RWKV_ERROR_KEY = 12,
  RWKV_ERROR_DATA = 13, /* numbers that no model has */
  RWKV_ERROR_PARAM_MISSING = 14
};

struct rwkv_context;

/* ---- Errors ------------------------------------------------------------------------------------
 * Each context has its last error and says whether its errors are printed to stderr. Functions
 * without a context, or that return one, have this thread's last error, and one setting for the
 * whole process: on, at first. Both are meant by a NULL here. A new context takes over the
 * setting of the process, a clone that of its origin. Calls that can fail begin with no error. */

RWKV_API void rwkv_set_print_errors(struct rwkv_context* ctx, bool print_errors);
RWKV_API bool rwkv_get_print_errors(const struct rwkv_context* ctx);
/* Hands the error out and forgets it. */
RWKV_API enum rwkv_error_flags rwkv_get_last_error(struct rwkv_context* ctx);

/* ---- Contexts --------------------------------------------------------------------------------*/

/* Opens a model, or returns NULL. `n_threads` is at least 1. With `n_gpu_layers` of 0 it computes
 * on the CPU; otherwise on the device that Skein prefers, all layers alike. */
RWKV_API struct rwkv_context* rwkv_init_from_file(const char* model_file_path, uint32_t n_threads,
                                                  uint32_t n_gpu_layers);

/* Another context over the same weights, or NULL. They stay until the last context is freed.
 * `n_threads` is at least 1; the threads are those of the first context. */
RWKV_API struct rwkv_context* rwkv_clone_context(struct rwkv_context* ctx, uint32_t n_threads);

/* NULL is fine. */
RWKV_API void rwkv_free(struct rwkv_context* ctx);

/* 0 for NULL. */
RWKV_API size_t rwkv_get_n_vocab(const struct rwkv_context* ctx);
RWKV_API size_t rwkv_get_n_embed(const struct rwkv_context* ctx);
RWKV_API size_t rwkv_get_n_layer(const struct rwkv_context* ctx);
RWKV_API size_t rwkv_get_state_len(const struct rwkv_context* ctx);  /* floats of a state */
RWKV_API size_t rwkv_get_logits_len(const struct rwkv_context* ctx); /* the vocabulary */

/* The last two under the names that older bindings use. */
RWKV_API uint32_t rwkv_get_state_buffer_element_count(const struct rwkv_context* ctx);
RWKV_API uint32_t rwkv_get_logits_buffer_element_count(const struct rwkv_context* ctx);

/* ---- Computing ---------------------------------------------------------------------------------
 * A state is the caller's: rwkv_get_state_len() floats. For each layer they are the last input of
 * the channel mix, the last input of the time mix, and then aa, bb and pp of RWKV-4, or the matrix
 * of each head: [key][value] of RWKV-5 and 6, [value][key] of RWKV-7.
 *
 * `state_in` NULL begins a new text. `state_out` may be the same buffer as `state_in`, or NULL when
 * nobody wants it. `logits_out` NULL saves computing them. False: an error. */

/* The state before the first token, which is not all zeros for RWKV-4. */
RWKV_API void rwkv_init_state(const struct rwkv_context* ctx, float* state);

RWKV_API bool rwkv_eval(struct rwkv_context* ctx, uint32_t token, const float* state_in,
                        float* state_out, float* logits_out);

/* The logits are those after the last token. With `tokens` NULL nothing is done, and that is no
 * error: in rwkv.cpp it prepares for a length, which is not needed here. */
RWKV_API bool rwkv_eval_sequence(struct rwkv_context* ctx, const uint32_t* tokens,
                                 size_t sequence_len, const float* state_in, float* state_out,
                                 float* logits_out);

/* The same: Skein cuts a text as suits the machine. `chunk_size` is at least 1. */
RWKV_API bool rwkv_eval_sequence_in_chunks(struct rwkv_context* ctx, const uint32_t* tokens,
                                           size_t sequence_len, size_t chunk_size,
                                           const float* state_in, float* state_out,
                                           float* logits_out);

/* ---- Files and machine -----------------------------------------------------------------------*/

/* Writes a .bin of FP32 or FP16 as another one whose matrices have the named type: Q4_0, Q4_1,
 * Q5_0, Q5_1 or Q8_0. The embedding, the head and the low-rank matrices of RWKV-7 stay as they are.
 * A file that is there already is replaced when the new one is whole. */
RWKV_API bool rwkv_quantize_model_file(const char* model_file_path_in,
                                       const char* model_file_path_out, const char* format_name);

/* Which library this is and what it uses of the processor, for people. Never NULL. */
RWKV_API const char* rwkv_get_system_info_string(void);

#ifdef __cplusplus
}
#endif

#endif
