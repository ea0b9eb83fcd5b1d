// Reads a pickle, Python's program for a stack machine, as plain data. A closed list of opcodes
// and of names is understood; everything else is refused, and nothing in a file ever leads to a
// call. There is no other way to read a pickle here and no fall-back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "tensor/dtype.h"
#include "tensor/shape.h"

namespace skein::io {

// What a value can be. `global` is an allowed name that has not been called; it means nothing as
// part of a result.
enum class PickleKind : uint8_t {
  none,
  boolean,
  integer,
  long_integer,
  real,
  text,
  tuple,
  list,
  dict,
  global,
  storage,
  tensor,
};

// A storage as a persistent id describes it. The bytes are the container's business.
struct PickleStorage {
  std::string_view key;  // decimal digits
  DType dtype = DType::f32;
  std::string_view type_name;  // what to call it, also where dtype is `unread`
  int64_t element_bytes = 4;
  int64_t elements = 0;
};

// The arguments of _rebuild_tensor_v2 or _v3, not yet checked against each other or the storage.
struct PickleTensor {
  uint32_t storage = 0;  // index into storages()
  // Its type and the bytes of an element, where those are not the storage's.
  std::string_view type_name{};
  int64_t element_bytes = 0;
  int64_t offset = 0;
  Shape size;
  Shape stride;
};

class Pickle {
 public:
  using Id = uint32_t;

  // Interprets the pickle at the beginning of `bytes`, which have to outlive the result; bytes
  // behind its STOP are left alone. Errors: corrupt with the byte, or unsupported with the name
  // of what is not allowed. Values nested deeper than limits::kPickleDepth, or inside themselves,
  // are corrupt.
  static Result<Pickle> read(std::span<const std::byte> bytes);

  size_t bytes_read() const { return bytes_read_; }
  Id root() const { return root_; }
  PickleKind kind(Id id) const { return nodes_[id].kind; }

  // Each is for ids of the kind it names.
  int64_t integer(Id id) const { return nodes_[id].integer; }
  bool boolean(Id id) const { return nodes_[id].integer != 0; }
  std::string_view text(Id id) const;
  std::span<const Id> items(Id id) const;  // of a tuple or list; of a dict: key, value, key, ...
  const PickleTensor& tensor(Id id) const { return tensors_[nodes_[id].index]; }
  std::span<const PickleStorage> storages() const { return storages_; }

  // The bytes of a long_integer, little-endian two's complement.
  std::span<const std::byte> long_integer(Id id) const;

 private:
  friend class PickleMachine;

  struct Range {
    uint32_t begin;
    uint32_t count;
  };
  // Sixteen bytes: two million opcodes may each make one.
  struct Node {
    PickleKind kind = PickleKind::none;
    bool ordered = false;  // dict: an OrderedDict, which may get a BUILD
    uint32_t index = 0;    // list, dict: containers_; storage, tensor: their vectors; global: which
    union {
      int64_t integer = 0;  // real: its bits, which nobody wants
      Range range;          // text, long_integer: of bytes_; tuple: of tuple_items_
    };
  };

  std::span<const std::byte> bytes_;
  size_t bytes_read_ = 0;
  Id root_ = 0;
  std::vector<Node> nodes_;
  std::vector<Id> tuple_items_;
  std::vector<std::vector<Id>> containers_;
  std::vector<PickleStorage> storages_;
  std::vector<PickleTensor> tensors_;
};

}  // namespace skein::io
