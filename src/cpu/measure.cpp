#include "cpu/measure.h"

#include <algorithm>
#include <chrono>
#include <cstring>
#include <functional>
#include <vector>

#include "base/clock.h"
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

double product_rate(const Kernels& kernels, Pool& pool, PanelType type, const CodePanels& codes) {
  constexpr int64_t kWidth = 2048, kLeast = int64_t{64} << 20, kMost = int64_t{256} << 20;
  constexpr int kPasses = 3;
  constexpr double kLeastSeconds = 0.05;
  const int64_t panel = quant::panel_bytes(type, codes, kWidth);
  int64_t bytes = std::clamp(2 * static_cast<int64_t>(last_level_cache_bytes()), kLeast, kMost);
  // Measuring is not what a small machine is to be filled with.
  constexpr int64_t kTooLittle = int64_t{4} << 20;
  if (const auto free = memory_available(); free > 0)
    bytes = std::min(bytes, static_cast<int64_t>(std::min<uint64_t>(free / 4, INT64_MAX)));
  if (bytes < kTooLittle) return 0;
  const int64_t panels = bytes / panel, rows = panels * kPanel;
  auto memory = Buffer::make(static_cast<size_t>(panels * panel));
  if (!memory) return 0;
  // A normal number in every type.
  std::memset(memory->data(), 0x3c, memory->size());
  const std::vector<float> x(static_cast<size_t>(kWidth), 1.0f);
  std::vector<float> y(static_cast<size_t>(rows));
  const QuantisedRow row = {.in = kWidth, .group = codes.group};
  std::vector<std::byte> quantised(static_cast<size_t>(row.bytes()) + 64);
  const auto place = reinterpret_cast<uintptr_t>(quantised.data());
  std::byte* aligned = quantised.data() + (64 - place % 64) % 64;
  Linear l = {.panels = memory->data(),
              .type = type,
              .codes = codes,
              .in = kWidth,
              .out = rows,
              .x = x.data(),
              .x_stride = kWidth,
              .y = y.data(),
              .y_stride = rows,
              .tokens = 1};
  if (type == PanelType::codes) {
    kernels.quantise(
        {.x = x.data(), .x_stride = kWidth, .row = row, .bias = codes.bias, .out = aligned},
        {0, 1});
    l.quantised = aligned;
  }
  const std::function<void(int)> work = [&](int index) {
    kernels.linear(l, share(panels, index, pool.size()));
  };
  if (!pool.run(work)) return 0;
  // The mean and not the best: who shares this machine with others, waits for them in every token.
  const auto start = std::chrono::steady_clock::now();
  double seconds = 0;
  int passes = 0;
  for (; passes < kPasses || seconds < kLeastSeconds; ++passes) {
    if (!pool.run(work)) return 0;
    seconds = seconds_since(start);
  }
  return static_cast<double>(panels * panel) * passes / seconds;
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
