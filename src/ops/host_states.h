// States in this process's memory: those of the CPU, of the reference, and of tools that only read
// state files.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "ops/backend.h"
#include "ops/row_pages.h"
#include "ops/states.h"

namespace skein::ops {

class HostStates;

class HostState final : public DeviceState {
 public:
  explicit HostState(std::shared_ptr<HostStates> pool);  // still without memory: see HostStates
  ~HostState() override;

  const StatePool& pool() const override;
  Status copy_from(const DeviceState& other) override;
  Status read(SlotId slot, std::span<std::byte> out) const override;
  Status write(SlotId slot, std::span<const std::byte> elements) override;
  int64_t rows(SlotId slot) const override;
  Status read_rows(SlotId slot, int64_t first, std::span<std::byte> out) const override;
  Status append_rows(SlotId slot, std::span<const std::byte> rows) override;
  Status reserve(int64_t tokens) override;
  std::span<const std::byte> view(SlotId slot, int64_t first) const override;
  Result<bool> all_finite() const override;

  // What kernels read and replace. A fixed slot of f32.
  float* floats(const Slot& slot) { return reinterpret_cast<float*>(fixed_ + slot.offset); }
  RowPages& growing(SlotId slot);

 private:
  friend class HostStates;
  std::span<std::byte> fixed(SlotId slot) const;

  std::shared_ptr<HostStates> pool_;
  std::byte* fixed_ = nullptr;
  std::vector<RowPages> growing_;  // of the growing slots, in order
};

// The state of a step's sequence, on a device that keeps states here.
inline HostState& host_state(const Sequence& sequence) {
  return static_cast<HostState&>(*sequence.state);
}

class HostStates final : public StatePool, public std::enable_shared_from_this<HostStates> {
 public:
  static std::shared_ptr<HostStates> of(std::span<const Slot> slots);

  std::span<const Slot> slots() const override { return slots_; }
  Result<std::unique_ptr<DeviceState>> make() override;
  Result<std::unique_ptr<DeviceState>> copy(const DeviceState& state) override;
  Usage usage() const override;
  void bound(int64_t bytes) override { budget_.bound = bytes; }
  // Whether kernels find in it what they find in those made here.
  bool is_like(const DeviceState& state) const;
  int64_t bytes_each() const override { return static_cast<int64_t>(blocks_.block_bytes()); }
  // States together take whole ones of these.
  int64_t page_bytes() const { return static_cast<int64_t>(blocks_.page_bytes()); }

 private:
  friend class HostState;
  explicit HostStates(std::span<const Slot> slots);
  Result<std::unique_ptr<HostState>> make_unset();

  struct Budget final : ByteBudget {
    Status take(int64_t bytes) override;
    void give(int64_t bytes) override { used -= bytes; }
    std::atomic<int64_t> used = 0, bound = 0;
  };

  std::vector<Slot> slots_;
  std::vector<int32_t> growing_;  // of each slot, its place among those that grow, or kNone
  Budget budget_;
  std::atomic<int64_t> alive_ = 0;
  Slabs blocks_;                                      // of fixed slots
  std::vector<std::unique_ptr<PageSource>> sources_;  // of growing ones
};

}  // namespace skein::ops
