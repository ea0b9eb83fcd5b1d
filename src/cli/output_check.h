// What can be wrong with the name of an output is told before the work, not after it.
#pragma once

#include <string>
#include <vector>

#include "base/error.h"

namespace skein::cli {

// An output that is not wanted (an empty name) passes. Errors: io (base/output_place.h: a folder, a
// folder that is not there), argument (it is one of the inputs, which may be empty names too).
Status check_output(const std::string& output, const std::vector<std::string>& inputs = {});

}  // namespace skein::cli
