// skein serve with a store in a Redis: several servers are as one, and a Redis that is gone, slow,
// full, closed or somebody else's costs what needs it and nothing else.
#include <algorithm>
#include <fstream>

#include "cli/store_server.h"
#include "support/redis_server.h"

namespace skein::test {
namespace {

class ServeRedis : public testing::Test {
 protected:
  void SetUp() override { SK_NEEDS_REDIS(); }

  static int64_t metric(uint16_t port, const std::string& name) {
    const std::string text = ask(port, "GET", "/metrics").body;
    const size_t at = text.find("\n" + name + " ");
    int64_t out = -1;
    if (at == std::string::npos) return out;
    const char* const begin = text.data() + at + name.size() + 2;
    std::from_chars(begin, text.data() + text.size(), out);
    return out;
  }
  // What needs no store is served as ever.
  static void expect_served(uint16_t port) {
    EXPECT_EQ(ask(port, "GET", "/health").status, 200);
    const Reply chat = post(port, "/v1/chat/completions",
                            R"({"messages":[{"role":"user","content":"What is 2+3?"}],)"
                            R"("max_tokens":4,"think":"none"})");
    EXPECT_EQ(chat.status, 200) << chat.body;
    const Reply response = post(port, "/v1/responses", R"({"input":"a","max_output_tokens":2})");
    EXPECT_EQ(response.status, 200) << response.body;
    EXPECT_NE(response.body.find("\"store\":false"), std::string::npos) << response.body;
  }
  static void expect_refused(const Reply& reply) {
    EXPECT_EQ(reply.status, 503) << reply.body;
    EXPECT_TRUE(reply.fields.contains("retry-after"));
    EXPECT_NE(reply.body.find("the store does not answer"), std::string::npos) << reply.body;
  }
};

TEST_F(ServeRedis, a_conversation_goes_from_server_to_server_and_so_do_responses) {
  const RedisServer redis;
  const std::vector<std::string> words = {"--store", redis.address(), "--store-prefix", "a/b:"};
  const Server servers[] = {Server(words), Server(words)};
  const Server uninterrupted;
  for (int turn = 1; turn <= 6; ++turn) {
    const bool stream = turn % 3 == 0;
    const Reply reply = ask_turn(servers[turn % 2].port(), "talk", turn, stream);
    EXPECT_EQ(answer_in(reply, stream),
              answer_in(ask_turn(uninterrupted.port(), "talk", turn, stream), stream));
    for (const Server& server : servers) EXPECT_EQ(version_of(server.port(), "talk"), turn);
  }
  const Reply made = post(servers[0].port(), "/v1/responses",
                          R"({"input":"Reverse: river","max_output_tokens":5})");
  ASSERT_EQ(made.status, 200);
  const std::string id = text_in(made.json(), "id");
  EXPECT_EQ(ask(servers[1].port(), "GET", "/v1/responses/" + id).body, made.body);
  const Reply next =
      post(servers[1].port(), "/v1/responses",
           R"({"input":"b","max_output_tokens":5,"previous_response_id":")" + id + "\"}");
  EXPECT_EQ(next.status, 200) << next.body;
  for (const Server& server : servers) EXPECT_EQ(metric(server.port(), "skein_store_up"), 1);
}

TEST_F(ServeRedis, one_turn_of_a_version_happens_whichever_servers_are_asked) {
  const RedisServer redis;
  const std::vector<std::string> words = {"--store", redis.address()};
  const Server servers[] = {Server(words), Server(words)};
  const std::string body = R"({"session":"talk","messages":[{"role":"user","content":"a"}],)"
                           R"("max_tokens":4,"think":"none"})";
  for (int64_t version = 0; version < 5; ++version) {
    int statuses[2] = {0, 0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 2; ++i)
      threads.emplace_back([&, i] {
        Client client(servers[i].port());
        client.request("POST", "/v1/chat/completions", body,
                       fmt::format("If-Match: \"{}\"\r\n", version));
        statuses[i] = client.read().status;
      });
    for (std::thread& thread : threads) thread.join();
    std::sort(std::begin(statuses), std::end(statuses));
    EXPECT_EQ(statuses[0], 200);
    EXPECT_EQ(statuses[1], 409);
    EXPECT_EQ(version_of(servers[0].port(), "talk"), version + 1);
  }
}

TEST_F(ServeRedis, while_it_is_gone_what_is_local_is_served_and_then_all_is_as_it_was) {
  RedisServer redis({"--appendonly", "yes"});
  const Server server({"--store", redis.address()});
  const Server uninterrupted;
  int turn = 1;
  const auto next = [&] {
    const Reply reply = ask_turn(server.port(), "talk", turn, false);
    EXPECT_EQ(answer_in(reply, false),
              answer_in(ask_turn(uninterrupted.port(), "talk", turn, false), false))
        << reply.body;
    ++turn;
  };
  next();
  next();
  // It ends.
  redis.end(SIGKILL);
  expect_refused(ask_turn(server.port(), "talk", turn, false));
  expect_served(server.port());
  EXPECT_TRUE(server.wait_until([&] { return metric(server.port(), "skein_store_up") == 0; }));
  EXPECT_TRUE(server.wait_until([&] {
    return server.err().find("warning: the store does not answer") != std::string::npos;
  })) << server.err();
  redis.start();
  EXPECT_TRUE(server.wait_until([&] { return metric(server.port(), "skein_store_up") == 1; }));
  EXPECT_TRUE(server.wait_until(
      [&] { return server.err().find("the store answers again") != std::string::npos; }));
  next();
  // It stands still: whoever asks first waits a second, and no one after him.
  redis.send(SIGSTOP);
  const auto began = std::chrono::steady_clock::now();
  for (int i = 0; i < 20; ++i) expect_refused(ask_turn(server.port(), "talk", turn, i % 2));
  EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(15));
  expect_served(server.port());
  redis.send(SIGCONT);
  EXPECT_TRUE(server.wait_until([&] { return metric(server.port(), "skein_store_up") == 1; }));
  next();
  EXPECT_EQ(version_of(server.port(), "talk"), turn - 1);
  EXPECT_GT(metric(server.port(), "skein_store_failures_total"), 0);
}

