#include "cli/line_device.h"

#include <poll.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <ctime>
#include <string_view>

#include "cli/console.h"
#include "cli/interrupt.h"

namespace skein::cli {
namespace {

std::atomic<bool> resized{false}, continued{false};

void on_resize(int) { resized.store(true); }
void on_continue(int) { continued.store(true); }

// A terminal marks what is pasted where it was asked to (bracketed paste).
constexpr std::string_view kAskForMarks = "\033[?2004h";
constexpr const char* kNoMarks = "\033[?2004l";

void tell_terminal(std::string_view what) {
  (void)!::write(STDOUT_FILENO, what.data(), what.size());
}

// A window that is dragged changes its size many times: it is drawn when it has come to rest.
constexpr int kRestMs = 30;

}  // namespace

LineDevice::LineDevice() {
  usable_ =
      terminal_obeys() && ::isatty(STDOUT_FILENO) == 1 && ::tcgetattr(STDIN_FILENO, &first_) == 0;
  if (!usable_) return;
  // Held but while we wait, so that none comes a moment before.
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGWINCH);
  sigaddset(&held, SIGCONT);
  ::pthread_sigmask(SIG_BLOCK, &held, &before_);
  waiting_ = before_;
  sigdelset(&waiting_, SIGWINCH);
  sigdelset(&waiting_, SIGCONT);
  struct sigaction action {};
  sigemptyset(&action.sa_mask);
  action.sa_handler = on_resize;
  ::sigaction(SIGWINCH, &action, &resize_before_);
  action.sa_handler = on_continue;
  ::sigaction(SIGCONT, &action, &continue_before_);
  set_mode(false);
  // From now on, so that what is pasted while an answer comes has its marks, too.
  tell_terminal(kAskForMarks);
  interrupt::set_farewell(kNoMarks);
}

LineDevice::~LineDevice() {
  if (!usable_) return;
  tell_terminal(kNoMarks);
  interrupt::set_farewell(nullptr);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &first_);
  ::sigaction(SIGWINCH, &resize_before_, nullptr);
  ::sigaction(SIGCONT, &continue_before_, nullptr);
  ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
}

void LineDevice::set_mode(bool editing) {
  termios mode = first_;
  mode.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO | IEXTEN);
  mode.c_lflag |= ISIG;
  mode.c_iflag &= ~static_cast<tcflag_t>(ICRNL | INLCR | IGNCR | IXON | ISTRIP);
  mode.c_oflag |= OPOST | ONLCR;
  mode.c_cc[VMIN] = 1;
  mode.c_cc[VTIME] = 0;
  if (editing) mode.c_cc[VSUSP] = _POSIX_VDISABLE;
  ::tcsetattr(STDIN_FILENO, TCSANOW, &mode);
}

// Whoever had the terminal in between may have left it otherwise.
void LineDevice::begin_line() {
  set_mode(true);
  tell_terminal(kAskForMarks);
}

void LineDevice::end_line() { set_mode(false); }

LineDevice::Event LineDevice::wait(int patience_ms) {
  bool moving = false;
  for (;;) {
    if (interrupt::requested()) return Event::interrupted;
    if (continued.exchange(false)) return Event::continued;
    moving = resized.exchange(false) || moving;
    const int limit_ms = moving ? kRestMs : patience_ms;
    const timespec limit = {.tv_sec = limit_ms / 1000, .tv_nsec = limit_ms % 1000 * 1'000'000L};
    pollfd input = {.fd = STDIN_FILENO, .events = POLLIN, .revents = 0};
    const int found = ::ppoll(&input, 1, limit_ms < 0 ? nullptr : &limit, &waiting_);
    if (found < 0 && errno != EINTR) return Event::closed;
    if (found >= 0 && moving && !resized.load()) return Event::resized;
    if (found > 0) return Event::input;
    if (found == 0 && !moving) return Event::quiet;
  }
}

std::string LineDevice::take() {
  std::string bytes(4096, '\0');
  ssize_t got = 0;
  do got = ::read(STDIN_FILENO, bytes.data(), bytes.size());
  while (got < 0 && (errno == EINTR || errno == EAGAIN) && !interrupt::requested());
  bytes.resize(static_cast<size_t>(std::max<ssize_t>(got, 0)));
  return bytes;
}

LineDevice::Size LineDevice::size() const {
  winsize found{};
  if (::ioctl(STDOUT_FILENO, TIOCGWINSZ, &found) != 0 || found.ws_col == 0) return {};
  return {found.ws_col, found.ws_row > 0 ? found.ws_row : Size{}.rows};
}

void LineDevice::suspend() {
  tell_terminal(kNoMarks);
  ::tcsetattr(STDIN_FILENO, TCSANOW, &first_);
  ::kill(0, SIGTSTP);
  // Here again by SIGCONT, which is held.
  sigset_t held;
  sigemptyset(&held);
  sigaddset(&held, SIGCONT);
  const timespec now = {};
  (void)::sigtimedwait(&held, nullptr, &now);
  begin_line();
}

}  // namespace skein::cli
