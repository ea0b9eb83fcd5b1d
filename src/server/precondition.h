// Which version of a session a request was made for: If-Match and If-None-Match, on every route
// that moves one.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "server/api_error.h"
#include "server/http.h"

namespace skein::server {

struct Precondition {
  bool given = false;
  std::optional<uint64_t> version{};  // 0: there is none; nothing: any, if it is given
};

// If-Match: "3", or *, that there is one; If-None-Match: *, that there is none. Error: 400.
Asked<Precondition> precondition_of(const Head& head);
// `version`: what the session has; 0: there is none. Error: 409.
Asked<void> check(const Precondition& wanted, std::string_view session, uint64_t version);

}  // namespace skein::server
