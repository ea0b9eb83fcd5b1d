#include "base/file_writer.h"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <climits>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/file.h"
#include "base/inputs.h"
#include "base/interruption.h"
#include "base/mapping_guard.h"
#include "base/platform.h"
#include "base/signals_held.h"

namespace skein {
namespace {

// Small pieces are gathered up to here; a call of write() for each record would cost more than the
// record.
constexpr size_t kBuffer = size_t{1} << 20;
constexpr mode_t kPermissions = 0777;
constexpr int kAttempts = 100;  // at a name that nobody else has, at a file that is being cut

std::string shown(const std::filesystem::path& path) { return escaped(path.string()); }

// What a mapped file has lost cannot be read by the system; when we read it, it becomes zeros and
// File::intact() false, which tells the reader of that file what is wrong.
void touch(std::span<const std::byte> part) {
  constexpr size_t kPage = 4096;
  const volatile std::byte* bytes = part.data();
  for (size_t at = 0; at < part.size(); at += kPage) (void)bytes[at];
  if (!part.empty()) (void)bytes[part.size() - 1];
}

// A reader that goes away is an error to us and would end a program that does not know of SIGPIPE.
class NoSigpipe {
 public:
  NoSigpipe() {
    sigset_t pending;
    sigemptyset(&pipe_);
    sigaddset(&pipe_, SIGPIPE);
    if (::sigpending(&pending) != 0 || sigismember(&pending, SIGPIPE) == 1) return;
    blocked_ = ::pthread_sigmask(SIG_BLOCK, &pipe_, &before_) == 0;
  }
  ~NoSigpipe() {
    if (!blocked_) return;
    const int kept_errno = errno;
    const timespec now{};
    while (::sigtimedwait(&pipe_, nullptr, &now) < 0 && errno == EINTR) {
    }
    ::pthread_sigmask(SIG_SETMASK, &before_, nullptr);
    errno = kept_errno;
  }
  NoSigpipe(const NoSigpipe&) = delete;
  NoSigpipe& operator=(const NoSigpipe&) = delete;

