#include "tensor/slabs.h"

#include <algorithm>

#include "base/check.h"

namespace skein {
namespace {

constexpr size_t kCacheLine = 64;
constexpr size_t kSlabBytes = size_t{64} << 20;
constexpr size_t kMostBlocks = 64;  // in a slab: small ones need no large stretch

}  // namespace

Slabs::Slabs(size_t block_bytes)
    : block_((std::max<size_t>(block_bytes, 1) + kCacheLine - 1) / kCacheLine * kCacheLine) {}

size_t Slabs::blocks_in_a_slab() const {
  return std::clamp<size_t>(kSlabBytes / block_, 1, kMostBlocks);
}

Status Slabs::add_slab() {
  size_t blocks = blocks_in_a_slab();
  Result<Buffer> memory = Buffer::make(blocks * block_);
  if (!memory && blocks > 1) {  // address space may be scarce where memory is not
    blocks = 1;
    memory = Buffer::make(block_);
  }
  if (!memory) return tl::unexpected(memory.error());
  Slab slab = {.memory = std::move(*memory), .blocks = blocks, .free = {}};
  slab.free.reserve(blocks);
  for (size_t i = blocks; i > 0; --i) slab.free.push_back(static_cast<uint32_t>(i - 1));
  slabs_.push_back(std::move(slab));
  return {};
}

Result<std::byte*> Slabs::take() {
  SK_TRY(const Turn::Held turn, turn_.take("the memory of states"));
  // The first with room, so that those behind it become empty.
  auto slab =
      std::find_if(slabs_.begin(), slabs_.end(), [](const Slab& one) { return !one.free.empty(); });
  if (slab == slabs_.end()) {
    SK_TRY_STATUS(add_slab());
    slab = std::prev(slabs_.end());
  }
  const size_t index = slab->free.back();
  slab->free.pop_back();
  return slab->memory.data() + index * block_;
}

bool Slabs::has_room_beside(const Slab& slab) const {
  return std::any_of(slabs_.begin(), slabs_.end(),
                     [&](const Slab& one) { return &one != &slab && !one.free.empty(); });
}

void Slabs::give(std::byte* block) {
  // A forked child that cannot know what is free keeps the block: memory, but no wrong number.
  const auto turn = turn_.take("the memory of states");
  if (!turn) return;
  const auto slab = std::find_if(slabs_.begin(), slabs_.end(), [&](const Slab& one) {
    return block >= one.memory.data() && block < one.memory.data() + one.memory.size();
  });
  SK_CHECK(slab != slabs_.end());
  slab->free.push_back(
      static_cast<uint32_t>(static_cast<size_t>(block - slab->memory.data()) / block_));
  if (slab->free.size() == slab->blocks && has_room_beside(*slab)) {
    std::swap(*slab, slabs_.back());
    slabs_.pop_back();
  }
}

size_t Slabs::mapped_bytes() const {
  const auto turn = turn_.take("the memory of states");
  size_t bytes = 0;
  if (turn)
    for (const Slab& slab : slabs_) bytes += slab.memory.size();
  return bytes;
}

}  // namespace skein
