// How many turns of chats a store takes, and what each costs it in bytes: store_turns PLACE, where
// PLACE is a folder or a Redis (as of `skein serve --store`). Each thread is a server of its own
// that does with the store what `skein serve` does in a turn, and computes nothing.
#include <algorithm>
#include <charconv>
#include <cstdio>
#include <string>
#include <thread>
#include <vector>

#include "base/clock.h"
#include "store/redis_store.h"
#include "store/sqlite_store.h"

using namespace skein;

namespace {

struct Settings {
  std::string place;
  int64_t servers = 1;
  int64_t users = 200;
  int64_t turns = 2000;       // in all
  int64_t tokens = 250;       // of a turn, question and answer
  int64_t state = 2'650'000;  // bytes of a snapshot
  int64_t moves = 0;          // of a hundred turns, those whose server has not had the last one
};

[[noreturn]] void give_up(const std::string& why) {
  std::fprintf(stderr, "store_turns: %s\n", why.c_str());
  std::exit(1);
}

template <typename T>
T must(store::Stored<T> result) {
  if (!result) give_up(result.error().message);
  if constexpr (!std::is_void_v<T>) return std::move(*result);
}

Settings settings_of(int argc, char** argv) {
  Settings out;
  const std::pair<std::string_view, int64_t*> numbers[] = {
      {"--servers", &out.servers}, {"--users", &out.users}, {"--turns", &out.turns},
      {"--tokens", &out.tokens},   {"--state", &out.state}, {"--moves", &out.moves}};
  for (int i = 1; i < argc; ++i) {
    const std::string_view word = argv[i];
    const auto found = std::find_if(std::begin(numbers), std::end(numbers),
                                    [&](const auto& one) { return one.first == word; });
    if (found == std::end(numbers)) {
      out.place = word;
      continue;
    }
    const std::string_view text = i + 1 < argc ? argv[++i] : "";
    if (std::from_chars(text.data(), text.data() + text.size(), *found->second).ec != std::errc())
      give_up("a number is missing behind " + std::string(word));
  }
  if (out.place.empty())
    give_up(
        "store_turns PLACE [--servers N] [--users N] [--turns N] [--tokens N] [--state BYTES] "
        "[--moves PERCENT]");
  return out;
}

std::unique_ptr<store::Store> open(const std::string& place) {
  store::Options options;
  options.budget.log_bytes = options.budget.snapshot_bytes = int64_t{64} << 30;
  if (!store::is_redis_address(place)) {
    auto opened = store::open_sqlite_store(place, options, store::Durability::process);
    if (!opened) give_up(opened.error().message);
    return std::move(*opened);
  }
  store::RedisOptions redis;
  auto address = store::parse_redis_address(place);
  if (!address) give_up(address.error().message);
  redis.address = *address;
  redis.prefix = "turns:";
  auto opened = store::open_redis_store(redis, options);
  if (!opened) give_up(opened.error().message);
  return std::move(*opened);
}

// A number that Redis tells of itself; 0 elsewhere.
int64_t told(const Settings& settings, std::string_view name) {
  if (!store::is_redis_address(settings.place)) return 0;
  store::RedisLink::Options how;
  how.address = *store::parse_redis_address(settings.place);
  how.prefix = "turns:";
  store::RedisLink link(how, std::make_shared<store::RedisNews>());
  if (!link.tend(true)) return 0;
  store::RedisCommands commands;
  commands.add({"INFO"});
  auto patience = link.patience();
  const auto replies = must(link.exchange(commands, patience));
  const std::string& text = replies[0].text;
  const size_t at = text.find("\n" + std::string(name) + ":");
  int64_t out = 0;
  if (at != std::string::npos)
    std::from_chars(text.data() + at + name.size() + 2, text.data() + text.size(), out);
  return out;
}

// What `skein serve` asks of its store in a turn of a session.
void turn(store::Store& store, const Settings& settings, const std::string& name, bool moved) {
  const store::Tenant tenant = sha256(std::as_bytes(std::span(name)));
  const auto session = store.session(tenant, name);
  std::string parent;
  if (session) {
    parent = session->node;
    must(store.node(tenant, parent));
    must(store.path(tenant, parent));
    if (moved) must(store.beginning(tenant, parent));
  }
  const auto half = static_cast<size_t>(settings.tokens / 2);
  store::NodeDraft prompt, answer;
  prompt.id = store::new_id();
  prompt.parent = parent;
  prompt.tokens.resize(half, 1234);
  prompt.text.resize(4 * half, 'a');
  answer.id = store::new_id();
  answer.parent = prompt.id;
  answer.growing = true;
  store::Changes begins, ends;
  begins.nodes = {prompt, answer};
  must(store.commit(tenant, begins));
  store::Growth growth{tenant, answer.id, std::vector<int32_t>(half / 2, 77),
                       std::string(2 * half, 'b')};
  must(store.append({&growth, 1}));
  ends.finished.push_back({answer.id, growth.tokens, growth.text, "{}"});
  ends.sessions.push_back({name, answer.id, session ? session->version : 0, 0});
  must(store.commit(tenant, ends));
  const auto bytes = static_cast<size_t>(settings.state);
  const store::Image image{bytes, [bytes]() -> Result<std::vector<std::byte>> {
                             return std::vector<std::byte>(bytes, std::byte{42});
                           }};
  // Where too many wait already the server lets it be, and so do we after a while.
  while (!store.keep_snapshot(tenant, answer.id, image))
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
}

}  // namespace

