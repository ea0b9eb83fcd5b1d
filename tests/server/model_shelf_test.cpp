// Models that come when somebody asks for them, and go.
#include <gtest/gtest.h>

#include <future>

#include "server/answers.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

constexpr int64_t kBytes = 1000;  // that each says it needs

// How a model is loaded, as the test wants it.
struct Loads {
  std::atomic<int> count{0};
  std::atomic<bool> fails{false};
  std::atomic<bool> held{false};  // until it is let go

  server::ModelToLoad model(const std::string& name, int64_t bytes = kBytes) {
    return {.name = name,
            .info = bundled().model->info(),
            .bytes = bytes,
            .load = [this, name]() -> Result<server::ModelToServe> {
              ++count;
              while (held) ::usleep(1000);
              if (fails) return fail(Code::io, "the disk is away");
              return TestServer::to_serve(name);
            }};
  }
};

server::ServerOptions with(server::ShelfOptions shelf) {
  server::ServerOptions options;
  options.service.shelf = std::move(shelf);
  return options;
}

std::string ask_for(const std::string& model) {
  return R"({"model":")" + model + R"(","prompt":"1 2","max_tokens":2,"temperature":0})";
}

std::string status_of(const TestServer& server, const std::string& model) {
  return text(ask(server.port(), "GET", "/v1/models/" + model).json(), "status");
}

TEST(ModelShelf, a_model_comes_with_its_first_request_and_answers_as_one_that_was_there) {
  Loads loads;
  const TestServer there;
  const TestServer server(with({}), OnDemand({loads.model("a"), loads.model("b")}));
  EXPECT_EQ(loads.count, 0);
  EXPECT_EQ(status_of(server, "a"), "unloaded");
  const Json listed = ask(server.port(), "GET", "/v1/models").json();
  ASSERT_EQ(listed.find("data").array()->size(), 2u);
  EXPECT_EQ(whole(listed.find("data").array()->front().find("meta").find("memory_bytes")), kBytes);
  const Reply reply = post(server.port(), "/v1/completions", ask_for("a"));
  EXPECT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(choice(reply.json())),
            text(choice(post(there.port(), "/v1/completions", ask_for("bundled")).json())));
  EXPECT_EQ(status_of(server, "a"), "loaded");
  EXPECT_EQ(status_of(server, "b"), "unloaded");
  EXPECT_EQ(loads.count, 1);
  EXPECT_EQ(post(server.port(), "/v1/completions", ask_for("c")).status, 404);
  // Routes that compute nothing wait for it too.
  const TestServer other(with({}), OnDemand({loads.model("a")}));
  EXPECT_EQ(ask(other.port(), "GET", "/tokenizer_info").status, 200);
}

TEST(ModelShelf, while_one_loads_others_are_served_and_who_waits_is_served_then) {
  Loads slow, quick;
  const TestServer server(with({}), OnDemand({slow.model("slow"), quick.model("quick")}));
  ASSERT_EQ(post(server.port(), "/v1/completions", ask_for("quick")).status, 200);
  slow.held = true;
  Client one(server.port()), two(server.port()), leaves(server.port());
  for (Client* client : {&one, &two, &leaves})
    client->request("POST", "/v1/completions", ask_for("slow"));
  ASSERT_TRUE(server.wait_until([&] { return slow.count == 1; }));
  EXPECT_EQ(status_of(server, "slow"), "loading");
  EXPECT_EQ(ask(server.port(), "GET", "/health").status, 200);
  EXPECT_EQ(post(server.port(), "/v1/completions", ask_for("quick")).status, 200);
  leaves.close();
  slow.held = false;
  EXPECT_EQ(one.read().status, 200);
  EXPECT_EQ(two.read().status, 200);
  EXPECT_EQ(slow.count, 1) << "once for all of them";
}

TEST(ModelShelf, a_load_that_fails_is_told_and_tried_again_later) {
  Loads loads;
  loads.fails = true;
  const TestServer server(with({.retry_seconds = 0.2}), OnDemand({loads.model("a")}));
  const Reply failed = post(server.port(), "/v1/completions", ask_for("a"));
  EXPECT_EQ(failed.status, 500);
  EXPECT_EQ(failed.error("code"), "model_load_failed");
  EXPECT_NE(failed.error("message").find("the disk is away"), std::string::npos) << failed.body;
  EXPECT_TRUE(failed.fields.count("retry-after"));
  EXPECT_EQ(status_of(server, "a"), "failed");
  loads.fails = false;
  EXPECT_TRUE(server.wait_until(
      [&] { return post(server.port(), "/v1/completions", ask_for("a")).status == 200; }));
}

