// F2: GGUF, whole files. Reading takes no more heap than is promised.
#include "base/limits.h"
#include "fuzz/heap_budget.h"
#include "fuzz/oracle.h"
#include "io/gguf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = skein::fuzz::bytes_of(data, size);
  const skein::fuzz::HeapBudget budget;
  const auto answer = skein::io::read_gguf(file);
  // Files this small must not need the fixed 64 MiB at all.
  skein::fuzz::require(budget.peak() <= skein::limits::kMiB + 16 * size);
  skein::fuzz::check_answer(answer, file);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  const std::string_view head("GGUF\3\0\0\0", 8);
  return skein::fuzz::mutate_behind(head, data, size, max_size, seed);
}