TEST_F(ServeRedis, a_turn_that_it_leaves_in_the_middle_happens_once_or_says_why_not) {
  RedisServer redis({"--appendonly", "yes"});
  const Server server({"--store", redis.address()});
  int64_t version = 0;
  for (const bool stands_still : {true, false}) {
    Client client(server.port());
    client.request("POST", "/v1/chat/completions",
                   R"({"session":"talk","messages":[{"role":"user","content":"Count."}],)"
                   R"("think":"none","ignore_eos":true,"max_tokens":4000,"stream":true})",
                   fmt::format("If-Match: \"{}\"\r\n", version));
    ASSERT_TRUE(client.comes("\"content\":\""));
    stands_still ? redis.send(SIGSTOP) : redis.end(SIGKILL);
    const Reply reply = client.read();
    stands_still ? redis.send(SIGCONT) : redis.start();
    EXPECT_EQ(reply.status, 200) << "it had begun";
    EXPECT_TRUE(server.wait_until([&] { return metric(server.port(), "skein_store_up") == 1; }));
    const int64_t now = version_of(server.port(), "talk");
    if (answer_in(reply, true))
      EXPECT_EQ(now, version + 1) << "what was answered is kept";
    else
      EXPECT_NE(reply.body.find("the store does not answer"), std::string::npos) << reply.body;
    ASSERT_TRUE(now == version || now == version + 1) << now;
    const Reply next = ask_turn(server.port(), "talk", 1, false);
    EXPECT_EQ(next.status, 200) << next.body;
    version = now + 1;
    EXPECT_EQ(version_of(server.port(), "talk"), version);
  }
}

