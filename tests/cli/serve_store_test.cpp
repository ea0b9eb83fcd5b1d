// skein serve --store: what the program has answered is there after any end of it, and goes on as
// if it had not ended.
#include <gtest/gtest.h>
#include <sched.h>
#include <sys/mount.h>

#include <atomic>
#include <fstream>
#include <map>
#include <optional>
#include <thread>

#include "cli/store_server.h"
#include "support/random.h"
#include "support/redis_server.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

// Somebody who talks in a session of his own until the server is gone.
struct Talker {
  std::string session;
  bool stream = false;
  // Turns that happened, by their numbers; those whose answer never came have none.
  std::map<int, std::optional<std::string>> turns{};
  int next = 1;

  void talk(uint16_t port, std::atomic<uint64_t>& answers) {
    while (true) {
      const auto answer = answer_in(ask_turn(port, session, next, stream), stream);
      if (!answer) return;
      turns[next++] = answer;
      ++answers;
    }
  }
  // Afterwards the last one may have happened, too, and nothing else.
  void look(uint16_t port) {
    const int64_t version = version_of(port, session);
    const auto told = static_cast<int64_t>(turns.size());
    ASSERT_GE(version, told) << session << ": an answer that was given is gone";
    ASSERT_LE(version, told + 1) << session << ": turns that nobody asked for";
    if (version > told) turns[next] = std::nullopt;
    ++next;  // in any case: it is not asked for again
  }
  // Somebody whom nothing happened heard the same.
  void compare(uint16_t uninterrupted) const {
    for (const auto& [number, answer] : turns) {
      const auto other = answer_in(ask_turn(uninterrupted, session, number, stream), stream);
      ASSERT_TRUE(other.has_value());
      ASSERT_EQ(answer.value_or(*other), *other) << session << ", turn " << number;
    }
  }
};

// And somebody whose responses lead from one to the next.
struct Responder {
  std::map<std::string, std::string> kept{};
  std::string last{};

  void talk(uint16_t port, std::atomic<uint64_t>& answers) {
    while (true) {
      const std::string previous = last.empty() ? "" : R"(,"previous_response_id":")" + last + "\"";
      const Reply reply =
          post(port, "/v1/responses",
               R"({"input":"Reverse: river","max_output_tokens":5)" + previous + "}");
      if (reply.status != 200) return;
      const std::string id = text_in(reply.json(), "id");
      kept[id] = reply.body;
      ++answers;
      // Each is rendered anew with all before it.
      last = kept.size() % 6 == 0 ? "" : id;
    }
  }
  void look(uint16_t port) const {
    for (const auto& [id, body] : kept)
      ASSERT_EQ(ask(port, "GET", "/v1/responses/" + id).body, body);
  }
};

