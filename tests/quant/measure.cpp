// The figures of docs/quantisation.md: for every type that has a writer its size, its error on the
// fixtures and that of the fixtures' own files, and how fast one thread writes it.
//   cmake --build build --target measure_quant && build/tests/quant/measure_quant
#include <fmt/format.h>

#include <algorithm>
#include <ctime>
#include <random>

#include "quant/bytes.h"
#include "quant/formats.h"

namespace skein::quant {
namespace {

// Megabytes of f32 read by the writer in a second of processor time, best of five.
double speed(DType type) {
  constexpr size_t kNumbers = size_t{1} << 20;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(0, 0.02f);
  std::vector<float> values(kNumbers);
  for (float& value : values) value = normal(random);
  const BlockSize size = block_size(type);
  std::vector<std::byte> blocks(kNumbers / static_cast<size_t>(size.elements) *
                                static_cast<size_t>(size.bytes));
  double best = 0;
  for (int run = 0; run < 5; ++run) {
    const std::clock_t start = std::clock();
    if (!encode(type, values, blocks)) return 0;
    const double took = static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
    best = std::max(best, kNumbers * sizeof(float) / took / 1e6);
  }
  return best;
}

void print_row(DType type) {
  const BlockSize size = block_size(type);
  std::string line =
      fmt::format("{:7} {:7.4f}", dtype_name(type), 8.0 * size.bytes / size.elements);
  for (const char* source : {"gauss", "edge"}) {
    const auto values = test::quant_fixture<float>(fmt::format("src_{}.f32", source));
    const double ours = test::relative_error(values, test::round_trip(type, values));
    line += fmt::format("  {:7.3f} %", 100 * ours);
    const auto theirs = test::reference_file_error(type, source);
    line += theirs ? fmt::format(" {:7.3f} % {:6.3f}", 100 * *theirs, ours / *theirs)
                   : fmt::format(" {:>9} {:>6}", "-", "-");
  }
  fmt::print("{}  {:6.0f} MB/s\n", line, speed(type));
}

}  // namespace
}  // namespace skein::quant

int main() {
  using namespace skein;
  fmt::print(
      "type    bits/w   gauss: ours  file's     ratio  edge: ours file's     ratio  one thread\n");
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (quant::encodable(type) && block_size(type).bytes != 4) quant::print_row(type);
  }
}
