// Ollama's routes: lines and objects, models that come and go, and errors that are sentences.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/lines.h"
#include "server/shared_server.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

const std::string kMessages = R"("messages":[{"role":"user","content":"Reverse: garden"}])";
const std::string kSchema =
    R"({"type":"object","properties":{"name":{"type":"string","maxLength":6},)"
    R"("n":{"type":"integer","minimum":0,"maximum":99}},"required":["name","n"],)"
    R"("additionalProperties":false})";

Json whole_answer(const std::string& path, const std::string& fields) {
  const Reply reply = post(port(), path, "{" + fields + R"(,"stream":false})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(reply.fields.at("content-type"), "application/json");
  return reply.json();
}

TEST(Ollama, a_stream_is_lines_the_last_of_which_is_done_and_is_what_nobody_asks_for) {
  const Reply reply =
      post(port(), "/api/chat", "{" + kMessages + R"(,"options":{"temperature":0}})");
  EXPECT_EQ(reply.fields.at("content-type"), "application/x-ndjson");
  const auto lines = lines_of(reply.body);
  ASSERT_GT(lines.size(), 2u);
  std::string said;
  for (const Json& line : lines) {
    EXPECT_EQ(text(line, "model"), "bundled:latest");
    EXPECT_EQ(text(line.find("message"), "role"), "assistant");
    EXPECT_EQ(text(line, "created_at").back(), 'Z');
    EXPECT_EQ(line.find("done").boolean(), &line == &lines.back());
    said += text(line.find("message"), "content");
  }
  const Json last = lines.back();
  EXPECT_EQ(text(last, "done_reason"), "stop");
  for (const char* key :
       {"total_duration", "load_duration", "prompt_eval_duration", "eval_duration"})
    EXPECT_GE(whole(last.find(key)), 0) << key;
  EXPECT_GE(whole(last.find("total_duration")), whole(last.find("eval_duration")));
  const Json is = whole_answer("/api/chat", kMessages + R"(,"options":{"temperature":0})");
  EXPECT_EQ(text(is.find("message"), "content"), said);
  EXPECT_EQ(whole(is.find("eval_count")), whole(last.find("eval_count")));
}

TEST(Ollama, a_context_that_is_handed_back_is_gone_on_from) {
  const std::string settings = R"("options":{"temperature":0},)";
  const Json first = whole_answer("/api/generate", settings + R"("prompt":"What is 12+30?")");
  const auto ids = first.find("context").array();
  ASSERT_TRUE(ids);
  const Json second =
      whole_answer("/api/generate", settings + R"("prompt":"Reverse: garden","context":)" +
                                        JsonWriter().value(first.find("context")).text());
  // As the same conversation through the other route, and the beginning is not read again.
  const Json same = whole_answer(
      "/api/chat", settings + R"("messages":[{"role":"user","content":"What is 12+30?"},)" +
                       R"({"role":"assistant","content":")" + text(first, "response") +
                       R"("},{"role":"user","content":"Reverse: garden"}])");
  EXPECT_EQ(text(second, "response"), text(same.find("message"), "content"));
  EXPECT_GT(whole(second.find("prompt_eval_count")), static_cast<int64_t>(ids->size()));
  // In a stream, too.
  const auto lines = lines_of(
      post(port(), "/api/generate", "{" + settings + R"("prompt":"What is 12+30?"})").body);
  EXPECT_EQ(JsonWriter().value(lines.back().find("context")).text(),
            JsonWriter().value(first.find("context")).text());
  EXPECT_FALSE(
      whole_answer("/api/generate", settings + R"("prompt":"1","raw":true)").find("context"));
}

TEST(Ollama, thoughts_come_apart) {
  const std::string rest = kMessages + R"(,"options":{"temperature":2,"seed":3,"num_predict":60})";
  const Json is = whole_answer("/api/chat", rest + R"(,"think":true)");
  std::string thinking, said;
  const Reply reply = post(port(), "/api/chat", "{" + rest + R"(,"think":true})");
  for (const Json& line : lines_of(reply.body)) {
    thinking += line.find("message").find("thinking").string().value_or("");
    said += text(line.find("message"), "content");
  }
  EXPECT_EQ(thinking, is.find("message").find("thinking").string().value_or(""));
  EXPECT_EQ(said, text(is.find("message"), "content"));
}

