// What a model file holds, in the container's own names: the hand-over from io (which reads bytes
// and knows no architecture) to arch/names (which knows names and reads no bytes).
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace skein {

// A tensor somewhere in a mapped file. Never owns its bytes. Readers guarantee that `storage` lies
// inside the file, that it is whole blocks, and that every element reached by offset, shape and
// strides lies inside it.
struct StoredTensor {
  std::string name;
  DType dtype = DType::f32;
  Shape shape;
  // In elements of the (decoded) storage. For block types the storage is decoded as a whole, so a
  // transposed view of a quantised matrix is expressible too.
  Shape strides;
  int64_t offset = 0;
  std::span<const std::byte> storage;

  bool contiguous() const { return offset == 0 && strides == shape.contiguous_strides(); }
  StoredTensor transposed() const;               // last two axes swapped
  StoredTensor reshaped(const Shape& to) const;  // contiguous ones only; else SK_CHECK
  StoredTensor row(int64_t index) const;         // the part at `index` of the first axis
};

// A value of a file's metadata (GGUF key/value pairs, safetensors __metadata__).
using MetaValue = std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<bool>,
                               std::vector<int64_t>, std::vector<uint64_t>, std::vector<double>,
                               std::vector<std::string>>;
using Metadata = std::map<std::string, MetaValue, std::less<>>;

enum class Format { pth_zip, pth_legacy, safetensors, gguf, ggmf };
// ".pth (zip)", "GGUF" ...: for people.
std::string_view format_name(Format format);

struct Container {
  Format format = Format::pth_zip;
  int version = 0;    // GGUF 2 or 3, ggmf 100 or 101, otherwise 0
  bool list = false;  // a .pth that holds a list: a state file, tensors named "0", "1" ...
  std::vector<StoredTensor> tensors;  // names are unique
  Metadata metadata;  // ggmf: its header as n_vocab, n_embed, n_layer, data_type (int64)
  std::vector<std::string> notes;  // what was ignored and why, for `inspect` and the log
};

}  // namespace skein
