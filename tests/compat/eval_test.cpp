#include <limits>

#include "compat/support.h"
#include "run/state_file.h"
#include "support/models.h"

namespace skein::test {
namespace {

std::span<const int32_t> ids(const Tokens& tokens) {
  return {reinterpret_cast<const int32_t*>(tokens.data()), tokens.size()};
}

// The official list of a state, with the channel mix's part brought to the front of each layer.
Floats expected_state(const Model& model, const State& state) {
  const Floats official = *official_values(state);
  const auto layers = static_cast<size_t>(model.info().dimensions.layers);
  const auto width = static_cast<size_t>(model.info().dimensions.width);
  const size_t layer = official.size() / layers;
  Floats out;
  for (size_t i = 0; i < layers; ++i) {
    const auto begin = official.begin() + static_cast<std::ptrdiff_t>(i * layer);
    const auto end = begin + static_cast<std::ptrdiff_t>(layer);
    const auto ffn = end - static_cast<std::ptrdiff_t>(width);
    out.insert(out.end(), ffn, end);
    out.insert(out.end(), begin, ffn);
  }
  return out;
}

using CompatEval = Quiet;

TEST_F(CompatEval, logits_and_state_are_those_of_the_model_bit_for_bit) {
  for (const auto& path : models()) {
    SCOPED_TRACE(path);
    const auto model = open_model(path, {.threads = 1});
    ASSERT_TRUE(model);
    const Context context = open_context(path);
    const Tokens tokens = some_tokens(context);
    State state = model->new_state();
    const Floats all = logits_of(*model, state, ids(tokens));
    Floats flat = new_state(context), logits = new_logits(context);
    for (size_t i = 0; i < tokens.size(); ++i) {
      ASSERT_TRUE(rwkv_eval(context.get(), tokens[i], flat.data(), flat.data(), logits.data()));
      EXPECT_TRUE(same_bits(logits, std::span(all).subspan(i * logits.size(), logits.size())));
    }
    EXPECT_TRUE(same_bits(flat, expected_state(*model, state)));
  }
}

TEST_F(CompatEval, sizes_are_those_of_the_model) {
  for (const auto& path : models()) {
    SCOPED_TRACE(path);
    const auto model = open_model(path, {.threads = 1});
    const Context context = open_context(path);
    const auto& d = model->info().dimensions;
    EXPECT_EQ(rwkv_get_n_vocab(context.get()), static_cast<size_t>(d.vocab));
    EXPECT_EQ(rwkv_get_n_embed(context.get()), static_cast<size_t>(d.width));
    EXPECT_EQ(rwkv_get_n_layer(context.get()), static_cast<size_t>(d.layers));
    EXPECT_EQ(rwkv_get_logits_len(context.get()), static_cast<size_t>(d.vocab));
    const int64_t vectors = model->info().design == "rwkv4" ? 5 : 2 + d.head_size;
    EXPECT_EQ(rwkv_get_state_len(context.get()), static_cast<size_t>(d.layers * d.width * vectors));
    EXPECT_EQ(rwkv_get_state_buffer_element_count(context.get()),
              rwkv_get_state_len(context.get()));
    EXPECT_EQ(rwkv_get_logits_buffer_element_count(context.get()),
              rwkv_get_logits_len(context.get()));
  }
}

TEST_F(CompatEval, matrices_stand_in_the_official_order_of_their_axes) {
  // [value][key] of RWKV-7, which Skein keeps the other way round. A square matrix hides a wrong
  // order from every check of sizes.
  const auto model = open_model(fixture("models/v7.pth"), {.threads = 1});
  const Context context = open_context(fixture("models/v7.pth"));
  const Tokens tokens = some_tokens(context);
  State state = model->new_state();
  logits_of(*model, state, ids(tokens));
  const auto& d = model->info().dimensions;
  const auto width = static_cast<size_t>(d.width), n = static_cast<size_t>(d.head_size);
  Floats flat = new_state(context);
  ASSERT_TRUE(rwkv_eval_sequence(context.get(), tokens.data(), tokens.size(), nullptr, flat.data(),
                                 nullptr));
  const auto part = state.part(1);
  ASSERT_TRUE(part);
  const std::span<const float> own = part->floats();  // layer 0's, [H, key, value] in Skein
  size_t asymmetric = 0;
  for (size_t row = 0; row < n; ++row)
    for (size_t column = 0; column < n; ++column) {
      EXPECT_EQ(flat[2 * width + row * n + column], own[column * n + row]);
      asymmetric += own[column * n + row] != own[row * n + column];
    }
  EXPECT_GT(asymmetric, n);
}

TEST_F(CompatEval, a_fresh_state_is_what_null_stands_for) {
  for (const auto& path : models()) {
    SCOPED_TRACE(path);
    const Context context = open_context(path);
    const Floats fresh = new_state(context);
    Floats a = new_logits(context), b = new_logits(context);
    ASSERT_TRUE(rwkv_eval(context.get(), 5, nullptr, nullptr, a.data()));
    ASSERT_TRUE(rwkv_eval(context.get(), 5, fresh.data(), nullptr, b.data()));
    EXPECT_TRUE(same_bits(a, b));
  }
}

TEST_F(CompatEval, only_the_exponents_of_rwkv_4_begin_below_zero) {
  for (const auto& path : models()) {
    SCOPED_TRACE(path);
    const Context context = open_context(path);
    const bool four = path.filename() == "v4.pth";
    const size_t width = rwkv_get_n_embed(context.get());
    const Floats fresh = new_state(context);
    for (size_t i = 0; i < fresh.size(); ++i)
      ASSERT_EQ(fresh[i], four && i / width % 5 == 4 ? -1e30f : 0.0f) << i;
  }
}

TEST_F(CompatEval, any_chunks_give_the_same_bits) {
  for (const auto& path : models()) {
    SCOPED_TRACE(path);
    const Context context = open_context(path);
    const Tokens tokens = some_tokens(context);
    Floats state = new_state(context), logits = new_logits(context);
    for (const uint32_t token : tokens)
      ASSERT_TRUE(rwkv_eval(context.get(), token, state.data(), state.data(), logits.data()));
    for (const size_t chunk : {size_t{1}, size_t{2}, size_t{7}, tokens.size(), size_t{1000}}) {
      Floats other = new_state(context), last = new_logits(context);
      ASSERT_TRUE(rwkv_eval_sequence_in_chunks(context.get(), tokens.data(), tokens.size(), chunk,
                                               nullptr, other.data(), last.data()));
      EXPECT_TRUE(same_bits(state, other) && same_bits(logits, last)) << chunk;
    }
    // In two calls, over the same buffer.
    Floats other = new_state(context), last = new_logits(context);
    ASSERT_TRUE(
        rwkv_eval_sequence(context.get(), tokens.data(), 9, other.data(), other.data(), nullptr));
    ASSERT_TRUE(rwkv_eval_sequence(context.get(), tokens.data() + 9, tokens.size() - 9,
                                   other.data(), other.data(), last.data()));
    EXPECT_TRUE(same_bits(state, other) && same_bits(logits, last));
  }
}

TEST_F(CompatEval, what_is_not_wanted_changes_nothing_else) {
  const Context context = open_context(fixture("models/v4.pth"));
  const Tokens tokens = some_tokens(context);
  Floats before = new_state(context);
  ASSERT_TRUE(rwkv_eval(context.get(), 7, nullptr, before.data(), nullptr));
  const Floats kept = before;
  Floats state(kept.size()), logits = new_logits(context);
  ASSERT_TRUE(rwkv_eval_sequence(context.get(), tokens.data(), tokens.size(), before.data(),
                                 state.data(), logits.data()));
  EXPECT_TRUE(same_bits(before, kept));
  EXPECT_FALSE(same_bits(state, kept));
  for (const bool with_state : {true, false})
    for (const bool with_logits : {true, false}) {
      Floats other(kept.size(), 3), last(logits.size(), 3);
      ASSERT_TRUE(rwkv_eval_sequence(context.get(), tokens.data(), tokens.size(), before.data(),
                                     with_state ? other.data() : nullptr,
                                     with_logits ? last.data() : nullptr));
      EXPECT_TRUE(same_bits(other, with_state ? state : Floats(kept.size(), 3)));
      EXPECT_TRUE(same_bits(last, with_logits ? logits : Floats(logits.size(), 3)));
    }
}

TEST_F(CompatEval, no_tokens_to_read_is_no_error_and_does_nothing) {
  const Context context = open_context(fixture("models/v7.pth"));
  Floats state(rwkv_get_state_len(context.get()), 3), logits(rwkv_get_logits_len(context.get()), 3);
  const Floats states = state, same = logits;
  for (const size_t count : {size_t{1}, size_t{64}}) {
    EXPECT_TRUE(
        rwkv_eval_sequence(context.get(), nullptr, count, nullptr, state.data(), logits.data()));
    EXPECT_TRUE(rwkv_eval_sequence_in_chunks(context.get(), nullptr, count, 16, nullptr,
                                             state.data(), logits.data()));
  }
  EXPECT_EQ(rwkv_get_last_error(context.get()), RWKV_ERROR_NONE);
  EXPECT_TRUE(same_bits(state, states) && same_bits(logits, same));
}

TEST_F(CompatEval, wrong_arguments_are_errors_and_write_nothing) {
  const Context context = open_context(fixture("models/v7.pth"));
  rwkv_set_print_errors(context.get(), false);
  rwkv_context* c = context.get();
  const auto vocab = static_cast<uint32_t>(rwkv_get_n_vocab(c));
  Floats state(rwkv_get_state_len(c), 3), logits(rwkv_get_logits_len(c), 3);
  const Floats states = state, same = logits;
  const auto refused = [&](bool done) {
    EXPECT_FALSE(done);
    EXPECT_EQ(rwkv_get_last_error(c), RWKV_ERROR_ARGS);
    EXPECT_EQ(rwkv_get_last_error(c), RWKV_ERROR_NONE) << "it was handed out before";
    EXPECT_TRUE(same_bits(state, states) && same_bits(logits, same));
  };
  for (const uint32_t token : {vocab, uint32_t{INT32_MAX}, uint32_t{INT32_MAX} + 1, UINT32_MAX}) {
    refused(rwkv_eval(c, token, nullptr, state.data(), logits.data()));
    const Tokens tokens = {1, 2, token, 3};
    refused(rwkv_eval_sequence(c, tokens.data(), 4, nullptr, state.data(), logits.data()));
    refused(
        rwkv_eval_sequence_in_chunks(c, tokens.data(), 4, 1, nullptr, state.data(), logits.data()));
  }
  const uint32_t one = 1;
  refused(rwkv_eval_sequence(c, &one, 0, nullptr, state.data(), logits.data()));
  refused(rwkv_eval_sequence(c, &one, SIZE_MAX, nullptr, state.data(), logits.data()));
  refused(rwkv_eval_sequence_in_chunks(c, &one, 0, 1, nullptr, state.data(), logits.data()));
  refused(rwkv_eval_sequence_in_chunks(c, &one, 1, 0, nullptr, state.data(), logits.data()));
  rwkv_init_state(c, nullptr);
  EXPECT_EQ(rwkv_get_last_error(c), RWKV_ERROR_ARGS);
  // The next call that works forgets an error nobody asked for.
  EXPECT_FALSE(rwkv_eval(c, vocab, nullptr, nullptr, nullptr));
  EXPECT_TRUE(rwkv_eval(c, 1, nullptr, nullptr, nullptr));
  EXPECT_EQ(rwkv_get_last_error(c), RWKV_ERROR_NONE);
}

TEST_F(CompatEval, no_numbers_of_a_state_give_logits_that_are_none) {
  for (const auto& path : models()) {
    const Context context = open_context(path);
    Floats logits = new_logits(context);
    for (const float value : {0.0f, -1.0f, 1e38f, INFINITY, NAN}) {
      const Floats state(rwkv_get_state_len(context.get()), value);
      const bool done = rwkv_eval(context.get(), 1, state.data(), nullptr, logits.data());
      if (std::fabs(value) <= 1) {
        EXPECT_TRUE(done) << path;
      }
      if (!std::isfinite(value)) {
        EXPECT_FALSE(done) << path;
      }
      if (done) {
        EXPECT_TRUE(
            std::all_of(logits.begin(), logits.end(), [](float x) { return std::isfinite(x); }));
      }
    }
    // Nothing of it stays in the context.
    Floats a = new_logits(context);
    ASSERT_TRUE(rwkv_eval(context.get(), 1, nullptr, nullptr, a.data()));
    EXPECT_TRUE(std::all_of(a.begin(), a.end(), [](float x) { return std::isfinite(x); }));
  }
}

TEST_F(CompatEval, models_of_rwkv_cpp_give_the_logits_that_came_with_them) {
  for (const char* version : {"4v0-660K", "5v2-730K", "7v0-834K"}) {
    const std::string model = fmt::format("fixtures/rwkv.cpp/tiny-rwkv-{}-FP32.bin", version);
    SK_NEEDS_SHARED(model);
    const Context context = open_context(shared_file(model), 2);
    const std::string bytes =
        read_bytes(shared_file(fmt::format("fixtures/rwkv.cpp/expected-logits-{}.bin", version)));
    Floats expected(bytes.size() / sizeof(float)), logits = new_logits(context);
    ASSERT_EQ(expected.size(), logits.size());
    std::memcpy(expected.data(), bytes.data(), bytes.size());
    const Tokens tokens = {'"', 'i', 'n'};
    ASSERT_TRUE(
        rwkv_eval_sequence(context.get(), tokens.data(), 3, nullptr, nullptr, logits.data()));
    // Two f32 programs that add in different orders; twelve layers at most.
    EXPECT_LT(relative_error(logits, expected), 1e-5) << version;
  }
}

TEST_F(CompatEval, a_state_that_gives_no_numbers_does_no_harm_to_the_next) {
  for (const auto& path : models()) {
    SCOPED_TRACE(path);
    const Context context = open_context(path);
    const Floats fresh = new_state(context);
    const Floats bad(fresh.size(), std::numeric_limits<float>::quiet_NaN());
    Floats a = new_logits(context), b = new_logits(context);
    ASSERT_TRUE(rwkv_eval(context.get(), 5, fresh.data(), nullptr, a.data()));
    EXPECT_FALSE(rwkv_eval(context.get(), 5, bad.data(), nullptr, b.data()));
    ASSERT_TRUE(rwkv_eval(context.get(), 5, fresh.data(), nullptr, b.data()));
    EXPECT_TRUE(same_bits(a, b));
  }
}

}  // namespace
}  // namespace skein::test