TEST(ModelShelf, who_waits_too_long_is_told_so) {
  Loads loads;
  loads.held = true;
  TestServer server(with({.wait_seconds = 0.05}), OnDemand({loads.model("a"), loads.model("b")}));
  Client first(server.port());
  first.request("POST", "/v1/completions", ask_for("a"));
  ASSERT_TRUE(server.wait_until([&] { return loads.count == 1; }));
  Client second(server.port());
  second.request("POST", "/v1/completions", ask_for("b"));
  for (Client* client : {&first, &second}) {
    const Reply late = client->read();
    EXPECT_EQ(late.status, 503) << late.body;
    EXPECT_EQ(late.error("code"), "overloaded");
  }
  loads.held = false;
  EXPECT_TRUE(server.wait_until([&] { return status_of(server, "a") == "loaded"; }));
}

TEST(ModelShelf, the_one_that_was_used_longest_ago_makes_room) {
  Loads loads;
  const TestServer server(with({.memory = 2 * kBytes}),
                          OnDemand({loads.model("a"), loads.model("b"), loads.model("c")}));
  for (const char* name : {"a", "b", "a", "c"}) {
    ASSERT_EQ(post(server.port(), "/v1/completions", ask_for(name)).status, 200) << name;
    // A model is in use a moment longer than its answer is on its way.
    ASSERT_TRUE(
        server.wait_until([&] { return server.metric("llamacpp:requests_processing") == 0; }));
  }
  EXPECT_EQ(status_of(server, "a"), "loaded");
  EXPECT_EQ(status_of(server, "b"), "unloaded");
  EXPECT_EQ(status_of(server, "c"), "loaded");
  // One that is used stays, and who waits for its room waits.
  Client busy(server.port());
  busy.request("POST", "/v1/completions",
               R"({"model":"a","prompt":"1","max_tokens":-1,"ignore_eos":true,"stream":true})");
  ASSERT_TRUE(busy.readable());
  ASSERT_EQ(post(server.port(), "/v1/completions", ask_for("b")).status, 200);
  EXPECT_EQ(status_of(server, "a"), "loaded");
  EXPECT_EQ(status_of(server, "c"), "unloaded");
}

TEST(ModelShelf, what_will_never_fit_is_told_at_once) {
  Loads loads;
  const TestServer server(with({.memory = kBytes}), OnDemand({loads.model("large", 2 * kBytes)}));
  const Reply reply = post(server.port(), "/v1/completions", ask_for("large"));
  EXPECT_EQ(reply.status, 503);
  EXPECT_EQ(reply.error("code"), "model_load_failed");
  EXPECT_NE(reply.error("message").find("--model-memory"), std::string::npos) << reply.body;
  EXPECT_EQ(loads.count, 0);
  Loads other;
  const TestServer full(with({.free_memory = [] { return kBytes - 1; }}),
                        OnDemand({other.model("a")}));
  EXPECT_NE(post(full.port(), "/v1/completions", ask_for("a")).error("message").find("free"),
            std::string::npos);
}

TEST(ModelShelf, one_that_nobody_uses_goes_and_comes_again_with_its_states) {
  Loads loads;
  const TestServer server(with({.idle_seconds = 0.05}),
                          OnDemand({loads.model("a"), loads.model("b")}));
  const Reply made =
      post(server.port(), "/v1/states", R"({"model":"a","input":"7 8 9","name":"mine"})");
  ASSERT_EQ(made.status, 201) << made.body;
  ASSERT_TRUE(server.wait_until([&] { return status_of(server, "a") == "unloaded"; }));
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/mine").status, 200);
  EXPECT_EQ(loads.count, 1) << "its text needs no model";
  // Routes about a state load its model, which nobody named.
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/mine/stats").status, 200);
  EXPECT_EQ(loads.count, 2);
  const Reply reply =
      post(server.port(), "/v1/completions",
           R"({"model":"a","prompt":"1","max_tokens":2,"temperature":0,"state":"mine"})");
  EXPECT_EQ(reply.status, 200) << reply.body;
}

TEST(ModelShelf, a_server_ends_while_somebody_waits) {
  Loads loads;
  loads.held = true;
  server::ServerOptions options = with({});
  options.listen.drain_ms = 50;
  TestServer server(options, OnDemand({loads.model("a")}));
  Client client(server.port());
  client.request("POST", "/v1/completions", ask_for("a"));
  ASSERT_TRUE(server.wait_until([&] { return loads.count == 1; }));
  server.ask_to_stop();
  const Reply reply = client.read();
  EXPECT_EQ(reply.status, 503) << reply.body;
  loads.held = false;
  server.stop();
}

}  // namespace
}  // namespace skein::test
