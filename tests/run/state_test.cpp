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
#include "support/states.h"
#include "support/thorough.h"

namespace skein {
namespace {

using Bytes = std::vector<std::byte>;

// Two layers of width 6 with two heads of 3: a file small enough to damage in every place.
std::shared_ptr<const StateLayout> small_layout(const std::string& design = "rwkv7",
                                                uint8_t fingerprint = 7) {
  std::vector<arch::StateSpec> parts;
  for (const char* layer : {"blocks.0.", "blocks.1."}) {
    const std::string block = layer;
    parts.push_back({block + "att.x_prev", {6}, false});
    parts.push_back({block + "att.wkv", {2, 3, 3}, true});
    parts.push_back({block + "ffn.x_prev", {6}, false});
  }
  Digest digest;
  digest.fill(std::byte{fingerprint});
  return host_layout(design, digest, std::move(parts));
}

State small_state(uint64_t seed = 1) {
  State state(small_layout());
  test::Random random(seed);
  std::vector<float> values(60);
  for (float& value : values) value = random.uniform(-3, 3);
  test::set_numbers(state, values);
  const int32_t history[] = {0, 5, 3};
  state.note(history);
  return state;
}

Bytes file_of(const State& state, std::span<const int32_t> tokens = {},
              std::string_view text = {}) {
  const auto file = StateFile::make(state, tokens, text);
  EXPECT_TRUE(file);
  const Bytes bytes = file->bytes();
  EXPECT_EQ(bytes.size(), file->size());
  EXPECT_EQ(bytes.size(), state_file_size(state, tokens.size(), text.size()));
  return bytes;
}

// The same state as the first version of the format had it, written by what that said.
Bytes first_versions_file(const State& state, std::span<const int32_t> tokens,
                          std::string_view text) {
  std::string out = "SkeinSt1";
  const auto number = [&](auto value) {
    out.append(reinterpret_cast<const char*>(&value), sizeof value);
  };
  const auto raw = [&](std::span<const std::byte> bytes) {
    out.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  };
  const std::vector<float> values = test::numbers(state);
  number(uint32_t{1});
  number(static_cast<uint32_t>(state.layout().design.size()));
  out += state.layout().design;
  raw(state.layout().fingerprint);
  number(state.tokens_read());
  number(state.tokens_hash());
  number(uint64_t{tokens.size()});
  raw(std::as_bytes(tokens));
  number(uint64_t{text.size()});
  out += text;
  number(uint64_t{values.size()});
  raw(std::as_bytes(std::span(values)));
  raw(sha256(std::as_bytes(std::span(out))));
  const auto bytes = std::as_bytes(std::span(out));
  return {bytes.begin(), bytes.end()};
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
  const std::vector<float> all = *official_values(state);
  return {{all.begin() + 6, all.begin() + 24}, {all.begin() + 36, all.begin() + 54}};
}

TEST(State, a_copy_is_independent_of_the_original) {
  const State original = small_state();
  State copy = original;
  EXPECT_TRUE(copy == original);
  test::set_number(copy, 0, test::numbers(copy)[0] + 1);
  EXPECT_FALSE(copy == original);
  EXPECT_TRUE(original == small_state());
}

TEST(State, equality_is_of_bits_and_of_the_model) {
  State plus(small_layout()), minus(small_layout());
  test::set_number(minus, 3, -0.0f);
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
  const Bytes file = file_of(state, tokens, "text \xff\n");
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->design, "rwkv7");
  EXPECT_EQ(saved->fingerprint, state.layout().fingerprint);
  EXPECT_EQ(saved->tokens, (std::vector<int32_t>{0, 5, 3}));
  EXPECT_EQ(saved->text, "text \xff\n");
  const auto back = to_state(*saved, file, small_layout(), "a.state");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == state);
  EXPECT_EQ(back->tokens_read(), 3u);
  EXPECT_EQ(back->tokens_hash(), state.tokens_hash());
  EXPECT_EQ(file_of(*back, tokens, "text \xff\n"), file);
}

TEST(SavedState, every_changed_byte_is_noticed) {
  const int32_t tokens[] = {0, 5, 3};
  const Bytes file = file_of(small_state(), tokens, "text");
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
  const Bytes file = file_of(small_state(), {}, "text");
  for (size_t size = 0; size < file.size(); ++size)
    EXPECT_EQ(code_of(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size))),
              Code::corrupt)
        << size;
}

TEST(SavedState, bytes_behind_the_end_are_corrupt) {
  Bytes file = file_of(small_state());
  file.push_back(std::byte{0});
  EXPECT_EQ(code_of(file), Code::corrupt);
}

