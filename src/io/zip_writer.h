// A zip archive as torch.save writes it: stored entries whose data stands at multiples of 64.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "io/sink.h"

namespace skein::io {

class ZipWriter {
 public:
  // Numbers from `zip64_from` on get 64 bits.
  ZipWriter(Sink& sink, uint64_t zip64_from) : sink_(sink), zip64_from_(zip64_from) {}

  Status add(std::string_view name, std::span<const std::byte> data);
  // An entry of `size` bytes, which `data` appends to the sink; it gives their CRC-32.
  Status add(std::string_view name, uint64_t size, const std::function<Result<uint32_t>()>& data);
  // The directory and its end records.
  Status finish();

 private:
  bool wide(uint64_t number) const { return number >= zip64_from_; }

  Sink& sink_;
  uint64_t zip64_from_;
  Bytes directory_;
  uint64_t entries_ = 0;
};

}  // namespace skein::io
