// What pages look at: a line of status, figures of states by head, the change with each token, and
// the race that shows that neither time nor memory grows.
#include <gtest/gtest.h>

#include <cmath>
#include <thread>

#include "base/base64.h"
#include "quant/plain/bits.h"
#include "server/answers.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

std::vector<float> halves(std::string_view bytes) {
  std::vector<float> out;
  for (size_t i = 0; i + 1 < bytes.size(); i += 2)
    out.push_back(quant::f16_to_f32(static_cast<uint16_t>(
        static_cast<unsigned char>(bytes[i]) | static_cast<unsigned char>(bytes[i + 1]) << 8)));
  return out;
}

class Looking : public testing::Test {
 protected:
  std::string make(const std::string& fields) {
    const Reply reply = post(server_.port(), "/v1/states", "{" + fields + "}");
    EXPECT_EQ(reply.status, 201) << reply.body;
    return text(reply.json().find("state"), "id");
  }
  Reply get(const std::string& path, std::string_view fields = {}) {
    return ask(server_.port(), "GET", path, {}, fields);
  }
  const ModelInfo& info() const { return bundled().model->info(); }
  std::string shape(size_t fields) const {
    return fmt::format("{},{},{}", fields, info().dimensions.layers, info().dimensions.heads);
  }

  TestServer server_;
};
const std::string kJson = "Accept: application/json\r\n";

TEST_F(Looking, the_status_is_short_and_says_how_it_stands) {
  const Reply reply = get("/v1/status");
  EXPECT_EQ(reply.status, 200);
  EXPECT_LE(reply.body.size(), 1024u);
  const Json json = reply.json();
  EXPECT_EQ(text(json, "model"), "bundled");
  EXPECT_EQ(text(json, "device"), info().device);
  EXPECT_EQ(whole(json.find("active")), 0);
  EXPECT_EQ(whole(json.find("queue")), 0);
  EXPECT_EQ(number(json.find("tok_s")), 0);
  EXPECT_GT(whole(json.find("rss")), 1 << 20);
  EXPECT_EQ(whole(json.find("state_bytes")), info().state_bytes);
  EXPECT_GE(whole(json.find("states").find("n")), 0);
  EXPECT_GT(whole(json.find("states").find("budget")), 0);
}

TEST_F(Looking, the_status_counts_what_is_answered) {
  Client client(server_.port());
  client.request("POST", "/v1/bench/race", R"({"tokens":16000000})");
  ASSERT_TRUE(client.comes("race.point"));
  EXPECT_TRUE(
      server_.wait_until([&] { return number(get("/v1/status").json().find("tok_s")) > 0; }));
  EXPECT_EQ(whole(get("/v1/status").json().find("active")), 1);
  client.close();
  EXPECT_TRUE(server_.wait_until([&] {
    const Json json = get("/v1/status").json();
    return whole(json.find("active")) == 0 && number(json.find("tok_s")) == 0;
  }));
}

TEST_F(Looking, figures_by_head_are_those_of_the_longer_answer) {
  const std::string id = make(R"("input":"1 2 3 4 5 6 7")");
  const Reply grid = get("/v1/states/" + id + "/stats?fields=norm,rank");
  ASSERT_EQ(grid.status, 200) << grid.body;
  EXPECT_EQ(grid.fields.at("content-type"), "application/octet-stream");
  EXPECT_EQ(grid.fields.at("x-skein-shape"), shape(2));
  EXPECT_EQ(grid.fields.at("x-skein-fields"), "norm,rank");
  const std::vector<float> numbers = halves(grid.body);
  const Json longer = get("/v1/states/" + id + "/stats").json();
  std::vector<double> norms, ranks;
  for (const Json& part : *longer.find("parts").array())
    if (part.find("heads")) {
      for (const double each : test::numbers(part.find("heads"))) norms.push_back(each);
      for (const double each : test::numbers(part.find("ranks"))) ranks.push_back(each);
    }
  ASSERT_EQ(numbers.size(), norms.size() + ranks.size());
  norms.insert(norms.end(), ranks.begin(), ranks.end());
  // Half of the last of float16's 11 bits.
  for (size_t i = 0; i < norms.size(); ++i)
    EXPECT_NEAR(static_cast<double>(numbers[i]), norms[i], norms[i] * 0x1p-11 + 0x1p-25) << i;
}

TEST_F(Looking, figures_come_as_json_with_the_same_bytes) {
  const std::string a = make(R"("input":"1 2 3 4")"), b = make(R"("input":"1 2 3 4 5 6")");
  const std::string path = "/v1/states/" + b + "/stats?fields=change&since=" + a;
  const Reply bytes = get(path), reply = get(path, kJson);
  ASSERT_EQ(reply.status, 200) << reply.body;
  EXPECT_EQ(text(reply.json(), "data"), base64_text(bytes.body));
  EXPECT_EQ(text(reply.json(), "since"), a);
  EXPECT_EQ(text(reply.json(), "type"), "float16");
  EXPECT_NE(bytes.fields.at("etag"), reply.fields.at("etag"));
  const auto changes = halves(bytes.body);
  EXPECT_TRUE(std::any_of(changes.begin(), changes.end(), [](float one) { return one > 0; }));
}

