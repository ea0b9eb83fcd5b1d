// The server as clients of others meet it: scripts in this folder drive them, each against a server
// of its own, and have the last word on what is right.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdio>
#include <optional>
#include <random>
#include <skein/skein.hpp>

#include "cli/process.h"
#include "support/bundled.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

const std::filesystem::path kScripts = std::filesystem::path(SKEIN_SOURCE_DIR) / "tests/clients";
const std::filesystem::path kFetched = SKEIN_CLIENTS;
const std::string kModel = std::string(SKEIN_SOURCE_DIR) + "/models/bundled-0.pth";
constexpr const char* kKey = "a-key-of-the-tests";

// Where a program of this name is, or nothing.
std::string found(const std::string& name) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path ? path : "");
  for (std::string folder; std::getline(folders, folder, ':');)
    if (::access((folder + "/" + name).c_str(), X_OK) == 0) return folder + "/" + name;
  return {};
}

// Debian's modules belong to Debian's Python, and other ones may come first in PATH.
std::string python() {
  return ::access("/usr/bin/python3", X_OK) == 0 ? "/usr/bin/python3" : found("python3");
}

class Clients : public testing::Test {
 protected:
  // Why a script cannot be run here, in the words of the summary, or nothing. What ./dev would have
  // installed is there where all is tested, unless the network is not.
  static std::string without(const std::string& why) {
    return thorough() ? why : "SKIPPED: " + why;
  }
  static std::string node_problem() {
    if (found("node").empty()) return without("needs node and npm, for the server's clients");
    if (std::filesystem::exists(kFetched / "node_modules/.whole")) return {};
    const std::string reason = text_of_file(kFetched / "why-not");
    return reason.empty() ? without("needs npm packages, which ./dev test fetches") : reason;
  }
  static std::string curl_problem() {
    return found("curl").empty() ? without("needs curl, for the server's clients") : "";
  }
  static std::string python_problem(const std::string& modules) {
    if (python().empty()) return without("needs python3, for the server's clients");
    const Ran ran = run({"-c", "import " + modules}, {.program = python()});
    return ran.code == 0 ? ""
                         : without("needs python3-aiohttp, python3-httpx and python3-requests");
  }

  void serve(std::vector<std::string> more = {}) {
    std::vector<std::string> words = {"serve", "tiny=" + kModel, "--port", "0", "--threads", "1"};
    words.insert(words.end(), more.begin(), more.end());
    server_.emplace(words, files_ / "out", files_ / "err", std::vector<int>{},
                    std::vector<std::string>{std::string("SKEIN_API_KEY=") + kKey});
    server_->wait_until([&] { return !address().empty(); });
    ASSERT_NE(address(), "") << text_of_file(files_ / "err");
  }

  // Runs `words`, shows what they said if they fail, and ends the server.
  void tried(std::vector<std::string> words, std::vector<std::string> environment = {}) {
    words.insert(words.begin(), {"-k", "5", "120"});
    environment.insert(environment.end(),
                       {"SKEIN_URL=" + address() + "/v1", std::string("SKEIN_KEY=") + kKey,
                        "SKEIN_REVERSED=" BUNDLED_REVERSED, "NODE_NO_WARNINGS=1",
                        "SKEIN_PAGE=" SKEIN_SOURCE_DIR "/docs/serving.md"});
    const Ran ran = run(words, {.environment = environment, .program = "/usr/bin/timeout"});
    EXPECT_EQ(ran.code, 0) << ran.out << ran.err << "--- the server:\n"
                           << text_of_file(files_ / "err");
    server_->send(SIGTERM);
    EXPECT_EQ(server_->finish(), 0) << text_of_file(files_ / "err");
  }
  // Whether nothing is in the way; otherwise the test is skipped for it or fails.
  static bool possible(const std::string& problem) {
    if (problem.empty()) return true;
    [&] {
      if (problem.starts_with("SKIPPED")) GTEST_SKIP() << problem;
      FAIL() << problem;
    }();
    return false;
  }
  void tried_node(const std::string& script, std::vector<std::string> server = {}) {
    if (!possible(node_problem())) return;
    serve(std::move(server));
    if (HasFatalFailure()) return;
    tried({found("node"), (kFetched / script).string()});
  }
  void tried_python(const std::string& script, const std::string& modules,
                    std::vector<std::string> environment = {}) {
    if (!possible(python_problem(modules))) return;
    serve();
    if (HasFatalFailure()) return;
    tried({python(), "-B", (kScripts / script).string()}, std::move(environment));
  }

  const Folder files_;

 private:
  std::string address() const {
    const std::string text = text_of_file(files_ / "out");
    const size_t at = text.find("http://"), end = text.find('\n', at);
    return end == std::string::npos ? "" : text.substr(at, end - at);
  }
  std::optional<Process> server_;
};

