#include "cli/service_manager.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "cli/options.h"

namespace skein::cli {
namespace {

constexpr int kFirstSocket = 3;  // sd_listen_fds(3)

std::string taken(const char* variable) {
  const char* value = std::getenv(variable);
  std::string out = value ? value : "";
  ::unsetenv(variable);
  return out;
}

uint64_t number(const std::string& text) {
  uint64_t out = 0;
  return convert(text, out) ? out : 0;
}

// Or of another process: a shell between the two passes the environment on.
bool is_ours(const std::string& pid) { return number(pid) == static_cast<uint64_t>(::getpid()); }

}  // namespace

Result<ServiceManager> ServiceManager::find() {
  ServiceManager out;
  // A path, or with a @ a name that is in no folder; addresses of virtual machines are not taken.
  const std::string name = taken("NOTIFY_SOCKET");
  if (name.size() > 1 && (name[0] == '/' || name[0] == '@') &&
      name.size() < sizeof(sockaddr_un::sun_path)) {
    out.name_ = name;
    if (name[0] == '@') out.name_[0] = '\0';
    out.fd_ = ::socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  }
  const uint64_t patience = number(taken("WATCHDOG_USEC"));
  const std::string watched = taken("WATCHDOG_PID");
  if (watched.empty() || is_ours(watched)) out.interval_ = std::chrono::microseconds(patience / 2);
  const bool ours = is_ours(taken("LISTEN_PID"));
  const uint64_t sockets = number(taken("LISTEN_FDS"));
  taken("LISTEN_FDNAMES");
  if (!ours || sockets == 0) return out;
  if (sockets > 1)
    return fail(Code::argument,
                "the service manager opened {} sockets, and one is served; leave one ListenStream= "
                "in skein.socket",
                sockets);
  ::fcntl(kFirstSocket, F_SETFD, FD_CLOEXEC);
  out.socket_ = kFirstSocket;
  return out;
}

ServiceManager::ServiceManager(ServiceManager&& other) noexcept
    : name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      socket_(other.socket_),
      interval_(other.interval_),
      next_(other.next_) {}

ServiceManager::~ServiceManager() {
  if (fd_ >= 0) ::close(fd_);
}

std::string ServiceManager::status_line(std::string_view text) {
  return "STATUS=" + escaped(text) + "\n";
}

Status ServiceManager::tell(std::string_view lines) {
  if (fd_ < 0) return {};
  sockaddr_un to{};
  to.sun_family = AF_UNIX;
  std::memcpy(to.sun_path, name_.data(), name_.size());
  const auto size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name_.size());
  // Nothing here waits for a manager that does not read.
  const ssize_t sent = ::sendto(fd_, lines.data(), lines.size(), MSG_NOSIGNAL | MSG_DONTWAIT,
                                reinterpret_cast<const sockaddr*>(&to), size);
  if (sent == static_cast<ssize_t>(lines.size())) return {};
  return fail(Code::io, "the service manager could not be told \"{}\": {}",
              escaped(lines.substr(0, lines.find('\n'))), std::strerror(errno));
}

void ServiceManager::beat() {
  if (interval_.count() == 0) return;
  const auto now = std::chrono::steady_clock::now();
  if (now < next_) return;
  // What is lost is said again at the next call.
  if (tell("WATCHDOG=1\n")) next_ = now + interval_;
}

}  // namespace skein::cli
