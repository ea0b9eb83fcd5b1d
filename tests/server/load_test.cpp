// A server that has more to do than places to do it in: who comes when, who makes room, and that
// nobody's answer is another one for it.
#include <gtest/gtest.h>

#include <deque>
#include <limits>

#include "server/small_model.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

using server::HostOptions;
using server::ServerOptions;

constexpr double kNever = std::numeric_limits<double>::infinity();

std::string completion(int64_t tokens, std::string_view more = "") {
  return fmt::format(R"({{"prompt":"abc","max_tokens":{},"ignore_eos":true,"seed":5{}}})", tokens,
                     more);
}
std::string text_of(const Reply& reply) {
  return std::string(reply.json().find("choices").array()->front().find("text").string().value());
}
std::string text_of(const Events& events) {
  std::string out;
  for (const Json& data : events.data)
    out += data.find("choices").array()->front().find("text").string().value_or("");
  return out;
}

HostOptions one_place(double turn, double wait = kNever) {
  HostOptions out;
  out.parallel = 1;
  out.turn_seconds = turn;
  out.wait_seconds = wait;
  return out;
}

TEST(Load, a_short_request_does_not_wait_for_the_end_of_anothers_long_one) {
  TestServer server({}, one_place(0.01));
  const std::string alone = text_of(post(server.port(), "/v1/completions", completion(3000)));
  Client longer(server.port());
  longer.request("POST", "/v1/completions", completion(3000, R"(,"user":"ann")"));
  ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
  const Reply first = post(server.port(), "/v1/completions", completion(3, R"(,"user":"bob")"));
  EXPECT_EQ(first.status, 200);
  EXPECT_EQ(text_of(longer.read()), alone);
  EXPECT_GE(server.metric(R"(skein_preemptions_total{model="bundled",reason="turn"})"), 1);
  EXPECT_EQ(server.of_model("skein_sequences_parked"), 0);
}

TEST(Load, who_does_not_read_gives_his_place_and_loses_nothing_by_it) {
  ServerOptions options;
  options.listen.stall_ms = 60'000;
  TestServer server(options, one_place(kNever));
  // Each of its events is some 2 KB, more in all than the system holds.
  constexpr int64_t kTokens = 6000;
  const std::string alone = text_of(post(server.port(), "/v1/completions", completion(kTokens)));
  Client slow(server.port(), 4096);
  slow.request("POST", "/v1/completions", completion(kTokens, R"(,"stream":true,"logprobs":20)"));
  ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences_unread") == 1; }));
  EXPECT_EQ(post(server.port(), "/v1/completions", completion(20)).status, 200);
  EXPECT_EQ(server.metric(R"(skein_preemptions_total{model="bundled",reason="reader"})"), 1);
  EXPECT_EQ(server.of_model("skein_sequences_parked"), 1);
  const Events events(slow.read().body);
  EXPECT_TRUE(events.done);
  EXPECT_EQ(text_of(events), alone);
}

TEST(Load, a_key_that_fills_the_queue_leaves_room_for_another) {
  ServerOptions options;
  for (const char* key : {"greedy", "other"}) EXPECT_TRUE(options.service.keys.add(key));
  HostOptions narrow = one_place(kNever);
  narrow.waiting = 8;
  TestServer server(options, narrow);
  const std::string body = completion(-1, R"(,"stream":true)");
  const auto with = [](std::string_view key) { return fmt::format("x-api-key: {}\r\n", key); };
  std::deque<Client> clients;
  const auto ask_for = [&](std::string_view key) {
    Client& client = clients.emplace_back(server.port());
    client.request("POST", "/v1/completions", body, with(key));
    return client.readable() ? client.head_status() : 0;
  };
  // Not a stream, which would make room as nobody reads it.
  Client first(server.port());
  first.request("POST", "/v1/completions", completion(-1), with("greedy"));
  ASSERT_TRUE(server.wait_until([&] {
    return ask(server.port(), "GET", "/metrics", "", with("other"))
               .body.find("skein_sequences{model=\"bundled\"} 1") != std::string::npos;
  }));
  int let_in = 0;
  while (ask_for("greedy") == 200) ++let_in;
  EXPECT_LE(let_in, 5);
  const Reply refused = clients.back().read();
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.error("code"), "rate_limit_exceeded");
  EXPECT_NE(refused.error("message").find("of yours"), std::string::npos);
  EXPECT_GE(std::stoi(refused.fields.at("retry-after")), 1);
  EXPECT_EQ(ask_for("other"), 200);
}

TEST(Load, who_waits_too_long_is_told_so) {
  TestServer server({}, one_place(kNever, 0.2));
  Client first(server.port());
  first.request("POST", "/v1/completions", completion(-1));
  ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 1; }));
  const Reply late = post(server.port(), "/v1/completions", completion(3));
  EXPECT_EQ(late.status, 503);
  EXPECT_EQ(late.error("code"), "overloaded");
  EXPECT_GE(std::stoi(late.fields.at("retry-after")), 1);
  const Events stream(
      post(server.port(), "/v1/completions", completion(3, R"(,"stream":true)")).body);
  EXPECT_FALSE(stream.done);
  ASSERT_FALSE(stream.data.empty());
  EXPECT_EQ(stream.data.back().find("error").find("code").string().value_or(""), "overloaded");
  EXPECT_EQ(server.of_model("skein_requests_overdue_total"), 2);
}

TEST(Load, how_long_requests_waited_is_counted) {
  TestServer server;
  for (int i = 0; i < 3; ++i)
    EXPECT_EQ(post(server.port(), "/v1/completions", completion(2)).status, 200);
  EXPECT_EQ(server.of_model("skein_wait_seconds_count"), 3);
  EXPECT_EQ(server.metric(R"(skein_wait_seconds_bucket{model="bundled",le="+Inf"})"), 3);
  EXPECT_GE(server.of_model("skein_wait_seconds_sum"), 0);
}

TEST(Load, numbers_that_are_none_end_their_own_request_and_no_other) {
  Bundled small;
  small.model = small_model();
  small.tokenizer = text::byte_tokenizer_257();
  small.profile = &find_profile(ModelText::of(*small.model), small.tokenizer.get());
  TestServer server({}, {}, {"small"}, small);
  const std::string good =
      R"({"prompt":[66,67],"max_tokens":2000,"ignore_eos":true,"seed":5,"logit_bias":{"256":false}})";
  const std::string alone = text_of(post(server.port(), "/v1/completions", good));
  // Runs for longer than all that follows, in company with it.
  Client company(server.port()), other(server.port());
  company.request(
      "POST", "/v1/completions",
      R"({"prompt":[66],"max_tokens":200000,"ignore_eos":true,"logit_bias":{"256":false}})");
  ASSERT_TRUE(
      server.wait_until([&] { return server.metric(R"(skein_sequences{model="small"})") == 1; }));
  other.request("POST", "/v1/completions", good);
  for (int i = 0; i < 5; ++i) {
    const Reply bad = post(server.port(), "/v1/completions",
                           fmt::format(R"({{"prompt":[66,{},67],"max_tokens":5}})", kPoison));
    EXPECT_EQ(bad.status, 400);
    EXPECT_EQ(bad.error("code"), "numeric_error");
    EXPECT_EQ(bad.fields.at("x-should-retry"), "false");
  }
  EXPECT_EQ(text_of(other.read()), alone);
  EXPECT_EQ(server.metric(R"(skein_sequences{model="small"})"), 1);
}

}  // namespace
}  // namespace skein::test
