// The store in a Redis: what several of them make together, and what they say of one that is gone,
// slow, full, closed or somebody else's.
#include <algorithm>
#include <chrono>
#include <thread>

#include "store/stores.h"

namespace skein::test {
namespace {

using std::chrono::milliseconds;

const Tenant kMine = tenant(1);

class RedisStore : public testing::Test {
 protected:
  void SetUp() override {
    SK_NEEDS_REDIS();
    // Begun here: it ends with the thread that began it.
    static_cast<void>(shared_redis());
  }
  static std::unique_ptr<store::Store> open(const RedisServer& server, const std::string& prefix,
                                            milliseconds lease = std::chrono::minutes(1)) {
    store::RedisOptions redis = redis_at(server, prefix);
    redis.lease = lease;
    return open_redis(redis, {});
  }
  // Why it cannot be opened, with the code before it.
  static std::string refusal(const store::RedisOptions& redis) {
    const auto opened = store::open_redis_store(redis, {});
    if (opened) return "opened";
    return std::string(code_name(opened.error().code)) + ": " + opened.error().message;
  }
  template <typename Ready>
  static bool wait_until(const Ready& ready) {
    for (int i = 0; i < 4000; ++i) {
      if (ready()) return true;
      std::this_thread::sleep_for(milliseconds(5));
    }
    return false;
  }
  static std::string all_news(store::Store& store) {
    std::string out;
    for (const std::string& line : store.news()) out += line + "\n";
    return out;
  }
};

TEST(RedisAddress, is_read_as_it_is_written_and_never_holds_a_password) {
  const std::pair<const char*, const char*> good[] = {
      {"redis://host", "redis://host:6379/0"},
      {"redis://me@host:7000/3", "redis://me@host:7000/3"},
      {"redis://[::1]:7000", "redis://[::1]:7000/0"},
      {"redis://host/", "redis://host:6379/0"},
      {"redis+unix:/run/redis.sock", "redis+unix:/run/redis.sock"},
      {"redis+unix:///run/redis.sock?db=2", "redis+unix:/run/redis.sock?db=2"},
      {"redis+unix://me@/run/redis.sock", "redis+unix://me@/run/redis.sock"}};
  for (const auto& [text, whole] : good) {
    const auto address = store::parse_redis_address(text);
    ASSERT_TRUE(address.has_value()) << text << ": " << address.error().message;
    EXPECT_EQ(address->text(), whole);
    EXPECT_EQ(store::parse_redis_address(whole)->text(), whole);
  }
  for (const char* text : {"redis://", "redis://host:0", "redis://host:x", "redis://host/x",
                           "redis://[::1", "redis://a b", "redis://host:70000", "redis+unix:run",
                           "redis+unix:", "redis+unix:/a?db=-1"})
    EXPECT_FALSE(store::parse_redis_address(text).has_value()) << text;
  for (const char* text : {"redis://me:secret@host", "redis+unix://me:secret@/run/s"}) {
    const auto address = store::parse_redis_address(text);
    ASSERT_FALSE(address.has_value());
    EXPECT_EQ(address.error().message.find("secret"), std::string::npos);
    EXPECT_NE(address.error().message.find("SKEIN_STORE_PASSWORD"), std::string::npos);
  }
  EXPECT_EQ(store::parse_redis_address("rediss://host").error().code, Code::unsupported);
}

TEST_F(RedisStore, servers_that_compare_and_set_a_session_lose_no_turn) {
  constexpr int kServers = 4, kTurns = 20;
  const std::string prefix = fresh_prefix();
  const auto first = open(shared_redis(), prefix);
  const std::string root = put(*first, kMine, draft("", {0}, ""));
  ASSERT_EQ(outcome(first->commit(kMine, moved("chat", root, 0))), "done");
  std::vector<std::thread> threads;
  for (int i = 0; i < kServers; ++i)
    threads.emplace_back([&, i] {
      const auto own = open(shared_redis(), prefix);
      for (int turn = 0; turn < kTurns;) {
        const auto session = own->session(kMine, "chat");
        ASSERT_TRUE(session.has_value()) << session.error().message;
        Changes next = changes(draft(session->node, {i * kTurns + turn}, ""));
        next.sessions.push_back({"chat", next.nodes[0].id, session->version, 0});
        const auto committed = own->commit(kMine, std::move(next));
        turn += committed.has_value();
        // Whoever finds the others faster again and again is told to try again.
        ASSERT_TRUE(committed || committed.error().trouble == Trouble::conflict ||
                    committed.error().trouble == Trouble::unavailable);
      }
    });
  for (std::thread& thread : threads) thread.join();
  const auto session = first->session(kMine, "chat");
  EXPECT_EQ(session->version, 1u + kServers * kTurns);
  const auto path = first->path(kMine, session->node);
  ASSERT_TRUE(path.has_value()) << path.error().message;
  std::vector<int32_t> tokens(path->tokens.begin() + 1, path->tokens.end());
  std::sort(tokens.begin(), tokens.end());
  ASSERT_EQ(tokens.size(), size_t{kServers * kTurns});
  for (int i = 0; i < kServers * kTurns; ++i) EXPECT_EQ(tokens[static_cast<size_t>(i)], i);
  EXPECT_EQ(first->usage()->nodes, 1 + kServers * kTurns) << "no sum is lost either";
}

TEST_F(RedisStore, of_many_servers_one_gets_a_name_and_all_agree_what_is_there) {
  const std::string prefix = fresh_prefix();
  std::atomic<int> got{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i)
    threads.emplace_back([&, i] {
      const auto own = open(shared_redis(), prefix);
      for (int name = 0; name < 10; ++name) {
        store::NodeDraft node = draft("", {i}, "text");
        node.name = "name" + std::to_string(name);
        // Whoever finds the others faster again and again is told to try again.
        const auto until_told = [](const auto& attempt) {
          std::string what;
          for (int tries = 0; (what = outcome(attempt())) == "unavailable" && tries < 2000; ++tries)
            std::this_thread::sleep_for(milliseconds(5));
          return what;
        };
        const std::string what = until_told([&] { return own->commit(kMine, changes(node)); });
        EXPECT_TRUE(what == "done" || what == "conflict") << what << all_news(*own);
        got += what == "done";
        if (what == "done" && name % 2) {
          EXPECT_EQ(until_told([&] { return own->remove(kMine, node.id); }), "done");
        }
      }
    });
  for (std::thread& thread : threads) thread.join();
  const auto store = open(shared_redis(), prefix);
  EXPECT_GE(got, 10);
  const auto usage = store->usage();
  const auto page = store->list(kMine, {});
  ASSERT_TRUE(usage) << usage.error().message << all_news(*store);
  ASSERT_TRUE(page) << page.error().message;
  EXPECT_EQ(page->items.size(), 5u);
  EXPECT_EQ(usage->nodes, 5);
  EXPECT_EQ(usage->log_bytes, 5 * (store::kRowBytes + 4 + 4));
}

TEST_F(RedisStore, what_an_ended_server_left_growing_is_cut_and_a_living_ones_is_not) {
  const std::string prefix = fresh_prefix();
  const auto living = open(shared_redis(), prefix);
  auto ending = open(shared_redis(), prefix, milliseconds(150));
  const auto grow = [](store::Store& store) {
    store::NodeDraft node = draft("", {1}, "a");
    node.growing = true;
    const std::string id = put(store, kMine, node);
    EXPECT_TRUE(store.append(std::vector{store::Growth{kMine, id, {2, 3}, "bc"}}).has_value());
    return id;
  };
  const std::string mine = grow(*living), left = grow(*ending);
  ending.reset();
  const auto other = open(shared_redis(), prefix, milliseconds(150));
  EXPECT_TRUE(wait_until([&] { return other->node(kMine, left)->stage == store::Stage::cut; }));
  EXPECT_EQ(living->path(kMine, left)->text, "abc");
  EXPECT_EQ(other->node(kMine, mine)->stage, store::Stage::growing);
  EXPECT_EQ(other->path(kMine, mine)->text, "abc");
}

TEST_F(RedisStore, a_long_path_is_asked_for_in_stretches_and_is_whole) {
  const auto store = open(shared_redis(), fresh_prefix());
  std::string last;
  std::vector<int32_t> tokens;
  for (int i = 0; i < 150; ++i) {
    last = put(*store, kMine, draft(last, {i}, "x"));
    tokens.push_back(i);
    EXPECT_EQ(store->path(kMine, last)->tokens, tokens);
  }
  EXPECT_EQ(store->path(kMine, last)->steps.size(), 150u);
}

TEST_F(RedisStore, one_that_ends_is_told_of_at_once_and_found_again_with_all_it_had) {
  RedisServer server({"--appendonly", "yes"});
  const auto store = open(server, "skein:");
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(put(*store, kMine, draft("", {i}, "a")));
  EXPECT_EQ(all_news(*store), "");
  server.end(SIGKILL);
  EXPECT_TRUE(wait_until([&] { return !store->health().up; }));
  for (int i = 0; i < 100; ++i)
    EXPECT_EQ(outcome(store->commit(kMine, changes(draft("", {1}, "a")))), "unavailable");
  EXPECT_EQ(outcome(store->node(kMine, ids[0])), "unavailable");
  EXPECT_EQ(outcome(store->path(kMine, ids[0])), "unavailable");
  EXPECT_EQ(outcome(store->beginning(kMine, ids[0])), "unavailable");
  EXPECT_EQ(outcome(store->usage()), "unavailable");
  EXPECT_NE(all_news(*store).find("does not answer"), std::string::npos);
  server.start();
  EXPECT_TRUE(wait_until([&] { return store->health().up; }));
  EXPECT_NE(all_news(*store).find("answers again"), std::string::npos);
  for (const std::string& id : ids) EXPECT_EQ(outcome(store->node(kMine, id)), "done");
  EXPECT_EQ(outcome(store->commit(kMine, changes(draft(ids[0], {1}, "a")))), "done");
  EXPECT_GT(store->health().failures, 0u);
}

TEST_F(RedisStore, one_that_is_not_there_at_first_is_found_later) {
  RedisServer server;
  server.end(SIGKILL);
  const auto store = open(server, "skein:");
  ASSERT_TRUE(store);
  EXPECT_FALSE(store->health().up);
  EXPECT_EQ(outcome(store->commit(kMine, changes(draft("", {1}, "a")))), "unavailable");
  server.start();
  EXPECT_TRUE(wait_until([&] { return store->health().up; }));
  EXPECT_EQ(outcome(store->commit(kMine, changes(draft("", {1}, "a")))), "done");
}

TEST_F(RedisStore, one_that_stands_still_holds_nobody_up_and_what_it_may_have_done_is_done_once) {
  RedisServer server;
  store::RedisOptions redis = redis_at(server, "skein:");
  redis.patience = milliseconds(400);
  const auto store = open_redis(redis, {});
  store::NodeDraft node = draft("", {1}, "a");
  node.growing = true;
  const std::string id = put(*store, kMine, node);
  const std::vector<store::Growth> first = {{kMine, id, {2}, "b"}},
                                   again = {{kMine, id, {2, 3}, "bc"}};
  for (int round = 0; round < 2; ++round) {
    server.send(SIGSTOP);
    const auto began = std::chrono::steady_clock::now();
    EXPECT_EQ(outcome(store->append(first)), "unavailable");
    for (int i = 0; i < 50; ++i) EXPECT_EQ(outcome(store->node(kMine, id)), "unavailable");
    EXPECT_LT(std::chrono::steady_clock::now() - began, std::chrono::seconds(10))
        << "each waited for itself";
    server.send(SIGCONT);
    EXPECT_TRUE(wait_until([&] { return store->health().up; }));
  }
  // Whoever tries again says it all: what was told may have arrived.
  ASSERT_TRUE(wait_until([&] { return store->append(again).has_value(); }));
  Changes end;
  end.finished.push_back({id, {4}, "d", ""});
  ASSERT_EQ(outcome(store->commit(kMine, end)), "done");
  EXPECT_EQ(store->path(kMine, id)->tokens, (std::vector<int32_t>{1, 2, 3, 4}));
  EXPECT_EQ(store->path(kMine, id)->text, "abcd");
}

TEST_F(RedisStore, one_that_is_full_drops_snapshots_first_and_then_refuses_until_there_is_room) {
  const RedisServer server({"--maxmemory", "12mb", "--maxmemory-policy", "noeviction"});
  const auto store = open(server, "skein:");
  std::vector<std::string> ids, large;
  for (int i = 0; i < 8; ++i) {
    ids.push_back(put(*store, kMine, draft("", {i}, "a")));
    ASSERT_EQ(outcome(store->keep_snapshot(kMine, ids.back(), image(500'000))), "done");
  }
  ASSERT_EQ(outcome(store->flush()), "done");
  int refused = 0;
  const auto more = [&] {
    store::NodeDraft node = draft("", {1}, std::string(300'000, 'a'));
    large.push_back(node.id);
    const std::string what = outcome(store->commit(kMine, changes(std::move(node))));
    if (what != "done") large.pop_back();
    EXPECT_TRUE(what == "done" || what == "full") << what;
    refused += what == "full";
  };
  for (int i = 0; i < 300 && refused < 20; ++i) more();
  EXPECT_EQ(refused, 20);
  EXPECT_GT(store->usage()->evicted, 0);
  EXPECT_NE(all_news(*store).find("OOM"), std::string::npos);
  EXPECT_TRUE(store->health().up);
  for (const std::string& id : ids) EXPECT_EQ(outcome(store->path(kMine, id)), "done");
  // What takes something away needs no room.
  std::vector<std::string> filled = {"DEL"};
  while (true) {
    const std::string filler = "filler" + std::to_string(filled.size());
    if (server.ask({"SET", filler, std::string(10'000, 'x')}) != "+OK\r\n") break;
    filled.push_back(filler);
  }
  for (const std::string& id : large) EXPECT_EQ(outcome(store->remove(kMine, id)), "done");
  if (filled.size() > 1) server.ask(filled);
  EXPECT_EQ(outcome(store->commit(kMine, changes(draft("", {1}, "a")))), "done");
  EXPECT_EQ(store->usage()->nodes, static_cast<int64_t>(ids.size()) + 1);
  EXPECT_EQ(store->usage()->log_bytes, 9 * (store::kRowBytes + 4 + 1));
}

TEST_F(RedisStore, a_password_is_wrong_missing_or_right_and_a_user_needs_no_more_than_is_said) {
  const RedisServer server;
  // As docs/deploying.md says it.
  EXPECT_EQ(server.ask({"ACL", "SETUSER", "skein", "on", ">secret", "~skein:*", "+@read", "+@write",
                        "+@transaction", "+@connection", "+info", "-@dangerous", "+info"}),
            "+OK\r\n");
  EXPECT_EQ(server.ask({"ACL", "SETUSER", "nobody", "on", ">secret", "~other:*", "+@all"}),
            "+OK\r\n");
  EXPECT_EQ(server.ask({"ACL", "SETUSER", "default", "off"}), "+OK\r\n");
  store::RedisOptions redis = redis_at(server, "skein:");
  EXPECT_NE(refusal(redis).find("argument: "), std::string::npos) << refusal(redis);
  EXPECT_NE(refusal(redis).find("the password is missing"), std::string::npos) << refusal(redis);
  redis.address.user = "skein";
  redis.password = "sesame";
  EXPECT_NE(refusal(redis).find("the password is not right"), std::string::npos) << refusal(redis);
  EXPECT_EQ(refusal(redis).find("sesame"), std::string::npos);
  redis.password = "secret";
  redis.address.user = "nobody";
  EXPECT_NE(refusal(redis).find("may not do what is needed"), std::string::npos) << refusal(redis);
  redis.address.user = "skein";
  const auto store = open_redis(redis, {});
  ASSERT_TRUE(store);
  store::NodeDraft node = draft("", {1}, "a");
  node.name = "name";
  node.ttl_ms = 1;
  node.growing = true;
  const std::string id = put(*store, kMine, node);
  EXPECT_EQ(outcome(store->append(std::vector{store::Growth{kMine, id, {2}, "b"}})), "done");
  Changes end = document("k", "d", "{}");
  end.finished.push_back({id, {}, "", ""});
  end.sessions.push_back({"chat", id, 0, 1000});
  EXPECT_EQ(outcome(store->commit(kMine, end)), "done");
  EXPECT_EQ(outcome(store->keep_snapshot(kMine, id, image(100))), "done");
  EXPECT_EQ(outcome(store->flush()), "done");
  EXPECT_EQ(outcome(store->path(kMine, id)), "done");
  EXPECT_EQ(outcome(store->list(kMine, {})), "done");
  EXPECT_EQ(outcome(store->sweep()), "done");
  EXPECT_EQ(outcome(store->erase(kMine)), "done");
  EXPECT_EQ(store->health().failures, 0u) << all_news(*store);
}

TEST_F(RedisStore, it_is_reached_by_a_port_too_and_in_any_of_its_databases) {
  const uint16_t port = free_port();
  const RedisServer server({"--bind", "127.0.0.1", "--port", std::to_string(port)});
  const auto at = [&](int database) {
    store::RedisOptions redis;
    redis.address =
        *store::parse_redis_address(fmt::format("redis://127.0.0.1:{}/{}", port, database));
    return redis;
  };
  const auto first = open_redis(at(0), {}), second = open_redis(at(3), {});
  ASSERT_TRUE(first && second);
  const std::string id = put(*first, kMine, draft("", {1}, std::string(2'000'000, 'a')));
  EXPECT_EQ(first->path(kMine, id)->text.size(), 2'000'000u);
  EXPECT_EQ(outcome(second->node(kMine, id)), "missing");
  EXPECT_EQ(outcome(open_redis(at(0), {})->node(kMine, id)), "done");
}

TEST_F(RedisStore, keys_of_another_program_and_of_a_newer_skein_are_told) {
  const RedisServer server;
  const auto says = [&](std::string_view code, std::string_view what) {
    const std::string text = refusal(redis_at(server, "skein:"));
    EXPECT_TRUE(text.starts_with(code)) << text;
    EXPECT_NE(text.find(what), std::string::npos) << text;
    EXPECT_NE(text.find("--store-prefix"), std::string::npos) << text;
  };
  EXPECT_EQ(server.ask({"SET", "skein:skein", "a cat"}), "+OK\r\n");
  says("mismatch", "another program's");
  EXPECT_EQ(server.ask({"SET", "skein:skein", "SkeinRs9"}), "+OK\r\n");
  says("unsupported", "newer Skein");
  EXPECT_EQ(server.ask({"DEL", "skein:skein"}), ":1\r\n");
  EXPECT_EQ(server.ask({"LPUSH", "skein:skein", "x"}), ":1\r\n");
  says("mismatch", "another program's");
  EXPECT_EQ(server.ask({"TYPE", "skein:skein"}), "+list\r\n") << "it was left as it was";
}

TEST_F(RedisStore, a_value_that_is_damaged_or_foreign_is_told_and_not_believed) {
  const std::string prefix = fresh_prefix();
  const RedisServer& server = shared_redis();
  const auto store = open(server, prefix);
  const std::string id = put(*store, kMine, draft("", {1, 2, 3}, "abc"));
  const std::string other = put(*store, kMine, draft("", {9, 9, 9}, "xyz"));
  ASSERT_EQ(outcome(store->commit(kMine, moved("chat", id, 0))), "done");
  ASSERT_EQ(outcome(store->commit(kMine, document("k", "d", "{}"))), "done");
  const std::string session = prefix + "session:" + hex(kMine) + ":chat";
  const std::string paper = prefix + "document:" + hex(kMine) + ":k:d";
  // What one key is turned into, and what is said then.
  const auto damage = [&](const std::string& key, const std::string& from, const auto& look) {
    ASSERT_EQ(server.ask({"EXISTS", key}), ":1\r\n") << key;
    ASSERT_EQ(server.ask({"COPY", key, prefix + "whole", "REPLACE"}), ":1\r\n");
    const std::vector<std::vector<std::string>> harms = {{"SET", key, "a cat"},
                                                         {"SET", key, ""},
                                                         {"APPEND", key, "x"},
                                                         {"SETRANGE", key, "20", "\x7f\x7f"},
                                                         {"COPY", from, key, "REPLACE"}};
    for (const auto& harm : harms) {
      ASSERT_FALSE(server.ask(harm).starts_with("-")) << harm[0];
      look(harm[0]);
      ASSERT_EQ(server.ask({"COPY", prefix + "whole", key, "REPLACE"}), ":1\r\n");
    }
    ASSERT_EQ(server.ask({"DEL", key}), ":1\r\n");
    ASSERT_EQ(server.ask({"LPUSH", key, "x"}), ":1\r\n");
    look("LPUSH");
    ASSERT_EQ(server.ask({"COPY", prefix + "whole", key, "REPLACE"}), ":1\r\n");
  };
  const auto broken = [](const auto& ask) {
    return [ask](const std::string& how) { EXPECT_EQ(ask(), "broken") << how; };
  };
  damage(prefix + "node:" + id, prefix + "node:" + other,
         broken([&] { return outcome(store->node(kMine, id)); }));
  damage(prefix + "log:" + id, prefix + "log:" + other,
         broken([&] { return outcome(store->path(kMine, id)); }));
  damage(session, prefix + "node:" + id,
         broken([&] { return outcome(store->session(kMine, "chat")); }));
  damage(paper, session, broken([&] { return outcome(store->document(kMine, "k", "d")); }));
  EXPECT_EQ(store->path(kMine, id)->text, "abc");
  EXPECT_EQ(store->session(kMine, "chat")->node, id);

  // A snapshot is read again.
  const std::string key = prefix + "image:" + id;
  for (const std::vector<std::string>& harm : std::vector<std::vector<std::string>>{
           {"SETRANGE", key, "100", "\x7f"}, {"SET", key, "a cat"}, {"DEL", key}}) {
    ASSERT_EQ(outcome(store->keep_snapshot(kMine, id, image(200))), "done");
    ASSERT_EQ(outcome(store->flush()), "done");
    ASSERT_EQ(server.ask({"TTL", key}), ":-1\r\n") << "it is somebody's";
    ASSERT_FALSE(server.ask(harm).starts_with("-"));
    const auto begins = store->beginning(kMine, id);
    ASSERT_TRUE(begins.has_value()) << begins.error().message;
    EXPECT_FALSE(begins->has_value());
    EXPECT_EQ(outcome(store->drop_snapshot(kMine, id)), "done");
  }
  EXPECT_EQ(store->usage()->damaged, 3);
}

}  // namespace
}  // namespace skein::test
