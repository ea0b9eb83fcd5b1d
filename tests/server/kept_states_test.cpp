// What of states stays when something goes wrong: what is removed, refused, full or ended.
#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <memory>
#include <set>
#include <thread>
#include <vector>

#include "run/saved_state.h"
#include "server/answers.h"
#include "server/test_server.h"
#include "server/text_reply.h"
#include "store/memory_store.h"
#include "store/tables.h"

namespace skein::test {
namespace {

server::ServerOptions with(std::shared_ptr<store::Store> store) {
  server::ServerOptions options;
  options.service.store = std::move(store);
  return options;
}

// Whom requests without a key belong to.
store::Tenant nobody() { return server::Keys().tenant_of(server::Head()); }

std::string stated(std::string_view fields) {
  return fmt::format(R"({{"temperature":0,"ignore_eos":true,{}}})", fields);
}
Reply complete(const TestServer& server, std::string_view fields, std::string_view head = {}) {
  return post(server.port(), "/v1/completions", stated(fields), head);
}
std::string state_id(const Reply& reply) { return text(reply.json().find("state"), "id"); }

std::vector<store::Node> all_nodes(store::Store& store) {
  return store.list(nobody(), {.limit = 1000})->items;
}
bool grows(store::Store& store) {
  const auto nodes = all_nodes(store);
  return std::any_of(nodes.begin(), nodes.end(),
                     [](const store::Node& node) { return node.stage == store::Stage::growing; });
}

std::string tuned_file() {
  State state(bundled().model->state_layout());
  for (size_t part = 0; part < state.layout().parts.size(); ++part) {
    std::vector<float> numbers(static_cast<size_t>(state.layout().slots[part].size), 0.05f);
    EXPECT_TRUE(state.set_part(part, std::as_bytes(std::span(numbers))));
  }
  const auto file = StateFile::make(state, {}, {})->bytes();
  return {reinterpret_cast<const char*>(file.data()), file.size()};
}

Reply put(const TestServer& server, const std::string& path, const std::string& body,
          std::string_view fields = {}) {
  return ask(server.port(), "PUT", path, body,
             fmt::format("{}Content-Type: application/json\r\nContent-Length: {}\r\n", fields,
                         body.size()));
}

TEST(KeptStates, a_removed_tuned_state_is_still_told_apart_from_none) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  const std::string ids = R"([40,41,42,43,44,45,46,47,48,49,50,51])";
  const std::string plain = R"("max_tokens":4,"logprobs":1,"prompt":)" + ids;
  std::string tuned, behind;
  std::string expected;
  {
    const TestServer server(with(store));
    const std::string file = tuned_file();
    Client client(server.port());
    client.send(fmt::format("POST /v1/states HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                            "application/octet-stream\r\nContent-Length: {}\r\n\r\n",
                            file.size()) +
                file);
    tuned = state_id(client.read());
    const Reply more =
        post(server.port(), "/v1/states/" + tuned + "/append", "{\"input\":" + ids + "}");
    ASSERT_EQ(more.status, 201) << more.body;
    behind = state_id(more);
    expected = text(choice(complete(server, R"("prompt":"","max_tokens":6,"no_cache":true,)"
                                            R"("parent":")" +
                                                behind + "\"")
                               .json()));
    // What began with it takes no memory any more.
    const double kept = server.of_model("skein_kept_bytes");
    ASSERT_EQ(ask(server.port(), "DELETE", "/v1/states/" + tuned).status, 200);
    EXPECT_LT(server.of_model("skein_kept_bytes"), kept);
  }
  // One that knows it all by the store alone.
  ASSERT_TRUE(store->flush().has_value());
  const TestServer server(with(store));
  const Reply on = complete(server, R"("prompt":"","max_tokens":6,"parent":")" + behind + "\"");
  ASSERT_EQ(on.status, 200) << on.body;
  EXPECT_EQ(text(choice(on.json())), expected);
  const Json asked = complete(server, plain).json();
  const Json alone = complete(server, plain + R"(,"no_cache":true)").json();
  EXPECT_EQ(whole(asked.find("usage").find("prompt_tokens_details").find("cached_tokens")), 0);
  EXPECT_EQ(numbers(choice(asked).find("logprobs").find("token_logprobs")),
            numbers(choice(alone).find("logprobs").find("token_logprobs")));
}

