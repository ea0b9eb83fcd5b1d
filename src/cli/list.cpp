// skein list: the models that are here, those that RWKV's authors publish, and what a repository
// has.
#include <algorithm>
#include <optional>
#include <utility>

#include "base/platform.h"
#include "cli/commands.h"
#include "cli/file_report.h"
#include "cli/fits.h"
#include "cli/hub_options.h"
#include "cli/model_store.h"
#include "cli/progress.h"
#include "hub/official.h"
#include "hub/tree.h"

namespace skein::cli {
namespace {

std::string size_text(uint64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

// A line of any of the lists.
struct Row {
  std::string name;   // what it can be called
  std::string title;  // what it is
  std::string types;  // of its tensors
  std::string file;   // its path here, or where the hub has it
  uint64_t bytes = 0;
  std::optional<uint64_t> needs;  // memory, if it can be said
  bool here = false;
};

// "BF16", "F32, Q8_0": those with the most bytes first.
std::string types_of(const FileReport& report) {
  std::vector<std::pair<int64_t, std::string>> types;
  for (const auto& [name, share] : report.by_dtype) types.emplace_back(-share.bytes, name);
  std::sort(types.begin(), types.end());
  std::string out;
  constexpr size_t kMost = 2;
  for (size_t i = 0; i < std::min(kMost, types.size()); ++i)
    out += (i == 0 ? "" : ", ") + types[i].second;
  return types.size() > kMost ? out + ", ..." : out;
}

std::vector<Row> rows_here() {
  std::vector<Row> out;
  for (const StoredModel& model : stored_models()) {
    Row row;
    row.name = model.name;
    row.file = model.path.string();
    row.here = true;
    if (const auto report = report_file(model.path, false, {})) {
      row.title = report->title;
      row.types = types_of(*report);
      row.bytes = report->file_bytes;
      if (report->model) row.needs = static_cast<uint64_t>(report->model->memory.peak());
      if (report->obstacle) row.title += " (cannot run; skein inspect says why)";
    } else {
      row.title = "cannot be read; skein inspect says why";
    }
    out.push_back(std::move(row));
  }
  return out;
}

std::vector<Row> official_rows() {
  std::vector<Row> out;
  const std::vector<StoredModel> here = stored_models();
  for (const hub::OfficialModel& model : hub::official_models()) {
    Row row;
    row.name = model.name;
    row.title = model.is_line() ? fmt::format("the newest of {}", model.repo)
                                : fmt::format("{}/{}", model.repo, model.file);
    row.file = fmt::format("hf:{}/{}", model.repo, model.file);
    row.bytes = model.bytes;
    row.needs = memory_for_file(model.bytes);
    row.here = std::any_of(here.begin(), here.end(), [&](const StoredModel& one) {
      return hub::is_file_of(model, one.path.filename().string());
    });
    out.push_back(std::move(row));
  }
  return out;
}

class List final : public Command {
 public:
  void declare(Options& options) override {
    options
        .argument("REPOSITORY", repository_,
                  "with --remote: of the hub, as hf:user/repository, in place of the table")
        .optional();
    options.section("Options");
    options.flag("--remote", remote_, "what can be fetched, and not what is here")
        .unset_elsewhere();
    options.flag("--fits", fits_, "only what fits the memory of this machine").unset_elsewhere();
    hub_.declare(options);
  }

  int run(Console& console) override {
    auto rows = find();
    if (!rows) return console.error(rows.error());
    if (fits_)
      std::erase_if(*rows, [](const Row& row) {
        return !row.needs || room_for(*row.needs) == Room::too_little;
      });
    if (console.json())
      print_json(console, *rows);
    else
      print(console, *rows);
    return kFine;
  }

 private:
  Result<std::vector<Row>> find() const {
    if (!repository_.empty() && !remote_)
      return fail(Code::argument, "{}: what a repository has is listed with --remote",
                  escaped(repository_, 100));
    if (!remote_) return rows_here();
    return repository_.empty() ? official_rows() : repository_rows();
  }

  Result<std::vector<Row>> repository_rows() const {
    std::string_view name = repository_;
    if (name.starts_with("hf:")) name.remove_prefix(3);
    SK_TRY(const hub::Repository repository, hub::repository(name));
    SK_TRY(hub::Http http, hub_.open());
    SK_TRY(const std::string token, hub_.token());
    SK_TRY(const auto files, hub::model_files(http, hub_.endpoint(), repository, token));
    const std::vector<StoredModel> here = stored_models();
    std::vector<Row> out;
    for (const hub::RemoteFile& file : files) {
      Row row;
      row.name = fmt::format("hf:{}/{}", repository.name, escaped(file.path));
      if (repository.revision != "main") row.name += "@" + repository.revision;
      row.file = row.name;
      row.bytes = file.bytes;
      row.needs = memory_for_file(file.bytes);
      const std::string last = std::filesystem::path(file.path).filename().string();
      row.here = std::any_of(here.begin(), here.end(),
                             [&](const StoredModel& one) { return one.path.filename() == last; });
      out.push_back(std::move(row));
    }
    return out;
  }

  void print(Console& console, const std::vector<Row>& rows) const {
    size_t widest = 4, types = 0;
    for (const Row& row : rows) {
      widest = std::max(widest, row.name.size());
      types = std::max(types, row.types.size());
    }
    if (!rows.empty())
      console.line(console.styled(
          Style::dim, fmt::format("{:<{}}  {:>8}  {:>8}", "name", widest, "size", "memory")));
    for (const Row& row : rows) {
      std::string line = fmt::format("{:<{}}  {:>8}  {:>8}  {:<9}", escaped(row.name), widest,
                                     row.bytes ? size_text(row.bytes) : "?",
                                     row.needs ? size_text(*row.needs) : "",
                                     row.needs ? room_name(room_for(*row.needs)) : "");
      if (types > 0) line += fmt::format("  {:<{}}", row.types, types);
      if (remote_) line += row.here ? "  here" : "      ";
      line += "  " + (console.verbose() ? escaped(row.file) : row.title);
      console.line(line.substr(0, line.find_last_not_of(' ') + 1));
    }
    if (!remote_) print_unfinished(console);
    if (rows.empty())
      console.note(remote_ ? "nothing that fits"
                   : fits_ ? "nothing here fits"
                           : "no models here; `skein list --remote` shows what can be fetched");
    else if (const uint64_t total = memory_total(); total > 0)
      console.note(
          fmt::format("{} of memory, {} free", size_text(total), size_text(memory_available())));
  }

  static void print_unfinished(Console& console) {
    for (const UnfinishedModel& one : unfinished_models()) {
      const hub::OfficialModel* official = hub::official_of(one.file_name);
      console.line(fmt::format("{}: unfinished, {} are here",
                               official ? std::string(official->name) : escaped(one.file_name),
                               size_text(one.bytes)));
    }
  }

  void print_json(Console& console, const std::vector<Row>& rows) const {
    JsonWriter json;
    json.begin_object().key("models").begin_array();
    for (const Row& row : rows) {
      json.begin_object().member("name", row.name).member("file", row.file);
      if (!remote_) json.member("title", row.title).member("types", row.types);
      json.member("bytes", row.bytes).member("here", row.here);
      if (row.needs)
        json.member("memory", *row.needs).member("fits", room_for(*row.needs) != Room::too_little);
      json.end_object();
    }
    json.end_array();
    if (!remote_) {
      json.key("unfinished").begin_array();
      for (const UnfinishedModel& one : unfinished_models())
        json.begin_object()
            .member("name", one.file_name)
            .member("file", one.path.string())
            .member("bytes", one.bytes)
            .end_object();
      json.end_array();
    }
    json.member("memory_total", memory_total()).member("memory_free", memory_available());
    console.object(json.end_object());
  }

  std::string repository_;
  bool remote_ = false, fits_ = false;
  HubOptions hub_;
};

}  // namespace

CommandPtr make_list() { return std::make_unique<List>(); }

}  // namespace skein::cli
