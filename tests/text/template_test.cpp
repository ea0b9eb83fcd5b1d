#include "text/template.h"

#include "support.h"

namespace skein::text::test {
namespace {

const Profile& profile(std::string_view name) { return *profile_by_name(name); }

std::string one_turn(std::string_view name, const std::string& text, ThinkMode mode) {
  const Message message{Role::user, text};
  return render(profile(name), std::span(&message, 1), mode);
}

TEST(Template, texts_are_those_of_the_table) {
  const std::vector<Message> several = {
      {Role::user, "u1"}, {Role::assistant, "a1"}, {Role::user, "u2"}};
  const std::vector<Message> system = {{Role::system, "s"}, {Role::user, "u"}};
  EXPECT_EQ(one_turn("world", "u", ThinkMode::none), "User: u\n\nAssistant:");
  EXPECT_EQ(render(profile("world"), several, ThinkMode::none),
            "User: u1\n\nAssistant: a1\n\nUser: u2\n\nAssistant:");
  EXPECT_EQ(render(profile("world"), system, ThinkMode::none),
            "System: s\n\nUser: u\n\nAssistant:");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::none), "User: u\n\nAssistant:");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::free), "User: u\n\nAssistant: <think");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::fake), "User: u\n\nAssistant: <think>\n</think");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::bit), "User: u (think a bit)\n\nAssistant: <think");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::think), "User: u (think)\n\nAssistant: <think");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::lot), "User: u (think a lot)\n\nAssistant: <think");
  EXPECT_EQ(one_turn("g1", "u", ThinkMode::zh), "User: u\n\nAssistant: <think>嗯");
  EXPECT_EQ(one_turn("qa", "u", ThinkMode::none), "Question: u\n\nAnswer:");
  EXPECT_EQ(one_turn("bytes", "u", ThinkMode::none), "User: u\n\nAssistant:");
  EXPECT_EQ(render(profile("raven"), system, ThinkMode::none), "s\n\nBob: u\n\nAlice:");
  EXPECT_EQ(render(profile("plain"), several, ThinkMode::none), "u1a1u2");
}

TEST(Template, raven_sets_the_scene_unless_a_system_text_does) {
  const std::string scene(profile("raven").preamble);
  ASSERT_FALSE(scene.empty());
  EXPECT_EQ(one_turn("raven", "u", ThinkMode::none), scene + "\n\nBob: u\n\nAlice:");
}

TEST(Template, a_tools_result_is_a_users_turn) {
  const std::vector<Message> messages = {
      {Role::user, "u"}, {Role::assistant, "call"}, {Role::tool, "{}"}};
  EXPECT_EQ(render(profile("world"), messages, ThinkMode::none),
            "User: u\n\nAssistant: call\n\nUser: Function output:\n{}\n\nAssistant:");
}

TEST(Template, thoughts_leave_the_history) {
  const std::vector<Message> messages = {
      {Role::user, "u1"}, {Role::assistant, "<think>hm\n\nhm</think>\n\na1"}, {Role::user, "u2"}};
  EXPECT_EQ(render(profile("g1"), messages, ThinkMode::none),
            "User: u1\n\nAssistant: a1\n\nUser: u2\n\nAssistant:");
}

TEST(Template, a_last_answer_is_left_open) {
  const std::vector<Message> messages = {{Role::user, "u"}, {Role::assistant, "Once upon "}};
  for (const ThinkMode mode : {ThinkMode::none, ThinkMode::free})
    EXPECT_EQ(render(profile("g1"), messages, mode).find(" (think"), std::string::npos);
  EXPECT_EQ(render(profile("g1"), messages, ThinkMode::fake), "User: u\n\nAssistant: Once upon");
}

TEST(Template, modes_that_a_profile_does_not_know_act_as_none) {
  for (const Profile& p : profiles())
    for (const ThinkMode mode : {ThinkMode::none, ThinkMode::fake, ThinkMode::free, ThinkMode::bit,
                                 ThinkMode::think, ThinkMode::lot, ThinkMode::zh}) {
      const std::string text = one_turn(p.name, "u", mode);
      EXPECT_EQ(text == one_turn(p.name, "u", ThinkMode::none),
                !p.supports(mode) || mode == ThinkMode::none)
          << p.name << " " << think_mode_name(mode);
    }
}

TEST(Template, cleaning_follows_the_rules) {
  EXPECT_EQ(clean_text("a\r\nb"), "a\nb");
  EXPECT_EQ(clean_text("a\n\nb\n\n\n\nc"), "a\nb\nc");
  EXPECT_EQ(clean_text("a\r\n\r\nb"), "a\nb");
  EXPECT_EQ(clean_text("a\n \t \n\u3000\nb"), "a\nb");
  EXPECT_EQ(clean_text("  \n a \n\n"), "a");
  EXPECT_EQ(clean_text("a\n\n    indented"), "a\n    indented");
  EXPECT_EQ(clean_text("\u3000中\u00a0"), "中");
  EXPECT_EQ(clean_text("a\rb\r\r\nc"), "a\nb\nc");
  EXPECT_EQ(clean_text(""), "");
  EXPECT_EQ(clean_text(" \n "), "");
  EXPECT_EQ(clean_text("\xff\xfe"), "\xff\xfe");
}

constexpr std::string_view kPieces[] = {"a",  "b",  " ",      "\n",      "\r\n",     "\n\n",  "\t",
                                        "中", "。", "\u3000", "<think>", "</think>", "User:", "\r"};

