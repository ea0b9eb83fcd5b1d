// Answers of a form, and calls of functions: every field that asks for them, streamed and not, and
// what is refused with which code and place.
#include <gtest/gtest.h>

#include <set>

#include "server/answers.h"
#include "server/shared_server.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

const std::string kMessages =
    R"("messages":[{"role":"user","content":"Make one"}],"temperature":2)";
const std::string kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":6},)"
    R"("n":{"type":"integer","minimum":0,"maximum":99}},"required":["name","n"],)"
    R"("additionalProperties":false})";
const std::string kTools =
    R"([{"type":"function","function":{"name":"look","description":"Look.","parameters":)" +
    kSchema + R"(}},{"type":"function","function":{"name":"look_up"}}])";

Reply chat(const std::string& fields) {
  return post(port(), "/v1/chat/completions", "{" + kMessages + "," + fields + "}");
}
std::string content(const Reply& reply) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  return text(choice(reply.json()).find("message"), "content");
}
// The sum of the pieces of one kind in a stream, and how it ended.
struct Streamed {
  std::string text, finish;
  std::vector<std::pair<std::string, std::string>> calls;
};
Streamed streamed(const Reply& reply) {
  EXPECT_EQ(reply.status, 200) << reply.body;
  Streamed out;
  std::string_view rest = reply.body;
  for (size_t at; (at = rest.find("data: {")) != std::string_view::npos;) {
    rest.remove_prefix(at + 6);
    const auto json = parse_json(rest.substr(0, rest.find("\n\n")), 1 << 20);
    if (!json) continue;
    const Json one = choice(*json), delta = one.find("delta");
    out.text += delta.find("content").string().value_or("");
    if (const auto finish = one.find("finish_reason").string()) out.finish = *finish;
    for (const Json& call : delta.find("tool_calls").array()) {
      int64_t index = -1;
      EXPECT_TRUE(call.find("index").integer(index));
      if (call.find("id")) out.calls.emplace_back(text(call.find("function"), "name"), "");
      EXPECT_EQ(static_cast<size_t>(index) + 1, out.calls.size());
      if (!out.calls.empty()) out.calls.back().second += text(call.find("function"), "arguments");
    }
  }
  return out;
}

void expect_one(std::string_view json) {
  const auto value = parse_json(json, 1 << 20);
  ASSERT_TRUE(value) << json;
  int64_t n = -1;
  EXPECT_TRUE(value->find("name").string()) << json;
  EXPECT_TRUE(value->find("n").integer(n) && n >= 0 && n <= 99) << json;
  EXPECT_EQ(value->object()->size(), 2u) << json;
}

TEST(Forms, every_field_that_asks_for_a_schema_is_kept_to) {
  for (
      const std::string& field :
      {R"("response_format":{"type":"json_schema","json_schema":{"name":"x","strict":true,"schema":)" +
           kSchema + "}}",
       R"("response_format":{"type":"json_object","schema":)" + kSchema + "}",
       R"("structured_outputs":{"json":)" + kSchema + "}", "\"guided_json\":" + kSchema,
       "\"json_schema\":" + kSchema})
    for (int seed = 0; seed < (thorough() ? 50 : 4); ++seed) {
      const std::string fields = field + ",\"seed\":" + std::to_string(seed);
      const Reply reply = chat(fields);
      const std::string answer = content(reply);
      expect_one(answer);
      EXPECT_EQ(text(choice(reply.json()), "finish_reason"), "stop");
      EXPECT_EQ(streamed(chat(fields + R"(,"stream":true)")).text, answer);
    }
}

