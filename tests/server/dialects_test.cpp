// One model behind several APIs: what one says, all say, and counts are counted alike.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/bodies.h"
#include "server/lines.h"
#include "server/shared_server.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

struct Said {
  std::string text, thinking;
  int64_t prompt = -1, tokens = -1;
  bool operator==(const Said&) const = default;
};
std::ostream& operator<<(std::ostream& out, const Said& said) {
  return out << '"' << said.text << "\" (" << said.thinking << ") " << said.prompt << " + "
             << said.tokens;
}

std::string body(const std::string& fields, bool stream) {
  return "{" + fields + ",\"stream\":" + (stream ? "true" : "false") + "}";
}

Said openai(const std::string& path, const std::string& fields, bool stream) {
  const Reply reply =
      post(port(), path, body(fields + R"(,"stream_options":{"include_usage":true})", stream));
  EXPECT_EQ(reply.status, 200) << reply.body;
  Said out;
  const auto add = [&](const Json& one, const char* inside) {
    const Json part = one.find(inside);
    out.text += (part ? part.find("content") : one.find("text")).string().value_or("");
    out.thinking += part.find("reasoning_content").string().value_or("");
  };
  const auto count = [&](const Json& json) {
    if (!json.find("usage").object()) return;
    out.prompt = whole(json.find("usage").find("prompt_tokens"));
    out.tokens = whole(json.find("usage").find("completion_tokens"));
  };
  if (!stream) {
    add(choice(reply.json()), "message");
    count(reply.json());
    return out;
  }
  for (const Json& chunk : Events(reply.body).data) {
    for (const Json& one : chunk.find("choices").array()) add(one, "delta");
    count(chunk);
  }
  return out;
}

Said llama(const std::string& fields, bool stream) {
  const Reply reply = post(port(), "/completion", body(fields, stream));
  EXPECT_EQ(reply.status, 200) << reply.body;
  Said out;
  const auto add = [&](const Json& json) {
    out.text += text(json, "content");
    out.prompt = whole(json.find("tokens_evaluated"));
    out.tokens = whole(json.find("tokens_predicted"));
  };
  if (!stream)
    add(reply.json());
  else
    for (const Json& each : Events(reply.body).data) add(each);
  return out;
}

Said ollama(const std::string& path, const std::string& fields, bool stream) {
  const Reply reply = post(port(), path, body(fields, stream));
  EXPECT_EQ(reply.status, 200) << reply.body;
  Said out;
  for (const Json& line : lines_of(reply.body)) {
    const Json said = line.find("message") ? line.find("message") : line;
    out.text += text(said, line.find("message") ? "content" : "response");
    out.thinking += said.find("thinking").string().value_or("");
    if (line.find("done").boolean() != true) continue;
    out.prompt = whole(line.find("prompt_eval_count"));
    out.tokens = whole(line.find("eval_count"));
  }
  return out;
}

struct Case {
  std::string openai, ollama;  // the same settings
};
const Case kCases[] = {
    {R"("temperature":0)", R"("temperature":0)"},
    {R"("temperature":1.5,"top_p":0.9,"seed":7)", R"("temperature":1.5,"top_p":0.9,"seed":7)"},
    {R"("temperature":1,"min_p":0.05,"top_k":20,"seed":3,"presence_penalty":0.4)",
     R"("temperature":1,"min_p":0.05,"top_k":20,"seed":3,"presence_penalty":0.4)"},
    {R"("temperature":1.2,"repeat_penalty":1.3,"seed":11,"stop":["e"])",
     R"("temperature":1.2,"repeat_penalty":1.3,"seed":11,"stop":["e"])"},
};

TEST(Dialects, a_text_is_gone_on_with_alike) {
  const std::string prompt = R"("prompt":"One day Mia found a lamp")";
  for (const Case& one : kCases) {
    const Said first =
        openai("/v1/completions", prompt + R"(,"max_tokens":24,)" + one.openai, false);
    EXPECT_GT(first.tokens, 0);
    for (const bool stream : {false, true}) {
      EXPECT_EQ(openai("/v1/completions", prompt + R"(,"max_tokens":24,)" + one.openai, stream),
                first);
      EXPECT_EQ(llama(prompt + R"(,"n_predict":24,)" + one.openai, stream), first);
      EXPECT_EQ(
          ollama("/api/generate",
                 prompt + R"(,"raw":true,"options":{"num_predict":24,)" + one.ollama + "}", stream),
          first);
    }
  }
}

TEST(Dialects, a_conversation_is_answered_alike) {
  const std::string messages =
      R"("messages":[{"role":"system","content":"Be brief."},{"role":"user","content":"Reverse: garden"}])";
  for (const std::string think : {"false", "true"}) {
    for (const Case& one : kCases) {
      const std::string more = R"(,"think":)" + think;
      const Said first = openai("/v1/chat/completions",
                                messages + more + R"(,"max_tokens":40,)" + one.openai, false);
      EXPECT_GT(first.tokens, 0);
      for (const bool stream : {false, true}) {
        EXPECT_EQ(openai("/v1/chat/completions",
                         messages + more + R"(,"max_tokens":40,)" + one.openai, stream),
                  first);
        const std::string options = R"(,"options":{"num_predict":40,)" + one.ollama + "}" + more;
        EXPECT_EQ(ollama("/api/chat", messages + options, stream), first);
        EXPECT_EQ(ollama("/api/generate",
                         R"("system":"Be brief.","prompt":"Reverse: garden")" + options, stream),
                  first);
      }
    }
  }
}

