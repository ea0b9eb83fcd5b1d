// One allocation of a whole run fails, each in turn: the command ends with exit 4 or as if nothing
// had been, the libraries say so and go on, and no half-written file is left.
//
// A few places of each run are tried here, and twice as many with SKEIN_TESTS=thorough; `./dev
// memory` tries all ways that lead to an allocation, and `SKEIN_TESTS=everything ./dev memory`
// every single one.
#include "memory/sweep.h"

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <set>

#include "compat/support.h"
#include "support/fixtures.h"
#include "support/sanitizers.h"
#include "support/thorough.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

constexpr int kShown = 20;

std::string text_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_text(const fs::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary) << text;
}

// What runs are made of: `in` has what they read, they run in `work`, and `home` is theirs.
class Folders {
 public:
  Folders() {
    std::string name = (fs::temp_directory_path() / "skein-memory-XXXXXX").string();
    if (::mkdtemp(name.data())) root_ = name;
    for (const char* part : {"in", "work", "home"}) fs::create_directory(root_ / part);
  }
  ~Folders() {
    std::error_code ignored;
    fs::remove_all(root_, ignored);
  }
  Folders(const Folders&) = delete;
  Folders& operator=(const Folders&) = delete;

  std::string in(const std::string& name) const { return (root_ / "in" / name).string(); }
  std::string work() const { return (root_ / "work").string(); }
  std::string home() const { return (root_ / "home").string(); }

  // The files that a run has left in `work`, with their bytes; they are removed.
  std::map<std::string, std::string> take_work() const {
    std::map<std::string, std::string> out;
    for (const auto& entry : fs::recursive_directory_iterator(root_ / "work"))
      if (entry.is_regular_file())
        out[fs::relative(entry.path(), root_ / "work").string()] = text_of(entry.path());
    for (const char* part : {"work", "home"})
      for (const auto& entry : fs::directory_iterator(root_ / part)) fs::remove_all(entry.path());
    return out;
  }

 private:
  fs::path root_;
};

