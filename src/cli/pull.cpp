// skein pull: models and vocabularies from the Hugging Face hub, a mirror of it, or an address.
#include <algorithm>
#include <utility>

#include "base/data_folders.h"
#include "cli/commands.h"
#include "cli/fetching.h"
#include "cli/file_report.h"
#include "cli/hub_options.h"
#include "cli/model_store.h"
#include "cli/progress.h"
#include "cli/suggest.h"
#include "hub/official.h"
#include "hub/tree.h"
#include "hub/vocabularies.h"
#include "io/model_endings.h"

namespace skein::cli {
namespace {

namespace fs = std::filesystem;

class Pull final : public Command {
 public:
  void declare(Options& options) override {
    std::vector<std::string> names;
    for (const hub::OfficialModel& model : hub::official_models()) names.emplace_back(model.name);
    for (const hub::Vocabulary& one : hub::vocabularies()) names.emplace_back(one.name);
    options
        .argument(
            "NAME", names_,
            "a name of `skein list --remote`, hf:user/repository/file[@revision], an address, "
            "or vocab or vocab-20b for a vocabulary")
        .offer(std::move(names));
    options.section("Options");
    options.value("--as", as_, "NAME", "what the file is called here").unset_elsewhere();
    options.flag("-f,--force", force_, "replace a file that is there already and is another");
    options.flag("--dry-run", dry_run_, "say what would be fetched, and stop").unset_elsewhere();
    options.section("The connection");
    hub_.declare(options);
    options
        .value("--tries", tries_, "N",
               "how often a connection may fail in a row before it is enough")
        .range(1, 100);
  }

  int run(Console& console) override {
    auto status = check();
    if (status) status = pull_all(console);
    const auto files = [this](JsonWriter& json) { report(json); };
    if (!status) return console.error(status.error(), files);
    if (!console.json()) return kFine;
    JsonWriter json;
    json.begin_object();
    files(json);
    console.object(json.end_object());
    return kFine;
  }

 private:
  Status check() const {
    if (!as_.empty() && names_.size() > 1)
      return fail(Code::argument, "--as is for one file, and {} are asked for", names_.size());
    if (as_.empty()) return {};
    if (hub::find_vocabulary(names_[0]))
      return fail(Code::argument,
                  "{}: models look for a vocabulary by its own name, so --as is not for it",
                  names_[0]);
    return hub::check_file_name(as_);
  }

  Status pull_all(Console& console) {
    SK_TRY(hub::Http http, hub_.open());
    for (const std::string& name : names_) {
      if (const hub::Vocabulary* vocabulary = hub::find_vocabulary(name)) {
        SK_TRY_STATUS(pull_vocabulary(console, http, *vocabulary));
        continue;
      }
      SK_TRY(hub::Source source, source_of(http, name));
      SK_TRY_STATUS(name_file(source, name));
      SK_TRY_STATUS(pull_model(console, http, source));
    }
    return {};
  }

  // What a name stands for.
  Result<hub::Source> source_of(hub::Http& http, const std::string& name) const {
    constexpr std::string_view kHubMark = "hf:";
    if (name.starts_with(kHubMark)) {
      const std::string_view rest = std::string_view(name).substr(kHubMark.size());
      if (std::count(rest.begin(), rest.end(), '/') == 1) return unnamed_file(http, rest);
      return hub::hub_file(hub_.endpoint(), rest);
    }
    if (name.find("://") != std::string::npos) return hub::at_address(name);
    if (const hub::OfficialModel* model = hub::find_official(name)) return official(http, *model);
    std::vector<std::string> known;
    for (const hub::OfficialModel& model : hub::official_models()) known.emplace_back(model.name);
    const std::string hint = did_you_mean(name, known);
    if (hint.empty() && std::count(name.begin(), name.end(), '/') >= 2)
      return fail(Code::argument, "{0}: no such name; did you mean hf:{0}?", escaped(name, 200));
    return fail(Code::argument, "{}: no such name{}", escaped(name, 100),
                hint.empty() ? "; `skein list --remote` shows them" : hint);
  }

  // What the file is called here: it has to be found by its ending again.
  Status name_file(hub::Source& source, const std::string& name) const {
    const std::string_view there =
        source.path.empty() ? std::string_view(source.url).substr(0, source.url.find('?'))
                            : std::string_view(source.path);
    if (as_.empty() && source.file_name.empty())
      return fail(Code::argument,
                  "{}: names no file that could be called so here; --as says what to call it",
                  escaped(name, 200));
    if (!as_.empty()) source.file_name = as_;
    if (!io::model_ending(source.file_name).empty()) return {};
    if (!as_.empty()) source.file_name += io::model_ending(there);
    if (!io::model_ending(source.file_name).empty()) return hub::check_file_name(source.file_name);
    std::string known;
    for (const std::string_view ending : io::kModelEndings)
      known += (known.empty() ? "" : ", ") + std::string(ending);
    return fail(Code::argument,
                "{}: does not end like a model ({}); --as NAME says what to call it",
                escaped(source.file_name, 200), known);
  }

