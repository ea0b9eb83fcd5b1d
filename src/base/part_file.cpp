#include "base/part_file.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>

#include "base/platform.h"

namespace skein {
namespace {

constexpr std::string_view kEnding = ".part";
constexpr size_t kTag = 16;
constexpr int kAttempts = 100;  // at a part that others take away meanwhile

bool is_tag(std::string_view text) {
  return text.size() == kTag &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::optional<std::string_view> target_of_part(std::string_view name) {
  if (!name.ends_with(kEnding)) return std::nullopt;
  name.remove_suffix(kEnding.size());
  const size_t dot = name.rfind('.');
  if (dot != std::string_view::npos && is_tag(name.substr(dot + 1))) name = name.substr(0, dot);
  if (name.empty()) return std::nullopt;
  return name;
}

Result<uint64_t> remove_part(const std::filesystem::path& part) {
  const auto failed = [&](const char* what) {
    return fail(Code::io, "{}: {}: {}", escaped(part.string()), what, std::strerror(errno));
  };
  // Opened as who fetches it opens it, whose lock we have to get.
  const Descriptor file(::open(part.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
  struct stat here {
  }, there{};
  if (!file || ::fstat(file.get(), &here) != 0) return failed("cannot be removed");
  if (!S_ISREG(here.st_mode)) return fail(Code::io, "{}: is no file", escaped(part.string()));
  if (::flock(file.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK)
    return fail(Code::io, "{}: another process is fetching it", escaped(part.string()));
  // Whoever had it may have put it in its place or begun anew between our two calls.
  if (::lstat(part.c_str(), &there) != 0 || there.st_dev != here.st_dev ||
      there.st_ino != here.st_ino)
    return fail(Code::io, "{}: another process has just taken it away", escaped(part.string()));
  if (::unlink(part.c_str()) != 0) return failed("cannot be removed");
  return static_cast<uint64_t>(here.st_size);
}

Result<PartFile> PartFile::open(const std::filesystem::path& target, std::string_view tag) {
  SK_TRY(OutputPlace place, find_output(target));
  if (place.kind != OutputPlace::Kind::file)
    return fail(Code::io, "{}: is no place for a file", escaped(target.string()));
  std::string name = place.name;
  if (!tag.empty()) name += "." + std::string(tag.substr(0, kTag));
  name += kEnding;
  const std::filesystem::path path = place.path.parent_path() / name;
  PartFile out(path, std::move(place), std::move(name));
  SK_TRY_STATUS(out.lock());
  return out;
}

PartFile::~PartFile() {
  if (file_ && size_ == 0) remove();
}

tl::unexpected<Error> PartFile::error(const char* what) const {
  return fail(Code::io, "{}: {}: {}", escaped(path_.string()), what, std::strerror(errno));
}

Status PartFile::lock() {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    file_ = Descriptor(::openat(place_.folder.get(), name_.c_str(),
                                O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0666));
    if (!file_) return error("cannot be written");
    struct stat here {
    }, there{};
    if (::fstat(file_.get(), &here) != 0) return error("cannot be read");
    if (!S_ISREG(here.st_mode)) return fail(Code::io, "{}: is no file", escaped(path_.string()));
    // A file system that knows no locks is no reason not to begin.
    if (::flock(file_.get(), LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
      file_ = Descriptor();
      return fail(Code::io, "{}: another process is fetching it", escaped(path_.string()));
    }
    // Whoever had it may have renamed or removed it between our two calls.
    if (::fstatat(place_.folder.get(), name_.c_str(), &there, AT_SYMLINK_NOFOLLOW) != 0 ||
        there.st_dev != here.st_dev || there.st_ino != here.st_ino)
      continue;
    if (::fstat(file_.get(), &here) != 0) return error("cannot be read");
    size_ = static_cast<uint64_t>(here.st_size);
    return {};
  }
  return fail(Code::io, "{}: others take it away again and again", escaped(path_.string()));
}

std::optional<uint64_t> PartFile::room() const { return disk_available(file_.get()); }

Status PartFile::read(const std::function<bool(std::span<const std::byte>)>& take) const {
  std::array<std::byte, 256 * 1024> block;
  for (uint64_t at = 0; at < size_;) {
    const size_t want = static_cast<size_t>(std::min<uint64_t>(block.size(), size_ - at));
    const ssize_t got = ::pread(file_.get(), block.data(), want, static_cast<off_t>(at));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return error("cannot be read");
    if (got == 0)
      return fail(Code::io, "{}: became shorter while it was read", escaped(path_.string()));
    at += static_cast<uint64_t>(got);
    if (!take(std::span(block).first(static_cast<size_t>(got)))) break;
  }
  return {};
}

Status PartFile::append(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t put = ::write(file_.get(), bytes.data(), bytes.size());
    if (put < 0 && errno == EINTR) continue;
    if (put == 0) errno = ENOSPC;
    if (put <= 0) return error("cannot be written");
    size_ += static_cast<uint64_t>(put);
    bytes = bytes.subspan(static_cast<size_t>(put));
  }
  return {};
}

Status PartFile::restart() {
  if (::ftruncate(file_.get(), 0) != 0) return error("cannot be written");
  size_ = 0;
  return {};
}

Status PartFile::commit(bool replace) {
  while (::fsync(file_.get()) != 0)
    if (errno != EINTR) return error("cannot be written");
  const int folder = place_.folder.get();
  const char *from = name_.c_str(), *to = place_.name.c_str();
  if (replace) {
    if (::renameat(folder, from, folder, to) != 0) return error("cannot be put in its place");
  } else if (::renameat2(folder, from, folder, to, RENAME_NOREPLACE) != 0) {
    // Some file systems cannot promise it.
    const bool unable = errno == EINVAL || errno == ENOSYS;
    if (!unable) return error("cannot be put in its place");
    if (::faccessat(folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0) errno = EEXIST;
    if (errno == EEXIST || ::renameat(folder, from, folder, to) != 0)
      return error("cannot be put in its place");
  }
  file_ = Descriptor();
  const Descriptor synced(::openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (synced) ::fsync(synced.get());  // best effort: makes the rename survive a power cut
  return {};
}

void PartFile::remove() {
  if (file_) ::unlinkat(place_.folder.get(), name_.c_str(), 0);
  file_ = Descriptor();
  size_ = 0;
}

}  // namespace skein
