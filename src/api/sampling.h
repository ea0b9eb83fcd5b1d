// What a caller says of sampling.
#pragma once

#include "run/sampler.h"
#include "skein/skein.h"

namespace skein::api {

// NULL stands for the defaults. Errors: argument, but for ranges, which Sampler::create() knows.
Result<Sampling> parse_sampling(const sk_sampling* given);

}  // namespace skein::api
