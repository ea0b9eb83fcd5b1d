// What holds for every command: exit codes, messages, streams, help, completion.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "cli/commands.h"
#include "cli/program.h"
#include "run/vocabulary.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

const std::string kModel = fixture("models/tiny_v7.gguf").string();

size_t lines(const std::string& text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n'));
}

TEST(Usage, skein_alone_lists_the_commands) {
  const Ran ran = run({});
  EXPECT_EQ(ran.code, 0);
  for (const std::string_view word : cli::first_words())
    EXPECT_TRUE(contains(ran.out, "\n  " + std::string(word) + " ")) << word;
  EXPECT_EQ(ran.err, "");
}

TEST(Usage, version_is_one_line) {
  const Ran ran = run({"--version"});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(ran.out.starts_with("skein ")) << ran.out;
  EXPECT_EQ(lines(ran.out), 1u);
}

TEST(Usage, every_command_explains_itself_with_all_its_options) {
  for (const cli::CommandEntry& entry : cli::commands()) {
    std::vector<std::string> words = {"help"};
    const std::string name(entry.name);
    const size_t space = name.find(' ');
    words.push_back(name.substr(0, space));
    if (space != std::string::npos) words.push_back(name.substr(space + 1));
    const Ran ran = run(words);
    EXPECT_EQ(ran.code, 0) << name;
    const cli::CommandPtr command = entry.make();
    cli::GeneralOptions general;
    cli::Options options;
    cli::declare_all(*command, general, options);
    for (const cli::Option& option : options.all())
      EXPECT_TRUE(contains(ran.out, option.argument ? option.name : "--" + option.name))
          << name << " " << option.name;
    words.erase(words.begin());
    words.push_back("--help");
    EXPECT_EQ(run(words).out, ran.out) << name;
  }
}

TEST(Usage, topics_are_explained) {
  EXPECT_TRUE(contains(run({"help", "config"}).out, "skein.toml"));
  EXPECT_TRUE(contains(run({"help", "exit-codes"}).out, "130"));
  EXPECT_TRUE(contains(run({"help", "state"}).out, "state export"));
  for (const int64_t rows : {kWorldRows, k20bRows})
    EXPECT_TRUE(
        contains(run({"help", "models"}).out, " skein pull " + std::string(vocabulary_name(rows))));
  EXPECT_EQ(run({"help", "sampling"}).out, run({"help", "run"}).out);
  const Ran wrong = run({"help", "confg"});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "did you mean config?")) << wrong.err;
}

TEST(Usage, a_mistake_exits_2_with_one_sentence_and_a_way_on) {
  const struct {
    std::vector<std::string> args;
    std::string says;
  } cases[] = {
      {{"inspct"}, "unknown command inspct; did you mean inspect?"},
      {{"version"}, "did you mean --version?"},
      {{"state", "exprt"}, "did you mean export?"},
      {{"state"}, "needs one of show, export"},
      {{"inspect"}, "FILE is missing"},
      {{"inspect", kModel, "extra"}, "\"extra\" is one argument too many"},
      {{"inspect", kModel, "--tensor"}, "unknown option --tensor; did you mean --tensors?"},
      {{"inspect", kModel, "--zzz"}, "unknown option --zzz"},
      {{"complete", kModel, "x", "-t", "many"}, "--threads: \"many\" is not a whole number"},
      {{"complete", kModel, "x", "--threads", "-1"}, "has to be between 0 and 1024"},
      {{"complete", kModel, "x", "--threads", "99999999999999999999"},
       "has to be between 0 and 1024"},
      {{"complete", kModel, "x", "--top-p", "95"}, "top_p is 95, it must be from 0 to 1"},
      {{"run", kModel, "x", "--typical", "1.5"}, "typical_p is 1.5, it must be from 0 to 1"},
      {{"completion", "bsh"}, "did you mean bash?"},
      {{"inspect", "--color", "blue", kModel}, "not one of auto, always, never"},
      {{"inspect", kModel, "--color"}, "--color"},
      {{"--nonsense"}, "a command is missing"},
  };
  for (const auto& one : cases) {
    const Ran ran = run(one.args);
    EXPECT_EQ(ran.code, 2) << one.says;
    EXPECT_TRUE(ran.err.starts_with("error: ")) << ran.err;
    EXPECT_TRUE(contains(ran.err, one.says)) << ran.err << " should say " << one.says;
    EXPECT_TRUE(contains(ran.err, "\ntry: skein help")) << ran.err;
    EXPECT_EQ(ran.out, "");
  }
}

