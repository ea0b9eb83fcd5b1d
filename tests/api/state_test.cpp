// States as values and as bytes, through the C API.
#include <charconv>
#include <cmath>

#include "api/support.h"

namespace skein::test {
namespace {

class ApiState : public testing::Test {
 protected:
  void SetUp() override {
    model_ = open_model(v7_model());
    ASSERT_TRUE(model_);
    state_ = new_state(model_);
    feed(model_, state_, some_ids(11));
  }
  size_t floats() const {
    return static_cast<size_t>(info_of(model_.get()).state_bytes) / sizeof(float);
  }

  ModelPtr model_;
  StatePtr state_;
};

TEST_F(ApiState, a_clone_is_equal_and_independent) {
  const StatePtr copy = clone(state_);
  EXPECT_TRUE(equal(copy, state_));
  EXPECT_EQ(tokens_read(copy), 11u);
  const auto a = feed(model_, copy, {1, 2, 3});
  EXPECT_FALSE(equal(copy, state_));
  EXPECT_EQ(tokens_read(state_), 11u);
  EXPECT_TRUE(same_bits(a, feed(model_, state_, {1, 2, 3})));
}

TEST_F(ApiState, copy_and_reset_overwrite) {
  const StatePtr other = new_state(model_);
  ASSERT_EQ(sk_state_copy(other.get(), state_.get()), SK_OK);
  EXPECT_TRUE(equal(other, state_));
  EXPECT_EQ(tokens_read(other), 11u);
  ASSERT_EQ(sk_state_copy(other.get(), other.get()), SK_OK);
  EXPECT_TRUE(equal(other, state_));
  ASSERT_EQ(sk_state_reset(other.get()), SK_OK);
  EXPECT_TRUE(equal(other, new_state(model_)));
  EXPECT_EQ(tokens_read(other), 0u);
}

TEST_F(ApiState, states_of_other_models_do_not_mix) {
  const ModelPtr other_model = open_model(bundled_model());
  const StatePtr other = new_state(other_model);
  const StatePtr before = clone(state_);
  EXPECT_EQ(sk_state_copy(state_.get(), other.get()), SK_MISMATCH);
  EXPECT_FALSE(equal(state_, other));
  const int32_t id = 1;
  EXPECT_EQ(sk_eval(other_model.get(), state_.get(), &id, 1, SK_WANT_NONE, nullptr, 0),
            SK_MISMATCH);
  EXPECT_TRUE(equal(state_, before));
}

TEST_F(ApiState, info_tells_size_history_and_model) {
  struct sk_state_info info = {};
  info.size = sizeof info;
  ASSERT_EQ(sk_state_info(state_.get(), &info), SK_OK);
  EXPECT_EQ(info.numbers, floats());
  EXPECT_EQ(info.tokens_read, 11u);
  EXPECT_NE(info.tokens_hash, 0u);
  const auto model = info_of(model_.get());
  EXPECT_EQ(std::memcmp(info.fingerprint, model.fingerprint, sizeof info.fingerprint), 0);
  info.size = 12;
  SK_EXPECT_FAILS(SK_ARGUMENT, "sk_state_info.size", sk_state_info(state_.get(), &info));
}

TEST_F(ApiState, null_is_an_argument_error) {
  sk_state* out = nullptr;
  struct sk_state_info info = {};
  info.size = sizeof info;
  uint64_t count = 0;
  int32_t same = 0;
  size_t size = 0;
  const uint8_t byte = 0;
  const sk_state* s = state_.get();
  EXPECT_EQ(sk_state_new(nullptr, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_state_new(model_.get(), nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_clone(nullptr, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_state_clone(s, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_copy(nullptr, s), SK_ARGUMENT);
  EXPECT_EQ(sk_state_copy(state_.get(), nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_reset(nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_info(nullptr, &info), SK_ARGUMENT);
  EXPECT_EQ(sk_state_info(s, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_tokens_read(nullptr, &count), SK_ARGUMENT);
  EXPECT_EQ(sk_state_tokens_read(s, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_equal(nullptr, s, &same), SK_ARGUMENT);
  EXPECT_EQ(sk_state_equal(s, nullptr, &same), SK_ARGUMENT);
  EXPECT_EQ(sk_state_equal(s, s, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_export(nullptr, SK_STATE_NATIVE, nullptr, 0, &size), SK_ARGUMENT);
  EXPECT_EQ(sk_state_export(s, SK_STATE_NATIVE, nullptr, 0, nullptr), SK_ARGUMENT);
  EXPECT_EQ(sk_state_import(nullptr, SK_STATE_AUTO, &byte, 1, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_state_import(model_.get(), SK_STATE_AUTO, nullptr, 1, &out), SK_ARGUMENT);
  EXPECT_EQ(sk_state_import(model_.get(), SK_STATE_AUTO, &byte, 1, nullptr), SK_ARGUMENT);
  EXPECT_EQ(out, nullptr);
}

TEST_F(ApiState, every_whole_format_comes_back_bit_for_bit) {
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_F32}) {
    const Bytes bytes = export_state(state_, format);
    const StatePtr back = import_state(model_, format, bytes);
    ASSERT_TRUE(back);
    EXPECT_TRUE(equal(back, state_)) << format;
    EXPECT_EQ(tokens_read(back), format == SK_STATE_NATIVE ? 11u : 0u);
    EXPECT_EQ(export_state(back, format), bytes) << format;
    EXPECT_TRUE(
        same_bits(feed(model_, back, some_ids(5)), feed(model_, clone(state_), some_ids(5))))
        << format;
  }
}

TEST_F(ApiState, sizes_are_known_before_anything_is_written) {
  const StatePtr fresh = new_state(model_);
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_TIME_STATE, SK_STATE_F32}) {
    size_t size = 0, early = 0;
    ASSERT_EQ(sk_state_export(state_.get(), format, nullptr, 0, &size), SK_OK);
    ASSERT_EQ(sk_state_export(fresh.get(), format, nullptr, 0, &early), SK_OK);
    EXPECT_EQ(size, early) << format;
    EXPECT_EQ(size, export_state(state_, format).size()) << format;
    Bytes small(size - 1, 7);
    size_t untouched = 99;
    SK_EXPECT_FAILS(SK_ARGUMENT, std::to_string(size),
                    sk_state_export(state_.get(), format, small.data(), small.size(), &untouched));
    EXPECT_EQ(untouched, 99u);
    EXPECT_EQ(small, Bytes(size - 1, 7));
  }
}

TEST_F(ApiState, the_kind_of_data_is_found_out) {
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH}) {
    const StatePtr back = import_state(model_, SK_STATE_AUTO, export_state(state_, format));
    ASSERT_TRUE(back);
    EXPECT_TRUE(equal(back, state_));
  }
  const Bytes tuned = export_state(state_, SK_STATE_TIME_STATE);
  EXPECT_TRUE(equal(import_state(model_, SK_STATE_AUTO, tuned),
                    import_state(model_, SK_STATE_TIME_STATE, tuned)));
}

TEST_F(ApiState, data_may_lie_at_any_address) {
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_F32}) {
    Bytes bytes = export_state(state_, format);
    bytes.insert(bytes.begin(), 0);
    sk_state* out = nullptr;
    ASSERT_EQ(sk_state_import(model_.get(), format, bytes.data() + 1, bytes.size() - 1, &out),
              SK_OK)
        << sk_last_error();
    EXPECT_TRUE(equal(StatePtr(out), state_));
  }
}

TEST_F(ApiState, f32_is_the_official_list_without_its_frame) {
  const Bytes flat = export_state(state_, SK_STATE_F32);
  ASSERT_EQ(flat.size(), floats() * sizeof(float));
  // torch.save writes each tensor's numbers as they are: all parts stand in the .pth in order.
  const Bytes pth = export_state(state_, SK_STATE_PTH);
  const size_t part = 128 * sizeof(float);  // att.x_prev of layer 0
  EXPECT_NE(std::search(pth.begin(), pth.end(), flat.begin(), flat.begin() + part), pth.end());
  const size_t wkv = 2 * 64 * 64 * sizeof(float);
  EXPECT_NE(std::search(pth.begin(), pth.end(), flat.begin() + part, flat.begin() + part + wkv),
            pth.end());
}

TEST_F(ApiState, tuned_states_keep_the_wkv_only) {
  const Bytes tuned = export_state(state_, SK_STATE_TIME_STATE);
  const StatePtr once = import_state(model_, SK_STATE_TIME_STATE, tuned);
  EXPECT_FALSE(equal(once, state_));
  EXPECT_EQ(export_state(once, SK_STATE_TIME_STATE), tuned);
  // Swapping twice is not swapping; swapping once is not the same.
  const StatePtr swapped = import_state(model_, SK_STATE_TIME_STATE_ST, tuned);
  EXPECT_FALSE(equal(swapped, once));
  const Bytes back = export_state(swapped, SK_STATE_TIME_STATE);
  EXPECT_TRUE(equal(import_state(model_, SK_STATE_TIME_STATE_ST, back), once));
}

TEST_F(ApiState, a_small_buffer_is_refused_and_left_alone) {
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_TIME_STATE, SK_STATE_F32}) {
    const size_t needed = export_state(state_, format).size();
    Bytes buffer(needed - 1, 0xee);
    size_t size = 12345;
    SK_EXPECT_FAILS(SK_ARGUMENT, std::to_string(needed),
                    sk_state_export(state_.get(), format, buffer.data(), buffer.size(), &size));
    EXPECT_EQ(size, 12345u);
    EXPECT_EQ(buffer, Bytes(needed - 1, 0xee));
  }
}

TEST_F(ApiState, unknown_formats_are_arguments) {
  size_t size = 0;
  sk_state* out = nullptr;
  const Bytes bytes = export_state(state_, SK_STATE_NATIVE);
  // AUTO and TIME_STATE_ST are for imports only.
  for (const int32_t format : {-1, 4, 99})
    EXPECT_EQ(sk_state_export(state_.get(), format, nullptr, 0, &size), SK_ARGUMENT) << format;
  for (const int32_t format : {-2, 5, 99})
    EXPECT_EQ(sk_state_import(model_.get(), format, bytes.data(), bytes.size(), &out), SK_ARGUMENT);
  EXPECT_EQ(out, nullptr);
}

TEST_F(ApiState, data_of_another_kind_are_refused) {
  const int32_t formats[] = {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_TIME_STATE, SK_STATE_F32};
  for (const int32_t from : formats)
    for (const int32_t to : formats) {
      if (from == to) continue;
      const Bytes bytes = export_state(state_, from);
      sk_state* out = nullptr;
      const int32_t code = sk_state_import(model_.get(), to, bytes.data(), bytes.size(), &out);
      EXPECT_TRUE(code == SK_CORRUPT || code == SK_UNSUPPORTED || code == SK_MISMATCH)
          << from << " as " << to << ": " << code;
      EXPECT_EQ(out, nullptr);
    }
}

TEST_F(ApiState, damage_and_strangers_are_refused) {
  const auto import = [&](const ModelPtr& model, int32_t format, const Bytes& bytes) {
    sk_state* out = nullptr;
    const int32_t code = sk_state_import(model.get(), format, bytes.data(), bytes.size(), &out);
    EXPECT_EQ(out, nullptr);
    return code;
  };
  const Bytes native = export_state(state_, SK_STATE_NATIVE);
  Bytes damaged = native;
  damaged[damaged.size() / 2] ^= 1;
  EXPECT_EQ(import(model_, SK_STATE_NATIVE, damaged), SK_CORRUPT);
  EXPECT_EQ(import(model_, SK_STATE_NATIVE, Bytes(native.begin(), native.end() - 1)), SK_CORRUPT);
  EXPECT_EQ(import(model_, SK_STATE_AUTO, Bytes(native.begin(), native.begin() + 1)), SK_CORRUPT);

  const ModelPtr other = open_model(bundled_model());
  for (const int32_t format : {SK_STATE_NATIVE, SK_STATE_PTH, SK_STATE_TIME_STATE, SK_STATE_F32})
    EXPECT_EQ(import(other, format, export_state(state_, format)), SK_MISMATCH) << format;

  Bytes flat = export_state(state_, SK_STATE_F32);
  for (const float bad : {std::nanf(""), 1e30f, -INFINITY}) {
    std::memcpy(flat.data() + flat.size() - sizeof bad, &bad, sizeof bad);
    EXPECT_EQ(import(model_, SK_STATE_F32, flat), SK_CORRUPT) << bad;
  }
}

// A tensor of an official safetensors file, whose header we know to be plain.
template <typename T>
std::vector<T> official(const std::string& name, const std::string& tensor) {
  const Bytes file = read_bytes(fixture("models/" + name));
  uint64_t header = 0;
  std::memcpy(&header, file.data(), 8);
  const std::string text(file.begin() + 8, file.begin() + 8 + static_cast<ptrdiff_t>(header));
  const std::string key = "\"data_offsets\":[";
  const size_t at = text.find(key, text.find("\"" + tensor + "\"")) + key.size();
  size_t begin = 0, end = 0;
  const auto [comma, error] = std::from_chars(text.data() + at, text.data() + text.size(), begin);
  EXPECT_EQ(error, std::errc());
  std::from_chars(comma + 1, text.data() + text.size(), end);
  std::vector<T> out((end - begin) / sizeof(T));
  std::memcpy(out.data(), file.data() + 8 + header + begin, out.size() * sizeof(T));
  return out;
}

void expect_logits(const ModelPtr& model, const StatePtr& state, const std::string& expected,
                   size_t skip) {
  const Ids tokens = official<int32_t>(expected, "tokens");
  const auto logits = official<float>(expected, "logits");
  ASSERT_EQ(logits.size(), tokens.size() * vocab_of(model));
  const Ids rest(tokens.begin() + static_cast<ptrdiff_t>(skip), tokens.end());
  const std::vector<float> got = feed(model, state, rest);
  float largest = 0, difference = 0;
  for (const float logit : logits) largest = std::max(largest, std::abs(logit));
  for (size_t i = 0; i < got.size(); ++i)
    difference = std::max(difference, std::abs(got[i] - logits[skip * vocab_of(model) + i]));
  EXPECT_LE(difference, 5e-6f * largest);
}

TEST_F(ApiState, official_states_go_on_with_the_official_logits) {
  expect_logits(model_,
                import_state(model_, SK_STATE_PTH, read_bytes(fixture("models/v7.state.pth"))),
                "v7.expected.safetensors", 16);
  expect_logits(
      model_,
      import_state(model_, SK_STATE_TIME_STATE, read_bytes(fixture("models/v7.time_state.pth"))),
      "v7.time_state.expected.safetensors", 0);
}

}  // namespace
}  // namespace skein::test
