/* Preloaded into a program, this makes one of its allocations fail.
 *
 * It serves requests before main() begins: for each 8-byte number n that comes on descriptor
 * FAILING_REQUESTS the process forks, and the child goes on into main() with its n-th allocation
 * failing (0: none). What became of it goes to FAILING_ANSWERS. Starting a program once and not for
 * each place makes a sweep over all of them affordable. Without those descriptors nothing fails.
 *
 * With n = 0 the file FAILING_WAYS gets a number for each allocation, which stands for the calls
 * that led to it: those with the same number need not all be tried.
 *
 * To look at one place: FAILING_AT=n LD_PRELOAD=libfailing.so, under a debugger. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>
#include <unwind.h>

extern void* __libc_malloc(size_t);
extern void* __libc_calloc(size_t, size_t);
extern void* __libc_realloc(void*, size_t);
extern void* __libc_memalign(size_t, size_t);

enum { kWays = 197, kRequests = 198, kAnswers = 199, kSeconds = 30, kDepth = 20 };

/* Shared with the process that serves. */
struct counts {
  int64_t made;
  int64_t failed;
};
static struct counts own;
static struct counts* counted = &own;
static int64_t fail_at = -1; /* not serving */
static __thread int inside;

struct way {
  uint64_t hash;
  int depth;
};

static _Unwind_Reason_Code add_call(struct _Unwind_Context* context, void* user) {
  struct way* way = user;
  way->hash = (way->hash ^ _Unwind_GetIP(context)) * 1099511628211u;
  return ++way->depth < kDepth ? _URC_NO_REASON : _URC_END_OF_STACK;
}

static void note_way(int64_t number) {
  if (inside++ == 0) {
    struct way way = {14695981039346656037u, 0};
    _Unwind_Backtrace(add_call, &way);
    if (pwrite(kWays, &way.hash, sizeof way.hash, (number - 1) * (off_t)sizeof way.hash) < 0)
      _exit(125);
  }
  --inside;
}

static int fails(void) {
  if (fail_at < 0 || inside) return 0;
  const int64_t number = __atomic_add_fetch(&counted->made, 1, __ATOMIC_SEQ_CST);
  if (fail_at == 0) note_way(number);
  if (number != fail_at) return 0;
  __atomic_add_fetch(&counted->failed, 1, __ATOMIC_SEQ_CST);
  errno = ENOMEM;
  return 1;
}

void* malloc(size_t n) { return fails() ? NULL : __libc_malloc(n); }
void* calloc(size_t n, size_t size) { return fails() ? NULL : __libc_calloc(n, size); }
void* realloc(void* p, size_t n) { return fails() ? NULL : __libc_realloc(p, n); }
void* memalign(size_t unit, size_t n) { return fails() ? NULL : __libc_memalign(unit, n); }
void* aligned_alloc(size_t unit, size_t n) { return fails() ? NULL : __libc_memalign(unit, n); }
int posix_memalign(void** out, size_t unit, size_t n) {
  void* made = fails() ? NULL : __libc_memalign(unit, n);
  if (!made) return ENOMEM;
  *out = made;
  return 0;
}

void* mmap(void* at, size_t n, int protection, int flags, int fd, off_t offset) {
  static void* (*real)(void*, size_t, int, int, int, off_t);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "mmap");
  return fails() ? MAP_FAILED : real(at, n, protection, flags, fd, offset);
}
void* mmap64(void* at, size_t n, int protection, int flags, int fd, off_t offset) {
  return mmap(at, n, protection, flags, fd, offset);
}

int pthread_create(pthread_t* out, const pthread_attr_t* how, void* (*begin)(void*), void* user) {
  static int (*real)(pthread_t*, const pthread_attr_t*, void* (*)(void*), void*);
  if (!real) *(void**)&real = dlsym(RTLD_NEXT, "pthread_create");
  return fails() ? EAGAIN : real(out, how, begin, user);
}

__attribute__((constructor)) static void serve(void) {
  int64_t at = 0;
  const char* alone = getenv("FAILING_AT"); /* under a debugger, without a server */
  if (alone) {
    fail_at = atoll(alone);
    return;
  }
  if (read(kRequests, &at, sizeof at) != sizeof at) return; /* nobody asks */
  counted = mmap(NULL, sizeof *counted, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (counted == MAP_FAILED) _exit(125);
  do {
    struct {
      int64_t status, made, failed;
    } answer = {0};
    counted->made = counted->failed = 0;
    const pid_t child = fork();
    if (child == 0) {
      close(kRequests);
      close(kAnswers);
      alarm(kSeconds);
      fail_at = at;
      return;
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child) _exit(125);
    answer.status = status;
    answer.made = counted->made;
    answer.failed = counted->failed;
    if (write(kAnswers, &answer, sizeof answer) != sizeof answer) _exit(125);
  } while (read(kRequests, &at, sizeof at) == sizeof at);
  _exit(0);
}
