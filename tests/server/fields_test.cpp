// What each route says of a field: it is done, or refused by its name.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/bodies.h"
#include "server/history.h"
#include "server/test_server.h"
#include "store/memory_store.h"

namespace skein::test {
namespace {

std::string id_of(const Reply& reply) { return text(reply.json().find("state"), "id"); }

struct Route {
  std::string method, path;
  std::string rest;                                        // a good body, without its braces
  std::vector<std::pair<std::string, std::string>> wrong;  // fields with what they cannot be
};

class FieldsOfRoutes : public testing::Test {
 protected:
  TestServer server_;
  std::string id_ = id_of(post(server_.port(), "/v1/states", R"({"input":"1 2 3","name":"base"})"));
  std::string state_ = "/v1/states/" + id_;

  std::vector<Route> routes() const {
    const std::vector<std::pair<std::string, std::string>> history = {
        {"session", "7"}, {"session", R"("")"}, {"parent", "true"},    {"parent", R"("")"},
        {"state", "{}"},  {"state", R"("")"},   {"return_state", "5"}, {"session_ttl", "-1"}};
    const std::vector<std::pair<std::string, std::string>> sampling = {
        {"temperature", R"("hot")"},
        {"top_p", "2"},
        {"top_k", "1.5"},
        {"min_p", "[]"},
        {"typical_p", "{}"},
        {"presence_penalty", R"("1")"},
        {"frequency_penalty", "[]"},
        {"penalty_decay", "2"},
        {"repetition_penalty", "0"},
        {"repeat_penalty", "true"},
        {"mirostat", "3"},
        {"mirostat_tau", "-1"},
        {"mirostat_eta", R"("")"},
        {"seed", "1.5"},
        {"logit_bias", "5"},
        {"stop", "5"},
        {"stop_token_ids", "5"},
        {"ignore_eos", "1"},
        {"profile", "1"},
        {"sample_order", "1"},
        {"penalty_style", "1"},
        {"n", "0"},
        {"stream", "1"},
        {"stream_options", "1"},
        {"sse_ping_interval", "-1"},
        {"no_cache", "1"},
        {"cache_prompt", R"("yes")"},
        {"user", "1"},
        {"model", "1"},
        {"tools", R"("")"},
        {"tool_choice", "5"},
        {"tool_choice", R"("often")"},
        {"tool_choice", R"("required")"}};
    const auto with = [](auto... lists) {
      std::vector<std::pair<std::string, std::string>> out;
      (out.insert(out.end(), lists.begin(), lists.end()), ...);
      return out;
    };
    const std::vector<std::pair<std::string, std::string>> wishes = {
        {"name", "1"},   {"name", R"("")"}, {"name", R"("..")"}, {"pin", R"("yes")"},
        {"pinned", "1"}, {"ttl", "-1"},     {"ttl", R"("1")"}};
    const std::vector<std::pair<std::string, std::string>> making = {
        {"kind", "1"},        {"kind", R"("A b")"},     {"stream", R"("1")"},
        {"user", "1"},        {"model", "1"},           {"session", R"("s")"},
        {"session_ttl", "1"}, {"return_state", "true"}, {"no_cache", "true"}};
    const std::vector<std::pair<std::string, std::string>> unmeant = {
        {"kind", R"("a")"}, {"input", R"("a")"},   {"messages", "[]"},      {"model", R"("a")"},
        {"stream", "true"}, {"session", R"("s")"}, {"return_state", "true"}};
    return {
        {"POST", "/v1/chat/completions",
         R"("max_tokens":1,"messages":[{"role":"user","content":"1"}])",
         with(history, sampling,
              std::vector<std::pair<std::string, std::string>>{{"max_completion_tokens", R"("1")"},
                                                               {"max_tokens", "0"},
                                                               {"logprobs", "1"},
                                                               {"top_logprobs", "99"},
                                                               {"think", "5"},
                                                               {"reasoning_effort", "1"},
                                                               {"reasoning_budget", "-2"},
                                                               {"response_format", "1"},
                                                               {"state_trace", "5"},
                                                               {"messages", "1"}})},
        {"POST", "/v1/completions", R"("prompt":"1","max_tokens":1)",
         with(history, sampling,
              std::vector<std::pair<std::string, std::string>>{{"prompt", "{}"},
                                                               {"echo", "1"},
                                                               {"logprobs", R"("1")"},
                                                               {"best_of", "0"},
                                                               {"max_tokens", R"("1")"},
                                                               {"return_token_ids", "1"},
                                                               {"prepend_eod", "1"}})},
        {"POST", "/v1/responses", R"("input":"1","max_output_tokens":1)",
         with(sampling,
              std::vector<std::pair<std::string, std::string>>{{"input", "5"},
                                                               {"instructions", "5"},
                                                               {"previous_response_id", "5"},
                                                               {"previous_response_id", R"("")"},
                                                               {"store", "1"},
                                                               {"metadata", "5"},
                                                               {"include", R"("a")"},
                                                               {"include", "[1]"},
                                                               {"text", "5"},
                                                               {"reasoning", "5"},
                                                               {"truncation", R"("a")"},
                                                               {"max_output_tokens", "0"},
                                                               {"top_logprobs", "99"},
                                                               {"parallel_tool_calls", "1"},
                                                               {"conversation", R"("a")"},
                                                               {"prompt", "{}"},
                                                               {"background", "true"},
                                                               {"state", R"("a")"}})},
        {"POST",
         "/v1/embeddings",
         R"("input":"1")",
         {{"input", "{}"},
          {"encoding_format", "1"},
          {"encoding_format", R"("a")"},
          {"dimensions", "0"},
          {"user", "1"},
          {"model", "1"},
          {"session", R"("a")"}}},
        {"POST",
         "/v1/rerank",
         R"("query":"1","documents":["1"])",
         {{"query", "1"},
          {"query", R"("")"},
          {"documents", "1"},
          {"documents", "[]"},
          {"top_n", "0"},
          {"return_documents", "1"},
          {"user", "1"},
          {"model", "1"}}},
        {"POST",
         "/tokenize",
         R"("prompt":"1")",
         {{"prompt", "1"}, {"parse_special", "1"}, {"with_pieces", "1"}, {"model", "1"}}},
        {"POST", "/detokenize", R"("tokens":[1])", {{"tokens", "1"}, {"tokens", R"(["a"])"}}},
        {"POST",
         "/apply-template",
         R"("messages":[{"role":"user","content":"1"}])",
         {{"messages", "1"}, {"think", "5"}, {"model", "1"}}},
        {"POST", "/v1/states", R"("input":"1")",
         with(wishes, making,
              std::vector<std::pair<std::string, std::string>>{
                  {"input", "{}"},
                  {"input", "[]"},
                  {"messages", R"([{"role":"user","content":"1"}])"},
                  {"parent", "1"},
                  {"parent", R"("")"},
                  {"state", R"("")"}})},
        {"POST", state_ + "/append", R"("input":"1")",
         with(wishes, making,
              std::vector<std::pair<std::string, std::string>>{
                  {"input", "{}"}, {"messages", "1"}, {"parent", R"("a")"}, {"state", R"("a")"}})},
        {"POST", state_ + "/fork", "",
         with(wishes, unmeant,
              std::vector<std::pair<std::string, std::string>>{{"parent", R"("a")"}})},
        {"PATCH", state_, R"("pinned":false)",
         with(wishes, unmeant,
              std::vector<std::pair<std::string, std::string>>{{"parent", R"("a")"}})},
        {"PUT", "/v1/sessions/talk", R"("state":")" + id_ + "\"",
         with(unmeant, std::vector<std::pair<std::string, std::string>>{{"state", "1"},
                                                                        {"state", R"("")"},
                                                                        {"ttl", "-1"},
                                                                        {"name", R"("a")"},
                                                                        {"pinned", "true"}})},
    };
  }
};

TEST_F(FieldsOfRoutes, of_a_wrong_type_are_a_400_that_names_them_and_nothing_comes_of_it) {
  for (const Route& route : routes()) {
    const auto body = [&](const std::string& more) {
      return "{" + route.rest + (route.rest.empty() || more.empty() ? "" : ",") + more + "}";
    };
    const Reply good = send(server_.port(), route.method, route.path, body(""));
    EXPECT_LT(good.status, 300) << route.path << good.body;
    const size_t before =
        ask(server_.port(), "GET", "/v1/states?limit=1000").json().find("data").array()->size();
    for (const auto& [field, value] : route.wrong) {
      const std::string text = with_field(route.rest, field, value);
      const Reply reply = send(server_.port(), route.method, route.path, text);
      EXPECT_EQ(reply.status, 400) << route.path << " " << text << reply.body;
      EXPECT_EQ(reply.error("param"), field) << route.path << " " << text << reply.body;
      EXPECT_NE(reply.error("message"), "") << reply.body;
    }
    EXPECT_EQ(
        ask(server_.port(), "GET", "/v1/states?limit=1000").json().find("data").array()->size(),
        before)
        << route.path;
  }
}

TEST_F(FieldsOfRoutes, that_the_document_names_are_read_by_their_routes) {
  const Json paths = ask(server_.port(), "GET", "/openapi.json").json().find("paths");
  for (const Route& route : routes()) {
    std::string path = route.path;
    if (path.starts_with(state_)) path.replace(0, state_.size(), "/v1/states/{id}");
    if (path == "/v1/sessions/talk") path = "/v1/sessions/{id}";
    std::string method = route.method;
    for (char& c : method) c = static_cast<char>(c | 0x20);
    const Json fields = paths.find(path)
                            .find(method)
                            .find("requestBody")
                            .find("content")
                            .find("application/json")
                            .find("schema")
                            .find("properties");
    ASSERT_TRUE(fields.object()) << path;
    EXPECT_FALSE(fields.object()->empty()) << path;
    for (const auto& [name, about] : *fields.object()) {
      const std::string type = text(about, "type");
      const std::string wrong = type == "array" || type == "object" ? "5"
                                : type == "?"                       ? R"({"x":{"y":1}})"
                                                                    : "[[]]";
      const std::string body = with_field(route.rest, std::string(name), wrong);
      const Reply reply = send(server_.port(), route.method, route.path, body);
      EXPECT_EQ(reply.status, 400) << path << " " << body << reply.body;
      EXPECT_EQ(reply.error("param"), name) << path << " " << body << reply.body;
      EXPECT_GT(text(about, "description").size(), 3u);
    }
  }
}

TEST_F(FieldsOfRoutes, of_queries_are_named_too) {
  const std::string one = "/v1/states/" + id_;
  const std::pair<std::string, std::string> wrong[] = {{"/v1/states?limit=0", "limit"},
                                                       {"/v1/states?limit=x", "limit"},
                                                       {"/v1/states?after=x", "after"},
                                                       {"/v1/states?ids=a&limit=5", "limit"},
                                                       {"/v1/sessions?limit=1001", "limit"},
                                                       {"/v1/sessions?after=x", "after"},
                                                       {one + "?part=9", "part"},
                                                       {one + "/log?limit=0", "limit"},
                                                       {one + "/log?after=x", "after"},
                                                       {one + "/diff", "with"}};
  for (const auto& [path, field] : wrong) {
    const Reply reply = ask(server_.port(), "GET", path);
    EXPECT_EQ(reply.status, 400) << path << reply.body;
    EXPECT_EQ(reply.error("param"), field) << path << reply.body;
  }
  const Reply with = ask(server_.port(), "GET", one + "/diff?with=nobody");
  EXPECT_EQ(with.status, 404);
  EXPECT_EQ(with.error("param"), "with");
  EXPECT_EQ(ask(server_.port(), "GET", "/v1/states/nobody/stats").error("param"), "id");
}

TEST_F(FieldsOfRoutes, what_is_wished_of_a_state_is_done_on_every_route_that_makes_or_changes_one) {
  const std::string wishes = R"("name":"N","pinned":true,"ttl":90)";
  int number = 0;
  const auto named = [&] {
    std::string out = wishes;
    return out.replace(out.find('N'), 1, fmt::format("n{}", ++number));
  };
  const Reply made[] = {
      send(server_.port(), "POST", "/v1/states", R"({"input":"1",)" + named() + "}"),
      send(server_.port(), "POST", state_ + "/append", R"({"input":"1",)" + named() + "}"),
      send(server_.port(), "POST", state_ + "/fork", "{" + named() + "}"),
      send(server_.port(), "PATCH", state_, "{" + named() + "}")};
  number = 0;
  for (const Reply& reply : made) {
    const Json state = reply.json().find("state");
    EXPECT_LT(reply.status, 300) << reply.body;
    EXPECT_EQ(text(state, "name"), fmt::format("n{}", ++number)) << reply.body;
    EXPECT_EQ(state.find("pinned").boolean(), true) << reply.body;
    EXPECT_EQ(whole(state.find("ttl")), 90) << reply.body;
  }
  // And of a file by its query.
  const std::string file =
      ask(server_.port(), "GET", state_, {}, "Accept: application/octet-stream\r\n").body;
  const auto upload = [&](const std::string& query, const std::string& bytes) {
    Client client(server_.port());
    client.send(fmt::format("POST /v1/states{} HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                            query, bytes.size()) +
                bytes);
    return client.read();
  };
  const Reply sent = upload("?name=sent&pinned=true&ttl=90&kind=persona", file);
  EXPECT_EQ(sent.status, 201) << sent.body;
  const Json state = sent.json().find("state");
  EXPECT_EQ(state.find("pinned").boolean(), true);
  EXPECT_EQ(whole(state.find("ttl")), 90);
  EXPECT_EQ(text(state, "kind"), "persona");
  const std::pair<std::string, std::string> wrong[] = {
      {"?pin=yes", "pin"}, {"?ttl=-1", "ttl"}, {"?kind=A", "kind"}, {"?name=..", "name"}};
  for (const auto& [query, field] : wrong) {
    const Reply reply = upload(query, file);
    EXPECT_EQ(reply.status, 400) << query;
    EXPECT_EQ(reply.error("param"), field) << reply.body;
  }
  // A broken file is told as one, and not as numbers that went wrong.
  for (const std::string& broken : {file.substr(0, file.size() - 5), std::string("no state")}) {
    const Reply reply = upload("", broken);
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.error("code"), "invalid_state_file") << reply.body;
  }
}

TEST_F(FieldsOfRoutes, messages_are_messages_and_stand_for_the_turns_they_are) {
  const Reply wrong = send(server_.port(), "POST", "/v1/states",
                           R"({"messages":[{"role":"user","content":"1"},{"role":"x"}]})");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.error("param"), "messages[1].role") << wrong.body;
  EXPECT_EQ(send(server_.port(), "POST", "/v1/states", R"({"messages":[1,2]})").error("param"),
            "messages[0]");
  // What a client calls a state does not change how the conversation goes on.
  const auto answer = [&](const std::string& kind) {
    const Reply made =
        send(server_.port(), "POST", "/v1/states",
             R"({"messages":[{"role":"system","content":"Be brief."}])" + kind + "}");
    EXPECT_EQ(made.status, 201) << made.body;
    const Reply reply = send(server_.port(), "POST", "/v1/chat/completions",
                             R"({"state":")" + id_of(made) +
                                 R"(","messages":[{"role":"user","content":"1+1?"}],)"
                                 R"("temperature":0,"max_tokens":8})");
    return text(choice(reply.json()).find("message"), "content");
  };
  EXPECT_EQ(answer(R"(,"kind":"answer")"), answer(""));
}

