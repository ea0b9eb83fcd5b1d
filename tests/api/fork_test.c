/* fork_test MODEL: what a forked process may do with a model that its parent has opened, which is
 * how Python's multiprocessing uses a library. Every child has a watchdog, so that a hang is a
 * failure and not a wait. */
#include <pthread.h>
#include <signal.h>
#include <skein/skein.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kTokens = 48, kSeconds = 20, kVocab = 4096 };

static const char* path;
static int bad;
static int32_t ids[kTokens];

struct opened {
  sk_model* model;
  sk_state* state;
  sk_sampler* sampler;
  size_t vocab;
};

#define MUST(call)                                                                  \
  do {                                                                              \
    const int32_t code_ = (call);                                                   \
    if (code_ != SK_OK) {                                                           \
      fprintf(stderr, "%s:%d: %s: %d, %s\n", __FILE__, __LINE__, #call, (int)code_, \
              sk_last_error());                                                     \
      _exit(1);                                                                     \
    }                                                                               \
  } while (0)

static struct opened open_model(int threads) {
  struct opened out = {NULL, NULL, NULL, 0};
  struct sk_model_params params;
  memset(&params, 0, sizeof params);
  params.size = sizeof params;
  params.threads = threads;
  MUST(sk_model_open(path, &params, &out.model));
  MUST(sk_state_new(out.model, &out.state));
  MUST(sk_sampler_new(out.model, NULL, &out.sampler));
  struct sk_model_info info;
  memset(&info, 0, sizeof info);
  info.size = sizeof info;
  MUST(sk_model_info(out.model, &info));
  out.vocab = (size_t)info.vocab;
  if (out.vocab > kVocab) _exit(1);
  return out;
}

static void close_all(struct opened* it) {
  sk_sampler_free(it->sampler);
  sk_state_free(it->state);
  sk_model_close(it->model);
}

/* The logits after all tokens, from a fresh state. Enough tokens for all threads to take part. */
static void compute(struct opened* it, float* logits) {
  MUST(sk_state_reset(it->state));
  MUST(sk_eval(it->model, it->state, ids, kTokens, SK_WANT_LAST, logits, it->vocab));
}

static void check(const struct opened* it, const float* a, const float* b) {
  if (memcmp(a, b, it->vocab * sizeof *a) == 0) return;
  fprintf(stderr, "the logits differ\n");
  _exit(1);
}

typedef void deed(struct opened* it, const float* expected);

static void evaluates(struct opened* it, const float* expected) {
  static float logits[kVocab];
  for (int i = 0; i < 3; ++i) {
    compute(it, logits);
    check(it, logits, expected);
  }
}

static void uses_the_rest(struct opened* it, const float* expected) {
  size_t count = 0, size = 0;
  static int32_t out[64];
  static char bytes[1 << 20];
  int32_t id = 0;
  MUST(sk_tokenize(it->model, "some words", 10, out, 64, &count));
  MUST(sk_sampler_sample(it->sampler, expected, it->vocab, 0, &id));
  MUST(sk_sampler_accept(it->sampler, id));
  MUST(sk_state_export(it->state, SK_STATE_NATIVE, bytes, sizeof bytes, &size));
}

static void closes(struct opened* it, const float* expected) {
  (void)expected;
  close_all(it);
}

static void evaluates_and_closes(struct opened* it, const float* expected) {
  evaluates(it, expected);
  close_all(it);
}

static void opens_another(struct opened* it, const float* expected) {
  for (int threads = 1; threads <= 3; ++threads) {
    struct opened other = open_model(threads);
    evaluates(&other, expected);
    close_all(&other);
  }
  evaluates(it, expected);
  close_all(it);
}

static void closes_and_opens(struct opened* it, const float* expected) {
  close_all(it);
  struct opened other = open_model(2);
  evaluates(&other, expected);
  close_all(&other);
}

static int wait_for(pid_t pid, const char* what, int threads) {
  int status = 0;
  waitpid(pid, &status, 0);
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return 0;
  if (WIFSIGNALED(status))
    fprintf(stderr, "%d threads: a child that %s: signal %d (%s)\n", threads, what,
            WTERMSIG(status), strsignal(WTERMSIG(status)));
  else
    fprintf(stderr, "%d threads: a child that %s: exit %d\n", threads, what, WEXITSTATUS(status));
  return 1;
}

static void forks_again(struct opened* it, const float* expected) {
  evaluates(it, expected);
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(kSeconds);
    evaluates_and_closes(it, expected);
    _exit(0);
  }
  if (wait_for(pid, "is a grandchild", 0)) _exit(1);
  evaluates(it, expected);
}

/* ---- While another thread of the parent is inside the library -------------------------------- */

static volatile int stop;
static struct opened busy;