TEST(Forms, expressions_choices_and_grammars_are_kept_to) {
  for (const auto& [field, allowed] : std::vector<std::pair<std::string, std::set<std::string>>>{
           {R"("guided_choice":["yes","no","not now"])", {"yes", "no", "not now"}},
           {R"("structured_outputs":{"choice":["yes","no"]})", {"yes", "no"}},
           {R"-("guided_regex":"a{2}(b|c)")-", {"aab", "aac"}},
           {R"("grammar":"root ::= \"a\" [bc]")", {"ab", "ac"}},
           {R"-("guided_grammar":"start: \"a\" (\"b\"|\"c\")")-", {"ab", "ac"}},
           {R"-("bnf_schema":"start ::= 'a' ('b' | 'c');")-", {"ab", "ac"}}})
    for (int seed = 0; seed < 5; ++seed)
      for (const char* route : {"/v1/chat/completions", "/v1/completions"}) {
        const std::string asked = std::string_view(route).starts_with("/v1/chat")
                                      ? kMessages
                                      : R"("prompt":"Once","max_tokens":20)";
        const Reply reply = post(
            port(), route, "{" + asked + "," + field + ",\"seed\":" + std::to_string(seed) + "}");
        ASSERT_EQ(reply.status, 200) << reply.body;
        const Json one = choice(reply.json());
        const std::string answer =
            one.find("message") ? text(one.find("message"), "content") : text(one, "text");
        EXPECT_TRUE(allowed.contains(answer)) << field << ": " << answer;
      }
}

TEST(Forms, any_object_is_an_object) {
  const Reply reply = chat(R"("response_format":{"type":"json_object"},"max_tokens":400,"seed":3)");
  const std::string answer = content(reply);
  if (text(choice(reply.json()), "finish_reason") == "stop") {
    const auto value = parse_json(answer, 1 << 20);
    ASSERT_TRUE(value && value->object()) << answer;
  }
  EXPECT_TRUE(answer.starts_with('{')) << answer;
}

// Whatever stands before the answer, the blanks at its ends are its own.
TEST(Forms, blanks_that_are_asked_for_are_there) {
  for (const char* think : {"false", "true"})
    for (const auto& [field, answer] : std::vector<std::pair<std::string, std::string>>{
             {R"("guided_choice":["  a  "])", "  a  "},
             {R"("guided_choice":["\n\n"])", "\n\n"},
             {R"-("guided_regex":" {3}x\n\n")-", "   x\n\n"},
             {R"("guided_choice":["<think>a</think> b"])", "<think>a</think> b"}})
      EXPECT_EQ(content(chat(field + R"(,"reasoning_budget":9,"think":)" + think)), answer)
          << field << think;
}

TEST(Forms, keywords_that_may_be_left_out_are_named) {
  const std::string field = R"("guided_json":{"oneOf":[{"type":"integer"},{"type":"number"}]},)"
                            R"("max_tokens":30,"constraint":{"relax":["oneOf"]})";
  const Reply reply = chat(field);
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto relaxed = reply.json().find("skein").find("relaxed").array();
  ASSERT_TRUE(relaxed && relaxed->size() == 1) << reply.body;
  EXPECT_EQ(relaxed->front().string(), "#/oneOf");
}

TEST(Forms, a_thought_comes_before_the_form_and_is_told_apart) {
  const std::string fields = R"("guided_choice":["yes","no"],"think":true,"reasoning_budget":20)";
  const Reply reply = chat(fields);
  const std::string answer = content(reply);
  EXPECT_TRUE(answer == "yes" || answer == "no") << answer;
}

struct Refused {
  std::string field;
  std::string param;
  std::string code;
};

