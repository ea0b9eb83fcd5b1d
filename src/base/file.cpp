#include "base/file.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes_text.h"
#include "base/descriptor.h"
#include "base/limits.h"
#include "base/mapping_guard.h"
#include "base/platform.h"

namespace skein {

struct File::Mapping {
  std::byte* data = nullptr;
  size_t size = 0;
  std::filesystem::path path;
  MappingGuard guard;
  ~Mapping() {
    guard = MappingGuard();  // before its addresses belong to something else
    if (data) ::munmap(data, size);
  }
};

namespace {

std::string shown(const std::filesystem::path& path) { return escaped(path.string()); }

// What errno says of `path`: not enough memory, or the system's refusal.
tl::unexpected<Error> refusal(const std::filesystem::path& path, std::string_view what = "") {
  const int why = errno;
  return fail(why == ENOMEM ? Code::memory : Code::io, "{}: {}{}", shown(path), what,
              std::strerror(why));
}

tl::unexpected<Error> not_mapped(const std::filesystem::path& path, size_t size) {
  const int why = errno;
  const AddressSpace space = address_space();
  if (why == ENOMEM && size > space.left())
    return fail(Code::memory,
                "{}: does not fit: the file alone is {} of address space, {} allowed ({})",
                shown(path), bytes_text(static_cast<double>(size)),
                bytes_text(static_cast<double>(space.limit)), space.what);
  errno = why;
  return refusal(path, "cannot be mapped: ");
}

// Opens for reading without hanging on a FIFO.
Result<struct stat> open_regular(const std::filesystem::path& path, Descriptor& out) {
  out = Descriptor(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!out) return refusal(path);
  struct stat info {};
  if (::fstat(out.get(), &info) != 0) return refusal(path);
  if (!S_ISREG(info.st_mode)) return fail(Code::unsupported, "{}: not a regular file", shown(path));
  return info;
}

}  // namespace

Result<File> File::map(const std::filesystem::path& path) {
  Descriptor file;
  SK_TRY(const struct stat info, open_regular(path, file));
  const auto size = static_cast<size_t>(info.st_size);
  if (size == 0) return fail(Code::corrupt, "{}: too short, the file is empty", shown(path));
  auto mapping = std::make_unique<Mapping>();
  mapping->path = path;
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.get(), 0);
  if (data == MAP_FAILED) return not_mapped(path, size);
  mapping->data = static_cast<std::byte*>(data);
  mapping->size = size;
  auto guard = MappingGuard::create(mapping->data, size, info.st_dev, info.st_ino);
  if (!guard) return fail(guard.error().code, "{}: {}", shown(path), guard.error().message);
  mapping->guard = std::move(*guard);
  return File(std::move(mapping));
}

File::File(std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {}
File::File(File&&) noexcept = default;

File& File::operator=(File&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  return *this;
}

File::~File() = default;

std::span<const std::byte> File::bytes() const { return {mapping_->data, mapping_->size}; }
const std::filesystem::path& File::path() const { return mapping_->path; }
std::string File::name() const { return escaped(mapping_->path.string()); }

bool File::intact() const { return mapping_->guard.intact(); }

namespace {

// Of the whole pages in `part`.
void advise(std::span<const std::byte> part, int advice) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, advice);
}

}  // namespace

void File::drop(std::span<const std::byte> part) const { advise(part, MADV_DONTNEED); }

void File::read_often() const { advise(bytes(), MADV_HUGEPAGE); }

void File::read_in_places(std::span<const std::byte> part) const { advise(part, MADV_NOHUGEPAGE); }

Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  Descriptor file;
  SK_TRY(const struct stat info, open_regular(path, file));
  const auto size = static_cast<uint64_t>(info.st_size);
  if (size > limit_bytes)
    return fail(Code::unsupported, "{}: {} bytes, more than the limit of {}", shown(path), size,
                limit_bytes);
  std::vector<std::byte> bytes(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.get(), bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return refusal(path);
    if (got == 0) return fail(Code::io, "{}: became shorter while it was read", shown(path));
    done += static_cast<size_t>(got);
  }
  return bytes;
}

Result<std::vector<std::string>> names_in(const std::filesystem::path& folder, size_t most) {
  struct Close {
    void operator()(DIR* open) const { ::closedir(open); }
  };
  const std::unique_ptr<DIR, Close> open(::opendir(folder.c_str()));
  if (!open) {
    const int error = errno;
    if (error == ENOMEM) return no_memory();
    return fail(Code::io, "{}: {}", escaped(folder.string()), std::strerror(error));
  }
  std::vector<std::string> out;
  while (out.size() < most) {
    const dirent* entry = ::readdir(open.get());
    if (!entry) break;
    const std::string_view name = entry->d_name;
    if (name != "." && name != "..") out.emplace_back(name);
  }
  return out;
}

}  // namespace skein
