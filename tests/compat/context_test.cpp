#include <atomic>
#include <thread>

#include "compat/support.h"
#include "support/models.h"

namespace skein::test {
namespace {

using CompatContext = Quiet;

Floats logits_after(rwkv_context* context, const Tokens& tokens) {
  Floats state(rwkv_get_state_len(context)), logits(rwkv_get_logits_len(context));
  rwkv_init_state(context, state.data());
  for (const uint32_t token : tokens)
    EXPECT_TRUE(rwkv_eval(context, token, state.data(), state.data(), logits.data()));
  return logits;
}

TEST_F(CompatContext, a_clone_works_after_its_origin_is_gone) {
  Context origin = open_context(fixture("models/v5_2.pth"), 2);
  const Tokens tokens = some_tokens(origin);
  const Floats expected = logits_after(origin.get(), tokens);
  Context clone(rwkv_clone_context(origin.get(), 1));
  ASSERT_TRUE(clone);
  EXPECT_NE(clone.get(), origin.get());
  origin.reset();
  EXPECT_TRUE(same_bits(logits_after(clone.get(), tokens), expected));
}

TEST_F(CompatContext, clones_in_threads_do_not_disturb_each_other) {
  const Context origin = open_context(fixture("models/v7.pth"), 2);
  constexpr size_t kThreads = 4;
  std::vector<Tokens> texts(kThreads);
  std::vector<Floats> expected, found(kThreads);
  for (size_t i = 0; i < kThreads; ++i) {
    texts[i] = some_tokens(origin, 20 + 3 * i);
    texts[i][0] = static_cast<uint32_t>(i);
    expected.push_back(logits_after(origin.get(), texts[i]));
  }
  std::vector<std::thread> threads;
  for (size_t i = 0; i < kThreads; ++i)
    threads.emplace_back([&, i] {
      const Context clone(rwkv_clone_context(origin.get(), 1));
      for (int turn = 0; turn < 5; ++turn) found[i] = logits_after(clone.get(), texts[i]);
    });
  for (std::thread& thread : threads) thread.join();
  for (size_t i = 0; i < kThreads; ++i) EXPECT_TRUE(same_bits(found[i], expected[i])) << i;
}

TEST_F(CompatContext, one_context_under_many_threads_takes_turns) {
  const Context context = open_context(fixture("models/v4.pth"));
  const Tokens tokens = some_tokens(context, 12);
  const Floats expected = logits_after(context.get(), tokens);
  std::atomic<int> different = 0;
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&] {
      for (int turn = 0; turn < 5; ++turn)
        different += !same_bits(logits_after(context.get(), tokens), expected);
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(different, 0);
}

TEST_F(CompatContext, threads_and_gpu_layers_do_not_change_the_bits) {
  const auto path = fixture("models/v7.pth");
  const Context one = open_context(path, 1);
  const Tokens tokens = some_tokens(one);
  const Floats expected = logits_after(one.get(), tokens);
  EXPECT_TRUE(same_bits(logits_after(open_context(path, 3).get(), tokens), expected));
  const Context offloaded(rwkv_init_from_file(path.c_str(), 2, 99));
  ASSERT_TRUE(offloaded);
  EXPECT_LT(relative_error(logits_after(offloaded.get(), tokens), expected), 1e-3);
}

TEST_F(CompatContext, null_is_harmless_everywhere) {
  EXPECT_EQ(rwkv_init_from_file(nullptr, 1, 0), nullptr);
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_ARGS);
  EXPECT_EQ(rwkv_clone_context(nullptr, 1), nullptr);
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_ARGS);
  const uint32_t token = 1;
  float number = 0;
  EXPECT_FALSE(rwkv_eval(nullptr, 1, &number, &number, &number));
  EXPECT_FALSE(rwkv_eval_sequence(nullptr, &token, 1, &number, &number, &number));
  EXPECT_FALSE(rwkv_eval_sequence_in_chunks(nullptr, &token, 1, 1, &number, &number, &number));
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_ARGS);
  rwkv_init_state(nullptr, &number);
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_ARGS);
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_NONE);
  for (const auto length : {rwkv_get_n_vocab, rwkv_get_n_embed, rwkv_get_n_layer,
                            rwkv_get_state_len, rwkv_get_logits_len})
    EXPECT_EQ(length(nullptr), 0u);
  EXPECT_EQ(rwkv_get_state_buffer_element_count(nullptr), 0u);
  EXPECT_EQ(rwkv_get_logits_buffer_element_count(nullptr), 0u);
  rwkv_free(nullptr);
}

