// A stop by Ctrl-C, `kill` or a closed terminal: the same for every command. Commands divide the
// signals among each other; SKEIN_TESTS=thorough sends each of them to each.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include "base/file.h"
#include "cli/process.h"
#include "support/fixtures.h"
#include "support/make_model.h"
#include "support/sanitizers.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

constexpr int kSignals[] = {SIGINT, SIGTERM, SIGHUP};

class Signals : public testing::Test {
 protected:
  // Large enough that one thread has something to do for half a second.
  static const std::string& large() {
    if (!models_) {
      models_ = std::make_unique<Folder>();
      const ModelSizes sizes = {.width = 512, .heads = 8, .inner = 2048, .vocab = 2048};
      large_ = write_model(*models_ / "large.safetensors", random_model(sizes)).string();
    }
    return large_;
  }
  static void TearDownTestSuite() { models_.reset(); }

  std::string file(const std::string& name) const {
    return (folder_.path() / "work" / name).string();
  }
  Process start(const std::vector<std::string>& args, std::vector<int> ignored = {}) const {
    fs::create_directories(folder_ / "work");
    return {args, folder_ / "out", folder_ / "err", std::move(ignored)};
  }
  std::vector<std::string> left() const {
    std::vector<std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(folder_ / "work"))
      out.push_back(entry.path().lexically_relative(folder_ / "work").string());
    return out;
  }
  std::string out() const { return text_of_file(folder_ / "out"); }
  std::string err() const { return text_of_file(folder_ / "err"); }

  static inline std::unique_ptr<Folder> models_;
  static inline std::string large_;
  const Folder folder_;
};

TEST_F(Signals, writing_a_model_stops_and_leaves_nothing) {
  const std::vector<std::vector<std::string>> commands = {
      {"quantize", large(), file("out.gguf"), "Q4_K", "-t", "1"},
      {"convert", large(), file("out.skein"), "--quant", "Q3_K", "-t", "1"},
      {"convert", large(), file("out.pth"), "--quant", "pip-int8", "-t", "1"},
      {"convert", large(), file("new/folder"), "--names", "fla", "--dtype", "bf16", "-t", "1"},
  };
  const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
  for (size_t row = 0; row < commands.size(); ++row)
    for (size_t turn = 0; turn < std::size(signals); ++turn)
      for (const size_t times : {1, 2}) {
        const auto& command = commands[row];
        const int signal = signals[turn];
        if (!taken(2 * row + times, turn, std::size(signals))) continue;
        Process process = start(command);
        ASSERT_TRUE(process.wait_until([&] { return process.has_open(file("")); }));
        for (size_t i = 0; i < times; ++i) process.send(signal);
        const int code = process.finish();
        // A machine may be so fast that all was written.
        if (code != 0) {
          EXPECT_EQ(code, 128 + signal) << command[2] << ": " << err();
          EXPECT_TRUE(left().empty()) << command[2] << " left " << left()[0];
        }
        fs::remove_all(folder_ / "work");
        fs::remove(folder_ / "err");
      }
}

// Not even a program that is killed leaves a file as large as a model.
TEST_F(Signals, a_killed_conversion_leaves_nothing_where_files_need_no_name) {
  fs::create_directories(folder_ / "work");
  const int probe = ::open((folder_ / "work").c_str(), O_TMPFILE | O_WRONLY, 0600);
  if (probe < 0) GTEST_SKIP() << "SKIPPED: this file system has no O_TMPFILE";
  ::close(probe);
  Process process = start({"quantize", large(), file("out.gguf"), "Q4_K", "-t", "1"});
  ASSERT_TRUE(process.wait_until([&] { return process.has_open(file("")); }));
  process.send(SIGKILL);
  EXPECT_EQ(process.finish(), 1000 + SIGKILL);
  EXPECT_TRUE(left().empty()) << left()[0];
}

TEST_F(Signals, what_was_generated_is_shown_and_saved) {
  for (const int signal : kSignals) {
    Process process = start({"complete", large(), "--tokens", "1,2,3", "-n", "-1", "--ignore-eos",
                             "--save-state", file("state"), "-t", "1"});
    ASSERT_TRUE(process.wait_until([&] { return out().size() > 5; }));
    process.send(signal);
    EXPECT_EQ(process.finish(), 128 + signal) << err();
    EXPECT_EQ(left(), std::vector<std::string>{"state"});
    EXPECT_EQ(run({"state", "verify", file("state")}).code, 0);
    fs::remove_all(folder_ / "work");
    fs::remove(folder_ / "out");
  }
}