TEST(KeptStates, the_best_of_several_has_no_state_of_its_own) {
  const TestServer server;
  for (const char* wish : {R"("return_state":true)", R"("session":"s")"}) {
    const Reply best = complete(server, fmt::format(R"("prompt":"1 2","best_of":2,{})", wish));
    EXPECT_EQ(best.status, 400) << best.body;
    EXPECT_EQ(best.error("param"), "best_of");
    EXPECT_EQ(complete(server, fmt::format(R"("prompt":"1 2","n":2,"best_of":2,{})", wish)).status,
              200);
    const Reply read =
        complete(server, fmt::format(R"("prompt":"1 2","max_tokens":0,"echo":true,{})", wish));
    EXPECT_EQ(read.status, 400) << read.body;
  }
}

TEST(KeptStates, one_that_is_gone_takes_no_other_answer_along) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  const TestServer server(with(store));
  Client client(server.port());
  client.request("POST", "/v1/completions",
                 stated(R"("prompt":"1 2","n":2,"max_tokens":3000,"stream":true,)"
                        R"("return_state":true)"));
  ASSERT_TRUE(server.wait_until([&] { return all_nodes(*store).size() == 3; }));
  const auto nodes = all_nodes(*store);
  const auto growing = std::find_if(nodes.begin(), nodes.end(), [](const store::Node& node) {
    return node.stage == store::Stage::growing;
  });
  // However far it is by now.
  const std::string gone = growing == nodes.end() ? nodes.front().id : growing->id;
  const Reply refused = ask(server.port(), "DELETE", "/v1/states/" + gone);
  EXPECT_TRUE(refused.status == 200 || refused.error("code") == "state_growing") << refused.body;
  static_cast<void>(store->remove(nobody(), gone));
  const Events events(client.read().body);
  EXPECT_TRUE(events.done);
  EXPECT_FALSE(grows(*store));
  EXPECT_EQ(all_nodes(*store).size(), 2u);
  const store::Node left = all_nodes(*store).front();
  EXPECT_EQ(left.stage, store::Stage::whole);
  EXPECT_EQ(left.own_tokens, 3000u);
  // And what is kept of it is of its tokens.
  const std::string more =
      R"("prompt":" 3","max_tokens":1,"logprobs":1,"parent":")" + left.id + "\"";
  const auto numbers_of = [&](const std::string& fields) {
    return numbers(choice(complete(server, fields).json()).find("logprobs").find("token_logprobs"));
  };
  EXPECT_EQ(numbers_of(more), numbers_of(more + R"(,"no_cache":true)"));
}

// At every place where the room ends.
TEST(KeptStates, where_the_store_is_full_nothing_grows_for_ever) {
  constexpr int64_t kBytes = 16384;
  const std::shared_ptr<store::Store> store =
      store::memory_store({.budget = {.log_bytes = kBytes}});
  const TestServer server(with(store));
  int64_t cut = 0, refused = 0;
  for (int64_t texts = 40; texts <= 500; texts += 20) {
    const int64_t room = 3 * store::kRowBytes + texts;  // of a prompt and two answers
    const int64_t used = store->usage()->log_bytes;
    ASSERT_LT(used, kBytes - room);
    store::Changes pad;
    pad.documents.push_back(
        {"pad", "pad",
         std::string(static_cast<size_t>(kBytes - used - store::kRowBytes - room), 'x')});
    ASSERT_TRUE(store->commit(nobody(), std::move(pad)).has_value());
    const Reply reply =
        complete(server, R"("prompt":"1 2","n":2,"max_tokens":3,"return_state":true)");
    EXPECT_TRUE(reply.status == 200 || reply.status == 507) << reply.body;
    refused += reply.status == 507;
    EXPECT_FALSE(grows(*store)) << room;
    EXPECT_LE(store->usage()->log_bytes, kBytes);
    for (const store::Node& node : all_nodes(*store)) {
      cut += node.stage == store::Stage::cut;
      ASSERT_TRUE(store->remove(nobody(), node.id).has_value());
    }
    ASSERT_TRUE(store->remove_document(nobody(), "pad", "pad").has_value());
  }
  EXPECT_GT(cut, 0);
  EXPECT_GT(refused, cut / 2) << "some before they began";
}

