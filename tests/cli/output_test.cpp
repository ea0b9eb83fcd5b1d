// Every command that writes a file, to every kind of place.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <functional>
#include <set>
#include <thread>

#include "cli/program.h"
#include "support/fixtures.h"
#include "support/make_model.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

const std::string kModel = fixture("models/tiny_v7.gguf").string();
const std::string kState = fixture("models/v7.state.pth").string();
const std::string kStateModel = fixture("models/v7.pth").string();

struct Writer {
  const char* name;
  std::function<std::vector<std::string>(const std::string& out)> arguments;
  bool wants_force = false;  // to replace a file
  bool same = true;          // the same bytes each time
};

std::vector<Writer> writers() {
  std::vector<Writer> out = {
      {"save-state",
       [](const std::string& file) {
         return std::vector<std::string>{"complete", kModel,         "--tokens", "1,2", "-n",
                                         "2",        "--temp",       "0",        "-t",  "1",
                                         "-q",       "--save-state", file};
       }},
      {"trace",
       [](const std::string& file) {
         return std::vector<std::string>{"complete", kModel,    "--tokens", "1,2", "-n",
                                         "1",        "--temp",  "0",        "-t",  "1",
                                         "-q",       "--trace", file};
       }},
      {"state import",
       [](const std::string& file) {
         return std::vector<std::string>{"state", "import", kState, file, "-m", kStateModel};
       }},
      {"state export",
       [](const std::string& file) {
         return std::vector<std::string>{"state", "export", kState, file, "-m", kStateModel};
       }},
      {"state export as time_state",
       [](const std::string& file) {
         return std::vector<std::string>{"state", "export",    kState,     file,
                                         "-m",    kStateModel, "--format", "time_state"};
       }},
      {"plot",
       [](const std::string& file) {
         return std::vector<std::string>{"bench", kModel, "--profile", "-p", "1",      "-r",
                                         "1",     "-t",   "1",         "-q", "--plot", file};
       },
       false, false},
      {"quantize",
       [](const std::string& file) {
         return std::vector<std::string>{"quantize", kModel,     file,  "Q8_0",
                                         "-q",       "--format", "gguf"};
       },
       true},
  };
  for (const char* format : {"pth", "safetensors", "gguf", "packed"})
    out.push_back({format,
                   [format](const std::string& file) {
                     return std::vector<std::string>{"convert", kModel,     file,
                                                     "-q",      "--format", format};
                   },
                   true});
  return out;
}

class Outputs : public testing::Test {
 protected:
  fs::path operator/(const std::string& name) const { return folder_ / name; }
  std::string path(const std::string& name) const { return (folder_ / name).string(); }
  std::set<std::string> names() const {
    std::set<std::string> out;
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      out.insert(entry.path().filename().string());
    return out;
  }
  Ran write(const Writer& writer, const std::string& file, const How& how = {},
            bool force = true) const {
    auto args = writer.arguments(file);
    if (writer.wants_force && force) args.push_back("-f");
    return run(args, how);
  }

  const Folder folder_;
};

TEST_F(Outputs, every_writer_writes_through_links_pipes_and_descriptors) {
  fs::create_directory(folder_ / "far");
  for (const Writer& writer : writers()) {
    ASSERT_EQ(write(writer, path("plain")).code, 0) << writer.name;
    const std::string expected = text_of_file(folder_ / "plain");
    ASSERT_FALSE(expected.empty());
    const auto check = [&](const std::string& got, const char* place) {
      if (writer.same) {
        EXPECT_TRUE(got == expected) << writer.name << " to " << place << ": " << got.size();
      } else {
        EXPECT_EQ(got.substr(0, 20), expected.substr(0, 20)) << writer.name << " to " << place;
      }
    };

    write_text(folder_ / "far/target", "old");
    fs::create_symlink("far/target", folder_ / "link");
    fs::create_symlink("far/new", folder_ / "dangling");
    fs::create_symlink("/proc/self/fd/1", folder_ / "stdout");
    fs::create_symlink("/dev/null", folder_ / "null");
    ASSERT_EQ(::mkfifo((folder_ / "fifo").c_str(), 0600), 0);
    const std::string longest(255, 'n');
    const auto before = names();

    for (const char* name : {"link", "dangling", "stdout", "null", "fifo"}) {
      std::string through_fifo;
      std::thread reader;
      if (std::string(name) == "fifo")
        reader = std::thread([&] { through_fifo = text_of_file(folder_ / "fifo"); });
      const Ran ran = write(writer, path(name));
      if (ran.code != 0) (void)::open((folder_ / "fifo").c_str(), O_WRONLY | O_NONBLOCK);
      if (reader.joinable()) reader.join();
      ASSERT_EQ(ran.code, 0) << writer.name << " to " << name << ": " << ran.err;
      if (std::string(name) == "fifo") check(through_fifo, name);
      // What the command would print is on standard error then.
      if (std::string(name) == "stdout") check(ran.out, name);
    }
    check(text_of_file(folder_ / "far/target"), "link");
    check(text_of_file(folder_ / "far/new"), "dangling link");
    for (const char* name : {"link", "dangling", "stdout", "null"})
      EXPECT_TRUE(fs::is_symlink(folder_ / name)) << writer.name << " replaced " << name;
    EXPECT_TRUE(fs::is_fifo(folder_ / "fifo")) << writer.name;
    EXPECT_TRUE(fs::is_character_file("/dev/null"));
    EXPECT_EQ(names(), before) << writer.name << " left something behind";

    ASSERT_EQ(write(writer, path(longest)).code, 0) << writer.name;
    ASSERT_EQ(write(writer, path(longest)).code, 0) << writer.name;
    check(text_of_file(folder_ / longest), "the longest name");
    for (const auto& entry : fs::directory_iterator(folder_.path()))
      if (entry.path().filename() != "far") fs::remove(entry.path());
    for (const char* name : {"target", "new"}) fs::remove(folder_ / "far" / name);
  }
}

