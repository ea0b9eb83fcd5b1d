#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "base/json.h"
#include "cli/screen.h"
#include "cli/terminal.h"
#include "support/bundled.h"
#include "support/fixtures.h"
#include "support/sanitizers.h"

namespace skein {
namespace {

using test::Output;
using test::run_skein;
using test::Terminal;

const std::string kModel =
    (std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth").string();
const std::string kQuestion = "User: Reverse: garden\n\nAssistant:";
const std::string kPrompt = "\033[36m>\033[0m";  // as it is drawn

class ChatCommand : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("skein-chat-" + std::to_string(::getpid()));
    std::filesystem::remove_all(folder_);
    std::filesystem::create_directories(folder_);
    for (const char* name : {"SKEIN_HOME", "NO_COLOR", "CLICOLOR_FORCE"}) ::unsetenv(name);
    for (const char* name : {"HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"})
      ::setenv(name, folder_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::string file(const std::string& name) const { return (folder_ / name).string(); }

  std::filesystem::path folder_;
};

// An answer without an end, for stopping it.
std::vector<std::string> endless() {
  return {"run", kModel, "--profile", "plain", "--ban", "0", "--seed", "1", "-t", "1"};
}

// Comes back in the middle of an endless() answer.
void ask_for_a_story(Terminal& terminal) {
  terminal.send("User: Tell me a story.\r");
  ASSERT_NE(terminal.wait_for("a story.\r\n"), "");
  for (int letters = 0; letters < 3; ++letters) ASSERT_NE(terminal.wait_for("e"), "");
}

TEST_F(ChatCommand, one_question_gives_the_answer_and_nothing_else) {
  const Output output = run_skein({"run", kModel, "Reverse: garden"});
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.out, BUNDLED_REVERSED "\n");
  EXPECT_EQ(output.err, "");
}

TEST_F(ChatCommand, a_question_may_come_through_a_pipe) {
  const Output output = run_skein({"run", kModel}, "Reverse: garden\n");
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.out, BUNDLED_REVERSED "\n");
  const Output empty = run_skein({"run", kModel}, "\n");
  EXPECT_EQ(empty.code, 2);
  EXPECT_EQ(empty.out, "");
  EXPECT_NE(empty.err.find("nothing to answer"), std::string::npos);
}

// What is piped in, or stands in a file, follows the question: the same answer as to both at once.
TEST_F(ChatCommand, a_question_can_be_about_a_pipe_or_a_file) {
  const std::string both = run_skein({"run", kModel, "Reverse:\n\ngarden"}).out;
  const Output piped = run_skein({"run", kModel, "Reverse:"}, "garden");
  EXPECT_EQ(piped.code, 0) << piped.err;
  EXPECT_EQ(piped.out, both);
  std::ofstream(file("about")) << "garden";
  EXPECT_EQ(run_skein({"run", kModel, "Reverse:", "-f", file("about")}).out, both);
  EXPECT_EQ(run_skein({"run", kModel, "Reverse:", "-f", "-"}, "garden").out, both);
  // The question alone can stand there, too; nothing at all is no question.
  std::ofstream(file("asked")) << "Reverse: garden\n";
  EXPECT_EQ(run_skein({"run", kModel, "-f", file("asked")}).out, BUNDLED_REVERSED "\n");
  EXPECT_EQ(run_skein({"run", kModel, ""}).code, 2);
  std::ofstream(file("empty")) << "\n";
  EXPECT_EQ(run_skein({"run", kModel, "Reverse:", "-f", file("empty")}).code, 2);
  EXPECT_EQ(run_skein({"run", kModel, "-f", file("none")}).code, 1);
  // What is not there is told before a question is waited for.
  const Output missing = run_skein({"run", "nope.pth"});
  EXPECT_EQ(missing.code, 1);
  EXPECT_NE(missing.err.find("nope.pth"), std::string::npos) << missing.err;
}

TEST_F(ChatCommand, complete_continues_the_text_as_it_stands) {
  const Output output = run_skein({"complete", kModel, kQuestion, "--stop", "\n\n"});
  EXPECT_EQ(output.code, 0);
  EXPECT_EQ(output.out, " " BUNDLED_REVERSED);
  EXPECT_EQ(output.err, "");
  const Output piped = run_skein({"complete", kModel, "--stop", "\n\n"}, kQuestion + "\n");
  EXPECT_EQ(piped.out, " " BUNDLED_REVERSED);
  std::ofstream(file("text")) << kQuestion << "\n";
  EXPECT_EQ(run_skein({"complete", kModel, "-f", file("text"), "--stop", "\n\n"}).out,
            " " BUNDLED_REVERSED);
  const Output stats = run_skein({"complete", kModel, kQuestion, "--stop", "\n\n", "--stats"});
  EXPECT_EQ(stats.out, " " BUNDLED_REVERSED);
  EXPECT_NE(stats.err.find(" tokens/s; the first came after "), std::string::npos) << stats.err;
  EXPECT_EQ(stats.err.find("logits"), std::string::npos) << stats.err;
  const Output all = run_skein({"complete", kModel, kQuestion, "--stop", "\n\n", "--stats", "-v"});
  EXPECT_NE(all.err.find("% of read bandwidth, logits "), std::string::npos);
}

TEST_F(ChatCommand, answers_are_held_to_a_form_until_it_is_taken_back) {
  SK_NEEDS_TERMINAL();
  Terminal terminal({"run", kModel, "--temp", "0"});
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  const auto brings = [&](const std::string& line, const std::string& text) {
    terminal.send(line + "\r");
    EXPECT_NE(terminal.wait_for(text), "") << line << " does not bring " << text;
  };
  brings("/set choice=purple", "choice = purple");
  brings("Reverse: garden", "garden\r\n");
  EXPECT_NE(terminal.wait_for("purple"), "");
  brings("/set regex=(a", "1:1: the ( has no )");
  brings("/show params", "choice             purple");
  brings("/set choice=", "choice = ");
  brings("/clear", kPrompt);
  brings("Reverse: garden", BUNDLED_REVERSED);
  terminal.send("/exit\r");
  EXPECT_EQ(terminal.finish(), 0);
}

TEST_F(ChatCommand, drafts_change_no_token_and_are_counted) {
  const std::vector<std::string> ask = {
      "complete", kModel, "User: Tell me a story.\n\nAssistant:", "-n", "300", "--temp", "0",
      "--ban",    "0"};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.begin(), ask.begin(), ask.end());
    return run_skein(more);
  };
  const auto plain = parse_json(with({"--json"}).out, 1 << 20);
  const auto drafted = parse_json(with({"--json", "--draft", "16"}).out, 1 << 20);
  ASSERT_TRUE(plain && drafted);
  for (const char* same : {"text", "fingerprint"})
    EXPECT_EQ(*plain->find(same)->string(), *drafted->find(same)->string());
  const auto used = [](const Json& json, const char* name) {
    int64_t out = -1;
    EXPECT_TRUE(json.find("usage")->find(name)->integer(out));
    return out;
  };
  EXPECT_EQ(used(*plain, "drafted_tokens"), 0);
  EXPECT_GE(used(*drafted, "drafted_tokens"), used(*drafted, "accepted_tokens"));
  EXPECT_EQ(with({"--draft", "65"}).code, 2);
  EXPECT_EQ(with({"--draft", "-1"}).code, 2);
  const Output answer = run_skein({"run", kModel, "Reverse: garden", "--draft", "8"});
  EXPECT_EQ(answer.out, run_skein({"run", kModel, "Reverse: garden"}).out);
}