static void* keeps_computing(void* unused) {
  static float logits[kVocab];
  (void)unused;
  while (!stop) compute(&busy, logits);
  return NULL;
}

/* The model may be in the middle of a step: then it is refused, and otherwise it works. It can be
 * closed, and another be opened, in any case. */
static void copes(struct opened* it, const float* expected) {
  static float logits[kVocab];
  sk_state* fresh = NULL;
  MUST(sk_state_new(it->model, &fresh));
  const int32_t code = sk_eval(it->model, fresh, ids, kTokens, SK_WANT_LAST, logits, it->vocab);
  if (code == SK_OK) {
    check(it, logits, expected);
  } else if (code != SK_ARGUMENT || !strstr(sk_last_error(), "forked")) {
    fprintf(stderr, "sk_eval in mid-step: %d, %s\n", (int)code, sk_last_error());
    _exit(1);
  }
  sk_state_free(fresh);
  struct opened other = open_model(2);
  evaluates(&other, expected);
  close_all(&other);
  close_all(it);
  _exit(code == SK_OK ? 0 : 3);
}

static void in_mid_step(int threads, const float* expected) {
  busy = open_model(threads);
  stop = 0;
  pthread_t thread;
  if (pthread_create(&thread, NULL, keeps_computing, NULL) != 0) exit(1);
  int refused = 0, worked = 0;
  for (int i = 0; i < 20 && (refused < 3 || worked < 3); ++i) {
    usleep(1000 + 137 * (useconds_t)i);
    const pid_t pid = fork();
    if (pid == 0) {
      alarm(kSeconds);
      copes(&busy, expected);
    }
    int status = 0;
    waitpid(pid, &status, 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 3) {
      ++refused;
    } else if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
      ++worked;
    } else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0) {
      fprintf(stderr, "%d threads, in mid-step: status %x\n", threads, (unsigned)status);
      bad = 1;
    }
  }
  stop = 1;
  pthread_join(thread, NULL);
  close_all(&busy);
  if (refused == 0) {
    fprintf(stderr, "%d threads: no fork came in the middle of a step\n", threads);
    bad = 1;
  }
}

/* ---- A sink that forks ----------------------------------------------------------------------- */

static int sunk;

static void sink(int32_t level, const char* text, void* user) {
  (void)level, (void)text;
  const float* expected = user;
  if (sunk++) return;
  const pid_t pid = fork();
  if (pid == 0) {
    alarm(kSeconds);
    sk_log_set(NULL, NULL);
    struct opened other = open_model(2);
    evaluates(&other, expected);
    close_all(&other);
    _exit(0);
  }
  bad |= wait_for(pid, "was forked by a log sink", 2);
}

int main(int argc, char** argv) {
  static const struct {
    const char* what;
    deed* does;
  } deeds[] = {
      {"evaluates", evaluates},
      {"uses the rest", uses_the_rest},
      {"closes", closes},
      {"evaluates and closes", evaluates_and_closes},
      {"opens another", opens_another},
      {"closes and opens", closes_and_opens},
      {"forks again", forks_again},
  };
  if (argc != 2) return 2;
  path = argv[1];
  for (int i = 0; i < kTokens; ++i) ids[i] = (7 * i + 3) % 97;
  static float expected[kVocab], logits[kVocab];
  struct opened first = open_model(1);
  compute(&first, expected);
  close_all(&first);
  /* All deeds before and after steps, left in both ways; half of the combinations, or all. */
  const int thorough = getenv("SKEIN_TESTS") != NULL;
  for (int threads = 1; threads <= 3; ++threads) {
    struct opened it = open_model(threads);
    for (int used = 0; used < 2; ++used) { /* forked before the first step, and after some */
      for (size_t i = 0; i < sizeof deeds / sizeof deeds[0]; ++i) {
        for (int leaves = 0; leaves < 2; ++leaves) { /* by _exit() and by exit() */
          if (!thorough && (i + (size_t)(leaves + used + threads)) % 2 != 0) continue;
          fflush(NULL);
          const pid_t pid = fork();
          if (pid == 0) {
            alarm(kSeconds);
            deeds[i].does(&it, expected);
            if (leaves) exit(0);
            _exit(0);
          }
          bad |= wait_for(pid, deeds[i].what, threads);
          if (!used) continue;
          compute(&it, logits); /* the parent goes on as if nothing had been */
          check(&it, logits, expected);
        }
      }
      compute(&it, logits);
      check(&it, logits, expected);
    }
    close_all(&it);
    in_mid_step(threads, expected);
  }
  sk_log_set(sink, expected);
  struct opened last = open_model(2);
  compute(&last, logits);
  check(&last, logits, expected);
  close_all(&last);
  if (sunk == 0) bad = 1;
  return bad;
}
