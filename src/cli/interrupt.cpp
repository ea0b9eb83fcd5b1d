#include "cli/interrupt.h"

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

#include "cli/console.h"

namespace skein::cli::interrupt {
namespace {

// A signal handler may touch atomics and little else.
std::atomic<bool> asked{false};
std::atomic<int> scopes{0};
std::atomic<int64_t> last_ms{0};
termios first_mode;
std::atomic<bool> has_mode{false};

constexpr int64_t kMomentMs = 1000;

[[noreturn]] void leave() {
  if (has_mode.load()) ::tcsetattr(STDIN_FILENO, TCSANOW, &first_mode);
  if (::isatty(STDERR_FILENO) == 1) (void)!::write(STDERR_FILENO, "\n", 1);
  ::_exit(kInterrupted);
}

void on_interrupt(int) {
  const int kept_errno = errno;
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC, &now);
  const int64_t ms = int64_t{now.tv_sec} * 1000 + now.tv_nsec / 1'000'000;
  const int64_t before = last_ms.exchange(ms);
  if (scopes.load() == 0 || (before != 0 && ms - before < kMomentMs)) leave();
  asked.store(true);
  errno = kept_errno;
}

}  // namespace

void install() {
  if (::tcgetattr(STDIN_FILENO, &first_mode) == 0) has_mode.store(true);
  struct sigaction action {};
  action.sa_handler = on_interrupt;
  sigemptyset(&action.sa_mask);
  action.sa_flags = 0;  // reads return, so that what waits for input can end
  ::sigaction(SIGINT, &action, nullptr);
}

bool requested() { return asked.load(); }
void clear() { asked.store(false); }

Scope::Scope() { scopes.fetch_add(1); }
Scope::~Scope() { scopes.fetch_sub(1); }

}  // namespace skein::cli::interrupt
