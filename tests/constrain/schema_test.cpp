#include <gtest/gtest.h>

#include <fmt/format.h>

#include <chrono>
#include <string>

#include "constrain/schema_judge.h"

namespace skein::constrain {
namespace {

bool allows(std::string_view schema, std::string_view text) {
  return SchemaJudge(schema).allows(text);
}

std::string problem(std::string_view schema) { return SchemaJudge(schema).problem(); }

TEST(Schema, types_are_kept_apart) {
  const std::pair<const char*, const char*> values[] = {{"null", "null"},  {"boolean", "true"},
                                                        {"integer", "12"}, {"string", "\"a\""},
                                                        {"array", "[1]"},  {"object", "{\"a\":1}"}};
  for (const auto& [type, mine] : values)
    for (const auto& [other, value] : values) {
      const std::string schema = fmt::format(R"({{"type":"{}"}})", type);
      EXPECT_EQ(allows(schema, value), std::string(type) == other) << schema << value;
    }
  EXPECT_TRUE(allows(R"({"type":["null","integer"]})", "null"));
  EXPECT_FALSE(allows(R"({"type":["null","integer"]})", "1.5"));
  EXPECT_TRUE(allows("true", R"({"a":[1,{"b":null}]})"));
  EXPECT_TRUE(allows("{}", "-0.5"));
}

TEST(Schema, constants_are_spelled_with_their_escapes) {
  SchemaJudge judge(R"({"const":"a\"b\\\n\u0001é"})");
  EXPECT_TRUE(judge.allows(R"("a\"b\\\n\u0001é")"));
  EXPECT_FALSE(judge.allows("\"a\\\"b\\\\\n\\u0001é\""));
  EXPECT_FALSE(judge.allows(R"("a\"b\\\u000a\u0001é")"));
}

TEST(Schema, lengths_count_characters_and_not_bytes) {
  SchemaJudge one(R"({"type":"string","maxLength":1})");
  EXPECT_TRUE(one.allows("\"😀\""));
  EXPECT_TRUE(one.allows("\"\\n\""));
  EXPECT_FALSE(one.allows("\"e\xcc\x81\""));  // é in two code points
  SchemaJudge long_ones(R"({"type":"string","minLength":2,"maxLength":18446744073709551615})");
  EXPECT_FALSE(long_ones.allows("\"a\""));
  EXPECT_TRUE(long_ones.allows("\"" + std::string(5000, 'a') + "\""));
}

TEST(Schema, half_surrogates_cannot_appear) {
  SchemaOptions escapes;
  escapes.unicode_escapes = true;
  for (const SchemaOptions& options : {SchemaOptions{}, escapes}) {
    SchemaJudge judge(R"({"type":"string"})", options);
    EXPECT_FALSE(judge.allows(R"("\ud83d")"));
    EXPECT_FALSE(judge.allows(R"("\ude00\ud83d")"));
    EXPECT_FALSE(judge.allows("\"\xed\xa0\xbd\""));
    EXPECT_EQ(judge.allows(R"("\ud83d\uDE00")"), options.unicode_escapes);
  }
}

TEST(Schema, escaped_characters_count_once_and_are_what_they_mean) {
  SchemaOptions options;
  options.unicode_escapes = true;
  EXPECT_TRUE(
      SchemaJudge(R"({"maxLength":1,"type":"string"})", options).allows(R"("\ud83d\ude00")"));
  EXPECT_TRUE(SchemaJudge(R"({"const":"a"})", options).allows(R"("\u0061")"));
  EXPECT_FALSE(SchemaJudge(R"({"const":"a"})", options).allows(R"("\u0062")"));
}

TEST(Schema, integers_keep_to_their_range) {
  SchemaJudge range(R"({"type":"integer","minimum":-7,"maximum":1203})");
  for (int i = -20; i < 1300; ++i)
    EXPECT_EQ(range.allows(std::to_string(i)), i >= -7 && i <= 1203) << i;
  SchemaJudge zero(R"({"type":"integer","minimum":0,"maximum":0})");
  EXPECT_TRUE(zero.allows("0"));
  EXPECT_FALSE(zero.allows("-0"));
  EXPECT_FALSE(zero.allows("00"));
  SchemaJudge large(R"({"type":"integer","minimum":1e30})");
  EXPECT_TRUE(large.allows("1" + std::string(30, '0')));
  EXPECT_FALSE(large.allows(std::string(30, '9')));
  SchemaJudge open(R"({"type":"integer","exclusiveMinimum":-2,"exclusiveMaximum":2})");
  EXPECT_FALSE(open.allows("-2"));
  EXPECT_TRUE(open.allows("-1"));
  EXPECT_TRUE(open.allows("1"));
  EXPECT_FALSE(open.allows("2"));
  SchemaJudge half(R"({"type":"integer","minimum":0.5})");
  EXPECT_FALSE(half.allows("0"));
  EXPECT_TRUE(half.allows("1"));
  SchemaJudge beyond(
      R"({"type":"integer","minimum":9223372036854775808,"maximum":9223372036854775809})");
  EXPECT_TRUE(beyond.allows("9223372036854775809"));
  EXPECT_FALSE(beyond.allows("9223372036854775807"));
}

TEST(Schema, numbers_keep_to_their_range) {
  SchemaJudge range(R"({"type":"number","minimum":-1.25,"exclusiveMaximum":10.05})");
  for (const char* in : {"-1.25", "-1.2", "-0.5", "0", "0.0", "10.049", "10", "9.99", "10.04000"})
    EXPECT_TRUE(range.allows(in)) << in;
  for (const char* out :
       {"-1.26", "-1.251", "-2", "10.05", "10.050", "10.1", "11", "100", "-0", "1e1"})
    EXPECT_FALSE(range.allows(out)) << out;
  EXPECT_TRUE(allows(R"({"maximum":1e400})", "12345"));
  EXPECT_TRUE(allows(R"({"minimum":1e400})", "1" + std::string(400, '0')));
}

TEST(Schema, minus_zero_is_never_written) {
  for (const char* schema : {R"({"type":"number"})", R"({"type":"integer"})", R"({"maximum":0})",
                             R"({"enum":[-0.0]})", "{}"}) {
    EXPECT_FALSE(allows(schema, "-0")) << schema;
    EXPECT_FALSE(allows(schema, "-0.0")) << schema;
    EXPECT_TRUE(allows(schema, "0")) << schema;
  }
}

TEST(Schema, multiples_are_told_by_their_digits) {
  SchemaJudge cents(R"({"type":"number","multipleOf":0.01})");
  for (const char* in : {"0", "19.99", "-0.07", "5.50", "5.500", "3"})
    EXPECT_TRUE(cents.allows(in)) << in;
  for (const char* out : {"0.001", "19.995"}) EXPECT_FALSE(cents.allows(out)) << out;
  SchemaJudge sevens(R"({"type":"integer","multipleOf":7})");
  for (int i = -200; i < 200; ++i) EXPECT_EQ(sevens.allows(std::to_string(i)), i % 7 == 0) << i;
  SchemaJudge thousands(R"({"type":"integer","multipleOf":1500})");
  for (int i = 0; i < 20000; i += 250)
    EXPECT_EQ(thousands.allows(std::to_string(i)), i % 1500 == 0);
  EXPECT_EQ(problem(R"({"type":"integer","multipleOf":7,"minimum":1,"maximum":6})"),
            "unsatisfiable #");
  EXPECT_EQ(problem(R"({"multipleOf":0})"), "invalid_schema #/multipleOf");
}

TEST(Schema, objects_of_optional_members_have_no_stray_commas) {
  SchemaJudge judge(
      R"({"type":"object","properties":{"a":{"const":1},"b":{"const":2},"c":{"const":3}}})");
  const char* members[] = {"\"a\":1", "\"b\":2", "\"c\":3"};
  for (int mask = 0; mask < 8; ++mask) {
    std::string text;
    for (int i = 0; i < 3; ++i)
      if (mask >> i & 1) text += (text.empty() ? "" : ",") + std::string(members[i]);
    EXPECT_TRUE(judge.allows("{" + text + "}")) << text;
    EXPECT_FALSE(judge.allows("{" + text + ",}")) << text;
    EXPECT_FALSE(judge.allows("{," + text + "}")) << text;
  }
  EXPECT_FALSE(judge.allows(R"({"b":2,"a":1})"));
  EXPECT_FALSE(judge.allows(R"({"a":1,"d":4})"));
}

TEST(Schema, thousands_of_optional_members_stay_small) {
  for (const int count : {200, 3960}) {
    std::string properties;
    for (int i = 0; i < count; ++i)
      properties += fmt::format(R"({}"member_{}":{{"type":"string"}})", i ? "," : "", i);
    SchemaJudge judge(R"({"type":"object","properties":{)" + properties + "}}", open_compact());
    ASSERT_FALSE(judge.refused()) << judge.problem();
    EXPECT_LT(judge.grammar().terms.size(), static_cast<size_t>(count) * 250);
    EXPECT_TRUE(judge.allows(fmt::format(R"({{"member_3":"a","member_{}":"b"}})", count - 1)));
    EXPECT_FALSE(judge.allows(R"({"member_3":"a","member_2":"b"})"));
    EXPECT_FALSE(judge.allows(R"({"member_3":1})"));
  }
}

TEST(Schema, free_names_are_none_of_the_declared_ones) {
  SchemaOptions escapes;
  escapes.unicode_escapes = true;
  for (const SchemaOptions& options : {SchemaOptions{}, escapes}) {
    SchemaJudge judge(
        R"({"type":"object","properties":{"a":{"type":"integer"}},"additionalProperties":{"type":"string"}})",
        options);
    EXPECT_TRUE(judge.allows(R"({"a":1,"aa":"x","ab":"y"})"));
    EXPECT_FALSE(judge.allows(R"({"a":"x"})"));
    EXPECT_FALSE(judge.allows(R"({"aa":1})"));
    EXPECT_FALSE(judge.allows(R"({"\u0061":"x"})"));
    EXPECT_EQ(judge.allows(R"({"\u0061":1})"), options.unicode_escapes);
  }
}

TEST(Schema, objects_are_closed_unless_asked_otherwise) {
  const char* schema = R"({"type":"object","properties":{"a":{}}})";
  EXPECT_FALSE(SchemaJudge(schema).allows(R"({"b":1})"));
  EXPECT_TRUE(SchemaJudge(schema, open_compact()).allows(R"({"b":1})"));
  EXPECT_TRUE(allows(R"({"type":"object"})", R"({"b":1})"));
  // What one part leaves unsaid, another may say.
  EXPECT_TRUE(
      allows(R"({"allOf":[{"properties":{"a":{}}},{"properties":{"b":{}}}],"type":"object"})",
             R"({"a":1,"b":1})"));
}

TEST(Schema, required_names_need_no_property) {
  SchemaJudge judge(R"({"type":"object","properties":{"a":{"type":"null"}},"required":["z","a"]})");
  EXPECT_TRUE(judge.allows(R"({"a":null,"z":[1]})"));
  EXPECT_FALSE(judge.allows(R"({"a":null})"));
  EXPECT_EQ(
      problem(
          R"({"type":"object","properties":{"a":{}},"required":["z"],"additionalProperties":false})"),
      "unsatisfiable #");
}

TEST(Schema, enums_hold_any_values) {
  SchemaJudge judge(R"({"enum":[1,1.0,"1",null,{"a":[]}]})");
  for (const char* in : {"1", "\"1\"", "null", "{\"a\":[]}"}) EXPECT_TRUE(judge.allows(in)) << in;
  for (const char* out : {"1.5", "\"\"", "true", "{\"a\":[1]}", "{}", "[]"})
    EXPECT_FALSE(judge.allows(out)) << out;
  EXPECT_TRUE(allows(R"({"enum":["a",1,null],"type":"string"})", "\"a\""));
  EXPECT_FALSE(allows(R"({"enum":["a",1,null],"type":"string"})", "1"));
  EXPECT_EQ(problem(R"({"enum":[]})"), "invalid_schema #/enum");
  EXPECT_EQ(problem(R"({"enum":["abc"],"maxLength":2})"), "unsatisfiable #");
}

TEST(Schema, first_items_have_schemas_of_their_own) {
  SchemaJudge judge(
      R"({"type":"array","prefixItems":[{"type":"integer"},{"type":"string"}],"items":false})");
  for (const char* in : {"[]", "[1]", "[1,\"a\"]"}) EXPECT_TRUE(judge.allows(in)) << in;
  for (const char* out : {"[\"a\"]", "[1,2]", "[1,\"a\",3]", "[,]"})
    EXPECT_FALSE(judge.allows(out)) << out;
  SchemaJudge old(
      R"({"type":"array","items":[{"type":"integer"}],"additionalItems":{"type":"string"}})");
  EXPECT_TRUE(old.allows(R"([1,"a","b"])"));
  EXPECT_FALSE(old.allows(R"([1,2])"));
}

TEST(Schema, numbers_of_items_are_counted) {
  SchemaJudge judge(R"({"type":"array","items":{"const":0},"minItems":2,"maxItems":4})");
  std::string items;
  for (int count = 0; count < 8; ++count) {
    EXPECT_EQ(judge.allows("[" + items + "]"), count >= 2 && count <= 4) << count;
    items += items.empty() ? "0" : ",0";
  }
  EXPECT_FALSE(SchemaJudge(R"({"type":"array","maxItems":18446744073709551615})").refused());
  EXPECT_EQ(problem(R"({"type":"array","minItems":3,"maxItems":2})"), "unsatisfiable #");
  EXPECT_EQ(problem(R"({"type":"array","minItems":18446744073709551615})"),
            "constraint_too_large #");
}

TEST(Schema, references_have_neighbours_and_any_pointer) {
  SchemaJudge judge(R"({"$defs":{"s":{"type":"string"},"a/b":{"const":1},"%":{"const":2}},
    "type":"object","properties":{"x":{"$ref":"#/$defs/s","maxLength":2},"y":{"$ref":"#/properties/x"},
    "z":{"$ref":"#/$defs/a~1b"},"w":{"$ref":"#/$defs/%25"}}})");
  EXPECT_TRUE(judge.allows(R"({"x":"ab","y":"","z":1,"w":2})"));
  EXPECT_FALSE(judge.allows(R"({"x":"abc"})"));
  EXPECT_FALSE(judge.allows(R"({"y":"abc"})"));
  EXPECT_FALSE(judge.allows(R"({"z":2})"));
  EXPECT_EQ(problem(R"({"$ref":"#/$defs/none"})"), "invalid_schema #/$ref");
  EXPECT_EQ(problem(R"({"$ref":"http://example.com/a.json"})"), "unsupported_keyword #/$ref");
}

TEST(Schema, identifiers_and_anchors_are_places) {
  SchemaJudge judge(R"({"$id":"http://a.example/root.json","$defs":{
    "one":{"$id":"folder/one.json","$defs":{"in":{"type":"integer"}},"$ref":"#/$defs/in"},
    "two":{"$anchor":"second","type":"string"}},
    "type":"object","properties":{"a":{"$ref":"folder/one.json"},"b":{"$ref":"#second"}}})");
  EXPECT_TRUE(judge.allows(R"({"a":1,"b":"x"})"));
  EXPECT_FALSE(judge.allows(R"({"a":"x"})"));
  EXPECT_FALSE(judge.allows(R"({"b":1})"));
}

TEST(Schema, trees_refer_to_themselves) {
  SchemaJudge judge(R"({"type":"object","properties":{"value":{"type":"integer"},
    "children":{"type":"array","items":{"$ref":"#"}}},"required":["value"]})");
  EXPECT_TRUE(judge.allows(R"({"value":1,"children":[{"value":2},{"value":3,"children":[]}]})"));
  EXPECT_FALSE(judge.allows(R"({"value":1,"children":[{"children":[]}]})"));
}

TEST(Schema, schemas_that_say_only_themselves_are_refused) {
  EXPECT_EQ(problem(R"({"$ref":"#"})"), "invalid_schema #");
  EXPECT_EQ(
      problem(
          R"({"$defs":{"a":{"$ref":"#/$defs/b"},"b":{"allOf":[{"$ref":"#/$defs/a"}]}},"$ref":"#/$defs/a"})")
          .substr(0, 14),
      "invalid_schema");
}

TEST(Schema, any_of_is_a_union_and_keeps_its_neighbours) {
  SchemaJudge judge(R"({"type":"object","properties":{"k":{"type":"string"},"a":{},"b":{}},
    "anyOf":[{"required":["a"]},{"required":["b"]}]})");
  for (const char* in : {R"({"a":1})", R"({"b":1})", R"({"k":"x","a":1,"b":2})"})
    EXPECT_TRUE(judge.allows(in)) << in;
  for (const char* out : {"{}", R"({"k":"x"})", R"({"k":1,"a":1})"})
    EXPECT_FALSE(judge.allows(out)) << out;
}

TEST(Schema, one_of_never_allows_what_two_branches_allow) {
  SchemaJudge overlap(
      R"({"oneOf":[{"type":"integer","minimum":0},{"type":"integer","maximum":10}]})");
  EXPECT_TRUE(overlap.allows("-1"));
  EXPECT_TRUE(overlap.allows("11"));
  EXPECT_FALSE(overlap.allows("5"));
  SchemaJudge idiom(
      R"({"type":"object","properties":{"a":{},"b":{}},"oneOf":[{"required":["a"]},{"required":["b"]}]})");
  EXPECT_TRUE(idiom.allows(R"({"a":1})"));
  EXPECT_TRUE(idiom.allows(R"({"b":1})"));
  EXPECT_FALSE(idiom.allows(R"({"a":1,"b":1})"));
  EXPECT_FALSE(idiom.allows("{}"));
  SchemaJudge tagged(R"({"oneOf":[
    {"type":"object","properties":{"t":{"const":"a"},"x":{"type":"integer"}},"required":["t"]},
    {"type":"object","properties":{"t":{"const":"b"},"y":{"type":"integer"}},"required":["t"]}]})");
  EXPECT_TRUE(tagged.allows(R"({"t":"a","x":1})"));
  EXPECT_TRUE(tagged.allows(R"({"t":"b","y":1})"));
  EXPECT_FALSE(tagged.allows(R"({"t":"b","x":1})"));
}

TEST(Schema, one_of_with_a_branch_within_another_is_refused) {
  EXPECT_EQ(problem(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"),
            "unsupported_keyword #/oneOf");
  EXPECT_EQ(problem(R"({"oneOf":[{"type":"string"},{"type":"string"}]})"),
            "unsupported_keyword #/oneOf");
}

TEST(Schema, all_of_is_an_intersection) {
  SchemaJudge judge(R"({"allOf":[{"type":["string","integer"]},{"minimum":3},{"maxLength":1}]})");
  EXPECT_TRUE(judge.allows("3"));
  EXPECT_TRUE(judge.allows("\"a\""));
  EXPECT_FALSE(judge.allows("2"));
  EXPECT_FALSE(judge.allows("\"ab\""));
  EXPECT_EQ(problem(R"({"allOf":[{"type":"string"},{"type":"integer"}]})"), "unsatisfiable #");
}

TEST(Schema, not_excludes_exactly) {
  EXPECT_EQ(problem(R"({"not":{}})"), "unsatisfiable #");
  SchemaJudge type(R"({"not":{"type":["string","object","array"]}})");
  EXPECT_TRUE(type.allows("1.5"));
  EXPECT_FALSE(type.allows("\"a\""));
  SchemaJudge values(R"({"type":"string","not":{"enum":["a","b"]}})");
  EXPECT_TRUE(values.allows("\"ab\""));
  EXPECT_FALSE(values.allows("\"a\""));
  SchemaJudge number(R"({"type":"number","not":{"const":1}})");
  EXPECT_FALSE(number.allows("1"));
  EXPECT_FALSE(number.allows("1.00"));
  EXPECT_TRUE(number.allows("1.01"));
  SchemaJudge lacks(R"({"type":"object","properties":{"a":{},"b":{}},"not":{"required":["a"]}})");
  EXPECT_TRUE(lacks.allows(R"({"b":1})"));
  EXPECT_FALSE(lacks.allows(R"({"a":1})"));
  SchemaJudge pattern(R"({"type":"string","not":{"pattern":"^a"}})");
  EXPECT_TRUE(pattern.allows("\"ba\""));
  EXPECT_FALSE(pattern.allows("\"ab\""));
}

TEST(Schema, conditions_follow_what_they_test) {
  SchemaJudge judge(
      R"({"type":"object","properties":{"kind":{"enum":["a","b"]},"n":{}},"required":["kind"],
    "if":{"properties":{"kind":{"const":"a"}}},"then":{"properties":{"n":{"type":"integer"}},"required":["n"]},
    "else":{"properties":{"n":false}}})");
  EXPECT_TRUE(judge.allows(R"({"kind":"a","n":1})"));
  EXPECT_TRUE(judge.allows(R"({"kind":"b"})"));
  EXPECT_FALSE(judge.allows(R"({"kind":"a"})"));
  EXPECT_FALSE(judge.allows(R"({"kind":"b","n":1})"));
}

TEST(Schema, dependencies_hold) {
  SchemaJudge judge(R"({"type":"object","properties":{"a":{},"b":{},"c":{}},
    "dependentRequired":{"a":["b"]},"dependentSchemas":{"c":{"properties":{"b":{"type":"null"}}}}})");
  EXPECT_TRUE(judge.allows(R"({"b":1})"));
  EXPECT_TRUE(judge.allows(R"({"a":1,"b":2})"));
  EXPECT_FALSE(judge.allows(R"({"a":1})"));
  EXPECT_TRUE(judge.allows(R"({"b":null,"c":1})"));
  EXPECT_FALSE(judge.allows(R"({"b":2,"c":1})"));
}

TEST(Schema, numbers_of_members_are_counted) {
  SchemaJudge listed(
      R"({"type":"object","properties":{"a":{},"b":{},"c":{}},"minProperties":1,"maxProperties":2})");
  EXPECT_FALSE(listed.allows("{}"));
  EXPECT_TRUE(listed.allows(R"({"b":1})"));
  EXPECT_TRUE(listed.allows(R"({"a":1,"c":1})"));
  EXPECT_FALSE(listed.allows(R"({"a":1,"b":1,"c":1})"));
  SchemaJudge one(R"({"type":"object","minProperties":1,"maxProperties":2})");
  EXPECT_FALSE(one.allows("{}"));
  EXPECT_TRUE(one.allows(R"({"b":1})"));
  EXPECT_TRUE(one.allows(R"({"b":1,"c":1})"));
  EXPECT_FALSE(one.allows(R"({"b":1,"c":1,"d":1})"));
  // Free names may be equal, so that two of them may be one.
  EXPECT_EQ(problem(R"({"type":"object","minProperties":2})"), "unsupported_keyword #");
}

TEST(Schema, names_have_patterns) {
  SchemaJudge judge(
      R"({"type":"object","patternProperties":{"^i":{"type":"integer"},"s$":{"type":["string","integer"]}},
    "additionalProperties":false,"propertyNames":{"maxLength":3}})");
  EXPECT_TRUE(judge.allows(R"({"ia":1,"as":"x","is":2})"));
  EXPECT_FALSE(judge.allows(R"({"is":"x"})"));
  EXPECT_FALSE(judge.allows(R"({"x":1})"));
  EXPECT_FALSE(judge.allows(R"({"iaaa":1})"));
}

