#include "base/file.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <mutex>

#include "base/limits.h"

namespace skein {

struct File::Mapping {
  std::byte* data = nullptr;
  size_t size = 0;
  std::filesystem::path path;
  size_t slot = 0;  // in the table of live mappings
};

namespace {

// Touching a page of a mapping whose file has been shortened raises SIGBUS. The handler looks the
// address up here, puts a page of zeros there and marks the mapping; any other SIGBUS goes to
// whoever handled it before. Fixed slots and atomics only, because a signal handler may not lock.
struct LiveMapping {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};
  std::atomic<bool> broken{false};
};
constexpr size_t kLiveMappings = 1024;
std::array<LiveMapping, kLiveMappings> live_mappings;
std::mutex live_mutex;
struct sigaction previous_action;

void on_bus_error(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  for (LiveMapping& live : live_mappings) {
    if (address < live.begin.load() || address >= live.end.load()) continue;
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    void* at = reinterpret_cast<void*>(address / page * page);
    if (mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == at) {
      live.broken.store(true);
      return;
    }
  }
  if (previous_action.sa_flags & SA_SIGINFO) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    sigaction(SIGBUS, &previous_action, nullptr);  // returning repeats the access, and ends us
  }
}

// The slot of the new mapping, or kLiveMappings if all are taken: then it is merely unguarded.
size_t guard(const std::byte* data, size_t size) {
  const std::lock_guard lock(live_mutex);
  static const bool installed = [] {
    struct sigaction action {};
    action.sa_sigaction = on_bus_error;
    action.sa_flags = SA_SIGINFO;
    sigemptyset(&action.sa_mask);
    return sigaction(SIGBUS, &action, &previous_action) == 0;
  }();
  if (!installed) return kLiveMappings;
  for (size_t slot = 0; slot < kLiveMappings; ++slot) {
    LiveMapping& live = live_mappings[slot];
    if (live.end.load() != 0) continue;
    live.broken.store(false);
    live.begin.store(reinterpret_cast<uintptr_t>(data));
    live.end.store(reinterpret_cast<uintptr_t>(data) + size);
    return slot;
  }
  return kLiveMappings;
}

void unguard(size_t slot) {
  if (slot >= kLiveMappings) return;
  const std::lock_guard lock(live_mutex);
  live_mappings[slot].end.store(0);
  live_mappings[slot].begin.store(0);
}

// Closes a descriptor at the end of a scope.
struct Descriptor {
  int fd = -1;
  ~Descriptor() {
    if (fd >= 0) ::close(fd);
  }
};

std::string shown(const std::filesystem::path& path) { return escaped(path.string()); }

// Opens for reading without hanging on a FIFO; gives the size.
Result<uint64_t> open_regular(const std::filesystem::path& path, Descriptor& out) {
  out.fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (out.fd < 0) return fail(Code::io, "{}: {}", shown(path), std::strerror(errno));
  struct stat info {};
  if (::fstat(out.fd, &info) != 0)
    return fail(Code::io, "{}: {}", shown(path), std::strerror(errno));
  if (!S_ISREG(info.st_mode)) return fail(Code::unsupported, "{}: not a regular file", shown(path));
  return static_cast<uint64_t>(info.st_size);
}

}  // namespace

Result<File> File::map(const std::filesystem::path& path) {
  Descriptor file;
  SK_TRY(const uint64_t size, open_regular(path, file));
  if (size == 0) return fail(Code::corrupt, "{}: too short, the file is empty", shown(path));
  void* data = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file.fd, 0);
  if (data == MAP_FAILED)
    return fail(Code::io, "{}: cannot be mapped: {}", shown(path), std::strerror(errno));
  auto mapping = std::make_unique<Mapping>();
  mapping->data = static_cast<std::byte*>(data);
  mapping->size = size;
  mapping->path = path;
  mapping->slot = guard(mapping->data, size);
  return File(std::move(mapping));
}

File::File(std::unique_ptr<Mapping> mapping) : mapping_(std::move(mapping)) {}
File::File(File&&) noexcept = default;

File& File::operator=(File&& other) noexcept {
  std::swap(mapping_, other.mapping_);
  return *this;
}

File::~File() {
  if (!mapping_) return;
  unguard(mapping_->slot);
  ::munmap(mapping_->data, mapping_->size);
}

std::span<const std::byte> File::bytes() const { return {mapping_->data, mapping_->size}; }
const std::filesystem::path& File::path() const { return mapping_->path; }
std::string File::name() const { return escaped(mapping_->path.filename().string()); }

bool File::intact() const {
  return mapping_->slot >= kLiveMappings || !live_mappings[mapping_->slot].broken.load();
}

void File::drop(std::span<const std::byte> part) const {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  const uintptr_t begin = (reinterpret_cast<uintptr_t>(part.data()) + page - 1) / page * page;
  const uintptr_t end = (reinterpret_cast<uintptr_t>(part.data()) + part.size()) / page * page;
  if (begin < end) ::madvise(reinterpret_cast<void*>(begin), end - begin, MADV_DONTNEED);
}

Result<std::vector<std::byte>> read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  Descriptor file;
  SK_TRY(const uint64_t size, open_regular(path, file));
  if (size > limit_bytes)
    return fail(Code::unsupported, "{}: {} bytes, more than the limit of {}", shown(path), size,
                limit_bytes);
  std::vector<std::byte> bytes(size);
  size_t done = 0;
  while (done < bytes.size()) {
    const ssize_t got = ::read(file.fd, bytes.data() + done, bytes.size() - done);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return fail(Code::io, "{}: {}", shown(path), std::strerror(errno));
    if (got == 0) return fail(Code::io, "{}: became shorter while it was read", shown(path));
    done += static_cast<size_t>(got);
  }
  return bytes;
}

}  // namespace skein
