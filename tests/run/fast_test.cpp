// The mode `fast`, where this processor has one: near the exact numbers, and the same for any
// batch, any number of threads and any cutting at whole blocks.
#include <gtest/gtest.h>
#include <unistd.h>

#include "run/convert.h"
#include "support/make_model.h"
#include "support/models.h"

namespace skein {
namespace {

class FastMode : public testing::Test {
 protected:
  void SetUp() override {
    const test::ModelSizes sizes = {.layers = 2,
                                    .width = 256,
                                    .heads = 4,
                                    .inner = 512,
                                    .vocab = 60,
                                    .rank_w = 32,
                                    .rank_a = 32,
                                    .rank_v = 32,
                                    .rank_g = 32,
                                    .design = "rwkv7"};
    const auto folder = std::filesystem::temp_directory_path();
    const auto numbers = folder / fmt::format("skein_fast_{}.st", getpid());
    const auto bytes = test::as_safetensors(test::random_model(sizes), hints_of(sizes));
    const std::span<const std::byte> parts[] = {bytes};
    ASSERT_TRUE(write_file(numbers, parts));
    for (const char* type : {"q8_0", "q4_0", "q4_k"}) {
      const auto path = folder / fmt::format("skein_fast_{}_{}.gguf", getpid(), type);
      const auto conversion =
          Conversion::prepare(numbers, {.format = io::WriteFormat::gguf, .quant = type});
      ASSERT_TRUE(conversion) << conversion.error().message;
      ASSERT_TRUE(conversion->write(path, {}));
      paths_.push_back(path);
    }
    std::filesystem::remove(numbers);
  }
  void TearDown() override {
    for (const auto& path : paths_) std::filesystem::remove(path);
  }

  std::vector<std::filesystem::path> paths_;
};

std::shared_ptr<Model> open(const std::filesystem::path& path, Numerics numerics, int threads,
                            int chunk = 0) {
  return test::open_model(path, {.threads = threads, .chunk = chunk, .numerics = numerics});
}

std::vector<int32_t> some_ids(size_t count, size_t seed) {
  std::vector<int32_t> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<int32_t>((i * 31 + seed * 17 + 3) % 60);
  return out;
}

struct Read {
  State state;
  std::vector<float> logits;
};

Read read(Model& model, std::span<const int32_t> ids, size_t pieces_of = SIZE_MAX) {
  Read out{model.new_state(), std::vector<float>(static_cast<size_t>(model.vocab()))};
  while (!ids.empty()) {
    const size_t count = std::min(pieces_of, ids.size());
    EXPECT_TRUE(model.eval(out.state, ids.first(count), Want::last, out.logits.data()));
    ids = ids.subspan(count);
  }
  return out;
}

TEST_F(FastMode, prompts_are_near_the_exact_ones_and_single_tokens_are_them) {
  for (const auto& path : paths_) {
    const auto exact = open(path, Numerics::exact, 2), fast = open(path, Numerics::fast, 2);
    if (fast->info().numerics == Numerics::exact)
      GTEST_SKIP() << "SKIPPED: this processor has no fast mode";
    const auto ids = some_ids(200, 1);
    const Read a = read(*exact, ids), b = read(*fast, ids);
    EXPECT_FALSE(test::same_bits(a.logits, b.logits)) << "as if nothing were fast";
    EXPECT_LT(test::relative_error(b.logits, a.logits), 0.03) << path;
    // Fewer than a block, in a row or one by one.
    const auto few = std::span(ids).first(31);
    EXPECT_TRUE(test::same_bits(read(*exact, few).logits, read(*fast, few).logits));
    EXPECT_TRUE(read(*exact, ids, 1).state == read(*fast, ids, 1).state);
  }
}

TEST_F(FastMode, threads_chunks_company_and_cuts_at_whole_blocks_do_not_show) {
  for (const auto& path : paths_) {
    const auto model = open(path, Numerics::fast, 1);
    if (model->info().numerics == Numerics::exact)
      GTEST_SKIP() << "SKIPPED: this processor has no fast mode";
    const auto ids = some_ids(300, 2), others = some_ids(77, 3);
    const Read expected = read(*model, ids), other = read(*model, others);
    for (const int threads : {2, 3}) {
      for (const int chunk : {32, 50, 512}) {
        const auto again = open(path, Numerics::fast, threads, chunk);
        const Read got = read(*again, ids);
        EXPECT_TRUE(test::same_bits(got.logits, expected.logits));
        EXPECT_TRUE(got.state == expected.state);
        // Whole blocks, and the rest at the end.
        EXPECT_TRUE(read(*again, ids, 96).state == expected.state);
        // Beside others in one call.
        State first = again->new_state(), second = again->new_state(), third = again->new_state();
        std::vector<float> rows(3 * 60);
        const Job jobs[] = {{&second, others, Want::last, rows.data()},
                            {&first, ids, Want::last, rows.data() + 60},
                            {&third, others, Want::none, nullptr}};
        ASSERT_TRUE(again->eval(jobs));
        EXPECT_TRUE(first == expected.state);
        EXPECT_TRUE(second == other.state);
        EXPECT_TRUE(third == other.state);
        EXPECT_TRUE(test::same_bits(std::span(rows).subspan(60, 60), expected.logits));
      }
    }
  }
}

}  // namespace
}  // namespace skein