  Result<hub::Source> official(hub::Http& http, const hub::OfficialModel& model) const {
    std::string file(model.file);
    if (model.is_line()) {
      // Without a list, as of a simple mirror, the newest that was known here.
      SK_TRY(const std::string token, hub_.token());
      const std::string repo(model.repo);
      if (const auto files = hub::model_files(http, hub_.endpoint(), {repo, "main"}, token)) {
        std::vector<std::string> names;
        for (const hub::RemoteFile& one : *files) names.push_back(one.path);
        if (std::string newest = hub::newest_of(model, names); !newest.empty())
          file = std::move(newest);
      } else if (files.error().code != Code::network) {
        return tl::unexpected(files.error());
      }
    }
    SK_TRY(hub::Source source, hub::hub_file(hub_.endpoint(), model.repo, "main", file));
    source.sha256 = model.sha256;
    if (!model.is_line()) source.bytes = model.bytes;
    return source;
  }

  // hf:user/repository: what it has is told.
  Result<hub::Source> unnamed_file(hub::Http& http, std::string_view name) const {
    SK_TRY(const hub::Repository repository, hub::repository(name));
    SK_TRY(const std::string token, hub_.token());
    SK_TRY(const auto files, hub::model_files(http, hub_.endpoint(), repository, token));
    if (files.empty())
      return fail(Code::argument, "hf:{} has no file that ends like a model's", repository.name);
    return fail(Code::argument,
                "hf:{0} is a repository; name a file of it, such as hf:{0}/{1} "
                "(`skein list --remote hf:{0}` shows all {2})",
                repository.name, escaped(files[0].path), files.size());
  }

  // The token is for the hub that it was meant for.
  Result<FetchOptions> options_for(const hub::Source& source) const {
    FetchOptions options;
    if (source.endpoint == hub_.endpoint()) {
      SK_TRY(options.token, hub_.token());
    }
    options.tries = static_cast<int>(tries_);
    options.force = force_;
    options.only_look = dry_run_;
    return options;
  }

  Status pull_model(Console& console, hub::Http& http, const hub::Source& source) {
    SK_TRY(const fs::path folder, own_models_folder());
    SK_TRY(const FetchOptions options, options_for(source));
    const std::string& name = source.file_name;
    SK_TRY(const Fetched fetched, fetch_file(console, http, source, folder / name, options));
    done_.push_back(fetched);
    if (fetched.what == Fetched::What::looked) {
      console.note("a vocabulary that it needs and that is not here yet would come too");
      return {};
    }
    const auto report = report_file(fetched.path, false, {});
    tell(console, fetched, report ? report->title : std::string());
    if (!report) {
      console.warn("it cannot be read: " + report.error().message);
      return {};
    }
    if (report->obstacle) console.warn(report->obstacle->message);
    if (!report->model) return {};
    if (!report->tokenizer_problem.empty())
      if (const auto* vocabulary = hub::vocabulary_of(report->model->info.dimensions.vocab))
        SK_TRY_STATUS(pull_vocabulary(console, http, *vocabulary));
    const hub::OfficialModel* official = hub::official_of(name);
    console.note(fmt::format("try: skein run {}", official ? std::string(official->name) : name));
    return {};
  }

  Status pull_vocabulary(Console& console, hub::Http& http, const hub::Vocabulary& vocabulary) {
    const fs::path data = own_data_folder();
    if (data.empty())
      return fail(Code::io, "neither HOME nor SKEIN_HOME says in which folder vocabularies lie");
    SK_TRY(const auto sources, hub::sources(vocabulary, hub_.endpoint()));
    Status last;
    for (const hub::Source& source : sources) {
      SK_TRY(FetchOptions options, options_for(source));
      options.is_model = false;
      const auto fetched =
          fetch_file(console, http, source, data / "vocab" / hub::file_name(vocabulary), options);
      if (fetched) {
        done_.push_back(*fetched);
        tell(console, *fetched, fmt::format("the {} vocabulary", vocabulary.title));
        return {};
      }
      last = tl::unexpected(fetched.error());
      if (fetched.error().code != Code::network) break;
      if (&source != &sources.back()) console.detail(fetched.error().message);
    }
    return last;
  }

  static void tell(Console& console, const Fetched& fetched, const std::string& title) {
    if (console.json() || fetched.what == Fetched::What::looked) return;
    std::string line = escaped(fetched.path.string());
    if (!title.empty()) line += ": " + title;
    line += ", " + bytes_text(static_cast<double>(fetched.bytes));
    const auto kind = hub::Checksum::kind_of(fetched.checksum);
    if (fetched.what == Fetched::What::was_there)
      line += ", was there already and is the same";
    else if (kind != hub::Checksum::Kind::none)
      line += fmt::format(", {} right", hub::Checksum::name_of(kind));
    console.line(line);
  }

  void report(JsonWriter& json) const {
    json.key("files").begin_array();
    for (const Fetched& one : done_) {
      json.begin_object().member("file", one.path.string()).member("bytes", one.bytes);
      json.member("checksum", one.checksum);
      json.member("outcome", one.what == Fetched::What::came        ? "fetched"
                             : one.what == Fetched::What::was_there ? "was there"
                                                                    : "not fetched");
      json.end_object();
    }
    json.end_array();
  }

  std::vector<std::string> names_;
  std::string as_;
  bool force_ = false, dry_run_ = false;
  int64_t tries_ = 5;
  HubOptions hub_;
  std::vector<Fetched> done_;
};

}  // namespace

CommandPtr make_pull() { return std::make_unique<Pull>(); }

}  // namespace skein::cli
