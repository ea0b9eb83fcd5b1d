// Around the model: drawing a token, and text to ids.
#include <benchmark/benchmark.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/file.h"
#include "run/model_source.h"
#include "run/sampler.h"
#include "run/vocabulary.h"

namespace skein {
namespace {

constexpr int32_t kVocab = 65536;

// Near a normal distribution of deviation 2, as a model's are but for its few favourites.
std::vector<float> some_logits() {
  std::vector<float> out(kVocab);
  uint32_t random = 1;
  for (float& logit : out) {
    logit = -12;
    for (int i = 0; i < 12; ++i) {
      random = random * 1664525 + 1013904223;
      logit += static_cast<float>(random >> 8) * 0x1p-23f;
    }
  }
  return out;
}

void sample(benchmark::State& state, const Sampling& sampling) {
  const TokenTraits traits = token_traits(kVocab);
  auto sampler = Sampler::create(sampling, traits);
  if (!sampler) return state.SkipWithError("this sampler could not be made");
  const std::vector<float> logits = some_logits();
  uint64_t position = 0;
  for (auto _ : state) {
    const auto token = sampler->sample(logits, position++);
    if (!token) return state.SkipWithError("a draw failed");
    benchmark::DoNotOptimize(*token);
  }
}

Sampling chat() { return {}; }
Sampling greedy() {
  Sampling out;
  out.temperature = out.presence = out.frequency = 0;
  return out;
}
Sampling wide() {
  Sampling out;
  out.top_p = 0.95, out.top_k = 100, out.min_p = 0.01;
  return out;
}
Sampling mirostat() {
  Sampling out;
  out.mirostat = 2;
  return out;
}
BENCHMARK_CAPTURE(sample, chat, chat())->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sample, greedy, greedy())->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sample, wide, wide())->Unit(benchmark::kMicrosecond);
BENCHMARK_CAPTURE(sample, mirostat, mirostat())->Unit(benchmark::kMicrosecond);

Result<text::TokenizerPtr> tokenizer_of(const std::string& kind) {
  const std::string fixtures = SKEIN_SOURCE_DIR "/tests/fixtures/";
  if (kind == "bytes") return text::byte_tokenizer_256();
  if (kind == "bpe") {
    SK_TRY(const File file, File::map(fixtures + "tokenizer/qwen2_small.json"));
    return text::open_tokenizer(file.bytes(), "qwen2_small.json");
  }
  const std::string model = fixtures + "models/tiny_v7.gguf";
  SK_TRY(const ModelSource source, ModelSource::open(model));
  const int64_t rows = source.architecture->dimensions().vocab;
  return find_tokenizer(ModelText{model, rows, &source.container().metadata}, {});
}

void encode(benchmark::State& state, const std::string& kind) {
  const auto tokenizer = tokenizer_of(kind);
  if (!tokenizer) return state.SkipWithError("there is no such vocabulary");
  std::string text;
  while (text.size() < 4096) text += "One day Mia found a red lamp, number 27, in the garden.\n";
  for (auto _ : state) {
    const auto ids = (*tokenizer)->encode(text);
    if (!ids) return state.SkipWithError("the text could not be encoded");
    benchmark::DoNotOptimize(ids->data());
  }
  state.SetBytesProcessed(state.iterations() * static_cast<int64_t>(text.size()));
}

BENCHMARK_CAPTURE(encode, bytes, std::string("bytes"));
BENCHMARK_CAPTURE(encode, world, std::string("world"));
BENCHMARK_CAPTURE(encode, bpe, std::string("bpe"));

}  // namespace
}  // namespace skein
