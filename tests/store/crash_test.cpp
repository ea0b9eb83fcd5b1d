// A process that is killed takes nothing that it has acknowledged, whatever it was doing.
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstring>
#include <map>

#include "store/stores.h"
#include "support/random.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

constexpr size_t kIdBytes = 35;

// What the killed process said, after each call that had returned.
struct Said {
  char what = 0;  // 'n' a node, 't' tokens of it, 's' the session, 'd' a document
  char id[kIdBytes + 1] = {};
  uint64_t count = 0;
};

// Tokens, texts and snapshots follow from the id, so that mixed and torn ones show.
int32_t token_of(const std::string& id, uint64_t place) {
  const std::string text = id + std::to_string(place);
  return static_cast<int32_t>(crc32(std::as_bytes(std::span(text))) >> 1);
}

void extend(const std::string& id, uint64_t from, uint64_t count, std::vector<int32_t>& tokens,
            std::string& text) {
  for (uint64_t i = from; i < from + count; ++i) {
    tokens.push_back(token_of(id, i));
    text += std::to_string(tokens.back()) + ' ';
  }
}

std::vector<std::byte> image_of(const std::string& id) {
  std::vector<std::byte> out(20'000 + static_cast<size_t>(token_of(id, 0) % 50'000));
  for (size_t i = 0; i < out.size(); ++i)
    out[i] = static_cast<std::byte>(static_cast<unsigned char>(id[i % id.size()]) + i / 1000);
  return out;
}

// Where a store is that outlives its process.
class Place {
 public:
  explicit Place(std::string_view kind) : is_redis_(kind == "redis") {}
  std::unique_ptr<store::Store> open() const {
    if (!is_redis_) return open_sqlite(folder_.path(), {});
    store::RedisOptions redis = redis_at(shared_redis(), prefix_);
    redis.lease = std::chrono::milliseconds(50);
    return open_redis(redis, {});
  }

 private:
  const bool is_redis_;
  const Folder folder_;
  const std::string prefix_ = fresh_prefix();
};

// Turns of a chat, without an end.
[[noreturn]] void serve(const Place& place, int pipe, uint64_t seed) {
  const Tenant mine = tenant(1);
  Random random(seed);
  const auto opened = place.open();
  if (!opened) _exit(1);
  store::Store& store = *opened;
  const auto say = [&](char what, const std::string& id, uint64_t count) {
    Said said{.what = what, .count = count};
    std::memcpy(said.id, id.data(), std::min(id.size(), kIdBytes));
    if (::write(pipe, &said, sizeof said) != sizeof said) _exit(1);
  };
  const auto must = [](bool done) {
    if (!done) _exit(1);
  };
  const auto session = store.session(mine, "chat");
  std::string parent = session ? session->node : "";
  uint64_t version = session ? session->version : 0;
  for (uint64_t turn = 0;; ++turn) {
    // A history is not to grow for ever.
    if (random.below(20) == 0) parent.clear();
    store::NodeDraft prompt = draft(parent, {}, "");
    extend(prompt.id, 0, 1 + random.below(40), prompt.tokens, prompt.text);
    store::NodeDraft answer = draft(prompt.id, {}, "");
    const uint64_t asked = prompt.tokens.size();
    Changes question = changes(prompt);
    must(store.commit(mine, question).has_value());
    say('n', prompt.id, asked);
    answer.growing = true;
    must(store.commit(mine, changes(answer)).has_value());
    say('n', answer.id, 0);
    uint64_t count = 0;
    for (uint64_t left = random.below(30); left > 0; --left) {
      store::Growth growth{mine, answer.id, {}, ""};
      const uint64_t more = 1 + random.below(3);
      extend(answer.id, count, more, growth.tokens, growth.text);
      must(store.append({&growth, 1}).has_value());
      count += more;
      say('t', answer.id, count);
    }
    Changes end;
    store::Finish finish{answer.id, {}, "", ""};
    extend(answer.id, count, 2, finish.tokens, finish.text);
    end.finished.push_back(finish);
    end.sessions.push_back({"chat", answer.id, version, 0});
    const std::string response = "resp_" + answer.id;
    end.documents.push_back({"response", response, "{\"of\":\"" + response + "\"}", false, 0});
    must(store.commit(mine, std::move(end)).has_value());
    say('t', answer.id, count + 2);
    say('d', answer.id, 0);
    say('s', answer.id, ++version);
    must(store
             .keep_snapshot(
                 mine, random.below(2) ? answer.id : prompt.id,
                 {70'000,
                  [id = answer.id]() -> Result<std::vector<std::byte>> { return image_of(id); }})
             .has_value());
    parent = answer.id;
  }
}

