// All that a model remembers, as a value: copy it, keep it, compare it, send it somewhere else. Its
// numbers lie where the model's device keeps them (ops/states.h).
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "arch/architecture.h"
#include "base/error.h"
#include "base/hash.h"
#include "ops/states.h"

namespace skein {

// What the states of one model have in common.
struct StateLayout {
  std::string design;    // "rwkv7"
  Digest fingerprint{};  // of the weights, see ModelInfo
  std::vector<arch::StateSpec> parts;
  std::vector<ops::Slot> slots;  // of each part
  std::shared_ptr<ops::StatePool> pool;
  // What a fresh state is where the model file says so; else zeros and StateSpec::initial.
  std::unique_ptr<const ops::DeviceState> tuned;

  int64_t numbers() const;  // elements of the fixed parts
  // Whether states of `other` are states of this.
  bool fits(const StateLayout& other) const {
    return this == &other || (fingerprint == other.fingerprint && slots == other.slots);
  }
};

// A layout of these parts, one after the other, in this process's memory.
std::shared_ptr<StateLayout> host_layout(std::string design, const Digest& fingerprint,
                                         std::vector<arch::StateSpec> parts);

// What is said of a lost state, see State::lost().
tl::unexpected<Error> lost_state();

// The elements of one part, in this process's memory: a view of the state where they lie there
// together, and a copy where they do not. The state must outlive it and not change meanwhile.
class PartView {
 public:
  explicit PartView(std::span<const std::byte> bytes) : bytes_(bytes) {}
  explicit PartView(std::vector<std::byte> copy) : copy_(std::move(copy)), bytes_(copy_) {}
  PartView(PartView&&) = default;
  PartView& operator=(PartView&&) = default;

  std::span<const std::byte> bytes() const { return bytes_; }
  std::span<const float> floats() const {  // of an f32 part
    return {reinterpret_cast<const float*>(bytes_.data()), bytes_.size() / sizeof(float)};
  }

 private:
  std::vector<std::byte> copy_;
  std::span<const std::byte> bytes_;
};

// The hash of a history (0: of none) and these tokens behind it.
uint64_t tokens_hash_after(uint64_t hash, std::span<const int32_t> tokens);

class State {
 public:
  // A fresh one: as before the first token. Throws std::bad_alloc where make() would fail.
  explicit State(std::shared_ptr<const StateLayout> layout);
  // Errors: memory (none left, or as many states as the pool's bound allows), device.
  static Result<State> make(std::shared_ptr<const StateLayout> layout);

  // The same in the pool of `layout`, which fits this state's. Errors: those of make().
  Result<State> copy_into(std::shared_ptr<const StateLayout> layout) const;
  // Fixed parts are copied and growing ones shared. Without memory they throw std::bad_alloc; a
  // copy that the device could not make is lost.
  State(const State& other);
  State& operator=(const State& other);
  State(State&&) noexcept = default;
  State& operator=(State&&) noexcept = default;
  ~State() = default;

  const StateLayout& layout() const { return *layout_; }
  std::shared_ptr<const StateLayout> shared_layout() const { return layout_; }

  ops::DeviceState& memory() { return *memory_; }
  const ops::DeviceState& memory() const { return *memory_; }
  std::unique_ptr<ops::DeviceState> take_memory() && { return std::move(memory_); }
  int64_t rows(size_t part) const { return memory_->rows(static_cast<ops::SlotId>(part)); }
  // Error: device.
  Result<PartView> part(size_t index) const;
  // All elements of a part; rows where it grows and has none yet. Errors: memory, device.
  Status set_part(size_t index, std::span<const std::byte> elements);
  // Of its own: what it shares with copies counts nowhere.
  int64_t bytes() const { return layout_->pool->bytes_each(); }

  // How many tokens it has read, and a hash of them in their order.
  uint64_t tokens_read() const { return tokens_read_; }
  uint64_t tokens_hash() const { return tokens_hash_; }
  void note(std::span<const int32_t> tokens);
  void set_history(uint64_t tokens_read, uint64_t tokens_hash);

  // A step that failed may have left numbers in it that mean nothing: then it is lost, and every
  // call that would compute with it or hand it out fails, until another state is copied into it.
  bool lost() const { return lost_; }
  void lose() { lost_ = true; }

  // Bit for bit: -0 and 0 differ, and so would two states whose numbers only compare equal. What
  // cannot be read is not equal to anything.
  bool operator==(const State& other) const;

 private:
  State(std::shared_ptr<const StateLayout> layout, std::unique_ptr<ops::DeviceState> memory)
      : layout_(std::move(layout)), memory_(std::move(memory)) {}

  std::shared_ptr<const StateLayout> layout_;
  std::unique_ptr<ops::DeviceState> memory_;
  uint64_t tokens_read_ = 0;
  uint64_t tokens_hash_ = 0;
  bool lost_ = false;
};

}  // namespace skein
