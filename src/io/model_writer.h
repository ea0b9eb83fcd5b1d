// Writes models, streaming: of the weights no more than one block of rows is in memory at a time.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// A tensor as it will stand in the file.
struct OutputTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  // Written one after the other, each in row-major order: together they are the tensor. A part of
  // the same type that is contiguous is copied byte for byte; any other is read as f32 and encoded,
  // to nearest even.
  std::vector<StoredTensor> parts{};
  // panels16 is for packed files, and there for matrices of f32, f16 and bf16; codes16 for those of
  // block types that have such panels.
  Layout layout = Layout::rows;
};

enum class WriteFormat { pth, safetensors, gguf, packed };

struct WriteOptions {
  // Bytes written and in all, a few times a second; false gives up with Code::io, "interrupted".
  std::function<bool(uint64_t done, uint64_t total)> progress{};
  // Asked when all is written and before the file gets its name: false means that what was read may
  // not be what the sources held (Code::io), and nothing is left.
  std::function<bool()> intact{};
  bool overwrite = false;  // otherwise a file that is there already is an error
  int threads = 0;         // that encode, as thread_count() reads it; the bytes do not depend on it
  bool as_list = false;    // pth: a list of tensors without their names, as state files are
  // pth: sizes and offsets from here on are written as zip64. For tests, which have no 4 GiB.
  uint64_t zip64_from = UINT32_MAX;
};

// What a format cannot hold is Code::argument and names the tensor or the key:
//   pth          F32 F16 BF16 F64 I64 I32 I16 I8 U8 BOOL. Metadata has no place and is left out.
//   safetensors  the same types, four axes at most. Metadata becomes strings: numbers as text;
//                lists are refused.
//   gguf         version 3, F32 F16 BF16 and the block types, four axes. Integers become u32, or
//                i32 where they are negative, or 64 bits where they do not fit, all of a list
//                alike; reals become f32: the types that llama.cpp asks for.
//   packed       every type; see docs/formats.md. Metadata stays as it is.
// A block type needs parts whose rows (the last axis) are whole blocks.

// Bytes that write_model would write, exactly, without reading a weight. Errors: argument.
Result<uint64_t> written_size(WriteFormat format, std::span<const OutputTensor> tensors,
                              const Metadata& metadata, const WriteOptions& options = {});

// Writes beside the place that `path` leads to, syncs, renames: a reader sees the old file, or
// none, or the whole new one, and every error leaves nothing behind. A pipe or a device is written
// as the bytes come (base/file_writer.h). Errors: argument (above); io (no space, a place that
// cannot be written, interrupted); those of reading the parts.
Status write_model(const std::filesystem::path& path, WriteFormat format,
                   std::span<const OutputTensor> tensors, const Metadata& metadata,
                   const WriteOptions& options = {});

// "pth", "safetensors", "gguf", "packed", and the endings that people give such files (".pth",
// ".st", ".safetensors", ".gguf", ".skein"). False for anything else.
bool write_format_from(std::string_view name, WriteFormat& out);

}  // namespace skein::io
