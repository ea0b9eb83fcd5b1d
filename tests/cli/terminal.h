// The skein program on a pseudo-terminal, or with pipes, as a person and a script use it.
#pragma once

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <pty.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <chrono>
#include <cstring>
#include <string>
#include <vector>

namespace skein::test {

inline void become(std::vector<std::string> command) {
  std::vector<char*> raw;
  for (std::string& word : command) raw.push_back(word.data());
  raw.push_back(nullptr);
  ::execv(raw[0], raw.data());
  ::_exit(127);
}

inline std::vector<std::string> skein_command(std::vector<std::string> args) {
  args.insert(args.begin(), SKEIN_PROGRAM);
  return args;
}

inline int exit_code_of(pid_t child) {
  int status = 0;
  if (::waitpid(child, &status, 0) != child) return -1;
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

// Whether this system hands out pseudo-terminals; a chroot without /dev/pts does not.
inline bool has_terminals() {
  const int fd = ::posix_openpt(O_RDWR | O_NOCTTY);
  if (fd < 0) return false;
  const bool usable = ::grantpt(fd) == 0 && ::unlockpt(fd) == 0;
  ::close(fd);
  return usable;
}

#define SK_NEEDS_TERMINAL()            \
  if (!::skein::test::has_terminals()) \
  GTEST_SKIP() << "SKIPPED: this system gives no pseudo-terminals (is /dev/pts mounted?)"

class Terminal {
 public:
  // `environment` is added: "NAME=value".
  explicit Terminal(const std::vector<std::string>& args,
                    std::vector<std::string> environment = {}) {
    winsize size = {.ws_row = 40, .ws_col = 160, .ws_xpixel = 0, .ws_ypixel = 0};
    child_ = ::forkpty(&fd_, nullptr, nullptr, &size);
    EXPECT_GE(child_, 0) << "no pseudo-terminal: " << std::strerror(errno);
    if (child_ == 0) {
      for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
      ::setenv("TERM", "xterm", 1);
      for (std::string& setting : environment) ::putenv(setting.data());
      become(skein_command(args));
    }
  }
  ~Terminal() {
    if (child_ > 0) ::kill(child_, SIGKILL), exit_code_of(child_);
    ::close(fd_);
  }
  Terminal(const Terminal&) = delete;
  Terminal& operator=(const Terminal&) = delete;

  void send(const std::string& text) { (void)!::write(fd_, text.data(), text.size()); }

  // Waits until the program has read all that was sent: nothing waits for it, for a tenth of a
  // second.
  bool wait_until_read() const {
    const int slave = ::open(::ptsname(fd_), O_RDONLY | O_NOCTTY | O_CLOEXEC);
    int quiet = 0;
    for (int i = 0; slave >= 0 && quiet < 10 && i < 2000; ++i) {
      int waiting = 1;
      ::ioctl(slave, FIONREAD, &waiting);
      quiet = waiting == 0 ? quiet + 1 : 0;
      ::usleep(10'000);
    }
    ::close(slave);
    return quiet == 10;
  }

  // The program is told.
  void resize(unsigned short columns, unsigned short rows) const {
    const winsize size = {.ws_row = rows, .ws_col = columns, .ws_xpixel = 0, .ws_ypixel = 0};
    ::ioctl(fd_, TIOCSWINSZ, &size);
  }

  void kill(int signal) const { ::kill(child_, signal); }

  // Waits until what came since the last call holds `text`, and gives all of it; empty after 20 s.
  std::string wait_for(const std::string& text) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    while (std::chrono::steady_clock::now() < deadline) {
      const size_t at = seen_.find(text);
      if (at != std::string::npos) {
        const std::string out = seen_.substr(0, at + text.size());
        seen_.erase(0, at + text.size());
        return out;
      }
      if (!read_some()) break;
    }
    return {};
  }

  // What comes until the program ends, and its exit code; one that has not ended after 20 s is
  // killed.
  int finish(std::string* rest = nullptr) {
    const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(20);
    bool runs = true;
    while (runs && std::chrono::steady_clock::now() < deadline) runs = read_some();
    if (child_ <= 0) return -1;  // kill(-1) would end every process we may end
    if (runs) ::kill(child_, SIGKILL);
    if (rest) *rest = seen_;
    const int code = exit_code_of(child_);
    child_ = -1;
    return code;
  }

 private:
  // False at the end.
  bool read_some() {
    pollfd one = {.fd = fd_, .events = POLLIN, .revents = 0};
    if (::poll(&one, 1, 500) <= 0) return true;
    char block[4096];
    const ssize_t got = ::read(fd_, block, sizeof(block));
    if (got <= 0) return false;
    seen_.append(block, static_cast<size_t>(got));
    return true;
  }

  int fd_ = -1;
  pid_t child_ = -1;
  std::string seen_;
};

struct Output {
  int code = -1;
  std::string out, err;
};

// Runs to the end with `input` as standard input.
inline Output run_program(const std::vector<std::string>& command, const std::string& input = {}) {
  int in[2], out[2], err[2];
  if (::pipe(in) != 0 || ::pipe(out) != 0 || ::pipe(err) != 0) return {};
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(in[0], 0), ::dup2(out[1], 1), ::dup2(err[1], 2);
    for (const int fd : {in[0], in[1], out[0], out[1], err[0], err[1]}) ::close(fd);
    become(command);
  }
  ::close(in[0]), ::close(out[1]), ::close(err[1]);
  (void)!::write(in[1], input.data(), input.size());
  ::close(in[1]);
  Output result;
  pollfd both[2] = {{.fd = out[0], .events = POLLIN, .revents = 0},
                    {.fd = err[0], .events = POLLIN, .revents = 0}};
  for (int open = 2; open > 0;) {
    ::poll(both, 2, -1);
    for (pollfd& one : both) {
      if (one.fd < 0 || one.revents == 0) continue;
      char block[4096];
      const ssize_t got = ::read(one.fd, block, sizeof(block));
      if (got > 0) {
        (one.fd == out[0] ? result.out : result.err).append(block, static_cast<size_t>(got));
      } else {
        one.fd = -1;
        --open;
      }
    }
  }
  ::close(out[0]), ::close(err[0]);
  result.code = exit_code_of(child);
  return result;
}

inline Output run_skein(const std::vector<std::string>& args, const std::string& input = {}) {
  return run_program(skein_command(args), input);
}

}  // namespace skein::test
