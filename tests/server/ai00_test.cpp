// Ai00's /api/oai: its samplers, names, states and choices.
#include <gtest/gtest.h>

#include <cmath>

#include "server/answers.h"
#include "server/shared_server.h"

namespace skein::test {
namespace {

constexpr const char* kChat = "/api/oai/chat/completions";
const std::string kAsked =
    R"("max_tokens":30,"messages":[{"role":"user","content":"Reverse: garden"}])";

Reply asked(const std::string& fields, const std::string& path = kChat) {
  return post(port(), path, "{" + fields + "}");
}
Json answered(const std::string& fields, const std::string& path = kChat) {
  const Reply reply = asked(fields, path);
  EXPECT_EQ(reply.status, 200) << fields << reply.body;
  return reply.json();
}
std::string content(const Json& json) { return text(choice(json).find("message"), "content"); }

TEST(Ai00, fields_of_a_wrong_kind_are_a_400_that_names_them) {
  const std::pair<std::string, std::string> wrong[] = {
      {R"("max_tokens":9)", "messages"},
      {R"("messages":5)", "messages"},
      {R"("messages":[])", "messages"},
      {R"("messages":[{"role":"Robot","content":"a"}])", "messages[0].role"},
      {R"("messages":[{"role":7,"content":"a"}])", "messages[0].role"},
      {R"("messages":[{"role":"User","content":7}])", "messages[0].content"},
      {kAsked + R"(,"names":5)", "names"},
      {kAsked + R"(,"names":{"User":""})", "names.User"},
      {kAsked + R"(,"names":{"User":"a:b"})", "names.User"},
      {kAsked + R"(,"names":{"Assistant":"a\nb"})", "names.Assistant"},
      {kAsked + R"(,"sampler":5)", "sampler"},
      {kAsked + R"(,"sampler":{"top_p":"a"})", "sampler.top_p"},
      {kAsked + R"(,"sampler_override":{"top_p":0.5})", "sampler_override.type"},
      {kAsked + R"(,"sampler_override":{"type":"Best"})", "sampler_override.type"},
      {kAsked + R"(,"sampler_override":{"type":"Nucleus","top_k":"a"})", "sampler_override.top_k"},
      {kAsked + R"(,"sampler_override":{"type":"Typical","tau":7})", "sampler_override.tau"},
      {kAsked + R"(,"sampler_override":{"type":"Mirostat","rate":-1})", "sampler_override.rate"},
      {kAsked + R"(,"bias":5)", "bias"},
      {kAsked + R"(,"bias":{"x":1})", "bias"},
      {kAsked + R"(,"bnf_schema":5)", "bnf_schema"},
      {kAsked + R"(,"stop":5)", "stop"},
      {kAsked + R"(,"stream":"yes")", "stream"},
      {kAsked + R"(,"state":5)", "state"},
      {kAsked + R"(,"tools":5)", "tools"},
  };
  for (const auto& [fields, name] : wrong) {
    const Reply reply = asked(fields);
    EXPECT_EQ(reply.status, 400) << fields << reply.body;
    EXPECT_EQ(reply.error("param"), name) << fields << reply.body;
  }
  EXPECT_EQ(asked(R"("prompt":5)", "/api/oai/completions").error("param"), "prompt");
  EXPECT_EQ(asked(R"("input":"a")", "/api/oai/chooses").error("param"), "choices");
  EXPECT_EQ(asked(R"("input":"a","choices":[""])", "/api/oai/chooses").error("param"),
            "choices[0]");
  EXPECT_EQ(asked(R"("input":7)", "/api/oai/embeds").error("param"), "input");
  EXPECT_EQ(asked(R"("input":7)", "/api/oai/states").error("param"), "input");
  const Reply numbers = asked(kAsked + R"(,"state":{"name":"a","data":[1],"shape":[1,1,1,1]})");
  EXPECT_EQ(numbers.status, 501) << numbers.body;
  EXPECT_EQ(numbers.error("param"), "state");
}

TEST(Ai00, an_answer_has_what_its_clients_look_for) {
  const Json json = answered(kAsked + R"(,"temperature":0)");
  const Json usage = json.find("usage");
  EXPECT_EQ(whole(usage.find("prompt")) + whole(usage.find("completion")),
            whole(usage.find("total")));
  EXPECT_GE(whole(usage.find("duration").find("secs")), 0);
  EXPECT_EQ(text(json, "object"), "chat.completion");
  // One message is as good as a list of it.
  EXPECT_EQ(
      content(answered(
          R"("max_tokens":30,"temperature":0,"messages":{"role":"User","content":"Reverse: garden"})")),
      content(json));
  const Json whole_text = answered(R"("prompt":["User: 1+1?","\n\nAssistant:"],"temperature":0)",
                                   "/api/oai/v1/completions");
  EXPECT_EQ(text(whole_text, "object"), "text_completion");
  EXPECT_EQ(text(choice(whole_text), "finish_reason"), "stop");  // at an empty line, if not said
}

TEST(Ai00, samplers_are_objects) {
  // One token is all there is in each of them, whatever the seed.
  const std::string greedy = content(answered(kAsked + R"(,"temperature":0)"));
  for (
      const char* sampler :
      {R"("sampler":{"top_k":1,"presence_penalty":0,"frequency_penalty":0})",
       R"("sampler_override":{"type":"Nucleus","top_p":0.000001,"presence_penalty":0,"frequency_penalty":0})",
       R"("sampler":{"top_k":50},"sampler_override":{"type":"Nucleus","top_k":1,"presence_penalty":0,"frequency_penalty":0})"})
    for (const int seed : {1, 2})
      EXPECT_EQ(content(answered(fmt::format("{},{},\"seed\":{}", kAsked, sampler, seed))), greedy)
          << sampler;
  // Its own order and penalties are those that other routes have by name.
  const std::string values =
      R"("temperature":1.3,"top_p":0.8,"presence_penalty":0.5,"frequency_penalty":0.4)";
  EXPECT_EQ(content(answered(kAsked + R"(,"seed":4,"sampler":{)" + values + "}")),
            content(answered(
                kAsked + R"(,"seed":4,"sample_order":"rwkv","penalty_style":"ai00",)" + values,
                "/v1/chat/completions")));
  EXPECT_EQ(
      content(answered(kAsked + R"(,"seed":4,"sampler_override":{"type":"Mirostat","tau":2})")),
      content(answered(
          kAsked +
              R"(,"seed":4,"sample_order":"rwkv","penalty_style":"ai00","mirostat":2,"mirostat_tau":2)",
          "/v1/chat/completions")));
}

TEST(Ai00, names_stand_in_the_place_of_roles) {
  const std::string names = R"("messages":[{"role":"user","content":"Hi"}],"names":)";
  const Json shown = answered(names + R"({"user":"Bob","assistant":"Alice"})", "/apply-template");
  EXPECT_TRUE(text(shown, "prompt").find("Bob: Hi\n\nAlice:") != std::string::npos)
      << text(shown, "prompt");
  // And in answers: the same prompt is read, so that the same number of tokens is.
  const std::string fields = names + R"({"User":"Bob","Assistant":"Alice"},"max_tokens":4)";
  const auto prompt = [&](const std::string& path) {
    return whole(answered(fields, path).find("usage").find("prompt_tokens"));
  };
  EXPECT_EQ(prompt(kChat), static_cast<int64_t>(shown.find("tokens").array()->size()));
  EXPECT_EQ(prompt("/v1/chat/completions"), prompt(kChat));
}

TEST(Ai00, a_grammar_holds_the_answer) {
  const Json json =
      answered(kAsked + R"(,"temperature":2,"bnf_schema":"start ::= 'red' | 'blue';")");
  EXPECT_TRUE(content(json) == "red" || content(json) == "blue") << content(json);
}

TEST(Ai00, states_have_ids_and_names) {
  const Reply made = post(port(), "/v1/states", R"({"input":"1 2 3","name":"base"})");
  ASSERT_EQ(made.status, 201) << made.body;
  const std::string id = text(made.json().find("state"), "id");
  const auto prompt = [](const std::string& state) {
    return whole(answered(kAsked + state).find("usage").find("prompt"));
  };
  const int64_t fresh = prompt("");
  const int64_t behind = prompt(R"(,"state":"base")");
  EXPECT_GT(behind, fresh);
  EXPECT_EQ(prompt(R"(,"state":")" + id + "\""), behind);
  EXPECT_EQ(prompt(R"(,"state":{"name":"base"})"), behind);
  EXPECT_EQ(prompt(R"(,"state":{"id":")" + id + R"(","name":"x"})"), behind);
  EXPECT_EQ(prompt(R"(,"state":"00000000-0000-0000-0000-000000000000")"), fresh);
  EXPECT_EQ(asked(kAsked + R"(,"state":"nobody")").status, 404);
  const Json info = ask(port(), "GET", "/api/models/info").json();
  std::string name;
  for (const Json& one : *info.find("states").array())
    if (text(one, "id") == id) name = text(one, "name");
  EXPECT_EQ(name, "base");
}

TEST(Ai00, choices_are_ranked_by_how_likely_they_are) {
  const std::string input = R"("input":"User: What is 1+1?\n\nAssistant:")";
  const Json json =
      answered(input + R"(,"choices":[" zebra"," 2"," a longer one"])", "/api/oai/chooses");
  double last = -1;
  for (const Json& one : *json.find("data").array()) {
    EXPECT_GE(number(one.find("perplexity")), last);
    last = number(one.find("perplexity"));
    // The mean of what a scored prompt has of the same tokens.
    const std::string choice_text = text(one, "choice");
    const Json scored = answered(R"("prompt":"User: What is 1+1?\n\nAssistant:)" + choice_text +
                                     R"(","echo":true,"max_tokens":0,"logprobs":0)",
                                 "/v1/completions");
    const auto scores = numbers(choice(scored).find("logprobs").find("token_logprobs"));
    double sum = 0;
    for (size_t i = scores.size() - choice_text.size(); i < scores.size(); ++i) sum -= scores[i];
    EXPECT_NEAR(last, sum / static_cast<double>(choice_text.size()), 1e-9) << choice_text;
  }
  // By itself each is as likely as it is where nothing stands before.
  const Json alone = answered(R"("choices":["ab","cd"],"calibrate":true)", "/api/oai/chooses");
  for (const Json& one : *alone.find("data").array())
    EXPECT_NEAR(number(one.find("perplexity")), 0, 1e-9);
}