TEST(SavedState, the_next_version_is_unsupported) {
  Bytes file = file_of(small_state());
  file[8] = std::byte{4};
  EXPECT_EQ(code_of(file), Code::unsupported);
  EXPECT_EQ(code_of(resigned(file)), Code::unsupported);
}

TEST(SavedState, lengths_beyond_the_file_allocate_nothing) {
  // After magic, version, design (4 + 5), fingerprint (32) and history (16) stands the token count.
  const size_t count_at = 8 + 4 + 4 + 5 + 32 + 16;
  for (const uint64_t count :
       {uint64_t{1} << 20, uint64_t{1} << 62, (uint64_t{1} << 62) + 1, UINT64_MAX}) {
    Bytes file = file_of(small_state());
    std::memcpy(file.data() + count_at, &count, sizeof count);
    EXPECT_EQ(code_of(resigned(file)), Code::corrupt) << count;
  }
}

// A state with parts of every kind, the growing ones longer than a page.
State growing_state() {
  const auto layout = host_layout(
      "rwkv7", {},
      {{.name = "blocks.0.att.x_prev", .shape = {6}},
       {.name = "blocks.0.att.ids",
        .shape = {1},
        .type = DType::i32,
        .growth = ops::Growth::growing},
       {.name = "blocks.0.att.half", .shape = {3}, .type = DType::f16},
       {.name = "blocks.0.att.keys", .shape = {2, 4096}, .growth = ops::Growth::growing},
       {.name = "blocks.0.att.none",
        .shape = {5},
        .type = DType::bf16,
        .growth = ops::Growth::growing}});
  State state(layout);
  const std::vector<float> fixed = {1, 2, 3, 4, 5, -6};
  const std::vector<uint16_t> halves = {0x3c00, 0x0001, 0xc000};
  std::vector<int32_t> ids(5);
  std::vector<float> keys(5 * 8192);
  for (size_t i = 0; i < ids.size(); ++i) ids[i] = static_cast<int32_t>(1000 - i);
  for (size_t i = 0; i < keys.size(); ++i) keys[i] = static_cast<float>(i % 1000) - 500;
  EXPECT_TRUE(state.set_part(0, std::as_bytes(std::span(fixed))));
  EXPECT_TRUE(state.set_part(1, std::as_bytes(std::span(ids))));
  EXPECT_TRUE(state.set_part(2, std::as_bytes(std::span(halves))));
  EXPECT_TRUE(state.set_part(3, std::as_bytes(std::span(keys))));
  return state;
}

TEST(SavedState, parts_of_every_kind_come_back_and_begin_where_a_vector_can) {
  const State state = growing_state();
  const Bytes file = file_of(state);
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved) << saved.error().message;
  ASSERT_EQ(saved->parts.size(), 5u);
  for (const SavedPart& part : saved->parts) EXPECT_EQ(part.offset % 64, 0u) << part.name;
  EXPECT_EQ(saved->parts[3].rows, 5);
  EXPECT_EQ(saved->parts[3].shape, Shape({2, 4096}));
  EXPECT_EQ(saved->parts[4].rows, 0);
  EXPECT_EQ(saved->numbers(), 6 + 5 + 3 + 5 * 8192);
  const auto back = to_state(*saved, file, state.shared_layout(), "a.state");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == state);
  EXPECT_EQ(file_of(*back), file);
  // Other programs have no place for it.
  EXPECT_EQ(export_pth(state).error().code, Code::unsupported);
  EXPECT_EQ(official_values(state).error().code, Code::unsupported);
}

TEST(SavedState, numbers_that_are_none_are_found_in_every_part) {
  const State state = growing_state();
  const Bytes file = file_of(state);
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved);
  for (const size_t index : {size_t{0}, size_t{2}, size_t{3}}) {
    const SavedPart& part = saved->parts[index];
    Bytes bad = file;  // all bits set are a NaN in each real type
    std::fill_n(bad.begin() + static_cast<ptrdiff_t>(part.offset + part.bytes - 4), 4,
                std::byte{0xff});
    EXPECT_EQ(code_of(resigned(bad)), Code::corrupt) << part.name;
  }
}

