// What sequences remember between steps, in the memory of the device that steps them. A device
// implements these two classes; run/state.h makes a value of one state.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "base/error.h"
#include "ops/program.h"

namespace skein::ops {

class StatePool;

// The memory of one sequence: each slot of a program. Not to be used by two threads at once; copies
// may be. Ends before its pool does.
class DeviceState {
 public:
  virtual ~DeviceState() = default;
  virtual const StatePool& pool() const = 0;

  // Takes over what `other`, of the same pool, holds: fixed slots are copied, rows that grew are
  // shared until the end of either. In fixed slots nothing is allocated. Errors: memory, device.
  virtual Status copy_from(const DeviceState& other) = 0;

  // A fixed slot's elements, all of them. Error: device.
  virtual Status read(SlotId slot, std::span<std::byte> out) const = 0;
  virtual Status write(SlotId slot, std::span<const std::byte> elements) = 0;

  // A growing slot's rows: how many there are, [first, first + n) of them, and more behind the
  // last. Errors: memory, device.
  virtual int64_t rows(SlotId slot) const = 0;
  virtual Status read_rows(SlotId slot, int64_t first, std::span<std::byte> out) const = 0;
  virtual Status append_rows(SlotId slot, std::span<const std::byte> rows) = 0;
  // Room for a row a token in each of them, so that a step does not run out of memory half-way.
  virtual Status reserve(int64_t tokens) = 0;

  // Where they lie in this process's memory: a fixed slot's elements, or a growing one's rows from
  // `first` on as far as they lie together. Nothing where the device has a memory of its own.
  virtual std::span<const std::byte> view(SlotId slot, int64_t first = 0) const = 0;

  // Whether all its f32 numbers are finite. Error: device.
  virtual Result<bool> all_finite() const = 0;
};

// Where the states of one program live. Any thread may make, copy and end states.
class StatePool {
 public:
  // What is alive: states, and the bytes that they have taken of the pool's bound.
  struct Usage {
    int64_t states = 0;
    int64_t bytes = 0;
  };

  virtual ~StatePool() = default;
  virtual std::span<const Slot> slots() const = 0;
  // Zeros, and no rows. Errors: memory (no more of it, or the bound is reached), device.
  virtual Result<std::unique_ptr<DeviceState>> make() = 0;
  // Errors: those of make().
  virtual Result<std::unique_ptr<DeviceState>> copy(const DeviceState& state) = 0;
  virtual Usage usage() const = 0;
  // At most so many bytes from now on; 0 is no bound. What is alive stays.
  virtual void bound(int64_t bytes) = 0;
  // What a state takes before anything grows, with what its place is rounded up to.
  virtual int64_t bytes_each() const = 0;
};

}  // namespace skein::ops
