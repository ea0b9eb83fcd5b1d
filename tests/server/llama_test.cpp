// llama-server's routes: the forms of their answers, and what its clients ask for.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/shared_server.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

Json completion(const std::string& fields) {
  const Reply reply = post(port(), "/completion", "{" + fields + "}");
  EXPECT_EQ(reply.status, 200) << reply.body;
  return reply.json();
}

const std::string kAsk = R"("prompt":"User: Reverse: garden\n\nAssistant:","temperature":0,)";

TEST(LlamaCompletion, a_whole_answer_has_what_its_readers_look_for) {
  const Json json = completion(kAsk + R"("n_predict":3,"return_tokens":true)");
  EXPECT_EQ(text(json, "stop_type"), "limit");
  EXPECT_EQ(json.find("stop").boolean(), true);
  EXPECT_EQ(json.find("truncated").boolean(), false);
  EXPECT_EQ(whole(json.find("tokens_predicted")), 3);
  EXPECT_EQ(json.find("tokens").array()->size(), 3u);
  EXPECT_EQ(whole(json.find("tokens_evaluated")),
            static_cast<int64_t>(std::string("User: Reverse: garden\n\nAssistant:").size()));
  EXPECT_EQ(text(json, "prompt"), "User: Reverse: garden\n\nAssistant:");
  EXPECT_EQ(text(json, "model"), "bundled");
  EXPECT_EQ(whole(json.find("timings").find("predicted_n")), 3);
  const Json settings = json.find("generation_settings");
  EXPECT_EQ(whole(settings.find("n_predict")), 3);
  EXPECT_EQ(number(settings.find("temperature")), 0);
}

TEST(LlamaCompletion, what_ended_it_is_told) {
  const Json word = completion(kAsk + R"("n_predict":40,"stop":["zzz","ed"])");
  EXPECT_EQ(text(word, "stop_type"), "word");
  EXPECT_EQ(text(word, "stopping_word"), "ed");
  EXPECT_EQ(text(word, "content").find("ed"), std::string::npos);
  const Json grammar = completion(kAsk + R"("n_predict":40,"grammar":"root ::= \"yes\"")");
  EXPECT_EQ(text(grammar, "content"), "yes");
  EXPECT_EQ(text(grammar, "stop_type"), "eos");
  const Json schema = completion(kAsk + R"("n_predict":99,"json_schema":{"enum":[17]})");
  EXPECT_EQ(text(schema, "content"), "17");
}

TEST(LlamaCompletion, a_stream_says_what_a_whole_answer_says_and_its_last_word_how_it_ended) {
  for (const std::string more :
       {R"("n_predict":12,"temperature":0)", R"("n_predict":40,"temperature":0,"stop":["ed"])",
        R"("n_predict":9,"n_probs":2,"seed":4,"temperature":1.5)"}) {
    const std::string rest = R"("prompt":"User: Reverse: garden\n\nAssistant:",)" + more;
    const Json is = completion(rest + R"(,"return_tokens":true)");
    const Reply reply = post(port(), "/completion", "{" + rest + R"(,"stream":true})");
    EXPECT_EQ(reply.fields.at("content-type"), "text/event-stream");
    const Events events(reply.body);
    EXPECT_FALSE(events.done);  // no [DONE] here
    std::string said;
    size_t tokens = 0, probabilities = 0;
    for (const Json& each : events.data) {
      said += text(each, "content");
      tokens += each.find("tokens").array()->size();
      if (each.find("completion_probabilities"))
        probabilities += each.find("completion_probabilities").array()->size();
    }
    EXPECT_EQ(said, text(is, "content"));
    EXPECT_EQ(tokens, is.find("tokens").array()->size());
    ASSERT_FALSE(events.data.empty());
    const Json last = events.data.back();
    EXPECT_EQ(last.find("stop").boolean(), true);
    for (const char* key : {"stop_type", "stopping_word"})
      EXPECT_EQ(text(last, key), text(is, key));
    for (const char* key : {"tokens_predicted", "tokens_evaluated"})
      EXPECT_EQ(whole(last.find(key)), whole(is.find(key)));
    const auto expected = is.find("completion_probabilities").array();
    EXPECT_EQ(probabilities, expected ? expected->size() : 0u);
  }
}

