// What is read once is not read again: by whom, how much, and with the same bits.
#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "run/convert.h"
#include "server/prefix_reading.h"
#include "server/test_server.h"
#include "support/bundled.h"

namespace skein::test {
namespace {

struct Asked {
  Reply reply;
  int64_t prompt = -1, cached = -1, cache_n = -1, prompt_n = -1;
  std::string text;
};

Asked ask_of(uint16_t port, const std::string& path, const std::string& body,
             std::string_view fields = {}) {
  Asked out;
  out.reply = post(port, path, body, fields);
  EXPECT_EQ(out.reply.status, 200) << out.reply.body;
  const Json json = out.reply.json();
  const Json usage = json.find("usage");
  usage.find("prompt_tokens").integer(out.prompt);
  usage.find("prompt_tokens_details").find("cached_tokens").integer(out.cached);
  json.find("timings").find("cache_n").integer(out.cache_n);
  json.find("timings").find("prompt_n").integer(out.prompt_n);
  EXPECT_EQ(out.cached, out.cache_n);
  EXPECT_EQ(out.prompt, out.cache_n + out.prompt_n);
  const auto choices = json.find("choices").array();
  if (!choices || choices->empty()) return out;
  const Json first = choices->front();
  const Json content =
      first.find("message") ? first.find("message").find("content") : first.find("text");
  out.text = std::string(content.string().value_or("?"));
  return out;
}

Asked complete(uint16_t port, const std::string& prompt, const std::string& more = {},
               std::string_view fields = {}) {
  JsonWriter json;
  json.begin_object().member("prompt", prompt);
  std::string body = json.end_object().text();
  body.pop_back();
  if (more.find("max_tokens") == std::string::npos) body += ",\"max_tokens\":4";
  return ask_of(port, "/v1/completions", body + ",\"temperature\":0" + more + "}", fields);
}

struct Said {
  std::string role, content;
};
Asked chat(uint16_t port, const std::vector<Said>& messages, const std::string& more = {}) {
  JsonWriter json;
  json.begin_object().key("messages").begin_array();
  for (const Said& each : messages)
    json.begin_object().member("role", each.role).member("content", each.content).end_object();
  json.end_array();
  std::string body = json.end_object().text();
  body.pop_back();
  return ask_of(port, "/v1/chat/completions",
                body + ",\"max_tokens\":12,\"temperature\":0" + more + "}");
}

std::string choices_of(const Asked& asked) {
  const size_t begin = asked.reply.body.find("\"choices\"");
  return asked.reply.body.substr(begin, asked.reply.body.find("\"usage\"") - begin);
}

std::string words(size_t count, size_t from = 0) {
  std::string out;
  for (size_t i = from; i < from + count; ++i) out += fmt::format("{} ", (i * 7919) % 1000);
  return out;
}

int64_t read_by(const TestServer& server) {
  return static_cast<int64_t>(server.of_model("skein_prompt_tokens_total"));
}

TEST(Prefix, what_was_read_is_gone_on_from_with_the_same_bits) {
  TestServer server;
  const std::string text = words(150);
  const std::string scores = ",\"logprobs\":5";
  complete(server.port(), text);
  for (const size_t length : {text.size(), text.size() / 2, text.size() / 3}) {
    const std::string prompt = text.substr(0, length) + "and so";
    const Asked fresh = complete(server.port(), prompt, scores + ",\"no_cache\":true");
    const Asked first = complete(server.port(), prompt, scores);
    const Asked again = complete(server.port(), prompt, scores);
    const Asked off = complete(server.port(), prompt, scores + ",\"cache_prompt\":false");
    EXPECT_EQ(fresh.cached, 0);
    EXPECT_EQ(off.cached, 0);
    EXPECT_EQ(again.cached, again.prompt);
    for (const Asked* each : {&first, &again, &off})
      EXPECT_EQ(choices_of(*each), choices_of(fresh));
  }
  EXPECT_GT(complete(server.port(), text + "and so").cached, 0);
}

TEST(Prefix, of_who_keeps_nothing_nothing_is_kept) {
  TestServer server;
  for (const char* field : {",\"no_cache\":true", ",\"cache_prompt\":false"}) {
    complete(server.port(), words(100), field);
    EXPECT_EQ(server.of_model("skein_kept_states"), 0);
  }
  const int64_t before = read_by(server);
  const Asked asked = complete(server.port(), words(100));
  EXPECT_EQ(asked.cached, 0);
  EXPECT_EQ(read_by(server) - before, asked.prompt);
}

TEST(Prefix, scores_of_a_prompt_are_computed_whatever_is_kept) {
  TestServer server;
  const std::string more = ",\"echo\":true,\"logprobs\":2";
  const Asked before = complete(server.port(), words(40), more);
  complete(server.port(), words(40));
  const Asked after = complete(server.port(), words(40), more);
  EXPECT_EQ(after.cached, 0);
  EXPECT_EQ(choices_of(before), choices_of(after));
}

// A second turn costs its own tokens, however long the first was.
TEST(Prefix, a_second_turn_reads_only_what_is_new) {
  TestServer server;
  std::vector<int64_t> read;
  for (const size_t count : {250u, 2500u}) {
    std::vector<Said> messages = {{"user", words(count, count)}};
    const Asked first = chat(server.port(), messages, ",\"think\":\"none\"");
    EXPECT_GT(first.prompt, static_cast<int64_t>(3 * count));
    messages.push_back({"assistant", first.text});
    messages.push_back({"user", "And what is that?"});
    const int64_t before = read_by(server);
    const Asked second = chat(server.port(), messages, ",\"think\":\"none\"");
    EXPECT_GE(second.prompt, first.prompt);
    EXPECT_EQ(read_by(server) - before, second.prompt - second.cached);
    read.push_back(second.prompt - second.cached);
  }
  // The question, the words around it, and at most the answer.
  for (const int64_t each : read) EXPECT_LT(each, 50);
  EXPECT_LE(read[1], read[0] + 12);
}

TEST(Prefix, a_history_without_its_thoughts_costs_only_the_answer) {
  TestServer server;
  const std::string think = ",\"think\":\"free\",\"reasoning_budget\":6";
  std::vector<Said> messages = {{"user", words(300)}};
  const Asked first = chat(server.port(), messages, think);
  messages.push_back({"assistant", first.text});
  messages.push_back({"user", "Why?"});
  const Asked second = chat(server.port(), messages, think);
  EXPECT_LT(second.prompt - second.cached, 50);
  EXPECT_GT(second.cached, 900);
}

TEST(Prefix, line_ends_and_blanks_that_a_client_changes_cost_nothing) {
  TestServer server;
  std::vector<Said> messages = {{"user", words(200) + "\n" + words(20)}};
  chat(server.port(), messages, ",\"think\":\"none\"");
  messages[0].content = "  " + words(200) + "\r\n" + words(20) + "\n\n";
  const Asked again = chat(server.port(), messages, ",\"think\":\"none\"");
  EXPECT_EQ(again.cached, again.prompt);
}

TEST(Prefix, who_changes_the_end_reads_from_where_the_texts_part) {
  TestServer server;
  const std::string common = words(200);
  complete(server.port(), common + "apples");
  // The first to part from it reads again from the mark before, and leaves a state where they part.
  complete(server.port(), common + "pears");
  const Asked third = complete(server.port(), common + "plums");
  EXPECT_LT(third.prompt - third.cached, 8);
}

TEST(Prefix, what_many_begin_with_is_read_once) {
  TestServer server({}, {.parallel = 32});
  const std::string common = words(400);
  const int64_t alone = complete(server.port(), common, ",\"no_cache\":true").prompt;
  const int64_t before = read_by(server);
  std::vector<std::thread> threads;
  std::vector<Asked> all(32);
  for (size_t i = 0; i < all.size(); ++i)
    threads.emplace_back([&, i] {
      all[i] =
          complete(server.port(), common + fmt::format("question {}?", i * 31), ",\"logprobs\":3");
    });
  for (std::thread& each : threads) each.join();
  int64_t fresh = 0;
  for (const Asked& each : all) fresh += each.prompt - each.cached;
  EXPECT_EQ(read_by(server) - before, fresh);
  // Who comes when the common part has been read already reads what it has after the last mark
  // again, so how much it is depends on when the system lets them run; it is far from 32 times.
  EXPECT_LT(fresh, 4 * alone);
  for (size_t i = 0; i < all.size(); i += 9) {
    const Asked lone = complete(server.port(), common + fmt::format("question {}?", i * 31),
                                ",\"logprobs\":3,\"no_cache\":true");
    EXPECT_EQ(lone.text, all[i].text);
  }
}

TEST(Prefix, equal_requests_at_once_read_once) {
  TestServer server({}, {.parallel = 8});
  const int64_t before = read_by(server);
  std::vector<std::thread> threads;
  std::vector<Asked> all(8);
  for (Asked& each : all) threads.emplace_back([&] { each = complete(server.port(), words(300)); });
  for (std::thread& each : threads) each.join();
  for (const Asked& each : all) EXPECT_EQ(each.text, all[0].text);
  EXPECT_EQ(read_by(server) - before, all[0].prompt);
}

TEST(Prefix, nobody_sees_what_another_key_has_read) {
  server::ServerOptions options;
  EXPECT_TRUE(options.service.keys.add("one"));
  EXPECT_TRUE(options.service.keys.add("two"));
  TestServer server(std::move(options));
  const auto with = [&](const char* key) {
    return complete(server.port(), words(100), "",
                    fmt::format("Authorization: Bearer {}\r\n", key));
  };
  EXPECT_EQ(with("one").cached, 0);
  EXPECT_EQ(with("two").cached, 0);
  EXPECT_GT(with("one").cached, 0);
  EXPECT_GT(with("two").cached, 0);
}

TEST(Prefix, what_is_kept_stays_within_its_memory) {
  const int64_t each = bundled().model->info().state_bytes;
  const int64_t budget = 6 * each;
  TestServer server({}, {.kept = budget});
  for (size_t i = 0; i < 12; ++i) {
    complete(server.port(), words(80, 80 * i));
    EXPECT_LE(server.of_model("skein_kept_bytes"), static_cast<double>(budget));
  }
  EXPECT_GT(server.of_model("skein_kept_states"), 0);
  EXPECT_EQ(server.of_model("skein_kept_bytes_limit"), static_cast<double>(budget));
  // What nobody asked for for the longest time is gone.
  EXPECT_EQ(complete(server.port(), words(80, 0)).cached, 0);
  TestServer none({}, {.kept = 0});
  complete(none.port(), words(80));
  EXPECT_EQ(complete(none.port(), words(80)).cached, 0);
}

// Whoever leaves in the middle finds later what was done for him.
TEST(Prefix, what_was_read_for_a_client_who_left_is_kept) {
  TestServer server;
  const std::string prompt = words(120);
  {
    Client client(server.port());
    client.request("POST", "/v1/completions",
                   "{\"prompt\":\"" + prompt +
                       "\",\"max_tokens\":100000,\"temperature\":0,\"stream\":true,"
                       "\"ignore_eos\":true}");
    ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_tokens_total") > 20; }));
  }
  ASSERT_TRUE(server.wait_until([&] { return server.of_model("skein_sequences") == 0; }));
  const Asked whole = complete(server.port(), prompt, ",\"max_tokens\":16,\"ignore_eos\":true");
  EXPECT_EQ(whole.cached, whole.prompt);
  EXPECT_GE(server.of_model("skein_kept_states"), 2);
}

// The fast way's blocks are counted from the beginning, so only their ends are gone on from.
TEST(Prefix, fast_numerics_give_the_same_with_and_without) {
  // In bytes, which more processors have a faster way for.
  const auto path =
      std::filesystem::temp_directory_path() / fmt::format("skein_prefix_{}.gguf", ::getpid());
  const auto conversion =
      Conversion::prepare(std::string(SKEIN_SOURCE_DIR) + "/models/bundled-0.pth",
                          {.format = io::WriteFormat::gguf, .quant = "q8_0"});
  ASSERT_TRUE(conversion) << conversion.error().message;
  ASSERT_TRUE(conversion->write(path, {}));
  const auto model = Model::open(path.string(), {.threads = 2, .numerics = Numerics::fast}).value();
  std::filesystem::remove(path);
  if (model->info().numerics != Numerics::fast)
    GTEST_SKIP() << "SKIPPED: this processor has no faster way";
  TestServer server({}, {}, {"bundled"}, {model, bundled().tokenizer, bundled().profile});
  const std::string text = words(150);
  complete(server.port(), text);
  for (const size_t length : {text.size(), text.size() / 2, text.size() / 3}) {
    const std::string prompt = text.substr(0, length) + "and so";
    const std::string scores = ",\"logprobs\":5";
    const Asked fresh = complete(server.port(), prompt, scores + ",\"no_cache\":true");
    for (int i = 0; i < 3; ++i) {
      const Asked again = complete(server.port(), prompt, scores);
      EXPECT_EQ(choices_of(again), choices_of(fresh));
      EXPECT_TRUE(again.cached % kFastBlock == 0 || again.cached == again.prompt);
      EXPECT_TRUE(i == 0 || again.cached > 0);
    }
  }
}

server::Start tuned(uint8_t number) {
  server::Start out;
  out.scope[0] = std::byte{number};
  out.state = std::make_shared<const Session::Snapshot>(
      Session::Snapshot{State(bundled().model->state_layout()), {}});
  return out;
}

// Whoever sends states of his own to begin with takes of the same memory.
TEST(Prefix, states_that_texts_begin_with_are_counted_and_stay_within_it) {
  const auto one = static_cast<int64_t>(tuned(0).state->bytes());
  const int32_t ids[] = {5, 6, 7};
  for (const int64_t budget : {one / 2, 2 * one, 8 * one + one / 2}) {
    server::PrefixStates states(*bundled().model, budget);
    for (int i = 0; i < 60; ++i) {
      const server::Start start = tuned(static_cast<uint8_t>(i));
      const std::weak_ptr<const Session::Snapshot> held = start.state;
      EXPECT_EQ(states.find(start, ids).tokens, 0u);
      State read(bundled().model->state_layout());
      ASSERT_TRUE(bundled().model->eval(read, ids, Want::none, nullptr));
      EXPECT_EQ(states.keep(start, ids, {std::move(read), {}}) != nullptr, budget >= 2 * one);
      EXPECT_LE(states.usage().bytes, std::max(budget, int64_t{4096}) + one / 2) << i;
      // Those used last are there, and are among what is told.
      if (budget > 8 * one) {
        EXPECT_GE(states.usage().states, std::min(i + 1, 4));
        EXPECT_EQ(states.beginning_of(start.scope), start.state);
      }
      EXPECT_EQ(held.use_count() > 1, budget >= 2 * one);
    }
  }
}

TEST(Marks, stand_apart_and_further_apart_further_on) {
  EXPECT_EQ(server::choose_marks(0, 200, {}), (std::vector<size_t>{}));
  EXPECT_EQ(server::choose_marks(0, 5000, {100, 110, 4990}),
            (std::vector<size_t>{100, 256, 512, 1024, 2048, 4096}));
  EXPECT_EQ(server::choose_marks(900, 5000, {}), (std::vector<size_t>{1024, 2048, 4096}));
}

}  // namespace
}  // namespace skein::test
