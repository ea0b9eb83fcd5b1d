// skein complete under a constraint: what comes is what was asked for, and what cannot be is told
// with its place.
#include <gtest/gtest.h>

#include <set>

#include "base/json.h"
#include "cli/program.h"

namespace skein::test {
namespace {

const std::string kModel =
    (std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth").string();
const std::string kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":6},)"
    R"("n":{"type":"integer","minimum":0,"maximum":99}},"required":["name","n"]})";

Ran complete(std::vector<std::string> words, const How& how = {}) {
  words.insert(words.begin(), {"complete", kModel, "-p", "Once", "-t", "1"});
  return run(words, how);
}
std::vector<std::string> at(int seed, std::vector<std::string> words) {
  words.insert(words.end(), {"--temp", "2", "--seed", std::to_string(seed)});
  return words;
}
bool has(std::string_view text, std::string_view part) { return text.find(part) != text.npos; }

void expect_one(const std::string& text) {
  const auto json = parse_json(text, 1 << 20);
  ASSERT_TRUE(json) << text;
  int64_t n = -1;
  EXPECT_TRUE(json->find("name").string()) << text;
  EXPECT_TRUE(json->find("n").integer(n) && n >= 0 && n <= 99) << text;
  EXPECT_EQ(json->object()->size(), 2u) << text;
}

TEST(Constraint, a_schema_from_a_file_or_the_command_line_is_kept_to) {
  const Folder folder;
  write_text(folder / "city.json", kSchema);
  for (int seed = 0; seed < 3; ++seed) {
    const Ran file = complete(at(seed, {"--schema", (folder / "city.json").string()}));
    EXPECT_EQ(file.code, 0) << file.err;
    EXPECT_EQ(file.err, "");
    expect_one(file.out);
    EXPECT_EQ(complete(at(seed, {"--schema", kSchema})).out, file.out);
    // Guesses change no token.
    EXPECT_EQ(complete(at(seed, {"--schema", kSchema, "--draft", "8"})).out, file.out);
  }
}

TEST(Constraint, blanks_are_written_as_is_said) {
  const Ran ran = complete({"--schema",
                            R"({"type":"array","items":{"enum":[1,2]},"minItems":3,)"
                            R"("maxItems":3})",
                            "--whitespace", "compact"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out.find_first_of(" \n"), ran.out.npos) << ran.out;
  EXPECT_EQ(ran.out.size(), std::string("[1,2,1]").size()) << ran.out;
}

TEST(Constraint, expressions_choices_grammars_and_objects_are_kept_to) {
  const Folder folder;
  write_text(folder / "g.gbnf", "root ::= \"a\" [bc]\n");
  write_text(folder / "g.lark", "start: \"a\" (\"b\" | \"c\")\n");
  for (const auto& [words, allowed] :
       std::vector<std::pair<std::vector<std::string>, std::set<std::string>>>{
           {{"--choice", "yes", "--choice", "no"}, {"yes", "no"}},
           {{"--regex", "a{2}(b|c)"}, {"aab", "aac"}},
           {{"--grammar", (folder / "g.gbnf").string()}, {"ab", "ac"}},
           {{"--grammar", (folder / "g.lark").string()}, {"ab", "ac"}}})
    for (int seed = 0; seed < 2; ++seed) {
      const Ran ran = complete(at(seed, words));
      EXPECT_EQ(ran.code, 0) << ran.err;
      EXPECT_TRUE(allowed.contains(ran.out)) << words[0] << ": " << ran.out;
    }
  EXPECT_TRUE(complete({"--json-object", "-n", "4", "-q"}).out.starts_with('{'));
}

TEST(Constraint, json_says_that_the_text_is_complete) {
  const Ran json = complete({"--choice", "yes", "--json"});
  const auto told = parse_json(json.out, 1 << 20);
  ASSERT_TRUE(told) << json.out << json.err;
  EXPECT_EQ(told->find("text").string(), "yes");
  EXPECT_EQ(told->find("finish").string(), "complete");
  const Ran lines = complete({"--choice", "yes", "--jsonl"});
  EXPECT_TRUE(lines.out.ends_with("{\"event\":\"done\",\"finish\":\"complete\"}\n")) << lines.out;
}

TEST(Constraint, a_stop_and_a_limit_end_the_text_earlier) {
  const Ran stopped = complete({"--regex", "abc", "--stop", "b", "--json"});
  const auto told = parse_json(stopped.out, 1 << 20);
  ASSERT_TRUE(told) << stopped.out << stopped.err;
  EXPECT_EQ(told->find("text").string(), "a");
  EXPECT_EQ(told->find("finish").string(), "stop");
  const Ran cut = complete({"--regex", "[ab]{300}", "-n", "5"});
  EXPECT_EQ(cut.code, 0);
  EXPECT_EQ(cut.out.size(), 5u);
  EXPECT_TRUE(has(cut.err, "before what it has to be was complete")) << cut.err;
}

TEST(Constraint, the_environment_and_configuration_files_have_it_too) {
  EXPECT_EQ(complete({}, {.environment = {"SKEIN_REGEX=aab"}}).out, "aab");
  const Folder folder;
  write_text(folder / "skein.toml", "[complete]\nchoice = [\"only\"]\n");
  EXPECT_EQ(complete({}, {.folder = folder.path()}).out, "only");
}

TEST(Constraint, what_cannot_be_kept_to_is_told_with_its_place) {
  const Folder folder;
  const auto file = [&](const std::string& name, const std::string& text) {
    write_text(folder / name, text);
    return (folder / name).string();
  };
  struct Refused {
    std::vector<std::string> words;
    int code;
    std::vector<std::string_view> parts;
  };
  for (const Refused& each : std::vector<Refused>{
           {{"--schema", file("a.json", R"({"properties":{"a":{"type":"strin"}}})")},
            2,
            {"a.json: #/properties/a/type: "}},
           {{"--schema", R"({"oneOf":[{"type":"integer"},{"type":"number"}]})"},
            2,
            {"--schema: #/oneOf: "}},
           {{"--schema", R"({"type":"integer","minimum":3,"maximum":1})"}, 2, {"--schema: "}},
           {{"--schema", file("b.json", "{\"type\":")}, 2, {"b.json: a JSON Schema is JSON: "}},
           {{"--schema", (folder / "none.json").string()}, 1, {"none.json: No such file"}},
           {{"--grammar", file("a.gbnf", "root ::= \"[\"\nroot2 ::= item\n")},
            2,
            {"a.gbnf: ", "2:11", "item"}},
           {{"--regex", "(a"}, 2, {"--regex: 1:"}},
           {{"--regex", "(?=a)b"}, 2, {"--regex: 1:", "say what may follow instead"}},
           {{"--regex", ""}, 2, {"--regex is empty"}},
           {{"--regex", "a", "--choice", "a"}, 2, {"give one of --schema, --grammar"}},
           {{"--regex", "a", "--whitespace", "any"}, 2, {"--whitespace is for"}},
           {{"--schema", "true", "--whitespace", "none"}, 2, {"bounded"}}}) {
    const Ran ran = complete(each.words);
    EXPECT_EQ(ran.code, each.code) << each.words[0] << ran.err;
    EXPECT_EQ(ran.out, "");
    for (const std::string_view part : each.parts) EXPECT_TRUE(has(ran.err, part)) << ran.err;
  }
}

TEST(Constraint, a_question_is_answered_in_the_form_too) {
  const Ran ran = run({"run", kModel, "Is snow white?", "--choice", "yes", "--json", "-t", "1"});
  const auto told = parse_json(ran.out, 1 << 20);
  ASSERT_TRUE(told) << ran.out << ran.err;
  EXPECT_EQ(told->find("text").string(), "yes");
  EXPECT_EQ(told->find("finish").string(), "complete");
  expect_one(run({"run", kModel, "Make one", "--schema", kSchema, "--temp", "2", "-t", "1"}).out);
  const Ran wrong = run({"run", kModel, "Make one", "--schema", "{\"type\":5}"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(has(wrong.err, "--schema: #/type: ")) << wrong.err;
}

TEST(Constraint, a_schemas_warnings_are_shown) {
  const Ran ran = complete({"--schema", R"({"type":"string","maxLength":3,"format":"flavour"})"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(ran.err.starts_with("warning: --schema: #/format: ")) << ran.err;
}

}  // namespace
}  // namespace skein::test