TEST(Usage, the_exit_code_tells_the_kind_of_failure) {
  EXPECT_EQ(run({"inspect", missing_file("model.pth").string()}).code, 1);
  EXPECT_EQ(run({"complete", missing_file("model.pth").string(), "x"}).code, 1);
  EXPECT_EQ(run({"complete", fixture("malformed/no_stop.pth").string(), "x"}).code, 3);
  EXPECT_EQ(run({"complete", fixture("models/v7.state.pth").string(), "x"}).code, 3);
  EXPECT_EQ(run({"complete", kModel, "x", "-n", "1"}, {.environment = {"SKEIN_ISA=sse9"}}).code, 2);
  EXPECT_EQ(run({"complete", kModel, "x"}, {.environment = {"SKEIN_THREADS=0x"}}).code, 2);
}

TEST(Usage, a_bad_model_suggests_inspect) {
  const Ran ran = run({"complete", fixture("malformed/hole.safetensors").string(), "x"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "\ntry: skein inspect ")) << ran.err;
}

TEST(Usage, another_bad_file_does_not_suggest_to_inspect_the_model) {
  const Folder folder;
  write_text(folder / "odd", "neither a state nor a vocabulary\n");
  const std::string odd = (folder / "odd").string();
  for (const std::string command : {"complete", "run"})
    for (const std::string option : {"--state", "--vocab"}) {
      const Ran ran = run({command, kModel, "x", option, odd});
      EXPECT_EQ(ran.code, 3) << option;
      EXPECT_FALSE(contains(ran.err, "try:")) << ran.err;
    }
}

TEST(Usage, a_missing_vocabulary_is_told_before_the_weights_are_read) {
  const std::string model = fixture("models/tiny_v7.pth").string();
  for (const std::string command : {"complete", "run"}) {
    const Ran ran = run({command, model, "x", "-v"});
    EXPECT_EQ(ran.code, 1);
    EXPECT_TRUE(contains(ran.err, "--vocab")) << ran.err;
    EXPECT_FALSE(contains(ran.err, "loaded in")) << ran.err;
  }
}

TEST(Usage, errors_are_one_json_object_with_json) {
  const std::vector<std::pair<std::vector<std::string>, std::string>> cases = {
      {{"inspect", "--json", missing_file("model.pth").string()}, "io"},
      {{"--json", "inspect", fixture("malformed/no_stop.pth").string()}, "corrupt"},
      {{"inspect", "--json", "--zzz"}, "argument"},
      {{"--json", "inspct"}, "argument"},
      {{"tokenize", "--json", fixture("malformed/deflated.pth").string(), "x"}, "unsupported"},
  };
  for (const auto& [args, code] : cases) {
    const Ran ran = run(args);
    EXPECT_NE(ran.code, 0);
    const auto json = parse_json(ran.out, 1 << 20);
    ASSERT_TRUE(json) << ran.out;
    const Json error = json->find("error");
    ASSERT_TRUE(error && error->find("code") && error->find("message")) << ran.out;
    EXPECT_EQ(*error->find("code")->string(), code);
    EXPECT_EQ(ran.err, "");
  }
}

TEST(Usage, general_options_may_stand_before_the_command) {
  EXPECT_EQ(run({"--json", "tokenize", kModel, "x"}).out,
            run({"tokenize", kModel, "x", "--json"}).out);
  EXPECT_EQ(run({"--color", "never", "state", "verify", missing_file("model.pth").string()}).code,
            1);
}

