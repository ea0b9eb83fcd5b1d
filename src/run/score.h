// How likely a model finds a text, token by token, without keeping logits.
#pragma once

#include <cstdint>
#include <span>

#include "run/engine.h"

namespace skein {

// Reads `ids` into the session and tells of each but the first the natural logarithm of its
// probability after those before it: `logprobs` is [ids - 1], and so is `best`, 1 where no token is
// likelier, or it is empty. The session then stands after all of them, with logits. It is a task of
// the engine like any other. How many were read: all, unless `progress` stopped it. Errors:
// Model::eval's.
Result<size_t> score(Engine& engine, Session& session, std::span<const int32_t> ids,
                     std::span<double> logprobs, std::span<uint8_t> best,
                     const Engine::Progress& progress = {});

}  // namespace skein