TEST_F(FieldsOfRoutes, a_path_s_name_is_one_part_of_it) {
  const uint16_t port = server_.port();
  const std::string body = R"({"state":")" + id_ + "\"}";
  EXPECT_EQ(send(port, "PUT", "/v1/sessions/team%2Falice", body).status, 200);
  EXPECT_EQ(text(ask(port, "GET", "/v1/sessions/team%2Falice").json(), "name"), "team/alice");
  EXPECT_EQ(send(port, "PUT", "/v1/sessions/team/alice", body).status, 404);
  EXPECT_EQ(ask(port, "GET", "/v1/states/a/b").status, 404);
  for (const char* name : {"..", "%2E%2E", "."}) {
    const Reply reply = send(port, "PUT", fmt::format("/v1/sessions/{}", name), body);
    EXPECT_EQ(reply.status, 400) << name;
    EXPECT_EQ(reply.error("param"), "session");
  }
}

TEST_F(FieldsOfRoutes, the_way_to_a_state_comes_in_pages) {
  const std::string fork =
      id_of(send(server_.port(), "POST", state_ + "/append", R"({"input":"4"})"));
  std::vector<std::string> ids;
  std::string after;
  for (int page = 0; page < 5; ++page) {
    const Json part =
        ask(server_.port(), "GET",
            "/v1/states/" + fork + "/log?limit=1" + (after.empty() ? "" : "&after=" + after))
            .json();
    for (const Json& step : *part.find("data").array()) ids.push_back(text(step, "id"));
    if (part.find("has_more").boolean() != true) break;
    after = text(part, "next");
  }
  EXPECT_EQ(ids, (std::vector<std::string>{id_, fork}));
}

