// skein rm: removes models from the user's own folder, and nothing anywhere else.
#include <algorithm>
#include <iostream>
#include <string>
#include <utility>

#include "cli/commands.h"
#include "cli/model_store.h"
#include "cli/progress.h"
#include "cli/suggest.h"
#include "hub/official.h"
#include "hub/source.h"

namespace skein::cli {
namespace {

namespace fs = std::filesystem;

// What goes when a name is removed: a file, what a pull has left of it, or both.
struct Removal {
  fs::path path;  // empty: there is only what was left
  std::string file_name;
  uint64_t bytes = 0;
};

class Remove final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("NAME", names_, "a model of `skein list`, or a file's name there");
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
      removals.push_back(std::move(*found));
    }
    for (const Removal& one : removals) {
      const auto sure = is_wanted(console, one);
      if (!sure) return console.error(sure.error());
      if (!*sure) continue;
      const auto bytes = remove(one);
      if (!bytes) return console.error(bytes.error());
      freed += *bytes;
      json.value(one.file_name);
      if (!console.json())
        console.line(fmt::format("removed {}: {} freed", escaped(one.file_name),
                                 bytes_text(static_cast<double>(*bytes))));
    }
    if (console.json()) console.object(json.end_array().member("bytes", freed).end_object());
    return kFine;
  }

 private:
  static Result<Removal> find(const std::string& name) {
    SK_TRY(const fs::path folder, own_models_folder());
    const std::vector<StoredModel> models = stored_models();
    const hub::OfficialModel* official = hub::find_official(name);
    const auto is_meant = [&](const std::string& called, const std::string& file_name) {
      return name == called || name == file_name || name == fs::path(file_name).stem().string() ||
             (official && called == official->name);
    };
    Removal out;
    bool elsewhere = false;
    for (const StoredModel& model : models) {
      if (!out.path.empty() || !is_meant(model.name, model.path.filename().string())) continue;
      elsewhere = elsewhere || !model.own;
      if (model.own) out.path = model.path;
    }
    out.file_name = out.path.filename().string();
    for (const UnfinishedModel& one : unfinished_models()) {
      const bool meant = out.path.empty()
                             ? is_meant("", one.file_name) ||
                                   (official && hub::official_of(one.file_name) == official)
                             : one.file_name == out.file_name;
      if (!meant) continue;
      out.file_name = one.file_name;
      out.bytes += one.bytes;
    }
    if (out.file_name.empty()) return missing(name, folder, models, elsewhere);
    std::error_code error;
    if (fs::is_directory(out.path, error))
      return fail(Code::argument, "{} is a folder, which is not removed here",
                  escaped(out.path.string()));
    if (!out.path.empty())
      if (const uintmax_t size = fs::file_size(out.path, error); !error) out.bytes += size;
    return out;
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
        fmt::format("{} ({})", escaped(one.file_name), bytes_text(static_cast<double>(one.bytes)));
    if (!console.stdin_is_terminal() || !console.stderr_is_terminal() || console.json())
      return fail(Code::argument, "{} is removed with --yes, as nobody can be asked here", what);
    console.status(fmt::format("remove {}? [y/N] ", what));
    std::string answer;
    std::getline(std::cin, answer);
    return answer == "y" || answer == "Y" || answer == "yes";
  }

  static Result<uint64_t> remove(const Removal& one) {
    SK_TRY(const fs::path folder, own_models_folder());
    uint64_t freed = 0;
    if (!one.path.empty()) {
      std::error_code error;
      const bool link = fs::is_symlink(one.path, error);
      const uintmax_t size = link ? 0 : fs::file_size(one.path, error);
      // Of a link the link; what it leads to is not in our folder.
      if (!fs::remove(one.path, error))
        return fail(Code::io, "{}: cannot be removed: {}", escaped(one.path.string()),
                    error.message());
      freed += size;
    }
    return freed + remove_unfinished(folder, one.file_name);
  }

  std::vector<std::string> names_;
  bool yes_ = false;
};

}  // namespace

CommandPtr make_rm() { return std::make_unique<Remove>(); }

}  // namespace skein::cli