TEST_F(Signals, every_command_ends_at_once_with_128_and_the_signal) {
  ASSERT_EQ(::mkfifo((folder_ / "nobody writes").c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo((folder_ / "nobody reads").c_str(), 0600), 0);
  const std::string silent = (folder_ / "nobody writes").string();
  const std::string full = (folder_ / "nobody reads").string();
  const std::string bundled = (fs::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth").string();
  const std::string small = fixture("models/tiny_v7.gguf").string();
  const std::vector<std::vector<std::string>> commands = {
      {"bench", large(), "-t", "1"},
      {"bench", large(), "-t", "1", "--stream", "1000000"},
      {"bench", large(), "-t", "1", "--profile", "-r", "1000"},
      {"bench", large(), "-t", "1", "-p", "4096", "-r", "100", "--plot", file("plot.svg")},
      {"complete", small, "-f", silent},
      {"tokenize", small, "-f", silent},
      {"complete", small, "x", "-n", "1", "--save-state", full},
      {"convert", small, full, "--format", "gguf"},
      {"run", bundled, "x", "--profile", "plain", "--ban", "0", "-n", "-1", "-t", "1"},
  };
  for (size_t row = 0; row < commands.size(); ++row)
    for (size_t turn = 0; turn < std::size(kSignals); ++turn) {
      if (!taken(row, turn, std::size(kSignals))) continue;
      const auto& command = commands[row];
      const int signal = kSignals[turn];
      Process process = start(command);
      ASSERT_TRUE(process.wait_until([&] { return process.catches_signals(); }));
      ASSERT_TRUE(process.wait_until([&] { return process.waits_or_works(); }));
      const auto began = std::chrono::steady_clock::now();
      process.send(signal);
      const int code = process.finish();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
      EXPECT_EQ(code, 128 + signal) << command[0] << " " << command.back() << ": " << err();
      EXPECT_LT(took.count(), 2.0) << command[0] << " " << command.back();
      EXPECT_TRUE(left().empty());
    }
}

// Somebody's alarm, which a program inherits when it is started, is meant to end it.
TEST_F(Signals, an_alarm_ends_a_command) {
  Process process = start({"bench", large(), "-t", "1", "-r", "1000"});
  ASSERT_TRUE(process.wait_until([&] { return process.catches_signals(); }));
  process.send(SIGALRM);
  EXPECT_EQ(process.finish(), 1000 + SIGALRM);
}

// As other programs leave a pipe behind.
TEST_F(Signals, output_that_cannot_be_written_at_once_is_written_later) {
  const std::vector<std::string> words = {"convert", large(), file("out.pth"), "--dry-run",
                                          "--tensors"};
  const Ran whole = run(words);
  ASSERT_GT(whole.out.size(), 4096u);
  int ends[2];
  ASSERT_EQ(::pipe2(ends, O_NONBLOCK | O_CLOEXEC), 0);
  ASSERT_GE(::fcntl(ends[1], F_SETPIPE_SZ, 4096), 0);
  Process process(words, "/proc/self/fd/" + std::to_string(ends[1]), folder_ / "err");
  ::close(ends[1]);
  std::string out;
  char block[256];
  for (int quiet = 0; quiet < 400;) {
    const ssize_t got = ::read(ends[0], block, sizeof block);
    if (got > 0) out.append(block, static_cast<size_t>(got)), quiet = 0;
    if (got == 0) break;
    if (got < 0) ++quiet, ::usleep(5'000);
  }
  ::close(ends[0]);
  EXPECT_EQ(process.finish(), 0) << err();
  EXPECT_EQ(out, whole.out);
}

// A pipe that nobody empties: standard output, and what is written to a name.
TEST_F(Signals, a_signal_that_comes_before_a_call_that_waits_ends_it) {
  if (kAddressSanitizer || kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer wants to be the first library";
  const auto pipe = folder_ / "pipe", silent = folder_ / "nobody reads";
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  ASSERT_EQ(::mkfifo(silent.c_str(), 0600), 0);
  const int open = ::open(pipe.c_str(), O_RDWR | O_CLOEXEC);
  ASSERT_GE(open, 0);
  ASSERT_GE(::fcntl(open, F_SETPIPE_SZ, 4096), 0);
  const std::string model = fixture("models/tiny_v7.gguf").string();
  struct Case {
    const char* call;
    std::vector<std::string> command;
  };
  const Case cases[] = {
      {"write", {"complete", model, "x", "-n", "-1", "--ignore-eos", "--jsonl", "-t", "1"}},
      {"write", {"convert", model, pipe.string(), "--format", "gguf", "-t", "1"}},
      {"usleep", {"convert", model, silent.string(), "--format", "gguf", "-t", "1"}},
  };
  for (size_t row = 0; row < std::size(cases); ++row)
    for (size_t turn = 0; turn < std::size(kSignals); ++turn) {
      if (!taken(row, turn, std::size(kSignals))) continue;
      const Case& one = cases[row];
      const int signal = kSignals[turn];
      fs::create_directories(folder_ / "work");
      Process process(one.command, one.command[0] == "complete" ? pipe : folder_ / "out",
                      folder_ / "err", {},
                      {"LD_PRELOAD=" SKEIN_SIGNALLING, std::string("SIGNALLING_CALL=") + one.call,
                       "SIGNALLING_NUMBER=" + std::to_string(signal)});
      const auto began = std::chrono::steady_clock::now();
      EXPECT_EQ(process.finish(), 128 + signal)
          << one.command[0] << " " << one.call << ": " << err();
      const std::chrono::duration<double> took = std::chrono::steady_clock::now() - began;
      EXPECT_LT(took.count(), 4.0) << one.command[0] << " " << one.call;
    }
  ::close(open);
}

TEST_F(Signals, nohup_keeps_a_conversion_going) {
  for (const int ignored : {SIGHUP, SIGTERM}) {
    Process process = start({"quantize", large(), file("out.gguf"), "Q4_K"}, {ignored});
    ASSERT_TRUE(process.wait_until([&] { return process.has_open(file("")); }));
    process.send(ignored);
    EXPECT_EQ(process.finish(), 0) << err();
    EXPECT_EQ(left(), std::vector<std::string>{"out.gguf"});
    fs::remove_all(folder_ / "work");
  }
}

}  // namespace
}  // namespace skein::test