TEST_F(Outputs, every_writer_refuses_a_folder_and_a_circle_in_one_sentence) {
  fs::create_directory(folder_ / "folder");
  fs::create_symlink("circle", folder_ / "circle");
  const auto before = names();
  for (const Writer& writer : writers())
    for (const std::string name : {"folder", "folder/", "circle", "missing/file"}) {
      const Ran ran = write(writer, path(name));
      EXPECT_EQ(ran.code, 1) << writer.name << " to " << name << ": " << ran.err;
      EXPECT_TRUE(contains(ran.err, "error: ")) << ran.err;
      EXPECT_TRUE(contains(ran.err, path(name))) << ran.err;
      EXPECT_EQ(names(), before) << writer.name;
    }
}

TEST_F(Outputs, every_writer_keeps_the_mode_and_respects_protection) {
  for (const Writer& writer : writers()) {
    write_text(folder_ / "file", "old");
    ASSERT_EQ(::chmod(path("file").c_str(), 0640), 0);
    ASSERT_EQ(write(writer, path("file")).code, 0) << writer.name;
    struct stat info {};
    ASSERT_EQ(::stat(path("file").c_str(), &info), 0);
    EXPECT_EQ(info.st_mode & 0777, 0640u) << writer.name;

    write_text(folder_ / "file", "old");
    ASSERT_EQ(::chmod(path("file").c_str(), 0440), 0);
    const Ran protected_one = write(writer, path("file"), {}, /*force=*/false);
    EXPECT_NE(protected_one.code, 0) << writer.name;
    EXPECT_EQ(text_of_file(folder_ / "file"), "old") << writer.name;
    EXPECT_EQ(names(), std::set<std::string>{"file"}) << writer.name;
    if (writer.wants_force) {
      EXPECT_EQ(write(writer, path("file")).code, 0) << writer.name;
    }
    fs::remove(folder_ / "file");
  }
}

TEST_F(Outputs, nothing_is_written_over_what_the_command_reads) {
  const auto copy = [&](const std::string& from, const char* name) {
    fs::copy_file(from, folder_ / name, fs::copy_options::overwrite_existing);
    return path(name);
  };
  const std::string model = copy(kModel, "model"), state = copy(kState, "state");
  const std::string state_model = copy(kStateModel, "state model");
  fs::create_symlink("model", folder_ / "link");
  fs::create_hard_link(model, folder_ / "hard");
  const std::string before = text_of_file(model), before_state = text_of_file(state);
  const std::string before_state_model = text_of_file(state_model);
  std::vector<std::vector<std::string>> commands = {
      {"state", "import", state, state, "-m", state_model},
      {"state", "import", state, state_model, "-m", state_model},
      {"bench", model, "--compare", state, "--plot", state},
  };
  for (const char* name : {"model", "link", "hard"}) {
    commands.push_back({"complete", model, "--tokens", "1", "-n", "1", "--save-state", path(name)});
    commands.push_back({"complete", model, "--tokens", "1", "-n", "1", "--trace", path(name)});
    commands.push_back({"bench", model, "--profile", "--plot", path(name)});
  }
  for (const auto& command : commands) {
    EXPECT_NE(run(command).code, 0) << command[0] << " " << command.back();
    EXPECT_EQ(text_of_file(model), before);
    EXPECT_EQ(text_of_file(state), before_state);
    EXPECT_EQ(text_of_file(state_model), before_state_model);
  }
}

