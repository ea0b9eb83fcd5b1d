// Which of rwkv.cpp's numbers says best why a model could not be opened. Those are finer than
// Skein's codes, so a file that failed is looked at once more.
#pragma once

#include "base/error.h"
#include "compat/errors.h"

namespace skein::compat {

Failure opening_failure(const char* path, Error error);

}  // namespace skein::compat