TEST(KeptStates, a_move_is_answered_as_it_was_made) {
  const TestServer server;
  constexpr size_t kWriters = 4, kMoves = 20;
  std::vector<std::string> ids;
  for (size_t i = 0; i < kWriters; ++i)
    ids.push_back(state_id(complete(server, R"("prompt":"1","max_tokens":1,"return_state":true)")));
  std::vector<std::vector<std::string>> tags(kWriters);
  std::vector<std::thread> writers;
  for (size_t i = 0; i < kWriters; ++i)
    writers.emplace_back([&, i] {
      for (size_t n = 0; n < kMoves; ++n) {
        const Reply moved = put(server, "/v1/sessions/s", "{\"state\":\"" + ids[i] + "\"}");
        EXPECT_EQ(text(moved.json(), "state"), ids[i]) << moved.body;
        tags[i].push_back(moved.fields.count("etag") ? moved.fields.at("etag") : "");
      }
    });
  for (std::thread& each : writers) each.join();
  std::set<std::string> different;
  for (const auto& own : tags) different.insert(own.begin(), own.end());
  EXPECT_EQ(different.size(), kWriters * kMoves);
}

TEST(KeptStates, of_a_request_that_is_turned_away_nothing_stays) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  const TestServer server(with(store), {.parallel = 1, .waiting = 4});
  constexpr int kSent = 8;
  std::vector<std::unique_ptr<Client>> clients;
  for (int i = 0; i < kSent; ++i) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->request(
        "POST", "/v1/completions",
        stated(R"("prompt":"1 2","max_tokens":1000000,"stream":true,"return_state":true)"));
  }
  const auto refused = [&] {
    return server.metric("skein_requests_refused_total{model=\"bundled\",reason=\"queue\"}") +
           server.metric("skein_requests_refused_total{model=\"bundled\",reason=\"share\"}");
  };
  // Two of each that was let in: its prompt's and its answer's.
  EXPECT_TRUE(server.wait_until([&] {
    const double let_in =
        server.of_model("skein_sequences") + server.of_model("skein_requests_waiting");
    return refused() > 0 && refused() + let_in == kSent &&
           static_cast<double>(all_nodes(*store).size()) == 2 * let_in;
  })) << refused()
      << " " << all_nodes(*store).size();
}

TEST(KeptStates, a_server_that_ends_leaves_none_growing) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  std::string long_text;
  for (int i = 0; i < 30'000; ++i) long_text += "12 ";
  std::vector<std::unique_ptr<Client>> clients;
  server::ServerOptions options = with(store);
  options.listen.drain_ms = 1;
  auto held = std::make_unique<TestServer>(std::move(options));
  const TestServer& server = *held;
  const auto send = [&](const char* path, const std::string& body) {
    clients.push_back(std::make_unique<Client>(server.port()));
    clients.back()->request("POST", path, body);
  };
  for (int i = 0; i < 4; ++i)
    send("/v1/completions",
         stated(fmt::format(R"("prompt":"1 2","max_tokens":{},"stream":true,"return_state":true)",
                            i < 2 ? 1000000 : 20 * i)));
  ASSERT_TRUE(server.wait_until([&] { return all_nodes(*store).size() == 8; }));
  // What workers do last waits behind these.
  for (int i = 0; i < 12; ++i) send("/tokenize", "{\"prompt\":\"" + long_text + "\"}");
  held.reset();
  EXPECT_FALSE(grows(*store));
}