TEST_F(ChatCommand, complete_warns_of_a_space_at_the_end) {
  const Output output = run_skein({"complete", kModel, kQuestion + " ", "-n", "1"});
  EXPECT_EQ(output.code, 0);
  EXPECT_NE(output.err.find("warning: the text ends in a space"), std::string::npos);
  EXPECT_EQ(run_skein({"complete", kModel, kQuestion + " ", "-n", "1", "-q"}).err, "");
}

TEST_F(ChatCommand, complete_takes_and_gives_ids_without_a_vocabulary) {
  const std::string tiny = test::fixture("models/tiny_v7.pth").string();
  const Output output =
      run_skein({"complete", tiny, "--tokens", "1,2,3", "-n", "4", "--temp", "0"});
  EXPECT_EQ(output.code, 0);
  std::istringstream ids(output.out);
  int id = 0, count = 0;
  while (ids >> id) ++count;
  EXPECT_EQ(count, 4);
  EXPECT_EQ(run_skein({"complete", tiny, "hello"}).code, 1);
  EXPECT_EQ(run_skein({"complete", tiny, "--tokens", "1,260"}).code, 2);
  EXPECT_EQ(run_skein({"complete", tiny, "--tokens", "1,x"}).code, 2);
}

TEST_F(ChatCommand, a_saved_state_goes_on_where_the_text_ended) {
  const std::vector<std::string> sampling = {"--temp",
                                             "1",
                                             "--top-p",
                                             "0.9",
                                             "--seed",
                                             "5",
                                             "--presence-penalty",
                                             "0",
                                             "--frequency-penalty",
                                             "0"};
  const auto complete = [&](std::vector<std::string> args) {
    args.insert(args.begin(), {"complete", kModel});
    args.insert(args.end(), sampling.begin(), sampling.end());
    const Output output = run_skein(args);
    EXPECT_EQ(output.code, 0) << output.err;
    return output.out;
  };
  const std::string story = "User: Tell me a story.\n\nAssistant:";
  const std::string whole = complete({story, "-n", "40"});
  const std::string first = complete({story, "-n", "20", "--save-state", file("a.state")});
  EXPECT_EQ(first, whole.substr(0, 20));
  // The next letter by hand, then the model's: positions and so random numbers go on as well.
  EXPECT_EQ(complete({whole.substr(20, 1), "--state", file("a.state"), "-n", "19"}),
            whole.substr(21));
  const Output other = run_skein({"complete", test::fixture("models/tiny_v7.pth").string(),
                                  "--tokens", "1", "--state", file("a.state")});
  EXPECT_EQ(other.code, 3);
  EXPECT_EQ(run_skein({"complete", kModel, "a", "--state", file("none.state")}).code, 1);
}

