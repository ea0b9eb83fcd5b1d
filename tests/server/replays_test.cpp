// Requests that are sent again because their answer was lost.
#include <gtest/gtest.h>

#include <thread>

#include "server/answers.h"
#include "server/test_server.h"
#include "store/memory_store.h"

namespace skein::test {
namespace {

class Replays : public testing::Test {
 protected:
  Reply ask_with(const std::string& key, const std::string& body,
                 const std::string& path = "/v1/completions") {
    return post(server_->port(), path, body, "Idempotency-Key: " + key + "\r\n");
  }
  std::shared_ptr<store::Store> store_ = store::memory_store({});
  server::ServerOptions options() {
    server::ServerOptions out;
    out.service.store = store_;
    return out;
  }
  // A request is over a moment later than its answer is there.
  Reply ask_when_over(const std::string& key, const std::string& body) {
    Reply out;
    EXPECT_TRUE(server_->wait_until([&] {
      out = ask_with(key, body);
      return out.status != 409 || out.error("code") != "idempotency_in_progress";
    }));
    return out;
  }
  std::unique_ptr<TestServer> server_ = std::make_unique<TestServer>(options());
};

TEST_F(Replays, the_same_answer_is_given_again_and_nothing_happens_twice) {
  for (const std::string more : {"", R"(,"stream":true)"}) {
    const std::string session = more.empty() ? "whole" : "streamed";
    const std::string body =
        R"({"prompt":"1 2","max_tokens":3,"session":")" + session + "\"" + more + "}";
    const Reply first = ask_with("a" + session, body);
    ASSERT_EQ(first.status, 200) << first.body;
    // What a stream said is kept behind it.
    Reply again;
    ASSERT_TRUE(server_->wait_until([&] {
      again = ask_with("a" + session, body);
      return again.fields.count("idempotent-replayed") > 0 || again.status != 409;
    }));
    EXPECT_EQ(again.body, first.body);
    EXPECT_EQ(again.status, 200);
    EXPECT_EQ(again.fields["content-type"], Reply(first).fields["content-type"]);
    EXPECT_EQ(whole(ask(server_->port(), "GET", "/v1/sessions/" + session).json().find("version")),
              1);
    // Another key is another turn, and the same key another route's.
    EXPECT_EQ(ask_with("b" + session, body).status, 200);
    EXPECT_EQ(whole(ask(server_->port(), "GET", "/v1/sessions/" + session).json().find("version")),
              2);
    // Another server over the same store knows it too.
    server_ = std::make_unique<TestServer>(options());
    EXPECT_EQ(ask_with("a" + session, body).body, first.body);
  }
}

TEST_F(Replays, another_request_with_a_key_that_was_used_is_refused) {
  ASSERT_EQ(ask_with("k", R"({"prompt":"1","max_tokens":1})").status, 200);
  const Reply other = ask_when_over("k", R"({"prompt":"2","max_tokens":1})");
  EXPECT_EQ(other.status, 409);
  EXPECT_EQ(other.error("code"), "idempotency_key_reused");
  EXPECT_EQ(ask_with(std::string(300, 'k'), R"({"prompt":"1"})").error("param"), "Idempotency-Key");
}

TEST_F(Replays, the_same_at_once_is_told_to_wait_and_errors_are_tried_anew) {
  Client slow(server_->port());
  const std::string body = R"({"prompt":"1","max_tokens":-1,"ignore_eos":true})";
  slow.request("POST", "/v1/completions", body, "Idempotency-Key: k\r\n");
  ASSERT_TRUE(server_->wait_until([&] { return server_->of_model("skein_sequences") == 1; }));
  EXPECT_EQ(ask_with("k", body).error("code"), "idempotency_in_progress");
  slow.close();
  EXPECT_TRUE(server_->wait_until([&] {
    Client again(server_->port());
    again.request("POST", "/v1/completions", body, "Idempotency-Key: k\r\n");
    return server_->wait_until([&] {
      return server_->of_model("skein_sequences") == 1 ||
             server_->of_model("skein_tokens_total") > 0;
    });
  }));
  const std::string wrong = R"({"prompt":5})";
  EXPECT_EQ(ask_with("e", wrong).status, 400);
  EXPECT_EQ(ask_when_over("e", R"({"prompt":"5","max_tokens":1})").status, 200);
}

}  // namespace
}  // namespace skein::test