TEST(Workers, what_is_owed_is_done_and_what_was_pushed_is_dropped_at_the_end) {
  server::Workers workers(1, 1'000'000);
  const auto token = std::make_shared<int>(0);
  std::atomic<int> owed{0}, pushed{0};
  // Ends when the workers do.
  ASSERT_TRUE(workers.push([&workers] {
    for (int i = 0; i < 20'000 && workers.push([] {}); ++i) ::usleep(1000);
  }));
  for (int i = 0; i < 3; ++i) {
    workers.owe([&owed, token] { ++owed; });
    ASSERT_TRUE(workers.push([&pushed, token] { ++pushed; }));
  }
  workers.stop();
  EXPECT_EQ(owed.load(), 3);
  EXPECT_EQ(pushed.load(), 0);
  EXPECT_EQ(token.use_count(), 1);
  workers.owe([&owed] { ++owed; });
  EXPECT_EQ(owed.load(), 4) << "by the caller";
  EXPECT_FALSE(workers.push([] {}));
}

TEST(Sessions, preconditions_mean_the_same_on_every_route) {
  const TestServer server;
  const std::string id =
      state_id(complete(server, R"("prompt":"1","max_tokens":1,"return_state":true)"));
  const std::string move = "{\"state\":\"" + id + "\"}";
  const auto chat = [&](const std::string& name, const std::string& field) {
    return complete(server, R"("prompt":" 2","max_tokens":1,"session":")" + name + "\"", field);
  };
  const auto by_put = [&](const std::string& name, const std::string& field) {
    return put(server, "/v1/sessions/" + name, move, field);
  };
  struct Case {
    const char* field;
    int without, with;  // a session, which has version 1
  };
  for (const Case& one : {Case{"", 200, 200},
                          {"If-Match: \"1\"\r\n", 409, 200},
                          {"If-Match: 1\r\n", 409, 200},
                          {"If-Match: \"9\"\r\n", 409, 409},
                          {"If-Match: *\r\n", 409, 200},
                          {"If-None-Match: *\r\n", 200, 409},
                          {"If-Match: \"\"\r\n", 400, 400},
                          {"If-Match: x\r\n", 400, 400},
                          {"If-Match: \"-1\"\r\n", 400, 400},
                          {"If-None-Match: \"1\"\r\n", 400, 400},
                          {"If-Match: \"1\"\r\nIf-None-Match: *\r\n", 400, 400}}) {
    ask(server.port(), "DELETE", "/v1/sessions/a");
    ask(server.port(), "DELETE", "/v1/sessions/b");
    for (const Reply& reply : {chat("a", one.field), by_put("b", one.field)}) {
      EXPECT_EQ(reply.status, one.without) << one.field << reply.body;
      EXPECT_EQ(reply.error("code"), reply.status == 409 ? "turn_conflict" : "") << one.field;
    }
    ask(server.port(), "DELETE", "/v1/sessions/a");
    ask(server.port(), "DELETE", "/v1/sessions/b");
    ASSERT_EQ(by_put("a", "").status, 200);
    ASSERT_EQ(by_put("b", "").status, 200);
    for (const Reply& reply : {chat("a", one.field), by_put("b", one.field)}) {
      EXPECT_EQ(reply.status, one.with) << one.field << reply.body;
      EXPECT_EQ(reply.error("code"), reply.status == 409 ? "turn_conflict" : "") << one.field;
    }
  }
  EXPECT_EQ(complete(server, R"("prompt":"1")", "If-Match: \"1\"\r\n").status, 400);
}

TEST(Sessions, who_asks_for_any_version_never_makes_the_first_one) {
  const std::shared_ptr<store::Store> store = store::memory_store({});
  const TestServer server(with(store));
  const std::string id = state_id(post(server.port(), "/v1/states", R"({"input":"1 2"})"));
  const auto put = [&](const std::string& field) {
    const std::string body = R"({"state":")" + id + "\"}";
    Client client(server.port());
    client.send(
        fmt::format("PUT /v1/sessions/s HTTP/1.1\r\nHost: localhost\r\nContent-Type: "
                    "application/json\r\nContent-Length: {}\r\n{}\r\n{}",
                    body.size(), field, body));
    return client.read();
  };
  std::atomic<bool> done{false};
  std::thread other([&] {
    while (!done) {
      put("");
      ask(server.port(), "DELETE", "/v1/sessions/s");
    }
  });
  for (int i = 0; i < 200; ++i) {
    Reply moved = put("If-Match: *\r\n");
    EXPECT_TRUE(moved.status == 200 || moved.status == 409) << moved.body;
    if (moved.status == 200) {
      EXPECT_NE(moved.fields["etag"], "\"1\"");
    }
  }
  done = true;
  other.join();
}

TEST(Sessions, bad_names_are_refused_before_anything_is_read) {
  const TestServer server;
  for (const std::string& name : {std::string(), std::string("a\\nb"), std::string(300, 'x')}) {
    const Reply reply = complete(server, R"("prompt":"1 2","session":")" + name + "\"");
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.error("param"), "session");
  }
  EXPECT_EQ(server.of_model("skein_prompt_tokens_total"), 0);
}

