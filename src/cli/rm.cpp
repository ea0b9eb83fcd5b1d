// skein rm: removes models from the user's own folder, and nothing anywhere else.
#include <algorithm>
#include <iostream>
#include <string>
#include <utility>

#include "base/part_file.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/model_store.h"
#include "cli/progress.h"
#include "cli/suggest.h"
#include "hub/official.h"

namespace skein::cli {
namespace {

namespace fs = std::filesystem;

// What goes when a name is removed: a file, what a pull has left of it, or both.
struct Removal {
  fs::path path;                // empty: there is only what was left
  std::vector<fs::path> parts;  // what was left
  std::vector<std::string> file_names;
  uint64_t bytes = 0;

  void add(const UnfinishedModel& one) {
    parts.push_back(one.path);
    bytes += one.bytes;
    if (std::find(file_names.begin(), file_names.end(), one.file_name) == file_names.end())
      file_names.push_back(one.file_name);
  }
  bool is_same(const Removal& other) const { return path == other.path && parts == other.parts; }
  std::string shown() const {
    std::string out;
    for (const std::string& name : file_names) out += (out.empty() ? "" : ", ") + escaped(name);
    return out;
  }
};

class Remove final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("NAME", names_, "a model of `skein list`, or a file's name there")
        .names_model = true;  // for completion; it is no path
    options.section("Options");
    options.flag("-y,--yes", yes_, "do not ask").unset_elsewhere();
  }

  int run(Console& console) override {
    uint64_t freed = 0;
    JsonWriter json;
    json.begin_object().key("removed").begin_array();
    // All names are looked up before anything goes.
    std::vector<Removal> removals;
    for (const std::string& name : names_) {
      auto found = find(name);
      if (!found) return console.error(found.error());
      // Two names may mean one model.
      const bool known = std::any_of(removals.begin(), removals.end(),
                                     [&](const Removal& one) { return one.is_same(*found); });
      if (!known) removals.push_back(std::move(*found));
    }
    for (const Removal& one : removals) {
      const auto sure = is_wanted(console, one);
      if (!sure) return console.error(sure.error());
      if (!*sure) continue;
      const auto bytes = remove(one);
      if (!bytes) return console.error(bytes.error());
      freed += *bytes;
      for (const std::string& name : one.file_names) json.value(name);
      if (!console.json())
        console.line(fmt::format("removed {}: {} freed", one.shown(),
                                 bytes_text(static_cast<double>(*bytes))));
    }
    if (console.json()) console.object(json.end_array().member("bytes", freed).end_object());
    return kFine;
  }

 private:
  static Result<Removal> find(const std::string& name) {
    SK_TRY(const fs::path folder, own_models_folder());
    const std::vector<StoredModel> models = stored_models();
    // The very file that `skein run NAME` would open.
    const fs::path meant = stored_path(name);
    const auto stored = std::find_if(models.begin(), models.end(),
                                     [&](const StoredModel& one) { return one.path == meant; });
    Removal out;
    if (stored != models.end() && stored->own) {
      out.path = meant;
      out.file_names.push_back(meant.filename().string());
    }
    for (const UnfinishedModel& one : unfinished_models())
      if (out.path.empty() ? is_meant(name, one.file_name) : one.file_name == out.path.filename())
        out.add(one);
    if (out.file_names.empty())
      return missing(name, folder, models, stored != models.end() && !stored->own);
    std::error_code error;
    if (fs::is_directory(out.path, error))
      return fail(Code::argument, "{} is a folder, which is not removed here",
                  escaped(out.path.string()));
    if (!out.path.empty())
      if (const uintmax_t size = fs::file_size(out.path, error); !error) out.bytes += size;
    return out;
  }

  // Of a model that is unfinished.
  static bool is_meant(const std::string& name, const std::string& file_name) {
    const hub::OfficialModel* official = hub::find_official(name);
    return name == file_name || name == fs::path(file_name).stem().string() ||
           (official && hub::official_of(file_name) == official);
  }

  static tl::unexpected<Error> missing(const std::string& name, const fs::path& folder,
                                       const std::vector<StoredModel>& models, bool elsewhere) {
    if (elsewhere)
      return fail(Code::argument, "{} is not in {}, and elsewhere nothing is removed",
                  escaped(name, 100), escaped(folder.string()));
    std::vector<std::string> known;
    for (const StoredModel& model : models)
      if (model.own) known.push_back(model.name);
    return fail(Code::argument, "{}: no model of this name in {}{}", escaped(name, 100),
                escaped(folder.string()), did_you_mean(name, known));
  }

  Result<bool> is_wanted(Console& console, const Removal& one) const {
    if (yes_) return true;
    const std::string what =
        fmt::format("{} ({})", one.shown(), bytes_text(static_cast<double>(one.bytes)));
    if (!console.stdin_is_terminal() || !console.stderr_is_terminal() || console.json())
      return fail(Code::argument, "{} is removed with --yes, as nobody can be asked here", what);
    console.status(fmt::format("remove {}? [y/N] ", what));
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
  }

  static Result<uint64_t> remove(const Removal& one) {
    uint64_t freed = 0;
    // First, as nothing goes of what another process is fetching.
    for (const fs::path& part : one.parts) {
      SK_TRY(const uint64_t bytes, remove_part(part));
      freed += bytes;
    }
    if (!one.path.empty()) {
      std::error_code error;
      // Neither a link nor a pipe takes room.
      const bool file = fs::symlink_status(one.path, error).type() == fs::file_type::regular;
      const uintmax_t size = file ? fs::file_size(one.path, error) : 0;
      // Of a link the link; what it leads to is not in our folder.
      if (!fs::remove(one.path, error))
        return fail(Code::io, "{}: cannot be removed: {}", escaped(one.path.string()),
                    error.message());
      freed += size;
    }
    return freed;
  }

  std::vector<std::string> names_;
  bool yes_ = false;
};

}  // namespace

CommandPtr make_rm() { return std::make_unique<Remove>(); }

}  // namespace skein::cli
