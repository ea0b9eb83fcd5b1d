// A bounds-checked little-endian reader over untrusted bytes. It is sticky: after the first read
// beyond the end every further read gives zeros, so a parser reads a record and checks ok() once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>
#include <type_traits>
#include <vector>

namespace skein {

class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  bool ok() const { return ok_; }
  size_t offset() const { return at_; }
  size_t left() const { return bytes_.size() - at_; }

  template <typename T>
  T number() {
    static_assert(std::is_arithmetic_v<T>);
    T value{};
    const auto raw = bytes(sizeof(T));
    if (!raw.empty()) std::memcpy(&value, raw.data(), sizeof(T));
    return value;
  }

  uint8_t u8() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  uint32_t u32() { return number<uint32_t>(); }
  int32_t i32() { return number<int32_t>(); }
  uint64_t u64() { return number<uint64_t>(); }
  int64_t i64() { return number<int64_t>(); }

  // The next `count` bytes, without copying; empty if there are fewer.
  std::span<const std::byte> bytes(uint64_t count) {
    if (!ok_ || count > left()) {
      ok_ = false;
      return {};
    }
    const auto out = bytes_.subspan(at_, static_cast<size_t>(count));
    at_ += static_cast<size_t>(count);
    return out;
  }

  std::string_view text(uint64_t count) {
    const auto raw = bytes(count);
    return {reinterpret_cast<const char*>(raw.data()), raw.size()};
  }

  // `count` numbers; none if there are fewer.
  template <typename T>
  std::vector<T> array(uint64_t count) {
    static_assert(std::is_arithmetic_v<T>);
    std::vector<T> out;
    const auto raw = bytes(count > left() / sizeof(T) ? UINT64_MAX : count * sizeof(T));
    out.resize(raw.size() / sizeof(T));
    if (!out.empty()) std::memcpy(out.data(), raw.data(), raw.size());
    return out;
  }

  void skip(uint64_t count) { bytes(count); }

  void seek(uint64_t offset) {
    if (!ok_ || offset > bytes_.size()) {
      ok_ = false;
      return;
    }
    at_ = static_cast<size_t>(offset);
  }

 private:
  std::span<const std::byte> bytes_;
  size_t at_ = 0;
  bool ok_ = true;
};

}  // namespace skein
