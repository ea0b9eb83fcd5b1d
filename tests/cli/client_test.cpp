// skein client and complete --server: against skein serve, and against servers that answer
// otherwise.
#include <gtest/gtest.h>

#include <atomic>
#include <thread>

#include "cli/event_stream.h"
#include "cli/serving.h"
#include "cli/terminal.h"
#include "server/client.h"
#include "support/bundled.h"

namespace skein::test {
namespace {

bool has(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

// Answers each connection with the same bytes and closes it; what it was asked is kept.
class Canned {
 public:
  explicit Canned(std::string answer) : answer_(std::move(answer)) {
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof(place);
    ::bind(fd_, reinterpret_cast<const sockaddr*>(&place), size);
    ::listen(fd_, 8);
    ::getsockname(fd_, reinterpret_cast<sockaddr*>(&place), &size);
    port_ = ntohs(place.sin_port);
    thread_ = std::thread([this] { serve(); });
  }
  ~Canned() { end(); }
  Canned(const Canned&) = delete;
  Canned& operator=(const Canned&) = delete;

  std::string url() const { return fmt::format("127.0.0.1:{}", port_); }
  // What the last one asked, after which nobody is answered.
  std::string asked() {
    end();
    return asked_;
  }

 private:
  void end() {
    ::shutdown(fd_, SHUT_RDWR);
    if (thread_.joinable()) thread_.join();
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }
  void serve() {
    for (int left = 8; left > 0; --left) {
      const int one = ::accept(fd_, nullptr, nullptr);
      if (one < 0) return;
      std::string text;
      char bytes[4096];
      for (size_t whole = 1; text.size() < whole;) {
        pollfd wait{.fd = one, .events = POLLIN, .revents = 0};
        const ssize_t count =
            ::poll(&wait, 1, 20'000) == 1 ? ::recv(one, bytes, sizeof(bytes), 0) : 0;
        if (count <= 0) break;
        text.append(bytes, static_cast<size_t>(count));
        const size_t end = text.find("\r\n\r\n"), mark = text.find("Content-Length: ");
        whole = text.size() + 1;
        if (end == std::string::npos) continue;
        whole = end + 4 + (mark < end ? std::stoul(text.substr(mark + 16)) : 0);
      }
      asked_ = text;
      (void)!::send(one, answer_.data(), answer_.size(), MSG_NOSIGNAL);
      ::close(one);
    }
  }

  int fd_ = ::socket(AF_INET, SOCK_STREAM, 0);
  uint16_t port_ = 0;
  const std::string answer_;
  std::string asked_;
  std::thread thread_;
};

std::string answer_of(std::string_view status, std::string_view type, std::string_view body,
                      std::string_view fields = {}) {
  return fmt::format("HTTP/1.1 {}\r\nContent-Type: {}\r\nConnection: close\r\n{}\r\n{}", status,
                     type, fields, body);
}
std::string stream_of(std::string_view body) {
  return answer_of("200 OK", "text/event-stream", body);
}

std::string url_of(const Served& served) { return fmt::format("127.0.0.1:{}", served.port()); }

TEST(EventStream, is_the_same_however_it_is_cut) {
  const std::string text =
      ": ping\n\ndata: one\n\ndata:two\r\ndata: lines\r\n\r\nid: 5\ndata\n\nevent: x\rdata: "
      "last\r\r";
  for (size_t piece = 1; piece <= text.size(); ++piece) {
    std::vector<std::string> got;
    cli::EventStream events([&](std::string_view data) -> Result<bool> {
      got.emplace_back(data);
      return true;
    });
    for (size_t at = 0; at < text.size(); at += piece)
      ASSERT_TRUE(events.feed(std::string_view(text).substr(at, piece)));
    EXPECT_EQ(got, (std::vector<std::string>{"one", "two\nlines", "last"})) << piece;
  }
}

TEST(ClientCommand, answers_one_question_as_run_does) {
  const Served served;
  for (const std::string& url : {url_of(served), "http://" + url_of(served) + "/v1/"}) {
    const Ran ran = run({"client", url, "-p", "Reverse: garden"});
    EXPECT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(ran.out, BUNDLED_REVERSED "\n");
    EXPECT_EQ(ran.err, "");
  }
  const Output piped = run_skein({"client", url_of(served)}, "Reverse: garden\n");
  EXPECT_EQ(piped.out, BUNDLED_REVERSED "\n") << piped.err;
  const Ran json = run({"client", "-p", "Reverse: garden", "--json", "--temp", "0", "--seed", "3",
                        "--ban", "5", "--logit-bias", "7=-1.5", "--order", "rwkv"},
                       {.environment = {"SKEIN_SERVER=" + url_of(served)}});
  const auto told = parse_json(json.out, 1 << 20);
  ASSERT_TRUE(told) << json.out << json.err;
  EXPECT_EQ(told->find("text").string(), BUNDLED_REVERSED);
  EXPECT_EQ(told->find("model").string(), "tiny");
  EXPECT_EQ(told->find("finish").string(), "stop");
}

TEST(ClientCommand, continues_a_text_as_a_model_that_runs_here_does) {
  const std::vector<std::string> how = {"--seed", "11", "--temp",      "1.3",
                                        "-n",     "40", "--ignore-eos"};
  const auto with = [&](std::vector<std::string> words) {
    words.insert(words.end(), how.begin(), how.end());
    return run(words);
  };
  const Served served;
  const std::string text = "User: Spell: garden";
  const Ran here = with({"complete", Served::kModel, text, "--order", "openai"});
  ASSERT_EQ(here.code, 0) << here.err;
  const Ran there = with({"complete", "--server", url_of(served), text});
  EXPECT_EQ(there.code, 0) << there.err;
  EXPECT_EQ(there.out, here.out);
  EXPECT_EQ(with({"complete", "--server", url_of(served), "-m", "tiny", text}).out, here.out);
  EXPECT_EQ(with({"complete", "--server", url_of(served), "tiny", text}).out, here.out);
  const Ran local = run({"complete", "--server", url_of(served), text, "--state", "x"});
  EXPECT_EQ(local.code, 2);
  EXPECT_TRUE(has(local.err, "--state is for a model that runs here")) << local.err;
  EXPECT_EQ(run({"complete"}).code, 2);
}

TEST(ClientCommand, a_server_holds_a_text_to_what_it_has_to_be) {
  const Folder folder;
  write_text(folder / "g.gbnf", "root ::= \"a\" [bc]{3}\n");
  const Served served;
  const std::vector<std::vector<std::string>> forms = {
      {"--schema", R"({"type":"array","items":{"enum":[1,22]},"minItems":2,"maxItems":4})",
       "--whitespace", "compact"},
      {"--schema", R"({"type":"array","items":{"enum":[1,22]},"minItems":2,"maxItems":4})"},
      {"--regex", "[ab]{5}c"},
      {"--choice", "yes", "--choice", "no"},
      {"--grammar", (folder / "g.gbnf").string()},
      {"--json-object", "-n", "9", "-q"}};
  for (std::vector<std::string> words : forms) {
    words.insert(words.end(), {"--seed", "4", "--temp", "1.5", "--top-p", "1", "-p", "Once"});
    std::vector<std::string> here = {"complete", Served::kModel,   "--order",
                                     "openai",   "--leading-zero", "no"};
    std::vector<std::string> there = {"complete", "--server", url_of(served)};
    here.insert(here.end(), words.begin(), words.end());
    there.insert(there.end(), words.begin(), words.end());
    const Ran local = run(here), remote = run(there);
    EXPECT_EQ(remote.code, 0) << remote.err;
    EXPECT_FALSE(remote.out.empty());
    EXPECT_EQ(remote.out, local.out) << words[0] << local.err;
  }
  const Ran wrong = run({"complete", "--server", url_of(served), "-p", "x", "--regex", "(a"});
  EXPECT_TRUE(wrong.code != 0 && has(wrong.err, "1:1: the ( has no )")) << wrong.err;
}

TEST(ClientCommand, what_goes_wrong_is_said_in_words) {
  const auto refused = [](std::vector<std::string> words, int code, std::string_view part) {
    words.insert(words.begin(), "client");
    words.insert(words.end(), {"-p", "hello"});
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, code) << ran.err;
    EXPECT_TRUE(has(ran.err, part)) << ran.err;
    EXPECT_EQ(ran.out, "");
  };
  refused({"127.0.0.1:1"}, 5, "no connection");
  refused({"ftp://localhost"}, 2, "use http or https");
  refused({"http://me:secret@localhost"}, 2, "--api-key-file");
  const Served served({"two=" + Served::kModel, "--api-key", "k"});
  refused({url_of(served)}, 5, "SKEIN_API_KEY");
  refused({url_of(served), "--api-key", "z"}, 5, "not the right one");
  refused({url_of(served), "--api-key", "k"}, 2, "choose one with -m: tiny, two");
  refused({url_of(served) + "/x", "--api-key", "k"}, 5, "is this the address");
  refused({url_of(served), "--api-key", "k", "-m", "three"}, 5, "there is no model three");
  EXPECT_EQ(run({"client", url_of(served), "-m", "two", "-p", "Reverse: garden"},
                {.environment = {"SKEIN_API_KEY=k"}})
                .out,
            BUNDLED_REVERSED "\n");
}

TEST(ClientCommand, understands_servers_that_answer_otherwise) {
  const auto says = [](const std::string& answer, std::vector<std::string> more = {}) {
    Canned server(answer);
    std::vector<std::string> words = {"client", server.url(), "-m", "x", "-p", "hello"};
    words.insert(words.end(), more.begin(), more.end());
    return run(words);
  };
  const std::string hi = R"(data: {"choices":[{"delta":{"content":"hi"}}]})"
                         "\n\n";
  // In one piece; thoughts under either name; an end without [DONE].
  EXPECT_EQ(
      says(answer_of("200 OK", "application/json",
                     R"({"choices":[{"message":{"content":"whole"},"finish_reason":"stop"}]})"))
          .out,
      "whole\n");
  EXPECT_EQ(says(stream_of(R"(data: {"choices":[{"delta":{"reasoning":"hm"}}]})"
                           "\n\n" +
                           hi +
                           R"(data: {"choices":[{"delta":{},"finish_reason":"stop"}]})"
                           "\n\n"),
                 {"--show-thinking", "always"})
                .out,
            "<think>\nhm\n</think>\n\nhi\n");
  const auto fails = [&](const std::string& answer, std::string_view part) {
    const Ran ran = says(answer);
    EXPECT_EQ(ran.code, 5) << ran.err;
    EXPECT_TRUE(has(ran.err, part)) << ran.err;
  };
  fails(stream_of(hi), "ended the answer before it was whole");
  fails(stream_of(hi + "data: {\"error\":{\"message\":\"no memory\"}}\n\n"), "no memory");
  fails(stream_of(hi + "data: [\n\n"), "no JSON");
  fails(answer_of("302 Found", "text/plain", "", "Location: http://127.0.0.1:9/\r\n"),
        "sends us to http://127.0.0.1:9/");
  fails(answer_of("503 Busy", "text/plain", "full \x1b[2J\nmore", "Retry-After: 7\r\n"),
        "come again in 7 s");
  fails("", "the connection was cut");
}

TEST(ClientCommand, tells_a_server_what_was_set_and_nothing_else) {
  Canned server(stream_of("data: [DONE]\n\n"));
  EXPECT_EQ(
      run({"client", server.url(), "-m",        "x",   "-p",        "hello", "--system",     "be",
           "--temp", "0.5",        "--typical", "1",   "--ban",     "4,6",   "--logit-bias", "6=2",
           "-n",     "9",          "--think",   "low", "--api-key", "k"})
          .code,
      0);
  const std::string asked = server.asked();
  EXPECT_TRUE(has(asked, "POST /v1/chat/completions HTTP/1.1\r\n")) << asked;
  EXPECT_TRUE(has(asked, "Authorization: Bearer k\r\n")) << asked;
  EXPECT_TRUE(asked.ends_with(
      R"({"model":"x","messages":[{"role":"system","content":"be"},{"role":"user","content":"hello"}],)"
      R"("stream":true,"stream_options":{"include_usage":true},"max_tokens":9,"reasoning_effort":"low",)"
      R"("temperature":0.5,"typical_p":1,"logit_bias":{"4":-100,"6":-100}})"))
      << asked;
}

TEST(ClientCommand, chats_as_run_does_and_ctrl_c_stops_an_answer) {
  SK_NEEDS_TERMINAL();
  const Folder home;
  // A text without an end, for stopping it.
  Served served({"--predict", "-1", "--profile", "plain", "--ban", "0", "--seed", "1"});
  Terminal terminal({"client", url_of(served)}, {"HOME=" + home.path().string()});
  ASSERT_NE(terminal.wait_for("/help lists the commands"), "");
  terminal.send("/system Be kind.\r");
  ASSERT_NE(terminal.wait_for("a new conversation with this system text"), "");
  terminal.send("Tell me a story.\r");
  ASSERT_NE(terminal.wait_for("a story.\r\n"), "");
  for (int letters = 0; letters < 3; ++letters) ASSERT_NE(terminal.wait_for("e"), "");
  terminal.send("\x03");
  ASSERT_NE(terminal.wait_for("stopped; /continue goes on"), "");
  terminal.send("/undo\r");
  ASSERT_NE(terminal.wait_for("took back 1 turn, 0 left"), "");
  terminal.send("/undo\r");
  ASSERT_NE(terminal.wait_for("there are 0 turns"), "");
  terminal.send("/model nope\r");
  ASSERT_NE(terminal.wait_for("has no model nope"), "");
  terminal.send("/exit\r");
  EXPECT_EQ(terminal.finish(), 0);
  // Who is gone keeps nothing busy.
  EXPECT_TRUE(served.process().wait_until([&] {
    return has(ask(served.port(), "GET", "/metrics").body, "\nllamacpp:requests_processing 0\n");
  }));
}

}  // namespace
}  // namespace skein::test
