// States that have ids: gone on from, forked, named, sent here and there, and of nobody else.
#include <gtest/gtest.h>

#include <set>
#include <thread>

#include "base/base64.h"
#include "run/saved_state.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

std::string text_of(const Json& json, std::string_view key) {
  return std::string(json.find(key).string().value_or(""));
}
int64_t number_of(const Json& json, std::string_view key) {
  int64_t out = -1;
  json.find(key).integer(out);
  return out;
}
std::string answer_of(const Json& json) {
  const Json first = json.find("choices").array()->front();
  return first.find("message") ? text_of(first.find("message"), "content") : text_of(first, "text");
}
int64_t cached_of(const Json& json) {
  return number_of(json.find("usage").find("prompt_tokens_details"), "cached_tokens");
}

std::vector<double> scores_of(const Json& json) {
  std::vector<double> out;
  const Json scores = json.find("choices").array()->front().find("logprobs");
  for (const Json& each : *scores.find("token_logprobs").array()) {
    out.emplace_back();
    each.number(out.back());
  }
  return out;
}

class States : public testing::Test {
 protected:
  explicit States(server::ServerOptions options = {}) : server_(std::move(options)) {}

  static std::string body(const std::string& fields) {
    const bool limited = fields.find("max_tokens") != std::string::npos;
    return "{\"temperature\":0," + std::string(limited ? "" : "\"max_tokens\":8,") + fields + "}";
  }
  Json chat(const std::string& fields, int status = 200) {
    const Reply reply =
        post(server_.port(), "/v1/chat/completions", body("\"think\":\"none\"," + fields));
    EXPECT_EQ(reply.status, status) << reply.body;
    return reply.json();
  }
  Json complete(const std::string& fields, int status = 200) {
    const Reply reply = post(server_.port(), "/v1/completions", body(fields));
    EXPECT_EQ(reply.status, status) << reply.body;
    return reply.json();
  }
  Reply get(const std::string& path, std::string_view fields = {}) {
    return ask(server_.port(), "GET", path, {}, fields);
  }
  // An uploaded state.
  Reply upload(const std::string& query, const std::string& body) {
    Client client(server_.port());
    client.send(fmt::format("POST /v1/states{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                            query, body.size()) +
                body);
    return client.read();
  }
  // Its file.
  std::string download(const std::string& id) {
    const Reply reply = get("/v1/states/" + id, "Accept: application/octet-stream\r\n");
    EXPECT_EQ(reply.status, 200) << reply.body;
    return reply.body;
  }

  TestServer server_;
};

constexpr const char* kHello = R"("messages":[{"role":"user","content":"What is 12+30?"}])";

TEST_F(States, a_conversation_goes_on_from_its_state_as_from_its_text) {
  const Json first = chat(std::string(kHello) + R"(,"return_state":true)");
  const Json state = first.find("state");
  const std::string id = text_of(state, "id");
  EXPECT_TRUE(id.starts_with("st_")) << id;
  EXPECT_TRUE(text_of(state, "prompt_id").starts_with("st_"));
  EXPECT_GT(number_of(state, "tokens"), 0);
  EXPECT_EQ(number_of(state, "bytes"), bundled().model->info().state_bytes);
  const Json second = chat(R"("messages":[{"role":"user","content":"And 1+1?"}],"parent":")" + id +
                           R"(","return_state":true)");
  const Json whole = chat(
      R"("messages":[{"role":"user","content":"What is 12+30?"},{"role":"assistant","content":)"
      R"(")" +
      answer_of(first) + R"("},{"role":"user","content":"And 1+1?"}],"no_cache":true)");
  EXPECT_EQ(answer_of(second), answer_of(whole));
  EXPECT_EQ(number_of(second.find("usage"), "prompt_tokens"),
            number_of(whole.find("usage"), "prompt_tokens"));
  EXPECT_GE(cached_of(second), number_of(state, "tokens") - 1);
  // The way there.
  const Reply log = get("/v1/states/" + text_of(second.find("state"), "id") + "/log");
  EXPECT_EQ(log.json().find("data").array()->size(), 4u) << log.body;
}

TEST_F(States, no_messages_beside_a_parent_mean_go_on_from_there) {
  const Json first = chat(std::string(kHello) + R"(,"return_state":true,"max_tokens":100)");
  const Json again = chat(R"("messages":[],"max_tokens":100,"parent":")" +
                          text_of(first.find("state"), "prompt_id") + "\"");
  EXPECT_EQ(answer_of(again), answer_of(first));
  EXPECT_EQ(cached_of(again), number_of(again.find("usage"), "prompt_tokens"));
  // An answer that was cut short is gone on with, as if it had not been.
  const Json part = chat(std::string(kHello) + R"(,"return_state":true,"max_tokens":1)");
  const Json rest = chat(R"("messages":[],"max_tokens":100,"parent":")" +
                         text_of(part.find("state"), "id") + "\"");
  EXPECT_EQ(answer_of(part) + answer_of(rest), answer_of(first));
}

