#include "text/stops.h"

#include "base/limits.h"
#include "support.h"
#include "text/template.h"

namespace skein::text::test {
namespace {

constexpr std::string_view kRoles[] = {"User", "Assistant"};

StopOptions chat(StopPolicy policy, std::string opening = "") {
  return {.policy = policy,
          .stop_strings = {},
          .role_words = kRoles,
          .chat = true,
          .opening = std::move(opening)};
}

StopMatcher make(const StopOptions& options) {
  auto matcher = StopMatcher::create(options);
  EXPECT_TRUE(matcher) << matcher.error().message;
  return std::move(*matcher);
}

struct Outcome {
  std::string thinking;
  std::string text;
  bool stopped = false;
  size_t restore_point = 0;
  std::string remainder;
  std::string overshoot;
  size_t pushed = 0;
  int asked = 0;
  std::vector<std::string> shown_after;  // the visible text after each push
};

// Pushes tokens until the matcher stops; at a question it goes on unless `stop_when_asked`.
Outcome run(const StopOptions& options, const std::vector<std::string>& tokens,
            bool stop_when_asked = false) {
  StopMatcher matcher = make(options);
  Outcome out;
  const auto take = [&](const StopMatcher::Step& step) {
    out.thinking += step.thinking;
    out.text += step.text;
  };
  size_t certain = 0;
  for (const std::string& token : tokens) {
    StopMatcher::Step step = matcher.push(token);
    take(step);
    ++out.pushed;
    if (step.decision == Decision::ask) {
      ++out.asked;
      step = matcher.resolve(stop_when_asked);
      take(step);
    }
    out.shown_after.push_back(out.text);
    EXPECT_GE(matcher.restore_point(), certain);
    certain = matcher.restore_point();
    if (step.decision == Decision::stop) break;
  }
  out.stopped = matcher.stopped();
  if (!out.stopped) take(matcher.finish());
  EXPECT_GE(matcher.restore_point(), certain);
  out.restore_point = matcher.restore_point();
  out.remainder = matcher.remainder();
  out.overshoot = matcher.overshoot();
  return out;
}

TEST(Stops, a_blank_line_ends_the_answer_wherever_tokens_are_cut) {
  for (const std::vector<std::string>& tokens : std::vector<std::vector<std::string>>{
           {" Hi", "\n\n"}, {" Hi", "\n", "\n"}, {" Hi\n", "\n"}, {" ", "H", "i \n\nUser"}}) {
    const Outcome out = run(chat(StopPolicy::blank_line), tokens);
    EXPECT_TRUE(out.stopped);
    EXPECT_EQ(out.text, "Hi");
  }
}

TEST(Stops, chinese_full_stop_with_its_line_end_is_kept_whole) {
  const Outcome out = run(chat(StopPolicy::blank_line), {"你好", "。\n", "\n"});
  EXPECT_TRUE(out.stopped);
  EXPECT_EQ(out.text, "你好。");
  EXPECT_EQ(out.restore_point, 1u);
  EXPECT_EQ(out.remainder, "。");
  EXPECT_EQ(out.overshoot, "\n\n");
}

TEST(Stops, the_token_that_ends_the_answer_is_told) {
  const Outcome out = run(chat(StopPolicy::blank_line), {" Hi", " there", ".", "\n\n"});
  EXPECT_EQ(out.restore_point, 3u);
  EXPECT_EQ(out.remainder, "");
  EXPECT_EQ(out.overshoot, "\n\n");
}

TEST(Stops, a_false_start_is_neither_leaked_nor_swallowed) {
  StopOptions options;
  options.stop_strings = {"STOP"};
  const Outcome out = run(options, {"a ST", "O", "RE ", "STO", "STOP", "x"});
  EXPECT_TRUE(out.stopped);
  EXPECT_EQ(out.text, "a STORE STO");
  EXPECT_EQ(out.shown_after[0], "a ");
  EXPECT_EQ(out.shown_after[1], "a ");
  EXPECT_EQ(out.shown_after[2], "a STORE ");
}

TEST(Stops, blank_lines_do_not_end_a_thought_or_what_follows_it) {
  const Outcome out =
      run(chat(StopPolicy::blank_line, " <think"),
          {">", "\n", "one", "\n\n", "two", "\n</", "think", ">", "\n\n", "Hi", "\n\n"});
  EXPECT_TRUE(out.stopped);
  EXPECT_EQ(out.thinking, "one\n\ntwo");
  EXPECT_EQ(out.text, "Hi");
}

TEST(Stops, a_faked_thought_is_closed_by_the_first_token) {
  for (const std::vector<std::string>& tokens : std::vector<std::vector<std::string>>{
           {">", "\n\n", "Hi", "\n\n"}, {">\n", "Hi", "\n\n"}, {">", "Hi\n", "\n"}}) {
    const Outcome out = run(chat(StopPolicy::blank_line, " <think>\n</think"), tokens);
    EXPECT_TRUE(out.stopped);
    EXPECT_EQ(out.thinking, "");
    EXPECT_EQ(out.text, "Hi");
  }
}

TEST(Stops, a_thought_that_the_prompt_did_not_open_is_told_apart_too) {
  const Outcome out =
      run(chat(StopPolicy::blank_line), {" <", "think", ">hm", "</think>", "\n\nHi", "\n\n"});
  EXPECT_EQ(out.thinking, "hm");
  EXPECT_EQ(out.text, "Hi");
}

TEST(Stops, a_thought_cut_off_is_still_a_thought) {
  const Outcome out = run(chat(StopPolicy::tentative, " <think>嗯"), {"，one", "\n\n", "two </th"});
  EXPECT_FALSE(out.stopped);
  EXPECT_EQ(out.thinking, "嗯，one\n\ntwo </th");
  EXPECT_EQ(out.text, "");
}

TEST(Stops, an_answer_may_be_empty) {
  const Outcome out = run(chat(StopPolicy::blank_line), {"\n", "\n"});
  EXPECT_TRUE(out.stopped);
  EXPECT_EQ(out.text, "");
  EXPECT_EQ(out.restore_point, 0u);
}

TEST(Stops, a_role_line_ends_the_answer_under_role) {
  const Outcome out = run(chat(StopPolicy::role),
                          {" One", "\n\n", "A", "nd two", "\n", "Users", "\n", "User", ":"});
  EXPECT_TRUE(out.stopped);
  EXPECT_EQ(out.text, "One\n\nAnd two\nUsers");
  EXPECT_EQ(out.restore_point, 6u);
}

TEST(Stops, a_tentative_blank_line_asks_and_obeys) {
  const std::vector<std::string> tokens = {" One", "\n\n", "Another", ".", "\n\n"};
  const Outcome stopped = run(chat(StopPolicy::tentative), tokens, true);
  EXPECT_TRUE(stopped.stopped);
  EXPECT_EQ(stopped.text, "One");
  EXPECT_EQ(stopped.asked, 1);
  EXPECT_EQ(stopped.restore_point, 1u);
  EXPECT_EQ(stopped.overshoot, "\n\n");
  const Outcome went_on = run(chat(StopPolicy::tentative), tokens, false);
  EXPECT_FALSE(went_on.stopped);
  EXPECT_EQ(went_on.text, "One\n\nAnother.");
  EXPECT_EQ(went_on.asked, 2);
  EXPECT_EQ(went_on.shown_after[1], "One");
  EXPECT_EQ(went_on.shown_after[2], "One\n\nAnother");
}

TEST(Stops, a_role_after_a_tentative_blank_line_goes_back_before_it) {
  for (const std::string_view colon : {":", "："}) {
    const Outcome out = run(chat(StopPolicy::tentative),
                            {" One", ".", "\n\n", "Us", "er", std::string(colon), " two"});
    EXPECT_TRUE(out.stopped);
    EXPECT_EQ(out.text, "One.");
    EXPECT_EQ(out.pushed, 6u);
    EXPECT_EQ(out.restore_point, 2u);
    EXPECT_EQ(out.overshoot, "\n\nUser" + std::string(colon));
  }
}

TEST(Stops, words_that_only_begin_like_a_role_go_on) {
  const Outcome out =
      run(chat(StopPolicy::tentative), {"One", "\n\n", "User", "s: all", "\n\n", "Assist", "ance"});
  EXPECT_FALSE(out.stopped);
  EXPECT_EQ(out.text, "One\n\nUsers: all\n\nAssistance");
  EXPECT_EQ(out.shown_after[2], "One");
  EXPECT_EQ(out.shown_after[3], "One\n\nUsers: all");
}

TEST(Stops, a_role_right_after_a_thought_ends_an_empty_answer) {
  for (const StopPolicy policy : {StopPolicy::role, StopPolicy::tentative}) {
    const Outcome out = run(chat(policy, " <think"), {">hm", "</think>", "\n\n", "User", ":"});
    EXPECT_TRUE(out.stopped);
    EXPECT_EQ(out.text, "");
    EXPECT_EQ(out.thinking, "hm");
    EXPECT_EQ(out.restore_point, 2u);
  }
}

TEST(Stops, raw_completion_shows_everything_as_it_is) {
  const std::vector<std::string> tokens = {" a", "\n\n", "\nUser:", " <think>", " \n"};
  const Outcome out = run(StopOptions{}, tokens);
  EXPECT_FALSE(out.stopped);
  EXPECT_EQ(out.text, " a\n\n\nUser: <think> \n");
  EXPECT_EQ(out.restore_point, tokens.size());
  EXPECT_EQ(out.shown_after[1], " a\n\n");
}

TEST(Stops, stop_strings_have_limits) {
  const auto refused = [](std::vector<std::string> strings) {
    StopOptions options;
    options.stop_strings = std::move(strings);
    const auto matcher = StopMatcher::create(options);
    EXPECT_TRUE(matcher || matcher.error().code == Code::argument);
    return !matcher;
  };
  EXPECT_FALSE(refused(std::vector<std::string>(limits::kStopStrings, "a")));
  EXPECT_TRUE(refused(std::vector<std::string>(limits::kStopStrings + 1, "a")));
  EXPECT_FALSE(refused({std::string(limits::kStopBytes, 'a')}));
  EXPECT_TRUE(refused({std::string(limits::kStopBytes + 1, 'a')}));
  EXPECT_TRUE(refused({""}));
  EXPECT_TRUE(refused({"\xf0\x9f"}));
}

TEST(Stops, endless_line_ends_take_linear_time) {
  for (const StopPolicy policy : {StopPolicy::role, StopPolicy::tentative}) {
    StopMatcher matcher = make(chat(policy));
    matcher.push("  a  ");
    for (int n = 0; n < 300'000; ++n) matcher.push("\n");
    EXPECT_EQ(matcher.restore_point(), 0u);
    EXPECT_EQ(matcher.push("b").text.size(), 300'003u);
    EXPECT_EQ(matcher.restore_point(), 300'002u);
  }
}

// The rules of the answer's end, applied to every beginning of the text from scratch.
struct Reference {
  const StopOptions& options;
  std::string thinking;
  std::string text;
  bool stopped = false;
  size_t consumed = 0;  // generated bytes up to the completed stop

  static bool blank(char c) {
    return std::string_view(" \t\r\n").find(c) != std::string_view::npos;
  }
  static std::string strip(std::string_view s) {
    while (!s.empty() && blank(s.front())) s.remove_prefix(1);
    while (!s.empty() && blank(s.back())) s.remove_suffix(1);
    return std::string(s);
  }

  struct Region {
    bool in_thought = false;
    bool after_thought = false;
    size_t begin = 0;    // of the answer
    size_t visible = 0;  // its first visible byte
    std::string thinking;
  };
  static Region region(std::string_view all) {
    Region out;
    for (;;) {
      out.visible = out.begin;
      while (out.visible < all.size() && blank(all[out.visible])) ++out.visible;
      if (!all.substr(out.visible).starts_with("<think")) return out;
      const size_t inside = out.visible + 6;
      const size_t end = all.find("</think>", inside);
      std::string_view thought = all.substr(inside, end == all.npos ? all.npos : end - inside);
      if (thought.starts_with('>')) thought.remove_prefix(1);
      out.thinking += strip(thought);
      if (end == all.npos) {
        out.in_thought = true;
        return out;
      }
      out.after_thought = true;
      out.begin = end + 8;
    }
  }

  // Where the stop begins that `all` ends with, npos if it ends with none.
  size_t stop_begin(std::string_view all, const Region& r) const {
    size_t best = all.npos;
    const auto consider = [&](std::string_view literal, size_t from) {
      if (all.size() >= from + literal.size() && all.ends_with(literal))
        best = std::min(best, all.size() - literal.size());
    };
    const size_t from = r.after_thought ? r.visible : r.begin;
    for (const std::string& stop : options.stop_strings) consider(stop, from);
    if (options.policy == StopPolicy::blank_line) consider("\n\n", from);
    for (const std::string_view word : options.role_words)
      for (const std::string_view colon : {":", "："})
        if (options.policy == StopPolicy::role)
          consider("\n" + std::string(word) + std::string(colon), r.begin);
    if (best != all.npos || options.policy != StopPolicy::tentative) return best;
    for (const std::string_view word : options.role_words)
      for (const std::string_view colon : {":", "："}) {
        const std::string role = std::string(word) + std::string(colon);
        if (all.size() < r.begin + role.size() || !all.ends_with(role)) continue;
        const size_t at = all.size() - role.size();
        size_t run = at;
        while (run > r.begin && blank(all[run - 1])) --run;
        const bool blank_line = all.substr(run, at - run).find("\n\n") != all.npos;
        if (blank_line || (r.after_thought && run == r.begin)) {
          const size_t line = all.substr(run, at - run).find("\n\n");
          best = std::min(best, options.chat || line == all.npos ? run : run + line);
        }
      }
    return best;
  }

  Reference(const StopOptions& o, std::string_view generated) : options(o) {
    const std::string opening = options.chat ? options.opening : "";
    const std::string whole = opening + std::string(generated);
    for (size_t size = opening.size() + 1; size <= whole.size(); ++size) {
      const std::string_view all = std::string_view(whole).substr(0, size);
      const Region r = options.chat ? region(all) : Region();
      if (r.in_thought) continue;
      const size_t begin = stop_begin(all, r);
      if (begin == all.npos) continue;
      stopped = true;
      consumed = size - opening.size();
      thinking = r.thinking;
      text = options.chat ? strip(all.substr(r.begin, begin - r.begin)) : all.substr(0, begin);
      return;
    }
    consumed = generated.size();
    const Region r = options.chat ? region(whole) : Region();
    thinking = r.thinking;
    if (!r.in_thought) text = options.chat ? strip(whole.substr(r.begin)) : whole;
  }
};

StopOptions random_options(std::mt19937& rng) {
  constexpr StopPolicy kPolicies[] = {StopPolicy::none, StopPolicy::blank_line, StopPolicy::role,
                                      StopPolicy::tentative};
  constexpr std::string_view kOpenings[] = {"", " <think", " <think>\n</think", " <think>嗯"};
  constexpr std::string_view kStrings[] = {"ab",   "abab", "aab", "b\n\na", "。",
                                           "User", " a",   "\n",  "<t",     "</think>"};
  StopOptions options = chat(kPolicies[below(rng, 4)], std::string(kOpenings[below(rng, 4)]));
  options.chat = below(rng, 4) != 0;
  const size_t count = below(rng, 2) * below(rng, 4);
  for (size_t n = 0; n < count; ++n) options.stop_strings.emplace_back(kStrings[below(rng, 10)]);
  return options;
}

constexpr std::string_view kPieces[] = {
    "a",          "b",      "ab", " ",        "\n",    "\n\n", "。",  "User", "User:", "User：",
    "Assistant:", "<think", ">",  "</think>", "</thi", "A",    "aab", "Hi",   "<th",   "ink"};

TEST(Stops, shown_text_is_that_of_the_rules_for_every_cut) {
  std::mt19937 rng(7);
  int stopped = 0;
  for (int n = 0; n < 20'000; ++n) {
    const StopOptions options = random_options(rng);
    const std::string text = random_text(rng, kPieces, below(rng, 20));
    const Reference expected(options, text);
    stopped += expected.stopped;
    for (int k = 0; k < 3; ++k) {
      const std::vector<std::string> tokens = random_cuts(rng, text);
      const Outcome out = run(options, tokens);
      const std::string what = fmt::format(
          "'{}' opening '{}' policy {} chat {} stops '{}'", escaped(text), escaped(options.opening),
          stop_policy_name(options.policy), options.chat, fmt::join(options.stop_strings, "|"));
      ASSERT_EQ(out.stopped, expected.stopped) << what;
      ASSERT_EQ(out.text, expected.text) << what;
      ASSERT_EQ(out.thinking, expected.thinking) << what;
      for (const std::string& shown : out.shown_after)
        ASSERT_TRUE(expected.text.starts_with(shown)) << what;

      // The tokens before the restore point, the remainder and the overshoot are what was pushed.
      std::string before, pushed;
      for (size_t t = 0; t < out.pushed; ++t) {
        if (t < out.restore_point) before += tokens[t];
        pushed += tokens[t];
      }
      ASSERT_EQ(before + out.remainder + out.overshoot, pushed) << what;
      ASSERT_GE(pushed.size(), expected.consumed) << what;
      ASSERT_LE(out.restore_point, out.pushed) << what;
      if (out.restore_point < out.pushed) {
        const size_t length = tokens[out.restore_point].size();
        ASSERT_TRUE(out.remainder.empty() || out.remainder.size() < length) << what;
      }
      if (!options.chat) {
        ASSERT_EQ(before + out.remainder, out.text) << what;
      } else if (!out.text.empty()) {
        ASSERT_TRUE((before + out.remainder).ends_with(out.text)) << what;
      }
    }
  }
  EXPECT_GT(stopped, 2'000);
  EXPECT_LT(stopped, 18'000);
}

TEST(Stops, streamed_thinking_is_what_split_thinking_finds) {
  std::mt19937 rng(8);
  constexpr std::string_view kParts[] = {"a", " ",        "\n",    "\n\n", "<think",
                                         ">", "</think>", "</thi", "中"};
  for (int n = 0; n < 10'000; ++n) {
    const StopOptions options = chat(StopPolicy::none, below(rng, 2) ? " <think" : "");
    const std::string text = random_text(rng, kParts, below(rng, 15));
    const Outcome out = run(options, random_cuts(rng, text));
    const Thinking whole = split_thinking(options.opening + text);
    // A second thought, which only the stream recognises, begins like an answer.
    if (whole.answer.starts_with("<think")) continue;
    ASSERT_EQ(out.thinking, whole.thinking) << escaped(text);
    ASSERT_EQ(out.text, whole.answer) << escaped(text);
  }
}

// The loop of stops.h, with a state that remembers the tokens it has read.
TEST(Stops, the_loop_of_the_header_leaves_the_state_at_the_end_of_the_answer) {
  std::mt19937 rng(9);
  for (int n = 0; n < 10'000; ++n) {
    const StopOptions options = random_options(rng);
    const std::vector<std::string> tokens =
        random_cuts(rng, random_text(rng, kPieces, below(rng, 20)));
    const bool roles = below(rng, 2) != 0;
    StopMatcher stops = make(options);
    using State = std::vector<std::string>;
    State state;
    std::string text;
    size_t count = 0, fed = 0, kept_at = 0;
    std::optional<State> kept;
    for (;;) {
      StopMatcher::Step step;
      if (count == tokens.size()) {
        text += stops.finish().text;
        break;
      }
      const std::string& token = tokens[count++];
      step = stops.push(token);
      text += step.text;
      if (stops.restore_point() == count) {
        kept.reset();
      } else if (!kept) {
        kept = state;
        kept_at = fed;
      }
      if (step.decision == Decision::stop) break;
      state.push_back(token);
      ++fed;
      if (step.decision == Decision::ask) {
        step = stops.resolve(roles);
        text += step.text;
        if (step.decision == Decision::stop) break;
      }
    }
    if (fed > stops.restore_point()) {
      ASSERT_TRUE(kept);
      state = *kept;
      fed = kept_at;
    }
    ASSERT_LE(fed, stops.restore_point());
    for (; fed < stops.restore_point(); ++fed) state.push_back(tokens[fed]);
    std::string read;
    for (const std::string& token : state) read += token;
    read += stops.remainder();
    if (options.chat) {
      ASSERT_TRUE(Reference::strip(read).ends_with(text))
          << escaped(read) << " | " << escaped(text);
    } else {
      ASSERT_EQ(read, text);
    }
  }
}

}  // namespace
}  // namespace skein::text::test
