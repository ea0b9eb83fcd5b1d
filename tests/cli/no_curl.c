/* Preloaded into a program, this makes it believe that there is no libcurl on this machine. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <string.h>

void* dlopen(const char* name, int flags) {
  static void* (*next)(const char*, int);
  if (name && strncmp(name, "libcurl", 7) == 0) return NULL;
  if (!next) *(void**)&next = dlsym(RTLD_NEXT, "dlopen");
  return next(name, flags);
}
