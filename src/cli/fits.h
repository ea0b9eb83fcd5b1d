// Whether a model that needs so much memory fits this machine.
#pragma once

#include <cstdint>
#include <string>

namespace skein::cli {

enum class Fit { yes, not_now, no };

// `no`: more than this process may have; `not_now`: more than is free at the moment.
Fit fit_of(uint64_t bytes);
const char* fit_name(Fit fit);  // "fits", "not now", "too large"

// About what a file of so many bytes will need when it runs, before anything of it can be read:
// rather a little more, as the embedding stays in the file.
uint64_t memory_for_file(uint64_t bytes);

}  // namespace skein::cli
