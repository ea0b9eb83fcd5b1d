// F5: rwkv.cpp's .bin, whole files.
#include "fuzz/oracle.h"
#include "io/ggmf.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto file = skein::fuzz::bytes_of(data, size);
  skein::fuzz::check_answer(skein::io::read_ggmf(file), file);
  return 0;
}

extern "C" size_t LLVMFuzzerCustomMutator(uint8_t* data, size_t size, size_t max_size,
                                          unsigned seed) {
  const std::string_view head("fmgg\x65\0\0\0", 8);
  return skein::fuzz::mutate_behind(head, data, size, max_size, seed);
}
