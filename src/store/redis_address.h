// Where a Redis is: redis://[USER@]HOST[:PORT][/DATABASE] or redis+unix:/PATH[?db=DATABASE].
#pragma once

#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::store {

struct RedisAddress {
  std::string path;  // of a socket; empty: host and port are meant
  std::string host;
  int port = 6379;
  std::string user;  // empty: the one that Redis calls default
  int database = 0;

  std::string text() const;  // as it was given, and no password is part of it
};

bool is_redis_address(std::string_view text);
// Errors: argument, which does not repeat what may be a password; unsupported (rediss://).
Result<RedisAddress> parse_redis_address(std::string_view text);

}  // namespace skein::store