TEST_F(Clients, npm_openai_makes_each_of_its_calls) { tried_node("openai.mjs"); }
TEST_F(Clients, npm_openai_lives_through_responses) { tried_node("responses.mjs"); }
TEST_F(Clients, npm_openai_waits_for_a_server_that_is_busy) {
  tried_node("busy.mjs", {"--parallel", "1", "--queue", "0"});
}
TEST_F(Clients, npm_openai_reads_streams_as_it_did) { tried_node("reader.mjs"); }
TEST_F(Clients, vercel_ai_speaks_both_apis) { tried_node("vercel.mjs"); }
TEST_F(Clients, npm_anthropic_makes_each_of_its_calls) { tried_node("anthropic.mjs"); }
TEST_F(Clients, vercel_ai_speaks_anthropics_api) { tried_node("vercel_anthropic.mjs"); }
TEST_F(Clients, langchain_speaks_anthropics_api) { tried_node("langchain_anthropic.mjs"); }
TEST_F(Clients, langchain_speaks_both_apis) { tried_node("langchain.mjs"); }
TEST_F(Clients, aider_is_answered) { tried_node("aider.mjs"); }
TEST_F(Clients, agents_run) { tried_node("agents.mjs"); }
TEST_F(Clients, npm_ollama_makes_each_of_its_calls) { tried_node("ollama.mjs"); }
TEST_F(Clients, langchain_speaks_ollamas_api) { tried_node("langchain_ollama.mjs"); }
TEST_F(Clients, what_other_peoples_programs_send_is_answered_as_they_read_it) {
  tried_node("recorded.mjs");
}
TEST_F(Clients, npm_openai_is_answered_in_forms_and_calls) { tried_node("openai_forms.mjs"); }
TEST_F(Clients, vercel_ai_is_answered_in_forms_and_calls) { tried_node("vercel_forms.mjs"); }
TEST_F(Clients, langchain_is_answered_in_forms_and_calls) { tried_node("langchain_forms.mjs"); }
TEST_F(Clients, agents_call_tools_and_have_types) { tried_node("agents_forms.mjs"); }
TEST_F(Clients, what_the_page_says_works) {
  if (possible(curl_problem())) tried_node("page.mjs");
}

TEST_F(Clients, debians_python_clients_are_served) {
  tried_python("python_clients.py", "aiohttp, httpx, requests");
}
TEST_F(Clients, curl_is_served) {
  if (possible(curl_problem())) tried_python("curl.py", "sys");
}
TEST_F(Clients, metrics_are_in_the_format_of_prometheus) { tried_python("metrics.py", "sys"); }

// ---- Scores.

std::vector<int32_t> ids_of(std::string_view text) {
  std::vector<int32_t> out;
  for (const char c : text) out.push_back(static_cast<unsigned char>(c) + 1);
  return out;
}

// What the program itself says to prompts: of bytes that are no text, of text, and of text that the
// model goes on with by itself, so that each of its tokens is the likeliest.
std::string scores(size_t count) {
  Model model(kModel);
  std::mt19937 random(13);
  std::uniform_int_distribution<int> any(0, 256), length(2, 40);
  std::string out = "[";
  for (size_t row = 0; row < count; ++row) {
    std::vector<int32_t> ids;
    size_t context = 1;
    if (row % 4 == 0) {
      ids = ids_of("User: What is " + std::to_string(row % 50) + "+30?\n\nAssistant:");
      context = ids.size();
      State state = model.new_state();
      std::vector<float> logits = model.eval(state, ids);
      for (int i = 0; i < 8; ++i) {
        const auto best = std::max_element(logits.begin(), logits.end()) - logits.begin();
        ids.push_back(static_cast<int32_t>(best));
        logits = model.eval(state, std::vector{ids.back()});
      }
    } else {
      for (int left = length(random); left > 0; --left) ids.push_back(any(random));
      if (row % 4 == 1) ids = ids_of("One day Mia found a lamp. " + std::to_string(row));
      context = 1 + row % (ids.size() - 1);
    }
    State state = model.new_state();
    std::vector<double> logprobs(ids.size() - 1);
    std::vector<uint8_t> best(ids.size() - 1);
    EXPECT_EQ(
        sk_score(model.get(), state.get(), ids.data(), ids.size(), logprobs.data(), best.data()),
        SK_OK);
    const auto list = [&](const char* name, const auto& values) {
      out += std::string("\"") + name + "\":[";
      for (size_t i = 0; i < values.size(); ++i) {
        char text[40];
        std::snprintf(text, sizeof text, "%s%.17g", i ? "," : "", static_cast<double>(values[i]));
        out += text;
      }
      out += "],";
    };
    out += row ? ",{" : "{";
    list("ids", ids);
    list("logprobs", logprobs);
    list("best", best);
    out += "\"context\":" + std::to_string(context) + "}";
  }
  return out + "]";
}

TEST_F(Clients, lm_eval_reads_the_likelihoods_of_the_program_itself) {
  write_text(files_ / "scores", scores(thorough() ? 1000 : 240));
  tried_python("lm_eval.py", "aiohttp, requests", {"SKEIN_SCORES=" + (files_ / "scores").string()});
}

}  // namespace
}  // namespace skein::test