TEST(Ollama, a_form_is_kept_to) {
  for (const std::string& format : {kSchema, std::string(R"("json")")}) {
    const Json is =
        whole_answer("/api/chat", R"("messages":[{"role":"user","content":"Make one"}],"format":)" +
                                      format + R"(,"options":{"temperature":2,"seed":4})");
    const auto made = parse_json(text(is.find("message"), "content"), 100000);
    ASSERT_TRUE(made) << text(is.find("message"), "content");
    EXPECT_TRUE(made->object());
  }
  const Reply wrong = post(port(), "/api/chat", "{" + kMessages + R"(,"format":{"type":"strin"}})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_NE(text(wrong.json(), "error").find("format"), std::string::npos) << wrong.body;
}

TEST(Ollama, arguments_of_a_call_are_an_object_and_so_they_come_back) {
  const std::string tools =
      R"("tools":[{"type":"function","function":{"name":"look","parameters":)" + kSchema + "}}]";
  const std::string ask = R"("messages":[{"role":"user","content":"a"}],)" + tools +
                          R"(,"tool_choice":"required","parallel_tool_calls":false,)"
                          R"("options":{"temperature":2,"seed":6})";
  const Json called = whole_answer("/api/chat", ask).find("message");
  const auto calls = called.find("tool_calls").array();
  ASSERT_EQ(calls->size(), 1u);
  const Json function = calls->front().find("function");
  EXPECT_EQ(text(function, "name"), "look");
  EXPECT_GE(whole(function.find("arguments").find("n")), 0);
  const Reply stream = post(port(), "/api/chat", "{" + ask + "}");
  size_t told = 0;
  for (const Json& line : lines_of(stream.body)) {
    EXPECT_TRUE(line.object()) << stream.body;  // also where the model wrote line ends
    for (const Json& call : line.find("message").find("tool_calls").array()) {
      ++told;
      EXPECT_EQ(JsonWriter().value(call.find("function")).text(),
                JsonWriter().value(function).text());
    }
  }
  EXPECT_EQ(told, 1u);
  // The beginning of a call is none.
  const Json cut = whole_answer(
      "/api/chat", R"("messages":[{"role":"user","content":"a"}],)" + tools +
                       R"(,"tool_choice":"required","options":{"seed":6,"num_predict":40})");
  EXPECT_EQ(text(cut, "done_reason"), "length");
  const std::string history =
      R"("messages":[{"role":"user","content":"a"},{"role":"assistant","content":"","tool_calls":)"
      R"([{"function":{"name":"look","arguments":{"name":"b","n":7}}}]},)"
      R"({"role":"tool","tool_name":"look","content":"c"}])";
  const Json other = post(port(), "/apply-template",
                          R"({"messages":[{"role":"user","content":"a"},)"
                          R"({"role":"assistant","content":"","tool_calls":[{"function":{)"
                          R"("name":"look","arguments":"{\"name\":\"b\",\"n\":7}"}}]},)"
                          R"({"role":"tool","content":"c"}]})")
                         .json();
  const Json is = post(port(), "/apply-template", "{" + history + "}").json();
  EXPECT_EQ(text(is, "prompt"), text(other, "prompt"));
  const Json answer =
      whole_answer("/api/chat", history + "," + tools + R"(,"options":{"num_predict":4})");
  EXPECT_EQ(text(answer.find("message"), "role"), "assistant");
}

TEST(Ollama, probabilities_are_told) {
  const std::string rest = R"("prompt":"1+1=","raw":true,"logprobs":true,"top_logprobs":2,)"
                           R"("options":{"num_predict":3,"temperature":0})";
  const Json is = whole_answer("/api/generate", rest);
  const auto list = is.find("logprobs").array();
  ASSERT_EQ(list->size(), 3u);
  EXPECT_EQ(list->front().find("top_logprobs").array()->size(), 2u);
  EXPECT_LE(number(list->front().find("logprob")), 0);
}

