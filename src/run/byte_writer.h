// Little-endian numbers and texts one after the other, as Reader (base/reader.h) takes them apart.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

namespace skein {

class ByteWriter {
 public:
  explicit ByteWriter(size_t bytes = 0) { out_.reserve(bytes); }
  void raw(std::span<const std::byte> bytes) {
    out_.insert(out_.end(), bytes.begin(), bytes.end());
  }
  void text(std::string_view text) { raw(std::as_bytes(std::span(text))); }
  template <typename T>
  void number(T value) {
    raw(std::as_bytes(std::span(&value, 1)));
  }
  // Its length, and the text.
  void name(std::string_view name) {
    number(static_cast<uint32_t>(name.size()));
    text(name);
  }
  std::vector<std::byte> take() { return std::move(out_); }

 private:
  std::vector<std::byte> out_;
};

}  // namespace skein