TEST_F(ServeRedis, one_that_is_full_refuses_turns_and_nothing_else) {
  const RedisServer redis({"--maxmemory", "8mb", "--maxmemory-policy", "noeviction"});
  const Server server({"--store", redis.address()});
  EXPECT_EQ(ask_turn(server.port(), "talk", 1, false).status, 200);
  for (const size_t bytes : {100'000, 1000})
    while (redis.ask({"APPEND", "filler", std::string(bytes, 'x')}).starts_with(":")) continue;
  int refused = 0;
  for (int turn = 2; turn < 200 && refused < 5; ++turn) {
    const Reply reply = ask_turn(server.port(), "talk" + std::to_string(turn), turn, false);
    if (reply.status == 200) continue;
    EXPECT_EQ(reply.status, 507) << reply.body;
    EXPECT_EQ(reply.error("code"), "store_full");
    ++refused;
  }
  EXPECT_EQ(refused, 5);
  expect_served(server.port());
  EXPECT_EQ(metric(server.port(), "skein_store_up"), 1);
  EXPECT_TRUE(server.wait_until([&] { return server.err().find("OOM") != std::string::npos; }));
  ASSERT_EQ(redis.ask({"DEL", "filler"}), ":1\r\n");
  EXPECT_EQ(ask_turn(server.port(), "talk", 2, false).status, 200);
  EXPECT_EQ(version_of(server.port(), "talk"), 2);
}

TEST_F(ServeRedis, a_server_begins_without_it_and_finds_it_later) {
  RedisServer redis;
  redis.end(SIGKILL);
  const Server server({"--store", redis.address()});
  expect_served(server.port());
  EXPECT_TRUE(server.wait_until([&] {
    return server.err().find("warning: the store does not answer") != std::string::npos;
  })) << server.err();
  redis.start();
  EXPECT_TRUE(
      server.wait_until([&] { return ask_turn(server.port(), "talk", 1, false).status == 200; }));
}

TEST_F(ServeRedis, one_that_cannot_be_used_is_one_sentence_with_a_remedy_and_no_secret) {
  const RedisServer redis, closed({"--requirepass", "sesame"}), foreign;
  ASSERT_EQ(foreign.ask({"SET", "skein:skein", "a cat"}), "+OK\r\n");
  const Folder folder;
  const std::string file = folder / "password", empty = folder / "empty";
  std::ofstream(file) << "opensesame\n";
  std::ofstream(empty) << "\n";
  const auto refused = [](const std::string& store, std::vector<std::string> more, int code,
                          std::string_view remedy) {
    std::vector<std::string> words = {"serve", kModel, "--port", "0", "--store", store};
    words.insert(words.end(), more.begin(), more.end());
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.err.find(remedy), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.err.find("sesame"), std::string::npos) << ran.err;
    EXPECT_EQ(ran.out, "");
  };
  refused(closed.address(), {}, 2, "SKEIN_STORE_PASSWORD");
  refused(closed.address(), {"--store-password", "opensesame"}, 2, "password is not right");
  refused(closed.address(), {"--store-password-file", file}, 2, "password is not right");
  refused(closed.address(), {"--store-password-file", empty}, 2, "holds no password");
  refused(closed.address(), {"--store-password", "a", "--store-password-file", file}, 2,
          "say the same");
  refused(foreign.address(), {}, 3, "name another database or --store-prefix");
  refused("redis://me:sesame@127.0.0.1", {}, 2, "SKEIN_STORE_PASSWORD");
  refused("rediss://127.0.0.1", {}, 3, "docs/deploying.md");
  refused(redis.address(), {"--store-sync", "power"}, 2, "appendfsync always");
  refused(redis.address(), {"--store-prefix", "a b"}, 2, "are a prefix");
  refused(folder / "store", {"--store-password", "sesame"}, 2, "has no password");
  std::ofstream(file) << "sesame\n";
  const Server server({"--store", closed.address(), "--store-password-file", file});
  EXPECT_EQ(ask_turn(server.port(), "talk", 1, false).status, 200);
  EXPECT_EQ(server.err().find("sesame"), std::string::npos);
}

}  // namespace
}  // namespace skein::test