TEST(Ollama, models_are_told_of) {
  const Json tags = ask(port(), "GET", "/api/tags").json();
  const Json one = tags.find("models").array()->front();
  EXPECT_EQ(text(one, "name"), "bundled:latest");
  EXPECT_EQ(text(one, "digest").size(), 64u);
  EXPECT_TRUE(one.find("details").find("parameter_size").string());
  EXPECT_EQ(ask(port(), "GET", "/api/ps").json().find("models").array()->size(), 1u);
  const Json shown = post(port(), "/api/show", R"({"model":"bundled"})").json();
  EXPECT_NE(text(shown, "parameters").find("num_ctx"), std::string::npos);
  EXPECT_NE(text(shown, "template").find("{{ .Prompt }}"), std::string::npos);
  EXPECT_EQ(text(shown, "template").find(".Suffix"), std::string::npos);
  const std::string design = text(shown.find("model_info"), "general.architecture");
  EXPECT_GT(whole(shown.find("model_info").find(design + ".context_length")), 0);
  EXPECT_EQ(shown.find("capabilities").array()->front().string(), "completion");
  EXPECT_TRUE(ask(port(), "GET", "/api/version").json().find("version").string());
}

TEST(Ollama, texts_are_vectors_in_both_forms) {
  const Json list = post(port(), "/api/embed", R"({"input":["One day","Two"]})").json();
  const Json one = post(port(), "/api/embeddings", R"({"prompt":"One day"})").json();
  const Json other = post(port(), "/v1/embeddings", R"({"input":"One day"})").json();
  ASSERT_EQ(list.find("embeddings").array()->size(), 2u);
  const auto expected = numbers(other.find("data").array()->front().find("embedding"));
  EXPECT_EQ(numbers(list.find("embeddings").array()->front()), expected);
  EXPECT_EQ(numbers(one.find("embedding")), expected);
  EXPECT_EQ(post(port(), "/api/embed", R"({"input":""})").json().find("embeddings").array()->size(),
            0u);
}

TEST(Ollama, errors_are_sentences_wherever_they_come_from) {
  server::ServerOptions options;
  EXPECT_TRUE(options.service.keys.add("key"));
  const TestServer locked(std::move(options));
  const Reply wrong[] = {ask(port(), "GET", "/api/nothing"),
                         ask(port(), "GET", "/api/chat"),
                         post(port(), "/api/chat", "{"),
                         post(port(), "/api/chat", R"({"messages":[{"role":"king"}]})"),
                         post(port(), "/api/pull", R"({"model":"a"})"),
                         ask(port(), "DELETE", "/api/delete"),
                         post(locked.port(), "/api/chat", "{}"),
                         ask(locked.port(), "GET", "/api/tags")};
  const int statuses[] = {404, 405, 400, 400, 501, 501, 401, 401};
  for (size_t i = 0; i < std::size(wrong); ++i) {
    EXPECT_EQ(wrong[i].status, statuses[i]) << i << wrong[i].body;
    EXPECT_GT(text(wrong[i].json(), "error").size(), 5u) << i << wrong[i].body;
  }
  // Ai00's stand below the same and have objects, as all others.
  EXPECT_NE(ask(port(), "GET", "/api/oai/nothing").error("message"), "");
  // A body that is too long is refused before it is read.
  Client client(port());
  client.send(
      "POST /api/chat HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 99999999999\r\n\r\n");
  const Reply large = client.read();
  EXPECT_EQ(large.status, 413);
  EXPECT_GT(text(large.json(), "error").size(), 5u) << large.body;
}

TEST(Ollama, an_empty_request_loads_and_unloads_and_the_next_one_works) {
  for (const auto& [path, asks] :
       {std::pair<std::string, std::string>{"/api/generate", R"("prompt":"")"},
        {"/api/chat", R"("messages":[])"},
        {"/api/generate", R"("model":"bundled")"}}) {
    const Reply load = post(port(), path, "{" + asks + "}");
    EXPECT_EQ(text(load.json(), "done_reason"), "load") << load.body;
    const Reply unload = post(port(), path, "{" + asks + R"(,"keep_alive":0})");
    EXPECT_EQ(text(unload.json(), "done_reason"), "unload") << unload.body;
    EXPECT_EQ(whole_answer("/api/generate", R"("prompt":"1","options":{"num_predict":1})")
                  .find("done")
                  .boolean(),
              true);
  }
}

