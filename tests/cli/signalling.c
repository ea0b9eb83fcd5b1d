/* Preloaded into a program, this lets a signal come at the worst moment: just before the first call
 * of SIGNALLING_CALL that may wait, with the number SIGNALLING_NUMBER. A program that looked for
 * signals a moment before would wait on. With SIGNALLING_NO_NAPS its naps end at once. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void come(const char* call) {
  static int came;
  const char* wanted = getenv("SIGNALLING_CALL");
  const char* number = getenv("SIGNALLING_NUMBER");
  if (came || !wanted || !number || strcmp(wanted, call) != 0) return;
  came = 1;
  raise(atoi(number));
}

/* Of standard input. */
ssize_t read(int fd, void* to, size_t count) {
  static ssize_t (*next)(int, void*, size_t);
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "read");
  if (fd == STDIN_FILENO) come("read");
  return next(fd, to, count);
}

/* For standard input. */
int ppoll(struct pollfd* one, nfds_t count, const struct timespec* limit, const sigset_t* mask) {
  static int (*next)(struct pollfd*, nfds_t, const struct timespec*, const sigset_t*);
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "ppoll");
  if (count == 1 && one->fd == STDIN_FILENO) come("ppoll");
  return next(one, count, limit, mask);
}

/* One that will wait. */
ssize_t write(int fd, const void* from, size_t count) {
  static ssize_t (*next)(int, const void*, size_t);
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "write");
  struct pollfd ready = {.fd = fd, .events = POLLOUT};
  if (poll(&ready, 1, 0) == 0) come("write");
  return next(fd, from, count);
}

int usleep(useconds_t time) {
  static int (*next)(useconds_t);
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "usleep");
  come("usleep");
  if (getenv("SIGNALLING_NO_NAPS")) return 0;
  return next(time);
}