int main(int argc, char** argv) {
  const Settings settings = settings_of(argc, argv);
  const int64_t in = told(settings, "total_net_input_bytes"),
                out = told(settings, "total_net_output_bytes"),
                memory = told(settings, "used_memory");
  std::vector<std::thread> threads;
  std::vector<std::vector<double>> times(static_cast<size_t>(settings.servers));
  const bool shared = store::is_redis_address(settings.place);
  const auto began = std::chrono::steady_clock::now();
  std::unique_ptr<store::Store> one = shared ? nullptr : open(settings.place);
  for (int64_t server = 0; server < settings.servers; ++server)
    threads.emplace_back([&, server] {
      std::unique_ptr<store::Store> own = shared ? open(settings.place) : nullptr;
      store::Store& store = own ? *own : *one;
      for (int64_t i = server; i < settings.turns; i += settings.servers) {
        const auto start = std::chrono::steady_clock::now();
        turn(store, settings, "user" + std::to_string(i % settings.users),
             i % 100 < settings.moves);
        times[static_cast<size_t>(server)].push_back(seconds_since(start));
      }
      must(store.flush());
    });
  for (std::thread& thread : threads) thread.join();
  const double seconds = seconds_since(began);
  std::vector<double> all;
  for (const auto& each : times) all.insert(all.end(), each.begin(), each.end());
  std::sort(all.begin(), all.end());
  const auto turns = static_cast<double>(settings.turns);
  std::printf(
      "%ld turns of %ld tokens, %ld users, %ld servers, snapshots of %ld bytes, %ld %% moved\n",
      settings.turns, settings.tokens, settings.users, settings.servers, settings.state,
      settings.moves);
  std::printf("  %.0f turns/s, a turn waits for the store %.2f ms (p50), %.2f ms (p99)\n",
              turns / seconds, 1000 * all[all.size() / 2], 1000 * all[all.size() * 99 / 100]);
  if (shared)
    std::printf("  bytes a turn: %.0f to Redis, %.0f from it; %.0f stay in its memory\n",
                static_cast<double>(told(settings, "total_net_input_bytes") - in) / turns,
                static_cast<double>(told(settings, "total_net_output_bytes") - out) / turns,
                static_cast<double>(told(settings, "used_memory") - memory) / turns);
  if (!one) one = open(settings.place);
  const store::Usage usage = must(one->usage());
  std::printf("  kept: %ld states, %ld bytes of texts, %ld snapshots of %ld bytes\n", usage.nodes,
              usage.log_bytes, usage.snapshots, usage.snapshot_bytes);
  return 0;
}