TEST(Forms, what_cannot_be_kept_to_is_refused_with_its_place) {
  const std::string schema = R"("response_format":{"type":"json_schema","json_schema":{"schema":)";
  const std::string in = "response_format.json_schema.schema";
  for (const Refused& each : std::vector<Refused>{
           {schema + R"({"properties":{"a":{"type":"strin"}}}}})", in + "#/properties/a/type",
            "invalid_schema"},
           {schema + R"({"oneOf":[{"type":"integer"},{"type":"number"}]}}})", in + "#/oneOf",
            "unsupported_keyword"},
           {schema + R"({"type":"integer","minimum":3,"maximum":1}}})", "", "unsatisfiable"},
           {schema + R"(5}})", in, ""},
           {R"("response_format":{"type":"xml"})", "response_format.type", ""},
           {R"("guided_regex":"(a")", "guided_regex", "invalid_regex"},
           {R"-("guided_regex":"(?=a)b")-", "guided_regex", "invalid_regex"},
           {R"("grammar":"root ::= x")", "grammar", "invalid_grammar"},
           {R"("guided_choice":["a",5])", "guided_choice", ""},
           {R"("guided_choice":["a",""])", "guided_choice", ""},
           {R"("guided_choice":"a")", "guided_choice", ""},
           {R"("guided_choice":[])", "guided_choice", ""},
           {R"("guided_regex":"")", "guided_regex", ""},
           {R"("structured_outputs":{})", "structured_outputs", ""},
           {R"("structured_outputs":{"jsn":{}})", "structured_outputs.jsn", ""},
           {R"("constraint":{"x":1})", "constraint.x", ""},
           {R"("guided_regex":"a","grammar":"root ::= \"a\"")", "grammar", "constraint_conflict"},
           {R"("constraint":{"whitespace":"none"})", "constraint.whitespace", ""},
           {R"("constraint":{"relax":5})", "constraint.relax", ""}})
    for (const char* stream : {"", R"(,"stream":true)"}) {
      const Reply reply = chat(each.field + stream);
      EXPECT_EQ(reply.status, 400) << each.field << reply.body;
      if (!each.param.empty()) {
        EXPECT_EQ(reply.error("param"), each.param) << reply.body;
      }
      if (!each.code.empty()) {
        EXPECT_EQ(reply.error("code"), each.code) << reply.body;
      }
      EXPECT_EQ(reply.fields.at("content-type"), "application/json");
    }
  // And a good one after them.
  EXPECT_EQ(content(chat(R"("guided_choice":["only"])")), "only");
}

TEST(Calls, what_is_asked_for_is_called_with_arguments_of_its_schema) {
  for (int seed = 0; seed < (thorough() ? 100 : 8); ++seed) {
    const std::string fields = "\"tools\":" + kTools +
                               R"(,"tool_choice":"required","parallel_tool_calls":false,"seed":)" +
                               std::to_string(seed);
    const Reply reply = chat(fields);
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json one = choice(reply.json()), message = one.find("message");
    EXPECT_EQ(text(one, "finish_reason"), "tool_calls");
    EXPECT_TRUE(message.find("content").is_null()) << reply.body;
    const auto calls = message.find("tool_calls").array();
    ASSERT_TRUE(calls && calls->size() == 1) << reply.body;
    const Json function = calls->front().find("function");
    const std::string name = text(function, "name"), arguments = text(function, "arguments");
    EXPECT_TRUE(text(calls->front(), "id").starts_with("call_"));
    if (name == "look")
      expect_one(arguments);
    else
      EXPECT_TRUE(name == "look_up" && parse_json(arguments, 100)->object()->empty()) << arguments;
    const Streamed same = streamed(chat(fields + R"(,"stream":true)"));
    ASSERT_EQ(same.calls.size(), 1u);
    EXPECT_EQ(same.calls[0], std::pair(name, arguments));
    EXPECT_EQ(same.finish, "tool_calls");
    EXPECT_EQ(same.text, "");
  }
}

TEST(Calls, a_choice_that_names_a_function_calls_it_once) {
  const Reply reply = chat("\"tools\":" + kTools +
                           R"(,"tool_choice":{"type":"function","function":{"name":"look"}})");
  const auto calls = choice(reply.json()).find("message").find("tool_calls").array();
  ASSERT_TRUE(calls && calls->size() == 1) << reply.body;
  EXPECT_EQ(text(calls->front().find("function"), "name"), "look");
}

TEST(Calls, several_calls_have_ids_of_their_own) {
  const Reply reply = chat("\"tools\":" + kTools + R"(,"tool_choice":"required","seed":3)");
  std::set<std::string> ids;
  const auto calls = choice(reply.json()).find("message").find("tool_calls").array();
  ASSERT_TRUE(calls) << reply.body;
  for (const Json& call : *calls) ids.insert(text(call, "id"));
  EXPECT_EQ(ids.size(), calls->size());
}

TEST(Calls, nobody_has_to_call) {
  const Reply reply = chat("\"tools\":" + kTools + R"(,"max_tokens":40)");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_FALSE(choice(reply.json()).find("message").find("tool_calls"));
  EXPECT_EQ(content(chat("\"tools\":" + kTools + R"(,"tool_choice":"none","seed":4)")),
            content(chat(R"("seed":4)")));
}

TEST(Calls, a_response_has_its_calls_as_items) {
  const std::string fields =
      R"("input":"Make one","temperature":2,"seed":5,"parallel_tool_calls":false,"tools":)"
      R"([{"type":"function","name":"look","parameters":)" +
      kSchema + R"(}],"tool_choice":"required")";
  const Reply reply = post(port(), "/v1/responses", "{" + fields + "}");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const auto output = reply.json().find("output").array();
  ASSERT_TRUE(output && output->size() == 1) << reply.body;
  const Json call = output->front();
  EXPECT_EQ(text(call, "type"), "function_call");
  EXPECT_EQ(text(call, "status"), "completed");
  expect_one(text(call, "arguments"));
  const Reply stream = post(port(), "/v1/responses", "{" + fields + R"(,"stream":true})");
  for (const char* event :
       {"response.output_item.added", "response.function_call_arguments.delta",
        "response.function_call_arguments.done", "response.output_item.done", "response.completed"})
    EXPECT_NE(stream.body.find(std::string("event: ") + event), std::string::npos) << event;
  EXPECT_EQ(stream.body.find("response.output_text"), std::string::npos);
  // What came of it is an item of the next one's input.
  const std::string next =
      R"({"previous_response_id":")" + text(reply.json(), "id") +
      R"(","max_output_tokens":5,"input":[{"type":"function_call_output","call_id":")" +
      text(call, "call_id") + R"(","output":"done"}]})";
  EXPECT_EQ(post(port(), "/v1/responses", next).status, 200);
}

