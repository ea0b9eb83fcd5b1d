// A Redis of a test's own, on a socket in a folder of its own: it is the machine's redis-server,
// and nobody else's is touched.
#pragma once

#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "support/daemon.h"

namespace skein::test {

class RedisServer {
 public:
  // Empty: the machine has none.
  static std::string program() { return program_named("redis-server"); }

  // `settings`: words as redis-server takes them, "--maxmemory", "10mb".
  explicit RedisServer(std::vector<std::string> settings = {}) : settings_(std::move(settings)) {
    std::string name = (std::filesystem::temp_directory_path() / "redis.XXXXXX").string();
    folder_ = ::mkdtemp(name.data());
    EXPECT_LT(socket().size(), sizeof(sockaddr_un::sun_path)) << "TMPDIR is too long for a socket";
    start();
  }
  ~RedisServer() {
    server_.end(SIGKILL);
    std::error_code error;
    std::filesystem::remove_all(folder_, error);
  }
  RedisServer(const RedisServer&) = delete;
  RedisServer& operator=(const RedisServer&) = delete;

  std::string socket() const { return folder_ + "/s"; }
  std::string address() const { return "redis+unix:" + socket(); }
  std::string log() const {
    std::ifstream file(folder_ + "/log");
    return {std::istreambuf_iterator<char>(file), {}};
  }

  // What was there is there again where the settings say so.
  void start() {
    std::vector<std::string> words = {
        program(),   "--port",         "0",           "--unixsocket", socket(), "--dir", folder_,
        "--logfile", folder_ + "/log", "--daemonize", "no",           "--save", ""};
    words.insert(words.end(), settings_.begin(), settings_.end());
    server_.start(std::move(words));
    bool ready = false;
    for (int i = 0; i < 10'000 && !ready && server_.lives(); ++i) {
      const std::string said = ask({"PING"});
      ready = said.starts_with("+PONG") || said.starts_with("-NOAUTH");
      if (!ready) ::usleep(2000);
    }
    EXPECT_TRUE(ready) << log();
  }
  void send(int signal) const { server_.send(signal); }
  void end(int signal) { server_.end(signal); }

  // What it says to that, as it says it; nothing where there is no answer.
  std::string ask(const std::vector<std::string>& words) const {
    const int fd = ::socket(AF_UNIX, SOCK_STREAM, 0);
    sockaddr_un to{};
    to.sun_family = AF_UNIX;
    std::strncpy(to.sun_path, socket().c_str(), sizeof(to.sun_path) - 1);
    std::string out;
    if (::connect(fd, reinterpret_cast<const sockaddr*>(&to), sizeof(to)) == 0) {
      std::string text = "*" + std::to_string(words.size()) + "\r\n";
      for (const std::string& word : words)
        text += "$" + std::to_string(word.size()) + "\r\n" + word + "\r\n";
      if (::send(fd, text.data(), text.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(text.size())) {
        pollfd place = {fd, POLLIN, 0};
        out.resize(1 << 20);
        const ssize_t got =
            ::poll(&place, 1, 5000) == 1 ? ::recv(fd, out.data(), out.size(), 0) : 0;
        out.resize(got > 0 ? static_cast<size_t>(got) : 0);
      }
    }
    ::close(fd);
    return out;
  }

 private:
  const std::vector<std::string> settings_;
  std::string folder_;
  Daemon server_;
};

}  // namespace skein::test

// Skips a test, loudly, where the machine has no redis-server.
#define SK_NEEDS_REDIS()                             \
  if (::skein::test::RedisServer::program().empty()) \
  GTEST_SKIP() << "SKIPPED: redis-server is not installed here"