TEST_F(Outputs, a_model_may_be_converted_onto_itself_but_not_onto_a_part_of_it) {
  const auto answer = [](const std::string& model) {
    return run({"complete", model, "--tokens", "1,2", "-n", "4", "--temp", "0", "-q"}).out;
  };
  const std::string expected = answer(kModel);
  fs::copy_file(kModel, folder_ / "a.gguf");
  fs::create_symlink("a.gguf", folder_ / "link.gguf");
  fs::create_hard_link(folder_ / "a.gguf", folder_ / "hard.gguf");
  for (const char* out : {"a.gguf", "link.gguf", "hard.gguf"}) {
    for (const char* in : {"a.gguf", "link.gguf", "hard.gguf"}) {
      EXPECT_EQ(run({"convert", path(in), path(out)}).code, 2) << in << " to " << out;
      EXPECT_EQ(run({"convert", path(in), path(out), "-f"}).code, 0) << in << " to " << out;
      EXPECT_EQ(answer(path("a.gguf")), expected);
      EXPECT_TRUE(fs::is_symlink(folder_ / "link.gguf"));
    }
  }
}

TEST_F(Outputs, a_shard_or_an_adapter_that_is_read_is_not_replaced) {
  ModelData halves[2];
  std::string map;
  for (auto& [name, value] : random_model({})) {
    const size_t half = name < "blocks.1" ? 0 : 1;
    map += fmt::format("{}\"{}\": \"{}.safetensors\"", map.empty() ? "" : ", ", name, half);
    halves[half][name] = std::move(value);
  }
  fs::create_directory(folder_ / "shards");
  write_text(folder_ / "shards/model.safetensors.index.json", "{\"weight_map\": {" + map + "}}");
  for (const size_t half : {0u, 1u}) {
    const auto bytes = as_safetensors(halves[half]);
    write_text(folder_ / fmt::format("shards/{}.safetensors", half),
               {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  }
  fs::create_symlink("shards/1.safetensors", folder_ / "link.safetensors");
  const std::string before = text_of_file(folder_ / "shards/1.safetensors");
  for (const char* in : {"shards", "shards/model.safetensors.index.json"})
    for (const char* out : {"shards/1.safetensors", "link.safetensors"}) {
      const Ran ran = run({"convert", path(in), path(out), "-f"});
      EXPECT_EQ(ran.code, 2) << ran.err;
      EXPECT_TRUE(contains(ran.err, "one of the 2 files")) << ran.err;
      EXPECT_TRUE(text_of_file(folder_ / "shards/1.safetensors") == before);
    }
  const Ran state = run({"complete", path("shards"), "--tokens", "1", "-n", "1", "--save-state",
                         path("shards/1.safetensors")});
  EXPECT_EQ(state.code, 2) << state.err;
  EXPECT_TRUE(contains(state.err, "is read here")) << state.err;
  EXPECT_TRUE(text_of_file(folder_ / "shards/1.safetensors") == before);
  EXPECT_EQ(run({"convert", path("shards"), path("shards/whole.safetensors")}).code, 0);

  const std::string lora = fixture("models/v7.lora.pth").string();
  fs::copy_file(lora, folder_ / "lora.pth");
  const Ran adapter = run(
      {"convert", kStateModel, path("lora.pth"), "--lora", path("lora.pth") + ",alpha=4", "-f"});
  EXPECT_EQ(adapter.code, 2) << adapter.err;
  EXPECT_EQ(text_of_file(folder_ / "lora.pth"), text_of_file(lora));
}

TEST_F(Outputs, a_text_may_begin_with_a_mark_of_its_encoding) {
  const std::string mark = "\xEF\xBB\xBF";
  write_text(folder_ / "plain", "some text");
  write_text(folder_ / "marked", mark + "some text");
  write_text(folder_ / "utf16", std::string("\xFF\xFEs\0o\0", 6));
  const std::vector<std::string> more = {"-n", "3", "--temp", "0", "-q"};
  for (const std::string command : {"complete", "tokenize"}) {
    const auto with = [&](const std::string& name) {
      std::vector<std::string> args = {command, kModel, "-f", path(name)};
      if (command == "complete") args.insert(args.end(), more.begin(), more.end());
      return run(args);
    };
    EXPECT_EQ(with("marked").out, with("plain").out) << command;
    EXPECT_NE(with("marked").out, "");
    EXPECT_EQ(with("utf16").code, 2);
    EXPECT_TRUE(contains(with("utf16").err, "UTF-16"));
  }
  for (const std::vector<std::string>& args : {std::vector<std::string>{"tokenize", kModel},
                                               {"complete", kModel, "-n", "3", "--temp", "0"},
                                               {"run", kModel, "-n", "3", "--temp", "0"}})
    EXPECT_EQ(run(args, {.input = mark + "some text"}).out, run(args, {.input = "some text"}).out)
        << args[0];
  write_text(folder_ / "skein.toml", mark + "json = true\n");
  EXPECT_TRUE(run({"inspect", kModel}, {.folder = folder_.path()}).out.starts_with("{"));
}

// A descriptor is written as it stands, without a file beside it to be put in place.
TEST_F(Outputs, what_is_read_is_not_written_over_through_a_descriptor) {
  for (const Writer& writer : writers()) {
    const auto words = writer.arguments("/dev/fd/3");
    for (size_t i = 0; i < words.size(); ++i) {
      if (words[i].starts_with("/dev/") || !fs::is_regular_file(words[i])) continue;
      SCOPED_TRACE(std::string(writer.name) + " over " + words[i]);
      const auto input = folder_ / fs::path(words[i]).filename().string();
      fs::copy_file(words[i], input, fs::copy_options::overwrite_existing);
      const std::string before = text_of_file(input);
      std::vector<std::string> args = {"-c", "exec \"$0\" \"$@\" 3<>\"$FILE\"", SKEIN_PROGRAM};
      for (size_t j = 0; j < words.size(); ++j)
        args.push_back(words[j] == words[i] ? input.string() : words[j]);
      if (writer.wants_force) args.emplace_back("-f");
      How how;
      how.program = "/bin/sh";
      how.environment = {"FILE=" + input.string()};
      const Ran ran = run(args, how);
      EXPECT_NE(ran.code, 0);
      EXPECT_NE(ran.err.find("read here"), std::string::npos) << ran.err;
      EXPECT_TRUE(text_of_file(input) == before);
    }
  }
}

// Whatever a model is made of, and however it came to be read.
TEST_F(Outputs, nothing_that_a_model_is_made_of_is_written_over) {
  const auto model = folder_ / "f";
  ASSERT_EQ(run({"convert", kStateModel, model.string(), "--names", "fla"}).code, 0);
  const auto lora = folder_ / "l.pth";
  fs::copy_file(fixture("models/v7.lora.pth"), lora);
  const auto vocab = folder_ / "vocab.txt";
  fs::copy_file(fixture("tokenizer/qwen2_small.json"), vocab);
  const std::vector<fs::path> inputs = {model / "model.safetensors", model / "config.json", lora};
  const std::vector<std::vector<std::string>> commands = {
      {"complete", model.string(), "--tokens", "1", "-n", "1", "-q", "-t", "1", "--lora",
       lora.string() + ",alpha=8", "--save-state"},
      {"complete", model.string(), "--tokens", "1", "-n", "1", "-q", "-t", "1", "--lora",
       lora.string() + ",alpha=8", "--trace"},
      {"bench", model.string(), "--profile", "-p", "1", "-r", "1", "-t", "1", "-q", "--lora",
       lora.string() + ",alpha=8", "--plot"},
      {"convert", "-f", "-q", model.string(), "--lora", lora.string() + ",alpha=8", "--format",
       "pth"},
  };
  for (auto command : commands)
    for (const fs::path& input : inputs) {
      const bool converts = command[0] == "convert";
      if (converts && input == inputs[0]) continue;  // a model of one file may be
      SCOPED_TRACE(command[0] + " " + command.back() + " " + input.string());
      const std::string before = text_of_file(input);
      auto words = command;
      words.insert(converts ? words.begin() + 4 : words.end(), input.string());
      const Ran ran = run(words);
      EXPECT_NE(ran.code, 0);
      if (command[0] != "bench") {
        EXPECT_EQ(ran.code, 2) << ran.err;
      }
      EXPECT_TRUE(text_of_file(input) == before);
    }
}

TEST_F(Outputs, an_empty_name_is_no_name) {
  for (const char* option : {"--save-state", "--trace"}) {
    const Ran ran = run({"complete", kModel, "--tokens", "1", "-n", "1", option, ""});
    EXPECT_EQ(ran.code, 2);
    EXPECT_NE(ran.err.find("empty"), std::string::npos) << ran.err;
  }
}

}  // namespace
}  // namespace skein::test
