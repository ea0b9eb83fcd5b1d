// Another program that runs beside a test, and ends with it at the latest.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

namespace skein::test {

// Where a program of this name is, or nothing.
inline std::string program_named(const std::string& name) {
  for (const char* folder : {"/usr/bin/", "/usr/sbin/", "/usr/local/bin/", "/usr/local/sbin/"})
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  return {};
}

// A port that nobody had a moment ago.
inline uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof(place);
  uint16_t port = 0;
  if (::bind(fd, reinterpret_cast<const sockaddr*>(&place), size) == 0 &&
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&place), &size) == 0)
    port = ntohs(place.sin_port);
  ::close(fd);
  return port;
}

class Daemon {
 public:
  Daemon() = default;
  ~Daemon() { end(SIGKILL); }
  Daemon(const Daemon&) = delete;
  Daemon& operator=(const Daemon&) = delete;

  // What it says goes to the end of a file, or nowhere.
  void start(std::vector<std::string> words, const std::string& output = "/dev/null") {
    std::vector<char*> argv;
    for (std::string& word : words) argv.push_back(word.data());
    argv.push_back(nullptr);
    child_ = ::fork();
    if (child_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    ::dup2(::open("/dev/null", O_RDONLY), 0);
    const int out = ::open(output.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
    for (const int fd : {1, 2}) ::dup2(out, fd);
    for (int fd = 3; fd < 64; ++fd) ::close(fd);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  void send(int signal) const { ::kill(child_, signal); }
  void end(int signal) {
    if (child_ <= 0) return;
    send(signal);
    send(SIGCONT);
    int status = 0;
    ::waitpid(child_, &status, 0);
    child_ = -1;
  }
  // It has not ended by itself.
  bool lives() {
    int status = 0;
    if (child_ > 0 && ::waitpid(child_, &status, WNOHANG) == child_) child_ = -1;
    return child_ > 0;
  }

 private:
  pid_t child_ = -1;
};

}  // namespace skein::test
