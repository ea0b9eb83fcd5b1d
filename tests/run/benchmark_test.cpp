#include "run/benchmark.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <fstream>

#include "support/fixtures.h"
#include "support/models.h"

namespace skein::test {
namespace {

BenchmarkOptions small() {
  BenchmarkOptions options;
  options.prompt = 6;
  options.decode = 2;
  options.batches = {1, 3};
  options.repeats = 3;
  options.energy = missing_file("powercap");
  return options;
}

const Sample* find(const BenchmarkReport& report, std::string_view name) {
  for (const Sample& sample : report.samples)
    if (sample.name == name) return &sample;
  return nullptr;
}

// A package whose meter counts one joule whenever the benchmark says what it does.
TEST(Benchmark, energy_is_that_of_the_repeats_for_each_token) {
  std::string name = (std::filesystem::temp_directory_path() / "skein-rapl-XXXXXX").string();
  ASSERT_TRUE(::mkdtemp(name.data()));
  const std::filesystem::path folder = name, zone = folder / "intel-rapl:0";
  std::filesystem::create_directory(zone);
  std::ofstream(zone / "max_energy_range_uj") << "262143328850\n";
  uint64_t microjoules = 0;
  const auto tick = [&](const std::string&) {
    std::ofstream(zone / "energy_uj") << (microjoules += 1'000'000) << "\n";
    return true;
  };
  tick("");
  BenchmarkOptions options = small();
  options.energy = folder;
  const auto model = open_model(fixture("models/v7.pth"));
  ASSERT_TRUE(model);
  const auto report = run_benchmark(model, options, tick);
  std::filesystem::remove_all(folder);
  ASSERT_TRUE(report);
  // Of three repeats the second and third are told while the meter is read.
  for (const auto& [sample, tokens] :
       {std::pair{"prefill 6", 6.0}, {"decode", 2.0}, {"decode, 3 sequences", 6.0}}) {
    ASSERT_TRUE(find(*report, sample)) << sample;
    EXPECT_DOUBLE_EQ(find(*report, sample)->joules, 2 / (3 * tokens)) << sample;
  }
  EXPECT_EQ(find(*report, "state copy")->joules, 0);
}

TEST(Benchmark, without_a_meter_no_energy_is_told) {
  const auto model = open_model(fixture("models/v7.pth"));
  ASSERT_TRUE(model);
  const auto report = run_benchmark(model, small(), {});
  ASSERT_TRUE(report);
  for (const Sample& sample : report->samples) EXPECT_EQ(sample.joules, 0) << sample.name;
}

TEST(Benchmark, what_a_token_moves_falls_with_company_and_what_it_computes_does_not) {
  const auto model = open_model(fixture("models/v7.pth"));
  ASSERT_TRUE(model);
  const auto report = run_benchmark(model, small(), {});
  ASSERT_TRUE(report);
  const Sample *one = find(*report, "decode"), *three = find(*report, "decode, 3 sequences"),
               *prompt = find(*report, "prefill 6");
  ASSERT_TRUE(one && three && prompt);
  const double states = 2.0 * static_cast<double>(model->info().state_bytes);
  EXPECT_EQ(one->bytes, static_cast<double>(model->info().bytes_per_token));
  EXPECT_EQ(one->flops, static_cast<double>(model->info().flops_per_token));
  EXPECT_NEAR(three->bytes - states, (one->bytes - states) / 3, 1);
  EXPECT_EQ(three->flops, one->flops);
  EXPECT_NEAR(prompt->bytes, one->bytes / 6, 1);
  const auto& d = model->info().dimensions;
  const double head = 2.0 * static_cast<double>(d.vocab * d.width);
  EXPECT_NEAR(prompt->flops, one->flops - head * 5 / 6, 1);
}

TEST(Benchmark, it_stops_when_told_to) {
  const auto model = open_model(fixture("models/v7.pth"));
  ASSERT_TRUE(model);
  const auto refuse = [](const std::string&) { return false; };
  EXPECT_EQ(run_benchmark(model, small(), refuse).error().code, Code::io);
  EXPECT_EQ(benchmark_load(fixture("models/v7.pth"), {}, 1, {}, refuse).error().code, Code::io);
}

TEST(Benchmark, loading_a_file_that_is_none_fails_as_opening_does) {
  const auto sample = benchmark_load(fixture("models/none.pth"), {}, 1, {}, {});
  ASSERT_FALSE(sample);
  EXPECT_EQ(sample.error().code, Code::io);
}

TEST(Benchmark, senseless_sizes_are_refused) {
  const auto model = open_model(fixture("models/v7.pth"));
  ASSERT_TRUE(model);
  const auto refused = [&](auto&& change) {
    BenchmarkOptions options = small();
    change(options);
    const auto report = run_benchmark(model, options, {});
    return !report && report.error().code == Code::argument;
  };
  EXPECT_TRUE(refused([](auto& o) { o.prompt = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.repeats = 0; }));
  EXPECT_TRUE(refused([](auto& o) { o.batches = {2000}; }));
  EXPECT_TRUE(refused([](auto& o) { o.chunks = {0}; }));
}

}  // namespace
}  // namespace skein::test