TEST(Ai00, a_state_s_numbers_are_told_in_its_shape) {
  const Json json = answered(R"("input":["1 ","2"])", "/api/oai/v1/states");
  const Json one = (*json.find("data").array())[0];
  const auto shape = numbers(one.find("shape"));
  ASSERT_EQ(shape.size(), 4u);
  const ModelInfo& info = bundled().model->info();
  EXPECT_EQ(shape[0], static_cast<double>(info.dimensions.width));
  EXPECT_EQ(shape[1], static_cast<double>(info.dimensions.head_size + 2));
  EXPECT_EQ(shape[2], static_cast<double>(info.dimensions.layers));
  EXPECT_EQ(static_cast<double>(one.find("data").array()->size()), shape[0] * shape[1] * shape[2]);
}

TEST(Ai00, a_text_is_the_vector_that_other_routes_have) {
  const Json ours = answered(R"("input":"a red lamp")", "/v1/embeddings");
  const Json its = answered(R"("input":" lamp","prefix":"a red")", "/api/oai/embeds");
  const Json chunk = (*(*its.find("data").array())[0].find("chunks").array())[0];
  EXPECT_EQ(numbers((*chunk.find("embeds").array())[0]),
            numbers((*ours.find("data").array())[0].find("embedding")));
}

TEST(Ai00, models_are_told_of_and_not_changed) {
  EXPECT_EQ(text((*ask(port(), "GET", "/api/models/list").json().array())[0], "name"), "bundled");
  EXPECT_EQ(ask(port(), "GET", "/api/adapters").status, 200);
  EXPECT_EQ(ask(port(), "GET", "/api/oai/models").status, 200);
  EXPECT_EQ(asked(R"("model_path":"models/bundled")", "/admin/models/load").status, 200);
  EXPECT_EQ(asked(R"("model_path":"models/other.st")", "/api/models/load").status, 404);
  EXPECT_EQ(asked("", "/admin/models/load").error("param"), "model_path");
  for (const char* what : {"unload", "save"})
    EXPECT_EQ(asked("", fmt::format("/admin/models/{}", what)).status, 501);
}

}  // namespace
}  // namespace skein::test
