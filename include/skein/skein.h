/* Skein as a C library: open an RWKV model, keep states, compute logits, draw tokens.
 *
 * Rules that hold for every function:
 *
 *   - int32_t results are sk_code: SK_OK or why not. sk_last_error() then has one sentence with the
 *     facts. Nothing here prints, exits, or throws.
 *   - A call that fails leaves states, samplers and what its pointers point to as they were. There
 *     are two exceptions. Logits that were asked for may have been written in part when memory or a
 *     device fails while it computes. After SK_DEVICE, and after SK_CORRUPT and SK_IO of a call
 *     that computes (see sk_eval), the states of that call may be lost: then every call with one of
 * them fails until sk_state_reset() or sk_state_copy() makes it whole.
 *   - A NULL where no NULL is allowed is SK_ARGUMENT. Functions that free take NULL.
 *   - Two calls for results of unknown size: with a NULL buffer the size is stored and nothing else
 *     happens; a buffer that is too small is SK_ARGUMENT, and the message says the size needed.
 *   - Structs that begin with `size`: set it to sizeof the struct and the rest to zero, or as their
 *     comments say. It tells the library which version of the header your program was compiled
 *     with, so that both may be newer than the other. A struct's first version is understood for
 *     ever. Structs without `size` stand in arrays and never grow.
 *   - Any thread may call. A model may be used by many threads at once, each with states of its
 *     own. A state or sampler that one call changes must not be used by another at the same time;
 *     reading one from several threads is fine.
 *   - fork(): a child may use all that its parent has opened, whether the parent goes on or not. A
 *     model starts threads of its own there with its first call. What another thread of the parent
 *     was changing at that moment stays half done in the child: a model that was computing then
 *     refuses to compute there (SK_ARGUMENT), the state it was fed to means nothing, and both can
 *     still be closed and freed. Other models can be opened. (While the first model of a process is
 *     being opened, leave fork() be.)
 *   - Strings are UTF-8. Those that a function returns belong to the library.
 *
 * The environment variables SKEIN_ISA and SKEIN_THREADS force a choice; they are read once, when
 * the first model is opened. There is no other state outside the objects but the log sink.
 */
#ifndef SKEIN_SKEIN_H
#define SKEIN_SKEIN_H

#include <stddef.h>
#include <stdint.h>

#if defined(__GNUC__)
#define SK_API __attribute__((visibility("default")))
#else
#define SK_API
#endif

