// Signals wait, in this thread and those it starts, while one lives: for moments in which something
// is neither whole nor known to be there (base/leftovers.h), and for worker threads, which have no
// business with the handlers of a program. Those that stand for a fault of the thread itself come.
#pragma once

#include <pthread.h>
#include <signal.h>

namespace skein {

class SignalsHeld {
 public:
  SignalsHeld() {
    sigset_t all;
    sigfillset(&all);
    for (const int fault : {SIGBUS, SIGSEGV, SIGFPE, SIGILL, SIGTRAP, SIGABRT})
      sigdelset(&all, fault);
    held_ = ::pthread_sigmask(SIG_BLOCK, &all, &before_) == 0;
  }
  ~SignalsHeld() {
    if (held_) ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
  }
  SignalsHeld(const SignalsHeld&) = delete;
  SignalsHeld& operator=(const SignalsHeld&) = delete;

 private:
  sigset_t before_;
  bool held_ = false;
};

}  // namespace skein
