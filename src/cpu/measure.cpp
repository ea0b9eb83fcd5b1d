#include "cpu/measure.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <vector>

#include "base/platform.h"
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
  return std::max(best, 1e-9);
}

}  // namespace

double read_rate(const Kernels& kernels, Pool& pool, bool alone, std::span<const std::byte> data,
                 int passes) {
  const auto* floats = reinterpret_cast<const float*>(data.data());
  const auto count = static_cast<int64_t>(data.size() / sizeof(float));
  if (count == 0) return 0;
  const int parts = alone ? 1 : pool.size();
  std::vector<float> sums(static_cast<size_t>(parts));  // so that no read is left out as unused
  const auto read = [&](int index) {
    const Range range = share(count, index, parts, 1024);
    sums[static_cast<size_t>(index)] =
        kernels.read_stream(floats + range.begin, range.end - range.begin);
  };
  bool ran = true;
  const double seconds = best_seconds(passes, [&] {
    if (alone)
      read(0);
    else
      ran = pool.run(read) && ran;
  });
  return ran ? static_cast<double>(count) * sizeof(float) / seconds : 0;
}

ops::DeviceLimits read_limit(const Kernels& kernels, Pool& pool, bool alone,
                             const PackedWeights& weights, int passes) {
  std::span<const std::byte> data = weights.memory();
  Buffer stand_in;
  const auto bytes = static_cast<size_t>(weights.bytes());
  if (weights.mapped() && bytes < memory_available() / 2) {
    if (auto made = Buffer::make(bytes)) {
      stand_in = std::move(*made);
      std::memset(stand_in.data(), 1, bytes);  // pages come with the first write
      data = {stand_in.data(), bytes};
    }
  }
  return {.read_bandwidth = read_rate(kernels, pool, alone, data, passes),
          .read_bytes = static_cast<int64_t>(data.size()),
          .read_weights = stand_in.size() == 0,
          .huge_pages = huge_page_share(data)};
}

double multiply_add_rate(const Kernels& kernels, Pool& pool, int passes) {
  constexpr int64_t kRounds = 2'000'000;  // some 10 ms
  std::vector<float> sums(static_cast<size_t>(pool.size()));
  int64_t flops = 0;
  bool ran = true;
  const double seconds = best_seconds(passes, [&] {
    const auto job = [&](int index) {
      int64_t own = 0;
      sums[static_cast<size_t>(index)] = kernels.multiply_adds(kRounds, &own);
      if (index == 0) flops = own;
    };
    ran = pool.run(job) && ran;
  });
  if (!ran) return 0;
  return static_cast<double>(flops * pool.size()) / seconds;
}

}  // namespace skein::cpu
