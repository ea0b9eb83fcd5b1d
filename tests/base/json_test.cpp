#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/limits.h"
#include "support/random.h"

namespace skein {
namespace {

TEST(JsonReader, refuses_what_readers_disagree_about) {
  for (const char* text : {"", "{", "[1,]", "{\"a\":1,\"a\":2}", "nul", "1e999", "NaN", "\"\xff\"",
                           "\"\\ud800\"", "[1] x", "{\"a\" 1}", "\"\n\""}) {
    const auto json = parse_json(text, 1000);
    ASSERT_FALSE(json) << text;
    EXPECT_EQ(json.error().code, Code::corrupt) << text;
  }
}

TEST(JsonReader, depth_and_length_are_bounded) {
  const auto nested = [](size_t depth) {
    return std::string(depth, '[') + std::string(depth, ']');
  };
  EXPECT_TRUE(parse_json(nested(limits::kJsonDepth - 1), 1 << 20));
  EXPECT_FALSE(parse_json(nested(limits::kJsonDepth + 1), 1 << 20));
  EXPECT_FALSE(parse_json(nested(100'000), 1 << 20));
  EXPECT_FALSE(parse_json("[1,2,3]", 6));
}

TEST(JsonReader, gives_values_of_their_kind) {
  const auto json = parse_json(R"({"n": -3, "x": 0.5, "s": "a\u00e9", "l": [true, null]})", 1000);
  ASSERT_TRUE(json);
  int64_t n = 0;
  EXPECT_TRUE(json->find("n")->integer(n));
  EXPECT_EQ(n, -3);
  EXPECT_FALSE(json->find("x")->integer(n));
  double x = 0;
  EXPECT_TRUE(json->find("x")->number(x));
  EXPECT_EQ(x, 0.5);
  EXPECT_EQ(*json->find("s")->string(), "a\xc3\xa9");
  EXPECT_EQ(json->find("l")->array()->size(), 2u);
  EXPECT_EQ(json->find("missing"), nullptr);
}

TEST(JsonWriter, is_read_back_equal) {
  test::Random random(1);
  for (int round = 0; round < 2000; ++round) {
    std::string text;
    for (uint64_t i = random.below(20); i > 0; --i) {
      const char* const parts[] = {"a", "\"", "\\", "\n", "\x01", "\xc3\xa9", "\xf0\x9f\x98\x80"};
      text += parts[random.below(7)];
    }
    const double number = std::ldexp(random.uniform(-1, 1), static_cast<int>(random.below(100)));
    JsonWriter json;
    json.begin_object().member(text, text).key("list").begin_array();
    json.value(number).value(true).null().end_array().end_object();
    const auto back = parse_json(json.text(), 10'000);
    if (text == "list") continue;
    ASSERT_TRUE(back) << json.text();
    EXPECT_EQ(*back->find(text)->string(), text);
    double x = 0;
    ASSERT_TRUE(back->find("list")->array()->front().number(x));
    EXPECT_EQ(x, number);
  }
}

TEST(JsonWriter, what_is_not_utf8_or_not_finite_still_gives_json) {
  JsonWriter json;
  json.begin_array().value("a\xff").value(INFINITY).value(std::nanf("")).end_array();
  EXPECT_EQ(json.text(), "[\"a\xef\xbf\xbd\",null,null]");
  EXPECT_TRUE(parse_json(json.text(), 100));
}

}  // namespace
}  // namespace skein
