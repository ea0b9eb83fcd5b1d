// The models that a server has, and what requests that do not say otherwise get.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "server/host.h"
#include "text/template.h"

namespace skein::server {

struct Served {
  std::shared_ptr<Host> host;
  const text::Profile* profile = nullptr;  // whose sampling values
  const text::Profile* wording = nullptr;  // whose way of writing turns
  text::ThinkMode think = text::ThinkMode::none;
  // A profile's sampling values, with what was set for the server over them and a seed of its own.
  std::function<Result<Sampling>(const text::Profile&, text::ThinkMode)> sampling;
  int64_t created = 0;  // seconds since 1970
};

// What clients may believe a model to read at most. There is no window; programs that are told of
// one cut the conversation's beginning off, which is what a state remembers best.
inline constexpr int64_t kAdvertisedLength = 1048576;

struct Defaults {
  int64_t predict = 4096;     // tokens of a chat's answer; -1: no limit
  int64_t ping_seconds = 15;  // of a stream that has nothing to say; 0: none
  bool strict_model = false;  // a model has to be named as it is
};

}  // namespace skein::server
