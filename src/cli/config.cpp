#include "cli/config.h"

// With exceptions, or memory that runs out in the parser would end the program. Some of its
// assertions are about the input ("[[[" is one), and the code behind them copes: they must
// neither end the program nor, with NDEBUG under clang, become promises to the optimiser.
#define TOML_EXCEPTIONS 1
// Or numbers go through a stream, which takes a want of memory for a wrong number.
#define TOML_FLOAT_CHARCONV 1
#define TOML_HEADER_ONLY 1
#define TOML_ASSERT(expression) static_cast<void>(0)
#undef NDEBUG
#include <toml++/toml.h>

#include <algorithm>

#include "base/file.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/suggest.h"

namespace skein::cli {
namespace {

constexpr uint64_t kConfigBytes = 1024 * 1024;

// The value as an option's text; false if no option can take such a value.
bool text_of(const toml::node& node, std::string& out) {
  if (const auto* text = node.as_string())
    out = text->get();
  else if (const auto* whole = node.as_integer())
    out = fmt::format("{}", whole->get());
  else if (const auto* number = node.as_floating_point())
    out = fmt::format("{}", number->get());
  else if (const auto* flag = node.as_boolean())
    out = flag->get() ? "true" : "false";
  else
    return false;
  return true;
}

Result<ConfigKey> read_key(std::string_view section, std::string_view name, const toml::node& node,
                           std::string_view file) {
  ConfigKey key;
  key.section = section;
  key.name = name;
  key.where = fmt::format("{}:{}", file, node.source().begin.line);
  bool good = true;
  if (const toml::array* array = node.as_array()) {
    for (const toml::node& element : *array)
      good = text_of(element, key.values.emplace_back()) && good;
  } else {
    good = text_of(node, key.values.emplace_back());
  }
  if (!good)
    return fail(Code::argument, "{}: {} has to be text, a number, true, false or a list of them",
                key.where, escaped(name, 60));
  return key;
}

// Sections are at most two words deep: [run], [state.export].
Status read_table(const toml::table& table, const std::string& section, int depth,
                  std::string_view file, std::vector<ConfigKey>& out) {
  for (const auto& [name, node] : table) {
    if (const toml::table* inner = node.as_table(); inner && depth < 2) {
      const std::string words =
          section.empty() ? std::string(name.str()) : section + " " + std::string(name.str());
      // The line of the section's heading, in case it is no command.
      if (!find_command(words) && family_of(words).empty()) {
        std::vector<std::string> known;
        for (const CommandEntry& entry : commands()) known.emplace_back(entry.name);
        return fail(Code::argument, "{}:{}: [{}] is no command{}", file, inner->source().begin.line,
                    escaped(words, 60), did_you_mean(words, known));
      }
      SK_TRY_STATUS(read_table(*inner, words, depth + 1, file, out));
      continue;
    }
    SK_TRY(ConfigKey key, read_key(section, name.str(), node, file));
    out.push_back(std::move(key));
  }
  return {};
}

}  // namespace

Result<Config> Config::parse(std::string_view text, std::string_view name) {
  try {
    Config config;
    // Not told the name: it would keep a copy where no exception may pass.
    SK_TRY_STATUS(read_table(toml::parse(text), "", 0, name, config.keys_));
    return config;
  } catch (const toml::parse_error& error) {
    return fail(Code::argument, "{}:{}: {}", name, error.source().begin.line,
                escaped(error.description()));
  }
}

std::vector<std::filesystem::path> Config::files() {
  std::vector<std::filesystem::path> out = {"skein.toml"};
  if (const auto folder = config_folder(); !folder.empty()) out.push_back(folder / "config.toml");
  return out;
}

Result<Config> Config::load(const std::filesystem::path& file) {
  SK_TRY(const auto bytes, read_file(file, kConfigBytes));
  SK_TRY(Config config, parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                              escaped(file.string())));
  SK_TRY_STATUS(check_config(config));
  return config;
}

Result<Config> Config::load() {
  Config all;
  for (const std::filesystem::path& file : files()) {
    std::error_code ignored;
    if (!std::filesystem::exists(file, ignored)) continue;
    SK_TRY(const auto bytes, read_file(file, kConfigBytes));
    SK_TRY(Config one, parse({reinterpret_cast<const char*>(bytes.data()), bytes.size()},
                             escaped(file.string())));
    if (file == files().front())
      for (ConfigKey& key : one.keys_) key.project = true;
    std::move(one.keys_.begin(), one.keys_.end(), std::back_inserter(all.keys_));
  }
  SK_TRY_STATUS(check_config(all));
  return all;
}

const ConfigKey* Config::find(std::string_view command, std::string_view name) const {
  const auto rank = [&](const ConfigKey& key) {
    if (key.name != name) return 0;
    if (key.section == command) return 3;
    if (command.starts_with(key.section + " ")) return 2;
    return key.section.empty() ? 1 : 0;
  };
  const auto file_of = [](const ConfigKey& key) {
    return std::string_view(key.where).substr(0, key.where.rfind(':'));
  };
  // Keys of one file stand together, and the first file that has the option decides.
  const ConfigKey* best = nullptr;
  for (const ConfigKey& key : keys_) {
    if (best && file_of(key) != file_of(*best)) break;
    if (rank(key) > (best ? rank(*best) : 0)) best = &key;
  }
  return best;
}

Status check_config(const Config& config) {
  for (const ConfigKey& key : config.keys()) {
    std::vector<std::string> known;
    for (const CommandEntry& entry : commands()) {
      const bool meant = key.section.empty() || entry.name == key.section ||
                         entry.name.starts_with(key.section + " ");
      if (!meant) continue;
      const CommandPtr command = entry.make();
      GeneralOptions general;
      Options options;
      declare_all(*command, general, options);
      for (const Option& option : options.all()) {
        if (option.argument || option.only_here) continue;
        known.push_back(option.name);
        // Whoever wrote what lies in a folder must not say where the user's token goes.
        if (option.trusted && key.project && option.name == key.name)
          return fail(Code::argument,
                      "{}: {} is not for the file of a folder to say; your own config.toml, {} and "
                      "--{} are heard",
                      key.where, option.name, option.environment(), option.name);
      }
    }
    if (std::find(known.begin(), known.end(), key.name) != known.end()) continue;
    return fail(Code::argument, "{}: unknown key {}{}{}", key.where, escaped(key.name, 60),
                key.section.empty() ? "" : " in [" + key.section + "]",
                did_you_mean(key.name, known));
  }
  return {};
}

}  // namespace skein::cli