TEST(Schema, items_that_differ_are_kept_to_where_they_are_few) {
  SchemaJudge judge(R"({"type":"array","items":{"enum":["a","b","c"]},"uniqueItems":true})");
  EXPECT_TRUE(judge.allows(R"(["c","a","b"])"));
  EXPECT_TRUE(judge.allows("[]"));
  EXPECT_FALSE(judge.allows(R"(["a","b","a"])"));
  EXPECT_EQ(problem(R"({"type":"array","items":{"type":"string"},"uniqueItems":true})"),
            "unsupported_keyword #/uniqueItems");
  EXPECT_TRUE(allows(
      R"({"type":"array","items":{"type":"string"},"uniqueItems":true,"maxItems":1})", R"(["a"])"));
}

TEST(Schema, contained_items_are_counted) {
  SchemaJudge judge(
      R"({"type":"array","items":{"type":"integer"},"contains":{"minimum":5},"minContains":2,"maxContains":3})");
  EXPECT_FALSE(judge.allows("[5]"));
  EXPECT_TRUE(judge.allows("[1,5,2,6]"));
  EXPECT_TRUE(judge.allows("[5,5,5]"));
  EXPECT_FALSE(judge.allows("[5,5,5,1,9]"));
}

TEST(Schema, patterns_search_what_the_string_means) {
  EXPECT_TRUE(allows(R"({"type":"string","pattern":"a|b"})", R"("xxb")"));
  EXPECT_TRUE(allows(R"({"type":"string","pattern":"^$"})", R"("")"));
  EXPECT_FALSE(allows(R"({"type":"string","pattern":"^$"})", R"("a")"));
  SchemaJudge digits(R"({"type":"string","pattern":"^\\d{3}$"})");
  EXPECT_TRUE(digits.allows(R"("123")"));
  EXPECT_FALSE(digits.allows(R"("1234")"));
  EXPECT_TRUE(allows(R"({"type":"string","pattern":"^\\s$"})", "\"\xc2\xa0\""));
  EXPECT_FALSE(allows(R"({"type":"string","pattern":"^.*$"})", R"("a\nb")"));
  EXPECT_TRUE(allows(R"({"type":"string","pattern":"^\\/\"$"})", R"("/\"")"));
  SchemaJudge both(R"({"type":"string","pattern":"^a*$","minLength":2,"maxLength":3})");
  EXPECT_TRUE(both.allows(R"("aa")"));
  EXPECT_FALSE(both.allows(R"("a")"));
  EXPECT_FALSE(both.allows(R"("aaaa")"));
  EXPECT_EQ(problem(R"x({"type":"object","properties":{"a":{"pattern":"(?=x)"}}})x"),
            "invalid_regex #/properties/a/pattern");
}