TEST(LlamaCompletion, how_far_the_prompt_is_read_is_told_where_it_is_asked_for) {
  const std::string rest =
      R"({"prompt":"Nobody has read a word of this.","n_predict":1,"stream":true)";
  const Events events(post(port(), "/completion", rest + R"(,"return_progress":true})").body);
  ASSERT_FALSE(events.data.empty());
  const Json progress = events.data.front().find("prompt_progress");
  EXPECT_EQ(whole(progress.find("total")), 31);
  EXPECT_LE(whole(progress.find("processed")), 31);
  EXPECT_GT(whole(progress.find("processed")), 0);
  const Events quiet(post(port(), "/completion", rest + "}").body);
  for (const Json& each : quiet.data) EXPECT_FALSE(each.find("prompt_progress"));
}

TEST(LlamaCompletion, probabilities_are_those_of_the_other_api_in_both_forms) {
  const Json json = completion(kAsk + R"("n_predict":4,"n_probs":3)");
  const Reply other =
      post(port(), "/v1/completions", "{" + kAsk + R"("max_tokens":4,"logprobs":3})");
  const auto expected = numbers(choice(other.json()).find("logprobs").find("token_logprobs"));
  const auto all = json.find("completion_probabilities").array();
  ASSERT_EQ(all->size(), expected.size());
  for (size_t i = 0; const Json& one : *all) {
    EXPECT_EQ(number(one.find("logprob")), expected[i++]);
    EXPECT_EQ(one.find("top_logprobs").array()->size(), 3u);
    const Json old = one.find("probs").array()->front();
    EXPECT_EQ(text(old, "tok_str"), text(one.find("top_logprobs").array()->front(), "token"));
    EXPECT_NEAR(number(old.find("prob")),
                std::exp(number(one.find("top_logprobs").array()->front().find("logprob"))), 1e-12);
  }
}

TEST(LlamaCompletion, several_prompts_are_answered_in_a_list) {
  const Json json = completion(R"("prompt":["1+1=","ab"],"temperature":0,"n_predict":3)");
  ASSERT_EQ(json.array()->size(), 2u);
  for (int64_t i = 0; const Json& one : *json.array()) {
    EXPECT_EQ(whole(one.find("index")), i);
    EXPECT_EQ(text(one, "content"),
              text(completion(std::string(R"("prompt":)") + (i++ == 0 ? R"("1+1=")" : R"("ab")") +
                              R"(,"temperature":0,"n_predict":3)"),
                   "content"));
  }
}

TEST(LlamaCompletion, only_wanted_fields_are_told) {
  const Json json = completion(
      kAsk +
      R"("n_predict":3,"response_fields":["content","timings/predicted_n","nothing/at/all","content"])");
  ASSERT_TRUE(json.object());
  EXPECT_EQ(json.object()->size(), 2u);
  EXPECT_EQ(whole(json.find("predicted_n")), 3);
}

TEST(LlamaCompletion, nothing_to_predict_reads_the_prompt_for_the_next_request) {
  const std::string prompt = R"("prompt":"A prompt that nobody has read before, long enough.",)";
  const Json read = completion(prompt + R"("n_predict":0)");
  EXPECT_EQ(text(read, "content"), "");
  EXPECT_EQ(whole(read.find("tokens_predicted")), 0);
  EXPECT_EQ(text(read, "stop_type"), "limit");
  const Json next = completion(prompt + R"("n_predict":1)");
  EXPECT_GT(whole(next.find("timings").find("cache_n")), 0);
  const Reply stream =
      post(port(), "/completion", "{" + prompt + R"("n_predict":0,"stream":true})");
  EXPECT_EQ(Events(stream.body).data.back().find("stop").boolean(), true);
}

