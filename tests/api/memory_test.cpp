// Memory that runs out in every place: the answer is SK_MEMORY, nothing changed, nothing leaks (the
// sanitizer build looks), and the next call works.
#include <cstdlib>
#include <limits>
#include <new>

#include "api/support.h"
#include "support/sanitizers.h"

namespace {

// How many more allocations of this thread succeed.
thread_local long allowed = std::numeric_limits<long>::max();

}  // namespace

// libskein.so takes these too, as any program's own would be. Not inline, or the compiler sees
// free() where it expects delete.
[[gnu::noinline]] void* operator new(std::size_t size) {
  if (allowed-- <= 0) throw std::bad_alloc();
  if (void* memory = std::malloc(size ? size : 1)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return allowed-- > 0 ? std::malloc(size ? size : 1) : nullptr;
}
[[gnu::noinline]] void* operator new(std::size_t size, std::align_val_t align) {
  if (allowed-- <= 0) throw std::bad_alloc();
  const auto unit = static_cast<std::size_t>(align);
  if (void* memory = std::aligned_alloc(unit, (size + unit - 1) / unit * unit)) return memory;
  throw std::bad_alloc();
}
[[gnu::noinline]] void operator delete(void* memory, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory, std::size_t, std::align_val_t) noexcept {
  std::free(memory);
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }

namespace skein::test {
namespace {

// Calls `call` with no allocation allowed, then one, and so on until it succeeds. What allocates
// thousands of times is tried at ever wider distances.
template <typename Call, typename Check>
void run_out_everywhere(const char* what, Call call, Check unchanged) {
  SCOPED_TRACE(what);
  for (long n = 0; n < 100'000; n += 1 + n / 64) {
    allowed = n;
    const int32_t code = call();
    allowed = std::numeric_limits<long>::max();
    if (code == SK_OK) {
      EXPECT_GT(n, 0) << "allocates nothing, so nothing was tested";
      return;
    }
    ASSERT_EQ(code, SK_MEMORY) << n << ": " << sk_last_error();
    ASSERT_STREQ(sk_last_error(), "not enough memory");
    unchanged();
    if (testing::Test::HasFailure()) return;
  }
  FAIL() << "never succeeded";
}

class ApiMemory : public testing::Test {
 protected:
  void SetUp() override {
    if (kThreadSanitizer)
      GTEST_SKIP() << "SKIPPED: under ThreadSanitizer a library's allocations cannot be refused";
    model_ = open_model(bundled_model(), with_threads(1, 4));
    ASSERT_TRUE(model_);
    state_ = new_state(model_);
    feed(model_, state_, {0, 1, 2});
  }

  ModelPtr model_;
  StatePtr state_;
};

TEST_F(ApiMemory, opening) {
  const std::string path = fixture("models/tiny_v7.pth").string();
  const sk_model_params params = with_threads(1);
  sk_model* model = nullptr;
  run_out_everywhere(
      "sk_model_open", [&] { return sk_model_open(path.c_str(), &params, &model); },
      [&] { EXPECT_EQ(model, nullptr); });
  ModelPtr closes(model);
  EXPECT_EQ(info_of(model).vocab, 260);
}

TEST_F(ApiMemory, making_copying_and_moving_states) {
  sk_state* out = nullptr;
  const auto untouched = [&] { EXPECT_EQ(out, nullptr); };
  const auto free = [&] { sk_state_free(std::exchange(out, nullptr)); };
  run_out_everywhere(
      "sk_state_new", [&] { return sk_state_new(model_.get(), &out); }, untouched);
  free();
  run_out_everywhere(
      "sk_state_clone", [&] { return sk_state_clone(state_.get(), &out); }, untouched);
  free();
  const StatePtr before = clone(state_);
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_TIME_STATE, SK_STATE_F32}) {
    const Bytes bytes = export_state(state_, format);
    Bytes buffer(bytes.size(), 0xee);
    size_t size = 99;
    run_out_everywhere(
        "sk_state_export",
        [&] { return sk_state_export(state_.get(), format, buffer.data(), buffer.size(), &size); },
        [&] { EXPECT_EQ(size, 99u); });
    EXPECT_EQ(buffer, bytes);
    run_out_everywhere(
        "sk_state_import",
        [&] { return sk_state_import(model_.get(), format, bytes.data(), bytes.size(), &out); },
        untouched);
    free();
  }
  const StatePtr other = clone(state_);
  run_out_everywhere(
      "sk_state_reset", [&] { return sk_state_reset(other.get()); },
      [&] { EXPECT_TRUE(equal(other, before)); });
  EXPECT_TRUE(equal(state_, before));
}

TEST_F(ApiMemory, computing_in_one_pass_and_in_several) {
  const size_t vocab = vocab_of(model_);
  for (const size_t count : {3, 11}) {  // a pass takes 4 tokens
    const Ids ids = some_ids(count);
    const StatePtr before = clone(state_);
    std::vector<float> logits(count * vocab);
    for (const int32_t want : {SK_WANT_LAST, SK_WANT_ALL}) {
      // Its buffers grow once and stay; a model for each count sees them grow.
      const ModelPtr model = open_model(bundled_model(), with_threads(1, 4));
      const StatePtr state = import_state(model, SK_STATE_NATIVE, export_state(state_, 0));
      run_out_everywhere(
          "sk_eval",
          [&] {
            return sk_eval(model.get(), state.get(), ids.data(), ids.size(), want, logits.data(),
                           logits.size());
          },
          [&] {
            EXPECT_TRUE(equal(state, before));
            EXPECT_EQ(tokens_read(state), 3u);
          });
      const StatePtr straight = clone(before);
      feed(model_, straight, ids);
      EXPECT_TRUE(equal(state, straight));
      EXPECT_EQ(tokens_read(state), 3u + count);
    }
  }
}

TEST_F(ApiMemory, computing_a_batch) {
  const Ids ids = some_ids(7);
  const StatePtr a = new_state(model_), b = clone(state_);
  const StatePtr before_b = clone(b);
  std::vector<float> logits(vocab_of(model_));
  const sk_job jobs[] = {
      {a.get(), ids.data(), ids.size(), nullptr, 0, SK_WANT_NONE, 0},
      {b.get(), ids.data(), ids.size(), logits.data(), logits.size(), SK_WANT_LAST, 0}};
  run_out_everywhere(
      "sk_eval_batch", [&] { return sk_eval_batch(model_.get(), jobs, 2); },
      [&] {
        EXPECT_TRUE(equal(a, new_state(model_)));
        EXPECT_TRUE(equal(b, before_b));
      });
  EXPECT_EQ(tokens_read(b), 10u);
}

TEST_F(ApiMemory, text) {
  Ids ids(64, -7);
  size_t count = 99;
  const auto untouched = [&] { EXPECT_EQ(count, 99u); };
  const std::string text = "something longer than a small string holds";
  run_out_everywhere(
      "sk_tokenize",
      [&] {
        return sk_tokenize(model_.get(), text.data(), text.size(), ids.data(), ids.size(), &count);
      },
      untouched);
  ids.resize(count);
  count = 99;
  std::string back(64, '?');
  run_out_everywhere(
      "sk_detokenize",
      [&] {
        return sk_detokenize(model_.get(), ids.data(), ids.size(), back.data(), back.size(),
                             &count);
      },
      untouched);
  EXPECT_EQ(back.substr(0, count), text);
}

TEST_F(ApiMemory, sampling) {
  const std::vector<float> logits(vocab_of(model_), 0.25f);
  int32_t id = -7;
  const auto no_id = [&] { EXPECT_EQ(id, -7); };
  run_out_everywhere(
      "sk_sample", [&] { return sk_sample(logits.data(), logits.size(), nullptr, 3, &id); }, no_id);
  const int32_t expected = std::exchange(id, -7);
  sk_sampler* raw = nullptr;
  const auto no_sampler = [&] { EXPECT_EQ(raw, nullptr); };
  run_out_everywhere(
      "sk_sampler_new", [&] { return sk_sampler_new(model_.get(), nullptr, &raw); }, no_sampler);
  const SamplerPtr sampler(std::exchange(raw, nullptr));
  run_out_everywhere(
      "sk_sampler_new_for_ids", [&] { return sk_sampler_new_for_ids(257, nullptr, &raw); },
      no_sampler);
  sk_sampler_free(std::exchange(raw, nullptr));
  run_out_everywhere(
      "sk_sampler_sample",
      [&] { return sk_sampler_sample(sampler.get(), logits.data(), logits.size(), 3, &id); },
      no_id);
  EXPECT_EQ(id, expected);
  run_out_everywhere(
      "sk_sampler_accept", [&] { return sk_sampler_accept(sampler.get(), 40); },
      [&] {
        int32_t again = -1;
        EXPECT_EQ(sk_sampler_sample(sampler.get(), logits.data(), logits.size(), 3, &again), SK_OK);
        EXPECT_EQ(again, expected) << "a failed accept was remembered";
      });
  run_out_everywhere(
      "sk_sampler_clone", [&] { return sk_sampler_clone(sampler.get(), &raw); }, no_sampler);
  sk_sampler_free(raw);
}

}  // namespace
}  // namespace skein::test