TEST(StateTexts, that_are_longer_than_an_answer_come_in_parts) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  server::ServerOptions options;
  options.service.store = store;
  TestServer server(options);
  // More bytes than a part has, one character of which stands across its end, and more ids.
  std::string all((8 << 20) - 1, 'a');
  all += "é" + std::string(1 << 20, 'b');
  store::NodeDraft draft{.id = store::new_id(),
                         .fingerprint = server::fingerprint_of(*bundled().model),
                         .tokens = std::vector<int32_t>((1 << 20) + 5, 7),
                         .text = all};
  const std::string id = draft.id;
  store::Changes changes;
  changes.nodes.push_back(std::move(draft));
  ASSERT_TRUE(store->commit(server::Keys().tenant_of({}), std::move(changes)));
  std::string read;
  size_t ids = 0;
  for (int part = 0; part < 2; ++part) {
    const Json json =
        ask(server.port(), "GET", fmt::format("/v1/states/{}?part={}", id, part)).json();
    EXPECT_EQ(whole(json.find("parts")), 2);
    read += text(json);
    ids += json.find("token_ids").array()->size();
  }
  EXPECT_EQ(read, all);
  EXPECT_EQ(ids, (size_t{1} << 20) + 5);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/" + id + "?part=2").status, 400);
}

