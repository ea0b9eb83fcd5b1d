#include "cli/interrupt.h"

#include <cstring>

#include <signal.h>
#include <termios.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

#include "base/interruption.h"
#include "base/leftovers.h"

namespace skein::cli::interrupt {
namespace {

// A signal handler may touch atomics and little else.
std::atomic<int> asked{0};  // the signal; 0: none
std::atomic<int> scopes{0};
std::atomic<int64_t> last_ms{0};
termios first_mode;
std::atomic<bool> has_mode{false};
std::atomic<const char*> farewell{nullptr};

constexpr int64_t kMomentMs = 1000;
constexpr long kReminderNs = 20'000'000;
constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};
constexpr int kEnds[] = {SIGQUIT, SIGXCPU};  // never a request

int exit_code_of(int signal) { return 128 + signal; }

// A signal may come a moment before a call that waits, and would not end that one. Until somebody
// has asked for it, others follow that do nothing but end what waits. They have a number of their
// own: SIGALRM may be somebody else's.
const int kReminder = SIGRTMAX - 1;
timer_t reminder;
bool has_reminder = false;
std::atomic<bool> reminding{false};

void remind(bool on) {
  reminding.store(on);
  if (!has_reminder) return;
  const timespec every = {.tv_sec = 0, .tv_nsec = on ? kReminderNs : 0};
  const itimerspec timer = {.it_interval = every, .it_value = every};
  ::timer_settime(reminder, 0, &timer, nullptr);
}

void on_reminder(int) {}

[[noreturn]] void leave(int signal) {
  remove_leftovers();
  if (has_mode.load()) ::tcsetattr(STDIN_FILENO, TCSANOW, &first_mode);
  if (const char* text = farewell.load()) (void)!::write(STDOUT_FILENO, text, std::strlen(text));
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
  remind(true);
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
  action.sa_handler = leave;
  for (const int signal : kEnds) {
    struct sigaction before {};
    if (::sigaction(signal, nullptr, &before) == 0 && before.sa_handler == SIG_DFL)
      ::sigaction(signal, &action, nullptr);
  }
  action.sa_handler = on_reminder;
  ::sigaction(kReminder, &action, nullptr);
  sigevent event{};
  event.sigev_notify = SIGEV_SIGNAL;
  event.sigev_signo = kReminder;
  has_reminder = ::timer_create(CLOCK_MONOTONIC, &event, &reminder) == 0;
  set_interruption(requested);
}

bool requested() {
  if (asked.load() == 0) return false;
  if (reminding.load()) remind(false);
  return true;
}
bool leaving() { return requested() && asked.load() != SIGINT; }
int exit_code() { return exit_code_of(requested() ? asked.load() : SIGINT); }

void clear() {
  int only = SIGINT;
  if (asked.compare_exchange_strong(only, 0)) remind(false);
}

Scope::Scope() { scopes.fetch_add(1); }
// A request that nobody asked for while there was time: nothing is half done any more.
Scope::~Scope() {
  if (scopes.fetch_sub(1) == 1 && reminding.load()) leave(asked.load());
}

void set_farewell(const char* text) { farewell.store(text); }

}  // namespace skein::cli::interrupt
