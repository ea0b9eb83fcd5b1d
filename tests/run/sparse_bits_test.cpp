// Leaving weights of inputs that are zero unread changes no bit, in any kind of step.
#include <gtest/gtest.h>
#include <unistd.h>

#include "run/convert.h"
#include "support/allocations.h"
#include "support/make_model.h"
#include "support/models.h"

namespace skein {
namespace {

// A model whose hidden layers are as wide as records have to be, in f32 and Q4_0.
class SparseBits : public testing::Test {
 protected:
  void SetUp() override {
    const test::ModelSizes sizes = {.layers = 2,
                                    .width = 128,
                                    .heads = 2,
                                    .inner = 512,
                                    .vocab = 60,
                                    .rank_w = 32,
                                    .rank_a = 32,
                                    .rank_v = 32,
                                    .rank_g = 32,
                                    .design = "rwkv7"};
    const auto folder = std::filesystem::temp_directory_path();
    numbers_ = folder / fmt::format("skein_sparse_{}.st", getpid());
    codes_ = folder / fmt::format("skein_sparse_{}.gguf", getpid());
    const auto bytes = test::as_safetensors(test::random_model(sizes), hints_of(sizes));
    const std::span<const std::byte> parts[] = {bytes};
    ASSERT_TRUE(write_file(numbers_, parts));
    const auto conversion =
        Conversion::prepare(numbers_, {.format = io::WriteFormat::gguf, .quant = "q4_0"});
    ASSERT_TRUE(conversion) << conversion.error().message;
    ASSERT_TRUE(conversion->write(codes_, {}));
  }
  void TearDown() override {
    std::filesystem::remove(numbers_);
    std::filesystem::remove(codes_);
  }

  std::filesystem::path numbers_, codes_;
};

std::vector<int32_t> random_tokens(size_t count, int32_t vocab) {
  test::Random random(3);
  std::vector<int32_t> out(count);
  for (int32_t& id : out) id = static_cast<int32_t>(random.below(static_cast<uint64_t>(vocab)));
  return out;
}

TEST_F(SparseBits, thousands_of_positions_are_those_of_the_dense_products) {
  for (const auto& path : {numbers_, codes_}) {
    for (const Numerics numerics : {Numerics::exact, Numerics::fast}) {
      ModelOptions options = {.threads = 2, .numerics = numerics, .sparse = Sparse::off};
      const auto dense = test::open_model(path, options);
      options.sparse = Sparse::on;
      const auto sparse = test::open_model(path, options);
      ASSERT_TRUE(dense && sparse);
      ASSERT_FALSE(dense->info().sparse);
      ASSERT_TRUE(sparse->info().sparse);
      const auto tokens = random_tokens(1024, dense->vocab());
      // Steps of each kind: one token, a few, some, many.
      for (const size_t chunk : {1u, 3u, 24u, 512u}) {
        State a = dense->new_state(), b = sparse->new_state();
        EXPECT_TRUE(test::same_bits(test::logits_of(*dense, a, tokens, chunk),
                                    test::logits_of(*sparse, b, tokens, chunk)))
            << path.extension() << ", chunks of " << chunk;
        EXPECT_TRUE(a == b);
      }
    }
  }
}

TEST_F(SparseBits, steps_allocate_nothing) {
  for (const auto& path : {numbers_, codes_}) {
    const auto model = test::open_model(path);
    State state = model->new_state();
    const std::vector<int32_t> tokens(40, 5);
    std::vector<float> logits(static_cast<size_t>(model->vocab()));
    for (const size_t count : {1u, 2u, 40u}) {
      const auto part = std::span(tokens).first(count);
      ASSERT_TRUE(model->eval(state, part, Want::last, logits.data()));
      const long before = test::allocations();
      for (int i = 0; i < 5; ++i) ASSERT_TRUE(model->eval(state, part, Want::last, logits.data()));
      EXPECT_EQ(test::allocations(), before) << count << " tokens";
    }
  }
}

}  // namespace
}  // namespace skein
