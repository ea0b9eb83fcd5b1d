#include "cli/interrupt.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

#include "base/leftovers.h"

namespace skein::cli::interrupt {
namespace {

// A signal handler may touch atomics and little else.
std::atomic<int> asked{0};  // the signal; 0: none
std::atomic<int> scopes{0};
std::atomic<int64_t> last_ms{0};
termios first_mode;
std::atomic<bool> has_mode{false};

constexpr int64_t kMomentMs = 1000;
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

int exit_code_of(int signal) { return 128 + signal; }

[[noreturn]] void leave(int signal) {
  remove_leftovers();
  if (has_mode.load()) ::tcsetattr(STDIN_FILENO, TCSANOW, &first_mode);
  if (::isatty(STDERR_FILENO) == 1) (void)!::write(STDERR_FILENO, "\n", 1);
  ::_exit(exit_code_of(signal));
}

void on_signal(int signal) {
  const int kept_errno = errno;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t ms = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  const int64_t before = last_ms.exchange(ms);
  const bool again = asked.load() != 0 || (before != 0 && ms - before < kMomentMs);
  if (scopes.load() == 0 || again) leave(signal);
  asked.store(signal);
  errno = kept_errno;
}

}  // namespace

void install() {
  if (::tcgetattr(STDIN_FILENO, &first_mode) == 0) has_mode.store(true);
  struct sigaction action {};
  action.sa_handler = on_signal;
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaddset(&action.sa_mask, signal);
  action.sa_flags = 0;  // reads return, so that what waits for input can end
  for (const int signal : kSignals) {
    struct sigaction before {};
    // A shell's background jobs ignore SIGINT; who sends it to one by name means it.
    if (signal != SIGINT && ::sigaction(signal, nullptr, &before) == 0 &&
        before.sa_handler == SIG_IGN)
      continue;
    ::sigaction(signal, &action, nullptr);
  }
}

bool requested() { return asked.load() != 0; }
bool leaving() { return requested() && asked.load() != SIGINT; }
int exit_code() { return exit_code_of(requested() ? asked.load() : SIGINT); }

void clear() {
  int only = SIGINT;
  asked.compare_exchange_strong(only, 0);
}

Scope::Scope() { scopes.fetch_add(1); }
Scope::~Scope() { scopes.fetch_sub(1); }

}  // namespace skein::cli::interrupt
