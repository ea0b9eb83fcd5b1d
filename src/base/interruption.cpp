#include "base/interruption.h"

#include <atomic>

namespace skein {
namespace {
constinit std::atomic<bool (*)()> interruption{nullptr};
}

void set_interruption(bool (*asked)()) { interruption.store(asked); }

bool interruption_asked() {
  bool (*asked)() = interruption.load();
  return asked && asked();
}

}  // namespace skein
