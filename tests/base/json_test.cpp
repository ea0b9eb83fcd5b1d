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

TEST(JsonReader, keys_and_values_are_counted_outside_of_strings) {
  const auto list = [](size_t count, std::string_view element) {
    std::string text = "[";
    for (size_t i = 0; i < count; ++i) text.append(i > 0 ? "," : "").append(element);
    return text + "]";
  };
  // The array itself is a value too.
  EXPECT_TRUE(parse_json(list(limits::kArrayElements - 1, "1"), 1 << 26));
  const auto more = parse_json(list(limits::kArrayElements, "1"), 1 << 26);
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Code::unsupported);
  EXPECT_FALSE(parse_json(list(limits::kArrayElements / 2, "[]"), 1 << 26));
  EXPECT_TRUE(parse_json(list(limits::kArrayElements / 8, R"(",[{:,[{:,[{:\",[{:")"), 1 << 26));
}

TEST(JsonReader, values_outlive_the_result_and_can_be_walked) {
  Json list;
  {
    const auto json = parse_json(R"({"a": [], "b": [1, [2, {"c": 3}], "x", {}], "d": {}})", 1000);
    ASSERT_TRUE(json);
    EXPECT_EQ(json->object()->size(), 3u);
    EXPECT_TRUE(json->find("a").array()->empty());
    EXPECT_TRUE(json->find("d").object()->empty());
    EXPECT_FALSE(json->find("d").array());
    EXPECT_FALSE(json->find("a").object());
    list = json->find("b");
    std::string keys;
    for (const auto& [key, value] : json->object()) keys += key;
    EXPECT_EQ(keys, "abd");
  }
  ASSERT_EQ(list.array()->size(), 4u);
  int64_t three = 0;
  EXPECT_TRUE(list.array()[1].array()[1].find("c").integer(three));
  EXPECT_EQ(three, 3);
  EXPECT_EQ(list.array()[2].string(), "x");
  EXPECT_FALSE(list.find("b"));  // no object
  size_t count = 0;
  for (const Json& value : list.array()) count += static_cast<bool>(value);
  EXPECT_EQ(count, 4u);
}

TEST(JsonReader, a_key_that_stands_twice_is_refused_at_any_depth) {
  for (const char* text : {R"({"a":1,"b":2,"a":3})", R"([{"a":1},{"b":{"c":0,"c":0}}])",
                           R"({"a":[[{"":1,"":2}]]})", R"({"a":1,"\u0061":2})"}) {
    const auto json = parse_json(text, 1000);
    ASSERT_FALSE(json) << text;
    EXPECT_EQ(json.error().code, Code::corrupt);
  }
  EXPECT_TRUE(parse_json(R"([{"a":1},{"a":1},{"b":{"a":{"a":0}}}])", 1000));
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
  EXPECT_FALSE(json->find("missing"));
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

TEST(JsonWriter, another_text_s_values_are_copied_as_they_stand) {
  const std::string text =
      R"({"a":[1,-2,0.5,true,false,null,"x\"\u0000",[],{}],"b":{"c":9007199254740993}})";
  const auto json = parse_json(text, 1'000);
  ASSERT_TRUE(json);
  JsonWriter out;
  out.begin_array().value(*json).value(json->find("none")).raw("[1]").raw("2").end_array();
  EXPECT_EQ(out.text(), "[" + text + ",null,[1],2]");
}

TEST(JsonWriter, what_is_not_utf8_or_not_finite_still_gives_json) {
  JsonWriter json;
  json.begin_array().value("a\xff").value(INFINITY).value(std::nanf("")).end_array();
  EXPECT_EQ(json.text(), "[\"a\xef\xbf\xbd\",null,null]");
  EXPECT_TRUE(parse_json(json.text(), 100));
}

}  // namespace
}  // namespace skein
