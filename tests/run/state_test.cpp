// States as files: what comes back equals what went out, and what was damaged is refused.
#include "run/state.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/file.h"
#include "base/limits.h"
#include "io/container.h"
#include "io/pth_writer.h"
#include "quant/read.h"
#include "run/state_file.h"
#include "support/models.h"
#include "support/random.h"

namespace skein {
namespace {

using Bytes = std::vector<std::byte>;

// Two layers of width 6 with two heads of 3: a file small enough to damage in every place.
std::shared_ptr<const StateLayout> small_layout(const std::string& design = "rwkv7",
                                                uint8_t fingerprint = 7) {
  auto layout = std::make_shared<StateLayout>();
  layout->design = design;
  layout->fingerprint.fill(std::byte{fingerprint});
  for (const char* layer : {"blocks.0.", "blocks.1."}) {
    const std::string block = layer;
    layout->parts.push_back({block + "att.x_prev", {6}, false});
    layout->parts.push_back({block + "att.wkv", {2, 3, 3}, true});
    layout->parts.push_back({block + "ffn.x_prev", {6}, false});
  }
  for (const auto& part : layout->parts) {
    layout->offsets.push_back(layout->size);
    layout->size += part.shape.elements();
  }
  return layout;
}

State small_state(uint64_t seed = 1) {
  State state(small_layout());
  test::Random random(seed);
  for (float& value : state.values()) value = random.uniform(-3, 3);
  const int32_t history[] = {0, 5, 3};
  state.note(history);
  return state;
}

// With the checksum that these bytes should have, so that a test reaches what stands behind it.
Bytes resigned(Bytes file) {
  const size_t end = file.size() - Digest().size();
  const Digest sum = sha256(std::span(file).first(end));
  std::copy(sum.begin(), sum.end(), file.begin() + static_cast<ptrdiff_t>(end));
  return file;
}

Code code_of(const Bytes& file) {
  const auto parsed = parse_saved_state(file, "a.state");
  if (parsed) return Code{0};
  EXPECT_TRUE(parsed.error().message.starts_with("a.state: ")) << parsed.error().message;
  return parsed.error().code;
}

Result<State> import_small(const Bytes& file, std::optional<bool> swapped = std::nullopt) {
  return import_state(file, "a.state", small_layout(), swapped);
}

// The official tensors of `state`'s WKV parts, [2, 3, 3] each.
std::vector<std::vector<float>> official_wkv(const State& state) {
  const std::vector<float> all = official_values(state);
  return {{all.begin() + 6, all.begin() + 24}, {all.begin() + 36, all.begin() + 54}};
}

TEST(State, a_copy_is_independent_of_the_original) {
  const State original = small_state();
  State copy = original;
  EXPECT_TRUE(copy == original);
  copy.values()[0] += 1;
  EXPECT_FALSE(copy == original);
  EXPECT_EQ(original.values()[0], small_state().values()[0]);
}

TEST(State, equality_is_of_bits_and_of_the_model) {
  State plus(small_layout()), minus(small_layout());
  minus.values()[3] = -0.0f;
  EXPECT_FALSE(plus == minus);
  EXPECT_FALSE(State(small_layout()) == State(small_layout("rwkv7", 8)));
}

TEST(State, the_history_hash_does_not_depend_on_how_tokens_are_cut) {
  const int32_t ids[] = {4, 0, 9, 9};
  State whole(small_layout()), cut(small_layout()), swapped(small_layout());
  whole.note(ids);
  cut.note(std::span(ids).first(1));
  cut.note(std::span(ids).subspan(1));
  EXPECT_EQ(whole.tokens_hash(), cut.tokens_hash());
  EXPECT_EQ(cut.tokens_read(), 4u);
  const int32_t other[] = {0, 4, 9, 9};
  swapped.note(other);
  EXPECT_NE(whole.tokens_hash(), swapped.tokens_hash());
}

TEST(SavedState, everything_comes_back) {
  const State state = small_state();
  const int32_t tokens[] = {0, 5, 3};
  const Bytes file = serialise(state, tokens, "text \xff\n");
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->design, "rwkv7");
  EXPECT_EQ(saved->fingerprint, state.layout().fingerprint);
  EXPECT_EQ(saved->tokens, (std::vector<int32_t>{0, 5, 3}));
  EXPECT_EQ(saved->text, "text \xff\n");
  const auto back = to_state(*saved, small_layout(), "a.state");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == state);
  EXPECT_EQ(back->tokens_read(), 3u);
  EXPECT_EQ(back->tokens_hash(), state.tokens_hash());
  EXPECT_EQ(serialise(*back, tokens, "text \xff\n"), file);
}

