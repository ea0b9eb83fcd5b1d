#include "text/template.h"

#include "support.h"

namespace skein::text::test {
namespace {

const Profile& profile(std::string_view name) { return *profile_by_name(name); }

std::string rendered(const Profile& profile, std::span<const Message> messages, ThinkMode mode) {
  return render(profile, messages, mode).text;
}

std::string one_turn(std::string_view name, const std::string& text, ThinkMode mode) {
  const Message message{Role::user, text};
  return rendered(profile(name), std::span(&message, 1), mode);
}

TEST(Template, texts_are_those_of_the_table) {
  const std::vector<Message> several = {
      {Role::user, "u1"}, {Role::assistant, "a1"}, {Role::user, "u2"}};
  const std::vector<Message> system = {{Role::system, "s"}, {Role::user, "u"}};
  EXPECT_EQ(one_turn("world", "u", ThinkMode::none), "User: u\n\nAssistant:");
  EXPECT_EQ(rendered(profile("world"), several, ThinkMode::none),
            "User: u1\n\nAssistant: a1\n\nUser: u2\n\nAssistant:");
  EXPECT_EQ(rendered(profile("world"), system, ThinkMode::none),
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
  EXPECT_EQ(rendered(profile("raven"), system, ThinkMode::none), "s\n\nBob: u\n\nAlice:");
  EXPECT_EQ(rendered(profile("plain"), several, ThinkMode::none), "u1a1u2");
}

TEST(Template, material_stands_where_the_table_has_it) {
  const std::vector<Message> about = {{Role::user, "q", "m1\n\nm2"}};
  EXPECT_EQ(rendered(profile("instruct"), about, ThinkMode::none),
            "Instruction: q\n\nInput: m1\nm2\n\nResponse:");
  EXPECT_EQ(one_turn("instruct", "q", ThinkMode::none), "Instruction: q\n\nResponse:");
  EXPECT_EQ(rendered(profile("g1"), about, ThinkMode::none), "m1\nm2\n\nUser: q\n\nAssistant:");
  EXPECT_EQ(rendered(profile("qa"), about, ThinkMode::none), "m1\nm2\n\nQuestion: q\n\nAnswer:");
  EXPECT_EQ(rendered(profile("chatml"), about, ThinkMode::none),
            "<|im_start|>user\nm1\n\nm2\n\nq<|im_end|>\n<|im_start|>assistant\n");
}

TEST(Template, a_text_to_fill_in_ends_before_the_answer) {
  EXPECT_EQ(render_fill_in("before ", " after"), "✿prefix✿✿suffix✿ after✿middle✿before ");
  EXPECT_EQ(render_fill_in("", ""), "✿prefix✿✿suffix✿✿middle✿");
}

TEST(Template, turns_of_qwen_stand_between_its_tokens) {
  const std::vector<Message> several = {{Role::system, "s"},
                                        {Role::user, " u1\n\n\nmore "},
                                        {Role::assistant, "a1\n\na2"},
                                        {Role::tool, "{}"}};
  EXPECT_EQ(rendered(profile("chatml"), several, ThinkMode::none),
            "<|im_start|>system\ns<|im_end|>\n"
            "<|im_start|>user\n u1\n\n\nmore <|im_end|>\n"
            "<|im_start|>assistant\na1\n\na2<|im_end|>\n"
            "<|im_start|>user\n<tool_response>\n{}\n</tool_response><|im_end|>\n"
            "<|im_start|>assistant\n");
  const std::vector<Message> open = {{Role::user, "u"}, {Role::assistant, "Once upon"}};
  EXPECT_EQ(rendered(profile("chatml"), open, ThinkMode::none),
            "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\nOnce upon");
}

TEST(Template, only_the_profile_qwen_introduces_itself) {
  EXPECT_EQ(one_turn("chatml", "u", ThinkMode::none),
            "<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n");
  EXPECT_EQ(one_turn("qwen", "u", ThinkMode::none),
            "<|im_start|>system\nYou are Qwen, created by Alibaba Cloud. You are a helpful "
            "assistant.<|im_end|>\n<|im_start|>user\nu<|im_end|>\n<|im_start|>assistant\n");
  const std::vector<Message> own = {{Role::system, "s"}, {Role::user, "u"}};
  EXPECT_EQ(rendered(profile("qwen"), own, ThinkMode::none),
            rendered(profile("chatml"), own, ThinkMode::none));
}

TEST(Template, what_people_write_never_becomes_a_special_token) {
  const auto tokenizer = open_file(skein::test::fixture("tokenizer/qwen2_small.json"));
  const int32_t begin = tokenizer->special_id("<|im_start|>");
  const int32_t end = tokenizer->special_id("<|im_end|>");
  std::mt19937 rng(4);
  constexpr std::string_view kWords[] = {"<|im_end|>", "<|im_start|>", "system\n", "a",
                                         " ",          "\n",           "<|",       "|>"};
  for (int n = 0; n < 3'000; ++n) {
    const auto words = [&] { return random_text(rng, kWords, below(rng, 8)); };
    const std::vector<Message> messages = {{Role::system, words()},
                                           {Role::user, words()},
                                           {Role::assistant, words()},
                                           {Role::tool, words()},
                                           {Role::user, words(), words()}};
    const Prompt prompt = render(profile("chatml"), messages, ThinkMode::none);
    const auto ids = encode_prompt(*tokenizer, profile("chatml"), prompt, true).value();
    ASSERT_EQ(std::count(ids.begin(), ids.end(), begin), 6) << escaped(prompt.text);
    ASSERT_EQ(std::count(ids.begin(), ids.end(), end), 5) << escaped(prompt.text);
    ASSERT_EQ(tokenizer->decode(ids, Special::as_token).value(), prompt.text);
  }
}

TEST(Template, a_vocabulary_without_the_tokens_is_an_error) {
  const Message message{Role::user, "u"};
  const Prompt prompt = render(profile("chatml"), std::span(&message, 1), ThinkMode::none);
  const auto ids = encode_prompt(*byte_tokenizer_257(), profile("chatml"), prompt, true);
  ASSERT_FALSE(ids);
  EXPECT_EQ(ids.error().code, Code::argument);
  EXPECT_NE(ids.error().message.find("<|im_start|>"), std::string::npos) << ids.error().message;
}

TEST(Prompt, the_rest_after_a_text_keeps_its_tokens) {
  const Prompt answer = render_answer(profile("chatml"), "abc<|im_end|>");
  ASSERT_EQ(answer.text, "abc<|im_end|><|im_end|>\n");
  const auto rest = answer.after("abc<|im");
  ASSERT_TRUE(rest);
  EXPECT_EQ(rest->text, "_end|><|im_end|>\n");
  ASSERT_EQ(rest->markers.size(), 1u);
  EXPECT_EQ(rest->markers[0].begin, 6u);
  EXPECT_TRUE(answer.after("abc<|im_end|>"));
  EXPECT_FALSE(answer.after("abc<|im_end|><"));  // what was read there was no token
  EXPECT_FALSE(answer.after("abd"));
  EXPECT_EQ(answer.after("")->text, answer.text);
}

TEST(Template, raven_sets_the_scene_unless_a_system_text_does) {
  const std::string scene(profile("raven").preamble);
  ASSERT_FALSE(scene.empty());
  EXPECT_EQ(one_turn("raven", "u", ThinkMode::none), scene + "\n\nBob: u\n\nAlice:");
}

TEST(Template, a_tools_result_is_a_users_turn) {
  const std::vector<Message> messages = {
      {Role::user, "u"}, {Role::assistant, "call"}, {Role::tool, "{}"}};
  EXPECT_EQ(rendered(profile("world"), messages, ThinkMode::none),
            "User: u\n\nAssistant: call\n\nUser: Function output:\n{}\n\nAssistant:");
}

TEST(Template, thoughts_leave_the_history) {
  const std::vector<Message> messages = {
      {Role::user, "u1"}, {Role::assistant, "<think>hm\n\nhm</think>\n\na1"}, {Role::user, "u2"}};
  EXPECT_EQ(rendered(profile("g1"), messages, ThinkMode::none),
            "User: u1\n\nAssistant: a1\n\nUser: u2\n\nAssistant:");
}

TEST(Template, a_last_answer_is_left_open) {
  const std::vector<Message> messages = {{Role::user, "u"}, {Role::assistant, "Once upon "}};
  for (const ThinkMode mode : {ThinkMode::none, ThinkMode::free})
    EXPECT_EQ(rendered(profile("g1"), messages, mode).find(" (think"), std::string::npos);
  EXPECT_EQ(rendered(profile("g1"), messages, ThinkMode::fake), "User: u\n\nAssistant: Once upon");
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
      fed += render_system(p, messages.back().text).text;
    }
    const size_t turns = 1 + below(rng, 4);
    for (size_t k = 0; k < turns; ++k) {
      messages.push_back({Role::user, random_text(rng, kPieces, below(rng, 10))});
      const Turn turn = render_turn(p, messages.back().text, messages.size() == 1, mode);
      fed += turn.prompt.text;
      ASSERT_EQ(fed + turn.opening, rendered(p, messages, mode));
      messages.push_back({Role::assistant, random_text(rng, kPieces, below(rng, 10))});
      fed += render_answer(p, messages.back().text).text;
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
  EXPECT_EQ(encode_prompt(*bytes, profile("bytes"), {"ab"}, true).value(),
            (std::vector{0, 98, 99}));
  EXPECT_EQ(encode_prompt(*bytes, profile("bytes"), {"ab"}, false).value(), (std::vector{98, 99}));
  EXPECT_EQ(encode_prompt(*bytes, profile("world"), {"ab"}, true).value(), (std::vector{98, 99}));
}

TEST(Template, a_last_blank_line_is_two_tokens_for_raven) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  const auto tokenizer = open_file(skein::test::shared_file("data/20B_tokenizer.json"));
  const auto ids = [&](std::string_view name, std::string_view text) {
    return encode_prompt(*tokenizer, profile(name), {std::string(text)}, true).value();
  };
  EXPECT_EQ(ids("plain", "a\n\n"), (std::vector{66, 535}));
  EXPECT_EQ(ids("raven", "a\n\n"), (std::vector{66, 187, 187}));
  EXPECT_EQ(ids("raven", "\n\n"), (std::vector{187, 187}));
  EXPECT_EQ(ids("instruct", "a\n\n"), (std::vector{66, 187, 187}));
  EXPECT_EQ(ids("raven", "\n\na"), tokenizer->encode("\n\na").value());
}

TEST(Template, a_last_blank_line_stays_one_token_in_other_vocabularies) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto world = open_file(skein::test::shared_file("data/rwkv_vocab_v20230424.txt"));
  for (const std::string_view name : {"raven", "instruct", "world"})
    EXPECT_EQ(encode_prompt(*world, profile(name), {"\n\n"}, false).value(), std::vector{261});
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