TEST_F(Looking, what_a_client_has_is_not_computed_again) {
  const std::string id = make(R"("input":"1 2 3","name":"base")");
  for (const std::string& path :
       {"/v1/states/" + id + "/stats?fields=norm", std::string("/v1/states/base/stats?fields=norm"),
        "/v1/states/" + id + "/diff?view=heads&with=" + id}) {
    const Reply first = get(path);
    ASSERT_EQ(first.status, 200) << first.body;
    const Reply again = get(path, "If-None-Match: " + first.fields.at("etag") + "\r\n");
    EXPECT_EQ(again.status, 304) << path;
    // A name may be another state's tomorrow.
    const bool lasts = first.fields.at("cache-control").find("immutable") != std::string::npos;
    EXPECT_EQ(lasts, path.find("base") == std::string::npos) << path;
  }
}

TEST_F(Looking, two_states_differ_by_head_as_far_as_they_do) {
  const std::string a = make(R"("input":"1 2 3 4")"), b = make(R"("input":"a b c d")");
  const Reply same = get("/v1/states/" + a + "/diff?view=heads&with=" + a);
  EXPECT_EQ(same.fields.at("x-skein-shape"), shape(2));
  const auto none = halves(same.body);
  const size_t count = none.size() / 2;
  for (size_t i = 0; i < count; ++i) {
    EXPECT_EQ(none[i], 0);
    EXPECT_NEAR(none[count + i], 1, 1e-3);
  }
  const Reply other = get("/v1/states/" + a + "/diff?view=heads&with=" + b, kJson);
  EXPECT_EQ(text(other.json(), "with"), b);
  EXPECT_EQ((*other.json().find("fields").array())[0].string().value_or(""), "distance");
}

TEST_F(Looking, what_is_asked_for_wrongly_is_named) {
  const std::string id = make(R"("input":"1 2 3")");
  for (const auto& [query, param] :
       std::vector<std::pair<std::string, std::string>>{{"stats?fields=", "fields"},
                                                        {"stats?fields=size", "fields"},
                                                        {"stats?fields=norm,norm", "fields"},
                                                        {"stats?fields=decay", "fields"},
                                                        {"stats?fields=change", "since"},
                                                        {"stats?fields=change&since=none", "since"},
                                                        {"diff?view=heads", "with"},
                                                        {"diff?view=colours&with=" + id, "view"},
                                                        {"trace?from=99", "from"},
                                                        {"trace?from=-1", "from"},
                                                        {"trace?from=2&to=1", "to"},
                                                        {"trace?per=word", "per"}}) {
    const Reply reply = get("/v1/states/" + id + "/" + query);
    EXPECT_GE(reply.status, 400) << query << reply.body;
    EXPECT_LT(reply.status, 500) << query << reply.body;
    EXPECT_EQ(reply.error("param"), param) << query << reply.body;
  }
}

TEST_F(Looking, the_trace_of_a_text_says_how_each_token_moved_the_state) {
  const std::string id = make(R"("input":"1 2 3 4 5 6 7 8")");
  const int64_t tokens = whole(get("/v1/states/" + id).json().find("state").find("tokens"));
  const Reply all = get("/v1/states/" + id + "/trace");
  ASSERT_EQ(all.status, 200) << all.body;
  EXPECT_EQ(all.fields.at("x-skein-shape"), fmt::format("{},{}", tokens, info().dimensions.layers));
  // A part of it is that part.
  const Reply some = get("/v1/states/" + id + "/trace?from=3&to=5");
  EXPECT_EQ(some.fields.at("x-skein-from"), "3");
  const size_t row = 2 * static_cast<size_t>(info().dimensions.layers);
  EXPECT_EQ(some.body, all.body.substr(3 * row, 2 * row));
  const Reply heads = get("/v1/states/" + id + "/trace?per=head&from=1&to=2", kJson);
  const Json json = heads.json();
  EXPECT_EQ(text(json, "type"), "log8");
  EXPECT_EQ(numbers(json.find("shape")),
            (std::vector<double>{1, static_cast<double>(info().dimensions.layers),
                                 static_cast<double>(info().dimensions.heads)}));
  const Json token = json.find("tokens").array()->front();
  EXPECT_NE(text(token, "piece"), "?");
}

TEST_F(Looking, a_trace_leaves_no_states_behind) {
  const std::string id = make(R"("input":"1 2 3 4 5 6 7 8")");
  const double before = server_.of_model("skein_kept_states");
  EXPECT_EQ(get("/v1/states/" + id + "/trace?from=2&to=6").status, 200);
  EXPECT_LE(server_.of_model("skein_kept_states"), before + 1);  // the one it began at
}