TEST_F(States, a_stream_says_first_where_it_will_be_kept_and_a_client_who_left_finds_it_there) {
  std::string id;
  {
    Client client(server_.port());
    client.request("POST", "/v1/completions",
                   R"({"prompt":"12 13 14","max_tokens":1000000,"temperature":0,"stream":true,)"
                   R"("ignore_eos":true,"return_state":true})");
    ASSERT_TRUE(server_.wait_until([&] { return server_.of_model("skein_tokens_total") > 40; }));
  }
  ASSERT_TRUE(server_.wait_until([&] { return server_.of_model("skein_sequences") == 0; }));
  const Reply list = get("/v1/states?limit=1");
  id = text_of(list.json().find("data").array()->front(), "id");
  ASSERT_TRUE(server_.wait_until(
      [&] { return text_of(get("/v1/states/" + id).json().find("state"), "stage") == "whole"; }));
  const Json state = get("/v1/states/" + id).json();
  EXPECT_EQ(text_of(state.find("state"), "finish"), "cancelled");
  EXPECT_TRUE(text_of(state, "text").starts_with("12 13 14"));
  const Json more = complete(R"("prompt":"","max_tokens":4,"parent":")" + id + "\"");
  EXPECT_GE(cached_of(more), number_of(state.find("state"), "tokens") - 2);

  const Reply streamed =
      post(server_.port(), "/v1/chat/completions",
           "{" + std::string(kHello) + R"(,"stream":true,"return_state":true,"max_tokens":4})");
  const Events events(streamed.body);
  EXPECT_TRUE(events.done);
  const std::string named = text_of(events.data.front().find("state"), "id");
  EXPECT_TRUE(named.starts_with("st_")) << streamed.body;
  EXPECT_EQ(text_of(events.data.back().find("state"), "id"), named);
  EXPECT_GT(number_of(events.data.back().find("state"), "tokens"), 0);
}

TEST_F(States, a_session_moves_with_each_turn_and_of_two_writers_one_is_told) {
  const std::string session = R"(,"session":"talk")";
  const Json first = chat(kHello + session);
  EXPECT_EQ(number_of(first.find("state"), "version"), 1);
  const Json second = chat(R"("messages":[{"role":"user","content":"And 1+1?"}])" + session);
  EXPECT_EQ(number_of(second.find("state"), "version"), 2);
  EXPECT_GT(cached_of(second), 0);
  const Reply stands = get("/v1/sessions/talk");
  EXPECT_EQ(stands.fields.at("etag"), "\"2\"");
  EXPECT_EQ(text_of(stands.json(), "state"), text_of(second.find("state"), "id"));
  const auto put = [&](const std::string& version) {
    Client client(server_.port());
    const std::string body = "{\"state\":\"" + text_of(first.find("state"), "id") + "\"}";
    client.send(
        fmt::format("PUT /v1/sessions/talk HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    "application/json\r\nIf-Match: \"{}\"\r\nContent-Length: {}\r\n\r\n{}",
                    version, body.size(), body));
    return client.read();
  };
  const Reply late = put("1");
  EXPECT_EQ(late.status, 409);
  EXPECT_EQ(late.fields.at("x-should-retry"), "false");
  EXPECT_EQ(put("2").status, 200);
  EXPECT_EQ(number_of(get("/v1/sessions/talk").json(), "version"), 3);
  EXPECT_EQ(get("/v1/sessions/none").status, 404);
  const Reply old = post(server_.port(), "/v1/chat/completions",
                         "{" + std::string(kHello) + session + "}", "If-Match: \"2\"\r\n");
  EXPECT_EQ(old.status, 409) << old.body;
}

