// What a model file holds, in the container's own names: the hand-over from io (which reads bytes
// and knows no architecture) to arch/names (which knows names and reads no bytes).
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace skein {

// Numbers that no file holds as they are: a merged adapter, an inverted transform. Computed when
// they are read, so that a model of any size needs memory for what is being read only.
class ComputedTensor {
 public:
  virtual ~ComputedTensor() = default;
  virtual int64_t elements() const = 0;
  // The row-major elements [first, first + out.size()). Callers keep inside elements(), and several
  // threads may call at the same time.
  virtual Status read(int64_t first, std::span<float> out) const = 0;
};

// In which order a storage holds the numbers of a matrix.
enum class Layout : uint8_t {
  rows,      // row-major
  panels16,  // as the CPU reads them: panels of 16 rows, [panel][width][16], the last filled with 0
  codes16,   // the same for block types: panels of quant/panels.h
};

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
  Layout layout = Layout::rows;
  // In panels: the width of the matrix in the storage. Shape, strides and offset are those of a
  // view of that matrix in row-major order, whatever the layout, so that views compose.
  int64_t panel_width = 0;
  // Takes the place of `storage`, which is then empty; dtype is a plain type that holds the
  // numbers.
  std::shared_ptr<const ComputedTensor> computed{};
  // Where dtype is `unread`: what the file calls its type ("U32", "type 40"). `storage` is then
  // what the file gives it, of whatever size, and nothing decodes it.
  std::string unread_type{};

  // The name of its type, for people.
  std::string_view type_name() const {
    return dtype == DType::unread ? std::string_view(unread_type) : dtype_name(dtype);
  }

  // A tensor of what `numbers` computes, in row-major order.
  static StoredTensor of(std::string name, const Shape& shape,
                         std::shared_ptr<const ComputedTensor> numbers, DType dtype = DType::f32);

  // Its numbers stand one after the other from the start of the storage.
  bool contiguous() const {
    return layout == Layout::rows && offset == 0 && strides == shape.contiguous_strides();
  }
  StoredTensor transposed() const;               // last two axes swapped
  StoredTensor reshaped(const Shape& to) const;  // contiguous ones only; else SK_CHECK
  StoredTensor row(int64_t index) const;         // the part at `index` of the first axis
};

// A value of a file's metadata (GGUF key/value pairs, safetensors __metadata__).
using MetaVariant = std::variant<bool, int64_t, uint64_t, double, std::string, std::vector<bool>,
                                 std::vector<int64_t>, std::vector<uint64_t>, std::vector<double>,
                                 std::vector<std::string>>;
// The variant, copied safely: when copying one of such types throws, libstdc++ up to 12 at least
// destroys what was never made.
class MetaValue : public MetaVariant {
 public:
  using MetaVariant::MetaVariant;
  MetaValue() = default;
  MetaValue(const MetaValue& other)
      : MetaVariant(std::visit([](const auto& held) { return MetaVariant(held); },
                               static_cast<const MetaVariant&>(other))) {}
  MetaValue(MetaValue&&) noexcept = default;
  MetaValue& operator=(const MetaValue& other) { return *this = MetaValue(other); }
  MetaValue& operator=(MetaValue&&) noexcept = default;
  using MetaVariant::operator=;
};
using Metadata = std::map<std::string, MetaValue, std::less<>>;

enum class Format { pth_zip, pth_legacy, safetensors, gguf, ggmf, packed };
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