TEST(Dialects, a_form_is_kept_to_alike) {
  const std::string schema =
      R"({"type":"object","properties":{"a":{"type":"integer","maximum":99}},"required":["a"],)"
      R"("additionalProperties":false})";
  const std::string messages = R"("messages":[{"role":"user","content":"Make one"}])";
  const Said first =
      openai("/v1/chat/completions",
             messages + R"(,"seed":5,"temperature":2,"json_schema":)" + schema, false);
  EXPECT_TRUE(parse_json(first.text, 1000).value_or(Json()).find("a")) << first;
  EXPECT_EQ(ollama("/api/chat",
                   messages + R"(,"options":{"seed":5,"temperature":2},"format":)" + schema, true),
            first);
  const Said text = openai(
      "/v1/completions",
      R"("prompt":"{","seed":5,"temperature":2,"max_tokens":99,"json_schema":)" + schema, false);
  EXPECT_EQ(llama(R"("prompt":"{","seed":5,"temperature":2,"n_predict":99,"json_schema":)" + schema,
                  true),
            text);
  EXPECT_EQ(
      ollama(
          "/api/generate",
          R"("prompt":"{","raw":true,"options":{"seed":5,"temperature":2,"num_predict":99},"format":)" +
              schema,
          true),
      text);
}

// ---- What is wrong with a field.

struct Route {
  std::string path, rest;  // a good body, without its braces
  std::vector<std::pair<std::string, std::string>> wrong;
};

std::vector<Route> routes() {
  return {
      {"/completion",
       R"("prompt":"1","n_predict":1)",
       {{"prompt", "{}"},
        {"prompt", "5"},
        {"n_predict", R"("1")"},
        {"n_predict", "-3"},
        {"n_probs", "-1"},
        {"n_probs", R"("1")"},
        {"stream", "1"},
        {"stop", "5"},
        {"cache_prompt", "1"},
        {"id_slot", R"("a")"},
        {"return_tokens", "1"},
        {"return_progress", "1"},
        {"lora", "5"},
        {"response_fields", "5"},
        {"response_fields", "[1]"},
        {"samplers", "5"},
        {"samplers", "[5]"},
        {"timings_per_token", "1"},
        {"temperature", "[]"},
        {"seed", R"("a")"},
        {"top_n_sigma", R"("a")"},
        {"session", "7"},
        {"grammar", "5"},
        {"json_schema", "5"},
        {"logit_bias", "5"},
        {"model", "1"},
        {"repeat_penalty", "true"}}},
      {"/embedding", R"("content":"1")", {{"content", "{}"}, {"content", "5"}, {"model", "1"}}},
      {"/models/load", "", {{"model", "1"}}},
      {"/models/unload", R"("model":"bundled")", {{"model", "1"}}},
      {"/api/show", R"("model":"bundled")", {{"model", "1"}}},
      {"/api/embed",
       R"("input":"1")",
       {{"input", "{}"}, {"input", "5"}, {"dimensions", "0"}, {"truncate", "1"}, {"model", "1"}}},
      {"/api/embeddings", R"("prompt":"1")", {{"prompt", "5"}, {"prompt", R"(["a","b"])"}}},
  };
}

TEST(Dialects, fields_of_a_wrong_type_are_a_400_that_names_them) {
  for (const Route& route : routes()) {
    for (const auto& [field, value] : route.wrong) {
      const std::string text = with_field(route.rest, field, value);
      const Reply reply = send(port(), "POST", route.path, text);
      EXPECT_EQ(reply.status, 400) << route.path << " " << text << reply.body;
      const std::string message(reply.json().find("error").string().value_or(""));
      EXPECT_TRUE(reply.error("param") == field || message.find(field) != std::string::npos)
          << route.path << " " << text << reply.body;
    }
  }
}

TEST(Dialects, fields_of_ollama_of_a_wrong_type_are_told_in_a_sentence) {
  const std::pair<std::string, std::string> wrong[] = {{"options", "5"},
                                                       {"stream", "1"},
                                                       {"think", "5"},
                                                       {"format", R"("xml")"},
                                                       {"format", "5"},
                                                       {"keep_alive", "{}"},
                                                       {"keep_alive", R"("soon")"},
                                                       {"logprobs", "1"},
                                                       {"top_logprobs", "99"},
                                                       {"model", "1"},
                                                       {"name", "1"}};
  const std::pair<std::string, std::string> options[] = {{"num_predict", R"("a")"},
                                                         {"temperature", R"("hot")"},
                                                         {"top_p", "2"},
                                                         {"top_k", "1.5"},
                                                         {"seed", "1.5"},
                                                         {"stop", "5"},
                                                         {"repeat_penalty", "0"},
                                                         {"mirostat", "3"},
                                                         {"presence_penalty", "[]"},
                                                         {"min_p", "[]"},
                                                         {"typical_p", "{}"},
                                                         {"frequency_penalty", "{}"}};
  const std::string chat = R"("messages":[{"role":"user","content":"1"}])";
  const std::string generate = R"("prompt":"1")";
  const auto refused = [&](const std::string& path, const std::string& text,
                           const std::string& field) {
    const Reply reply = post(port(), path, text);
    EXPECT_EQ(reply.status, 400) << path << text << reply.body;
    EXPECT_NE(reply.json().find("error").string().value_or("").find(field), std::string::npos)
        << path << text << reply.body;
  };
  for (const auto& [path, rest] :
       {std::pair<std::string, std::string>{"/api/chat", chat}, {"/api/generate", generate}}) {
    for (const auto& [field, value] : wrong) refused(path, with_field(rest, field, value), field);
    for (const auto& [field, value] : options)
      refused(path, with_field(rest, "options", "{\"" + field + "\":" + value + "}"),
              "options." + field);
  }
  for (const char* field : {"raw", "system", "suffix", "template", "images", "context"})
    refused("/api/generate", with_field(generate, field, "5"), field);
  refused("/api/generate", R"({"prompt":"1","raw":true,"system":"a"})", "raw");
  refused("/api/generate", R"({"prompt":"1","context":[99999999]})", "context");
  refused("/api/chat", R"({"messages":5})", "messages");
  refused("/api/chat", R"({"messages":[{"role":"user","content":"a","images":["aaaa"]}]})",
          "messages[0].images");
  refused("/api/chat", with_field(chat, "tools", R"([{"type":"function"}])"), "tools[0]");
}

TEST(Dialects, unknown_fields_and_null_are_nothing) {
  const std::string more = R"(,"foo":{"bar":[1]},"stop":null,"images":null,"top_a":0.5,"tfs":1)";
  for (const auto& [path, rest] :
       {std::pair<std::string, std::string>{"/completion", R"("prompt":"1","n_predict":2)"},
        {"/api/generate", R"("prompt":"1","options":{"num_predict":2,)"
                          R"("num_ctx":4096,"num_gpu":1,"tfs_z":1})"},
        {"/api/embed", R"("input":"1")"},
        {"/api/show", R"("model":"x")"}}) {
    const Reply reply = post(port(), path, "{" + rest + more + "}");
    EXPECT_EQ(reply.status, 200) << path << reply.body;
  }
}

TEST(Dialects, a_model_that_was_not_trained_to_fill_in_is_a_501_wherever_it_is_asked) {
  for (const auto& [path, rest] : {std::pair<std::string, std::string>{
                                       "/infill", R"({"input_prefix":"a","input_suffix":"b"})"},
                                   {"/v1/completions", R"({"prompt":"a","suffix":"b"})"},
                                   {"/v1/fim/completions", R"({"prompt":"a","suffix":"b"})"},
                                   {"/api/generate", R"({"prompt":"a","suffix":"b"})"}})
    EXPECT_EQ(post(port(), path, rest).status, 501) << path;
}

TEST(Dialects, a_model_that_is_called_so_fills_in_and_all_say_the_same) {
  const TestServer server({}, {}, {"code-fim"});
  const auto ask = [&](const char* path, const std::string& rest) {
    const Reply reply = post(server.port(), path, "{" + rest + R"(,"temperature":0})");
    EXPECT_EQ(reply.status, 200) << path << reply.body;
    return reply.json();
  };
  const std::string middle =
      text(choice(ask("/v1/completions", R"("prompt":"One ","suffix":" two","max_tokens":9)")));
  const std::string whole_text =
      text(choice(ask("/v1/completions",
                      R"("prompt":"✿prefix✿✿suffix✿ two✿middle✿One ","stop":"✿","max_tokens":9)")));
  EXPECT_EQ(middle, whole_text);
  EXPECT_EQ(
      text(choice(ask("/v1/fim/completions", R"("prompt":"One ","suffix":" two","max_tokens":9)"))
               .find("message"),
           "content"),
      middle);
  EXPECT_EQ(text(ask("/infill", R"("input_prefix":"One ","input_suffix":" two","n_predict":9)"),
                 "content"),
            middle);
  const Reply ollama = post(
      server.port(), "/api/generate",
      R"({"prompt":"One ","suffix":" two","stream":false,"options":{"num_predict":9,"temperature":0}})");
  EXPECT_EQ(text(ollama.json(), "response"), middle);
  const Json shown = post(server.port(), "/api/show", R"({"model":"code-fim:latest"})").json();
  EXPECT_NE(text(shown, "template").find(".Suffix"), std::string::npos);
}

}  // namespace
}  // namespace skein::test
