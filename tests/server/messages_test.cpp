// Anthropic's /v1/messages: fields, blocks, events and errors.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/shared_server.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

constexpr const char* kPath = "/v1/messages";
const std::string kAsked =
    R"("max_tokens":20,"temperature":0,"messages":[{"role":"user","content":"1+1?"}])";

Reply message(const std::string& fields) { return post(port(), kPath, "{" + fields + "}"); }

// The sentence of an error in Anthropic's form; "?" is no such thing.
std::string refusal(const Reply& reply, std::string_view type = "invalid_request_error") {
  const Json json = reply.json();
  if (text(json, "type") != "error" || text(json.find("error"), "type") != type) return "?";
  return text(json.find("error"), "message");
}

TEST(Messages, fields_of_a_wrong_kind_are_a_400_that_names_them) {
  const std::string user = R"("max_tokens":20,)";
  const auto content = [&](const std::string& role, const std::string& block) {
    return user + R"("messages":[{"role":")" + role + R"(","content":[)" + block + "]}]";
  };
  const std::string tool = R"({"name":"f","input_schema":{"type":"object"}})";
  const std::pair<std::string, std::string> wrong[] = {
      {R"("messages":[{"role":"user","content":"1"}])", "max_tokens"},
      {R"("max_tokens":0,"messages":[{"role":"user","content":"1"}])", "max_tokens"},
      {R"("max_tokens":"9","messages":[{"role":"user","content":"1"}])", "max_tokens"},
      {R"("max_tokens":9)", "messages"},
      {R"("max_tokens":9,"messages":[])", "messages"},
      {R"("max_tokens":9,"messages":{})", "messages"},
      {R"("max_tokens":9,"messages":[5])", "messages[0].role"},
      {R"("max_tokens":9,"messages":[{"role":"robot","content":"1"}])", "messages[0].role"},
      {R"("max_tokens":9,"messages":[{"role":"user"}])", "messages[0].content"},
      {R"("max_tokens":9,"messages":[{"role":"user","content":5}])", "messages[0].content"},
      {content("user", "5"), "messages[0].content[0].type"},
      {content("user", R"({"type":"text"})"), "messages[0].content[0].text"},
      {content("user", R"({"type":"image","source":{}})"), "messages[0].content[0].type"},
      {content("user", R"({"type":"document","source":{"type":"url"}})"),
       "messages[0].content[0].source"},
      {content("user", R"({"type":"tool_use","id":"a","name":"f","input":{}})"),
       "messages[0].content[0].type"},
      {content("user", R"({"type":"tool_result","content":"1"})"),
       "messages[0].content[0].tool_use_id"},
      {content("user", R"({"type":"tool_result","tool_use_id":"nobody","content":"1"})"),
       "messages[0].content[0].tool_use_id"},
      {content("assistant", R"({"type":"tool_use","name":"f","input":{}})"),
       "messages[0].content[0].id"},
      {content("assistant", R"({"type":"tool_use","id":"a","input":{}})"),
       "messages[0].content[0].name"},
      {content("assistant", R"({"type":"tool_use","id":"a","name":"f","input":"{}"})"),
       "messages[0].content[0].input"},
      {content("user", R"({"type":"text","text":"1","cache_control":true})"),
       "messages[0].content[0].cache_control"},
      {kAsked + R"(,"system":5)", "system"},
      {kAsked + R"(,"system":[{"type":"image"}])", "system[0].type"},
      {kAsked + R"(,"cache_control":{"type":"for ever"})", "cache_control"},
      {kAsked + R"(,"stop_sequences":5)", "stop_sequences"},
      {kAsked + R"(,"stop_sequences":[""])", "stop_sequences"},
      {kAsked + R"(,"top_p":"a")", "top_p"},
      {kAsked + R"(,"top_k":[])", "top_k"},
      {kAsked + R"(,"stream":1)", "stream"},
      {kAsked + R"(,"thinking":5)", "thinking.type"},
      {kAsked + R"(,"thinking":{"type":"deep"})", "thinking.type"},
      {kAsked + R"(,"thinking":{"type":"enabled","budget_tokens":"9"})", "thinking.budget_tokens"},
      {kAsked + R"(,"output_config":5)", "output_config"},
      {kAsked + R"(,"output_config":{"effort":"huge"})", "output_config.effort"},
      {kAsked + R"(,"output_config":{"format":{"type":"poem"}})", "output_config.format.type"},
      {kAsked + R"(,"output_config":{"format":{"type":"json_schema"}})",
       "output_config.format.schema"},
      {kAsked + R"(,"output_config":{"format":{"type":"json_schema","schema":{"type":"x"}}})",
       "output_config.format.schema"},
      {kAsked + R"(,"tools":5)", "tools"},
      {kAsked + R"(,"tools":[5])", "tools[0]"},
      {kAsked + R"(,"tools":[{"name":"f"}])", "tools[0].input_schema"},
      {kAsked + R"(,"tools":[{"name":"","input_schema":{}}])", "tools[0].name"},
      {kAsked + R"(,"tools":[{"name":"f","input_schema":{"type":"x"}}])", "tools[0].input_schema"},
      {kAsked + R"(,"tools":[)" + tool + "," + tool + "]", "tools[1].name"},
      {kAsked + R"(,"tools":[)" + tool + R"(],"tool_choice":{"type":"tool","name":"g"})",
       "tool_choice.name"},
      {kAsked + R"(,"tools":[)" + tool + R"(],"tool_choice":"any")", "tool_choice"},
      {kAsked + R"(,"tool_choice":{"type":"any"})", "tool_choice"},
  };
  for (const auto& [fields, name] : wrong) {
    const Reply reply = message(fields);
    EXPECT_EQ(reply.status, 400) << fields << reply.body;
    EXPECT_NE(refusal(reply).find(name), std::string::npos) << fields << reply.body;
    EXPECT_EQ(message(fields + R"(,"stream":true)").status, 400) << fields;
  }
  const Reply counted = post(port(), "/v1/messages/count_tokens", "{}");
  EXPECT_EQ(counted.status, 400);
  EXPECT_NE(refusal(counted).find("messages"), std::string::npos) << counted.body;
  const Reply hosted = message(kAsked + R"(,"tools":[{"type":"web_search_20250305","name":"w"}])");
  EXPECT_EQ(hosted.status, 501);
  EXPECT_NE(refusal(hosted, "api_error").find("tools[0].type"), std::string::npos) << hosted.body;
}

