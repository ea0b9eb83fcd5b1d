// Blocks of one size, cut from large buffers, so that hundreds of them lie on huge pages.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "base/turn.h"
#include "tensor/buffer.h"

namespace skein {

// Any thread may take and give. Blocks end with their slabs.
class Slabs {
 public:
  explicit Slabs(size_t block_bytes);  // rounded up to cache lines
  Slabs(const Slabs&) = delete;
  Slabs& operator=(const Slabs&) = delete;

  // Aligned to a cache line, with whatever stood in it before. Errors: memory; argument, in a
  // process that was forked while another thread was in here.
  Result<std::byte*> take();
  // What nobody uses any more goes back to the system, but for one slab with room.
  void give(std::byte* block);

  size_t block_bytes() const { return block_; }
  // Blocks together take whole ones of these.
  size_t page_bytes() const { return Buffer::page(blocks_in_a_slab() * block_); }
  // Of address space; pages that no block ever touched take no memory.
  size_t mapped_bytes() const;

 private:
  struct Slab {
    Buffer memory;
    size_t blocks = 0;
    std::vector<uint32_t> free;  // room for all of them, so that giving one back cannot fail
  };
  size_t blocks_in_a_slab() const;
  Status add_slab();
  bool has_room_beside(const Slab& slab) const;

  size_t block_;
  mutable Turn turn_;
  std::vector<Slab> slabs_;
};

}  // namespace skein
