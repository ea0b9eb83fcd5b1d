// The pieces below the commands: options, configuration, suggestions.
#include "cli/options.h"

#include <gtest/gtest.h>

#include "cli/config.h"
#include "cli/suggest.h"

namespace skein::cli {
namespace {

struct Everything {
  bool flag = false;
  int64_t count = 5;
  double heat = 1;
  std::optional<double> maybe;
  std::string word = "none";
  std::vector<std::string> many;
  std::string first;
  std::vector<std::string> rest;

  Status parse(const std::vector<std::string>& args, const Config* config = nullptr) {
    Options options;
    options.flag("-f,--flag", flag, "a flag");
    options.value("-c,--count", count, "N", "a number").range(0, 10);
    options.value("--heat", heat, "T", "another");
    options.value("--maybe", maybe, "X", "unset unless given");
    options.value("--word", word, "WORD", "text");
    options.value("--many", many, "TEXT", "several");
    options.argument("FIRST", first, "an argument").optional();
    options.argument("REST", rest, "the others").optional();
    SK_TRY_STATUS(options.read(args));
    return options.resolve(config, "run");
  }
};

TEST(Options, every_kind_of_value_is_read) {
  Everything e;
  ASSERT_TRUE(e.parse({"-f", "--count=7", "--heat", "-0.5", "one", "--word", "w", "two", "three"}));
  EXPECT_TRUE(e.flag);
  EXPECT_EQ(e.count, 7);
  EXPECT_EQ(e.heat, -0.5);
  EXPECT_FALSE(e.maybe);
  EXPECT_EQ(e.word, "w");
  EXPECT_EQ(e.first, "one");
  EXPECT_EQ(e.rest, (std::vector<std::string>{"two", "three"}));
}

TEST(Options, text_arrives_as_it_was_written) {
  // What a parser with ideas of its own would take apart.
  for (const std::string text : {"[1,2]", "{}", "a,b", "", "%%", "\"q\"", "--word", "-f", "-"}) {
    Everything e;
    ASSERT_TRUE(e.parse({"--word", text, "--many", text, "--many", "x", "--", text, text})) << text;
    EXPECT_EQ(e.word, text);
    EXPECT_EQ(e.many, (std::vector<std::string>{text, "x"}));
    EXPECT_EQ(e.first, text);
    EXPECT_EQ(e.rest, std::vector<std::string>{text});
  }
}

TEST(Options, the_last_of_several_values_counts) {
  Everything e;
  ASSERT_TRUE(e.parse({"--word", "a", "--word", "b"}));
  EXPECT_EQ(e.word, "b");
}

TEST(Options, numbers_are_strict_and_bounded) {
  for (const char* text : {"7x", "", " 7", "0x7", "1e3", "11", "-1", "99999999999999999999"}) {
    Everything e;
    const Status status = e.parse({"--count", text});
    ASSERT_FALSE(status) << text;
    EXPECT_EQ(status.error().code, Code::argument);
    EXPECT_NE(status.error().message.find("--count"), std::string::npos);
    EXPECT_EQ(e.count, 5) << text;
  }
  for (const char* text : {"nan", "inf", "1.5.5", "x"}) {
    Everything e;
    EXPECT_FALSE(e.parse({"--heat", text})) << text;
  }
}

TEST(Options, a_missing_value_is_told) {
  Everything e;
  const Status status = e.parse({"--word"});
  ASSERT_FALSE(status);
  EXPECT_NE(status.error().message.find("--word"), std::string::npos) << status.error().message;
}

TEST(Options, the_command_line_comes_before_variables_and_those_before_files) {
  const auto config = Config::parse("count = 1\nheat = 2.5\nmany = ['x', 'y']\n", "skein.toml");
  ASSERT_TRUE(config);
  ::setenv("SKEIN_COUNT", "2", 1);
  Everything e;
  EXPECT_TRUE(e.parse({}, &*config));
  EXPECT_EQ(e.count, 2);
  EXPECT_EQ(e.heat, 2.5);
  EXPECT_EQ(e.many, (std::vector<std::string>{"x", "y"}));
  Everything f;
  EXPECT_TRUE(f.parse({"-c", "3"}, &*config));
  EXPECT_EQ(f.count, 3);
  ::unsetenv("SKEIN_COUNT");
  Everything g;
  EXPECT_TRUE(g.parse({}, &*config));
  EXPECT_EQ(g.count, 1);
}

TEST(Config, a_section_comes_before_the_top_of_its_file) {
  const auto config = Config::parse(
      "temp = 1\n[run]\ntemp = 2\n[state]\nmodel = 'a'\n[state.export]\nmodel = 'b'\n",
      "skein.toml");
  ASSERT_TRUE(config) << config.error().message;
  EXPECT_EQ(config->find("run", "temp")->values[0], "2");
  EXPECT_EQ(config->find("complete", "temp")->values[0], "1");
  EXPECT_EQ(config->find("state export", "model")->values[0], "b");
  EXPECT_EQ(config->find("state import", "model")->values[0], "a");
  EXPECT_EQ(config->find("run", "model"), nullptr);
  EXPECT_EQ(config->find("run", "temp")->where, "skein.toml:3");
}

TEST(Config, hostile_text_is_an_error) {
  const std::string deep(100'000, '[');
  for (const std::string& text :
       {"a = " + deep, deep, std::string("a = \"\\uD800\""), std::string("a = 1\na = 2"),
        std::string("[run]\n[run]"), std::string(1, '\0'), std::string("\xff\xfe"),
        "a" + std::string(100'000, '.') + "b = 1"})
    EXPECT_FALSE(Config::parse(text, "x.toml")) << text.substr(0, 20);
}

TEST(Config, any_bytes_are_read_or_refused) {
  const std::string good =
      "# all\nthreads = 2\n[run]\ntemp = 0.8\nstop = [\"a\", 'b']\n[state.export]\nformat = "
      "\"\"\"x\ny\"\"\"\nwhen = 1979-05-27T07:32:00Z\nn = { a = 1, b = 0x1F }\n";
  const std::string pieces = "=.[]{}\"'#\n\r\t ,:+-_\\0a\xc3\xff" + std::string(1, '\0');
  uint32_t seed = 1;
  const auto next = [&](size_t below) {
    seed = seed * 1664525 + 1013904223;
    return (seed >> 8) % below;
  };
  int refused = 0;
  for (int i = 0; i < 5000; ++i) {
    std::string text = good;
    for (size_t changes = next(8); changes > 0; --changes) {
      const size_t at = next(text.size());
      const char c = pieces[next(pieces.size())];
      if (next(3) == 0)
        text.erase(at, 1 + next(5));
      else if (next(2) == 0)
        text.insert(at, 1, c);
      else
        text[at] = c;
    }
    const auto config = Config::parse(text, "x.toml");
    if (config) continue;
    ++refused;
    EXPECT_TRUE(config.error().message.starts_with("x.toml:")) << config.error().message;
  }
  EXPECT_GT(refused, 2000);
}

TEST(Suggest, near_words_are_found_and_far_ones_are_not) {
  const std::vector<std::string> words = {"--threads", "--temp", "--tensors", "--top-p"};
  EXPECT_EQ(did_you_mean("--thraeds", words), "; did you mean --threads?");
  EXPECT_EQ(did_you_mean("--tmp", words), "; did you mean --temp?");
  EXPECT_EQ(did_you_mean("--banana", words), "");
  EXPECT_EQ(did_you_mean(std::string(100'000, 'x'), words), "");
}

}  // namespace
}  // namespace skein::cli
