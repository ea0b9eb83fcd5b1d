#include "cli/fits.h"

#include "base/limits.h"
#include "base/platform.h"

namespace skein::cli {

Fit fit_of(uint64_t bytes) {
  const uint64_t total = memory_total(), free = memory_available();
  if (total > 0 && bytes > total) return Fit::no;
  return free > 0 && bytes > free ? Fit::not_now : Fit::yes;
}

const char* fit_name(Fit fit) {
  switch (fit) {
    case Fit::yes: return "fits";
    case Fit::not_now: return "not now";
    case Fit::no: return "too large";
  }
  return "";
}

uint64_t memory_for_file(uint64_t bytes) { return bytes + 16 * limits::kMiB; }

}  // namespace skein::cli
