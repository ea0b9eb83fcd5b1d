#include "ops/host_states.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "base/finite.h"

namespace skein::ops {

HostState::HostState(std::shared_ptr<HostStates> pool) : pool_(std::move(pool)) {
  growing_.reserve(pool_->sources_.size());
  for (const auto& source : pool_->sources_) growing_.emplace_back(*source);
}

HostState::~HostState() {
  if (!fixed_) return;
  pool_->blocks_.give(fixed_);
  pool_->budget_.give(pool_->bytes_each());
  --pool_->alive_;
}

const StatePool& HostState::pool() const { return *pool_; }

Status HostState::copy_from(const DeviceState& other) {
  SK_CHECK(&other.pool() == pool_.get());
  const auto& from = static_cast<const HostState&>(other);
  growing_ = from.growing_;
  if (this != &from)
    std::memcpy(fixed_, from.fixed_, static_cast<size_t>(fixed_bytes(pool_->slots_)));
  return {};
}

std::span<std::byte> HostState::fixed(SlotId slot) const {
  const Slot& one = pool_->slots_[static_cast<size_t>(slot)];
  SK_CHECK(one.growth == Growth::fixed);
  return {fixed_ + one.offset, static_cast<size_t>(one.bytes())};
}

RowPages& HostState::growing(SlotId slot) {
  const int32_t place = pool_->growing_[static_cast<size_t>(slot)];
  SK_CHECK(place != kNone);
  return growing_[static_cast<size_t>(place)];
}

Status HostState::read(SlotId slot, std::span<std::byte> out) const {
  const std::span<const std::byte> from = fixed(slot);
  SK_CHECK(out.size() == from.size());
  std::copy(from.begin(), from.end(), out.begin());
  return {};
}

Status HostState::write(SlotId slot, std::span<const std::byte> elements) {
  const std::span<std::byte> to = fixed(slot);
  SK_CHECK(elements.size() == to.size());
  std::copy(elements.begin(), elements.end(), to.begin());
  return {};
}

int64_t HostState::rows(SlotId slot) const {
  const int32_t place = pool_->growing_[static_cast<size_t>(slot)];
  return place == kNone ? 0 : growing_[static_cast<size_t>(place)].rows();
}

Status HostState::read_rows(SlotId slot, int64_t first, std::span<std::byte> out) const {
  const int64_t row = pool_->slots_[static_cast<size_t>(slot)].bytes();
  for (size_t done = 0; done < out.size();) {
    const auto from = view(slot, first + static_cast<int64_t>(done) / row);
    SK_CHECK(!from.empty());
    const size_t count = std::min(from.size(), out.size() - done);
    std::copy_n(from.begin(), count, out.begin() + static_cast<ptrdiff_t>(done));
    done += count;
  }
  return {};
}

Status HostState::append_rows(SlotId slot, std::span<const std::byte> rows) {
  const auto row = static_cast<size_t>(pool_->slots_[static_cast<size_t>(slot)].bytes());
  SK_CHECK(rows.size() % row == 0);
  RowPages& pages = growing(slot);
  SK_TRY_STATUS(pages.reserve(static_cast<int64_t>(rows.size() / row)));
  for (size_t at = 0; at < rows.size(); at += row)
    std::memcpy(pages.append(), rows.data() + at, row);
  return {};
}

Status HostState::reserve(int64_t tokens) {
  for (RowPages& pages : growing_) SK_TRY_STATUS(pages.reserve(tokens));
  return {};
}

std::span<const std::byte> HostState::view(SlotId slot, int64_t first) const {
  const int32_t place = pool_->growing_[static_cast<size_t>(slot)];
  return place == kNone ? fixed(slot) : growing_[static_cast<size_t>(place)].view(first);
}

Result<bool> HostState::all_finite() const {
  for (size_t i = 0; i < pool_->slots_.size(); ++i) {
    const auto slot = static_cast<SlotId>(i);
    if (pool_->slots_[i].type != DType::f32) continue;
    const bool grows = pool_->slots_[i].growth == Growth::growing;
    for (int64_t row = 0; row < (grows ? rows(slot) : 1);) {
      const auto bytes = view(slot, row);
      if (!skein::all_finite(
              {reinterpret_cast<const float*>(bytes.data()), bytes.size() / sizeof(float)}))
        return false;
      row += grows ? static_cast<int64_t>(bytes.size()) / pool_->slots_[i].bytes() : 1;
    }
  }
  return true;
}

HostStates::HostStates(std::span<const Slot> slots)
    : slots_(slots.begin(), slots.end()), blocks_(static_cast<size_t>(fixed_bytes(slots))) {
  for (const Slot& slot : slots_) {
    const bool grows = slot.growth == Growth::growing;
    growing_.push_back(grows ? static_cast<int32_t>(sources_.size()) : kNone);
    if (grows) sources_.push_back(std::make_unique<PageSource>(slot.bytes(), budget_));
  }
}

std::shared_ptr<HostStates> HostStates::of(std::span<const Slot> slots) {
  return std::shared_ptr<HostStates>(new HostStates(slots));
}

Status HostStates::Budget::take(int64_t bytes) {
  const int64_t all = used += bytes;
  if (const int64_t most = bound; most > 0 && all > most) {
    used -= bytes;
    return fail(Code::memory, "states may take {} bytes together, {} are taken", most, all - bytes);
  }
  return {};
}

Result<std::unique_ptr<HostState>> HostStates::make_unset() {
  auto state = std::make_unique<HostState>(shared_from_this());
  SK_TRY_STATUS(budget_.take(bytes_each()));
  // Given back on every way out, also where the list of blocks finds no memory.
  struct Taken {
    HostStates& pool;
    bool kept = false;
    ~Taken() {
      if (!kept) pool.budget_.give(pool.bytes_each());
    }
  } taken{*this};
  SK_TRY(state->fixed_, blocks_.take());
  taken.kept = true;
  ++alive_;
  return state;
}

Result<std::unique_ptr<DeviceState>> HostStates::make() {
  SK_TRY(std::unique_ptr<HostState> state, make_unset());
  std::memset(state->fixed_, 0, blocks_.block_bytes());
  return std::unique_ptr<DeviceState>(std::move(state));
}

Result<std::unique_ptr<DeviceState>> HostStates::copy(const DeviceState& state) {
  SK_TRY(std::unique_ptr<HostState> made, make_unset());
  SK_TRY_STATUS(made->copy_from(state));
  return std::unique_ptr<DeviceState>(std::move(made));
}

bool HostStates::is_like(const DeviceState& state) const {
  if (&state.pool() == this) return true;
  const auto* other = dynamic_cast<const HostStates*>(&state.pool());
  return other && other->slots_ == slots_;
}

StatePool::Usage HostStates::usage() const { return {.states = alive_, .bytes = budget_.used}; }

}  // namespace skein::ops