TEST_F(ChatCommand, a_full_disk_is_one_sentence_and_keeps_the_old_file) {
  std::ofstream(file("a.state")) << "old";
  // A limit on the size of files fails in write(), as a full disk does.
  const std::string command = "trap '' XFSZ; ulimit -f 8; exec \"$0\" \"$@\"";
  const Output output =
      test::run_program({"/bin/sh", "-c", command, SKEIN_PROGRAM, "complete", kModel, kQuestion,
                         "-n", "2", "--save-state", file("a.state")});
  EXPECT_EQ(output.code, 1);
  EXPECT_EQ(output.err.find("error: " + file("a.state") + ": cannot be written: "), 0u)
      << output.err;
  std::string kept;
  std::ifstream(file("a.state")) >> kept;
  EXPECT_EQ(kept, "old");
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(folder_), {}), 1);
}

TEST_F(ChatCommand, a_state_for_a_pipe_that_nobody_reads_is_an_error_and_no_file) {
  const std::string pipe = file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  // A reader is waited for, five seconds in naps.
  const bool preload = !test::kAddressSanitizer && !test::kThreadSanitizer;
  if (preload) {
    ::setenv("LD_PRELOAD", SKEIN_SIGNALLING, 1);
    ::setenv("SIGNALLING_NO_NAPS", "1", 1);
  }
  const Output output = run_skein({"complete", kModel, kQuestion, "-n", "2", "--save-state", pipe});
  ::unsetenv("LD_PRELOAD");
  EXPECT_EQ(output.code, 1);
  EXPECT_NE(output.err.find("not a regular file"), std::string::npos) << output.err;
  EXPECT_TRUE(std::filesystem::is_fifo(pipe));
}