TEST_F(FieldsOfRoutes, an_answer_whose_session_had_moved_is_told_with_the_error) {
  const uint16_t port = server_.port();
  ASSERT_EQ(send(port, "PUT", "/v1/sessions/s", R"({"state":")" + id_ + "\"}").status, 200);
  for (const bool stream : {false, true}) {
    Client slow(port);
    slow.request("POST", "/v1/completions",
                 fmt::format(R"({{"prompt":"4","max_tokens":300,"ignore_eos":true,"session":"s",)"
                             R"("stream":{}}})",
                             stream));
    ASSERT_TRUE(server_.wait_until([&] { return server_.of_model("skein_sequences") == 1; }));
    ASSERT_EQ(send(port, "PUT", "/v1/sessions/s", R"({"state":")" + id_ + "\"}").status, 200);
    const Reply reply = slow.read();
    Json last = reply.json();
    if (stream) last = Events(reply.body).data.back();
    ASSERT_EQ(text(last.find("error"), "code"), "turn_conflict") << reply.body.substr(0, 500);
    const std::string kept = text(last.find("state"), "id");
    const Json there = ask(port, "GET", "/v1/states/" + kept).json();
    EXPECT_EQ(text(there.find("state"), "stage"), "whole") << reply.body.substr(0, 500);
    EXPECT_FALSE(last.find("state").find("session")) << "it does not stand there";
  }
}

