#include "cli/fetching.h"

#include <optional>
#include <utility>

#include "base/file.h"
#include "base/part_file.h"
#include "base/platform.h"
#include "cli/file_report.h"
#include "cli/fits.h"
#include "cli/folders.h"
#include "cli/interrupt.h"
#include "cli/model_store.h"
#include "cli/progress.h"

namespace skein::cli {
namespace {

namespace fs = std::filesystem;

std::string size_text(uint64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

Result<std::string> checksum_of(Console& console, const fs::path& path, hub::Checksum::Kind kind) {
  SK_TRY(const File file, File::map(path));
  const auto bytes = file.bytes();
  hub::Checksum sum(kind, bytes.size());
  Progress progress(console, "comparing", Progress::Unit::bytes);
  constexpr size_t kPiece = 4 * 1024 * 1024;
  for (size_t at = 0; at < bytes.size(); at += kPiece) {
    if (interrupt::requested()) return fail(Code::io, "interrupted");
    const auto piece = bytes.subspan(at, std::min(kPiece, bytes.size() - at));
    sum.update(piece);
    file.drop(piece);
    progress.update(static_cast<int64_t>(at), static_cast<int64_t>(bytes.size()));
  }
  if (!file.intact())
    return fail(Code::io, "{}: became shorter while it was read", escaped(path.string()));
  return sum.finish();
}

// Whether the file that is there already is the one that is asked for. Error: argument (it is not,
// and nobody said that it may be replaced).
Result<bool> is_there(Console& console, const hub::Remote& remote, const fs::path& target,
                      bool force) {
  std::error_code ignored;
  if (!fs::exists(target, ignored)) return false;
  const std::string name = escaped(target.string());
  if (remote.kind() != hub::Checksum::Kind::none) {
    SK_TRY(const std::string sum, checksum_of(console, target, remote.kind()));
    if (sum == remote.checksum) return true;
  }
  if (force) return false;
  return fail(Code::argument, "{} is there already{}; -f replaces it, --as NAME keeps both", name,
              remote.checksum.empty() ? "" : " and is another file");
}

// The folder, or where it would be made.
fs::path nearest(fs::path folder) {
  std::error_code ignored;
  while (!fs::exists(folder, ignored) && folder.has_relative_path()) folder = folder.parent_path();
  return folder.empty() ? fs::path(".") : folder;
}

Status make(const fs::path& folder) {
  // The folder's own parent is the data folder, which may be new too.
  if (make_folder(folder.parent_path()) && make_folder(folder)) return {};
  return fail(Code::io, "{}: the folder cannot be made", escaped(folder.string()));
}

void tell_needs(Console& console, const hub::Source& source, const hub::Remote& remote,
                const fs::path& folder, bool is_model) {
  std::string line = fmt::format("{} from {}: {}", escaped(source.file_name), source.shown(),
                                 remote.bytes ? size_text(*remote.bytes) : "nobody says how large");
  std::error_code error;
  const fs::space_info space = fs::space(nearest(folder), error);
  if (!error) line += fmt::format("; {} free on the disk", size_text(space.available));
  console.note(line);
  if (!is_model || !remote.bytes || memory_available() == 0) return;
  console.note(fmt::format("to run it takes about {} of memory; {} free",
                           size_text(memory_for_file(*remote.bytes)),
                           size_text(memory_available())));
  if (room_for(memory_for_file(*remote.bytes)) == Room::too_little)
    console.warn(
        "as it is it will not fit the memory of this machine; `skein quantize` makes it smaller");
}

// A page that says that something is missing comes with no error where a server is careless.
Status check_content(const PartFile& part, const hub::Source& source) {
  const auto report = report_file(part.path(), false, {});
  if (report || report.error().code == Code::memory) return {};
  return fail(report.error().code, "{}: what came is no model: {}", source.shown(),
              report.error().message);
}

// How far it is, and what is left when it fails.
class Watch {
 public:
  explicit Watch(Console& console) : console_(console) {}

  hub::DownloadEvents events() {
    hub::DownloadEvents out;
    out.checking = [this](uint64_t done, uint64_t total) {
      show("checking what is here", 0, done, total);
      if (done == total) progress_.reset();
    };
    out.fetching = [this](uint64_t done, std::optional<uint64_t> total, uint64_t before) {
      show("fetching", before, done, total.value_or(0));
    };
    out.says = [this](const std::string& sentence) { console_.note(sentence); };
    out.keeps = [this](uint64_t bytes) { kept_ = bytes; };
    return out;
  }

  tl::unexpected<Error> failure(Error error, const hub::Remote& remote) {
    progress_.reset();
    if (kept_ == 0) return tl::unexpected(std::move(error));
    const std::string much =
        remote.bytes ? size_text(kept_) + " of " + size_text(*remote.bytes) : size_text(kept_);
    const std::string rest = much + " are kept, and the same command goes on with them";
    if (interrupt::requested())
      console_.note(rest);
    else
      error.message += "; " + rest;
    return tl::unexpected(std::move(error));
  }

 private:
  void show(const char* label, uint64_t before, uint64_t done, uint64_t total) {
    if (!progress_)
      progress_.emplace(console_, label, Progress::Unit::bytes, static_cast<int64_t>(before));
    progress_->update(static_cast<int64_t>(done), static_cast<int64_t>(total));
  }

  Console& console_;
  std::optional<Progress> progress_;
  uint64_t kept_ = 0;
};

}  // namespace

Result<Fetched> fetch_file(Console& console, hub::Http& http, const hub::Source& source,
                           const fs::path& target, const FetchOptions& options) {
  const interrupt::Scope scope;
  SK_TRY(const hub::Remote remote, hub::ask(http, source, options.token));
  Fetched out{Fetched::What::looked, target, remote.bytes.value_or(0), remote.checksum};
  SK_TRY(const bool there, is_there(console, remote, target, options.force));
  if (there) {
    out.what = Fetched::What::was_there;
    remove_unfinished(target);
    return out;
  }
  tell_needs(console, source, remote, target.parent_path(), options.is_model);
  if (remote.kind() == hub::Checksum::Kind::none)
    console.warn(source.shown() + " states no checksum, so only the size can be compared");
  if (options.only_look) return out;

  SK_TRY_STATUS(make(target.parent_path()));
  Watch watch(console);
  auto part =
      hub::fetch(http, source, remote, target, options.token, options.tries, watch.events());
  if (!part) return watch.failure(std::move(part).error(), remote);
  out.what = Fetched::What::came;
  out.bytes = part->size();
  if (options.is_model && remote.kind() == hub::Checksum::Kind::none) {
    if (auto status = check_content(*part, source); !status) {
      // A disk that cannot be read says nothing of what came.
      if (status.error().code != Code::io) part->remove();
      return tl::unexpected(std::move(status).error());
    }
  }
  SK_TRY_STATUS(part->commit(options.force));
  remove_unfinished(target);
  return out;
}

}  // namespace skein::cli
