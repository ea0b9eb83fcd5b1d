// The sockets: one thread that waits for all of them, computes nothing and never waits for one of
// them. listener.cpp is one of the two files that know Boost, and the only one that knows a socket.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "base/error.h"
#include "base/limits.h"
#include "server/site.h"

namespace skein::server {

struct ListenOptions {
  std::string host = "127.0.0.1";  // an address, or "localhost"
  int64_t port = 8080;             // 0: any that is free
  int socket = -1;                 // one that listens already, and is the listener's from here on
  uint64_t body_bytes = limits::kBodyBytes;
  uint64_t bodies_bytes = limits::kBodiesBytes;
  // Shorter ones for tests.
  int64_t header_ms = 1000 * limits::kHeaderSeconds;
  int64_t body_ms = 1000 * limits::kBodySeconds;
  int64_t idle_ms = 1000 * limits::kIdleSeconds;
  int64_t ahead_ms = 1000 * limits::kAheadSeconds;
  int64_t stall_ms = 1000 * limits::kStallSeconds;
  int64_t drain_ms = 1000 * limits::kDrainSeconds;
};

// Whether only programs of this machine reach that address. Error: argument (no address).
Result<bool> is_loopback(const std::string& host);

// The address at which a socket listens. Error: argument (it is none that listens for TCP).
Result<std::string> address_of(int socket);

class Listener {
 public:
  // Listens from here on. Errors: argument (the host is no address of this machine), io (the port
  // is taken or not allowed).
  static Result<std::unique_ptr<Listener>> open(const ListenOptions& options);
  ~Listener();
  Listener(const Listener&) = delete;
  Listener& operator=(const Listener&) = delete;

  uint16_t port() const;
  int64_t connections() const;

  // Serves until `stop_asked`, which is asked often, says so, and then until what is under way is
  // done. `overdue` is called where that takes too long; what is then not done within a second is
  // cut off. On the calling thread.
  void run(Site& site, const std::function<bool()>& stop_asked,
           const std::function<void()>& overdue);

  struct Impl;  // of listener.cpp

 private:
  explicit Listener(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace skein::server