TEST(SavedState, every_changed_byte_is_noticed) {
  const int32_t tokens[] = {0, 5, 3};
  const Bytes file = serialise(small_state(), tokens, "text");
  for (size_t i = 0; i < file.size(); ++i)
    for (const int bit : {0, 3, 7}) {
      Bytes damaged = file;
      damaged[i] ^= std::byte{static_cast<uint8_t>(1 << bit)};
      const Code code = code_of(damaged);
      // The four bytes of the version may also be a newer version.
      const bool version = i >= 8 && i < 12;
      EXPECT_TRUE(code == Code::corrupt || (version && code == Code::unsupported))
          << "byte " << i << " bit " << bit;
    }
}

TEST(SavedState, truncated_anywhere_is_corrupt) {
  const Bytes file = serialise(small_state(), {}, "text");
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_EQ(code_of(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size))),
              Code::corrupt)
        << size;
}

TEST(SavedState, bytes_behind_the_end_are_corrupt) {
  Bytes file = serialise(small_state(), {}, "");
  file.push_back(std::byte{0});
  EXPECT_EQ(code_of(file), Code::corrupt);
}

TEST(SavedState, the_next_version_is_unsupported) {
  Bytes file = serialise(small_state(), {}, "");
  file[8] = std::byte{2};
  EXPECT_EQ(code_of(file), Code::unsupported);
  EXPECT_EQ(code_of(resigned(file)), Code::unsupported);
}

TEST(SavedState, lengths_beyond_the_file_allocate_nothing) {
  // After magic, version, design (4 + 5), fingerprint (32) and history (16) stands the token count.
  const size_t count_at = 8 + 4 + 4 + 5 + 32 + 16;
  for (const uint64_t count :
       {uint64_t{1} << 20, uint64_t{1} << 62, (uint64_t{1} << 62) + 1, UINT64_MAX}) {
    Bytes file = serialise(small_state(), {}, "");
    std::memcpy(file.data() + count_at, &count, sizeof count);
    EXPECT_EQ(code_of(resigned(file)), Code::corrupt) << count;
  }
}

TEST(SavedState, numbers_that_no_model_computes_are_corrupt) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), 1e30f, -1e6f})
    for (const size_t index : {size_t{0}, size_t{59}}) {
      State state = small_state();
      ASSERT_EQ(state.values().size(), 60u);
      state.values()[index] = bad;
      // serialise() signs whatever it is given, as an attacker would.
      EXPECT_EQ(code_of(serialise(state, {}, "")), Code::corrupt) << bad;
    }
}

// What our own file brings, a list brings too: the same numbers are refused in either.
TEST(SavedState, a_sum_below_zero_that_rwkv4_would_divide_by_is_corrupt_in_every_file) {
  auto layout = std::make_shared<StateLayout>();
  layout->design = "rwkv4";
  for (const char* name : {"blocks.0.att.aa", "blocks.0.att.bb"}) {
    layout->parts.push_back({name, {4}, false});
    layout->offsets.push_back(layout->size);
    layout->size += 4;
  }
  for (const float bb : {0.5f, -1.0f}) {
    State state(layout);
    std::fill(state.values().begin(), state.values().end(), bb);
    const auto list = export_pth(state);
    ASSERT_TRUE(list);
    for (const Bytes& file : {serialise(state, {}, ""), *list}) {
      const auto again = import_state(file, "a.state", layout);
      EXPECT_EQ(again.has_value(), bb > 0);
      if (!again) {
        EXPECT_EQ(again.error().code, Code::corrupt) << again.error().message;
      }
    }
    EXPECT_EQ(from_official_values(official_values(state), layout, "a.state").has_value(), bb > 0);
  }
}

TEST(SavedState, another_models_state_is_a_mismatch) {
  const auto saved = parse_saved_state(serialise(small_state(), {}, ""), "a.state");
  ASSERT_TRUE(saved);
  for (const auto& layout : {small_layout("rwkv6"), small_layout("rwkv7", 8)}) {
    const auto state = to_state(*saved, layout, "a.state");
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Code::mismatch);
  }
  SavedState longer = *saved;
  longer.values.push_back(0);
  EXPECT_EQ(to_state(longer, small_layout(), "a.state").error().code, Code::mismatch);
}

TEST(PthState, the_list_comes_back_equal) {
  const State state = small_state();
  const auto file = export_pth(state);
  ASSERT_TRUE(file) << file.error().message;
  const auto back = import_small(*file);
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == state);
}