TEST(Template, clean_text_has_no_blank_line_and_no_blank_ends_and_stays_clean) {
  std::mt19937 rng(1);
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = clean_text(random_text(rng, kPieces, below(rng, 20)));
    ASSERT_EQ(text.find("\n\n"), std::string::npos) << escaped(text);
    ASSERT_EQ(text.find('\r'), std::string::npos) << escaped(text);
    ASSERT_EQ(clean_text(text), text) << escaped(text);
    if (text.empty()) continue;
    ASSERT_EQ(std::string(" \t\r\n").find(text.front()), std::string::npos);
    ASSERT_EQ(std::string(" \t\r\n").find(text.back()), std::string::npos);
  }
}

TEST(Template, no_prompt_ends_in_a_space) {
  std::mt19937 rng(2);
  for (int n = 0; n < 2'000; ++n)
    for (const Profile& p : profiles()) {
      if (!p.has_template()) continue;
      const std::string text = random_text(rng, kPieces, below(rng, 10));
      ASSERT_FALSE(prompt_has_trailing_space(one_turn(p.name, text, ThinkMode::none)));
    }
}

TEST(Template, turn_by_turn_gives_the_text_of_the_whole_history) {
  std::mt19937 rng(3);
  for (int n = 0; n < 5'000; ++n) {
    const Profile& p = profiles()[below(rng, profiles().size() - 1)];
    ASSERT_TRUE(p.has_template());
    const ThinkMode mode = p.think_modes[below(rng, p.think_modes.size())];
    std::vector<Message> messages;
    std::string fed;
    if (below(rng, 2)) {
      messages.push_back({Role::system, random_text(rng, kPieces, below(rng, 10))});
      fed += render_system(p, messages.back().text);
    }
    const size_t turns = 1 + below(rng, 4);
    for (size_t k = 0; k < turns; ++k) {
      messages.push_back({Role::user, random_text(rng, kPieces, below(rng, 10))});
      const Turn turn = render_turn(p, messages.back().text, messages.size() == 1, mode);
      fed += turn.prompt;
      ASSERT_EQ(fed + turn.opening, render(p, messages, mode));
      messages.push_back({Role::assistant, random_text(rng, kPieces, below(rng, 10))});
      fed += render_answer(p, messages.back().text);
    }
  }
}

TEST(Template, thinking_is_split_from_the_answer) {
  const auto expect = [](std::string_view text, std::string_view thinking,
                         std::string_view answer) {
    const Thinking split = split_thinking(text);
    EXPECT_EQ(split.thinking, thinking) << text;
    EXPECT_EQ(split.answer, answer) << text;
  };
  expect(" <think>\nhm\n</think>\n\nHi \n", "hm", "Hi");
  expect(" <think hm</think>Hi", "hm", "Hi");
  expect(" <think>\n</think>\nHi", "", "Hi");
  expect(" <think>嗯，hm</think>Hi", "嗯，hm", "Hi");
  expect("<think>hm", "hm", "");
  expect("<think>hm</thi", "hm</thi", "");
  expect(" Hi </think> there", "", "Hi </think> there");
  expect("", "", "");
}

TEST(Template, prompt_tokens_follow_the_profile) {
  const auto bytes = byte_tokenizer_257();
  EXPECT_EQ(encode_prompt(*bytes, profile("bytes"), "ab", true).value(), (std::vector{0, 98, 99}));
  EXPECT_EQ(encode_prompt(*bytes, profile("bytes"), "ab", false).value(), (std::vector{98, 99}));
  EXPECT_EQ(encode_prompt(*bytes, profile("world"), "ab", true).value(), (std::vector{98, 99}));
}

TEST(Template, a_last_blank_line_is_two_tokens_for_raven) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  const auto tokenizer = open_file(skein::test::shared_file("data/20B_tokenizer.json"));
  const auto ids = [&](std::string_view name, std::string_view text) {
    return encode_prompt(*tokenizer, profile(name), text, true).value();
  };
  EXPECT_EQ(ids("plain", "a\n\n"), (std::vector{66, 535}));
  EXPECT_EQ(ids("raven", "a\n\n"), (std::vector{66, 187, 187}));
  EXPECT_EQ(ids("raven", "\n\n"), (std::vector{187, 187}));
  EXPECT_EQ(ids("raven", "\n\na"), tokenizer->encode("\n\na").value());
}

TEST(Template, official_openings_are_these_world_tokens) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto tokenizer = open_file(skein::test::shared_file("data/rwkv_vocab_v20230424.txt"));
  const auto ids = tokenizer->encode(one_turn("g1", "u", ThinkMode::free)).value();
  ASSERT_GE(ids.size(), 2u);
  EXPECT_EQ(ids[ids.size() - 2], 295);
  EXPECT_EQ(ids[ids.size() - 1], 35762);
}

TEST(Template, facts_of_a_raw_prompt_are_told) {
  EXPECT_TRUE(inspect_prompt("Assistant: ").trailing_space);
  EXPECT_TRUE(prompt_has_trailing_space("a\t"));
  EXPECT_FALSE(inspect_prompt("Assistant:").trailing_space);
  EXPECT_FALSE(inspect_prompt("a\n").trailing_space);
  EXPECT_FALSE(inspect_prompt("").trailing_space);
  EXPECT_TRUE(inspect_prompt("a\r\nb").carriage_returns);
  EXPECT_TRUE(inspect_prompt("Assistant: <think>").closed_think_tag);
  EXPECT_FALSE(inspect_prompt("Assistant: <think").closed_think_tag);
}

}  // namespace
}  // namespace skein::text::test