TEST_F(FieldsOfRoutes, a_response_echoes_what_was_used) {
  const Reply reply =
      post(server_.port(), "/v1/responses", R"({"input":"1","max_output_tokens":1,"tools":{}})");
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_GT(number(reply.json().find("top_p")), 0) << reply.body;
  EXPECT_TRUE(reply.json().find("tools").array()) << reply.body;
}

TEST_F(FieldsOfRoutes, progress_of_a_long_text_is_told_in_a_stream) {
  const std::string body = R"({"stream":true,"input":")" + std::string(4'000, '7') + "\"}";
  const Reply reply = send(server_.port(), "POST", state_ + "/append", body);
  EXPECT_EQ(reply.status, 200);
  const Events events(reply.body);
  ASSERT_TRUE(events.done) << reply.body.substr(0, 500);
  ASSERT_GT(events.data.size(), 3u);
  int64_t before = 0;
  for (size_t i = 0; i + 1 < events.data.size(); ++i) {
    EXPECT_EQ(text(events.data[i], "object"), "state.progress");
    EXPECT_GT(whole(events.data[i].find("tokens_read")), before);
    before = whole(events.data[i].find("tokens_read"));
  }
  const Json state = events.data.back().find("state");
  EXPECT_EQ(text(state, "parent"), id_);
  EXPECT_EQ(whole(state.find("tokens")), before);
  // What is wrong is told before the stream begins, as plain JSON.
  EXPECT_EQ(send(server_.port(), "POST", state_ + "/append", R"({"stream":true,"input":5})").status,
            400);
  // Whoever asks again for what a client read who left pays only for the rest.
  {
    Client leaving(server_.port());
    leaving.request("POST", state_ + "/append",
                    R"({"stream":true,"input":")" + std::string(12'000, '8') + "\"}");
    ASSERT_TRUE(leaving.comes("tokens_read"));
  }
  ASSERT_TRUE(server_.wait_until([&] { return server_.of_model("skein_sequences") == 0; }));
  const Reply again = send(server_.port(), "POST", state_ + "/append",
                           R"({"input":")" + std::string(12'000, '8') + "\"}");
  EXPECT_EQ(again.status, 201);
  EXPECT_GT(whole(again.json().find("usage").find("prompt_tokens_details").find("cached_tokens")),
            100)
      << again.body.substr(0, 300);
}

TEST(HalfClosed, who_says_nothing_more_but_reads_has_his_answer) {
  TestServer server;
  for (const bool stream : {false, true}) {
    Client client(server.port());
    client.request("POST", "/v1/completions",
                   fmt::format(R"({{"prompt":"1 2","max_tokens":400,"ignore_eos":true,)"
                               R"("stream":{}}})",
                               stream));
    client.shut();
    Reply reply = client.read();
    while (reply.status == 100) reply = client.read();
    EXPECT_EQ(reply.status, 200) << reply.body.substr(0, 300);
    if (stream)
      EXPECT_TRUE(Events(reply.body).done);
    else
      EXPECT_EQ(whole(reply.json().find("usage").find("completion_tokens")), 400);
    EXPECT_TRUE(client.ended());
  }
  // What was sent before is answered, too.
  Client client(server.port());
  for (int i = 0; i < 2; ++i)
    client.request("POST", "/v1/completions", R"({"prompt":"1 2","max_tokens":2})");
  client.shut();
  int answers = 0;
  for (Reply reply = client.read(); reply.status != 0; reply = client.read())
    answers += reply.status == 200;
  EXPECT_EQ(answers, 2);
}

}  // namespace
}  // namespace skein::test