TEST_F(ChatCommand, json_is_one_object_and_jsonl_is_events) {
  const Output one = run_skein({"complete", kModel, kQuestion, "--stop", "\n\n", "--json"});
  EXPECT_EQ(one.out.find("{\"text\":\" " BUNDLED_REVERSED "\",\"ids\":["), 0u) << one.out;
  EXPECT_EQ(std::count(one.out.begin(), one.out.end(), '\n'), 1);
  const Output many = run_skein({"complete", kModel, kQuestion, "-n", "3", "--jsonl"});
  EXPECT_EQ(std::count(many.out.begin(), many.out.end(), '\n'), 5);
  EXPECT_NE(many.out.find("{\"event\":\"done\",\"finish\":\"length\"}"), std::string::npos);
  const Output answer = run_skein({"run", kModel, "Reverse: garden", "--json"});
  EXPECT_EQ(answer.out.find("{\"text\":\"" BUNDLED_REVERSED "\",\"finish\":\"stop\""), 0u)
      << answer.out;
}

TEST_F(ChatCommand, the_fingerprint_is_the_same_on_every_isa_and_thread_count) {
  const auto fingerprint = [&](const char* isa, const char* threads) {
    ::setenv("SKEIN_ISA", isa, 1);
    const Output output =
        run_skein({"complete", kModel, kQuestion, "-n", "12", "--json", "-t", threads});
    ::unsetenv("SKEIN_ISA");
    const size_t at = output.out.find("\"fingerprint\":");
    return at == std::string::npos ? std::string() : output.out.substr(at);
  };
  const std::string scalar = fingerprint("scalar", "1");
  EXPECT_FALSE(scalar.empty());
  EXPECT_EQ(fingerprint("scalar", "2"), scalar);
  for (const char* isa : {"avx2", "avx512", "amx", "neon", "dotprod", "i8mm"}) {
    const std::string print = fingerprint(isa, "2");
    if (!print.empty()) {
      EXPECT_EQ(print, scalar);
    }
  }
}

TEST_F(ChatCommand, thoughts_are_shown_only_where_that_is_asked_for) {
  std::vector<std::string> args = {"run",
                                   kModel,
                                   "Tell me a story.",
                                   "--profile",
                                   "g1",
                                   "--think",
                                   "free",
                                   "--think-budget",
                                   "12",
                                   "--ban",
                                   "0",
                                   "-n",
                                   "60",
                                   "--seed",
                                   "1"};
  const Output quiet = run_skein(args);
  EXPECT_EQ(quiet.code, 0);
  EXPECT_EQ(quiet.out.find("think"), std::string::npos) << quiet.out;
  args.insert(args.end(), {"--show-thinking", "always"});
  const Output full = run_skein(args);
  EXPECT_EQ(full.out.find("<think>\n"), 0u) << full.out;
  EXPECT_NE(full.out.find("\n</think>\n\n" + quiet.out), std::string::npos) << full.out;
}

TEST_F(ChatCommand, a_terminal_is_not_handed_what_it_would_obey) {
  SK_NEEDS_TERMINAL();
  // The model is made to write ESC, which is token 28 of the byte vocabulary.
  const std::vector<std::string> args = {"complete",     kModel,    "a",       "-n",    "3",
                                         "--logit-bias", "28=1000", "--color", "never", "-q"};
  EXPECT_EQ(run_skein(args).out, "\033\033\033");
  Terminal terminal(args);
  std::string all;
  EXPECT_EQ(terminal.finish(&all), 0);
  EXPECT_EQ(all.find('\033'), std::string::npos);
  EXPECT_NE(all.find("\uFFFD\uFFFD\uFFFD"), std::string::npos);
}