TEST(Messages, fields_that_nobody_knows_and_null_are_ignored) {
  const std::string more =
      R"(,"metadata":{"user_id":"u"},"service_tier":"auto","container":null,"mcp_servers":[],)"
      R"("context_management":{},"inference_geo":"x","system":null,"tools":[],"tool_choice":null,)"
      R"("thinking":null,"stop_sequences":null,"output_config":null,"stream":null,"top_k":null)";
  const Reply reply = post(port(), "/v1/messages?beta=true", "{" + kAsked + more + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.fields.at("request-id"), reply.fields.at("x-request-id"));
  EXPECT_EQ(reply.json().find("content").array()->size(), 1u);
}

TEST(Messages, whatever_refuses_says_so_in_its_form) {
  const auto raw = [](uint16_t at, const std::string& bytes) {
    Client client(at);
    client.send(bytes);
    return client.read();
  };
  const std::string head = "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\n";
  const std::string json = "Content-Type: application/json\r\n";
  EXPECT_NE(refusal(raw(port(), head + json + "Content-Length: 99999999999\r\n\r\n"),
                    "request_too_large"),
            "?");
  EXPECT_NE(refusal(raw(port(), head + "Content-Type: text/plain\r\nContent-Length: 2\r\n\r\n{}")),
            "?");
  EXPECT_NE(refusal(raw(port(), head + json + "Content-Length: 1\r\n\r\n{")), "?");
  EXPECT_NE(refusal(raw(port(), head + json + "Transfer-Encoding: chunked\r\n\r\nnonsense\r\n")),
            "?");
  EXPECT_NE(refusal(ask(port(), "GET", "/v1/messages")), "?");
  EXPECT_NE(refusal(ask(port(), "GET", "/v1/messages/batches"), "not_found_error"), "?");
  server::ServerOptions options;
  EXPECT_TRUE(options.service.keys.add("generate:a-key-of-the-tests"));
  const TestServer locked(std::move(options));
  EXPECT_NE(refusal(post(locked.port(), kPath, "{}"), "authentication_error"), "?");
  // The desk: nobody may wait, and one is served.
  const TestServer busy({}, {.parallel = 1, .waiting = 0});
  Client first(busy.port());
  first.request("POST", kPath,
                R"({"max_tokens":100000,"stream":true,"ignore_eos":true,"logit_bias":{"11":-100},)"
                R"("messages":[{"role":"user","content":"1"}]})");
  ASSERT_TRUE(first.comes("content_block_delta"));
  const Reply reply = post(busy.port(), kPath, "{" + kAsked + "}");
  EXPECT_EQ(reply.status, 429) << reply.body;
  EXPECT_NE(refusal(reply, "rate_limit_error"), "?") << reply.body;
  EXPECT_TRUE(reply.fields.count("retry-after"));
}

