// Two servers over one Redis behind HAProxy and behind nginx, which run with the files of deploy/
// and only have other names and ports in them.
#include <fstream>

#include "cli/store_server.h"
#include "support/redis_server.h"

namespace skein::test {
namespace {

std::string replaced(std::string text, const std::string& what, const std::string& by) {
  const size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what << " is not in the file any more";
  if (at != std::string::npos) text.replace(at, what.size(), by);
  return text;
}

class Fleet {
 public:
  explicit Fleet(std::vector<std::string> more = {}) {
    for (auto& server : servers) {
      std::vector<std::string> words = {"--store", redis.address()};
      words.insert(words.end(), more.begin(), more.end());
      server.emplace(words);
    }
  }
  // A file of deploy/ with our servers and our port.
  std::string configuration(const std::string& name, const std::string& listens) {
    std::string text = text_of_file(std::string(SKEIN_SOURCE_DIR) + "/deploy/" + name);
    for (size_t i = 0; i < 2; ++i)
      text = replaced(std::move(text), fmt::format("skein-{}:8080", i + 1),
                      fmt::format("127.0.0.1:{}", servers[i]->port()));
    port = free_port();
    return replaced(std::move(text), listens + "8080",
                    fmt::format("{}127.0.0.1:{}", listens.substr(0, listens.find(':')), port));
  }
  void haproxy() {
    std::ofstream(folder / "haproxy.cfg") << configuration("haproxy/haproxy.cfg", "bind :");
    const std::string file = folder / "haproxy.cfg", log = folder / "log";
    proxy.start({program_named("haproxy"), "-db", "-f", file}, log);
    wait();
  }
  void nginx() {
    const std::string file = folder / "nginx.conf", log = folder / "log",
                      place = (folder / "").string();
    // Root's workers are somebody else, who may not write here.
    std::string text = std::string(::geteuid() == 0 ? "user root;\n" : "") + "daemon off; pid " +
                       place + "pid; error_log " + log + ";\n" +
                       "worker_processes 1; events { worker_connections 256; }\nhttp {\n" +
                       "access_log off; client_body_temp_path " + place + "body;\n";
    for (const char* kind : {"proxy", "fastcgi", "uwsgi", "scgi"})
      text += fmt::format("{}_temp_path {}{};\n", kind, place, kind);
    std::ofstream(file) << text << configuration("nginx/skein.conf", "listen ") << "}\n";
    proxy.start({program_named("nginx"), "-e", log, "-c", file}, log);
    wait();
  }
  size_t tokens_of(size_t server) const {
    const std::string text = ask(servers[server]->port(), "GET", "/metrics").body;
    const size_t at = text.find("\nskein_tokens_total{");
    return at == std::string::npos ? 0 : std::stoul(text.substr(text.find(' ', at + 1)));
  }

  const Folder folder;
  const RedisServer redis;
  std::optional<Server> servers[2];
  Daemon proxy;
  uint16_t port = 0;