TEST(PthState, the_list_has_the_official_order_shapes_and_axes) {
  const State state = small_state();
  const auto file = export_pth(state);
  ASSERT_TRUE(file);
  const auto container = io::read_container(*file, "a.pth");
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_TRUE(container->list);
  ASSERT_EQ(container->tensors.size(), 6u);
  for (size_t i = 0; i < 6; ++i) {
    const StoredTensor& tensor = container->tensors[i];
    EXPECT_EQ(tensor.shape, i % 3 == 1 ? Shape({2, 3, 3}) : Shape({6})) << i;
    std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
    ASSERT_TRUE(quant::read_f32(tensor, values));
    // Ours keeps [head, key, value], the package [head, value, key].
    for (size_t j = 0; j < values.size(); ++j) {
      const size_t head = j / 9, row = j / 3 % 3, column = j % 3;
      const size_t at = i % 3 == 1 ? head * 9 + column * 3 + row : j;
      EXPECT_EQ(values[j], state.part(i)[at]) << i << " " << j;
    }
  }
}

TEST(PthState, another_count_or_shape_is_a_mismatch) {
  std::vector<float> data(18);
  const io::NamedTensor x = {"a", {6}, std::span(data).first(6)};
  const io::NamedTensor wkv = {"b", {2, 3, 3}, data};
  const io::NamedTensor flat = {"c", {18}, data};
  const std::vector<std::vector<io::NamedTensor>> wrong = {{x, wkv, x, x, wkv},
                                                           {x, wkv, x, x, wkv, x, x},
                                                           {x, flat, x, x, wkv, x},
                                                           {wkv, x, x, x, x, x}};
  for (const auto& list : wrong) {
    const auto file = io::write_pth(list, /*as_list=*/true);
    ASSERT_TRUE(file);
    const auto state = import_small(*file);
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Code::mismatch) << state.error().message;
  }
}

TEST(PthState, numbers_that_no_model_computes_are_corrupt) {
  State state = small_state();
  state.values()[7] = std::nanf("");
  const auto file = export_pth(state);
  ASSERT_TRUE(file);
  EXPECT_EQ(import_small(*file).error().code, Code::corrupt);
}

TEST(TimeState, the_wkv_comes_back_and_the_rest_is_zero) {
  const State state = small_state();
  const auto file = export_time_state(state);
  ASSERT_TRUE(file);
  const auto back = import_small(*file);
  ASSERT_TRUE(back) << back.error().message;
  for (size_t i = 0; i < 6; ++i)
    for (size_t j = 0; j < state.part(i).size(); ++j)
      EXPECT_EQ(back->part(i)[j], i % 3 == 1 ? state.part(i)[j] : 0.0f);
}

TEST(TimeState, st_files_have_their_axes_swapped) {
  const State state = small_state();
  auto wkv = official_wkv(state);
  for (auto& part : wkv)
    for (size_t head = 0; head < 2; ++head)
      for (size_t a = 0; a < 3; ++a)
        for (size_t b = 0; b < a; ++b)
          std::swap(part[head * 9 + a * 3 + b], part[head * 9 + b * 3 + a]);
  const std::vector<io::NamedTensor> tensors = {{"blocks.0.att.time_state", {2, 3, 3}, wkv[0]},
                                                {"blocks.1.att.time_state", {2, 3, 3}, wkv[1]}};
  const auto file = io::write_safetensors(tensors, {});
  ASSERT_TRUE(file);
  const auto by_name = import_state(*file, "tuned.st", small_layout());
  const auto by_choice = import_small(*file, true);
  const auto as_official = import_small(*file, false);
  ASSERT_TRUE(by_name && by_choice && as_official);
  for (size_t j = 0; j < 18; ++j) EXPECT_EQ(by_name->part(1)[j], state.part(1)[j]);
  EXPECT_TRUE(*by_name == *by_choice);
  EXPECT_FALSE(*by_name == *as_official);
}

TEST(TimeState, missing_and_surplus_layers_are_a_mismatch) {
  std::vector<float> data(18);
  const auto layer = [&](int i) {
    return io::NamedTensor{fmt::format("blocks.{}.att.time_state", i), {2, 3, 3}, data};
  };
  for (const auto& list : {std::vector{layer(0)}, std::vector{layer(0), layer(1), layer(2)}}) {
    const auto file = io::write_pth(list, /*as_list=*/false);
    ASSERT_TRUE(file);
    EXPECT_EQ(import_small(*file).error().code, Code::mismatch);
  }
}

