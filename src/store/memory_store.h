// A store in this process's memory, which ends with it.
#pragma once

#include <memory>

#include "store/store.h"

namespace skein::store {

std::unique_ptr<Store> memory_store(Options options);

// No more of each than a sixteenth of the memory that is free, where that is known.
Budget within_memory(Budget most);

}  // namespace skein::store
