// "lora.pth,alpha=32,blend=0.5,only=blocks.*.att.*": an adapter as it is written on a command line.
#pragma once

#include <string_view>

#include "base/error.h"
#include "run/model.h"

namespace skein::cli {

// Error: argument, naming what is wrong.
Result<AdapterFile> parse_adapter(std::string_view text);

}  // namespace skein::cli