TEST(KeptStates, errors_say_what_it_is_that_is_missing_or_taken) {
  const TestServer server;
  const auto made = [&](const char* name) {
    return post(server.port(), "/v1/states", fmt::format(R"({{"input":"1 2","name":"{}"}})", name));
  };
  ASSERT_EQ(made("mine").status, 201);
  const Reply taken = made("mine");
  EXPECT_EQ(taken.status, 409);
  EXPECT_EQ(taken.error("code"), "name_taken");
  EXPECT_EQ(ask(server.port(), "GET", "/v1/sessions/no").error("code"), "session_not_found");
  EXPECT_EQ(ask(server.port(), "DELETE", "/v1/sessions/no").error("code"), "session_not_found");
  EXPECT_EQ(ask(server.port(), "GET", "/v1/states/no").error("code"), "state_not_found");
  const Reply nowhere = put(server, "/v1/sessions/s", R"({"state":"no"})");
  EXPECT_EQ(nowhere.error("code"), "state_not_found");
  EXPECT_EQ(nowhere.error("param"), "state");
  ASSERT_EQ(put(server, "/v1/sessions/s", R"({"state":"mine"})").status, 200);
  const Reply used = ask(server.port(), "DELETE", "/v1/states/mine");
  EXPECT_EQ(used.status, 409);
  EXPECT_EQ(used.error("code"), "state_in_use");
}

TEST(KeptStates, routes_that_keep_no_state_say_so) {
  const TestServer server;
  for (const char* field : {R"("session":"s")", R"("parent":"st_x")", R"("state":"mine")",
                            R"("return_state":true)", R"("return_state":"url")"})
    for (const auto& [path, body] : {std::pair("/v1/responses", R"("input":"1")"),
                                     {"/v1/embeddings", R"("input":"1")"},
                                     {"/v1/rerank", R"("query":"1","documents":["2"])"}}) {
      const Reply reply = post(server.port(), path, fmt::format("{{{},{}}}", body, field));
      EXPECT_EQ(reply.status, 400) << path << reply.body;
      EXPECT_EQ(fmt::format("\"{}\"", reply.error("param")),
                std::string(field).substr(0, std::string(field).find(':')));
    }
  EXPECT_EQ(
      post(server.port(), "/v1/embeddings", R"({"input":"1","return_state":false,"state":null})")
          .status,
      200);
}

TEST(KeptStates, ids_that_a_vocabulary_lacks_take_no_text_along) {
  const text::Tokenizer& tokenizer = *bundled().tokenizer;
  const int32_t ids[] = {49, tokenizer.size() + 7, 50};
  EXPECT_EQ(server::text_of(tokenizer, ids),
            std::string(tokenizer.bytes_of(49)) + std::string(tokenizer.bytes_of(50)));
}

TEST(KeptStates, whose_turn_it_is_counts_for_states_that_are_read) {
  const TestServer server;
  ASSERT_EQ(post(server.port(), "/v1/states", R"({"input":"1","name":"a"})").status, 201);
  for (const char* path : {"/v1/states", "/v1/states/a/append"}) {
    const Reply reply = post(server.port(), path, R"({"input":"1 2","user":5})");
    EXPECT_EQ(reply.status, 400) << reply.body;
    EXPECT_EQ(reply.error("param"), "user");
    EXPECT_EQ(post(server.port(), path, R"({"input":"1 2","user":"me"})").status, 201);
  }
}

TEST(KeptStates, pages_of_a_kind_are_full_and_lists_take_names) {
  const TestServer server;
  for (int i = 0; i < 6; ++i)
    ASSERT_EQ(post(server.port(), "/v1/states",
                   fmt::format(R"({{"input":"1 {0}","name":"n{0}","kind":"{1}"}})", i,
                               i % 3 == 0 ? "document" : "other"))
                  .status,
              201);
  const Json page = ask(server.port(), "GET", "/v1/states?kind=document&limit=2").json();
  ASSERT_EQ(page.find("data").array()->size(), 2u);
  EXPECT_EQ(text(page.find("data").array()->front(), "name"), "n3");
  const Json named = ask(server.port(), "GET", "/v1/states?ids=n1,none,n4").json();
  ASSERT_EQ(named.find("data").array()->size(), 2u);
  EXPECT_EQ(text((*named.find("data").array())[1], "name"), "n4");
}

}  // namespace
}  // namespace skein::test