TEST_F(States, restored_equals_uninterrupted_bit_for_bit) {
  const Json whole = complete(R"("prompt":"1 2 3 4 5 6 7","max_tokens":24,"ignore_eos":true,)"
                              R"("logprobs":2,"no_cache":true)");
  const Json part = complete(R"("prompt":"1 2 3 4 5 6 7","max_tokens":12,"ignore_eos":true,)"
                             R"("logprobs":2,"return_state":true)");
  const std::string id = text_of(part.find("state"), "id");
  // By the node, by a copy of it, and by its file that went out and came in again.
  const Reply fork = post(server_.port(), "/v1/states/" + id + "/fork", R"({"name":"copy"})");
  EXPECT_EQ(fork.status, 201) << fork.body;
  const std::string file = download(id);
  const Reply sent = upload("?name=sent", file);
  EXPECT_EQ(sent.status, 201) << sent.body;
  for (const std::string& from : {id, std::string("copy")}) {
    const Json rest = complete(R"("prompt":"","max_tokens":12,"ignore_eos":true,"logprobs":2,)"
                               R"("state":")" +
                               from + "\"");
    EXPECT_EQ(answer_of(part) + answer_of(rest), answer_of(whole)) << from;
    std::vector<double> both = scores_of(part), behind = scores_of(rest);
    both.insert(both.end(), behind.begin(), behind.end());
    EXPECT_EQ(both, scores_of(whole)) << from;
  }
  const std::string more = R"("prompt":" 8 9","ignore_eos":true,"logprobs":2,"state":")";
  const Json fresh = complete(more + id + R"(","no_cache":true)");
  for (const std::string& from : {id, std::string("copy"), std::string("sent")})
    EXPECT_EQ(scores_of(complete(more + from + "\"")), scores_of(fresh)) << from;
}

TEST_F(States, one_may_come_inside_the_answer_and_is_what_is_downloaded) {
  for (const std::string stream : {"", R"(,"stream":true)"}) {
    const Reply reply =
        post(server_.port(), "/v1/completions",
             R"({"prompt":"4 5","max_tokens":3,"n":2,"return_state":"base64")" + stream + "}");
    ASSERT_EQ(reply.status, 200) << reply.body;
    const Json json = stream.empty() ? reply.json() : Events(reply.body).data.back();
    ASSERT_EQ(json.find("states").array()->size(), 2u) << reply.body.substr(0, 300);
    for (const Json& state : *json.find("states").array())
      EXPECT_EQ(text_of(state, "data"), base64_text(download(text_of(state, "id"))));
  }
}

TEST_F(States, files_that_are_none_or_another_model_s_are_refused) {
  std::string file =
      download(text_of(complete(R"("prompt":"1 2","return_state":true)").find("state"), "id"));
  EXPECT_EQ(upload("", file.substr(0, file.size() - 1)).status, 400);
  std::string other = file;
  other[file.size() / 2] = static_cast<char>(other[file.size() / 2] ^ 1);
  EXPECT_EQ(upload("", other).status, 400);
  EXPECT_EQ(upload("", "nothing").status, 400);
  // A whole file of another model.
  auto layout = host_layout("rwkv7", Digest{}, {{.name = "x", .shape = Shape({4})}});
  const State foreign(layout);
  const auto made = StateFile::make(foreign, {}, {});
  const auto bytes = made->bytes();
  const Reply reply = upload("", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  EXPECT_EQ(reply.status, 409) << reply.body;
  EXPECT_EQ(reply.fields.at("x-should-retry"), "false");
}

TEST_F(States, a_document_is_read_once_and_asked_often) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("{} ", i);
  const Reply made = post(server_.port(), "/v1/states",
                          R"({"input":")" + text + R"(","name":"manual","kind":"document"})");
  EXPECT_EQ(made.status, 201) << made.body;
  const int64_t tokens = number_of(made.json().find("state"), "tokens");
  for (int i = 0; i < 3; ++i) {
    const Json asked = chat(R"("state":"manual",)" + std::string(kHello));
    EXPECT_GE(cached_of(asked), tokens);
  }
  const Reply more = post(server_.port(), "/v1/states/manual/append", R"({"input":"1 2 3"})");
  EXPECT_EQ(more.status, 201) << more.body;
  EXPECT_EQ(number_of(more.json().find("usage").find("prompt_tokens_details"), "cached_tokens"),
            tokens);
  const std::string id = text_of(more.json().find("state"), "id");
  const Json diff = get("/v1/states/manual/diff?with=" + id).json();
  EXPECT_EQ(text_of(diff.find("text"), "own"), "");
  EXPECT_EQ(text_of(diff.find("text"), "other"), "1 2 3");
  EXPECT_GT(diff.find("parts").array()->size(), 0u);
  const Json stats = get("/v1/states/" + id + "/stats").json();
  EXPECT_GT(stats.find("parts").array()->size(), 0u);
  // Since itself nothing changed, since nothing had been read everything did; ranks are between one
  // and the width of a head.
  const Json same = get("/v1/states/" + id + "/stats?since=" + id).json();
  size_t heads = 0;
  for (const Json& part : *same.find("parts").array()) {
    double change = -1;
    EXPECT_TRUE(part.find("change").number(change) && change == 0);
    if (!part.find("ranks")) continue;
    for (const Json& each : *part.find("ranks").array()) {
      double rank = 0;
      EXPECT_TRUE(each.number(rank) && rank > 0.999 && rank < 64.001) << rank;
      ++heads;
    }
  }
  EXPECT_GT(heads, 0u);
  const Json documents = get("/v1/states?kind=document").json();
  EXPECT_EQ(documents.find("data").array()->size(), 1u);
}

