#include "base/mapping_guard.h"

#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <new>
#include <utility>

#include "base/turn.h"

namespace skein {

struct LiveMapping {
  std::atomic<uintptr_t> begin{0};
  std::atomic<uintptr_t> end{0};  // 0: the place is free
  std::atomic<bool> broken{false};
  dev_t device = 0;  // under the turn, as the handler does not ask
  ino_t inode = 0;
};

namespace {

// The table grows by blocks that stay where they are and are never freed: a signal handler may not
// lock, so what it walks along has to be there always.
struct Block {
  std::array<LiveMapping, 1024> places;
  std::atomic<Block*> next{nullptr};
};
Block first_block;
constinit Turn table_turn;
bool installed = false;
struct sigaction previous_action;

template <typename Visit>
bool any_place(const Visit& visit) {
  for (Block* block = &first_block; block; block = block->next.load())
    for (LiveMapping& live : block->places)
      if (visit(live)) return true;
  return false;
}

// The address is looked up, a page of zeros is put there and the mapping is marked; any other
// SIGBUS goes to whoever handled it before.
void on_bus_error(int signal, siginfo_t* info, void* context) {
  const auto address = reinterpret_cast<uintptr_t>(info->si_addr);
  const bool mended = any_place([&](LiveMapping& live) {
    if (address < live.begin.load() || address >= live.end.load()) return false;
    const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
    void* at = reinterpret_cast<void*>(address / page * page);
    if (mmap(at, page, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != at)
      return false;
    live.broken.store(true);
    return true;
  });
  if (mended) return;
  if (previous_action.sa_flags & SA_SIGINFO) {
    previous_action.sa_sigaction(signal, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(signal);
  } else {
    sigaction(SIGBUS, &previous_action, nullptr);  // returning repeats the access, and ends us
  }
}

bool install() {
  struct sigaction action {
  }, before{};
  action.sa_sigaction = on_bus_error;
  action.sa_flags = SA_SIGINFO;
  sigemptyset(&action.sa_mask);
  if (sigaction(SIGBUS, &action, &before) != 0) return false;
  // A process that was forked in the middle of this does it again.
  if (before.sa_sigaction != on_bus_error) previous_action = before;
  installed = true;
  return true;
}

// A free place; null when there is no memory for more.
LiveMapping* free_place() {
  LiveMapping* found = nullptr;
  Block* last = nullptr;
  for (Block* block = &first_block; block && !found; last = block, block = block->next.load())
    for (LiveMapping& live : block->places)
      if (live.end.load() == 0) {
        found = &live;
        break;
      }
  if (found) return found;
  Block* more = new (std::nothrow) Block;
  if (!more) return nullptr;
  last->next.store(more);
  return &more->places[0];
}

}  // namespace

Result<MappingGuard> MappingGuard::create(const std::byte* data, size_t size, dev_t device,
                                          ino_t inode) {
  const Turn::Held turn = table_turn.take_over();
  if (!installed && !install())
    return fail(Code::io, "SIGBUS cannot be handled: {}", std::strerror(errno));
  LiveMapping* live = free_place();
  if (!live) return fail(Code::memory, "not enough memory to guard one more mapped file");
  live->device = device;
  live->inode = inode;
  live->broken.store(false);
  live->begin.store(reinterpret_cast<uintptr_t>(data));
  live->end.store(reinterpret_cast<uintptr_t>(data) + size);
  return MappingGuard(live, data, size);
}

MappingGuard::MappingGuard(LiveMapping* live, const std::byte* data, size_t size)
    : live_(live), last_(data + size - 1) {
  const auto page = static_cast<uintptr_t>(sysconf(_SC_PAGESIZE));
  while (*last_ == std::byte{0} && reinterpret_cast<uintptr_t>(last_) % page != 0) --last_;
  expected_ = *last_;
}

MappingGuard::MappingGuard(MappingGuard&& other) noexcept
    : live_(std::exchange(other.live_, nullptr)), last_(other.last_), expected_(other.expected_) {}

MappingGuard& MappingGuard::operator=(MappingGuard&& other) noexcept {
  std::swap(live_, other.live_);
  std::swap(last_, other.last_);
  std::swap(expected_, other.expected_);
  return *this;
}

MappingGuard::~MappingGuard() {
  if (!live_) return;
  const Turn::Held turn = table_turn.take_over();
  live_->end.store(0);
  live_->begin.store(0);
}

bool MappingGuard::intact() const {
  if (!live_) return true;
  const bool same = *last_ == expected_;  // first: the look may break it
  return same && !live_->broken.load();
}

bool is_mapped(dev_t device, ino_t inode) {
  const Turn::Held turn = table_turn.take_over();
  return any_place([&](const LiveMapping& live) {
    return live.end.load() != 0 && live.device == device && live.inode == inode;
  });
}

}  // namespace skein
