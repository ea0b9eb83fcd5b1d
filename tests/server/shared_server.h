// A server for tests that leave nothing behind, one for each program.
#pragma once

#include "server/test_server.h"

namespace skein::test {

inline uint16_t port() {
  static TestServer server;
  return server.port();
}

}  // namespace skein::test
