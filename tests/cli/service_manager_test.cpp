// skein serve below a service manager, whose part the test plays.
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <cstddef>

#include "cli/serving.h"
#include "server/client.h"

namespace skein::test {
namespace {

// Hears what a service says.
class Manager {
 public:
  // A path, or with a @ a name that is in no folder.
  explicit Manager(const std::string& name) : fd_(::socket(AF_UNIX, SOCK_DGRAM, 0)) {
    sockaddr_un place{};
    place.sun_family = AF_UNIX;
    name.copy(place.sun_path, sizeof(place.sun_path) - 1);
    if (name[0] == '@') place.sun_path[0] = '\0';
    const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    bound_ = ::bind(fd_, reinterpret_cast<const sockaddr*>(&place), size) == 0;
  }
  ~Manager() { ::close(fd_); }
  Manager(const Manager&) = delete;
  Manager& operator=(const Manager&) = delete;
  bool bound() const { return bound_; }
  // The next message that holds the text; empty if none comes in 20 s.
  std::string wait_for(const std::string& text) const {
    for (;;) {
      pollfd wait{.fd = fd_, .events = POLLIN, .revents = 0};
      if (::poll(&wait, 1, 20'000) != 1) return {};
      char bytes[4096];
      const ssize_t count = ::recv(fd_, bytes, sizeof(bytes), 0);
      if (count <= 0) return {};
      const std::string message(bytes, static_cast<size_t>(count));
      if (message.find(text) != std::string::npos) return message;
    }
  }

 private:
  int fd_;
  bool bound_ = false;
};

// A port that listens, as a manager opens one beforehand.
class Opened {
 public:
  explicit Opened(int type = SOCK_STREAM, in_addr_t address = INADDR_LOOPBACK)
      : fd_(::socket(AF_INET, type, 0)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(address);
    socklen_t size = sizeof(place);
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&place), size);
    if (type == SOCK_STREAM) ::listen(fd_, 16);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&place), &size);
    port_ = ntohs(place.sin_port);
  }
  ~Opened() { ::close(fd_); }
  Opened(const Opened&) = delete;
  Opened& operator=(const Opened&) = delete;
  int fd() const { return fd_; }
  uint16_t port() const { return port_; }

 private:
  int fd_;
  uint16_t port_ = 0;
};

TEST(ServiceManager, is_told_of_the_beginning_the_life_and_the_end) {
  const Folder folder;
  for (const std::string& name :
       {(folder / "notify").string(), "@skein-test-" + std::to_string(::getpid())}) {
    const Manager manager(name);
    ASSERT_TRUE(manager.bound()) << name;
    Served served({}, {"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=200000"});
    EXPECT_NE(manager.wait_for("STATUS=loading tiny="), "");
    const std::string ready = manager.wait_for("READY=1\n");
    EXPECT_NE(ready.find("STATUS=serves tiny at http://127.0.0.1:"), std::string::npos) << ready;
    // What is told as ready answers at once.
    EXPECT_EQ(ask(served.port(), "GET", "/health").status, 200);
    EXPECT_EQ(manager.wait_for("WATCHDOG=1"), "WATCHDOG=1\n");
    EXPECT_EQ(manager.wait_for("WATCHDOG=1"), "WATCHDOG=1\n");
    served.process().send(SIGTERM);
    EXPECT_NE(manager.wait_for("STOPPING=1\n"), "");
    EXPECT_EQ(served.process().finish(), 0);
  }
}

TEST(ServiceManager, that_is_gone_is_warned_of_and_stops_nothing) {
  Served served({}, {"NOTIFY_SOCKET=/nowhere/notify"});
  EXPECT_EQ(ask(served.port(), "GET", "/health").status, 200);
  EXPECT_NE(served.err().find("warning: the service manager could not be told \"READY=1\""),
            std::string::npos)
      << served.err();
}

TEST(ServiceManager, opens_the_port_that_is_served) {
  const Opened opened;
  // Who comes before the program waits for it.
  Client early(opened.port());
  early.request("GET", "/health");
  Served served({"--port", "1"}, {"LISTEN_FDS=1"}, opened.fd());
  EXPECT_EQ(served.port(), opened.port()) << served.err();
  EXPECT_EQ(early.read().status, 200);
  served.process().send(SIGTERM);
  EXPECT_EQ(served.process().finish(), 0);
  // The manager still has it: whoever comes now waits for the next one.
  EXPECT_TRUE(Client(opened.port()).connected());
}

TEST(ServiceManager, sockets_that_cannot_be_served_are_refused_with_a_remedy) {
  const auto refused = [](const Opened& opened, const std::string& count,
                          const std::string& remedy) {
    const Folder folder;
    Process process({"serve", Served::kModel}, folder / "out", folder / "err", {},
                    {"LISTEN_FDS=" + count}, opened.fd());
    EXPECT_EQ(process.finish(), 2);
    const std::string err = text_of_file(folder / "err");
    EXPECT_NE(err.find(remedy), std::string::npos) << err;
  };
  refused(Opened(), "2", "opened 2 sockets");
  refused(Opened(SOCK_DGRAM), "1", "none that listens for TCP");
  // A port for other machines needs a key, whoever opened it.
  refused(Opened(SOCK_STREAM, INADDR_ANY), "1", "--api-key");
}

TEST(ServiceManager, what_it_says_to_another_process_is_not_heard) {
  const Opened opened;
  const Served served({}, {"LISTEN_PID=1", "LISTEN_FDS=1"});
  EXPECT_NE(served.port(), 0) << served.err();
  EXPECT_NE(served.port(), opened.port());
}

}  // namespace
}  // namespace skein::test