TEST(Usage, a_word_after_two_dashes_is_never_an_option) {
  const Ran ran = run({"tokenize", kModel, "--ids", "--", "--ids"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  const Ran help = run({"tokenize", kModel, "-5 is text"});
  EXPECT_EQ(help.code, 2);
  EXPECT_TRUE(contains(help.err, "comes after --")) << help.err;
}

TEST(Usage, colour_only_where_it_is_wanted) {
  const std::string escape = "\033[";
  const auto colored = [&](std::vector<std::string> more, std::vector<std::string> environment) {
    more.insert(more.begin(), {"inspect", kModel});
    return contains(run(more, {.environment = std::move(environment)}).out, escape);
  };
  EXPECT_FALSE(colored({}, {}));
  EXPECT_TRUE(colored({"--color", "always"}, {}));
  EXPECT_TRUE(colored({"--color=always"}, {"NO_COLOR=1"}));
  EXPECT_TRUE(colored({}, {"CLICOLOR_FORCE=1"}));
  EXPECT_FALSE(colored({}, {"CLICOLOR_FORCE=1", "NO_COLOR=1"}));
  EXPECT_FALSE(colored({"--color", "never"}, {"CLICOLOR_FORCE=1"}));
  EXPECT_FALSE(colored({"--color", "always", "--json"}, {}));
}

TEST(Usage, a_reader_that_goes_away_is_no_failure) {
  const Ran pipe = run({"doctor", "--limits"}, {.broken_pipe = true});
  EXPECT_EQ(pipe.code, 0);
  EXPECT_EQ(pipe.err, "");
}

TEST(Usage, text_lost_in_a_closed_standard_output_is_a_failure) {
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"doctor", "--limits"},
        {"complete", kModel, "x", "--temp", "0", "-n", "3"}}) {
    const Ran ran = run(args, {.close_out = true});
    EXPECT_EQ(ran.code, 1);
    EXPECT_EQ(ran.err, "error: standard output: Bad file descriptor\n");
  }
}

TEST(Usage, a_model_and_a_text_may_be_given_as_options) {
  const std::vector<std::string> more = {"-n", "5", "--temp", "0"};
  const auto with = [&](std::vector<std::string> args) {
    args.insert(args.end(), more.begin(), more.end());
    return run(args);
  };
  for (const std::string command : {"complete", "run"}) {
    const Ran plain = with({command, kModel, "some text"});
    EXPECT_EQ(plain.code, 0) << plain.err;
    EXPECT_NE(plain.out, "");
    EXPECT_EQ(with({command, "-m", kModel, "-p", "some text"}).out, plain.out);
    EXPECT_EQ(with({command, "--model=" + kModel, "some text"}).out, plain.out);
    EXPECT_EQ(with({command, "--prompt", "some text", kModel}).out, plain.out);
    const Ran twice = with({command, kModel, "some text", "-p", "more"});
    EXPECT_EQ(twice.code, 2);
    EXPECT_TRUE(contains(twice.err, "--prompt already gives ")) << twice.err;
    EXPECT_EQ(with({command, kModel, "-m", kModel, "-p", "text"}).code, 2);
    EXPECT_EQ(with({command, "-p", "text"}).code, 2);
  }
}

TEST(Usage, json_and_jsonl_exclude_each_other) {
  EXPECT_EQ(run({"complete", kModel, "x", "--json", "--jsonl"}).code, 2);
}

TEST(Usage, help_completion_and_version_are_one_json_object_with_json) {
  const auto object = [](const std::vector<std::string>& args) {
    const Ran ran = run(args);
    EXPECT_EQ(ran.code, 0);
    EXPECT_EQ(lines(ran.out), 1u) << ran.out;
    auto json = parse_json(ran.out, 1 << 20);
    EXPECT_TRUE(json) << ran.out;
    return json ? std::move(*json) : Json();
  };
  const Json all = object({"help", "--json"});
  ASSERT_TRUE(all.find("commands") && all.find("commands")->array());
  EXPECT_EQ(all.find("commands")->array()->size(), cli::commands().size());
  const Json one = object({"--json", "state", "export", "--help"});
  ASSERT_TRUE(one.find("name") && one.find("summary") && one.find("options"));
  EXPECT_EQ(*one.find("name")->string(), "state export");
  EXPECT_EQ(one.find("arguments")->array()->size(), 2u);
  EXPECT_TRUE(object({"help", "config", "--json"}).find("text"));
  EXPECT_TRUE(object({"--version", "--json"}).find("version"));
  const Json script = object({"completion", "zsh", "--json"});
  ASSERT_TRUE(script.find("shell") && script.find("script"));
  EXPECT_EQ(*script.find("script")->string(), run({"completion", "zsh"}).out);
}