TEST(LlamaCompletion, samplers_that_are_left_out_are_off_and_their_order_is_the_temperatures) {
  const std::string hot =
      R"("prompt":"One day","n_predict":12,"seed":5,"temperature":2,"top_k":1,)";
  const std::string greedy =
      text(completion(R"("prompt":"One day","n_predict":12,"temperature":0)"), "content");
  EXPECT_EQ(text(completion(hot + R"("samplers":["top_k","temperature"])"), "content"), greedy);
  EXPECT_EQ(text(completion(hot + R"("samplers":"kt")"), "content"), greedy);
  EXPECT_NE(text(completion(hot + R"("samplers":["temperature"])"), "content"), greedy);
  const std::string both =
      R"("prompt":"One day","n_predict":12,"seed":5,"temperature":2,"top_p":0.7,)";
  const std::string rwkv =
      text(completion(both + R"("samplers":["penalties","top_p","temperature"])"), "content");
  const std::string openai =
      text(completion(both + R"("samplers":["penalties","temperature","top_p"])"), "content");
  EXPECT_EQ(rwkv, text(completion(both + R"("sample_order":"rwkv")"), "content"));
  EXPECT_EQ(openai, text(completion(both + R"("sample_order":"openai")"), "content"));
  EXPECT_EQ(
      post(port(), "/completion", R"({"prompt":"1","samplers":["top_p","temperature","min_p"]})")
          .status,
      501);
}

TEST(LlamaCompletion, what_would_change_the_answer_and_is_not_offered_is_a_501) {
  for (const char* field :
       {R"("dynatemp_range":0.5)", R"("top_n_sigma":1)", R"("t_max_predict_ms":5)",
        R"("lora":[{"id":0,"scale":1}])", R"("n_probs":1,"post_sampling_probs":true)",
        R"("mirostat":1)", R"("dry_multiplier":0.8)"}) {
    const Reply reply = post(port(), "/completion", fmt::format(R"({{"prompt":"1",{}}})", field));
    EXPECT_EQ(reply.status, 501) << field << reply.body;
  }
}

TEST(LlamaCompletion, the_path_that_two_apis_have_takes_either) {
  const Reply theirs = post(port(), "/completions", R"({"prompt":"ab","n_predict":2})");
  EXPECT_TRUE(theirs.json().find("content")) << theirs.body;
  const Reply ours =
      post(port(), "/completions", R"({"prompt":"ab","max_tokens":2,"n_predict":2})");
  EXPECT_EQ(ours.json().find("choices").array()->size(), 1u) << ours.body;
}

TEST(LlamaCompletion, a_client_that_leaves_ends_its_answer) {
  const TestServer server;
  {
    Client client(server.port());
    client.request("POST", "/completion",
                   R"({"prompt":"1","n_predict":-1,"ignore_eos":true,"stream":true})");
    ASSERT_TRUE(client.comes("data: "));
  }
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_prompts_active") == 0; }));
}

TEST(LlamaRoutes, the_server_tells_what_it_is_set_to) {
  const Json props = ask(port(), "GET", "/props").json();
  EXPECT_EQ(text(props, "model_path"), "bundled-0.pth");
  EXPECT_NE(text(props, "chat_template").find("{{ user }}"), std::string::npos);
  EXPECT_TRUE(props.find("default_generation_settings").find("params").find("temperature"));
  const int64_t places = whole(props.find("total_slots"));
  EXPECT_EQ(static_cast<int64_t>(ask(port(), "GET", "/slots").json().array()->size()), places);
  EXPECT_EQ(ask(port(), "GET", "/lora-adapters").body, "[]");
  for (const char* path : {"/props", "/slots/0?action=save", "/lora-adapters"}) {
    const Reply reply = post(port(), path, "{}");
    EXPECT_EQ(reply.status, 501) << path;
    EXPECT_NE(reply.error("message"), "") << path;
  }
}

TEST(LlamaRoutes, a_token_that_is_no_text_is_its_bytes) {
  const Json json = post(port(), "/tokenize", R"({"content":"a嗯","with_pieces":true})").json();
  const auto tokens = json.find("tokens").array();
  ASSERT_EQ(tokens->size(), 4u);
  EXPECT_EQ(text(tokens->front(), "piece"), "a");
  EXPECT_EQ(numbers((*tokens)[1].find("piece")), std::vector<double>{0xe5});
}

TEST(LlamaRoutes, a_text_is_a_vector_as_in_the_other_api) {
  const Json json = post(port(), "/embedding", R"({"content":["One day","Two"]})").json();
  const Json other = post(port(), "/v1/embeddings", R"({"input":["One day","Two"]})").json();
  ASSERT_EQ(json.array()->size(), 2u);
  for (size_t i = 0; i < 2; ++i)
    EXPECT_EQ(numbers((*json.array())[i].find("embedding").array()->front()),
              numbers((*other.find("data").array())[i].find("embedding")));
}

}  // namespace
}  // namespace skein::test