TEST(Schema, formats_are_kept_to) {
  struct Case {
    const char* format;
    const char* right;
    const char* wrong;
  };
  for (const auto& [format, right, wrong] :
       {Case{"date", "2024-02-29", "2023-02-29"},
        Case{"date-time", "2023-12-31T23:59:59.5Z", "2023-12-31T23:59:60Z"},
        Case{"time", "00:00:00+01:30", "24:00:00Z"}, Case{"duration", "P1Y2M3DT4H", "P1D2M"},
        Case{"email", "a.b@c.example", "a@"}, Case{"hostname", "a-b.example", "-a.example"},
        Case{"ipv4", "255.0.10.1", "256.0.0.1"}, Case{"ipv6", "1::8:0:0:1", "1::2::3"},
        Case{"ipv6", "::ffff:1.2.3.4", "1:2:3:4:5:6:7:8:9"},
        Case{"uuid", "12345678-1234-1234-1234-1234567890ab", "1234"},
        Case{"uri", "https://a.example:80/b?c=d#e", "no uri"},
        Case{"uri-reference", "../a?b#c", "a b"}, Case{"json-pointer", "/a~1b", "a"},
        Case{"regex", "^[a-z]{2,3}(?:x|y)*$", "("}}) {
    SchemaJudge judge(fmt::format(R"({{"type":"string","format":"{}"}})", format));
    EXPECT_TRUE(judge.allows(fmt::format("\"{}\"", right))) << format;
    EXPECT_FALSE(judge.allows(fmt::format("\"{}\"", wrong))) << format;
  }
  SchemaJudge int32(R"({"type":"integer","format":"int32"})");
  EXPECT_TRUE(int32.allows("-2147483648"));
  EXPECT_FALSE(int32.allows("2147483648"));
}