TEST_F(ChatCommand, a_chat_answers_undoes_and_tries_again) {
  SK_NEEDS_TERMINAL();
  Terminal terminal({"run", kModel});
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("Reverse: garden\r");
  EXPECT_NE(terminal.wait_for(BUNDLED_REVERSED "\r\n"), "");
  terminal.send("/retry\r");
  EXPECT_NE(terminal.wait_for(BUNDLED_REVERSED "\r\n"), "");
  terminal.send("Reverse: apple\r");
  EXPECT_NE(terminal.wait_for("elppa\r\n"), "");
  terminal.send("/undo\r");
  EXPECT_NE(terminal.wait_for("took back 1 turn in "), "");
  EXPECT_NE(terminal.wait_for("1 left"), "");
  terminal.send("/undo 7\r");
  EXPECT_NE(terminal.wait_for("there is only 1 turn to undo"), "");
  terminal.send("/show prompt\r");
  EXPECT_NE(terminal.wait_for("Assistant: " BUNDLED_REVERSED "\r\n"), "");
  terminal.send("/tr\t\r");
  EXPECT_NE(terminal.wait_for("/tree "), "");
  EXPECT_NE(terminal.wait_for("[main]"), "");
  terminal.send("/unod\r");
  EXPECT_NE(terminal.wait_for("did you mean /undo?"), "");
  terminal.send("/set top_p=abc\r");
  EXPECT_NE(terminal.wait_for("\"abc\" is not a number"), "");
  terminal.send("/show\r");
  EXPECT_NE(terminal.wait_for("/show needs WHAT: params, prompt, state"), "");
  terminal.send("/think off\r");
  EXPECT_NE(terminal.wait_for("thinking: off"), "");
  // A state is written over an older one, and over nothing else.
  std::ofstream(file("notes")) << "to keep";
  terminal.send("/save " + file("notes") + "\r");
  EXPECT_NE(terminal.wait_for("is no state and would be lost"), "");
  for (int i = 0; i < 2; ++i) {
    terminal.send("/save " + file("chat.state") + "\r");
    EXPECT_NE(terminal.wait_for("saved to "), "");
  }
  terminal.send("\"\"\"\r");
  EXPECT_NE(terminal.wait_for("..."), "");
  terminal.send("Reverse:\rapple\"\"\"\r");
  EXPECT_NE(terminal.wait_for("elppa\r\n"), "");
  terminal.send("\x04");
  EXPECT_EQ(terminal.finish(), 0);

  // What was typed is there the next time.
  Terminal again({"run", kModel});
  ASSERT_NE(again.wait_for(kPrompt), "");
  again.send("\x1b[A\x1b[A");
  EXPECT_NE(again.wait_for("Reverse:"), "");
  again.send("\x15/exit\r");
  EXPECT_EQ(again.finish(), 0);
}

TEST_F(ChatCommand, a_saved_chat_keeps_its_turns_in_the_next_process) {
  SK_NEEDS_TERMINAL();
  {
    Terminal terminal({"run", kModel});
    ASSERT_NE(terminal.wait_for(kPrompt), "");
    terminal.send("Reverse: garden\r");
    EXPECT_NE(terminal.wait_for(BUNDLED_REVERSED "\r\n"), "");
    terminal.send("/fork side\rReverse: apple\r");
    EXPECT_NE(terminal.wait_for("elppa\r\n"), "");
    terminal.send("/save ~/a.state\r");
    EXPECT_NE(terminal.wait_for("saved to "), "");
    terminal.send("/exit\r");
    EXPECT_EQ(terminal.finish(), 0);
  }
  const Output shown = run_skein({"state", "show", file("a.state")});
  EXPECT_NE(shown.out.find("2 turns; branches main (1 turn), side (here, 2 turns)"),
            std::string::npos)
      << shown.out;
  const Output as_json = run_skein({"state", "show", file("a.state"), "--json"});
  EXPECT_NE(as_json.out.find("\"branch\":\"side\""), std::string::npos) << as_json.out;
  EXPECT_EQ(run_skein({"state", "verify", file("a.state"), "-m", kModel}).code, 0);

  Terminal terminal({"run", kModel});
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("/load ~/a.state\r");
  EXPECT_NE(terminal.wait_for("2 turns, branch side of 2"), "");
  terminal.send("/tree\r");
  EXPECT_NE(terminal.wait_for("[side]"), "");
  terminal.send("/undo\r");
  EXPECT_NE(terminal.wait_for("1 left"), "");
  terminal.send("/switch main\r");
  EXPECT_NE(terminal.wait_for("branch main, 1 turn"), "");
  terminal.send("Reverse: apple\r");
  EXPECT_NE(terminal.wait_for("elppa\r\n"), "");
  terminal.send("/exit\r");
  EXPECT_EQ(terminal.finish(), 0);
}

