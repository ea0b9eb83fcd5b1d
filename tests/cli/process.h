// A program that runs beside the test: it can be watched, signalled and waited for.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <sstream>
#include <string>
#include <vector>

#include "cli/program.h"

namespace skein::test {

class Process {
 public:
  // Standard output and error go to files of these names. `environment` is added: "NAME=value".
  // `inherited`: what it gets as descriptor 3, with its own id in LISTEN_PID.
  Process(std::vector<std::string> words, const std::filesystem::path& out,
          const std::filesystem::path& err, std::vector<int> ignored = {},
          std::vector<std::string> environment = {}, int inherited = -1) {
    words.insert(words.begin(), SKEIN_PROGRAM);
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    child_ = ::fork();
    if (child_ != 0) return;
    for (const int signal : {SIGINT, SIGTERM, SIGHUP}) ::signal(signal, SIG_DFL);
    for (const int signal : ignored) ::signal(signal, SIG_IGN);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    std::string listens = "LISTEN_PID=" + std::to_string(::getpid());
    if (inherited >= 0) ::dup2(inherited, 3), ::putenv(listens.data());
    for (int fd = inherited >= 0 ? 4 : 3; fd < 64; ++fd) ::close(fd);
    for (std::string& setting : environment) ::putenv(setting.data());
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  ~Process() {
    if (child_ > 0) ::kill(child_, SIGKILL), finish();
  }
  Process(const Process&) = delete;
  Process& operator=(const Process&) = delete;

  // False after 20 s.
  template <typename Ready>
  bool wait_until(const Ready& ready) const {
    for (int i = 0; i < 4000; ++i) {
      if (ready()) return true;
      ::usleep(5'000);
    }
    return false;
  }
  bool catches_signals() const { return catches_interrupt(child_); }
  // Whether it is in the middle of what it does: it has computed for a while, or waits for
  // somebody.
  bool waits_or_works() const {
    const std::string stat = text_of_file("/proc/" + std::to_string(child_) + "/stat");
    const size_t name_end = stat.rfind(')');
    if (name_end == std::string::npos) return false;
    std::istringstream fields(stat.substr(name_end + 1));
    std::string field;
    std::vector<std::string> all;
    while (fields >> field) all.push_back(field);
    if (all.size() < 13) return false;
    const double ticks = std::stod(all[11]) + std::stod(all[12]);  // of the user's and the system's
    const bool waits = all[0] == "S" && ticks == seen_ticks_ && ++quiet_ >= 4;
    if (ticks != seen_ticks_) quiet_ = 0;
    seen_ticks_ = ticks;
    return waits || ticks >= 0.1 * static_cast<double>(::sysconf(_SC_CLK_TCK));
  }
  // Whether it has something open whose path begins like this, a file without a name too.
  bool has_open(const std::string& beginning) const {
    std::error_code error;
    const auto folder = "/proc/" + std::to_string(child_) + "/fd";
    for (std::filesystem::directory_iterator at(folder, error), end; !error && at != end;
         at.increment(error)) {
      std::error_code gone;
      if (std::filesystem::read_symlink(at->path(), gone).string().starts_with(beginning))
        return true;
    }
    return false;
  }
  void send(int signal) const { ::kill(child_, signal); }
  // Its exit code, or 1000 + the signal that ended it. One that goes on for 20 s is killed.
  int finish() {
    int status = 0;
    for (int i = 0; child_ > 0; ++i) {
      if (i == 4000) ::kill(child_, SIGKILL);
      if (::waitpid(child_, &status, i < 4000 ? WNOHANG : 0) == child_) child_ = -1;
      if (child_ > 0) ::usleep(5'000);
    }
    return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  }

 private:
  pid_t child_ = -1;
  mutable double seen_ticks_ = -1;
  mutable int quiet_ = 0;
};

}  // namespace skein::test