TEST(Schema, what_is_not_known_is_said) {
  SchemaJudge judge(R"({"type":"string","format":"colour","minlength":3})");
  EXPECT_TRUE(judge.allows("\"a\""));
  EXPECT_TRUE(SchemaJudge(R"({"type":"string","minLenght":3})").notes.warnings.size() == 1);
  ASSERT_EQ(judge.notes.warnings.size(), 2U);
  EXPECT_EQ(SchemaJudge(R"({"properties":{}})").notes.warnings.at(0).where, "#/properties");
  SchemaOptions strict;
  strict.strict = true;
  EXPECT_EQ(SchemaJudge(R"({"type":"string","format":"colour"})", strict).problem(),
            "unsupported_keyword #/format");
}

TEST(Schema, blanks_are_bounded_and_never_two_newlines) {
  const char* schema =
      R"({"type":"object","properties":{"a":{"type":"array","items":{"const":1}}}})";
  SchemaJudge bounded(schema);
  EXPECT_TRUE(bounded.allows("{\n  \"a\": [ 1,\n\t1 ]\n}"));
  EXPECT_TRUE(bounded.allows("{\"a\" : []}"));
  EXPECT_FALSE(bounded.allows("{\n\n\"a\":[]}"));
  EXPECT_FALSE(bounded.allows("{  \"a\":[]}"));
  EXPECT_FALSE(bounded.allows(" {\"a\":[]}"));
  EXPECT_FALSE(bounded.allows("{\"a\":[]} "));
  EXPECT_FALSE(bounded.allows("{\n" + std::string(21, ' ') + "\"a\":[]}"));
  SchemaOptions options;
  options.blanks = JsonBlanks::compact;
  EXPECT_FALSE(SchemaJudge(schema, options).allows("{\"a\": []}"));
  EXPECT_TRUE(SchemaJudge(schema, options).allows("{\"a\":[1,1]}"));
  options.blanks = JsonBlanks::any;
  EXPECT_TRUE(SchemaJudge(schema, options).allows("{\r\n\t  \"a\":[]}"));
  EXPECT_FALSE(SchemaJudge(schema, options).allows("{" + std::string(9, ' ') + "\"a\":[]}"));
}