// From the table of /help: a command's own words, and the files of a folder.
TEST_F(ChatCommand, a_tab_offers_what_can_follow) {
  SK_NEEDS_TERMINAL();
  std::filesystem::create_directories(folder_ / "chats");
  for (const char* name : {"chats/one.state", "chats/two \u6587.state", ".hidden"})
    std::ofstream(file(name)) << "";
  Terminal terminal({"run", kModel});
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  const auto sees = [&](const std::string& keys, const std::string& text) {
    terminal.send(keys);
    EXPECT_NE(terminal.wait_for(text), "") << keys << " does not bring " << text;
  };
  sees("/s\t", "/switch  /save");
  sees("et te\t\t", "/set temp=1");  // the key, then its value
  sees("\x15/set penalty-st\t\t", "penalty-style=skein");
  sees("\x15/load ~/c\t\t", "one.state     two \u6587.state");
  sees("t\t", "two \u6587.state");
  sees("\x15/think \t", "none");
  sees("\x15/fork beta\r", "this is branch beta now");
  sees("/switch \t", "beta  main");
  sees("m\t\r", "branch main, 0 turns");
  sees("/show pr\t\r", "/show prompt");
  // What people type who know other programs.
  sees("?\r", "/exit");
  sees("/set\r", "top-p");
  sees("/set tmp\r", "did you mean temp?");
  sees("/stats nothing\r", "/stats has on, off and all");
  terminal.send("exit\r");
  EXPECT_EQ(terminal.finish(), 0);
}