TEST(Usage, a_full_disk_under_standard_output_is_told) {
  const Ran ran = run({"doctor", "--limits"}, {.out_to = "/dev/full"});
  EXPECT_EQ(ran.code, 1);
  EXPECT_EQ(ran.err, "error: standard output: No space left on device\n");
}

TEST(Usage, interrupt_while_waiting_for_input_exits_130) {
  const Ran ran = run({"tokenize", kModel}, {.wait_then_interrupt = true});
  EXPECT_EQ(ran.code, 130) << ran.err;
}

TEST(Usage, a_variable_sets_an_option_and_the_command_line_wins) {
  const auto json = [](const Ran& ran) { return ran.out.starts_with("{"); };
  EXPECT_TRUE(json(run({"inspect", kModel}, {.environment = {"SKEIN_JSON=1"}})));
  EXPECT_FALSE(json(run({"inspect", kModel}, {.environment = {"SKEIN_JSON=off"}})));
  EXPECT_FALSE(json(run({"inspect", kModel, "--json=false"}, {.environment = {"SKEIN_JSON=1"}})));
  const Ran wrong = run({"inspect", kModel}, {.environment = {"SKEIN_JSON=maybe"}});
  EXPECT_EQ(wrong.code, 2);
  EXPECT_TRUE(contains(wrong.err, "SKEIN_JSON: \"maybe\"")) << wrong.err;
}

TEST(Usage, configuration_files_set_options_the_project_first) {
  const Folder folder;
  std::filesystem::create_directories(folder / "home");
  write_text(folder / "home/config.toml", "json = true\n");
  const How how = {.environment = {"SKEIN_HOME=" + (folder / "home").string()},
                   .folder = folder.path()};
  const auto json = [&] { return run({"inspect", kModel}, how).out.starts_with("{"); };
  EXPECT_TRUE(json());
  write_text(folder / "skein.toml", "[inspect]\njson = false\n");
  EXPECT_FALSE(json());
  write_text(folder / "skein.toml", "[tokenize]\njson = false\n");
  EXPECT_TRUE(json());
}

TEST(Usage, a_wrong_configuration_names_file_and_line) {
  const Folder folder;
  const auto error = [&](const std::string& text) {
    write_text(folder / "skein.toml", text);
    const Ran ran = run({"inspect", kModel}, {.folder = folder.path()});
    EXPECT_EQ(ran.code, 2) << text;
    return ran.err;
  };
  EXPECT_TRUE(contains(error("# a comment\nthraeds = 2\n"),
                       "skein.toml:2: unknown key thraeds; did you mean threads?"));
  EXPECT_TRUE(contains(error("\n\n[inspct]\njson = true\n"), "skein.toml:3: [inspct]"));
  EXPECT_TRUE(contains(error("[inspect]\ntemp = 1\n"), "unknown key temp in [inspect]"));
  EXPECT_TRUE(contains(error("[inspect]\njson = 1979-05-27\n"), "skein.toml:2: json has to be"));
  EXPECT_TRUE(contains(error("[inspect]\njson = \"maybe\"\n"), "skein.toml:2: json: \"maybe\""));
  EXPECT_TRUE(contains(error("[inspect\n"), "skein.toml:1: "));
  // The commands that help out of this still work.
  EXPECT_EQ(run({"help", "config"}, {.folder = folder.path()}).code, 0);
  const Ran doctor = run({"doctor"}, {.folder = folder.path()});
  EXPECT_EQ(doctor.code, 2);
  EXPECT_TRUE(contains(doctor.out, "skein.toml:1: ")) << doctor.out;
}

TEST(Usage, doctor_tests_the_kernels_and_prints_the_limits) {
  const Ran ran = run({"doctor", "--json"});
  EXPECT_EQ(ran.code, 0) << ran.out;
  EXPECT_TRUE(parse_json(ran.out, 1 << 20)) << ran.out;
  EXPECT_TRUE(contains(ran.out, "scalar: the self-test gives the scalar bits"));
  EXPECT_EQ(run({"doctor"}, {.environment = {"SKEIN_ISA=sse9"}}).code, 2);
  const Ran limits = run({"doctor", "--limits"});
  EXPECT_TRUE(contains(limits.out, "16384")) << limits.out;
  EXPECT_TRUE(parse_json(run({"doctor", "--limits", "--json"}).out, 1 << 20));
}

