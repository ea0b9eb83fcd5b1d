#include "run/state.h"

#include <algorithm>
#include <new>

#include "base/check.h"
#include "ops/host_states.h"
#include "ops/recorder.h"

namespace skein {
namespace {

// A value has no way to say why it could not be made: memory is an exception, as everywhere.
template <typename T>
T or_throw(Result<T> made) {
  if (!made) throw std::bad_alloc();
  return std::move(*made);
}

Status fill_fresh(const StateLayout& layout, ops::DeviceState& state) {
  for (size_t i = 0; i < layout.parts.size(); ++i) {
    const float initial = layout.parts[i].initial;
    if (initial == 0) continue;
    const std::vector<float> values(static_cast<size_t>(layout.slots[i].size), initial);
    SK_TRY_STATUS(state.write(static_cast<ops::SlotId>(i), std::as_bytes(std::span(values))));
  }
  return {};
}

}  // namespace

tl::unexpected<Error> lost_state() {
  return fail(Code::corrupt,
              "the state was lost in a step that failed half-way, as when numbers are not finite "
              "any more; reset it, or copy an earlier one into it");
}

int64_t StateLayout::numbers() const {
  int64_t count = 0;
  for (const ops::Slot& slot : slots)
    if (slot.growth == ops::Growth::fixed) count += slot.size;
  return count;
}

std::shared_ptr<StateLayout> host_layout(std::string design, const Digest& fingerprint,
                                         std::vector<arch::StateSpec> parts) {
  auto layout = std::make_shared<StateLayout>();
  layout->design = std::move(design);
  layout->fingerprint = fingerprint;
  layout->parts = std::move(parts);
  ops::Recorder recorder;
  for (const arch::StateSpec& part : layout->parts)
    recorder.slot(part.name, part.shape.elements(), part.type, part.growth);
  layout->slots.assign(recorder.slots().begin(), recorder.slots().end());
  layout->pool = ops::HostStates::of(layout->slots);
  return layout;
}

Result<State> State::make(std::shared_ptr<const StateLayout> layout) {
  if (layout->tuned) {
    SK_TRY(auto memory, layout->pool->copy(*layout->tuned));
    return State(std::move(layout), std::move(memory));
  }
  SK_TRY(auto memory, layout->pool->make());
  SK_TRY_STATUS(fill_fresh(*layout, *memory));
  return State(std::move(layout), std::move(memory));
}

State::State(std::shared_ptr<const StateLayout> layout)
    : State(or_throw(make(std::move(layout)))) {}

State::State(const State& other)
    : layout_(other.layout_),
      tokens_read_(other.tokens_read_),
      tokens_hash_(other.tokens_hash_),
      lost_(other.lost_) {
  auto copy = layout_->pool->copy(other.memory());
  if (!copy && copy.error().code != Code::memory) {
    lost_ = true;
    copy = layout_->pool->make();
  }
  memory_ = or_throw(std::move(copy));
}

Result<State> State::copy_into(std::shared_ptr<const StateLayout> layout) const {
  SK_CHECK(layout->fits(*layout_));
  if (layout->pool == layout_->pool) return *this;
  SK_TRY(State copy, make(std::move(layout)));
  for (size_t i = 0; i < layout_->slots.size(); ++i) {
    SK_TRY(const PartView part, this->part(i));
    SK_TRY_STATUS(copy.set_part(i, part.bytes()));
  }
  copy.set_history(tokens_read_, tokens_hash_);
  copy.lost_ = lost_;
  return copy;
}

Status State::set_part(size_t index, std::span<const std::byte> elements) {
  const auto slot = static_cast<ops::SlotId>(index);
  if (layout_->slots[index].growth == ops::Growth::fixed) return memory_->write(slot, elements);
  SK_CHECK(memory_->rows(slot) == 0);
  return memory_->append_rows(slot, elements);
}

State& State::operator=(const State& other) {
  if (this == &other) return *this;
  // A state that was moved away has no memory, and one of another pool has it elsewhere.
  if (!memory_ || &memory_->pool() != &other.memory_->pool()) return *this = State(other);
  const Status copied = memory_->copy_from(*other.memory_);
  if (!copied && copied.error().code == Code::memory) throw std::bad_alloc();
  layout_ = other.layout_;
  tokens_read_ = other.tokens_read_;
  tokens_hash_ = other.tokens_hash_;
  lost_ = other.lost_ || !copied;
  return *this;
}

Result<PartView> State::part(size_t index) const {
  const auto slot = static_cast<ops::SlotId>(index);
  const ops::Slot& one = layout_->slots[index];
  const bool grows = one.growth == ops::Growth::growing;
  const auto bytes = static_cast<size_t>(one.bytes() * (grows ? memory_->rows(slot) : 1));
  if (const auto view = memory_->view(slot); view.size() == bytes) return PartView(view);
  std::vector<std::byte> copy(bytes);
  SK_TRY_STATUS(grows ? memory_->read_rows(slot, 0, copy) : memory_->read(slot, copy));
  return PartView(std::move(copy));
}

uint64_t tokens_hash_after(uint64_t hash, std::span<const int32_t> tokens) {
  // FNV-1a over whole ids: enough to tell two histories of one length apart, not a signature.
  constexpr uint64_t kPrime = 0x100000001b3;
  for (const int32_t token : tokens) hash = (hash ^ (static_cast<uint64_t>(token) + 1)) * kPrime;
  return hash;
}

void State::note(std::span<const int32_t> tokens) {
  tokens_hash_ = tokens_hash_after(tokens_hash_, tokens);
  tokens_read_ += tokens.size();
}

void State::set_history(uint64_t tokens_read, uint64_t tokens_hash) {
  tokens_read_ = tokens_read;
  tokens_hash_ = tokens_hash;
}

bool State::operator==(const State& other) const {
  if (!layout_->fits(*other.layout_)) return false;
  for (size_t i = 0; i < layout_->slots.size(); ++i) {
    const auto mine = part(i), theirs = other.part(i);
    if (!mine || !theirs || !std::ranges::equal(mine->bytes(), theirs->bytes())) return false;
  }
  return true;
}

}  // namespace skein