// A terminal marks what is pasted where it was asked to: it is one message with its line ends and
// tabs, and can be edited around.
TEST_F(ChatCommand, a_paste_is_one_message_with_its_tabs) {
  SK_NEEDS_TERMINAL();
  Terminal terminal({"run", kModel});
  ASSERT_NE(terminal.wait_for("\033[?2004h"), "");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  std::string code, shown;
  for (int line = 1; line <= 40; ++line) {
    code += fmt::format("\tline {}\t\u8fd9\r", line);
    shown += fmt::format("\tline {}\t\u8fd9\r\n", line);
  }
  terminal.send("Look:\033[200~" + code + "\033[201~ at that\r");
  EXPECT_NE(terminal.wait_for("Look:[paste 1: 40 lines] at that"), "");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("/show prompt\r");
  EXPECT_NE(terminal.wait_for("Look:" + shown + " at that\r\n"), "");
  // A tab alone, what needs no stand-in, two in one line, keys that begin alike.
  terminal.send("/clear\r");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("\033[200~a\tb\033[201~ and \033[200~plain \u6587\033[201~\033[D\033[D!\r");
  EXPECT_NE(terminal.wait_for("[paste 1: 3 bytes] and plain"), "");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("/show prompt\r");
  EXPECT_NE(terminal.wait_for("a\tb and plain! \u6587"), "");
  // What stands for a paste is one character to the keys, a mark of blocks in a paste is text, an
  // escape before it and Alt with a letter are keys.
  terminal.send("/clear\r");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("\033[200~a\rb\033[201~\x7f");
  terminal.send("\033\033[200~\"\"\"Doc.\"\"\"\r\tx = 1\033[201~ [paste 9\r");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("/show prompt\r");
  EXPECT_NE(terminal.wait_for("User: \"\"\"Doc.\"\"\"\r\n\tx = 1 [paste 9\r\n"), "");
  // Ctrl-C drops all of it.
  terminal.send("\033[200~one\rtwo\r");
  ASSERT_TRUE(terminal.wait_until_read());  // Ctrl-C throws away what is not
  terminal.send("\x03");
  ::usleep(100'000);
  terminal.send("/fork zzz\rthree\r\033[201~/tree\r");
  EXPECT_NE(terminal.wait_for("[main]"), "");
  terminal.send("\033[200~\033[201~/exit\r");
  std::string rest;
  EXPECT_EQ(terminal.finish(&rest), 0);
  EXPECT_NE(rest.find("\033[?2004l"), std::string::npos);
  EXPECT_EQ(rest.find("zzz"), std::string::npos);
}

// What a person sees of a long line after the window has become narrower, and after Ctrl-Z.
TEST_F(ChatCommand, a_line_is_drawn_anew_in_a_window_of_another_size) {
  SK_NEEDS_TERMINAL();
  Terminal terminal({"run", kModel});
  test::Screen screen(160, 40);
  screen.write(terminal.wait_for(kPrompt));
  std::string line, end = "\u5B8C";
  for (int i = 0; i < 100; ++i) line += "\u4E2D";
  terminal.send(line + end);
  screen.write(terminal.wait_for(end));
  terminal.resize(50, 40);
  screen.resize(50, 40);
  screen.write(terminal.wait_for(end));
  const auto seen = [&](const std::string& last) {
    const int top = screen.cursor_row() - 4;
    ASSERT_GE(top, 0);
    EXPECT_EQ(screen.row(top), "> " + line.substr(0, 24 * 3));
    for (int row = 1; row < 4; ++row) EXPECT_EQ(screen.row(top + row), line.substr(0, 25 * 3));
    EXPECT_EQ(screen.row(top + 4), "\u4E2D" + end + last);
  };
  seen("");
  terminal.send("\x1a");  // nobody is there to stop it
  screen.write(terminal.wait_for("\033[?2004l"));
  screen.write(terminal.wait_for(end));
  terminal.send("!");
  screen.write(terminal.wait_for("!"));
  seen("!");
  terminal.send("\x15/exit\r");
  EXPECT_EQ(terminal.finish(), 0);
}

TEST_F(ChatCommand, a_history_that_is_no_file_is_left_alone) {
  SK_NEEDS_TERMINAL();
  std::filesystem::create_directories(folder_ / "skein");
  const auto history = folder_ / "skein/history";
  const auto try_it = [&] {
    Terminal terminal({"run", kModel});
    ASSERT_NE(terminal.wait_for(kPrompt), "") << "the chat does not begin";
    terminal.send("Reverse: garden\r");
    EXPECT_NE(terminal.wait_for(BUNDLED_REVERSED "\r\n"), "");
    terminal.send("/exit\r");
    EXPECT_EQ(terminal.finish(), 0);
  };
  ASSERT_EQ(::mkfifo(history.c_str(), 0600), 0);
  try_it();
  EXPECT_TRUE(std::filesystem::is_fifo(history));
  std::filesystem::remove(history);
  std::filesystem::create_symlink("/dev/null", history);
  try_it();
  EXPECT_TRUE(std::filesystem::is_symlink(history));
  std::filesystem::remove(history);
  std::filesystem::create_directory(history);
  try_it();
  std::filesystem::remove(history);
  // A link to a file is written through, and what is remembered is nobody else's to read.
  std::filesystem::create_symlink("elsewhere", history);
  try_it();
  EXPECT_TRUE(std::filesystem::is_symlink(history));
  struct stat info {};
  ASSERT_EQ(::stat(history.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
}

TEST_F(ChatCommand, no_home_folder_is_made_where_there_is_none) {
  SK_NEEDS_TERMINAL();
  const auto try_it = [&] {
    Terminal terminal({"run", kModel});
    ASSERT_NE(terminal.wait_for(kPrompt), "");
    terminal.send("/help\r");
    EXPECT_NE(terminal.wait_for("/exit"), "");
    terminal.send("/exit\r");
    EXPECT_EQ(terminal.finish(), 0);
  };
  const std::string missing = file("missing");
  for (const char* name : {"XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"}) ::unsetenv(name);
  for (const std::string& home : {missing, missing + "/", missing + "/inner"}) {
    ::setenv("HOME", home.c_str(), 1);
    try_it();
    EXPECT_FALSE(std::filesystem::exists(missing)) << home;
  }
  ::setenv("XDG_STATE_HOME", (missing + "/state").c_str(), 1);
  try_it();
  EXPECT_FALSE(std::filesystem::exists(missing));
  ::unsetenv("XDG_STATE_HOME");
  ::setenv("SKEIN_HOME", (missing + "/skein").c_str(), 1);
  try_it();
  EXPECT_FALSE(std::filesystem::exists(missing));
  ::unsetenv("SKEIN_HOME");
  // Below one that is there, all that is needed is made.
  std::filesystem::create_directory(folder_ / "home");
  ::setenv("HOME", file("home").c_str(), 1);
  try_it();
  EXPECT_TRUE(std::filesystem::is_regular_file(folder_ / "home/.local/state/skein/history"));
}

// Where Ctrl-C stops an answer, `kill` and a closed terminal end the chat.
TEST_F(ChatCommand, a_chat_ends_by_sigterm_and_sighup_asked_or_answering) {
  SK_NEEDS_TERMINAL();
  for (const int signal : {SIGTERM, SIGHUP})
    for (const bool answering : {false, true}) {
      Terminal terminal(endless());
      ASSERT_NE(terminal.wait_for(kPrompt), "");
      if (answering) {
        ask_for_a_story(terminal);
      }
      terminal.kill(signal);
      EXPECT_EQ(terminal.finish(), 128 + signal) << answering;
    }
}

// It waits for a key, and the signal has come just before.
TEST_F(ChatCommand, a_chat_ends_by_a_signal_that_comes_before_it_waits) {
  SK_NEEDS_TERMINAL();
  if (test::kAddressSanitizer || test::kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer wants to be the first library";
  for (const int signal : {SIGTERM, SIGHUP}) {
    Terminal terminal(endless(), {"LD_PRELOAD=" SKEIN_SIGNALLING, "SIGNALLING_CALL=ppoll",
                                  "SIGNALLING_NUMBER=" + std::to_string(signal)});
    EXPECT_EQ(terminal.finish(), 128 + signal);
  }
}

TEST_F(ChatCommand, ctrl_c_stops_the_answer_and_the_chat_goes_on) {
  SK_NEEDS_TERMINAL();
  Terminal terminal(endless());
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  ask_for_a_story(terminal);
  terminal.send("\x03");
  ASSERT_NE(terminal.wait_for("stopped; /continue goes on"), "");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  ::usleep(1'100'000);  // a second one within a second would leave
  terminal.send("/continue\r");
  ASSERT_NE(terminal.wait_for("/continue\r\n"), "");
  ASSERT_NE(terminal.wait_for("e"), "");
  terminal.send("\x03");
  ASSERT_NE(terminal.wait_for("stopped"), "");
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("\x03");
  std::string rest;
  EXPECT_EQ(terminal.finish(&rest), 130) << rest;
}

TEST_F(ChatCommand, ctrl_c_drops_a_line_and_a_second_one_leaves) {
  SK_NEEDS_TERMINAL();
  Terminal terminal(endless());
  ASSERT_NE(terminal.wait_for(kPrompt), "");
  terminal.send("half a line\x03");
  EXPECT_NE(terminal.wait_for("Ctrl-C twice leaves"), "");
  terminal.send("\x03");
  std::string rest;
  EXPECT_EQ(terminal.finish(&rest), 130) << rest;
}

TEST_F(ChatCommand, ctrl_c_while_completing_shows_what_there_is_and_exits_130) {
  SK_NEEDS_TERMINAL();
  Terminal terminal({"complete", kModel, "User: Hi", "-n", "-1", "--ignore-eos", "-q"});
  ASSERT_NE(terminal.wait_for("\n"), "");
  terminal.send("\x03");
  EXPECT_EQ(terminal.finish(), 130);
}

TEST_F(ChatCommand, a_reader_that_goes_away_ends_the_work) {
  const std::string command = std::string(SKEIN_PROGRAM) + " complete " + kModel +
                              " 'User: Hi' -n -1 --ignore-eos | head -c 20";
  const pid_t child = ::fork();
  if (child == 0) {
    ::execl("/bin/sh", "sh", "-c", command.c_str(), nullptr);
    ::_exit(127);
  }
  EXPECT_EQ(test::exit_code_of(child), 0);
}

}  // namespace
}  // namespace skein