TEST(Completion, scripts_are_accepted_by_their_shells) {
  const Folder folder;
  for (const std::string shell : {"bash", "zsh", "fish"}) {
    const Ran script = run({"completion", shell});
    EXPECT_EQ(script.code, 0);
    for (const std::string_view word : cli::first_words())
      EXPECT_TRUE(contains(script.out, std::string(word))) << shell << " " << word;
    const std::string program = "/usr/bin/" + shell;
    if (!std::filesystem::exists(program)) continue;
    write_text(folder / "script", script.out);
    const Ran check = run({"-n", (folder / "script").string()}, {.program = program});
    EXPECT_EQ(check.code, 0) << shell << ": " << check.err;
  }
}

TEST(Completion, bash_completes_commands_options_and_values) {
  if (!std::filesystem::exists("/bin/bash")) GTEST_SKIP() << "SKIPPED: no bash";
  const Folder folder;
  write_text(folder / "script", run({"completion", "bash"}).out);
  const auto complete = [&](const std::string& words) {
    const std::string test = "source " + (folder / "script").string() + "; COMP_WORDS=(" + words +
                             "); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _skein; "
                             "echo \" ${COMPREPLY[*]} \"";
    return run({"-c", test}, {.program = "/bin/bash"}).out;
  };
  EXPECT_EQ(complete("skein insp"), " inspect \n");
  EXPECT_EQ(complete("skein state ex"), " export \n");
  EXPECT_EQ(complete("skein inspect --ten"), " --tensors \n");
  EXPECT_EQ(complete("skein state export --format t"), " time_state \n");
  EXPECT_EQ(complete("skein inspect --color n"), " never \n");
  EXPECT_EQ(complete("skein completion z"), " zsh \n");
  // By the place of an argument, which options and their values do not change.
  EXPECT_EQ(complete("skein quantize in.pth out.gguf near"), " near-lossless \n");
  EXPECT_EQ(complete("skein quantize -t 4 --dry-run in.pth out.gguf Q8"), " Q8_0 \n");
  EXPECT_EQ(complete("skein quantize in.pth near"), "  \n");
  EXPECT_EQ(complete("skein convert --dtype b"), " bf16 \n");
  EXPECT_EQ(complete("skein run --think f"), " fake free \n");
  EXPECT_EQ(complete("skein help run stat"), " state states \n");
  EXPECT_EQ(complete("skein run model.pth hello\\ wor"), "  \n");
}

TEST(Completion, names_of_models_are_offered_and_never_run) {
  if (!std::filesystem::exists("/bin/bash")) GTEST_SKIP() << "SKIPPED: no bash";
  const Folder folder;
  const std::filesystem::path models = folder / "home" / "models";
  std::filesystem::create_directories(models);
  std::filesystem::create_directory(folder / "here");
  std::filesystem::create_symlink(SKEIN_PROGRAM, folder / "skein");
  for (const std::string name : {"$(touch pwned).pth", "`touch pwned`.pth", "mine.pth"})
    write_text(models / name, "");
  write_text(folder / "script", run({"completion", "bash"}).out);
  const auto complete = [&](const std::string& word) {
    const std::string test = "cd '" + (folder / "here").string() +
                             "' && PATH=..:$PATH && source ../script; COMP_WORDS=(skein run '" +
                             word + "'); COMP_CWORD=2; _skein; printf '%s|' \"${COMPREPLY[@]}\"";
    return run({"-c", test}, {.environment = {"SKEIN_HOME=" + (folder / "home").string()},
                              .program = "/bin/bash"})
        .out;
  };
  EXPECT_EQ(complete("mi"), "mine|");
  EXPECT_TRUE(contains(complete(""), "$(touch pwned)|")) << complete("");
  EXPECT_EQ(complete("`"), "`touch pwned`|");
  EXPECT_TRUE(std::filesystem::is_empty(folder / "here"));
}

}  // namespace
}  // namespace skein::test
