// The service manager that started the program, systemd or another that speaks as it does: what it
// is told, whether it hears that the program lives, and a socket that it opened beforehand.
#pragma once

#include <chrono>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::cli {

class ServiceManager {
 public:
  // What the environment says of one (NOTIFY_SOCKET, WATCHDOG_USEC, LISTEN_FDS), which is taken out
  // of it: no other program is meant. Error: argument (several sockets were opened).
  static Result<ServiceManager> find();
  ServiceManager(ServiceManager&& other) noexcept;
  ServiceManager& operator=(ServiceManager&&) = delete;
  ~ServiceManager();

  // The one that it opened, which is the caller's.
  std::optional<int> socket() const { return socket_; }

  // Lines of sd_notify(3), which go nowhere if nobody wants them. Error: io.
  Status tell(std::string_view lines);
  Status ready(std::string_view status) { return tell("READY=1\n" + status_line(status)); }
  Status stopping() { return tell("STOPPING=1\n" + status_line("finishing what is under way")); }
  Status status(std::string_view text) { return tell(status_line(text)); }
  // To be called often, by the thread whose life it is about: says so as often as was asked for.
  void beat();

 private:
  ServiceManager() = default;
  static std::string status_line(std::string_view text);

  std::string name_;  // of the socket of what it is told, as bind() has it
  int fd_ = -1;
  std::optional<int> socket_;
  std::chrono::microseconds interval_{0};  // 0: it does not ask
  std::chrono::steady_clock::time_point next_{};
};

}  // namespace skein::cli