#ifdef __cplusplus
extern "C" {
#if defined(__GNUC__)
/* Functions share their names with structs, on purpose. */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wshadow"
#endif
#endif

/* ---- Errors, version, log -------------------------------------------------------------------- */

typedef enum sk_code {
  SK_OK = 0,
  SK_ARGUMENT = 1,    /* the caller's mistake */
  SK_CORRUPT = 2,     /* data that contradicts itself */
  SK_UNSUPPORTED = 3, /* well formed, but nothing Skein can run */
  SK_MISMATCH = 4,    /* readable, but it does not fit the model */
  SK_MEMORY = 5,      /* not enough of it */
  SK_IO = 6,          /* the system refused: a missing file, no vocabulary found */
  SK_DEVICE = 7,      /* a device failed or vanished */
  SK_INTERNAL = 8     /* a bug of Skein; please report it */
} sk_code;

/* This thread's last failure as a sentence, never NULL; empty if nothing has failed yet. A success
 * leaves it alone. It stays valid until this thread's next failing call. */
SK_API const char* sk_last_error(void);

/* "0.1.0" */
SK_API const char* sk_version(void);

typedef enum sk_log_level {
  SK_LOG_INFO = 0,   /* what was done: a model was opened */
  SK_LOG_WARNING = 1 /* something was ignored: a tensor that the model does not have */
} sk_log_level;

/* `text` is one line and lives as long as the call. Calls come from the threads that use the
 * library, one at a time. */
typedef void (*sk_log_sink)(int32_t level, const char* text, void* user);

/* Where notes go, for the whole process. NULL, which is the start: nowhere. When this returns, the
 * old sink is not called any more. */
SK_API void sk_log_set(sk_log_sink sink, void* user);

/* ---- Models ---------------------------------------------------------------------------------- */

typedef struct sk_model sk_model;

/* What a model can be opened on. */
struct sk_device_info {
  uint32_t size;
  uint32_t reserved;
  const char* name;  /* for sk_model_params.device */
  const char* about; /* "vector kernels on every core" */
};

/* How many there are; the first is the one that a model takes by itself. */
SK_API int32_t sk_device_count(size_t* count);
/* `index` is below that count. The strings live as long as the library. */
SK_API int32_t sk_device_info(size_t index, struct sk_device_info* out);

/* How matrix products round. */
typedef enum sk_numerics {
  SK_NUMERICS_EXACT = 0, /* the same bits on every machine and for any cutting into calls */
  SK_NUMERICS_FAST = 1   /* prompts in fewer bits where the processor has them: the result depends
                            on where calls cut the text, unless at multiples of 32 tokens */
} sk_numerics;

/* Whether the weights of hidden units that are zero are left unread: the same bits. */
typedef enum sk_sparse {
  SK_SPARSE_AUTO = 0, /* where a few tokens, tried while the model is loaded, say that it pays */
  SK_SPARSE_OFF = 1,
  SK_SPARSE_ON = 2
} sk_sparse;

/* A file that RWKV-PEFT made beside a model, to be merged into it. Zeros but `path` are the
 * defaults; the strings are only read while the model is opened. Never grows. */
typedef struct sk_adapter {
  const char* path;    /* a LoRA, PiSSA, Bone or Bat */
  const char* initial; /* PiSSA's initial pair (init_pissa.pth), or NULL */
  const char* only;    /* glob over the names of the matrices to change; NULL: all */
  double alpha;        /* of a LoRA, which has to be said as no file holds it; else 0 */
  double blend;        /* of the change; 0: all of it, as 1 */
  uint64_t reserved;   /* 0 */
} sk_adapter;

/* Tells how far opening is. Nonzero gives up: sk_model_open then fails with SK_IO. */
typedef int32_t (*sk_progress)(int64_t bytes_done, int64_t bytes_total, void* user);

/* All zeros but `size` are the defaults. */
typedef struct sk_model_params {
  uint32_t size;
  int32_t threads;      /* 0: SKEIN_THREADS, or one for each physical core */
  int32_t chunk;        /* tokens that go through the layers together, 1 to 4096; 0: 512 */
  uint32_t reserved;    /* 0 */
  const char* vocab;    /* the vocabulary file, copied; NULL: it is looked for when needed */
  const char* device;   /* the name of an sk_device_info; NULL: the first */
  const char* isa;      /* "scalar", "avx2", "avx512", "amx", "neon", "dotprod", "i8mm";
                           NULL: SKEIN_ISA, or the widest there is */
  sk_progress progress; /* may be NULL */
  void* progress_user;
  /* The first version ends here. */
  const sk_adapter* adapters; /* merged one after the other; with their number */
  size_t adapter_count;
  int32_t numerics; /* sk_numerics */
  int32_t sparse;   /* sk_sparse */
} sk_model_params;

/* The strings live as long as the model. Whoever asks sets `size`; what lies beyond the struct of
 * this library's version is filled with zeros. */
struct sk_model_info {
  uint32_t size;
  int32_t vocab;      /* rows of the head: ids are 0 to vocab - 1 */
  const char* title;  /* RWKV-7 "Goose" 0.1B */
  const char* design; /* rwkv7 */
  const char* format; /* .pth (zip) */
  const char* device; /* CPU, AVX-512, 2 threads */
  int64_t layers;
  int64_t width;
  int64_t heads;
  int64_t head_size;
  int64_t inner;           /* width of the channel mix */
  int64_t trained_context; /* in tokens, from the file's name; 0: it does not say */
  int64_t parameters;
  int64_t state_bytes;     /* of one state */
  int64_t weight_bytes;    /* resident */
  int64_t bytes_per_token; /* weights and state that one decode step reads and writes */
  int64_t flops_per_token;
  uint8_t fingerprint[32]; /* names the weights by their values, whatever file they came from */
};

/* Opens a .pth, .safetensors, .st, GGUF or ggmf file of any runnable design; the content decides
 * what it is. `params` may be NULL. The file stays mapped until the model is closed. No vocabulary
 * is needed. Errors: SK_IO, SK_CORRUPT, SK_UNSUPPORTED, SK_MISMATCH (the file), SK_ARGUMENT
 * (params, SKEIN_ISA, SKEIN_THREADS), SK_MEMORY. */
SK_API int32_t sk_model_open(const char* path, const sk_model_params* params /* may be NULL */,
                             sk_model** out);

/* No other thread may be inside a call with this model. States, samplers and engines outlive it. */
SK_API void sk_model_close(sk_model*);

/* Function and struct share their name, like stat() and struct stat: write
 * `struct sk_model_info info;`. */
SK_API int32_t sk_model_info(const sk_model*, struct sk_model_info* out);

/* ---- States ---------------------------------------------------------------------------------- */

/* All that a model remembers, as a value: to fork, clone it; to undo, keep a clone. */
typedef struct sk_state sk_state;

/* A fresh state, as before the first token. */
SK_API int32_t sk_state_new(const sk_model*, sk_state** out);
SK_API int32_t sk_state_clone(const sk_state*, sk_state** out);
SK_API void sk_state_free(sk_state*);

/* Makes `to` equal to `from` without allocating. SK_MISMATCH: they belong to different models. */
SK_API int32_t sk_state_copy(sk_state* to, const sk_state* from);
/* Makes it fresh again. */
SK_API int32_t sk_state_reset(sk_state*);

struct sk_state_info {
  uint32_t size;
  uint32_t reserved;
  uint64_t numbers;        /* floats in it */
  uint64_t tokens_read;    /* since it was fresh; 0 after an import that does not know */
  uint64_t tokens_hash;    /* of these tokens in their order; not a signature */
  uint8_t fingerprint[32]; /* of the model it belongs to */
};

SK_API int32_t sk_state_info(const sk_state*, struct sk_state_info* out);
SK_API int32_t sk_state_tokens_read(const sk_state*, uint64_t* count);
/* Stores 1 if both belong to the same model and every number is the same, bit for bit; else 0. */
SK_API int32_t sk_state_equal(const sk_state*, const sk_state*, int32_t* equal);

typedef enum sk_state_format {
  SK_STATE_AUTO = -1,      /* import only: NATIVE, PTH or TIME_STATE, as the data say */
  SK_STATE_NATIVE = 0,     /* Skein's own: fingerprint, history count, checksum; exact */
  SK_STATE_PTH = 1,        /* the rwkv package's list of tensors, as torch.save writes it; exact */
  SK_STATE_TIME_STATE = 2, /* tuned start: blocks.i.att.time_state; the rest of a state is lost */
  SK_STATE_F32 = 3,        /* the numbers of PTH one after the other, little-endian, no header */
  SK_STATE_TIME_STATE_ST = 4 /* import only: as web-rwkv keeps them in .st, axes swapped */
} sk_state_format;

/* A state is data about the text it has read: treat it like the text. The size is found out without
 * exporting anything, and is the same for all states of a model. */
SK_API int32_t sk_state_export(const sk_state*, int32_t format, void* buf, size_t capacity,
                               size_t* size); /* buf NULL: size only */

/* SK_STATE_NATIVE with the tokens that the state has read and their text, both of which may be left
 * out (count or size 0): so a text can be shown again, and read again by another model. Errors: as
 * sk_state_export, SK_ARGUMENT (tokens that are not those the state has read). */
SK_API int32_t sk_state_save(const sk_state*, const int32_t* tokens, size_t token_count,
                             const char* text, size_t text_size, void* buf, size_t capacity,
                             size_t* size); /* buf NULL: size only */
/* What such data hold, whatever model they are of; none is 0 of them. Errors: SK_CORRUPT,
 * SK_UNSUPPORTED (another format). */
SK_API int32_t sk_saved_tokens(const void* data, size_t size, int32_t* ids, size_t capacity,
                               size_t* count); /* ids NULL: count only */
SK_API int32_t sk_saved_text(const void* data, size_t size, char* text, size_t capacity,
                             size_t* text_size); /* text NULL: size only */

/* The data may come from anybody: they are checked, never executed. `data` need not be aligned.
 * Errors: SK_CORRUPT (damaged, or numbers that no model computes), SK_UNSUPPORTED (another format
 * than asked for, a newer version), SK_MISMATCH (the state of another model). */
SK_API int32_t sk_state_import(const sk_model*, int32_t format, const void* data, size_t size,
                               sk_state** out);

/* The numbers of SK_STATE_F32 into and out of the caller's memory, sk_state_info.numbers of them.
 * What they stand for is the caller's to know: after a write, tokens_read is 0. Errors: SK_ARGUMENT
 * (another count), SK_CORRUPT (numbers that no model computes; the state is as it was). */
SK_API int32_t sk_state_read(const sk_state*, float* numbers, size_t count);
SK_API int32_t sk_state_write(sk_state*, const float* numbers, size_t count);

/* ---- Computing ------------------------------------------------------------------------------- */

typedef enum sk_want {
  SK_WANT_NONE = 0,
  SK_WANT_LAST = 1, /* the logits after the last token: [vocab] */
  SK_WANT_ALL = 2   /* those after every token: [count, vocab]; see SK_JOB_TAIL */
} sk_want;

/* Feeds tokens to a state. How they are cut into calls, the number of threads and what other
 * threads compute make no difference to a single bit. Calls for one model take turns.
 * Errors: SK_ARGUMENT (no tokens, an id out of range, a capacity that is too small, a model that
 * another thread was using when this process was forked), SK_MISMATCH (the state of another model),
 * SK_MEMORY; the state is then as it was. SK_CORRUPT: the model's numbers are not finite (infinity
 * or NaN). SK_IO: the model's file became shorter. After these two the state is as it was or, of a
 * call with few tokens that had begun, lost: then every call with it fails until sk_state_reset()
 * or sk_state_copy(). */
SK_API int32_t sk_eval(sk_model*, sk_state*, const int32_t* tokens, size_t count, int32_t want,
                       float* logits /* NULL when want is 0 */, size_t capacity /* in floats */);

/* With SK_WANT_ALL: the logits after the last tokens only, as many as `capacity` has room for; at
 * least one, and none more than there are tokens. So a guess is checked behind a prompt. */
#define SK_JOB_TAIL 1u

/* One sequence's share of a batch. Never grows. */
typedef struct sk_job {
  sk_state* state; /* in no other job of the call */
  const int32_t* tokens;
  size_t count;
  float* logits;   /* as for sk_eval */
  size_t capacity; /* in floats */
  int32_t want;    /* sk_want */
  uint32_t flags;  /* of SK_JOB_*; one that this version does not know is SK_ARGUMENT */
} sk_job;

/* Many sequences through one pass over the weights, which costs little more than one sequence.
 * Every job gets the bits it would get alone. If it fails, all states are as they were, but for
 * SK_IO (see sk_eval) and SK_CORRUPT: then the jobs with numbers that are not finite have failed,
 * the first of which sk_last_error() names, and the others are done. */
SK_API int32_t sk_eval_batch(sk_model*, const sk_job* jobs, size_t count);

/* ---- Text ------------------------------------------------------------------------------------ */

/* The first call finds the vocabulary: sk_model_params.vocab, a GGUF's own, a byte vocabulary by
 * its size, or a file beside the model or in the data folder. If there is none, SK_IO, and
 * sk_last_error() says which file to put where; the next call looks again.
 * Nothing is put before or after the text. `text` may be NULL when `size` is 0. */
SK_API int32_t sk_tokenize(const sk_model*, const char* text, size_t size, int32_t* ids,
                           size_t capacity, size_t* count); /* ids NULL: count only */

/* A vocabulary by itself: rwkv_vocab_v20230424.txt or .json, or a tokenizer.json. */
typedef struct sk_vocab sk_vocab;

/* Errors: SK_IO, SK_CORRUPT, SK_UNSUPPORTED. */
SK_API int32_t sk_vocab_open(const char* path, sk_vocab** out);
/* The one that sk_tokenize() uses, with its errors. It outlives the model. */
SK_API int32_t sk_vocab_of(const sk_model*, sk_vocab** out);
SK_API void sk_vocab_free(sk_vocab*);
/* One above the largest id. */
SK_API int32_t sk_vocab_size(const sk_vocab*, size_t* size);
SK_API int32_t sk_vocab_tokenize(const sk_vocab*, const char* text, size_t size, int32_t* ids,
                                 size_t capacity, size_t* count); /* ids NULL: count only */
SK_API int32_t sk_vocab_detokenize(const sk_vocab*, const int32_t* ids, size_t count, char* text,
                                   size_t capacity, size_t* size); /* text NULL: size only */
/* The bytes of one id, which live as long as the vocabulary and end in no NUL; of a special token
 * its name, and 1 in `special`, which may be NULL. */
SK_API int32_t sk_vocab_token(const sk_vocab*, int32_t id, const char** text, size_t* size,
                              int32_t* special);

/* The bytes of the ids, one after the other. They need not be whole characters, and no NUL follows.
 * `ids` may be NULL when `count` is 0. */
SK_API int32_t sk_detokenize(const sk_model*, const int32_t* ids, size_t count, char* text,
                             size_t capacity, size_t* size); /* text NULL: size only */

/* ---- Sampling -------------------------------------------------------------------------------- */

typedef enum sk_order {
  SK_ORDER_RWKV = 0,  /* top_p and its like look at the model's probabilities, then temperature */
  SK_ORDER_OPENAI = 1 /* the temperature comes first */
} sk_order;

typedef enum sk_penalty_style {
  SK_PENALTY_SKEIN = 0, /* presence + count * frequency; counts decay; digits and blanks are free */
  SK_PENALTY_RWKV_PIP = 1, /* as the rwkv package, to the bit */
  SK_PENALTY_AI00 = 2,
  SK_PENALTY_OPENAI = 3 /* no decay, nothing is free */
} sk_penalty_style;

typedef struct sk_logit_bias {
  int32_t id;
  uint32_t reserved; /* 0 */
  double bias;       /* added to the logit; minus infinity bans */
} sk_logit_bias;

/* Zeros are not the defaults here: set `size` and let sk_sampling_init() fill the rest. A number
 * outside its range is SK_ARGUMENT. */
typedef struct sk_sampling {
  uint32_t size;
  int32_t order;         /* sk_order */
  double temperature;    /* 1; 0 to 1000; 0: the largest logit, of equals the lowest id */
  double top_p;          /* 0.3; 0 to 1; 1: off */
  double min_p;          /* 0: off; 0 to 1 */
  double typical_p;      /* 1: off; 0 to 1 */
  int32_t top_k;         /* 0: off; at least 0 */
  int32_t mirostat;      /* 0, or 2: replaces top_p, top_k, min_p and typical_p */
  double mirostat_tau;   /* 5; 0 to 100 */
  double mirostat_eta;   /* 0.1; 0 to 1 */
  double presence;       /* 0.5; -100 to 100; this and the next four need an sk_sampler */
  double frequency;      /* 0.5; -100 to 100 */
  double penalty_decay;  /* 0.996; 0 to 1 */
  double repetition;     /* 1: off; 0.01 to 100 */
  int32_t penalty_style; /* sk_penalty_style */
  uint32_t reserved;     /* 0 */
  uint64_t seed;
  const sk_logit_bias* logit_bias; /* with its length; NULL when that is 0 */
  size_t logit_bias_count;
  const int32_t* banned; /* ids that are never drawn */
  size_t banned_count;
} sk_sampling;

/* Fills in the defaults for a chat, shown above. The caller has set `size`. */
SK_API int32_t sk_sampling_init(sk_sampling*);

/* Draws an id without remembering anything: penalties have no effect, and every id may be drawn.
 * The same arguments give the same id on every machine; `position` counts the draws of a sequence.
 * A NULL `sampling` stands for the defaults. SK_INTERNAL: a logit is NaN or plus infinity. */
SK_API int32_t sk_sample(const float* logits, size_t vocab, const sk_sampling*, uint64_t position,
                         int32_t* id);

/* What was said so far, for the penalties and mirostat. */
typedef struct sk_sampler sk_sampler;

/* For the text of a model, whose vocabulary tells which ids have no text (they are never drawn) and
 * which the penalties spare. A NULL `sampling` stands for the defaults; it is copied. Errors: as
 * sk_tokenize for the vocabulary, SK_ARGUMENT. */
SK_API int32_t sk_sampler_new(const sk_model*, const sk_sampling*, sk_sampler** out);
/* For bare ids: each may be drawn, none is spared. */
SK_API int32_t sk_sampler_new_for_ids(size_t vocab, const sk_sampling*, sk_sampler** out);
SK_API int32_t sk_sampler_clone(const sk_sampler*, sk_sampler** out);
SK_API void sk_sampler_free(sk_sampler*);

/* Draws and leaves the memory alone: the same call gives the same id. */
SK_API int32_t sk_sampler_sample(sk_sampler*, const float* logits, size_t vocab, uint64_t position,
                                 int32_t* id);
/* The id stands in the text now, whether it was drawn or not. */
SK_API int32_t sk_sampler_accept(sk_sampler*, int32_t id);
/* Forgets everything, for the next turn. */
SK_API int32_t sk_sampler_reset(sk_sampler*);

/* ---- Constraints ----------------------------------------------------------------------------- */

/* Which texts an answer may be; docs/constraining.md has the languages. Any number of generations
 * and threads may use one at once. */
typedef struct sk_constraint sk_constraint;

typedef enum sk_language {
  SK_LANGUAGE_SCHEMA = 0,  /* JSON of a JSON Schema */
  SK_LANGUAGE_OBJECT = 1,  /* any JSON object; no text */
  SK_LANGUAGE_REGEX = 2,   /* RE2's syntax, the whole text */
  SK_LANGUAGE_CHOICES = 3, /* one of `choices`; no text */
  SK_LANGUAGE_GRAMMAR = 4, /* GBNF or Lark, whichever it is */
  SK_LANGUAGE_KBNF = 5
} sk_language;

/* Between the parts of JSON. */
typedef enum sk_whitespace {
  SK_WHITESPACE_BOUNDED = 0, /* nothing, a space, or a line and some indentation */
  SK_WHITESPACE_COMPACT = 1, /* nothing */
  SK_WHITESPACE_ANY = 2      /* a few blanks of any kind */
} sk_whitespace;

/* Any character of a JSON string may be written as \uXXXX. */
#define SK_CONSTRAINT_UNICODE_ESCAPES 1u
/* Objects without additionalProperties may have other members than those of properties. */
#define SK_CONSTRAINT_OPEN_OBJECTS 2u
/* A format that is not known is an error and not a warning. */
#define SK_CONSTRAINT_STRICT 4u

/* Zeros but `size` are the defaults; there has to be a text, or choices. */
typedef struct sk_constraint_params {
  uint32_t size;
  int32_t language; /* sk_language */
  const char* text; /* of the schema, the expression or the grammar; with its size */
  size_t text_size;
  const char* const* choices; /* with their number */
  size_t choice_count;
  int32_t whitespace; /* sk_whitespace */
  uint32_t flags;     /* of SK_CONSTRAINT_*; one that is not known is SK_ARGUMENT */
} sk_constraint_params;

/* Over the words of a vocabulary, which may be freed meanwhile. All is copied. Warnings of schemas
 * go to the log. Errors: SK_ARGUMENT (the text is wrong or allows nothing), SK_UNSUPPORTED (what
 * cannot be kept to exactly, or is too large); sk_last_error() names each place: a JSON pointer
 * ("#/properties/a/type"), or line and column ("2:9"). */
SK_API int32_t sk_constraint_new(const sk_vocab*, const sk_constraint_params*, sk_constraint** out);
/* What was made of it lives on. */
SK_API void sk_constraint_free(sk_constraint*);

/* One text under a constraint, for who draws its tokens himself. Only clone and text may be called
 * beside each other. Errors of the others: SK_UNSUPPORTED, the text has too many readings at once,
 * and must not go on unconstrained. */
typedef struct sk_matcher sk_matcher;

SK_API int32_t sk_matcher_new(const sk_constraint*, sk_matcher** out);
SK_API int32_t sk_matcher_clone(const sk_matcher*, sk_matcher** out);
SK_API void sk_matcher_free(sk_matcher*);

/* Which ids may come next: id n is bit n % 64 of bits[n / 64]. None, where only the end can. */
SK_API int32_t sk_matcher_mask(sk_matcher*, uint64_t* bits, size_t capacity,
                               size_t* count); /* bits NULL: count only */
/* Stores 1 in `accepted` and has read it, or 0 and is as it was, where the id may not come. */
SK_API int32_t sk_matcher_accept(sk_matcher*, int32_t id, int32_t* accepted);
/* The same with a text, all of it or nothing: so a text that was begun earlier is gone on with. */
SK_API int32_t sk_matcher_read(sk_matcher*, const char* text, size_t size, int32_t* accepted);
/* Whether the text may end here, and whether it has to; each may be NULL. */
SK_API int32_t sk_matcher_end(sk_matcher*, int32_t* can, int32_t* must);
/* The ids that have to come next, as the vocabulary would write their text; mostly none. */
SK_API int32_t sk_matcher_forced(sk_matcher*, int32_t* ids, size_t capacity,
                                 size_t* count); /* ids NULL: count only */
/* What was read so far. It lives until the next call that changes the matcher. */
SK_API int32_t sk_matcher_text(const sk_matcher*, const char** text, size_t* size);

/* ---- Generations ----------------------------------------------------------------------------- */

/* Turns any number of generations of one model: each step reads a token of every one that talks,
 * and a part of every prompt, in one pass over the weights. What a generation says does not depend
 * on the others, nor on how its prompt was cut. Any thread may step, start and cancel, and one
 * thread fetches a generation's events. */
typedef struct sk_engine sk_engine;
/* One text that goes on token after token, with a state of its own. */
typedef struct sk_generation sk_generation;

/* All zeros but `size` are the defaults. */
typedef struct sk_engine_params {
  uint32_t size;
  uint32_t reserved; /* 0 */
  double patience;   /* seconds that a step should take at most because of prompts; 0: 0.1 */
} sk_engine_params;

/* `params` may be NULL. The engine keeps what it needs of the model, which may be closed. */
SK_API int32_t sk_engine_new(const sk_model*, const sk_engine_params* params, sk_engine** out);
/* A generation keeps what it needs of its engine and can still be stepped by sk_generation_next().
 */
SK_API void sk_engine_free(sk_engine*);

/* One step for all; waits for another thread's. Stores 0 in `moved` if there was nothing to do but
 * for events that wait to be fetched, else 1; it may be NULL. What goes wrong with a generation is
 * told by its last event. SK_MEMORY: none for the step itself, which can be made again.
 * SK_ARGUMENT: another thread was stepping when this process was forked. */
SK_API int32_t sk_engine_step(sk_engine*, int32_t* moved);
/* How many generations have not ended. */
SK_API int32_t sk_engine_active(const sk_engine*, size_t* count);

/* A turn of a conversation. Never grows. */
typedef struct sk_message {
  const char* role; /* "system", "user", "assistant" or "tool" */
  const char* text;
} sk_message;

/* The conversation as the model was trained to read it, up to where its answer begins. `think` is
 * one of the model's ways to think ("none", "fake", "free", "bit", "think", "lot", "zh"); NULL: its
 * own. Errors: as sk_tokenize, SK_ARGUMENT. */
SK_API int32_t sk_chat_tokens(const sk_model*, const sk_message* messages, size_t message_count,
                              const char* think, int32_t* ids, size_t capacity,
                              size_t* count); /* ids NULL: count only */

/* No vocabulary is needed and there are no texts, only ids; `messages` and `stop` are not for it.
 */
#define SK_GENERATE_IDS 1u
/* Events tell the token's log-probability. */
#define SK_GENERATE_LOGPROBS 2u

/* All zeros but `size` are the defaults, but that there has to be a prompt or messages. All is
 * copied. */
typedef struct sk_generate_params {
  uint32_t size;
  uint32_t flags;        /* of SK_GENERATE_*; one that is not known is SK_ARGUMENT */
  const int32_t* prompt; /* read first; with its length */
  size_t prompt_count;
  const sk_message* messages; /* instead of `prompt`, and from a fresh state: sk_chat_tokens() of */
  size_t message_count;       /* them is read, and the answer ends where a turn does */
  const char* think;          /* with `messages`, as for sk_chat_tokens(); NULL: the model's own */
  const sk_sampling* sampling; /* NULL: its defaults */
  const char* const* stop;     /* ends before any of these texts; with their number */
  size_t stop_count;
  int64_t max_tokens;   /* 0: no limit */
  int64_t think_budget; /* tokens of a thought after which it is closed; 0: no limit */
  int32_t draft;        /* guesses tried in a pass, 0 (none) to 64: the same text, sooner
                           where it repeats itself */
  int32_t top_logprobs; /* how many of the likeliest tokens each event tells */
  /* The first version ends here. */
  const sk_constraint* constraint; /* of the answer, behind a thought where it begins with one;
                                      of the same vocabulary. NULL: none */
  const char* constrained_text;    /* with a prompt: what stands of the answer already, in the */
  size_t constrained_size;         /* state or at the prompt's end; so a saved one goes on */
} sk_generate_params;

/* Begins after `state`, which is copied; NULL: a fresh one. It moves when the engine is stepped.
 * Errors: SK_ARGUMENT, SK_MISMATCH (the state of another model, a constraint of another
 * vocabulary), SK_MEMORY, as sk_tokenize and sk_constraint_new. */
SK_API int32_t sk_generation_start(sk_engine*, const sk_state* state, const sk_generate_params*,
                                   sk_generation** out);

typedef enum sk_finish {
  SK_FINISH_NONE = 0,        /* it goes on */
  SK_FINISH_STOP = 1,        /* a stop text, or the end of the turn */
  SK_FINISH_END_OF_TEXT = 2, /* the model ended the document */
  SK_FINISH_LENGTH = 3,      /* max_tokens */
  SK_FINISH_CANCELLED = 4,   /* by sk_generation_cancel() */
  SK_FINISH_ERROR = 5,       /* which the call that gave the last event returned */
  SK_FINISH_COMPLETE = 6     /* of what a constraint allows nothing can follow */
} sk_finish;

typedef struct sk_token_logprob {
  int32_t id;
  uint32_t reserved;
  double logprob; /* natural logarithm, of the model's own distribution */
} sk_token_logprob;

/* What a step brought. A token's text may come with a later one, or not at all where a stop
 * swallows it, so texts and ids do not go in pairs. Texts are whole characters, not ended by NUL,
 * and live until the generation's next event or its end. */
struct sk_event {
  uint32_t size;
  int32_t id;     /* drawn or put there; -1: none, only the end */
  int32_t finish; /* sk_finish; not 0: this is the last event */
  int32_t forced; /* 1: put there by think_budget, or as all that a constraint allows */
  const char* text;
  size_t text_size;
  const char* thinking; /* what belongs to a thought, to be shown before `text` */
  size_t thinking_size;
  double logprob;              /* with SK_GENERATE_LOGPROBS or top_logprobs, else 0 */
  const sk_token_logprob* top; /* with top_logprobs: the likeliest, best first */
  size_t top_count;
};

/* Stores the event that waits and 1 in `got`, or 0 where none does. A generation goes on when its
 * event was fetched: one that nobody listens to waits and costs nothing. An error that ended it is
 * this call's with its last event: `got` is 1 then, and `out` is filled. */
SK_API int32_t sk_generation_poll(sk_generation*, struct sk_event* out, int32_t* got);
/* The same, stepping the engine until there is one. After the last event: SK_ARGUMENT. */
SK_API int32_t sk_generation_next(sk_generation*, struct sk_event* out);
/* It ends at the next step, with the text that was held back; where an event waits, at the step
 * after that was fetched. From any thread. */
SK_API int32_t sk_generation_cancel(sk_generation*);
/* After SK_FINISH_LENGTH or SK_FINISH_CANCELLED (a cancel may come too late: look at `finish`):
 * goes on as if it had not ended, for at most `more` tokens from here (0: no limit). What was held
 * back at that end has been shown, also the beginning of a stop text. */
SK_API int32_t sk_generation_resume(sk_generation*, int64_t more);

struct sk_generation_info {
  uint32_t size;
  int32_t finish;         /* sk_finish; the other figures are those at its last event */
  uint64_t prompt_tokens; /* to be read */
  uint64_t prompt_read;   /* of those, also while it runs */
  uint64_t tokens;        /* generated */
  uint64_t thought_tokens;
  uint64_t drafted; /* guesses tried */
  uint64_t accepted;
  uint64_t fingerprint; /* of all logits, the same on every machine; 0: not known */
};
/* SK_FINISH_NONE while it runs. For the thread that fetches its events. */
SK_API int32_t sk_generation_info(const sk_generation*, struct sk_generation_info* out);

/* A copy of the state that has read exactly what was shown, and not what ends the turn. After the
 * end only (SK_ARGUMENT); the first time what is missing is read, stepping the engine, which may be
 * tried again after an error. Then it cannot be resumed any more. */
SK_API int32_t sk_generation_state(sk_generation*, sk_state** out);
/* The tokens that this state has read since it began: the prompt's, and those of what was shown.
 * They are not always those of the events: a text that ends inside a token is read as other tokens.
 * For sk_state_save(). */
SK_API int32_t sk_generation_tokens(sk_generation*, int32_t* ids, size_t capacity,
                                    size_t* count); /* ids NULL: count only */
/* Cancels it where it runs. Its engine forgets it at the next step. */
SK_API void sk_generation_free(sk_generation*);

/* ---- Hidden states ----------------------------------------------------------------------------
 */

/* Feeds tokens to a state as sk_eval does, and gives what the logits would be computed from: the
 * last layer's result after the last norm, `width` floats (sk_model_info) after the last token or,
 * with SK_WANT_ALL, after each. The head is not computed. For embeddings: the last one, or the
 * mean. `capacity` is in floats. Errors: as sk_eval. */
SK_API int32_t sk_eval_hidden(sk_model*, sk_state*, const int32_t* tokens, size_t count,
                              int32_t want, float* hidden, size_t capacity);

/* ---- Scores ---------------------------------------------------------------------------------- */

/* The log-probability of each token after the first, given those before it: `logprobs` has room for
 * count - 1 doubles. `best`, which may be NULL: 1 where the token is the likeliest. The state reads
 * all of the tokens. Errors: as sk_eval, but the state is then as it was and what was stored means
 * nothing. */
SK_API int32_t sk_score(sk_model*, sk_state*, const int32_t* tokens, size_t count, double* logprobs,
                        uint8_t* best);

#ifdef __cplusplus
#if defined(__GNUC__)
#pragma GCC diagnostic pop
#endif
}
#endif

#endif
