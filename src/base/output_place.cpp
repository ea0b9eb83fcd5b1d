#include "base/output_place.h"

#include <fcntl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstring>

#include "base/interruption.h"

namespace skein {
namespace {

constexpr auto kProcMagic = 0x9fa0;  // of statfs()
constexpr int kLinks = 40;           // as the kernel
// How long a reader is waited for: five seconds.
constexpr int kReaderWaits = 500;
constexpr useconds_t kReaderWaitUs = 10'000;

std::string shown(const std::filesystem::path& path) { return escaped(path.string()); }

tl::unexpected<Error> refuse(const std::filesystem::path& path, std::string_view what) {
  return fail(Code::io, "{}: {}", shown(path), what);
}

tl::unexpected<Error> refuse(const std::filesystem::path& path, int error) {
  return fail(Code::io, "{}: cannot be written: {}", shown(path), std::strerror(error));
}

bool is_in_proc(int folder) {
  struct statfs info {};
  return ::fstatfs(folder, &info) == 0 && info.f_type == kProcMagic;
}

bool is_same(const struct stat& a, const struct stat& b) {
  return a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

// The number of the descriptor if this is one of ours; otherwise -1. A link of /proc names the
// thing itself, and the path that it shows may be another's or nobody's by now.
int own_descriptor(int folder, const std::string& name) {
  struct stat here {
  }, own{};
  if (::fstat(folder, &here) != 0) return -1;
  const bool ours = (::stat("/proc/self/fd", &own) == 0 && is_same(here, own)) ||
                    (::stat("/proc/thread-self/fd", &own) == 0 && is_same(here, own));
  int number = -1;
  const auto end = std::from_chars(name.data(), name.data() + name.size(), number).ptr;
  return ours && end == name.data() + name.size() && number >= 0 ? number : -1;
}

Result<std::filesystem::path> target_of(const OutputPlace& place,
                                        const std::filesystem::path& path) {
  std::string target(PATH_MAX, '\0');
  const ssize_t size =
      ::readlinkat(place.folder.get(), place.name.c_str(), target.data(), target.size());
  if (size < 0) return refuse(path, errno);
  target.resize(static_cast<size_t>(size));
  return std::filesystem::path(target);
}

Status check_kind(OutputPlace& place, const std::filesystem::path& path) {
  switch (place.info->st_mode & S_IFMT) {
    case S_IFREG: return {};
    case S_IFIFO:
    case S_IFCHR: place.kind = OutputPlace::Kind::device; return {};
    case S_IFDIR: return refuse(path, "is a folder");
    case S_IFBLK: return refuse(path, "is a block device, which is not written over");
    case S_IFSOCK: return refuse(path, "is a socket, which cannot be opened as a file");
    default: return refuse(path, "is neither a file nor a pipe nor a device");
  }
}

Result<Descriptor> duplicate(const OutputPlace& place, const std::filesystem::path& path) {
  Descriptor out(::fcntl(place.descriptor, F_DUPFD_CLOEXEC, 0));
  if (!out) return refuse(path, errno);
  return out;
}

// Whoever reads from a FIFO may come a little later; a pipe that nobody will ever read is an error
// and not a program that hangs.
Result<Descriptor> open_device(const OutputPlace& place, const std::filesystem::path& path) {
  for (int waited = 0;; ++waited) {
    Descriptor out(::openat(place.folder.get(), place.name.c_str(),
                            O_WRONLY | O_CLOEXEC | O_NOCTTY | O_NOFOLLOW | O_NONBLOCK));
    if (out) {
      if (::fcntl(out.get(), F_SETFL, 0) != 0) return refuse(path, errno);
      return out;
    }
    if (errno != ENXIO || !S_ISFIFO(place.info->st_mode)) return refuse(path, errno);
    if (waited == kReaderWaits)
      return refuse(path, "is not a regular file but a pipe that nobody reads");
    if (::usleep(kReaderWaitUs) != 0 && interruption_asked()) return refuse(path, "interrupted");
  }
}

}  // namespace

Result<OutputPlace> find_output(const std::filesystem::path& path) {
  OutputPlace place;
  std::filesystem::path rest = path;
  int from = AT_FDCWD;
  for (int links = 0; links <= kLinks; ++links) {
    place.name = rest.filename().string();
    place.path = links == 0 ? rest : place.path.parent_path() / rest;
    if (place.name.empty() || place.name == "." || place.name == "..")
      return refuse(path, path.empty() ? "an output needs a name" : "is the name of a folder");
    const auto parent = rest.has_parent_path() ? rest.parent_path() : std::filesystem::path(".");
    Descriptor folder(::openat(from, parent.c_str(), O_PATH | O_DIRECTORY | O_CLOEXEC));
    if (!folder && errno == ENOENT)
      return fail(Code::io, "{}: there is no folder {}", shown(path), shown(parent));
    if (!folder) return refuse(path, errno);
    place.folder = std::move(folder);
    from = place.folder.get();

    struct stat info {};
    if (::fstatat(from, place.name.c_str(), &info, AT_SYMLINK_NOFOLLOW) != 0) {
      if (errno == ENOENT) return place;
      return refuse(path, errno);
    }
    if (!S_ISLNK(info.st_mode)) {
      place.info = info;
      SK_TRY_STATUS(check_kind(place, path));
      return place;
    }
    if (is_in_proc(from)) {
      place.descriptor = own_descriptor(from, place.name);
      if (place.descriptor >= 0) {
        place.kind = OutputPlace::Kind::descriptor;
        if (::fstat(place.descriptor, &info) == 0) place.info = info;
        return place;
      }
      return refuse(path, "is something that another process has open");
    }
    SK_TRY(rest, target_of(place, path));
  }
  return refuse(path, ELOOP);
}

Result<Descriptor> open_stream(const OutputPlace& place, const std::filesystem::path& path) {
  SK_TRY(Descriptor out, place.kind == OutputPlace::Kind::descriptor ? duplicate(place, path)
                                                                     : open_device(place, path));
  const int flags = ::fcntl(out.get(), F_GETFL);
  struct stat info {};
  if (flags < 0 || ::fstat(out.get(), &info) != 0) return refuse(path, errno);
  if ((flags & O_ACCMODE) == O_RDONLY) return refuse(path, "is not open for writing");
  if (S_ISBLK(info.st_mode)) return refuse(path, "is a block device, which is not written over");
  if (S_ISDIR(info.st_mode)) return refuse(path, "is a folder");
  if (::isatty(out.get()) == 1)
    return refuse(path, "is a terminal, which is for text; name a file or a pipe");
  return out;
}

bool is_standard_output(const std::filesystem::path& path) {
  const auto place = find_output(path);
  struct stat there {
  }, here{};
  if (!place || ::fstat(STDOUT_FILENO, &here) != 0) return false;
  if (place->kind == OutputPlace::Kind::descriptor) {
    if (place->descriptor == STDOUT_FILENO) return true;
    if (::fstat(place->descriptor, &there) != 0) return false;
  } else if (place->info) {
    there = *place->info;
  } else {
    return false;
  }
  // What is written to /dev/null is in nobody's way.
  return is_same(there, here) && !S_ISCHR(here.st_mode);
}

bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b) {
  struct stat one {
  }, other{};
  return ::stat(a.c_str(), &one) == 0 && ::stat(b.c_str(), &other) == 0 && is_same(one, other);
}

}  // namespace skein