// What was acknowledged in all rounds.
struct Log {
  std::map<std::string, uint64_t> nodes;  // with their tokens
  std::vector<std::string> responses;
  uint64_t version = 0;

  void add(const Said& said) {
    const std::string id = said.id;
    if (said.what == 'n' || said.what == 't') nodes[id] = said.count;
    if (said.what == 'd') responses.push_back(id);
    if (said.what == 's') version = said.count;
  }
};

void expect_whole(store::Store& store, const Tenant& mine, const std::string& id) {
  const auto path = store.path(mine, id);
  ASSERT_TRUE(path.has_value()) << path.error().message;
  std::vector<int32_t> tokens;
  std::string text;
  for (const store::Step& step : path->steps) extend(step.id, 0, step.tokens, tokens, text);
  EXPECT_EQ(path->tokens, tokens) << id;
  EXPECT_EQ(path->text, text) << id;
}

// Whoever shares a store may think for a moment that who made it grow is still there.
store::Stored<store::Node> ended_node(store::Store& store, const Tenant& mine,
                                      const std::string& id) {
  auto node = store.node(mine, id);
  for (int i = 0; i < 2000 && node && node->stage == store::Stage::growing; ++i) {
    ::usleep(10'000);
    node = store.node(mine, id);
  }
  return node;
}

void expect_all(const Place& place, const Log& log) {
  const Tenant mine = tenant(1);
  const auto store = place.open();
  ASSERT_TRUE(store);
  for (const auto& [id, tokens] : log.nodes) {
    const auto node = ended_node(*store, mine, id);
    ASSERT_TRUE(node.has_value()) << node.error().message;
    EXPECT_GE(node->own_tokens, tokens) << id;
    EXPECT_NE(node->stage, store::Stage::growing) << id;
  }
  for (const std::string& id : log.responses) {
    const auto response = store->document(mine, "response", "resp_" + id);
    ASSERT_TRUE(response.has_value()) << response.error().message;
    EXPECT_EQ(response->json, "{\"of\":\"resp_" + id + "\"}");
  }
  const auto session = store->session(mine, "chat");
  EXPECT_GE(session ? session->version : 0, log.version);
  if (session) expect_whole(*store, mine, session->node);
  // What was not acknowledged may be there, but nothing that is half of something.
  store::Query query{.limit = 1000};
  do {
    const auto page = store->list(mine, query);
    ASSERT_TRUE(page.has_value()) << page.error().message;
    for (const store::Node& node : page->items) {
      const auto begin = store->beginning(mine, node.id);
      ASSERT_TRUE(begin.has_value()) << begin.error().message;
      if (node.stage == store::Stage::cut) expect_whole(*store, mine, node.id);
    }
    query.after = page->next;
  } while (!query.after.empty());
  EXPECT_EQ(store->usage()->damaged, 0) << "a snapshot is whole or not there";
}

class StoreCrash : public testing::TestWithParam<const char*> {};

TEST_P(StoreCrash, a_killed_process_takes_nothing_that_it_acknowledged) {
  if (GetParam() == std::string_view("redis")) {
    SK_NEEDS_REDIS();
    shared_redis();  // before the first of those that end
  }
  constexpr int kKillsOfOne = 20;  // stores grow, and all of one is looked at after each kill
  const int rounds = thorough() ? 200 : kKillsOfOne;
  std::optional<Place> place;
  Random random(20261130);
  Log log;
  for (int round = 0; round < rounds && !testing::Test::HasFailure(); ++round) {
    if (round % kKillsOfOne == 0) {
      place.emplace(GetParam());
      log = {};
    }
    int ends[2];
    ASSERT_EQ(::pipe(ends), 0);
    const pid_t child = ::fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
      ::close(ends[0]);
      serve(*place, ends[1], static_cast<uint64_t>(round));
    }
    ::close(ends[1]);
    Said said;
    for (uint64_t left = 1 + random.below(250); left > 0; --left) {
      if (::read(ends[0], &said, sizeof said) != sizeof said) break;
      log.add(said);
    }
    // Anywhere in what comes next.
    const auto until =
        std::chrono::steady_clock::now() + std::chrono::microseconds(random.below(3000));
    while (std::chrono::steady_clock::now() < until) continue;
    ::kill(child, SIGKILL);
    int status = 0;
    ASSERT_EQ(::waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status)) << "round " << round << ": it ended by itself";
    while (::read(ends[0], &said, sizeof said) == sizeof said) log.add(said);
    ::close(ends[0]);
    expect_all(*place, log);
  }
  EXPECT_GT(log.nodes.size(), size_t{kKillsOfOne});
}

INSTANTIATE_TEST_SUITE_P(Every, StoreCrash, testing::Values("sqlite", "redis"),
                         [](const auto& each) { return std::string(each.param); });

}  // namespace
}  // namespace skein::test