TEST(Ollama, a_model_on_demand_comes_and_goes_as_it_is_told) {
  std::atomic<int> loads{0};
  const auto model = [&](const std::string& name) {
    return server::ModelToLoad{.name = name,
                               .info = bundled().model->info(),
                               .bytes = 1000,
                               .load = [&loads, name]() -> Result<server::ModelToServe> {
                                 ++loads;
                                 return TestServer::to_serve(name);
                               }};
  };
  const TestServer server({}, OnDemand({model("a"), model("b")}));
  const auto loaded = [&] {
    return ask(server.port(), "GET", "/api/ps").json().find("models").array()->size();
  };
  const auto errand = [&](const std::string& body) {
    return text(post(server.port(), "/api/generate", body).json(), "done_reason");
  };
  EXPECT_EQ(errand(R"({"model":"a","keep_alive":0})"), "unload");
  EXPECT_EQ(loads, 0);  // nothing is loaded to be let go of
  EXPECT_EQ(errand(R"({"model":"a:latest"})"), "load");
  EXPECT_EQ(loads, 1);
  EXPECT_EQ(loaded(), 1u);
  EXPECT_EQ(errand(R"({"model":"b","keep_alive":"10m"})"), "load");
  EXPECT_EQ(loaded(), 2u);
  EXPECT_EQ(errand(R"({"model":"a","keep_alive":0})"), "unload");
  EXPECT_TRUE(server.wait_until([&] { return loaded() == 1; }));
  // It answers, and goes behind its answer.
  const Reply reply = post(server.port(), "/api/chat",
                           R"({"model":"b","stream":false,"keep_alive":"0s",)" + kMessages + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_TRUE(server.wait_until([&] { return loaded() == 0; }));
  EXPECT_EQ(post(server.port(), "/models/load", R"({"model":"a"})").status, 200);
  EXPECT_EQ(loaded(), 1u);
  EXPECT_EQ(post(server.port(), "/models/unload", R"({"model":"a"})").status, 200);
  EXPECT_TRUE(server.wait_until([&] { return loaded() == 0; }));
  EXPECT_EQ(post(server.port(), "/api/chat", R"({"model":"c",)" + kMessages + "}").status, 404);
}

TEST(Ollama, whether_a_model_stays_is_an_admins_to_say) {
  server::ServerOptions options;
  for (const char* key : {"generate:g", "a"}) ASSERT_TRUE(options.service.keys.add(key));
  const TestServer server(std::move(options),
                          OnDemand({{.name = "m",
                                     .info = bundled().model->info(),
                                     .bytes = 1000,
                                     .load = []() -> Result<server::ModelToServe> {
                                       return TestServer::to_serve("m");
                                     }}}));
  const auto say = [&](const std::string& key, const std::string& body) {
    return ask(server.port(), "POST", "/api/generate", body,
               "Authorization: Bearer " + key + "\r\n");
  };
  const auto loaded = [&] {
    return ask(server.port(), "GET", "/api/ps", "", "Authorization: Bearer a\r\n")
        .json()
        .find("models")
        .array()
        ->size();
  };
  const std::string answer =
      R"({"prompt":"1","stream":false,"options":{"num_predict":1},"keep_alive":)";
  EXPECT_EQ(say("g", answer + "0}").status, 200);
  EXPECT_EQ(loaded(), 1u);
  EXPECT_EQ(say("g", R"({"keep_alive":0})").status, 403);
  EXPECT_EQ(loaded(), 1u);
  // However long: a date that its readers can read.
  for (const char* longest : {"1e308", R"("99999999999999h")"}) {
    EXPECT_EQ(say("a", answer + longest + "}").status, 200);
    const Json models =
        ask(server.port(), "GET", "/api/ps", "", "Authorization: Bearer a\r\n").json();
    const std::string date = text(models.find("models").array()->front(), "expires_at");
    EXPECT_EQ(date.substr(0, 2), "21") << date;
  }
  EXPECT_EQ(say("a", R"({"keep_alive":0})").status, 200);
  EXPECT_TRUE(server.wait_until([&] { return loaded() == 0; }));
}

TEST(Ollama, a_client_that_leaves_ends_its_answer) {
  const TestServer server;
  {
    Client client(server.port());
    client.request("POST", "/api/generate",
                   R"({"prompt":"1 2 3","raw":true,"options":{"num_predict":-1}})");
    ASSERT_TRUE(client.comes("\"done\":false"));
  }
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_prompts_active") == 0; }));
}

}  // namespace
}  // namespace skein::test
