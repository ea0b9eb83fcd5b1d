// What has to hold for every input, beyond not crashing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <set>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tensor/stored.h"

extern "C" size_t LLVMFuzzerMutate(uint8_t* data, size_t size, size_t max_size);

namespace skein::fuzz {

inline void require(bool holds) {
  if (!holds) __builtin_trap();
}

inline std::span<const std::byte> bytes_of(const uint8_t* data, size_t size) {
  return std::as_bytes(std::span(data, size));
}

// What is wrong with a refusal, or nothing: it is one line of printable text and blames the file.
inline std::string error_problem(const Error& error) {
  if (error.message.empty() || error.message.size() >= 2000)
    return fmt::format("a message of {} bytes", error.message.size());
  if (escaped(error.message, SIZE_MAX) != error.message) return "a message that is not printable";
  if (error.code != Code::corrupt && error.code != Code::unsupported &&
      error.code != Code::mismatch)
    return fmt::format("the code {} does not blame the file: {}", code_name(error.code),
                       error.message);
  return {};
}
inline void check_error(const Error& error) { require(error_problem(error).empty()); }

// What tensor/stored.h promises: every element of every tensor inside the file.
inline std::string container_problem(const Container& container, std::span<const std::byte> file) {
  std::set<std::string_view> names;
  for (const StoredTensor& tensor : container.tensors) {
    const auto problem = [&](const char* what) {
      return fmt::format("tensor {}: {}", escaped(tensor.name), what);
    };
    if (tensor.name.empty() || !names.insert(tensor.name).second) return problem("its name");
    if (!tensor.storage.empty() &&
        (tensor.storage.data() < file.data() ||
         tensor.storage.data() + tensor.storage.size() > file.data() + file.size()))
      return problem("outside the file");
    if (tensor.shape.rank() != tensor.strides.rank() || tensor.offset < 0)
      return problem("strides or offset");
    if (tensor.dtype == DType::unread) continue;  // of whatever size: nothing reads it
    const BlockSize block = block_size(tensor.dtype);
    if (tensor.storage.size() % static_cast<size_t>(block.bytes) != 0)
      return problem("part of a block");
    const auto stored = static_cast<__int128>(tensor.storage.size()) / block.bytes * block.elements;
    __int128 last = tensor.offset;
    bool empty = false;
    for (int axis = 0; axis < tensor.shape.rank(); ++axis) {
      if (tensor.shape[axis] < 0 || tensor.strides[axis] < 0) return problem("a negative axis");
      empty = empty || tensor.shape[axis] == 0;
      last += static_cast<__int128>(tensor.shape[axis] - 1) * tensor.strides[axis];
    }
    if (empty ? tensor.offset > stored : last >= stored) return problem("beyond its storage");
  }
  return {};
}

inline void check_container(const Container& container, std::span<const std::byte> file) {
  require(container_problem(container, file).empty());
}

inline void check_answer(const Result<Container>& answer, std::span<const std::byte> file) {
  if (answer)
    check_container(*answer, file);
  else
    check_error(answer.error());
}

// Mutates at random, then most of the time puts `prefix` back, without which nothing deeper than
// the first comparison is ever reached.
inline size_t mutate_behind(std::string_view prefix, uint8_t* data, size_t size, size_t max_size,
                            unsigned seed) {
  size = LLVMFuzzerMutate(data, size, max_size);
  if (seed % 8 != 0 && size >= prefix.size()) std::memcpy(data, prefix.data(), prefix.size());
  return size;
}

}  // namespace skein::fuzz
