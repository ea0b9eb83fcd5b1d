// What /v1/responses tells of an answer with text and calls in it, which no small model writes.
#include <gtest/gtest.h>

#include "server/answers.h"
#include "server/routes/response_reply.h"
#include "server/test_server.h"

namespace skein::test {
namespace {

using namespace server;

// The answer to a request whose model says `said`, a byte a token.
Answer::Output told(const std::string& said, bool stream) {
  Host host("bundled", bundled().model, bundled().tokenizer, {});
  Workers workers(1, 8);
  const auto store = responses_in_memory({.bytes = 1 << 20, .tenant_bytes = 1 << 20});
  const auto exchange = std::make_shared<Exchange>();
  ReplyPlan plan;
  plan.exchange = exchange;
  plan.host = &host;
  plan.workers = &workers;
  plan.id = "resp_1";
  plan.stream = stream;
  plan.logprobs = true;
  plan.calls = &text::call_form(*bundled().profile);
  ResponsePlan response;
  response.id = "resp_1";
  response.store = false;
  response.logprobs = true;
  const auto reply =
      make_response_reply(std::move(plan), std::move(response), Responses(*store, Digest()));
  reply->accepted();
  Session session(bundled().model);
  const std::vector<int32_t> prompt = {1};
  const auto generation =
      Generation::start(session, prompt, bundled().tokenizer.get(),
                        Sampler::create({}, host.traits()).value(), GenerateOptions())
          .value();
  for (size_t i = 0; i < said.size(); ++i) {
    Event event;
    event.id = static_cast<unsigned char>(said[i]) + 1;
    event.count = static_cast<int64_t>(i) + 1;
    event.logprob = -1;
    event.text = said.substr(i, 1);
    if (i + 1 == said.size()) event.finish = Finish::complete;
    reply->told(0, event, *generation);
  }
  reply->finished();
  workers.stop();
  return exchange->answer->take();
}

size_t count(const Json& part) { return part.find("logprobs").array()->size(); }

TEST(ResponseReply, a_message_has_the_probabilities_of_its_own_tokens_and_no_call_s) {
  const std::string call = text::render_call(*bundled().profile, "look", R"({"n":1})");
  const std::pair<std::string, std::string> answers[] = {{"Yes, so: ", call}, {"Only text ``", ""}};
  for (const auto& [words, calls] : answers) {
    const Answer::Output output = told(words + calls, false);
    ASSERT_TRUE(output.head);
    const Json body = parse_json(output.head->body, 1 << 20).value();
    const auto items = body.find("output").array();
    ASSERT_EQ(items->size(), calls.empty() ? 1u : 2u) << output.head->body;
    const Json part = (*(*items)[0].find("content").array())[0];
    // Blanks before a call belong to neither.
    EXPECT_EQ(count(part), text(part).size()) << output.head->body;
    size_t streamed = 0, done = 0;
    std::string pieces;
    for (const Json& event : Events(told(words + calls, true).bytes).data) {
      if (text(event, "type") == "response.output_text.delta") {
        pieces += text(event, "delta");
        streamed += count(event);
      }
      if (text(event, "type") == "response.output_text.done") done = count(event);
    }
    EXPECT_EQ(pieces, text(part));
    EXPECT_EQ(streamed, count(part));
    EXPECT_EQ(done, count(part));
  }
}

}  // namespace
}  // namespace skein::test