// Each number of the list of parts, made larger or smaller than what is behind it.
TEST(SavedState, a_list_of_parts_that_lies_is_refused_and_allocates_nothing) {
  const Bytes file = file_of(growing_state());
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved);
  const size_t list = 8 + 4 + 4 + 5 + 32 + 16 + 8 + 8, end = saved->parts[0].offset;
  for (size_t at = list; at + 8 <= end; ++at)
    for (const uint64_t value : {uint64_t{0}, uint64_t{1} << 20, uint64_t{1} << 40, UINT64_MAX})
      for (const size_t bytes : {size_t{1}, size_t{4}, size_t{8}}) {
        if (!test::taken(bytes / 4, at, 3)) continue;
        Bytes bad = file;
        std::memcpy(bad.data() + at, &value, bytes);
        if (bad == file) continue;
        bad = resigned(bad);
        const auto parsed = parse_saved_state(bad, "a.state");
        if (!parsed) continue;
        // Zeros between parts can be rows as well; what is read is then what the file says.
        const auto state = to_state(*parsed, bad, growing_state().shared_layout(), "a.state");
        EXPECT_TRUE(!state || file_of(*state, parsed->tokens, parsed->text) == bad)
            << at << " " << value << " " << bytes;
      }
  Bytes between = file;
  between[saved->parts[0].offset - 1] = std::byte{1};
  EXPECT_EQ(code_of(resigned(between)), Code::corrupt);
}

SavedChat small_chat() {
  SavedChat chat = {.system = "be kind", .turns = {}, .branches = {}, .branch = 1};
  for (const int64_t parent : {-1, 0, 1, 1})
    chat.turns.push_back({.parent = parent,
                          .closed = parent != 1,
                          .attempt = 7,
                          .user = "who \xff",
                          .answer = "me",
                          .prompt_ids = {4, -5},
                          .answer_ids = {6}});
  chat.turns[0].state = file_of(small_state(2));
  chat.branches = {{"alt-1", 3}, {"main", 2}};
  return chat;
}

TEST(SavedState, a_conversation_is_kept_beside_the_state_and_damage_is_seen) {
  const State state = small_state();
  const SavedChat chat = small_chat();
  const Bytes file = StateFile::make(state, {}, "text", &chat)->bytes();
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved) << saved.error().message;
  ASSERT_TRUE(saved->chat);
  EXPECT_EQ(saved->chat->system, "be kind");
  ASSERT_EQ(saved->chat->turns.size(), 4u);
  EXPECT_EQ(saved->chat->turns[3].parent, 1);
  EXPECT_EQ(saved->chat->turns[1].closed, true);
  EXPECT_EQ(saved->chat->turns[3].closed, false);
  EXPECT_EQ(saved->chat->turns[2].user, "who \xff");
  EXPECT_EQ(saved->chat->turns[2].prompt_ids, (std::vector<int32_t>{4, -5}));
  EXPECT_EQ(saved->chat->turns_of(saved->chat->branches[0]), 2u);
  EXPECT_EQ(write_chat(*saved->chat), write_chat(chat));
  EXPECT_TRUE(*to_state(*saved, file, small_layout(), "a.state") == state);

  // Cut off or longer, at any place; each number of it a lie.
  const Bytes whole = write_chat(chat);
  for (size_t size = 0; size < whole.size(); ++size)
    ASSERT_FALSE(parse_chat(std::span(whole).first(size), "a.state")) << size;
  Bytes longer = whole;
  longer.push_back({});
  EXPECT_FALSE(parse_chat(longer, "a.state"));
  for (size_t at = 0; at + 8 <= whole.size(); ++at)
    for (const uint64_t value : {uint64_t{0}, uint64_t{1}, uint64_t{1} << 20, UINT64_MAX})
      for (const size_t bytes : {size_t{1}, size_t{4}, size_t{8}}) {
        Bytes bad = whole;
        std::memcpy(bad.data() + at, &value, bytes);
        const auto parsed = parse_chat(bad, "a.state");
        // What is read is what it says.
        if (parsed) {
          ASSERT_EQ(write_chat(*parsed), bad) << at;
        }
      }
}

TEST(SavedState, numbers_that_no_model_computes_are_corrupt) {
  for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity(),
                          -std::numeric_limits<float>::infinity(), 1e30f, -1e6f})
    for (const size_t index : {size_t{0}, size_t{59}}) {
      State state = small_state();
      test::set_number(state, index, bad);
      // StateFile signs whatever it is given, as an attacker would.
      EXPECT_EQ(code_of(file_of(state)), Code::corrupt) << bad;
      EXPECT_EQ(code_of(first_versions_file(state, {}, "")), Code::corrupt) << bad;
    }
}

// What our own file brings, a list brings too: the same numbers are refused in either.
TEST(SavedState, a_sum_below_zero_that_rwkv4_would_divide_by_is_corrupt_in_every_file) {
  const auto layout =
      host_layout("rwkv4", {}, {{"blocks.0.att.aa", {4}, false}, {"blocks.0.att.bb", {4}, false}});
  for (const float bb : {0.5f, -1.0f}) {
    State state(layout);
    test::fill_numbers(state, bb);
    const auto list = export_pth(state);
    ASSERT_TRUE(list);
    for (const Bytes& file : {file_of(state), first_versions_file(state, {}, ""), *list}) {
      const auto again = import_state(file, "a.state", layout);
      EXPECT_EQ(again.has_value(), bb > 0);
      if (!again) {
        EXPECT_EQ(again.error().code, Code::corrupt) << again.error().message;
      }
    }
    EXPECT_EQ(from_official_values(*official_values(state), layout, "a.state").has_value(), bb > 0);
  }
}