// A run without failures, for what other runs read.
void make(const std::vector<std::string>& words) {
  const pid_t child = ::fork();
  if (child == 0) {
    std::vector<std::string> copies = words;
    std::vector<char*> argv;
    for (std::string& word : copies) argv.push_back(word.data());
    argv.push_back(nullptr);
    (void)!::freopen("/dev/null", "w", stdout);
    ::execv(argv[0], argv.data());
    ::_exit(127);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  ASSERT_EQ(status, 0) << words[1];
}

enum class Output {
  same,    // what it prints is the same each time
  varies,  // it prints times, or how much memory is free
};

struct Scenario {
  const char* name;
  std::function<std::vector<std::string>(const Folders&)> words;
  std::string input{};
  Output output = Output::same;
};

void PrintTo(const Scenario& scenario, std::ostream* out) { *out << scenario.name; }

std::string model(const char* name) { return fixture(std::string("models/") + name).string(); }
std::string bundled() { return SKEIN_SOURCE_DIR "/models/bundled-0.pth"; }

using Words = std::vector<std::string>;
const std::string kSkein = SKEIN_PROGRAM;

// tiny_v7 in another container.
std::string converted(const Folders& folders, const std::string& file, const Words& more = {}) {
  Words words = {kSkein, "convert", model("tiny_v7.pth"), folders.in(file), "-q", "-t", "1"};
  words.insert(words.end(), more.begin(), more.end());
  make(words);
  return folders.in(file);
}

std::string folder_model(const Folders& folders) {
  const std::string folder = converted(folders, "folder", {"--names", "fla"});
  write_text(folder + "/tokenizer_config.json",
             R"({"chat_template": "{{ 'User: ' + x + '\n\nAssistant:' }}"})");
  return folder;
}

std::string state_of(const Folders& folders) {
  make({kSkein, "complete", model("tiny_v7.pth"), "--tokens", "1,2,3", "-n", "1", "-q", "-t", "1",
        "--ignore-eos", "--save-state", folders.in("state.skst")});
  return folders.in("state.skst");
}

std::string small_vocab(const Folders& folders) {
  std::string text;
  for (int byte = 0; byte < 256; ++byte) {
    char line[64];
    std::snprintf(line, sizeof line, "%d b'\\x%02x' 1\n", byte + 1, static_cast<unsigned>(byte));
    text += line;
  }
  write_text(folders.in("vocab.txt"), text + "257 'again and again' 15\n");
  return folders.in("vocab.txt");
}

std::string ggmf(const Folders& folders) {
  write_ggmf_file(folders.in("a.bin"), small_ggmf_data(), small_head());
  return folders.in("a.bin");
}

std::string config(const Folders& folders) {
  fs::create_directories(folders.in("config/skein"));
  write_text(folders.in("config/skein/config.toml"), "[complete]\ntemp = 0.5\n[run]\nseed = 3\n");
  return "XDG_CONFIG_HOME=" + folders.in("config");
}

Words complete(const std::string& file, const Words& more = {}) {
  Words words = {kSkein, "complete",     file, "--tokens", "1,2,3",  "-n",
                 "3",    "--ignore-eos", "-t", "1",        "--seed", "1"};
  words.insert(words.end(), more.begin(), more.end());
  return words;
}

// clang-format off
const Scenario kScenarios[] = {
    {"inspect_pth", [](const Folders&) { return Words{kSkein, "inspect", "--check", model("tiny_v7.pth")}; }, "", Output::varies},
    {"inspect_legacy_pth", [](const Folders&) { return Words{kSkein, "inspect", "--check", model("tiny_v7.legacy_fp16.pth"), "--json"}; }, "", Output::varies},
    {"inspect_safetensors", [](const Folders&) { return Words{kSkein, "inspect", "--tensors", model("tiny_v7.webrwkv.st")}; }, "", Output::varies},
    {"inspect_gguf", [](const Folders&) { return Words{kSkein, "inspect", "--check", model("tiny_v6.gguf")}; }, "", Output::varies},
    {"inspect_folder", [](const Folders& f) { return Words{kSkein, "inspect", "--check", folder_model(f)}; }, "", Output::varies},
    {"inspect_packed", [](const Folders& f) { return Words{kSkein, "inspect", "--check", converted(f, "a.skein", {"--quant", "Q4_0"})}; }, "", Output::varies},
    {"complete_pth", [](const Folders&) { return complete(model("v5_2.pth"), {"--json"}); }, "", Output::varies},
    {"complete_packed_with_stops", [](const Folders&) { return Words{kSkein, "complete", bundled(), "Who", "-n", "8", "-t", "1", "--stop", "zz", "--stop", "qq", "--logit-bias", "65=2", "--temp", "0"}; }},
    {"complete_two_planes", [](const Folders&) { return Words{kSkein, "complete", bundled(), "Who", "-n", "4", "-t", "2", "--two-plane", "on", "--temp", "0"}; }},
    {"complete_two_threads", [](const Folders& f) { return complete(converted(f, "a.gguf", {"--quant", "Q8_0"}), {"-t", "2", "--save-state", "s.skst"}); }},
    {"complete_with_adapter", [](const Folders&) { return complete(model("v7.pth"), {"--lora", model("v7.lora.pth") + ",alpha=32", "--state", model("v7.time_state.pth")}); }},
    {"complete_saves_and_traces", [](const Folders& f) { return complete(model("tiny_v7.pth"), {"--state", state_of(f), "--save-state", "s.skst"}); }},
    {"run_a_prompt", [](const Folders&) { return Words{kSkein, "run", bundled(), "Who are you?", "-t", "1", "-n", "6", "--temp", "0"}; }},
    {"run_a_script", [](const Folders&) { return Words{kSkein, "run", bundled(), "-t", "1", "-n", "4", "--temp", "0"}; }, "Who are you?\n"},
    {"convert_to_safetensors", [](const Folders&) { return Words{kSkein, "convert", model("tiny_v7.pth"), "o.safetensors", "-t", "1"}; }, "", Output::varies},
    {"convert_to_gguf", [](const Folders&) { return Words{kSkein, "convert", model("tiny_v7.webrwkv.st"), "o.gguf", "-t", "1", "--quant", "Q4_K"}; }, "", Output::varies},
    {"convert_to_pth", [](const Folders&) { return Words{kSkein, "convert", model("tiny_v7.gguf"), "o.pth", "-t", "2", "--dtype", "f16"}; }, "", Output::varies},
    {"convert_to_folder", [](const Folders&) { return Words{kSkein, "convert", model("tiny_v7.pth"), "o", "-t", "1", "--names", "fla"}; }, "", Output::varies},
    {"convert_with_adapter", [](const Folders&) { return Words{kSkein, "convert", model("v7.pth"), "o.skein", "-t", "1", "--lora", model("v7.lora.pth") + ",alpha=32"}; }, "", Output::varies},
    {"quantize_near_lossless", [](const Folders&) { return Words{kSkein, "quantize", model("tiny_v7.pth"), "o.skein", "near-lossless", "-t", "2"}; }, "", Output::varies},
    {"state_show", [](const Folders& f) { return Words{kSkein, "state", "show", state_of(f), "--json"}; }},
    {"state_verify", [](const Folders& f) { return Words{kSkein, "state", "verify", state_of(f), "--model", model("tiny_v7.pth")}; }},
    {"state_diff", [](const Folders& f) { return Words{kSkein, "state", "diff", state_of(f), state_of(f)}; }},
    {"state_export", [](const Folders& f) { return Words{kSkein, "state", "export", state_of(f), "o.pth", "--model", model("tiny_v7.pth")}; }},
    {"state_import", [](const Folders&) { return Words{kSkein, "state", "import", model("v7.state.pth"), "o.skst", "--model", model("v7.pth")}; }},
    {"tokenize_bpe", [](const Folders&) { return Words{kSkein, "tokenize", "--vocab", fixture("tokenizer/qwen2_small.json").string(), "Hello there 123"}; }},
    {"tokenize_world", [](const Folders& f) { return Words{kSkein, "tokenize", "--vocab", small_vocab(f), "--json", "again and again"}; }},
    {"detokenize", [](const Folders&) { return Words{kSkein, "detokenize", bundled(), "72", "105"}; }},
    {"template", [](const Folders&) { return Words{kSkein, "template", bundled(), "--user", "Hello", "--tokens"}; }},
    {"bench", [](const Folders&) { return Words{kSkein, "bench", model("tiny_v7.pth"), "-p", "8", "-n", "2", "-r", "1", "-t", "1"}; }, "", Output::varies},
    {"doctor", [](const Folders&) { return Words{kSkein, "doctor"}; }, "", Output::varies},
    {"completion", [](const Folders&) { return Words{kSkein, "completion", "bash"}; }},
    {"help", [](const Folders&) { return Words{kSkein, "help", "complete"}; }},
    {"libskein", [](const Folders& f) { return Words{SKEIN_CALLS, model("tiny_v7.pth"), small_vocab(f), "1"}; }},
    {"libskein_bundled", [](const Folders&) { return Words{SKEIN_CALLS, bundled(), "", "2"}; }},
    {"libskein_gguf", [](const Folders&) { return Words{SKEIN_CALLS, model("tiny_v6.gguf"), "", "1"}; }},
    {"libskein_folder", [](const Folders& f) { return Words{SKEIN_CALLS, folder_model(f), small_vocab(f), "1"}; }},
    {"libskein_packed", [](const Folders& f) { return Words{SKEIN_CALLS, converted(f, "a.skein", {"--quant", "Q4_0"}), small_vocab(f), "1"}; }},
    {"facade", [](const Folders&) { return Words{SKEIN_CALLS_FACADE, bundled(), "", "1"}; }},
    {"librwkv", [](const Folders& f) { return Words{SKEIN_CALLS_RWKV, ggmf(f), "o.bin", "1"}; }},
    {"librwkv_safetensors", [](const Folders&) { return Words{SKEIN_CALLS_RWKV, model("tiny_v7.webrwkv.st"), "", "2"}; }},
};
// clang-format on

class MemorySweep : public testing::TestWithParam<Scenario> {};

TEST_P(MemorySweep, whatever_fails_is_said_or_made_up_for) {
  if (kAddressSanitizer || kThreadSanitizer)
    GTEST_SKIP() << "SKIPPED: a sanitizer has an allocator of its own";
  const Scenario& scenario = GetParam();
  const Folders folders;
  const Words words = scenario.words(folders);
  if (testing::Test::HasFatalFailure()) return;
  const bool command = words[0] == kSkein;
  const auto began = std::chrono::steady_clock::now();
  SweptProgram program(words, folders.work(), scenario.input,
                       {"HOME=" + folders.home(), config(folders)});
  folders.take_work();
  const SweptRun good = program.run(0);
  const auto expected = folders.take_work();
  ASSERT_EQ(good.code, 0) << good.err << good.out;
  ASSERT_GT(good.made, 0) << "the allocations are not seen";

  int unnoticed = 0, memory = 0, wrong = 0;
  const auto ways = program.ways();
  ASSERT_EQ(ways.size(), static_cast<size_t>(good.made));
  const auto places = places_to_try(words[0], ways, thorough() ? 60 : 30);
  for (const int64_t place : places) {
    const SweptRun ran = program.run(place);
    const auto files = folders.take_work();
    std::string fault;
    if (ran.code != 0 && ran.code != 4) {
      fault = "ended with " + std::to_string(ran.code);
    } else if (ran.code == 0 || !command) {
      (ran.code == 0 ? unnoticed : memory) += 1;
      if (scenario.output == Output::same && ran.out != good.out) fault = "printed something else";
      if (files != expected) fault = "wrote something else";
    } else {
      memory += 1;
      if ((ran.err + ran.out).find("memory") == std::string::npos) fault = "did not say why";
      if (!files.empty()) fault = "left " + files.begin()->first;
    }
    if (fault.empty()) continue;
    if (++wrong <= kShown)
      ADD_FAILURE() << "allocation " << place << " of " << good.made << ": " << fault << "\n"
                    << ran.err.substr(0, 300) << ran.out.substr(0, 300);
  }
  const double seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  std::printf(
      "%-28s %6zu allocations in %5zu ways, %5zu tried: %5d fine without, %5d memory, %3d wrong, "
      "%.1f s\n",
      scenario.name, ways.size(), std::set<uint64_t>(ways.begin(), ways.end()).size(),
      places.size(), unnoticed, memory, wrong, seconds);
  std::fflush(stdout);
}

INSTANTIATE_TEST_SUITE_P(Runs, MemorySweep, testing::ValuesIn(kScenarios),
                         [](const auto& one) { return std::string(one.param.name); });

}  // namespace
}  // namespace skein::test