TEST_F(States, are_listed_named_pinned_and_forgotten) {
  const std::string id =
      text_of(complete(R"("prompt":"1 2","return_state":true)").find("state"), "id");
  EXPECT_EQ(ask(server_.port(), "PATCH", "/v1/states/" + id, R"({"name":"mine","pin":true})",
                "Content-Type: application/json\r\nContent-Length: 26\r\n")
                .status,
            200);
  EXPECT_EQ(text_of(get("/v1/states/mine").json().find("state"), "id"), id);
  EXPECT_EQ(get("/v1/states?ids=" + id + ",st_00000000000000000000000000000000")
                .json()
                .find("data")
                .array()
                ->size(),
            1u);
  EXPECT_EQ(ask(server_.port(), "DELETE", "/v1/states/" + id).status, 200);
  EXPECT_EQ(get("/v1/states/" + id).status, 404);
  const Reply gone =
      post(server_.port(), "/v1/completions", R"({"prompt":"x","parent":")" + id + "\"}");
  EXPECT_EQ(gone.status, 404);
  EXPECT_EQ(gone.error("param"), "parent");
}

TEST(StateKeys, what_is_another_key_s_is_not_there) {
  server::ServerOptions options;
  EXPECT_TRUE(options.service.keys.add("one"));
  EXPECT_TRUE(options.service.keys.add("two"));
  EXPECT_TRUE(options.service.keys.add("generate:three"));
  TestServer server(std::move(options));
  const auto with = [](const char* key) {
    return fmt::format("Authorization: Bearer {}\r\n", key);
  };
  const Reply made = post(server.port(), "/v1/completions",
                          R"({"prompt":"1 2","return_state":true,"session":"s"})", with("one"));
  const std::string id = text_of(made.json().find("state"), "id");
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/" + id, {}, with("one")).status, 200);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/" + id, {}, with("two")).status, 404);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/sessions/s", {}, with("two")).status, 404);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/" + id, {}, with("three")).status, 403);
  EXPECT_EQ(post(server.port(), "/v1/completions", R"({"prompt":"x","parent":")" + id + "\"}",
                 with("two"))
                .status,
            404);
}

// Each request begins with numbers of its own, and all share the passes over the weights.
TEST_F(States, many_tuned_states_in_one_batch_equal_single_runs) {
  const size_t count = 32;
  for (size_t i = 0; i < count; ++i) {
    State state(bundled().model->state_layout());
    for (size_t part = 0; part < state.layout().parts.size(); ++part) {
      std::vector<float> numbers(static_cast<size_t>(state.layout().slots[part].size));
      for (size_t n = 0; n < numbers.size(); ++n)
        numbers[n] = 0.01f * static_cast<float>((n * 7 + i * 13) % 11);
      ASSERT_TRUE(state.set_part(part, std::as_bytes(std::span(numbers))));
    }
    const auto file = StateFile::make(state, {}, {})->bytes();
    ASSERT_EQ(upload(fmt::format("?name=tuned{}", i),
                     {reinterpret_cast<const char*>(file.data()), file.size()})
                  .status,
              201);
  }
  const auto run = [&](size_t i, const char* more) {
    return scores_of(complete(fmt::format(
        R"("prompt":"1 2 3","max_tokens":6,"ignore_eos":true,"logprobs":1,"state":"tuned{}"{})", i,
        more)));
  };
  std::vector<std::vector<double>> together(count);
  std::vector<std::thread> threads;
  for (size_t i = 0; i < count; ++i) threads.emplace_back([&, i] { together[i] = run(i, ""); });
  for (std::thread& each : threads) each.join();
  for (size_t i = 0; i < count; ++i) EXPECT_EQ(together[i], run(i, ",\"no_cache\":true"));
  EXPECT_GT(std::set<std::vector<double>>(together.begin(), together.end()).size(), 1u);
}

}  // namespace
}  // namespace skein::test
