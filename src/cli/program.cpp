#include "cli/program.h"

#include <algorithm>
#include <new>
#include <vector>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/help.h"
#include "cli/settings.h"
#include "cli/suggest.h"

namespace skein::cli {
namespace {

constexpr const char* kCommit = SKEIN_COMMIT;  // empty where it is not known

// Options before the command belong to it: skein --json inspect FILE.
std::vector<std::string> command_first(std::span<const std::string> args) {
  size_t command = 0;
  while (command < args.size() && args[command].starts_with('-') && args[command].size() > 1)
    command += args[command] == "--color" ? 2 : 1;
  command = std::min(command, args.size());
  std::vector<std::string> out(args.begin() + static_cast<ptrdiff_t>(command), args.end());
  // Behind the command's word or words, before anything that may follow a "--".
  size_t place = out.empty() ? 0 : 1;
  if (out.size() > 1 && find_command(out[0] + " " + out[1])) place = 2;
  out.insert(out.begin() + static_cast<ptrdiff_t>(place), args.begin(),
             args.begin() + static_cast<ptrdiff_t>(command));
  return out;
}

tl::unexpected<Error> unknown_command(const std::string& word) {
  std::vector<std::string> known = {"--version", "--help"};
  for (const std::string_view name : first_words()) known.emplace_back(name);
  return fail(Code::argument, "unknown command {}{}", escaped(word, 60), did_you_mean(word, known));
}

// The command that `args` begins with; `used` gets how many words that took.
Result<const CommandEntry*> choose(std::span<const std::string> args, size_t& used) {
  used = 1;
  if (const CommandEntry* entry = find_command(args[0])) return entry;
  const auto family = family_of(args[0]);
  if (family.empty()) return unknown_command(args[0]);
  std::string list;
  for (const std::string_view name : family) list += (list.empty() ? "" : ", ") + std::string(name);
  if (args.size() < 2 || args[1].starts_with('-'))
    return fail(Code::argument, "skein {} needs one of {}", args[0], list);
  used = 2;
  if (const CommandEntry* entry = find_command(args[0] + " " + args[1])) return entry;
  const std::vector<std::string> known(family.begin(), family.end());
  return fail(Code::argument, "skein {} has no {}; it has {}{}", args[0], escaped(args[1], 60),
              list, did_you_mean(args[1], known));
}

bool stands_before_mark(std::span<const std::string> args, std::string_view word) {
  for (const std::string& arg : args) {
    if (arg == "--") return false;
    if (arg == word) return true;
  }
  return false;
}

int run_command(const CommandEntry& entry, std::span<const std::string> args,
                const ConsoleOptions& early) {
  const CommandPtr command = entry.make();
  GeneralOptions general;
  Options options;
  declare_all(*command, general, options);
  const auto refuse = [&](const Error& error) {
    Console console(early);
    const int code = console.error(error);
    if (code == kUsage && !early.json) console.note(fmt::format("try: skein help {}", entry.name));
    return console.finish(code);
  };
  if (auto status = options.read(args); !status) return refuse(status.error());
  if (options.given("help")) {
    Console console(early);
    print_command_help(console, entry);
    return console.finish(kFine);
  }
  Result<Config> config = Config();
  const std::string file = options.given_value(kConfigOption);
  if (options.given(kConfigOption) && file.empty())
    return refuse({Code::argument, "--config: the name of a file is empty"});
  if (command->wants_config()) config = file.empty() ? Config::load() : Config::load(file);
  if (!config) return refuse(config.error());
  if (auto status = options.resolve(&*config, entry.name); !status) return refuse(status.error());

  Console console({.json = general.json,
                   .quiet = general.quiet,
                   .verbose = general.verbose,
                   .color = general.color});
  if (options.given(kPrintConfigOption)) {
    print_settings(console, options, entry.name);
    return console.finish(kFine);
  }
  if (command->needs_arguments())
    if (auto status = options.missing(); !status) return refuse(status.error());
  // What the library has to say of what it takes nevertheless.
  const auto heard = [](int level, const char* text, void* user) {
    if (level == static_cast<int>(LogLevel::warning)) static_cast<Console*>(user)->warn(text);
  };
  set_log_sink({heard, &console});
  struct Silence {
    ~Silence() { set_log_sink({}); }
  } const silence;
  try {
    return console.finish(command->run(console));
  } catch (const std::bad_alloc&) {
    return console.finish(console.error({Code::memory, "not enough memory"}));
  }
}

}  // namespace

int run_program(std::span<const std::string> given) {
  const std::vector<std::string> args = command_first(given);
  // Needed before the options are understood: how to say that they are not.
  const ConsoleOptions early = {.json = stands_before_mark(args, "--json")};
  if (args.empty() || args[0].starts_with('-')) {
    Console console(early);
    if (stands_before_mark(args, "--version")) {
      if (early.json) {
        JsonWriter json;
        json.begin_object().member("version", kVersion);
        if (*kCommit) json.member("commit", kCommit);
        json.end_object();
        console.object(json);
      } else {
        console.line(*kCommit ? fmt::format("skein {} ({})", kVersion, kCommit)
                              : fmt::format("skein {}", kVersion));
      }
      return console.finish(kFine);
    }
    const bool asked =
        args.empty() || stands_before_mark(args, "-h") || stands_before_mark(args, "--help");
    if (!asked) {
      const int code = console.error(
          {Code::argument,
           args.empty() ? "a command is missing"
                        : fmt::format("a command is missing before {}", escaped(args[0], 60))});
      console.note("try: skein help");
      return console.finish(code);
    }
    print_overview(console);
    return console.finish(kFine);
  }
  size_t used = 0;
  const auto entry = choose(args, used);
  if (!entry) {
    Console console(early);
    // `skein state --help`
    if (!family_of(args[0]).empty() &&
        (stands_before_mark(args, "-h") || stands_before_mark(args, "--help"))) {
      print_family_help(console, args[0]);
      return console.finish(kFine);
    }
    const int code = console.error(entry.error());
    if (!early.json) console.note("try: skein help");
    return console.finish(code);
  }
  return run_command(**entry, std::span(args).subspan(used), early);
}

}  // namespace skein::cli
