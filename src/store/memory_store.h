// A store in this process's memory, which ends with it.
#pragma once

#include <memory>

#include "store/store.h"

namespace skein::store {

std::unique_ptr<Store> memory_store(Options options);

}  // namespace skein::store
