#include "text/tools.h"

#include "support.h"

namespace skein::text::test {
namespace {

using Piece = CallReader::Piece;

std::string shown(const std::vector<Piece>& pieces) {
  std::string out;
  for (const Piece& piece : pieces) switch (piece.kind) {
      case Piece::Kind::text: out += piece.text; break;
      case Piece::Kind::call: out += "<" + piece.text + ":"; break;
      case Piece::Kind::arguments: out += piece.text; break;
      case Piece::Kind::end: out += ">"; break;
    }
  return out;
}

// The answer in pieces of so many bytes.
std::string read(std::string_view profile, const std::string& answer, size_t step) {
  CallReader reader(call_form(*profile_by_name(profile)));
  std::string out;
  for (size_t i = 0; i < answer.size(); i += step)
    out += shown(reader.push(answer.substr(i, step)));
  return out + shown(reader.finish());
}

Tool weather() {
  const std::string_view schema =
      R"({"type":"object","properties":{"city":{"type":"string","description":"its\n\nname"},
          "days":{"type":["integer","null"]},"more":{}},"required":["city"]})";
  return {"weather", "What the weather\n\nwill be.", *parse_json(schema, 1 << 20)};
}

TEST(Tools, a_call_of_a_function_stands_as_the_models_write_it) {
  EXPECT_EQ(render_call(*profile_by_name("g1"), "a\"b", R"({"x":1})"),
            "```json\n{\"name\": \"a\\\"b\", \"arguments\": {\"x\":1}}\n```");
  EXPECT_EQ(render_call(*profile_by_name("chatml"), "f", "{}"),
            "<tool_call>\n{\"name\": \"f\", \"arguments\": {}}\n</tool_call>");
}

TEST(Tools, a_turn_that_a_blank_line_ends_has_none_in_its_list_of_tools) {
  const std::vector<Tool> tools = {weather(), {"now"}};
  EXPECT_EQ(render_tools(*profile_by_name("g1"), tools, true),
            "Tools:\n"
            "- weather(city: string (its name), days?: integer|null, more?: any): What the weather "
            "will be.\n"
            "- now()\n"
            "Return only a JSON function call.");
  for (const bool must : {false, true})
    EXPECT_EQ(render_tools(*profile_by_name("world"), tools, must).find("\n\n"), std::string::npos);
}

TEST(Tools, a_profile_with_turn_tokens_has_its_tools_as_json) {
  const std::vector<Tool> tools = {weather(), {"now"}};
  const std::string text = render_tools(*profile_by_name("chatml"), tools, false);
  EXPECT_NE(
      text.find(R"({"type":"function","function":{"name":"now","parameters":{"type":"object"}}})"),
      std::string::npos);
  EXPECT_NE(text.find("<tool_call>"), std::string::npos);
}

// However the answer is cut into pieces.
TEST(CallReader, calls_are_told_apart_from_the_text_around_them) {
  for (const std::string_view name : {"g1", "chatml"}) {
    const Profile& profile = *profile_by_name(name);
    const std::string one = render_call(profile, "f\"\\n", R"({"a":"}\"]{","b":[{}, -1]})");
    const std::string two = render_call(profile, "g", "{}");
    const std::string three = render_call(profile, "h", "12");
    const std::string four = render_call(profile, "h", R"("a}b")");
    for (const size_t step : {1u, 2u, 3u, 7u, 1000u}) {
      EXPECT_EQ(read(name, one, step), "<f\"\\n:{\"a\":\"}\\\"]{\",\"b\":[{}, -1]}>");
      EXPECT_EQ(read(name, "Let me see.\n" + one + "\n" + two, step),
                "Let me see.<f\"\\n:{\"a\":\"}\\\"]{\",\"b\":[{}, -1]}><g:{}>");
      EXPECT_EQ(read(name, three + "\n" + four, step), "<h:12><h:\"a}b\">");
      EXPECT_EQ(read(name, two + "\nDone.", step), "<g:{}>\nDone.");
    }
  }
}

TEST(CallReader, what_only_looks_like_a_call_is_text) {
  for (const std::string text : {"", "  ", "a ```json\n{\"nam\":1}\n```  ", "<tool_cal",
                                 "```json\n", "``` ```json", "a\n\n"})
    for (const size_t step : {1u, 4u, 1000u}) EXPECT_EQ(read("g1", text, step), text);
  for (const std::string text : {"<tool_cal", "<<tool_cal>", "<tool_", "a < b"})
    for (const size_t step : {1u, 4u, 1000u}) EXPECT_EQ(read("chatml", text, step), text);
}

TEST(CallReader, a_call_that_is_cut_has_begun_and_is_not_whole) {
  const std::string call = render_call(*profile_by_name("g1"), "f", R"({"a":1})");
  for (size_t cut = 0; cut < call.size(); ++cut) {
    CallReader reader(call_form(*profile_by_name("g1")));
    std::string out = shown(reader.push(call.substr(0, cut)));
    out += shown(reader.finish());
    const bool named = cut >= call.find("f\"") + 2;
    EXPECT_EQ(reader.calls(), named ? 1u : 0u) << cut;
    EXPECT_EQ(out.find('>'), std::string::npos) << cut;
  }
}

}  // namespace
}  // namespace skein::text::test