 private:
  sigset_t pipe_, before_;
  bool blocked_ = false;
};

// 0 when all was written, otherwise errno.
int write_all(int fd, std::span<const std::byte> part, const uint64_t* at, bool stream) {
  std::optional<NoSigpipe> quiet;
  if (stream) quiet.emplace();
  size_t done = 0;
  int touched = 0;  // a file may be cut again and again
  while (done < part.size()) {
    const ssize_t put =
        at ? ::pwrite(fd, part.data() + done, part.size() - done, static_cast<off_t>(*at + done))
           : ::write(fd, part.data() + done, part.size() - done);
    if (put < 0 && errno == EFAULT && touched++ < kAttempts) {
      touch(part);
      continue;
    }
    // Nobody may read the pipe: then the program's signal has to be able to end this.
    if (put < 0 && errno == EINTR && !(stream && interruption_asked())) continue;
    if (put < 0 && errno == EAGAIN && stream) {
      pollfd ready = {.fd = fd, .events = POLLOUT, .revents = 0};
      if (::poll(&ready, 1, -1) < 0 && (errno != EINTR || interruption_asked())) return errno;
      continue;
    }
    if (put <= 0) return put < 0 ? errno : ENOSPC;
    done += static_cast<size_t>(put);
  }
  return 0;
}

// A name beside `name` that is not longer than the file system allows: "model.gguf.k3x9ab".
std::string name_beside(int folder, const std::string& name) {
  constexpr char kLetters[] = "abcdefghijklmnopqrstuvwxyz234567";
  unsigned char random[8] = {};
  (void)!::getrandom(random, sizeof random, 0);
  std::string ending = ".";
  for (const unsigned char byte : random) ending += kLetters[byte % 32];
  struct statvfs disk {};
  const size_t limit = ::fstatvfs(folder, &disk) == 0 && disk.f_namemax > 0
                           ? std::min<size_t>(disk.f_namemax, NAME_MAX)
                           : NAME_MAX;
  size_t kept = std::min(name.size(), limit - std::min(limit, ending.size()));
  // Not in the middle of a character: some file systems take nothing but whole ones.
  while (kept > 0 && kept < name.size() && (name[kept] & 0xC0) == 0x80) --kept;
  return name.substr(0, kept) + ending;
}

// The name by which a file without one can be given one. A link into a folder wants no privilege
// then.
std::string descriptor_link(int fd) { return fmt::format("/proc/self/fd/{}", fd); }

// Whether a file without a name can be given one in this folder later. Asked before the file is
// written, as afterwards is too late: an empty one tries it.
bool can_name_later(int folder, const std::string& name) {
  const Descriptor probe(::openat(folder, ".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
  if (!probe) return false;
  const std::string temporary = name_beside(folder, name);
  const SignalsHeld held;
  if (::linkat(AT_FDCWD, descriptor_link(probe.get()).c_str(), folder, temporary.c_str(),
               AT_SYMLINK_FOLLOW) != 0)
    return false;
  return ::unlinkat(folder, temporary.c_str(), 0) == 0;
}

}  // namespace

FileWriter::FileWriter(std::filesystem::path path, OutputPlace place, const OutputOptions& options)
    : path_(std::move(path)), place_(std::move(place)), options_(options) {}

FileWriter::~FileWriter() {
  if (place_.folder && !temporary_.empty()) ::unlinkat(place_.folder.get(), temporary_.c_str(), 0);
}

tl::unexpected<Error> FileWriter::error(const char* what) const {
  if (is_stream() && errno == EINTR) return fail(Code::io, "{}: interrupted", shown(path_));
  if (errno == EFAULT)  // a page of a mapped source that is not there any more
    return fail(Code::io, "{}: what is read became shorter; nothing was changed", shown(path_));
  return fail(Code::io, "{}: {}: {}; {}", shown(path_), what, std::strerror(errno),
              is_stream() ? "what came before is incomplete" : "nothing was changed");
}

Result<FileWriter> FileWriter::create(const std::filesystem::path& path,
                                      const OutputOptions& options) {
  SK_TRY(OutputPlace place, find_output(path));
  FileWriter out(path, std::move(place), options);
  if (out.is_stream()) {
    SK_TRY_STATUS(out.check_inputs());
    SK_TRY(out.file_, open_stream(out.place_, path));
    return out;
  }
  SK_TRY_STATUS(out.check_existing());
  SK_TRY_STATUS(out.check_space());
  SK_TRY_STATUS(out.open());
  return out;
}

Status FileWriter::check_existing() const {
  if (!place_.info) return {};
  const struct stat& old = *place_.info;
  if (options_.existing == Existing::keep)
    return fail(Code::io, "{}: is there already", shown(path_));
  if (options_.spare_inputs) SK_TRY_STATUS(check_inputs());
  if (options_.existing == Existing::replace) {
    if ((old.st_mode & 0222) == 0 ||
        ::faccessat(place_.folder.get(), place_.name.c_str(), W_OK, AT_EACCESS) != 0)
      return fail(Code::io, "{}: is write-protected; nothing was changed", shown(path_));
  }
  // A rename would be refused when all is written.
  struct stat folder {};
  if (::geteuid() != 0 && ::fstat(place_.folder.get(), &folder) == 0 &&
      (folder.st_mode & S_ISVTX) && folder.st_uid != ::geteuid() && old.st_uid != ::geteuid())
    return fail(Code::io, "{}: belongs to somebody else in a folder where that protects it",
                shown(path_));
  return {};
}

// A descriptor's file is written over while it is read.
Status FileWriter::check_inputs() const {
  if (!place_.info) return {};
  const dev_t device = place_.info->st_dev;
  const ino_t inode = place_.info->st_ino;
  if (is_mapped(device, inode) || is_input(device, inode))
    return fail(Code::io, "{}: is read here, and is not written over", shown(path_));
  return {};
}

Status FileWriter::check_space() const {
  const auto free = disk_available(place_.folder.get());
  if (!free || *free >= options_.bytes) return {};
  return fail(Code::io, "{}: needs {} bytes, and the disk has {} free; nothing was changed",
              shown(path_), options_.bytes, *free);
}

Status FileWriter::open() {
  if (!options_.named && can_name_later(place_.folder.get(), place_.name))
    file_ = Descriptor(
        ::openat(place_.folder.get(), ".", O_TMPFILE | O_RDWR | O_CLOEXEC, S_IRUSR | S_IWUSR));
  return file_ ? Status() : open_named();
}

Status FileWriter::open_named() {
  for (int attempt = 0; attempt < kAttempts; ++attempt) {
    std::string name = name_beside(place_.folder.get(), place_.name);
    const SignalsHeld held;
    file_ = Descriptor(::openat(place_.folder.get(), name.c_str(),
                                O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, S_IRUSR | S_IWUSR));
    if (!file_ && errno == EEXIST) continue;
    if (!file_) break;
    leftover_ = Leftover::file(place_.folder.get(), name);
    temporary_ = std::move(name);
    return {};
  }
  return fail(Code::io, "{}: cannot be written: {}", shown(path_), std::strerror(errno));
}

Status FileWriter::write(std::span<const std::byte> part, const uint64_t* at) {
  if (const int code = write_all(file_.get(), part, at, is_stream())) {
    errno = code;
    return error("cannot be written");
  }
  return {};
}

Status FileWriter::flush() {
  SK_TRY_STATUS(write(buffer_, nullptr));
  written_ += buffer_.size();
  buffer_.clear();
  return {};
}

Status FileWriter::append(std::span<const std::byte> part) {
  if (buffer_.size() + part.size() > kBuffer) SK_TRY_STATUS(flush());
  if (part.size() < kBuffer) {
    buffer_.insert(buffer_.end(), part.begin(), part.end());
    return {};
  }
  SK_TRY_STATUS(write(part, nullptr));
  written_ += part.size();
  return {};
}

Status FileWriter::replace(uint64_t at, std::span<const std::byte> part) {
  SK_CHECK(!is_stream());
  if (at >= written_ && at - written_ <= buffer_.size() &&
      part.size() <= buffer_.size() - (at - written_)) {
    std::memcpy(buffer_.data() + (at - written_), part.data(), part.size());
    return {};
  }
  SK_TRY_STATUS(flush());
  return write(part, &at);
}

// The owner and mode of the file that is replaced, as far as we may; of a new file those that
// open() would have given.
Status FileWriter::take_over_mode() {
  if (place_.info) {
    const struct stat& old = *place_.info;
    mode_t mode = old.st_mode & kPermissions;
    // Rights that were another group's are not handed to ours.
    if (::fchown(file_.get(), old.st_uid, old.st_gid) != 0 &&
        ::fchown(file_.get(), static_cast<uid_t>(-1), old.st_gid) != 0)
      mode &= ~static_cast<mode_t>(S_IRWXG);
    return ::fchmod(file_.get(), mode) == 0 ? Status() : error("cannot be written");
  }
  const mode_t mask = ::umask(0);
  ::umask(mask);
  return ::fchmod(file_.get(), options_.mode & ~mask) == 0 ? Status() : error("cannot be written");
}

// Gives a file without a name its last one, if nothing is there, or else one beside it.
Status FileWriter::name_it(bool may_replace) {
  const std::string from = descriptor_link(file_.get());
  const int folder = place_.folder.get();
  if (::linkat(AT_FDCWD, from.c_str(), folder, place_.name.c_str(), AT_SYMLINK_FOLLOW) == 0)
    return {};
  for (int attempt = 0; errno == EEXIST && may_replace && attempt < kAttempts; ++attempt) {
    std::string name = name_beside(folder, place_.name);
    const SignalsHeld held;
    errno = 0;
    if (::linkat(AT_FDCWD, from.c_str(), folder, name.c_str(), AT_SYMLINK_FOLLOW) != 0) continue;
    leftover_ = Leftover::file(folder, name);
    temporary_ = std::move(name);
    return {};
  }
  return error("cannot be put in its place");
}

Status FileWriter::put_in_place() {
  const bool may_replace = options_.existing != Existing::keep;
  if (temporary_.empty()) {
    SK_TRY_STATUS(name_it(may_replace));
    if (temporary_.empty()) return {};
  }
  const int folder = place_.folder.get();
  const char *from = temporary_.c_str(), *to = place_.name.c_str();
  if (may_replace) {
    // What came there since create() is not replaced if it is no file.
    struct stat now {};
    if (::fstatat(folder, to, &now, AT_SYMLINK_NOFOLLOW) == 0 && !S_ISREG(now.st_mode))
      return fail(Code::io, "{}: is not a regular file any more; nothing was changed",
                  shown(path_));
    return ::renameat(folder, from, folder, to) == 0 ? Status() : error("cannot be replaced");
  }
  if (::renameat2(folder, from, folder, to, RENAME_NOREPLACE) == 0) return {};
  // Some file systems cannot promise it; create() has looked, which is as good as they get.
  const bool unable = errno == EINVAL || errno == ENOSYS;
  if (!unable || ::faccessat(folder, to, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
      ::renameat(folder, from, folder, to) != 0)
    return error("cannot be put in its place");
  return {};
}

Status FileWriter::sync() {
  SK_TRY_STATUS(flush());
  while (!is_stream() && ::fsync(file_.get()) != 0)
    if (errno != EINTR) return error("cannot be written");
  return {};
}

Status FileWriter::commit() {
  SK_TRY_STATUS(sync());
  if (is_stream()) return {};
  SK_TRY_STATUS(take_over_mode());
  SK_TRY_STATUS(put_in_place());
  temporary_.clear();
  leftover_ = Leftover();
  const Descriptor folder(::openat(place_.folder.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (folder) ::fsync(folder.get());  // best effort: makes the rename survive a power cut
  return {};
}

Status write_file(const std::filesystem::path& path,
                  std::span<const std::span<const std::byte>> parts) {
  return write_file(path, parts, {});
}

Status write_file(const std::filesystem::path& path,
                  std::span<const std::span<const std::byte>> parts, const OutputOptions& options) {
  SK_TRY(FileWriter writer, FileWriter::create(path, options));
  for (const auto part : parts) SK_TRY_STATUS(writer.append(part));
  return writer.commit();
}

}  // namespace skein