TEST_F(CompatContext, a_number_of_threads_is_needed) {
  const auto path = fixture("models/v4.pth");
  const Context context = open_context(path);
  for (const uint32_t threads : {0u, UINT32_MAX}) {
    EXPECT_EQ(rwkv_init_from_file(path.c_str(), threads, 0), nullptr);
    EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_ARGS);
    EXPECT_EQ(rwkv_clone_context(context.get(), threads), nullptr);
    EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_ARGS);
  }
}

TEST_F(CompatContext, errors_are_printed_only_while_that_is_on) {
  const auto failed_open = [] {
    ::testing::internal::CaptureStderr();
    EXPECT_EQ(rwkv_init_from_file(missing_file("model.bin").c_str(), 1, 0), nullptr);
    return ::testing::internal::GetCapturedStderr();
  };
  const auto failed_eval = [](rwkv_context* context) {
    ::testing::internal::CaptureStderr();
    EXPECT_FALSE(rwkv_eval(context, UINT32_MAX, nullptr, nullptr, nullptr));
    return ::testing::internal::GetCapturedStderr();
  };
  EXPECT_FALSE(rwkv_get_print_errors(nullptr));
  EXPECT_EQ(failed_open(), "");
  const Context silent = open_context(fixture("models/v4.pth"));
  rwkv_set_print_errors(nullptr, true);
  EXPECT_TRUE(rwkv_get_print_errors(nullptr));
  EXPECT_NE(failed_open().find(missing_file("model.bin").string()), std::string::npos);
  // A context keeps the setting it was made under, and its clones have it too.
  const Context loud = open_context(fixture("models/v4.pth"));
  const Context clone(rwkv_clone_context(silent.get(), 1));
  EXPECT_EQ(failed_eval(silent.get()), "");
  EXPECT_EQ(failed_eval(clone.get()), "");
  EXPECT_FALSE(rwkv_get_print_errors(clone.get()));
  EXPECT_NE(failed_eval(loud.get()).find("out of range"), std::string::npos);
  rwkv_set_print_errors(loud.get(), false);
  EXPECT_FALSE(rwkv_get_print_errors(loud.get()));
  EXPECT_EQ(failed_eval(loud.get()), "");
}

TEST_F(CompatContext, errors_of_contexts_and_threads_are_kept_apart) {
  const Context a = open_context(fixture("models/v4.pth"));
  const Context b(rwkv_clone_context(a.get(), 1));
  EXPECT_FALSE(rwkv_eval(a.get(), UINT32_MAX, nullptr, nullptr, nullptr));
  EXPECT_EQ(rwkv_init_from_file(missing_file("model.bin").c_str(), 1, 0), nullptr);
  EXPECT_EQ(rwkv_get_last_error(b.get()), RWKV_ERROR_NONE);
  int elsewhere = -1;
  std::thread([&] { elsewhere = rwkv_get_last_error(nullptr); }).join();
  EXPECT_EQ(elsewhere, RWKV_ERROR_NONE);
  EXPECT_EQ(rwkv_get_last_error(a.get()), RWKV_ERROR_ARGS);
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_FILE | RWKV_ERROR_FILE_OPEN);
  // A model that opens leaves no error of an earlier one behind.
  EXPECT_EQ(rwkv_init_from_file(missing_file("model.bin").c_str(), 1, 0), nullptr);
  open_context(fixture("models/v4.pth"));
  EXPECT_EQ(rwkv_get_last_error(nullptr), RWKV_ERROR_NONE);
}

TEST_F(CompatContext, the_system_info_names_the_library_and_its_kernels) {
  const std::string info = rwkv_get_system_info_string();
  EXPECT_TRUE(info.starts_with("Skein ")) << info;
  EXPECT_NE(info.find("scalar=1"), std::string::npos) << info;
  EXPECT_EQ(rwkv_get_system_info_string(), info);
}

}  // namespace
}  // namespace skein::test