TEST_F(Looking, a_stream_says_how_its_tokens_moved_the_state) {
  const auto chat = [&](const std::string& more) {
    return post(server_.port(), "/v1/chat/completions",
                R"({"messages":[{"role":"user","content":"1+1?"}],"think":"none","temperature":0,)"
                R"("max_tokens":24,"stream":true)" +
                    more + "}");
  };
  const Reply reply = chat(R"(,"state_trace":{})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  size_t traces = 0;
  int64_t last = 0;
  for (const Json& event : Events(reply.body).data) {
    const auto list = event.find("state_trace").array();
    if (!list) continue;
    for (const Json& each : *list) {
      ++traces;
      EXPECT_GT(whole(each.find("tokens")), last);
      last = whole(each.find("tokens"));
      EXPECT_EQ(text(each, "data").size(),
                base64_size(2 * static_cast<size_t>(info().dimensions.layers)));
    }
  }
  // Of each token that belongs to the answer; what ended it was read in vain.
  EXPECT_GT(traces, 0u);
  EXPECT_EQ(static_cast<size_t>(last), traces);
  // It changes nothing of what is said.
  const auto said = [](const Reply& one) {
    std::string out;
    for (const Json& event : Events(one.body).data)
      if (const auto list = event.find("choices").array(); list && !list->empty())
        out += text(list->front().find("delta"), "content");
    return out;
  };
  EXPECT_EQ(said(reply), said(chat("")));
  for (const char* wrong : {R"(,"state_trace":5)", R"(,"state_trace":{"per":"word"})",
                            R"(,"state_trace":{"per":"head","every":1})",
                            R"(,"state_trace":{"every":0})", R"(,"state_trace":{},"n":2)"}) {
    const Reply refused = chat(wrong);
    EXPECT_EQ(refused.status, 400) << wrong << refused.body;
    EXPECT_EQ(refused.error("param").substr(0, 11), "state_trace") << wrong;
  }
}

TEST_F(Looking, a_race_says_what_its_tokens_took_and_that_the_state_stays_as_large) {
  const Reply reply = post(server_.port(), "/v1/bench/race", R"({"tokens":300,"points":20})");
  ASSERT_EQ(reply.status, 200) << reply.body;
  const std::vector<Json> events = Events(reply.body).data;
  EXPECT_EQ(text(events.front(), "object"), "race.begin");
  int64_t tokens = 0;
  double ms = 0;
  for (size_t i = 1; i < events.size(); ++i) {
    EXPECT_EQ(text(events[i], "object"), "race.point");
    EXPECT_GT(whole(events[i].find("tokens")), tokens);
    EXPECT_GE(number(events[i].find("ms")), ms);
    EXPECT_GT(whole(events[i].find("rss")), 0);
    EXPECT_EQ(whole(events[i].find("state")), info().state_bytes);
    tokens = whole(events[i].find("tokens"));
    ms = number(events[i].find("ms"));
  }
  EXPECT_EQ(tokens, 300);
  EXPECT_LE(events.size(), 21u);
  EXPECT_TRUE(reply.body.ends_with("data: [DONE]\n\n"));
}

TEST_F(Looking, one_race_at_a_time_waits_for_others_and_ends_when_its_client_leaves) {
  Client race(server_.port());
  race.request("POST", "/v1/bench/race", R"({"tokens":16000000})");
  ASSERT_TRUE(race.comes("race.point"));
  EXPECT_EQ(post(server_.port(), "/v1/bench/race", "{}").error("code"), "race_running");
  // Somebody who asks meanwhile is answered.
  EXPECT_EQ(post(server_.port(), "/v1/completions", R"({"prompt":"a","max_tokens":8})").status,
            200);
  // And it goes on behind him.
  const double before = server_.of_model("skein_tokens_total");
  EXPECT_TRUE(
      server_.wait_until([&] { return server_.of_model("skein_tokens_total") > before + 20; }));
  race.close();
  EXPECT_TRUE(
      server_.wait_until([&] { return whole(get("/v1/status").json().find("active")) == 0; }));
  EXPECT_TRUE(server_.wait_until([&] {
    return post(server_.port(), "/v1/bench/race", R"({"tokens":2,"points":2})").status == 200;
  }));
}

TEST(LookingWithKeys, a_race_is_the_admins) {
  server::ServerOptions options;
  ASSERT_TRUE(options.service.keys.add("state:low"));
  ASSERT_TRUE(options.service.keys.add("read:least"));
  const TestServer server(std::move(options));
  EXPECT_EQ(post(server.port(), "/v1/bench/race", "{}", "Authorization: Bearer low\r\n").status,
            403);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/status").status, 401);
  EXPECT_EQ(ask(server.port(), "GET", "/v1/status", {}, "Authorization: Bearer least\r\n").status,
            200);
}

}  // namespace
}  // namespace skein::test
