// What a family of formats hands to formats.cpp. Private to quant.
#pragma once

#include <cstddef>
#include <cstring>

namespace skein::quant {

// Both return how many blocks went well, `count` when all did. A decoder stops at a scale that is
// not finite and at a number that F32 cannot hold; an encoder at a number that is too large, and of
// block types at one that is not finite or has no finite scale.
using DecodeBlocks = size_t (*)(const std::byte* blocks, size_t count, float* out);
using EncodeBlocks = size_t (*)(const float* values, size_t count, std::byte* blocks);

// Blocks in a file stand at any address, hence the copy, which compiles to plain loads.
template <typename Block, int kElements, bool (*kDecode)(const Block&, float*)>
size_t decode_each(const std::byte* blocks, size_t count, float* out) {
  for (size_t i = 0; i < count; ++i) {
    Block block;
    std::memcpy(&block, blocks + i * sizeof(Block), sizeof(Block));
    if (!kDecode(block, out + i * kElements)) return i;
  }
  return count;
}

template <typename Block, int kElements, bool (*kEncode)(const float*, Block&)>
size_t encode_each(const float* values, size_t count, std::byte* blocks) {
  for (size_t i = 0; i < count; ++i) {
    Block block;
    if (!kEncode(values + i * kElements, block)) return i;
    std::memcpy(blocks + i * sizeof(Block), &block, sizeof(Block));
  }
  return count;
}

}  // namespace skein::quant
