// skein serve as a program: what it prints, how it ends, and that it says what the others say.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "cli/serving.h"
#include "server/client.h"
#include "support/bundled.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

const std::string& kModel = Served::kModel;

TEST(Serve, says_where_it_is_answers_and_ends) {
  Served served;
  ASSERT_NE(served.port(), 0) << served.err();
  EXPECT_TRUE(served.process().wait_until(
      [&] { return served.out().find("Ctrl-C ends it") != std::string::npos; }));
  const std::string out = served.out();
  EXPECT_TRUE(out.starts_with("Skein serves tiny at http://127.0.0.1:")) << out;
  EXPECT_EQ(std::count(out.begin(), out.end(), '\n'), 6) << out;
  const Reply reply =
      post(served.port(), "/v1/chat/completions",
           R"({"messages":[{"role":"user","content":"Reverse: garden"}],"temperature":0})");
  EXPECT_NE(reply.body.find("\"content\":\"" BUNDLED_REVERSED "\""), std::string::npos)
      << reply.body;
  const std::string line = "POST /v1/chat/completions 200 ";
  EXPECT_TRUE(served.process().wait_until([&] {
    return served.err().find("tokens", served.err().find(line)) != std::string::npos;
  })) << served.err();
  served.process().send(SIGTERM);
  EXPECT_EQ(served.process().finish(), 0);
}

TEST(Serve, keeps_responses_embeds_and_ranks) {
  Served served;
  const auto id_of = [](const Reply& reply) {
    return std::string(reply.json().find("id").string().value_or("?"));
  };
  const Reply first =
      post(served.port(), "/v1/responses", R"({"input":"Reverse: garden","temperature":0})");
  EXPECT_NE(first.body.find("\"text\":\"" BUNDLED_REVERSED "\""), std::string::npos) << first.body;
  const Reply next = post(
      served.port(), "/v1/responses",
      R"({"input":"Reverse: river","stream":true,"previous_response_id":")" + id_of(first) + "\"}");
  EXPECT_NE(next.body.find("event: response.completed\n"), std::string::npos) << next.body;
  EXPECT_EQ(ask(served.port(), "GET", "/v1/responses/" + id_of(first)).body, first.body);
  EXPECT_EQ(post(served.port(), "/v1/embeddings", R"({"input":["a","b"]})").status, 200);
  EXPECT_EQ(post(served.port(), "/v1/rerank", R"({"query":"a","documents":["b"]})").status, 200);
  served.process().send(SIGTERM);
  EXPECT_EQ(served.process().finish(), 0);
}

TEST(Serve, lets_an_answer_finish_unless_it_is_told_twice) {
  const std::string endless = R"({"prompt":"a","max_tokens":-1,"ignore_eos":true,"stream":true})";
  Served served;
  Client client(served.port());
  client.request("POST", "/v1/completions", endless);
  ASSERT_TRUE(client.readable());
  served.process().send(SIGTERM);
  EXPECT_TRUE(served.process().wait_until([&] { return !Client(served.port()).connected(); }));
  EXPECT_TRUE(client.readable());
  served.process().send(SIGTERM);
  EXPECT_EQ(served.process().finish(), 143);
}