TEST(SavedState, another_models_state_is_a_mismatch) {
  const auto renamed =
      host_layout("rwkv7", small_layout()->fingerprint, {{"blocks.0.att.x_prev", {60}, false}});
  auto wider = small_layout()->parts, integer = wider, growing = wider;
  wider[1].shape = {2, 4, 3};
  integer[0].type = DType::i32;
  growing[5].growth = ops::Growth::growing;
  const auto same_print = [&](std::vector<arch::StateSpec> parts) {
    return host_layout("rwkv7", small_layout()->fingerprint, std::move(parts));
  };
  for (const Bytes& file : {file_of(small_state()), first_versions_file(small_state(), {}, "")}) {
    const auto saved = parse_saved_state(file, "a.state");
    ASSERT_TRUE(saved);
    for (const auto& layout : std::initializer_list<std::shared_ptr<const StateLayout>>{
             small_layout("rwkv6"), small_layout("rwkv7", 8), same_print(wider)}) {
      const auto state = to_state(*saved, file, layout, "a.state");
      ASSERT_FALSE(state);
      EXPECT_EQ(state.error().code, Code::mismatch);
    }
  }
  // Where the file names its parts, those tell: the numbers are as many.
  const Bytes file = file_of(small_state());
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved);
  for (const auto& layout : {std::shared_ptr<const StateLayout>(renamed),
                             std::shared_ptr<const StateLayout>(same_print(integer)),
                             std::shared_ptr<const StateLayout>(same_print(growing))}) {
    const auto state = to_state(*saved, file, layout, "a.state");
    ASSERT_FALSE(state);
    EXPECT_EQ(state.error().code, Code::mismatch) << state.error().message;
  }
}

TEST(SavedState, the_first_version_is_still_read) {
  const State state = small_state();
  const int32_t tokens[] = {0, 5, 3};
  const Bytes file = first_versions_file(state, tokens, "text \xff\n");
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved) << saved.error().message;
  EXPECT_EQ(saved->tokens, (std::vector<int32_t>{0, 5, 3}));
  EXPECT_EQ(saved->text, "text \xff\n");
  EXPECT_EQ(saved->numbers(), 60);
  const auto back = to_state(*saved, file, small_layout(), "a.state");
  ASSERT_TRUE(back) << back.error().message;
  EXPECT_TRUE(*back == state);
  EXPECT_EQ(back->tokens_read(), 3u);
  EXPECT_EQ(back->tokens_hash(), state.tokens_hash());
  for (size_t size = 8; size < file.size(); ++size)
    EXPECT_EQ(code_of(Bytes(file.begin(), file.begin() + static_cast<ptrdiff_t>(size))),
              Code::corrupt);
  for (size_t i = 0; i < file.size(); ++i) {
    Bytes changed = file;
    changed[i] ^= std::byte{1};
    EXPECT_NE(code_of(changed), Code{0}) << i;
  }
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
      EXPECT_EQ(values[j], state.part(i)->floats()[at]) << i << " " << j;
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
  test::set_number(state, 7, std::nanf(""));
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
    for (size_t j = 0; j < state.part(i)->floats().size(); ++j)
      EXPECT_EQ(back->part(i)->floats()[j], i % 3 == 1 ? state.part(i)->floats()[j] : 0.0f);
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
  for (size_t j = 0; j < 18; ++j)
    EXPECT_EQ(by_name->part(1)->floats()[j], state.part(1)->floats()[j]);
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
  std::vector<float> values = *official_values(state);
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
  const Bytes file = file_of(state);
  const auto saved = parse_saved_state(file, "a.state");
  ASSERT_TRUE(saved);
  auto back = to_state(*saved, file, model_->state_layout(), "a.state");
  ASSERT_TRUE(back);
  ASSERT_TRUE(model_->eval(state, tokens.subspan(20), Want::last, straight.data()));
  ASSERT_TRUE(model_->eval(*back, tokens.subspan(20), Want::last, restored.data()));
  EXPECT_EQ(std::memcmp(straight.data(), restored.data(), vocab * sizeof(float)), 0);
  EXPECT_TRUE(*back == state);
  EXPECT_EQ(back->tokens_hash(), state.tokens_hash());
}

}  // namespace
}  // namespace skein