TEST(Calls, tools_that_cannot_be_called_are_refused) {
  const auto tools = [](const std::string& function) {
    return R"("tools":[{"type":"function","function":)" + function + "}]";
  };
  for (
      const Refused& each : std::vector<Refused>{
          {tools(R"({"name":"a b"})"), "tools[0].function.name", ""},
          {tools(R"({"name":""})"), "tools[0].function.name", ""},
          {tools(R"({"name":"f"}},{"type":"function","function":{"name":"f"})"),
           "tools[1].function.name", ""},
          {tools(R"({"name":"f","parameters":5})"), "tools[0].function.parameters", ""},
          {tools(R"({"name":"f","parameters":{"type":"strin"}})"),
           "tools[0].function.parameters#/type", "invalid_schema"},
          {tools(R"({"name":"f"})") +
               R"(,"tool_choice":{"type":"function","function":{"name":"g"}})",
           "tool_choice", ""},
          {tools(R"({"name":"f"})") +
               R"(,"tool_choice":{"type":"allowed_tools","allowed_tools":{"mode":"auto","tools":[]}})",
           "tool_choice", ""}}) {
    const Reply reply = chat(each.field);
    EXPECT_EQ(reply.status, 400) << each.field << reply.body;
    EXPECT_EQ(reply.error("param"), each.param) << reply.body;
    if (!each.code.empty()) {
      EXPECT_EQ(reply.error("code"), each.code) << reply.body;
    }
  }
}

}  // namespace
}  // namespace skein::test
