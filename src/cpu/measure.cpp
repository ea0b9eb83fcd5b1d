#include "cpu/measure.h"

#include <algorithm>
#include <chrono>
#include <vector>

#include "base/pool.h"
#include "cpu/dispatch.h"
#include "tensor/buffer.h"

namespace skein::cpu {
namespace {

template <typename Work>
double best_seconds(int passes, const Work& work) {
  double best = 1e30;
  for (int pass = 0; pass < passes; ++pass) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const auto end = std::chrono::steady_clock::now();
    best = std::min(best, std::chrono::duration<double>(end - start).count());
  }
  return best;
}

}  // namespace

Result<double> read_bandwidth(int threads, size_t bytes, int passes) {
  SK_TRY(const Kernels* k, kernels());
  SK_TRY(const Buffer buffer, Buffer::make(bytes));
  Pool pool(threads);
  const auto count = static_cast<int64_t>(bytes / sizeof(float));
  std::vector<float> sums(static_cast<size_t>(pool.size()));
  const auto part = [&](int index) { return share(count, index, pool.size(), 1024); };
  pool.run([&](int index) {  // pages that were never written are all one page of zeros
    const Range range = part(index);
    std::fill(buffer.floats() + range.begin, buffer.floats() + range.end, 1.0f);
  });
  const double seconds = best_seconds(passes, [&] {
    pool.run([&](int index) {
      const Range range = part(index);
      sums[static_cast<size_t>(index)] =
          k->read_stream(buffer.floats() + range.begin, range.end - range.begin);
    });
  });
  return static_cast<double>(bytes) / seconds;
}

Result<double> multiply_add_rate(int threads) {
  constexpr int64_t kRounds = 4'000'000;  // some 15 ms on a wide machine
  SK_TRY(const Kernels* k, kernels());
  Pool pool(threads);
  std::vector<float> sums(static_cast<size_t>(pool.size()));
  int64_t flops = 0;
  const double seconds = best_seconds(5, [&] {
    pool.run([&](int index) {
      int64_t own = 0;
      sums[static_cast<size_t>(index)] = k->multiply_adds(kRounds, &own);
      if (index == 0) flops = own;
    });
  });
  return static_cast<double>(flops * pool.size()) / seconds;
}

}  // namespace skein::cpu