TEST(Messages, a_stream_that_fails_ends_with_an_error_of_its_form) {
  server::ServerOptions options;
  options.listen.drain_ms = 50;
  TestServer server(std::move(options));
  Client client(server.port());
  client.request("POST", kPath,
                 R"({"max_tokens":100000,"stream":true,"ignore_eos":true,"logit_bias":{"11":-100},)"
                 R"("messages":[{"role":"user","content":"1"}]})");
  ASSERT_TRUE(client.comes("content_block_delta"));
  server.ask_to_stop();
  const std::string body = client.read().body;
  const size_t at = body.find("event: error\n");
  if (at == std::string::npos)
    EXPECT_NE(body.find("message_stop"), std::string::npos);  // it was over before
  else
    EXPECT_NE(body.find(R"("type":"overloaded_error")", at), std::string::npos) << body.substr(at);
}

TEST(Messages, blocks_are_what_a_chat_says_in_turns) {
  const auto tokens = [](const std::string& messages) {
    const Reply reply =
        post(port(), "/v1/messages/count_tokens", R"({"messages":)" + messages + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return whole(reply.json().find("input_tokens"));
  };
  const auto chat = [](const std::string& messages) {
    const Reply reply = post(port(), "/apply-template", R"({"messages":)" + messages + "}");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return static_cast<int64_t>(reply.json().find("tokens").array()->size());
  };
  EXPECT_EQ(tokens(R"([{"role":"user","content":[{"type":"text","text":"a"},{"type":"text",)"
                   R"("text":"b"}]}])"),
            chat(R"([{"role":"user","content":"a\nb"}])"));
  // A thought leaves the history; a result is a turn of its own.
  EXPECT_EQ(
      tokens(R"([{"role":"user","content":"a"},{"role":"assistant","content":[{"type":"thinking",)"
             R"("thinking":"long","signature":""},{"type":"text","text":"b"},{"type":"tool_use",)"
             R"("id":"t","name":"f","input":{"x":1}}]},{"role":"user","content":[{"type":)"
             R"("tool_result","tool_use_id":"t","content":[{"type":"text","text":"c"}]},)"
             R"({"type":"text","text":"d"}]}])"),
      chat(R"([{"role":"user","content":"a"},{"role":"assistant","content":"b","tool_calls":[)"
           R"({"function":{"name":"f","arguments":"{\"x\":1}"}}]},{"role":"tool","content":"c"},)"
           R"({"role":"user","content":"d"}])"));
}

TEST(Messages, more_marks_than_there_may_be_are_refused) {
  std::string blocks;
  for (int i = 0; i < 5; ++i)
    blocks += R"(,{"type":"text","text":"a","cache_control":{"type":"ephemeral"}})";
  const Reply reply = message(R"("max_tokens":1,"messages":[{"role":"user","content":[)" +
                              blocks.substr(1) + "]}]");
  EXPECT_EQ(reply.status, 400);
  EXPECT_NE(refusal(reply).find("cache_control"), std::string::npos) << reply.body;
}

TEST(Messages, nothing_is_said_to_be_kept_where_nothing_is) {
  std::string words;
  for (int i = 0; i < 100; ++i) words += fmt::format("the garden {} ", i);
  const std::string asked =
      R"({"max_tokens":1,"system":[{"type":"text","text":")" + words +
      R"(","cache_control":{"type":"ephemeral"}}],"messages":[{"role":"user","content":"1"}])";
  const auto created = [&](uint16_t at, const std::string& more) {
    const Json usage = post(at, kPath, asked + more + "}").json().find("usage");
    EXPECT_EQ(whole(usage.find("cache_read_input_tokens")), 0);
    return whole(usage.find("cache_creation_input_tokens"));
  };
  const TestServer forgetful({}, {.kept = 0});
  EXPECT_EQ(created(forgetful.port(), ""), 0);
  EXPECT_EQ(created(port(), R"(,"no_cache":true)"), 0);
  EXPECT_GT(created(port(), ""), 500);
}

TEST(Messages, a_state_is_gone_on_from_and_left) {
  const Reply first = message(kAsked + R"(,"return_state":true)");
  ASSERT_EQ(first.status, 200) << first.body;
  const std::string id = text(first.json().find("state"), "id");
  const Reply second = message(kAsked + R"(,"parent":")" + id + "\"");
  EXPECT_EQ(second.status, 200) << second.body;
  const auto input = [](const Reply& reply) {
    const Json usage = reply.json().find("usage");
    return whole(usage.find("input_tokens")) + whole(usage.find("cache_read_input_tokens"));
  };
  EXPECT_GT(input(second), input(first));
}

}  // namespace
}  // namespace skein::test