 private:
  void wait() {
    const bool ready = servers[0]->wait_until([&] {
      Client client(port);
      return client.connected() && ask(port, "GET", "/health").status == 200;
    });
    EXPECT_TRUE(ready) << text_of_file(folder / "log");
  }
};

// A chat with whichever server the proxy picks; one of them is killed in the middle.
void expect_conversation_goes_on(Fleet& fleet) {
  const Server uninterrupted;
  size_t killed = 2;
  for (int turn = 1; turn <= 8; ++turn) {
    if (turn == 5) {
      // The one that has answered, if one has.
      killed = fleet.tokens_of(0) >= fleet.tokens_of(1) ? 0 : 1;
      EXPECT_GT(fleet.tokens_of(killed), 0u);
      EXPECT_EQ(fleet.servers[killed]->end(SIGKILL), 1000 + SIGKILL);
    }
    const bool stream = turn % 2 == 0;
    const Reply reply = ask_turn(fleet.port, "talk", turn, stream);
    const auto answer = answer_in(reply, stream);
    ASSERT_TRUE(answer.has_value()) << turn << ": " << reply.status << " " << reply.body;
    EXPECT_EQ(answer, answer_in(ask_turn(uninterrupted.port(), "talk", turn, stream), stream));
  }
  EXPECT_EQ(version_of(fleet.servers[1 - killed]->port(), "talk"), 8);
}

// Bytes and errors are the server's own.
void expect_passes_through(Fleet& fleet) {
  const std::string talk = R"({"messages":[{"role":"user","content":"Count."}],"think":"none",)"
                           R"("temperature":1,"ignore_eos":true,"seed":1,"max_tokens":3000)";
  const Reply whole = post(fleet.port, "/v1/chat/completions", talk + "}");
  ASSERT_EQ(whole.status, 200) << whole.body;
  Client client(fleet.port);
  client.request("POST", "/v1/chat/completions", talk + R"(,"stream":true})");
  EXPECT_EQ(answer_in(client.read(), true), answer_in(whole, false));
  // The connection stays.
  client.request("GET", "/health");
  EXPECT_EQ(client.read().status, 200);
  // What is refused is refused in the server's words.
  const Reply large = post(fleet.port, "/v1/chat/completions",
                           R"({"prompt":")" + std::string(3 << 20, 'x') + "\"}");
  EXPECT_EQ(large.status, 413);
  EXPECT_NE(large.body.find("\"error\""), std::string::npos) << large.body;
  const Reply wrong = post(fleet.port, "/v1/chat/completions", "{}");
  EXPECT_EQ(wrong.status, 400);
  EXPECT_EQ(wrong.error("type"), "invalid_request_error") << wrong.body;
  EXPECT_EQ(ask(fleet.port, "GET", "/metrics").status, 403);
}

// Both servers are busy until this ends.
std::vector<std::unique_ptr<Client>> busy(const Fleet& fleet) {
  // Not a stream: one that nobody reads makes room for others.
  const std::string body = R"({"prompt":"a","max_tokens":-1,"ignore_eos":true})";
  std::vector<std::unique_ptr<Client>> out;
  for (const auto& server : fleet.servers) {
    out.push_back(std::make_unique<Client>(server->port()));
    out.back()->request("POST", "/v1/completions", body);
    EXPECT_TRUE(server->wait_until([&] {
      const std::string text = ask(server->port(), "GET", "/metrics").body;
      const size_t at = text.find("\nskein_sequences{");
      return at != std::string::npos && text.substr(text.find(' ', at + 1), 2) == " 1";
    }));
  }
  return out;
}

// Nobody may wait: 429, with its time.
void expect_429(Fleet& fleet) {
  const auto others = busy(fleet);
  const Reply reply = post(fleet.port, "/v1/completions", R"({"prompt":"a","max_tokens":1})");
  EXPECT_EQ(reply.status, 429) << reply.body;
  EXPECT_TRUE(reply.fields.contains("retry-after"));
  EXPECT_EQ(reply.error("code"), "rate_limit_exceeded");
}

// A stream whose turn has not come says that it lives, in a few bytes, and they arrive.
void expect_comes_at_once(Fleet& fleet) {
  const auto others = busy(fleet);
  Client client(fleet.port);
  client.request("POST", "/v1/completions", R"({"prompt":"a","max_tokens":1,"stream":true})");
  EXPECT_TRUE(client.comes("\n: ")) << "the stream was held back";
}

const std::vector<std::string> kNobodyWaits = {"--parallel", "1", "--queue", "0", "--turn", "0"};
const std::vector<std::string> kOthersWait = {"--parallel", "1", "--turn", "0", "--ping", "1"};

#define SK_NEEDS_PROGRAM(name) \
  SK_NEEDS_REDIS();            \
  if (program_named(name).empty()) GTEST_SKIP() << "SKIPPED: " name " is not installed here"

TEST(ServeProxy, behind_haproxy_a_conversation_goes_on_when_its_server_is_killed) {
  SK_NEEDS_PROGRAM("haproxy");
  Fleet fleet;
  fleet.haproxy();
  expect_conversation_goes_on(fleet);
}

TEST(ServeProxy, behind_nginx_a_conversation_goes_on_when_its_server_is_killed) {
  SK_NEEDS_PROGRAM("nginx");
  Fleet fleet;
  fleet.nginx();
  expect_conversation_goes_on(fleet);
}

TEST(ServeProxy, through_haproxy_answers_and_refusals_are_the_servers) {
  SK_NEEDS_PROGRAM("haproxy");
  Fleet fleet(kNobodyWaits);
  fleet.haproxy();
  expect_passes_through(fleet);
  expect_429(fleet);
}

TEST(ServeProxy, through_nginx_answers_and_refusals_are_the_servers) {
  SK_NEEDS_PROGRAM("nginx");
  Fleet fleet(kNobodyWaits);
  fleet.nginx();
  expect_passes_through(fleet);
  expect_429(fleet);
}

TEST(ServeProxy, through_haproxy_a_stream_comes_as_it_is_made) {
  SK_NEEDS_PROGRAM("haproxy");
  Fleet fleet(kOthersWait);
  fleet.haproxy();
  expect_comes_at_once(fleet);
}

TEST(ServeProxy, through_nginx_a_stream_comes_as_it_is_made) {
  SK_NEEDS_PROGRAM("nginx");
  Fleet fleet(kOthersWait);
  fleet.nginx();
  expect_comes_at_once(fleet);
}

}  // namespace
}  // namespace skein::test
