// What connections do, over real sockets: order, deadlines, refusals that arrive, keys, names,
// ends.
#include <gtest/gtest.h>

#include <algorithm>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "server/test_server.h"

namespace skein::test {
namespace {

using server::ServerOptions;

const std::string kLong =
    R"({"prompt":"abc","max_tokens":-1,"ignore_eos":true,"stream":true,"seed":5})";
// One that keeps its place though nobody reads: a stream makes room then.
const std::string kWhole = R"({"prompt":"abc","max_tokens":-1,"ignore_eos":true,"seed":5})";

ServerOptions with_keys() {
  ServerOptions out;
  for (const char* key : {"read:r-key", "generate:g-key", "a-key"})
    EXPECT_TRUE(out.service.keys.add(key));
  return out;
}

TEST(Connection, requests_of_one_connection_are_answered_in_order) {
  TestServer server;
  Client client(server.port());
  std::string many;
  for (int i = 0; i < 100; ++i)
    many += fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\n\r\n", i % 2 ? "/health" : "/none");
  ASSERT_TRUE(client.send(many));
  for (int i = 0; i < 100; ++i) EXPECT_EQ(client.read().status, i % 2 ? 200 : 404) << i;
}

TEST(Connection, goes_on_after_a_stream) {
  TestServer server;
  Client client(server.port());
  for (int i = 0; i < 3; ++i) {
    client.request("POST", "/v1/completions", R"({"prompt":"ab","max_tokens":5,"stream":true})");
    const Reply reply = client.read();
    EXPECT_EQ(reply.fields.at("content-type"), "text/event-stream");
    EXPECT_TRUE(Events(reply.body).done);
  }
  client.request("GET", "/health");
  EXPECT_EQ(client.read().status, 200);
}

TEST(Connection, speaks_http_1_0_and_head_and_expect) {
  TestServer server;
  {
    Client old(server.port());
    old.send("GET /health HTTP/1.0\r\nHost: localhost\r\n\r\n");
    EXPECT_EQ(old.read().body, "{\"status\":\"ok\"}");
    EXPECT_TRUE(old.ended());
  }
  {
    Client old(server.port());
    const std::string body = R"({"prompt":"ab","max_tokens":3,"stream":true})";
    old.send(
        fmt::format("POST /v1/completions HTTP/1.0\r\nHost: localhost\r\nContent-Type: "
                    "application/json\r\nConnection: keep-alive\r\nContent-Length: {}\r\n\r\n{}",
                    body.size(), body));
    const Reply reply = old.read();
    EXPECT_EQ(reply.fields.at("connection"), "close");
    EXPECT_TRUE(Events(reply.body).done);
  }
  Client client(server.port());
  client.request("HEAD", "/health");
  const Reply head = client.read(/*has_body=*/false);
  EXPECT_EQ(head.status, 200);
  EXPECT_EQ(head.fields.at("content-length"), "15");
  client.request("GET", "/health/");
  EXPECT_EQ(client.read().body, "{\"status\":\"ok\"}");
  Client expecting(server.port());
  expecting.send(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 15\r\n\r\n");
  EXPECT_EQ(expecting.read().status, 100);
  expecting.send("{\"prompt\":\"ab\"}");
  EXPECT_EQ(expecting.read().status, 200);
}

TEST(Connection, a_body_that_is_too_long_is_told_so) {
  TestServer server;
  const std::string body(3 << 20, ' ');
  Client client(server.port());
  client.request("POST", "/tokenize", body);  // all of it, before anything is read
  const Reply reply = client.read();
  EXPECT_EQ(reply.status, 413);
  EXPECT_EQ(reply.error("type"), "invalid_request_error");
  EXPECT_TRUE(client.ended());
  // Who asks first is told without having sent it.
  Client asking(server.port());
  asking.send(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 3000000\r\n\r\n");
  EXPECT_EQ(asking.read().status, 413);
}

TEST(Connection, nothing_behind_a_refused_request_is_answered) {
  TestServer server;
  const std::string second = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
  for (const std::string first :
       {"POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nTransfer-Encoding: "
        "chunked\r\n\r\n0\r\n\r\n",
        "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nAuthorization: Bearer a-key\r\n\r\n",
        "GET /health HTTP/1.1\r\n\r\n", "GET /health HTTP/1.1\r\nHost: localhost\r\n x: y\r\n\r\n",
        "GET /health HTTP/1.1\r\nHost: evil.example\r\n\r\n", "\x16\x03\x01\x02",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}) {
    Client client(server.port());
    client.send(first + second);
    const Reply reply = client.read();
    EXPECT_GE(reply.status, 400) << first;
    EXPECT_FALSE(reply.error("message").empty()) << first;
    EXPECT_TRUE(client.ended()) << first;
  }
  EXPECT_EQ(ask(server.port(), "GET", "/health").status, 200);
}

TEST(Connection, what_does_not_come_in_time_is_not_waited_for) {
  ServerOptions options;
  options.listen.header_ms = options.listen.body_ms = 500;
  std::mutex mutex;
  std::vector<server::LogEntry> log;
  options.service.log = [&](const server::LogEntry& entry) {
    const std::lock_guard lock(mutex);
    log.push_back(entry);
  };
  TestServer server(options);
  Client silent(server.port()), slow(server.port()), half(server.port());
  slow.send("GET /health HTTP/1.1\r\nHo");
  half.send(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: 10\r\n\r\n{");
  EXPECT_TRUE(silent.ended());
  std::vector<std::string> ids;
  for (Client* late : {&slow, &half}) {
    const Reply reply = late->read();
    EXPECT_EQ(reply.status, 408);
    ids.push_back(reply.fields.at("x-request-id"));
  }
  slow.close();
  half.close();
  server.stop();
  for (const std::string& id : ids)
    EXPECT_EQ(std::count_if(log.begin(), log.end(),
                            [&](const auto& entry) { return entry.id == id && !id.empty(); }),
              1)
        << id;
}

TEST(Connection, one_that_asks_nothing_more_is_ended) {
  ServerOptions options;
  options.listen.idle_ms = 50;
  TestServer server(options);
  Client idle(server.port());
  idle.request("GET", "/health");
  EXPECT_EQ(idle.read().status, 200);
  EXPECT_TRUE(idle.ended());
}

TEST(Connection, a_reader_that_takes_nothing_is_dropped_and_costs_nobody_else) {
  ServerOptions options;
  options.listen.stall_ms = 200;
  TestServer server(options);
  Client stalled(server.port(), 4096);
  stalled.request(
      "POST", "/v1/completions",
      R"({"prompt":"abc","max_tokens":-1,"ignore_eos":true,"stream":true,"logprobs":20})");
  ASSERT_TRUE(stalled.readable());
  EXPECT_EQ(post(server.port(), "/v1/completions", R"({"prompt":"ab","max_tokens":3})").status,
            200);
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 0; }));
}

// The system would take megabytes for him, and thousands of tokens be generated to fill them.
TEST(Connection, for_a_reader_that_takes_nothing_little_is_generated) {
  TestServer server;
  Client stalled(server.port(), 4096);
  stalled.request("POST", "/v1/completions",
                  R"({"prompt":"abc","max_tokens":-1,"ignore_eos":true,"stream":true})");
  ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences_unread") == 1; }));
  constexpr int kLeastEvent = 150;  // bytes
  EXPECT_LT(server.metric("llamacpp:tokens_predicted_total"),
            3 * limits::kUnsentBytes / kLeastEvent);
}

TEST(Answer, is_full_when_much_waits_and_tells_when_it_is_not) {
  server::Answer answer;
  int told = 0, changed = 0;
  answer.on_output([&] { ++told; });
  answer.on_change([&] { ++changed; });
  answer.begin({});
  const std::string piece(1024, 'x');
  while (!answer.full()) answer.write(piece);
  EXPECT_EQ(told, 1);  // once until it is taken
  const auto output = answer.take();
  EXPECT_EQ(output.bytes.size(), limits::kUnsentBytes);
  EXPECT_TRUE(answer.full());
  answer.wrote(output.bytes.size() / 4);
  EXPECT_TRUE(answer.full());
  answer.wrote(output.bytes.size() / 4);
  EXPECT_FALSE(answer.full());
  EXPECT_EQ(changed, 1);
  answer.leave();
  answer.leave();
  EXPECT_TRUE(answer.gone());
  EXPECT_EQ(changed, 2);
}

TEST(Connection, who_leaves_frees_what_he_had) {
  server::HostOptions one;
  one.parallel = 1;
  one.turn_seconds = 1e9;
  TestServer server({}, one);
  const auto idle = [&] {
    return server.of_model("skein_sequences") == 0 &&
           server.of_model("skein_requests_waiting") == 0;
  };
  // In the middle of an answer.
  Client reading(server.port());
  reading.request("POST", "/v1/completions", kLong);
  ASSERT_TRUE(reading.readable());
  reading.close();
  EXPECT_TRUE(server.wait_until(idle));
  // In the queue behind another, who leaves then.
  Client holding(server.port()), waiting(server.port());
  holding.request("POST", "/v1/completions", kWhole);
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
  waiting.request("POST", "/v1/completions", kLong);
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_requests_waiting") == 1; }));
  waiting.close();
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_requests_waiting") == 0; }));
  holding.close();
  EXPECT_TRUE(server.wait_until(idle));
  // While a long prompt is read, and without a stream.
  Client prompting(server.port());
  prompting.request("POST", "/v1/completions",
                    "{\"prompt\":\"" + std::string(500'000, 'a') + "\",\"max_tokens\":1}");
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
  prompting.close();
  EXPECT_TRUE(server.wait_until(idle));
  EXPECT_EQ(post(server.port(), "/v1/completions", R"({"prompt":"ab","max_tokens":3})").status,
            200);
}

TEST(Connection, who_leaves_is_missed_whatever_he_sent_ahead) {
  ServerOptions options;
  options.listen.ahead_ms = 20;
  TestServer server(options);
  for (const size_t ahead : {size_t{20'000}, size_t{1} << 20}) {
    Client client(server.port());
    client.request("POST", "/v1/completions",
                   R"({"prompt":"abc","max_tokens":-1,"ignore_eos":true})");
    ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
    ASSERT_TRUE(client.send(std::string(ahead, 'x')));
    client.close();
    EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 0; }));
  }
  // Who stays has his answer, and then an end.
  Client client(server.port());
  client.request("POST", "/v1/completions",
                 R"({"prompt":"abc","max_tokens":3000,"ignore_eos":true,"stream":true})");
  ASSERT_TRUE(client.readable());
  ASSERT_TRUE(client.send(std::string(100'000, 'x')));
  EXPECT_TRUE(Events(client.read().body).done);
  EXPECT_TRUE(client.ended());
}

TEST(Connection, half_bodies_have_a_bound_in_all) {
  ServerOptions options;
  options.listen.bodies_bytes = 100'000;
  TestServer server(options);
  const std::string body = "{\"prompt\":\"" + std::string(59'986, 'a') + "\"}";
  const std::string head = fmt::format(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Content-Length: {}\r\n\r\n",
      body.size());
  const std::string_view half = std::string_view(body).substr(0, body.size() - 1);
  Client first(server.port()), second(server.port());
  ASSERT_TRUE(first.send(head) && first.send(half));
  // Meanwhile the one thread reads all of that.
  for (int i = 0; i < 8; ++i) EXPECT_EQ(ask(server.port(), "GET", "/health").status, 200);
  ASSERT_TRUE(second.send(head) && second.send(half));
  const Reply refused = second.read();
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.fields.at("retry-after"), "1");
  EXPECT_TRUE(second.ended());
  ASSERT_TRUE(first.send("}"));
  EXPECT_EQ(first.read().status, 200);
  // What they held is free again.
  for (int i = 0; i < 3; ++i) EXPECT_EQ(post(server.port(), "/tokenize", body).status, 200);
}

// Lets those wait who ask for a response, and with them the threads that serve them.
class Gate final : public server::ResponseStore {
 public:
  Status put(const Digest&, const std::string&, std::string) override { return {}; }
  Result<std::optional<std::string>> get(const Digest&, const std::string&) override {
    std::unique_lock lock(mutex_);
    ++waiting_;
    changed_.notify_all();
    changed_.wait(lock, [&] { return open_; });
    return std::optional<std::string>();
  }
  Result<bool> remove(const Digest&, const std::string&) override { return false; }

  void wait_for(int count) {
    std::unique_lock lock(mutex_);
    changed_.wait(lock, [&] { return waiting_ >= count; });
  }
  void open() {
    const std::lock_guard lock(mutex_);
    open_ = true;
    changed_.notify_all();
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  int waiting_ = 0;
  bool open_ = false;
};

TEST(Connection, whole_bodies_that_wait_to_be_read_are_of_the_same_bound) {
  const auto gate = std::make_shared<Gate>();
  ServerOptions options;
  options.listen.bodies_bytes = 100'000;
  options.service.responses = gate;
  TestServer server(options);
  const std::string body = "{\"prompt\":\"" + std::string(59'986, 'a') + "\"}";
  Client waiters[2] = {Client(server.port()), Client(server.port())};
  for (Client& each : waiters) each.request("GET", "/v1/responses/resp_1");
  gate->wait_for(2);  // as many as there are threads
  // Of two bodies there is room for one, whichever came first; it is served when its turn comes.
  std::mutex mutex;
  std::condition_variable changed;
  std::vector<int> told;
  std::vector<std::thread> clients;
  for (int i = 0; i < 2; ++i)
    clients.emplace_back([&] {
      const int status = post(server.port(), "/tokenize", body).status;
      const std::lock_guard lock(mutex);
      told.push_back(status);
      changed.notify_all();
    });
  {
    std::unique_lock lock(mutex);
    EXPECT_TRUE(changed.wait_for(lock, std::chrono::seconds(100), [&] { return !told.empty(); }));
    EXPECT_EQ(told[0], 503);
  }
  gate->open();
  for (std::thread& each : clients) each.join();
  EXPECT_EQ(told[1], 200);
  for (Client& each : waiters) EXPECT_EQ(each.read().status, 404);
  for (int i = 0; i < 3; ++i) EXPECT_EQ(post(server.port(), "/tokenize", body).status, 200);
}

TEST(Connection, who_comes_when_too_many_wait_is_told_when_to_come_again) {
  server::HostOptions narrow;
  narrow.parallel = narrow.waiting = 1;
  narrow.turn_seconds = 1e9;
  TestServer server({}, narrow);
  Client first(server.port()), second(server.port());
  first.request("POST", "/v1/completions", kWhole);
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
  second.request("POST", "/v1/completions", kLong);
  ASSERT_TRUE(second.readable());  // the head comes before its turn does
  const Reply third = post(server.port(), "/v1/completions", kLong);
  EXPECT_EQ(third.status, 429);
  EXPECT_EQ(third.error("type"), "rate_limit_error");
  EXPECT_GE(std::stoi(third.fields.at("retry-after")), 1);
  EXPECT_EQ(third.fields.at("content-type"), "application/json");
}

TEST(Connection, a_stream_that_waits_says_that_it_lives) {
  server::HostOptions one;
  one.parallel = 1;
  one.turn_seconds = 1e9;
  TestServer server({}, one);
  Client first(server.port()), second(server.port());
  first.request("POST", "/v1/completions", kWhole);
  EXPECT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
  second.request("POST", "/v1/completions",
                 R"({"prompt":"a","max_tokens":1,"stream":true,"sse_ping_interval":1})");
  EXPECT_TRUE(second.comes(": ping\n\n"));
  first.close();
  const Reply reply = second.read();
  EXPECT_NE(reply.body.find(": ping\n\n"), std::string::npos);
  EXPECT_TRUE(Events(reply.body).done);
}

TEST(Access, keys_have_roles) {
  TestServer server(with_keys());
  const auto status = [&](std::string_view path, std::string_view field) {
    return ask(server.port(), path == "/v1/completions" ? "POST" : "GET", path,
               R"({"prompt":"ab","max_tokens":2})", field)
        .status;
  };
  EXPECT_EQ(status("/health", ""), 200);
  EXPECT_EQ(status("/v1/models", ""), 401);
  EXPECT_EQ(status("/v1/models", "Authorization: Bearer r-keys\r\n"), 401);
  EXPECT_EQ(status("/v1/models", "Authorization: Basic r-key\r\n"), 401);
  for (const char* field : {"Authorization: Bearer r-key\r\n", "authorization: bearer r-key\r\n",
                            "x-api-key: r-key\r\n", "api-key: r-key\r\n",
                            "Authorization: Bearer r-key\r\nx-api-key: wrong\r\n"})
    EXPECT_EQ(status("/v1/models", field), 200) << field;
  EXPECT_EQ(status("/v1/completions", "x-api-key: r-key\r\n"), 403);
  EXPECT_EQ(status("/v1/completions", "x-api-key: g-key\r\n"), 200);
  EXPECT_EQ(status("/v1/completions", "x-api-key: a-key\r\n"), 200);
  const Reply refused = ask(server.port(), "GET", "/v1/models");
  EXPECT_EQ(refused.error("type"), "authentication_error");
  EXPECT_EQ(refused.error("code"), "invalid_api_key");
  EXPECT_EQ(refused.fields.at("www-authenticate"), "Bearer");
}

TEST(Access, a_slip_in_a_key_is_no_key_for_everything) {
  server::Keys keys;
  for (const char* key : {"sk-a:b", "read:x", "admin:word:rest", "x1:y", ":z"})
    EXPECT_TRUE(keys.add(key)) << key;
  for (const char* key : {"genrate:k", "read:a,b", "", "read:", "a b"})
    EXPECT_FALSE(keys.add(key)) << key;
  const auto status = keys.add_lines("# keys\nread:a\ngenrate:b\n");
  ASSERT_FALSE(status);
  EXPECT_TRUE(status.error().message.starts_with("line 3: genrate")) << status.error().message;
}

TEST(Access, an_address_that_others_reach_needs_a_key) {
  ServerOptions options;
  options.listen.port = 0;
  options.listen.host = "0.0.0.0";
  const auto refused = server::Server::open(options);
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("--api-key"), std::string::npos);
  options.listen.host = "somewhere";
  EXPECT_FALSE(server::Server::open(options));
  EXPECT_FALSE(server::Keys().add(""));
  EXPECT_FALSE(server::Keys().add("read:"));
  EXPECT_FALSE(server::Keys().add("a b"));
}

TEST(Access, a_port_that_is_taken_is_told) {
  ServerOptions options;
  options.listen.port = 0;
  const auto first = server::Server::open(options);
  ASSERT_TRUE(first);
  options.listen.port = (*first)->port();
  const auto second = server::Server::open(options);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Code::io);
  EXPECT_NE(second.error().message.find("--port"), std::string::npos);
}

TEST(Access, pages_elsewhere_reach_nothing) {
  ServerOptions options;
  options.service.hosts.allowed = {"skein.example"};
  options.service.origins.allowed = {"https://chat.example"};
  TestServer server(options);
  const auto host = [&](std::string_view name) {
    Client client(server.port());
    client.send(fmt::format("GET /health HTTP/1.1\r\nHost: {}\r\n\r\n", name));
    return client.read().status;
  };
  for (const char* name : {"localhost", "127.0.0.1:99", "[::1]:1", "skein.example"})
    EXPECT_EQ(host(name), 200) << name;
  for (const char* name : {"evil.example", "127.evil.example", "10.0.0.1"})
    EXPECT_EQ(host(name), 403) << name;
  // A form can send this without asking.
  Client form(server.port());
  form.send(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/plain\r\n"
      "Content-Length: 15\r\n\r\n{\"prompt\":\"ab\"}");
  EXPECT_EQ(form.read().status, 415);
  const std::string listed = "Origin: https://chat.example\r\n";
  const Reply friendly = ask(server.port(), "GET", "/health", "", listed);
  EXPECT_EQ(friendly.fields.at("access-control-allow-origin"), "https://chat.example");
  const Reply strange = ask(server.port(), "GET", "/health", "", "Origin: https://b.example\r\n");
  EXPECT_EQ(strange.fields.count("access-control-allow-origin"), 0u);
  const Reply asked = ask(server.port(), "OPTIONS", "/v1/chat/completions", "", listed);
  EXPECT_EQ(asked.status, 204);
  EXPECT_EQ(asked.fields.at("access-control-allow-methods"), "POST, OPTIONS");
}

TEST(Access, ids_of_requests_come_back_where_they_can) {
  TestServer server;
  const auto id = [&](std::string_view field) {
    return ask(server.port(), "GET", "/health", "", field).fields.at("x-request-id");
  };
  EXPECT_EQ(id("x-request-id: abc-1\r\n"), "abc-1");
  EXPECT_TRUE(id("x-request-id: a b\r\n").starts_with("req_"));
  EXPECT_TRUE(id("x-request-id: " + std::string(129, 'a') + "\r\n").starts_with("req_"));
  EXPECT_TRUE(id("").starts_with("req_"));
}

TEST(Drain, what_is_under_way_is_finished_and_nothing_else_begun) {
  TestServer server;
  Client idle(server.port()), busy(server.port());
  idle.request("GET", "/health");
  EXPECT_EQ(idle.read().status, 200);
  busy.request("POST", "/v1/completions",
               R"({"prompt":"abc","max_tokens":3000,"ignore_eos":true,"stream":true})");
  ASSERT_TRUE(busy.readable());
  server.ask_to_stop();
  EXPECT_TRUE(idle.ended());
  const Events events(busy.read().body);
  EXPECT_TRUE(events.done);
  EXPECT_EQ(events.data.back()
                .find("choices")
                .array()
                ->front()
                .find("finish_reason")
                .string()
                .value_or(""),
            "length");
  EXPECT_TRUE(busy.ended());
  busy.close();
  server.stop();
  EXPECT_FALSE(Client(server.port()).connected());
}

// Far sooner than their deadlines or the drain's.
TEST(Drain, requests_that_were_never_completed_are_not_waited_for) {
  ServerOptions options;
  options.listen.drain_ms = options.listen.header_ms = options.listen.body_ms = 600'000;
  TestServer server(options);
  Client head(server.port()), body(server.port());
  // An answer says that what stands behind it has come too.
  head.send("GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHo");
  EXPECT_EQ(head.read().status, 200);
  body.send(
      "POST /tokenize HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
      "Expect: 100-continue\r\nContent-Length: 10\r\n\r\n");
  EXPECT_EQ(body.read(false).status, 100);
  server.ask_to_stop();
  for (Client* client : {&head, &body}) {
    EXPECT_EQ(client->read().status, 503);
    client->close();
  }
  server.stop();
}

TEST(Drain, what_takes_too_long_ends_with_an_error) {
  ServerOptions options;
  options.listen.drain_ms = 100;
  TestServer server(options);
  Client busy(server.port());
  busy.request("POST", "/v1/completions", kLong);
  ASSERT_TRUE(busy.readable());
  server.ask_to_stop();
  const Events events(busy.read().body);
  EXPECT_FALSE(events.done);
  EXPECT_EQ(events.data.back().find("error").find("type").string(), "unavailable_error");
  EXPECT_TRUE(busy.ended());
}

}  // namespace
}  // namespace skein::test