TEST(TimeState, a_file_without_any_is_unsupported) {
  std::vector<float> data(18);
  const std::vector<io::NamedTensor> tensors = {{"blocks.0.att.key.weight", {3, 6}, data}};
  const auto file = io::write_pth(tensors, /*as_list=*/false);
  ASSERT_TRUE(file);
  EXPECT_EQ(import_small(*file).error().code, Code::unsupported);
}

TEST(OfficialValues, come_back_equal_and_are_checked) {
  const State state = small_state();
  std::vector<float> values = official_values(state);
  const auto back = from_official_values(values, small_layout(), "flat");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == state);
  values.back() = 1e30f;
  EXPECT_EQ(from_official_values(values, small_layout(), "flat").error().code, Code::corrupt);
  values.pop_back();
  EXPECT_EQ(from_official_values(values, small_layout(), "flat").error().code, Code::mismatch);
}

// Feeds what `expected` has after `skip` tokens and compares.
void expect_rest(Model& model, State state, const test::Expected& expected, size_t skip) {
  const auto begin = static_cast<ptrdiff_t>(skip * static_cast<size_t>(model.vocab()));
  const std::vector<float> rest(expected.logits.begin() + begin, expected.logits.end());
  const std::vector<float> logits =
      test::logits_of(model, state, std::span(expected.tokens).subspan(skip));
  EXPECT_LE(test::relative_error(logits, rest), 5e-6);
}

class OfficialStates : public testing::Test {
 protected:
  void SetUp() override {
    model_ = test::open_model(test::fixture("models/v7.pth"));
    ASSERT_TRUE(model_);
  }

  State import(const std::string& name) {
    const auto bytes = read_file(test::fixture("models/" + name), limits::kStateFileBytes);
    EXPECT_TRUE(bytes);
    auto state = import_state(*bytes, name, model_->state_layout());
    EXPECT_TRUE(state) << state.error().message;
    return state ? *state : model_->new_state();
  }

  std::shared_ptr<Model> model_;
};

TEST_F(OfficialStates, a_state_of_the_package_goes_on_with_its_logits) {
  expect_rest(*model_, import("v7.state.pth"),
              test::read_expected(test::fixture("models/v7.expected.safetensors")), 16);
}

TEST_F(OfficialStates, tuned_start_states_give_their_logits) {
  expect_rest(*model_, import("v7.time_state.pth"),
              test::read_expected(test::fixture("models/v7.time_state.expected.safetensors")), 0);
}

TEST_F(OfficialStates, our_export_has_the_tensors_of_theirs) {
  const State state = import("v7.state.pth");
  const auto file = export_pth(state);
  const auto official = read_file(test::fixture("models/v7.state.pth"), limits::kStateFileBytes);
  ASSERT_TRUE(file && official);
  const auto ours = io::read_container(*file, "ours");
  const auto theirs = io::read_container(*official, "theirs");
  ASSERT_TRUE(ours && theirs);
  ASSERT_EQ(ours->tensors.size(), theirs->tensors.size());
  for (size_t i = 0; i < ours->tensors.size(); ++i) {
    ASSERT_EQ(ours->tensors[i].shape, theirs->tensors[i].shape) << i;
    const auto count = static_cast<size_t>(ours->tensors[i].shape.elements());
    std::vector<float> a(count), b(count);
    ASSERT_TRUE(quant::read_f32(ours->tensors[i], a));
    ASSERT_TRUE(quant::read_f32(theirs->tensors[i], b));
    EXPECT_EQ(a, b) << i;
  }
}

TEST_F(OfficialStates, saved_in_the_middle_and_restored_gives_the_same_bits) {
  const test::Expected expected =
      test::read_expected(test::fixture("models/v7.expected.safetensors"));
  const auto tokens = std::span(expected.tokens);
  const auto vocab = static_cast<size_t>(model_->vocab());
  std::vector<float> straight(vocab), restored(vocab);
  State state = model_->new_state();
  ASSERT_TRUE(model_->eval(state, tokens.first(20), Want::none, nullptr));
  const auto saved = parse_saved_state(serialise(state, {}, ""), "a.state");
  ASSERT_TRUE(saved);
  auto back = to_state(*saved, model_->state_layout(), "a.state");
  ASSERT_TRUE(back);
  ASSERT_TRUE(model_->eval(state, tokens.subspan(20), Want::last, straight.data()));
  ASSERT_TRUE(model_->eval(*back, tokens.subspan(20), Want::last, restored.data()));
  EXPECT_EQ(std::memcmp(straight.data(), restored.data(), vocab * sizeof(float)), 0);
  EXPECT_TRUE(*back == state);
  EXPECT_EQ(back->tokens_hash(), state.tokens_hash());
}

}  // namespace
}  // namespace skein