TEST(Serve, says_what_complete_says_with_the_same_seed) {
  const Ran ran = run({"complete", kModel, "--json", "--seed", "11", "--temp", "1.3", "--order",
                       "openai", "-n", "50", "--ignore-eos", "User: Spell: garden"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  const Served served;
  const Reply reply = post(
      served.port(), "/v1/completions",
      R"({"prompt":"User: Spell: garden","seed":11,"temperature":1.3,"max_tokens":50,"ignore_eos":true})");
  EXPECT_EQ(reply.json().find("choices").array()->front().find("text").string(),
            parse_json(ran.out, 1 << 20)->find("text").string());
}

TEST(Serve, takes_its_options_from_the_environment_and_logs_as_it_is_told) {
  Served served({"--json"}, {"SKEIN_API_KEY=secret", "SKEIN_PREFIX=/skein"});
  const auto first = parse_json(served.out(), 1 << 20);
  ASSERT_TRUE(first) << served.out() << served.err();
  EXPECT_TRUE(first->find("url").string()->ends_with("/skein"));
  EXPECT_EQ(ask(served.port(), "GET", "/skein/v1/models").status, 401);
  EXPECT_EQ(ask(served.port(), "GET", "/skein/v1/models", "", "x-api-key: secret\r\n").status, 200);
  EXPECT_EQ(ask(served.port(), "GET", "/v1/models", "", "x-api-key: secret\r\n").status, 404);
  Served other({"--log", "json"});
  EXPECT_EQ(ask(other.port(), "GET", "/health").status, 200);
  other.process().wait_until([&] { return !other.err().empty(); });
  const std::string log = other.err();
  const auto line = parse_json(log.substr(0, log.find('\n')), 1 << 20);
  ASSERT_TRUE(line) << log;
  EXPECT_EQ(line->find("path").string(), "/health");
}

TEST(Serve, says_how_models_are_called_where_it_takes_no_other_name) {
  const Served served({"--strict-model"});
  for (const char* model : {"", R"("model":"gpt-4",)"}) {
    const Reply reply = post(served.port(), "/v1/completions",
                             fmt::format(R"({{{}"prompt":"a","max_tokens":1}})", model));
    EXPECT_EQ(reply.status, *model ? 404 : 400);
    EXPECT_NE(reply.error("message").find("this server has tiny and, with --strict-model,"),
              std::string::npos)
        << reply.body;
    EXPECT_EQ(reply.error("param"), "model");
  }
  EXPECT_EQ(
      post(served.port(), "/v1/completions", R"({"model":"tiny","prompt":"a","max_tokens":1})")
          .status,
      200);
}

TEST(Serve, models_on_demand_are_told_at_the_start_loaded_when_asked_for_and_let_go) {
  Served served({"other=" + kModel, "--on-demand", "--model-idle", "0.1"});
  ASSERT_NE(served.port(), 0) << served.err();
  EXPECT_NE(served.err().find("tiny: "), std::string::npos) << served.err();
  EXPECT_NE(served.err().find("when somebody asks for it"), std::string::npos) << served.err();
  const auto status = [&] {
    return ask(served.port(), "GET", "/v1/models/tiny").json().find("status").string() ==
           "unloaded";
  };
  EXPECT_TRUE(status());
  for (int i = 0; i < 2; ++i) {
    EXPECT_EQ(
        post(served.port(), "/v1/completions", R"({"model":"tiny","prompt":"1","max_tokens":1})")
            .status,
        200);
    EXPECT_TRUE(served.process().wait_until(status));
  }
  EXPECT_TRUE(served.process().wait_until([&] {
    return served.err().find("tiny: loaded in ") != std::string::npos;
  })) << served.err();
  served.process().send(SIGTERM);
  EXPECT_EQ(served.process().finish(), 0);
}

TEST(Serve, what_is_of_one_model_is_not_taken_for_several) {
  for (const char* option : {"--vocab", "--lora"}) {
    const Ran ran = run({"serve", "a=" + kModel, "b=" + kModel, option, kModel});
    EXPECT_EQ(ran.code, 2) << ran.err;
    EXPECT_NE(ran.err.find(option), std::string::npos) << ran.err;
    EXPECT_NE(ran.err.find("all 2 models"), std::string::npos) << ran.err;
  }
}

TEST(Serve, the_bounds_that_depend_on_memory_are_among_those_that_are_printed) {
  const Ran ran = run({"doctor", "--limits", "--json"});
  const auto json = parse_json(ran.out, ran.out.size() + 1);
  ASSERT_TRUE(json) << ran.out;
  for (const char* name : {"sequences", "kept_states", "store_texts", "store_snapshots"}) {
    double value = 0;
    EXPECT_TRUE(json->find(name).find("value").number(value) && value > 0) << name << ran.out;
  }
}

TEST(Serve, a_secret_that_is_empty_opens_no_door) {
  for (const char* name : {"SKEIN_API_KEY", "SKEIN_API_KEY_FILE"}) {
    const Ran ran =
        run({"serve", kModel, "--port", "0"}, {.environment = {std::string(name) + "="}});
    EXPECT_EQ(ran.code, 2) << name;
    EXPECT_NE(ran.err.find("is set and empty"), std::string::npos) << ran.err;
  }
}

TEST(Serve, what_keeps_it_from_beginning_is_one_sentence_with_a_remedy) {
  const auto refused = [](std::vector<std::string> words, int code, std::string_view remedy) {
    words.insert(words.begin(), "serve");
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.err.find(remedy), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  };
  refused({}, 2, "MODEL");
  refused({kModel, "--host", "0.0.0.0", "--port", "0"}, 2, "--api-key");
  refused({kModel, "--host", "here", "--port", "0"}, 2, "127.0.0.1");
  refused({kModel, kModel, "--port", "0"}, 2, "NAME=FILE");
  refused({kModel, "--prefix", "skein", "--port", "0"}, 2, "--prefix");
  const Served first;
  refused({kModel, "--port", fmt::format("{}", first.port())}, 1, "--port 0");
}

}  // namespace
}  // namespace skein::test
