// The same conversation with the same settings and seed gives the same text and counts, whichever
// API asks for it, whole and as a stream.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/shared_server.h"

namespace skein::test {
namespace {

struct Said {
  std::string text, finish;
  int64_t prompt = 0, tokens = 0;
  bool operator==(const Said&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Said& said) {
  return out << said.text << " (" << said.finish << ", " << said.prompt << " + " << said.tokens
             << ")";
}

Json answered(const std::string& path, const std::string& body) {
  const Reply reply = post(port(), path, "{" + body + "}");
  EXPECT_EQ(reply.status, 200) << path << body << reply.body;
  return reply.json();
}
std::vector<Json> streamed(const std::string& path, const std::string& body) {
  const Reply reply = post(port(), path, "{" + body + R"(,"stream":true})");
  EXPECT_EQ(reply.status, 200) << path << body << reply.body;
  return Events(reply.body).data;
}
std::string string_of(const Json& json) { return std::string(json.string().value_or("")); }

Said of_chat(const Json& json) {
  const Json one = choice(json);
  return {text(one.find("message"), "content"), text(one, "finish_reason"),
          whole(json.find("usage").find("prompt_tokens")),
          whole(json.find("usage").find("completion_tokens"))};
}
Said of_chunks(const std::vector<Json>& chunks) {
  Said out;
  for (const Json& chunk : chunks) {
    if (chunk.find("usage").object()) {
      out.prompt = whole(chunk.find("usage").find("prompt_tokens"));
      out.tokens = whole(chunk.find("usage").find("completion_tokens"));
    }
    if (chunk.find("choices").array()->empty()) continue;
    const Json one = choice(chunk);
    out.text += string_of(one.find("delta").find("content"));
    if (const auto finish = one.find("finish_reason").string()) out.finish = *finish;
  }
  return out;
}

// Anthropic's words for it.
std::string finish_of(const std::string& reason) {
  return reason == "max_tokens" ? "length" : reason == "tool_use" ? "tool_calls" : "stop";
}
int64_t input_of(const Json& usage) {
  return whole(usage.find("input_tokens")) + whole(usage.find("cache_read_input_tokens")) +
         whole(usage.find("cache_creation_input_tokens"));
}
Said of_message(const Json& json) {
  Said out{.text = {},
           .finish = finish_of(text(json, "stop_reason")),
           .prompt = input_of(json.find("usage")),
           .tokens = whole(json.find("usage").find("output_tokens"))};
  for (const Json& block : *json.find("content").array()) out.text += string_of(block.find("text"));
  return out;
}
Said of_events(const std::vector<Json>& events) {
  Said out;
  for (const Json& event : events) {
    const std::string type = text(event, "type");
    if (type == "content_block_delta") out.text += string_of(event.find("delta").find("text"));
    if (type != "message_delta") continue;
    out.finish = finish_of(text(event.find("delta"), "stop_reason"));
    out.prompt = input_of(event.find("usage"));
    out.tokens = whole(event.find("usage").find("output_tokens"));
  }
  return out;
}

TEST(Agreement, agree_on_text_and_counts) {
  const std::string turns =
      R"([{"role":"system","content":"Be brief."},{"role":"user","content":"Hello"},)"
      R"({"role":"assistant","content":"Hi."},{"role":"user","content":"Reverse: garden"}])";
  const std::string rest = turns.substr(0, 1) + turns.substr(turns.find(R"({"role":"user)"));
  const std::string settings[] = {
      R"("temperature":0,"max_tokens":40)", R"("temperature":0,"max_tokens":3)",
      R"("temperature":1.2,"top_p":0.9,"seed":7,"max_tokens":40)",
      R"("temperature":2,"top_p":0.99,"top_k":50,"seed":11,"max_tokens":60)",
      R"("temperature":1,"presence_penalty":0.4,"frequency_penalty":0.3,"seed":3,"max_tokens":50)"};
  for (const std::string& fields : settings) {
    const std::string flat = R"("messages":)" + turns + "," + fields;
    const std::string usage = flat + R"(,"stream_options":{"include_usage":true})";
    const std::string apart = R"("system":"Be brief.","messages":)" + rest + "," + fields;
    const Said said = of_chat(answered("/v1/chat/completions", flat));
    EXPECT_GT(said.tokens, 0);
    EXPECT_EQ(of_chunks(streamed("/v1/chat/completions", usage)), said) << fields;
    EXPECT_EQ(of_message(answered("/v1/messages", apart)), said) << fields;
    EXPECT_EQ(of_message(answered("/v1/messages", flat)), said) << fields;
    EXPECT_EQ(of_events(streamed("/v1/messages", apart)), said) << fields;
    EXPECT_EQ(of_chat(answered("/api/oai/chat/completions", flat)), said) << fields;
    EXPECT_EQ(of_chunks(streamed("/api/oai/v1/chat/completions", usage)), said) << fields;
  }
}

TEST(Agreement, agree_on_forms) {
  const std::string schema =
      R"({"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":99}},)"
      R"("required":["n"],"additionalProperties":false})";
  const std::string asked =
      R"("messages":[{"role":"user","content":"A lamp"}],"max_tokens":200,"seed":5,"temperature":1)";
  const Said said = of_chat(answered(
      "/v1/chat/completions",
      asked + R"(,"response_format":{"type":"json_schema","json_schema":{"name":"n","schema":)" +
          schema + "}}"));
  EXPECT_EQ(
      of_message(answered("/v1/messages", asked +
                                              R"(,"output_config":{"format":{"type":"json_schema",)"
                                              R"("schema":)" +
                                              schema + "}}")),
      said);
  EXPECT_EQ(of_chat(answered("/api/oai/chat/completions", asked + R"(,"guided_json":)" + schema)),
            said);
}

TEST(Agreement, agree_on_calls) {
  const std::string schema =
      R"({"type":"object","properties":{"n":{"type":"integer","minimum":1,"maximum":99}},)"
      R"("required":["n"],"additionalProperties":false})";
  const std::string asked =
      R"("messages":[{"role":"user","content":"A lamp"}],"max_tokens":200,"seed":5,"temperature":1,)";
  const std::string function =
      R"({"type":"function","function":{"name":"light","parameters":)" + schema + "}}";
  for (const char* path : {"/v1/chat/completions", "/api/oai/chat/completions"}) {
    const Json chat = answered(path, asked +
                                         R"("tool_choice":"required","parallel_tool_calls":)"
                                         R"(false,"tools":[)" +
                                         function + "]");
    const Json message = answered(
        "/v1/messages", asked +
                            R"("tool_choice":{"type":"any","disable_parallel_tool_use":true},)"
                            R"("tools":[{"name":"light","input_schema":)" +
                            schema + "}]");
    const Json call = (*choice(chat).find("message").find("tool_calls").array())[0];
    const Json block = (*message.find("content").array())[0];
    EXPECT_EQ(text(block, "name"), "light");
    const auto arguments = parse_json(text(call.find("function"), "arguments"), 1000);
    ASSERT_TRUE(arguments);
    EXPECT_EQ(whole(arguments->find("n")), whole(block.find("input").find("n")));
    EXPECT_EQ(text(message, "stop_reason"), "tool_use");
    EXPECT_EQ(whole(chat.find("usage").find("completion_tokens")),
              whole(message.find("usage").find("output_tokens")));
    EXPECT_EQ(whole(chat.find("usage").find("prompt_tokens")), input_of(message.find("usage")));
  }
}

TEST(Agreement, agree_on_what_follows_a_text) {
  const std::string asked =
      R"("prompt":"User: Reverse: garden\n\nAssistant:","max_tokens":30,"stop":"\n\n","seed":9,)"
      R"("temperature":1.5,"top_p":0.95)";
  const Json openai = answered("/v1/completions", asked);
  const Json ai00 = answered("/api/oai/completions", asked);
  EXPECT_EQ(text(choice(ai00)), text(choice(openai)));
  EXPECT_EQ(whole(ai00.find("usage").find("completion")),
            whole(openai.find("usage").find("completion_tokens")));
  std::string pieces;
  for (const Json& chunk : streamed("/api/oai/completions", asked))
    pieces += string_of(choice(chunk).find("delta").find("content"));
  EXPECT_EQ(pieces, text(choice(openai)));
}

}  // namespace
}  // namespace skein::test
