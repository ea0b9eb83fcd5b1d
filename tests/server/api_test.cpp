// What the routes answer: the same text and numbers by every way, and errors that name a field.
#include <gtest/gtest.h>

#include <fstream>
#include <thread>

#include "run/score.h"
#include "server/answers.h"
#include "server/shared_server.h"
#include "server/test_server.h"
#include "support/bundled.h"

namespace skein::test {
namespace {

Json completion(const std::string& fields) {
  const Reply reply = post(port(), "/v1/completions", "{" + fields + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  return reply.json();
}

// What the same request gives as a stream, put together.
struct Streamed {
  std::string text, thinking, finish;
  std::vector<double> logprobs;
  Json usage;
  bool done = false;
};
Streamed streamed(const std::string& path, const std::string& fields) {
  const Reply reply = post(
      port(), path, "{" + fields + R"(,"stream":true,"stream_options":{"include_usage":true}})");
  EXPECT_EQ(reply.fields.at("content-type"), "text/event-stream") << reply.body;
  const Events events(reply.body);
  Streamed out;
  out.done = events.done;
  std::string id;
  for (const Json& event : events.data) {
    if (id.empty()) id = text(event, "id");
    EXPECT_EQ(text(event, "id"), id);
    if (event.find("choices").array()->empty()) {
      out.usage = event.find("usage");
      continue;
    }
    EXPECT_TRUE(event.find("usage").is_null());
    const Json one = choice(event);
    const Json delta = one.find("delta");
    out.text += delta ? delta.find("content").string().value_or("")
                      : one.find("text").string().value_or("");
    out.thinking += delta.find("reasoning_content").string().value_or("");
    if (const auto list = one.find("logprobs").find("token_logprobs").array())
      for (const Json& each : *list) out.logprobs.push_back(number(each));
    if (const auto list = one.find("logprobs").find("content").array())
      for (const Json& each : *list) out.logprobs.push_back(number(each.find("logprob")));
    if (const auto finish = one.find("finish_reason").string()) out.finish = *finish;
  }
  return out;
}

TEST(Completions, a_stream_says_what_a_whole_answer_says) {
  // A high temperature: bytes that are no characters, and stops that are begun and not finished.
  for (int seed = 0; seed < 12; ++seed) {
    const std::string fields = fmt::format(
        R"("prompt":"User: Reverse: garden\n\nAssistant:","max_tokens":60,"seed":{},"temperature":{},"top_p":1,"ignore_eos":true,"logprobs":2,"stop":["e\n","ab","é"])",
        seed, seed % 2 ? 1.2 : 3);
    const Json all = completion(fields);
    const Streamed parts = streamed("/v1/completions", fields);
    EXPECT_EQ(parts.text, text(choice(all)));
    EXPECT_EQ(parts.finish, text(choice(all), "finish_reason"));
    EXPECT_EQ(parts.logprobs, numbers(choice(all).find("logprobs").find("token_logprobs")));
    EXPECT_EQ(whole(parts.usage.find("total_tokens")),
              whole(all.find("usage").find("total_tokens")));
    EXPECT_TRUE(parts.done);
  }
}

// As `skein complete` does it.
std::string generated(const std::string& prompt, const Sampling& sampling, int64_t tokens) {
  const Bundled& with = bundled();
  Engine engine(with.model);
  Session session(with.model);
  const TokenTraits traits = token_traits(
      with.model->vocab(), [&](int32_t id) { return with.tokenizer->bytes_of(id); },
      with.tokenizer->ends());
  std::vector<int32_t> ids = with.tokenizer->encode(prompt).value();
  if (with.profile->leading_end_of_text) ids.insert(ids.begin(), with.tokenizer->end_of_text());
  GenerateOptions options;
  options.max_tokens = tokens;
  const auto generation = Generation::start(session, ids, with.tokenizer.get(),
                                            Sampler::create(sampling, traits).value(), options)
                              .value();
  std::string out;
  Event event;
  while (event.finish == Finish::running) {
    EXPECT_TRUE(engine.next(generation, event));
    out += event.text;
  }
  return out;
}

TEST(Completions, a_reply_is_a_function_of_prompt_parameters_and_seed_in_any_company) {
  std::vector<std::string> alone;
  const auto fields = [](int i) {
    return fmt::format(
        R"("prompt":"User: Spell: {}\n\nAssistant:","prepend_eod":true,"max_tokens":40,"seed":{},"temperature":0.9,"top_p":0.8,"ignore_eos":true)",
        std::string(static_cast<size_t>(1 + i * 17), static_cast<char>('a' + i)), i);
  };
  for (int i = 0; i < 8; ++i) {
    alone.push_back(text(choice(completion(fields(i)))));
    Sampling sampling = sampling_of(bundled().profile->sampler);
    sampling.order = SampleOrder::openai;
    sampling.temperature = 0.9;
    sampling.top_p = 0.8;
    sampling.seed = static_cast<uint64_t>(i);
    sampling.banned = {0};
    const std::string prompt =
        fmt::format("User: Spell: {}\n\nAssistant:",
                    std::string(static_cast<size_t>(1 + i * 17), static_cast<char>('a' + i)));
    EXPECT_EQ(alone.back(), generated(prompt, sampling, 40));
  }
  std::vector<std::string> together(8);
  std::vector<std::thread> threads;
  for (int i = 0; i < 8; ++i)
    threads.emplace_back([&, i] {
      together[static_cast<size_t>(i)] =
          i % 2 ? text(choice(completion(fields(i)))) : streamed("/v1/completions", fields(i)).text;
    });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(together, alone);
}

TEST(Completions, several_prompts_and_choices_are_numbered_through) {
  const Json one =
      completion(R"("prompt":["ab","cd"],"n":3,"max_tokens":8,"seed":3,"temperature":2,"top_p":1)");
  const auto list = one.find("choices").array();
  ASSERT_EQ(list->size(), 6u);
  int64_t at = 0;
  for (const Json& each : *list) EXPECT_EQ(whole(each.find("index")), at++);
  // The first choice is the one there would be alone, and others differ from it.
  const Json alone =
      completion(R"("prompt":"cd","max_tokens":8,"seed":3,"temperature":2,"top_p":1)");
  EXPECT_EQ(text(choice(one, 3)), text(choice(alone)));
  EXPECT_NE(text(choice(one, 4)), text(choice(one, 3)));
  // Ids are the same as the text that they stand for.
  const Json ids = completion(
      R"("prompt":[[98,99],[100,101]],"max_tokens":8,"seed":3,"temperature":2,"top_p":1)");
  EXPECT_EQ(text(choice(ids, 1)), text(choice(alone)));
  EXPECT_EQ(whole(one.find("usage").find("prompt_tokens")), 4);
  // The id that ends a text stands before one where that is asked for, or where there is nothing.
  for (const char* name : {"prepend_eod", "add_bos"})
    EXPECT_EQ(text(choice(completion(fmt::format(
                  R"("prompt":"cd","max_tokens":8,"seed":3,"temperature":2,"top_p":1,"{}":true)",
                  name)))),
              text(choice(completion(
                  R"("prompt":[0,100,101],"max_tokens":8,"seed":3,"temperature":2,"top_p":1)"))));
  EXPECT_EQ(whole(completion(R"("prompt":"","max_tokens":1)").find("usage").find("prompt_tokens")),
            1);
}

TEST(Completions, the_best_of_several_is_the_likeliest) {
  const std::string fields =
      R"("prompt":"ab","max_tokens":6,"seed":3,"temperature":2,"ignore_eos":true,"logprobs":0)";
  const Json all = completion(fields + R"(,"n":4)");
  double best = -1e9;
  std::string best_text;
  for (size_t i = 0; i < 4; ++i) {
    double sum = 0;
    for (const double each : numbers(choice(all, i).find("logprobs").find("token_logprobs")))
      sum += each;
    if (sum > best) best = sum, best_text = text(choice(all, i));
  }
  const Json one = completion(fields + R"(,"best_of":4)");
  EXPECT_EQ(one.find("choices").array()->size(), 1u);
  EXPECT_EQ(text(choice(one)), best_text);
  EXPECT_EQ(whole(one.find("usage").find("completion_tokens")), 24);
}

TEST(Completions, scores_are_exact_and_the_same_by_every_way) {
  const std::string words = "User: Reverse: garden\n\nAssistant: nedrag";
  const auto scored = [&](const std::string& more) {
    JsonWriter json;
    json.value(words);
    return numbers(
        choice(completion("\"prompt\":" + json.text() + R"(,"echo":true,"logprobs":1)" + more))
            .find("logprobs")
            .find("token_logprobs"));
  };
  const std::vector<double> read = scored(R"(,"max_tokens":0)");
  const std::vector<int32_t> ids = bundled().tokenizer->encode(words).value();
  ASSERT_EQ(read.size(), ids.size());
  Engine engine(bundled().model);
  Session session(bundled().model);
  std::vector<double> expected(ids.size() - 1);
  ASSERT_TRUE(score(engine, session, ids, expected, {}));
  for (size_t i = 1; i < ids.size(); ++i) EXPECT_EQ(read[i], expected[i - 1]) << i;
  // One more token is generated, and has a number even where it ends the text.
  const std::vector<double> more = scored(R"(,"max_tokens":1,"temperature":0)");
  ASSERT_EQ(more.size(), read.size() + 1);
  EXPECT_TRUE(std::equal(read.begin(), read.end(), more.begin()));
  // What the model made itself has the numbers that it was made with.
  const Json made = completion(
      R"("prompt":"abc","max_tokens":12,"seed":9,"temperature":2,"ignore_eos":true,"logprobs":1,"return_token_ids":true)");
  std::string list;
  for (const char* key : {"prompt_token_ids", "token_ids"})
    for (const Json& id : *choice(made).find(key).array())
      list += fmt::format("{}{}", list.empty() ? "" : ",", whole(id));
  const std::vector<double> again = numbers(
      choice(completion("\"prompt\":[" + list + R"(],"echo":true,"max_tokens":0,"logprobs":1)"))
          .find("logprobs")
          .find("token_logprobs"));
  const std::vector<double> then = numbers(choice(made).find("logprobs").find("token_logprobs"));
  ASSERT_EQ(again.size(), 3 + then.size());
  EXPECT_TRUE(std::equal(then.begin(), then.end(), again.begin() + 3));
}

TEST(Completions, scores_that_would_be_too_many_are_refused_before_they_are_computed) {
  TestServer server;
  std::string ids = "65";
  for (int i = 1; i < 9000; ++i) ids += ",65";
  const auto status = [&](const char* more) {
    return post(server.port(), "/v1/completions",
                "{\"prompt\":[" + ids + "],\"max_tokens\":0,\"echo\":true," + more + "}");
  };
  const Reply refused =
      post(server.port(), "/v1/completions",
           "{\"prompt\":[" + ids + "],\"max_tokens\":1,\"echo\":true,\"logprobs\":20,\"n\":8}");
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.error("param"), "logprobs");
  EXPECT_EQ(status("\"logprobs\":1").status, 200);
}

TEST(Completions, end_at_ids_and_heed_biases) {
  const std::string fields =
      R"("prompt":"User: Reverse: garden\n\nAssistant:","temperature":0,"logprobs":0)";
  const Json ended = completion(fields + R"(,"max_tokens":20,"stop_token_ids":[11])");
  EXPECT_EQ(text(choice(ended)), " " BUNDLED_REVERSED);
  EXPECT_EQ(text(choice(ended), "finish_reason"), "stop");
  // The token that ended it has a number and no text.
  const Json logprobs = choice(ended).find("logprobs");
  EXPECT_EQ(logprobs.find("tokens").array()->size(), 8u);
  EXPECT_EQ(whole(ended.find("usage").find("completion_tokens")), 8);
  const Json biased =
      completion(fields + R"(,"logit_bias":[["n",false],[98,1000]],"max_tokens":3)");
  EXPECT_EQ(text(choice(biased)), "aaa");
  EXPECT_EQ(text(choice(completion(fields + R"(,"logit_bias":{"98":100},"max_tokens":3)"))), "aaa");
}

TEST(Completions, whether_a_token_was_the_likeliest_shows_in_equal_numbers) {
  // Every byte, most of which are no character.
  std::string ids = "0";
  for (int id = 1; id < 257; ++id) ids += fmt::format(",{}", id);
  const Json logprobs =
      choice(
          completion("\"prompt\":[[" + ids +
                     R"(]],"max_tokens":1,"temperature":0,"logprobs":1,"echo":true,"seed":1234)"))
          .find("logprobs");
  const std::vector<double> of_tokens = numbers(logprobs.find("token_logprobs"));
  ASSERT_EQ(of_tokens.size(), 258u);
  std::vector<std::string> labels;
  for (const Json& label : *logprobs.find("tokens").array()) labels.emplace_back(*label.string());
  std::sort(labels.begin() + 1, labels.end() - 1);
  EXPECT_EQ(std::adjacent_find(labels.begin() + 1, labels.end() - 1), labels.end() - 1);
  size_t at = 0, greedy = 0;
  for (const Json& top : *logprobs.find("top_logprobs").array()) {
    if (at > 0) {
      double largest = -1e9;
      bool itself = false;
      for (const auto& [label, value] : *top.object()) {
        largest = std::max(largest, number(value));
        itself = itself || number(value) == of_tokens[at];
      }
      EXPECT_TRUE(itself) << at;
      greedy += of_tokens[at] == largest;
    }
    ++at;
  }
  EXPECT_GE(greedy, 1u);  // the generated one at least
}

TEST(Chat, a_stream_says_what_a_whole_answer_says) {
  for (const char* more : {"", R"(,"max_tokens":1)", R"(,"logprobs":true,"top_logprobs":3)",
                           R"(,"temperature":1.5,"seed":4)",
                           R"(,"think":true,"max_tokens":40,"seed":2)", R"(,"stop":["edr"])"}) {
    const std::string fields =
        std::string(
            R"("messages":[{"role":"system","content":"Be short."},{"role":"user","content":[{"type":"text","text":"Reverse: garden"}]}])") +
        more;
    const Reply reply = post(port(), "/v1/chat/completions", "{" + fields + "}");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json all = reply.json();
    const Json message = choice(all).find("message");
    const Streamed parts = streamed("/v1/chat/completions", fields);
    EXPECT_EQ(parts.text, text(message, "content")) << more;
    EXPECT_EQ(parts.thinking, message.find("reasoning_content").string().value_or("")) << more;
    EXPECT_EQ(parts.finish, text(choice(all), "finish_reason")) << more;
    EXPECT_EQ(whole(parts.usage.find("completion_tokens")),
              whole(all.find("usage").find("completion_tokens")));
    const auto content = choice(all).find("logprobs").find("content").array();
    EXPECT_EQ(parts.logprobs.size(), content ? content->size() : 0);
  }
}

TEST(Chat, answers_as_the_program_does) {
  const Reply reply =
      post(port(), "/chat/completions",
           R"({"messages":[{"role":"user","content":"Reverse: garden"}],"temperature":0})");
  const Json message = choice(reply.json()).find("message");
  EXPECT_EQ(text(message, "content"), BUNDLED_REVERSED);
  EXPECT_EQ(text(message, "role"), "assistant");
  EXPECT_TRUE(message.find("refusal").is_null());
  EXPECT_TRUE(choice(reply.json()).find("logprobs").is_null());
  EXPECT_EQ(reply.fields.at("x-skein-model"), "bundled");
  // An answer that was begun is gone on with.
  const Reply more = post(
      port(), "/v1/chat/completions",
      R"({"messages":[{"role":"user","content":"Reverse: garden"},{"role":"assistant","content":"ned"}],"temperature":0})");
  EXPECT_EQ(text(choice(more.json()).find("message"), "content"), "rag");
}

TEST(Chat, the_prompt_is_the_template_s) {
  const auto prompt = [](const std::string& more) {
    return text(post(port(), "/apply-template",
                     R"({"messages":[{"role":"user","content":"a\n\nb"}])" + more + "}")
                    .json(),
                "prompt");
  };
  EXPECT_EQ(prompt(""), "User: a\nb\n\nAssistant:");
}

struct Bad {
  const char* path;
  std::string body;
  int status;
  const char* param;
};
TEST(Errors, each_names_its_field_also_where_a_stream_was_asked_for) {
  const std::string chat = "/v1/chat/completions", texts = "/v1/completions";
  const auto message = [](std::string_view one) { return fmt::format(R"("messages":[{}])", one); };
  const std::string good = message(R"({"role":"user","content":"a"})");
  std::string parts, stops;
  for (int i = 0; i < 2000; ++i) parts += R"({"type":"text","text":"a"},)";
  for (int i = 0; i < 17; ++i) stops += "\"a\",";
  const std::vector<Bad> all = {
      {"/v1/chat/completions", R"("messages":[])", 400, "messages"},
      {"/v1/chat/completions", R"("messages":"a")", 400, "messages"},
      {"/v1/chat/completions", R"("x":1)", 400, "messages"},
      {"/v1/chat/completions", message(R"({"role":"root","content":"a"})"), 400,
       "messages[0].role"},
      {"/v1/chat/completions", message(R"({"content":"a"})"), 400, "messages[0].role"},
      {"/v1/chat/completions", message(R"({"role":"user","content":null})"), 400,
       "messages[0].content"},
      {"/v1/chat/completions", message(R"({"role":"user","content":5})"), 400,
       "messages[0].content"},
      {"/v1/chat/completions",
       message(R"({"role":"user","content":[)" + parts + R"({"type":"text","text":"a"}]})"), 400,
       "messages[0].content"},
      {"/v1/chat/completions",
       message(R"({"role":"user","content":[{"type":"image_url","image_url":{}}]})"), 400,
       "messages[0].content"},
      {"/v1/chat/completions", good + R"(,"max_tokens":0)", 400, "max_tokens"},
      {"/v1/chat/completions", good + R"(,"max_tokens":-2)", 400, "max_tokens"},
      {"/v1/chat/completions", good + R"(,"max_tokens":"5")", 400, "max_tokens"},
      {"/v1/chat/completions", good + R"(,"max_tokens":1e308)", 400, "max_tokens"},
      {"/v1/chat/completions", good + R"(,"max_tokens":9223372036854775808)", 400, "max_tokens"},
      {"/v1/chat/completions", good + R"(,"max_completion_tokens":0)", 400,
       "max_completion_tokens"},
      {"/v1/chat/completions", good + R"(,"temperature":-1)", 400, "temperature"},
      {"/v1/chat/completions", good + R"(,"temperature":1e9)", 400, "temperature"},
      {"/v1/chat/completions", good + R"(,"top_p":0)", 400, "top_p"},
      {"/v1/chat/completions", good + R"(,"top_p":2)", 400, "top_p"},
      {"/v1/chat/completions", good + R"(,"logit_bias":{"99999999":100})", 400, "logit_bias"},
      {"/v1/chat/completions", good + R"(,"logit_bias":[[1]])", 400, "logit_bias"},
      {"/v1/chat/completions", good + R"(,"logprobs":true,"top_logprobs":1000000)", 400,
       "top_logprobs"},
      {"/v1/chat/completions", good + R"(,"top_logprobs":1)", 400, "top_logprobs"},
      {"/v1/chat/completions", good + R"(,"n":1000000000)", 400, "n"},
      {"/v1/chat/completions", good + R"(,"n":0)", 400, "n"},
      {"/v1/chat/completions", good + R"(,"stop":"")", 400, "stop"},
      {"/v1/chat/completions", good + ",\"stop\":[" + stops + "\"a\"]", 400, "stop"},
      {"/v1/chat/completions", good + ",\"stop\":\"" + std::string(1 << 20, 'a') + "\"", 400,
       "stop"},
      {"/v1/chat/completions", good + R"(,"stop":5)", 400, "stop"},
      {"/v1/chat/completions", good + R"(,"stream_options":5)", 400, "stream_options"},
      {"/v1/chat/completions", good + R"(,"reasoning_effort":"huge")", 400, "reasoning_effort"},
      {"/v1/chat/completions", good + R"(,"model":5)", 400, "model"},
      {"/v1/chat/completions", good + R"(,"tools":[{"type":"function"}],"tool_choice":"required")",
       400, "tools[0].name"},
      {"/v1/chat/completions", good + R"(,"response_format":{"type":"json_schema"})", 400,
       "response_format.schema"},
      {"/v1/completions", R"("x":1)", 400, "prompt"},
      {"/v1/completions", R"("prompt":[1,2,257])", 400, "prompt"},
      {"/v1/completions", R"("prompt":[1,"a"])", 400, "prompt"},
      {"/v1/completions", R"("prompt":"a","max_tokens":0)", 400, "max_tokens"},
      {"/v1/completions", R"("prompt":"a","best_of":9)", 400, "best_of"},
      {"/v1/completions", R"("prompt":"a","n":2,"best_of":1)", 400, "best_of"},
      {"/v1/completions", R"("prompt":"a","suffix":"b")", 501, "suffix"},
      {"/v1/completions", R"("prompt":"a","grammar":"root ::= x")", 400, "grammar"},
  };
  for (const Bad& bad : all)
    for (const char* stream : {"", R"(,"stream":true)"}) {
      const Reply reply = post(port(), bad.path, "{" + bad.body + stream + "}");
      const std::string what = bad.body.substr(0, 200);
      EXPECT_EQ(reply.status, bad.status) << what << reply.body;
      EXPECT_EQ(reply.error("param"), bad.param) << what << reply.body;
      EXPECT_FALSE(reply.error("message").empty()) << what;
      EXPECT_EQ(reply.error("type"),
                bad.status == 501 ? "not_supported_error" : "invalid_request_error");
      EXPECT_EQ(reply.fields.at("content-type"), "application/json");
    }
}

TEST(Errors, what_is_no_json_is_refused_and_the_server_goes_on) {
  for (const std::string& body :
       {std::string(100'000, '['), std::string("{\"a\":\"\xff\"}"),
        std::string("{\"a\":\"\xc0\x80\"}"), std::string(R"({"a":"\ud800"})"),
        std::string(R"({"stream":false,"stream":true})"), std::string("[]"),
        std::string("{\"a\":\"") + '\0' + "\"}", std::string("")}) {
    const Reply reply = post(port(), "/v1/completions", body);
    EXPECT_EQ(reply.status, 400) << body.substr(0, 40);
    EXPECT_EQ(reply.error("type"), "invalid_request_error");
  }
  // A NUL that is written out is text like other text.
  EXPECT_EQ(post(port(), "/v1/completions", R"({"prompt":"a\u0000b","max_tokens":1})").status, 200);
}

TEST(Errors, fields_that_mean_nothing_here_are_ignored_and_null_is_absent) {
  const Reply reply =
      post(port(), "/v1/chat/completions",
           R"({"messages":[{"role":"user","content":"a"}],"model":"gpt-4o","tools":[],"user":"x",
      "rep_pen":1.1,"max_tokens":null,"stop":null,"response_format":{"type":"text"},"store":true,"dry_multiplier":0,
      "seed":-1,"top_k":-1,"logit_bias":{},"stream_options":null,"n_discard":4})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply.json(), "model"), "bundled");
}

TEST(Models, are_found_by_name) {
  TestServer server({}, {}, {"one", "two/b"});
  const Json list = ask(server.port(), "GET", "/v1/models").json();
  ASSERT_EQ(list.find("data").array()->size(), 2u);
  EXPECT_EQ(text(list.find("data").array()->front(), "id"), "one");
  EXPECT_EQ(whole(list.find("data").array()->front().find("max_model_len")), 1048576);
  EXPECT_EQ(text(ask(server.port(), "GET", "/models/two%2Fb").json(), "id"), "two/b");
  const Reply none = ask(server.port(), "GET", "/v1/models/three");
  EXPECT_EQ(none.status, 404);
  EXPECT_EQ(none.error("code"), "model_not_found");
  const std::string body = R"("prompt":"a","max_tokens":1})";
  EXPECT_EQ(
      text(post(server.port(), "/v1/completions", R"({"model":"two/b",)" + body).json(), "model"),
      "two/b");
  EXPECT_EQ(post(server.port(), "/v1/completions", R"({"model":"three",)" + body).status, 404);
  EXPECT_EQ(post(server.port(), "/v1/completions", "{" + body).error("param"), "model");
}

TEST(Tokens, texts_and_ids_go_both_ways) {
  const Json cut =
      post(port(), "/tokenize", R"({"prompt":"aé","add_special_tokens":false})").json();
  EXPECT_EQ(whole(cut.find("count")), 3);
  EXPECT_EQ(whole(cut.find("tokens").array()->front()), 98);
  EXPECT_EQ(whole(post(port(), "/tokenize", R"({"content":"ab"})").json().find("count")), 2);
  EXPECT_EQ(text(post(port(), "/detokenize", R"({"tokens":[98,196,170]})").json(), "prompt"), "aé");
  EXPECT_EQ(post(port(), "/detokenize", R"({"tokens":[300]})").error("param"), "tokens");
  const Json info = ask(port(), "GET", "/tokenizer_info").json();
  const Json end =
      post(port(), "/tokenize", fmt::format(R"({{"prompt":"{}"}})", text(info, "eos_token")))
          .json();
  EXPECT_EQ(whole(end.find("tokens").array()->front()), 0);
  const Json pieces = post(port(), "/tokenize", R"({"content":"a","with_pieces":true})").json();
  EXPECT_EQ(text(pieces.find("tokens").array()->front(), "piece"), "a");
}

TEST(Routes, unknown_ones_and_other_methods_are_told_apart) {
  EXPECT_EQ(ask(port(), "GET", "/v2/models").status, 404);
  const Reply method = ask(port(), "GET", "/v1/chat/completions");
  EXPECT_EQ(method.status, 405);
  EXPECT_EQ(method.fields.at("allow"), "POST");
  EXPECT_EQ(ask(port(), "GET", "/v1/models/?a=b").status, 200);
}

TEST(Routes, the_page_about_serving_lists_them) {
  std::ifstream file(std::string(SKEIN_SOURCE_DIR) + "/docs/serving.md");
  const std::string page{std::istreambuf_iterator<char>(file), {}};
  for (const server::Route& route : server::routes())
    EXPECT_NE(page.find(fmt::format("| `{} {}` | {} | {} |\n", route.method, route.path,
                                    role_name(route.role), route.summary)),
              std::string::npos)
        << route.path;
}

TEST(Routes, the_document_and_the_metrics_name_what_there_is) {
  const Json document = ask(port(), "GET", "/openapi.json").json();
  for (const server::Route& route : server::routes())
    EXPECT_TRUE(document.find("paths").find(route.path).find(operation_name(route))) << route.path;
  completion(R"("prompt":"ab","max_tokens":2)");
  const std::string metrics = ask(port(), "GET", "/metrics").body;
  for (const char* line :
       {"skein_requests_total{route=\"/v1/completions\",status=\"200\"} ",
        "# TYPE skein_tokens_total counter\nskein_tokens_total{model=\"bundled\"} ",
        "llamacpp:requests_processing "})
    EXPECT_NE(metrics.find(line), std::string::npos) << line;
}

}  // namespace
}  // namespace skein::test