void kill_servers(bool redis) {
  constexpr int kKillsOfOne = 20;
  const int kills = thorough() ? 200 : kKillsOfOne;
  Random random(20261130);
  for (int done = 0; done < kills && !testing::Test::HasFailure();) {
    const Folder folder;
    std::optional<RedisServer> shared;
    if (redis) shared.emplace();
    const std::string store = redis ? shared->address() : (folder / "store").string();
    std::vector<Talker> talkers = {
        {.session = "one"}, {.session = "two", .stream = true}, {.session = "three"}};
    Responder responder;
    for (int i = 0; i <= kKillsOfOne && !testing::Test::HasFailure(); ++i) {
      Server server({"--store", store});
      if (i > 0) {
        for (Talker& one : talkers) one.look(server.port());
        responder.look(server.port());
      }
      if (i == kKillsOfOne) break;
      std::atomic<uint64_t> answers{0};
      std::vector<std::thread> threads;
      for (Talker& one : talkers) threads.emplace_back([&] { one.talk(server.port(), answers); });
      threads.emplace_back([&] { responder.talk(server.port(), answers); });
      // Anywhere in what comes after some of them.
      const uint64_t some = random.below(16);
      EXPECT_TRUE(server.wait_until([&] { return answers >= some; }));
      ::usleep(static_cast<useconds_t>(random.below(8'000)));
      EXPECT_EQ(server.end(SIGKILL), 1000 + SIGKILL);
      for (std::thread& thread : threads) thread.join();
      ++done;
    }
    const Server uninterrupted;
    for (const Talker& one : talkers) {
      EXPECT_GT(one.turns.size(), size_t{0});
      one.compare(uninterrupted.port());
    }
    EXPECT_GT(responder.kept.size(), size_t{0});
  }
}

TEST(ServeStore, a_killed_server_has_all_it_answered_and_goes_on_as_if_it_had_not_been) {
  kill_servers(false);
}

TEST(ServeStore, so_it_is_with_a_redis) {
  SK_NEEDS_REDIS();
  kill_servers(true);
}

TEST(ServeStore, an_end_that_was_asked_for_leaves_snapshots_and_the_next_start_says_what_it_found) {
  const Folder folder;
  const std::string store = folder / "store";
  {
    Server server({"--store", store});
    EXPECT_NE(server.err().find("nothing is kept there yet"), std::string::npos) << server.err();
    for (int turn = 1; turn <= 3; ++turn)
      EXPECT_EQ(ask_turn(server.port(), "talk", turn, false).status, 200);
    EXPECT_EQ(server.end(SIGTERM), 0);
  }
  Server server({"--store", store});
  EXPECT_NE(server.err().find("found 6 states, 1 session and 0 responses"), std::string::npos)
      << server.err();
  const Reply reply = ask_turn(server.port(), "talk", 4, false);
  int64_t cached = 0;
  reply.json().find("usage").find("prompt_tokens_details").find("cached_tokens").integer(cached);
  EXPECT_GT(cached, 60) << reply.body << ": the states were not read from the disk";
  EXPECT_EQ(version_of(server.port(), "talk"), 4);
}

TEST(ServeStore, without_snapshots_it_reads_again_and_says_the_same) {
  const Folder folder;
  const std::string store = folder / "store";
  const Server uninterrupted;
  for (int turn = 1; turn <= 4; ++turn) {
    Server server({"--store", store, "--store-sync", "power"});
    const Reply reply = ask_turn(server.port(), "talk", turn, false);
    EXPECT_EQ(answer_in(reply, false),
              answer_in(ask_turn(uninterrupted.port(), "talk", turn, false), false));
    EXPECT_EQ(server.end(SIGTERM), 0);
    std::filesystem::remove_all(std::filesystem::path(store) / "snapshots");
  }
}

TEST(ServeStore, a_turn_is_not_doubled_by_whoever_asks_again_for_its_version) {
  const Folder folder;
  const std::string store = folder / "store";
  const std::string body = R"({"session":"talk","messages":[{"role":"user","content":"a"}],)"
                           R"("max_tokens":4,"think":"none"})";
  const auto turn = [&](uint16_t port) {
    Client client(port);
    client.request("POST", "/v1/chat/completions", body, "If-Match: \"0\"\r\n");
    return client.read();
  };
  {
    Server server({"--store", store});
    EXPECT_EQ(turn(server.port()).status, 200);
    server.end(SIGKILL);
  }
  const Server server({"--store", store});
  const Reply again = turn(server.port());
  EXPECT_EQ(again.status, 409) << again.body;
  EXPECT_EQ(again.error("code"), "turn_conflict");
  EXPECT_EQ(version_of(server.port(), "talk"), 1);
}

// Takes what room there is.
void fill(const std::string& file) {
  std::ofstream out(file, std::ios::binary | std::ios::app);
  for (const size_t size : {65536, 4096}) {
    const std::string block(size, 'x');
    while (out.write(block.data(), static_cast<std::streamsize>(size)).flush()) continue;
    out.clear();
  }
}

void talk_on_a_full_disk(const std::string& folder) {
  Server server({"--store", folder + "/store"});
  for (int turn = 1; turn <= 5; ++turn)
    ASSERT_EQ(ask_turn(server.port(), "talk", turn, false).status, 200);
  fill(folder + "/filler");
  // Snapshots make room for some turns first. Of the others none happens.
  int number = 6, refused = 0;
  for (int tries = 0; refused < 100 && tries < 5000; ++tries) {
    const Reply reply = ask_turn(server.port(), "talk", number, refused % 2 == 1);
    if (answer_in(reply, refused % 2 == 1)) {
      ++number;
      continue;
    }
    ++refused;
    ASSERT_NE(reply.body.find("store_full"), std::string::npos) << reply.body;
    ASSERT_NE(reply.body.find("make room and try again"), std::string::npos) << reply.body;
  }
  EXPECT_EQ(refused, 100);
  EXPECT_EQ(version_of(server.port(), "talk"), number - 1);
  // What needs no room is served as ever.
  EXPECT_EQ(post(server.port(), "/v1/completions", R"({"prompt":"a","max_tokens":2})").status, 200);
  std::filesystem::remove(folder + "/filler");
  const auto answer = answer_in(ask_turn(server.port(), "talk", number, false), false);
  EXPECT_EQ(version_of(server.port(), "talk"), number);
  const Server uninterrupted;
  std::optional<std::string> other;
  for (int turn = 1; turn <= number; ++turn)
    other = answer_in(ask_turn(uninterrupted.port(), "talk", turn, false), false);
  EXPECT_EQ(answer, other);
}

TEST(ServeStore, a_full_disk_refuses_turns_and_takes_them_again_when_there_is_room) {
  const Folder folder;
  const pid_t child = ::fork();
  ASSERT_GE(child, 0);
  constexpr int kNoFileSystem = 77;
  if (child == 0) {
    const int own_user = ::geteuid() == 0 ? 0 : CLONE_NEWUSER;
    const std::string place = folder / "";
    if (::unshare(CLONE_NEWNS | own_user) != 0 ||
        ::mount(nullptr, "/", nullptr, MS_REC | MS_PRIVATE, nullptr) != 0 ||
        ::mount("tmpfs", place.c_str(), "tmpfs", 0, "size=8m") != 0)
      ::_exit(kNoFileSystem);
    talk_on_a_full_disk(place);
    std::fflush(nullptr);
    ::_exit(testing::Test::HasFailure() ? 1 : 0);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_TRUE(WIFEXITED(status));
  if (WEXITSTATUS(status) == kNoFileSystem)
    GTEST_SKIP() << "SKIPPED: no file system may be mounted here";
  EXPECT_EQ(WEXITSTATUS(status), 0);
}

TEST(ServeStore, a_store_that_cannot_be_used_is_one_sentence_with_a_remedy) {
  const Folder folder;
  const auto refused = [](const std::string& store, int code, std::string_view remedy) {
    const Ran ran = run({"serve", kModel, "--port", "0", "--store", store});
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_NE(ran.err.find(remedy), std::string::npos) << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << ran.err;
    EXPECT_EQ(ran.out, "");
  };
  const std::string mine = folder / "mine";
  const Server server({"--store", mine});
  refused(mine, 1, "end that one or name another folder");
  const std::string file = folder / "file";
  std::ofstream(file) << "text";
  refused(file, 1, "a store is a folder");
  const std::string foreign = folder / "foreign";
  std::filesystem::create_directory(foreign);
  std::ofstream(foreign + "/skein.db") << std::string(5000, 'x');
  refused(foreign, 3, "name another folder");
}

}  // namespace
}  // namespace skein::test