TEST(Schema, unused_definitions_may_hold_anything) {
  EXPECT_FALSE(SchemaJudge(R"x({"type":"null","$defs":{"x":{"$dynamicRef":"#a","pattern":"("}}})x")
                   .refused());
}

TEST(Schema, problems_name_their_place) {
  EXPECT_EQ(problem("{"), "invalid_schema 1:2");
  EXPECT_EQ(problem("{\n  \"type\": }"), "invalid_schema 2:11");
  EXPECT_EQ(problem(R"({"a":1,"a":2})"), "invalid_schema 1:14");
  EXPECT_EQ(problem(R"({"type":"strin"})"), "invalid_schema #/type");
  EXPECT_EQ(problem(R"({"items":{"maxLength":-1},"type":"array"})"),
            "invalid_schema #/items/maxLength");
  EXPECT_EQ(problem(R"({"properties":{"a/b":{"minItems":"1"}}})"),
            "invalid_schema #/properties/a~1b/minItems");
  EXPECT_EQ(problem("false"), "unsatisfiable #");
  EXPECT_EQ(problem("3"), "invalid_schema #");
  SchemaJudge many(
      R"x({"properties":{"a":{"minLength":"x"},"b":{"$dynamicRef":"#"},"c":{"pattern":"("}}})x");
  ASSERT_TRUE(many.refused());
  EXPECT_EQ(many.problems().size(), 3U);
}

TEST(Schema, what_is_relaxed_is_told) {
  const char* schema =
      R"({"type":"array","items":{"type":"string"},"uniqueItems":true,"minItems":1})";
  SchemaOptions options;
  options.relax = {"uniqueItems"};
  SchemaJudge judge(schema, options);
  EXPECT_TRUE(judge.allows(R"(["a","a"])"));
  EXPECT_FALSE(judge.allows("[]"));
  EXPECT_EQ(judge.notes.relaxed, std::vector<std::string>{"#/uniqueItems"});
  options.relax = {"oneOf"};
  SchemaJudge one(R"({"oneOf":[{"type":"integer"},{"type":"number"}]})", options);
  EXPECT_TRUE(one.allows("1"));
  EXPECT_TRUE(one.allows("1.5"));
  // What can be kept to is.
  SchemaJudge exact(R"({"oneOf":[{"type":"integer"},{"type":"string"}]})", options);
  EXPECT_TRUE(exact.notes.relaxed.empty());
}

TEST(Schema, bombs_are_refused_or_small) {
  const auto nested = [](std::string_view open, std::string_view middle, std::string_view close,
                         int count) {
    std::string out;
    for (int i = 0; i < count; ++i) out += open;
    out += middle;
    for (int i = 0; i < count; ++i) out += close;
    return out;
  };
  std::string enums = R"({"enum":[)";
  for (int i = 0; i < 5383; ++i) enums += fmt::format("{}\"value {}\"", i ? "," : "", i * 7919);
  std::string chain = R"({"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 5000; ++i) chain += fmt::format(R"("{}":{{"$ref":"#/$defs/{}"}},)", i, i + 1);
  std::string doubling = R"({"$ref":"#/$defs/0","$defs":{)";
  for (int i = 0; i < 40; ++i)
    doubling += fmt::format(
        R"("{0}":{{"anyOf":[{{"required":["a{0}"],"$ref":"#/$defs/{1}"}},{{"required":["b{0}"],"$ref":"#/$defs/{1}"}}]}},)",
        i, i + 1);
  const std::string bombs[] = {
      nested("[", "", "]", 100000),
      nested(R"({"not":)", "{}", "}", 100000),
      nested(R"({"items":)", "{}", "}", 60),
      enums + "]}",
      chain + R"("5000":{"type":"null"}}})",
      doubling + R"("40":{}}})",
      R"({"type":"array","maxItems":18446744073709551615,"items":{"type":"array","maxItems":18446744073709551615}})",
      R"({"minimum":1e1000000000})",
      R"({"multipleOf":1e-400})",
      R"x({"type":"string","pattern":"(a+)+$","maxLength":1000000,"minLength":999999})x",
      R"x({"type":"string","pattern":"(x{1000}){1000}"})x",
      R"({"$ref":"#/$ref"})",
      std::string(1024 * 1024 + 1, ' '),
      "{\"" + std::string(1000000, 'a') + "\":1}",
      "{\"minimum\":" + std::string(1000000, '9') + "}",
      "{\"const\":\"" + std::string(1000000, 'a') + "\"}"};
  for (const std::string& bomb : bombs) {
    const auto start = std::chrono::steady_clock::now();
    SchemaJudge judge(bomb);
    const auto took =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
    // A bound on work: what is measured here is far below it on a machine that does nothing else.
    EXPECT_LT(took, 20) << bomb.substr(0, 80);
    EXPECT_LE(judge.grammar().terms.size(), 2'500'000U) << bomb.substr(0, 80);
    if (getenv("SKEIN_SHOW"))
      fmt::print("{:.1f} ms {} terms {} {}\n", took * 1e3, judge.grammar().terms.size(),
                 judge.problem(), bomb.substr(0, 50));
  }
}

}  // namespace
}  // namespace skein::constrain
