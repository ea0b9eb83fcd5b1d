#include "base/file_writer.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "base/file.h"

namespace skein {
namespace {

// Small pieces are gathered up to here; a call of write() for each record would cost more than the
// record.
constexpr size_t kBuffer = size_t{1} << 20;

std::string shown(const std::filesystem::path& path) { return escaped(path.string()); }

std::filesystem::path folder_of(const std::filesystem::path& path) {
  return path.has_parent_path() ? path.parent_path() : std::filesystem::path(".");
}

// 0 when all was written, otherwise errno.
int write_all(int fd, std::span<const std::byte> part, const uint64_t* at) {
  size_t done = 0;
  while (done < part.size()) {
    const ssize_t put =
        at ? ::pwrite(fd, part.data() + done, part.size() - done, static_cast<off_t>(*at + done))
           : ::write(fd, part.data() + done, part.size() - done);
    if (put < 0 && errno == EINTR) continue;
    if (put <= 0) return put < 0 ? errno : ENOSPC;
    done += static_cast<size_t>(put);
  }
  return 0;
}

}  // namespace

FileWriter::FileWriter(std::filesystem::path path, bool overwrite)
    : path_(std::move(path)), overwrite_(overwrite) {}

FileWriter::FileWriter(FileWriter&& other) noexcept
    : path_(std::move(other.path_)),
      overwrite_(other.overwrite_),
      temporary_(std::exchange(other.temporary_, {})),
      fd_(std::exchange(other.fd_, -1)),
      written_(other.written_),
      buffer_(std::move(other.buffer_)) {}

FileWriter::~FileWriter() {
  if (fd_ >= 0) ::close(fd_);
  if (!temporary_.empty()) ::unlink(temporary_.c_str());
}

tl::unexpected<Error> FileWriter::error(const char* what) const {
  return fail(Code::io, "{}: {}: {}; nothing was changed", shown(path_), what,
              std::strerror(errno));
}

Result<FileWriter> FileWriter::create(const std::filesystem::path& path, uint64_t bytes,
                                      bool overwrite) {
  // A rename would put a file in the place of a device or a socket.
  struct stat old {};
  if (::stat(path.c_str(), &old) == 0) {
    if (!S_ISREG(old.st_mode))
      return fail(Code::io, "{}: is not a regular file and cannot be replaced", shown(path));
    if (!overwrite) return fail(Code::io, "{}: is there already", shown(path));
  }
  struct statvfs disk {};
  if (::statvfs(folder_of(path).c_str(), &disk) == 0 && disk.f_blocks > 0) {
    const uint64_t free = uint64_t{disk.f_bavail} * disk.f_frsize;
    if (free < bytes)
      return fail(Code::io, "{}: needs {} bytes, and the disk has {} free; nothing was changed",
                  shown(path), bytes, free);
  }
  FileWriter out(path, overwrite);
  std::string temporary = path.string() + ".XXXXXX";
  out.fd_ = ::mkostemp(temporary.data(), O_CLOEXEC);
  if (out.fd_ < 0)
    return fail(Code::io, "{}: cannot be written: {}", shown(path), std::strerror(errno));
  out.temporary_ = std::move(temporary);
  return out;
}

Status FileWriter::flush() {
  if (const int code = write_all(fd_, buffer_, nullptr)) {
    errno = code;
    return error("cannot be written");
  }
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
  if (const int code = write_all(fd_, part, nullptr)) {
    errno = code;
    return error("cannot be written");
  }
  written_ += part.size();
  return {};
}

Status FileWriter::replace(uint64_t at, std::span<const std::byte> part) {
  if (at >= written_ && at - written_ <= buffer_.size() &&
      part.size() <= buffer_.size() - (at - written_)) {
    std::memcpy(buffer_.data() + (at - written_), part.data(), part.size());
    return {};
  }
  SK_TRY_STATUS(flush());
  if (const int code = write_all(fd_, part, &at)) {
    errno = code;
    return error("cannot be written");
  }
  return {};
}

Status FileWriter::commit() {
  SK_TRY_STATUS(flush());
  // mkostemp makes the file private; give it the mode that open() would have given.
  const mode_t mask = ::umask(0);
  ::umask(mask);
  if (::fchmod(fd_, 0666 & ~mask) != 0) return error("cannot be written");
  if (::fsync(fd_) != 0) return error("cannot be written");
  if (overwrite_) {
    if (::rename(temporary_.c_str(), path_.c_str()) != 0) return error("cannot be replaced");
  } else if (::renameat2(AT_FDCWD, temporary_.c_str(), AT_FDCWD, path_.c_str(), RENAME_NOREPLACE) !=
             0) {
    // Some file systems cannot promise it; create() has looked, which is as good as they get.
    const bool unable = errno == EINVAL || errno == ENOSYS;
    if (!unable || ::access(path_.c_str(), F_OK) == 0 ||
        ::rename(temporary_.c_str(), path_.c_str()) != 0)
      return error("cannot be put in its place");
  }
  temporary_.clear();
  const int folder = ::open(folder_of(path_).c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (folder >= 0) {
    ::fsync(folder);  // best effort: makes the rename survive a power cut
    ::close(folder);
  }
  return {};
}

Status write_file(const std::filesystem::path& path,
                  std::span<const std::span<const std::byte>> parts) {
  SK_TRY(FileWriter writer, FileWriter::create(path, 0, /*overwrite=*/true));
  for (const auto part : parts) SK_TRY_STATUS(writer.append(part));
  return writer.commit();
}

}  // namespace skein
