// Replaces operator new for the whole program to count its calls.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>
#include <new>
#include <random>

#include "run/sampler.h"

namespace {
std::atomic<long> allocations{0};

void* counted(std::size_t size) {
  ++allocations;
  void* memory = std::malloc(size == 0 ? 1 : size);
  if (memory == nullptr) std::abort();
  return memory;
}
}  // namespace

void* operator new(std::size_t size) { return counted(size); }
void* operator new[](std::size_t size) { return counted(size); }
// The library's own algorithms ask for temporary space this way.
void* operator new(std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void* operator new[](std::size_t size, const std::nothrow_t&) noexcept { return counted(size); }
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete[](void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete[](void* memory, std::size_t) noexcept { std::free(memory); }

namespace skein {
namespace {

TEST(SamplerAllocation, nothing_is_allocated_after_the_first_step) {
  const TokenTraits tokens = token_traits(65536);
  std::mt19937_64 random(2);
  std::normal_distribution<float> normal(0, 4);
  std::vector<std::vector<float>> logits(8, std::vector<float>(65536));
  for (auto& row : logits)
    for (float& logit : row) logit = normal(random);
  logits[3].assign(65536, 1.0f);  // everything is kept
  std::vector<Sampling> all(6);
  all[1].temperature = 0;
  all[2].top_p = 1;
  all[3].order = SampleOrder::openai;
  all[3].top_k = 50;
  all[3].min_p = 0.02;
  all[4].typical_p = 0.5;
  all[4].top_p = 1;
  all[5].mirostat = 2;
  for (const Sampling& sampling : all) {
    Sampler sampler = *Sampler::create(sampling, tokens);
    sampler.accept(*sampler.sample(logits[0], 0));
    const long before = allocations;
    for (uint64_t position = 1; position < 24; ++position)
      sampler.accept(*sampler.sample(logits[position % 8], position));
    EXPECT_EQ(allocations, before);
  }
  const long before = allocations;
  std::vector<float> proof(1000);
  EXPECT_EQ(allocations, before + 1);
}

}  // namespace
}  // namespace skein
