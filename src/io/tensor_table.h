// What every reader checks in the same way: a tensor's name, its size, and how many there are.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// Bytes of a contiguous tensor. Error: corrupt, naming the tensor, where an axis or the product is
// out of range or a row is not a whole number of blocks.
Result<uint64_t> tensor_bytes(std::string_view name, DType type, std::span<const int64_t> axes);

// Collects tensors under names that are unique, printable and short.
class TensorTable {
 public:
  Status add(StoredTensor tensor);
  bool has(std::string_view name) const { return names_.contains(std::string(name)); }
  std::span<const StoredTensor> tensors() const { return tensors_; }
  std::vector<StoredTensor> take() && { return std::move(tensors_); }

 private:
  std::vector<StoredTensor> tensors_;
  std::unordered_set<std::string> names_;
};

// Error: corrupt, for a name that is empty, too long or has control bytes. `what` is "a tensor".
Status check_name(std::string_view what, std::string_view name);

// "more than the limit of ..." for a file that is whole but larger than we accept.
tl::unexpected<Error> above_limit(std::string_view what, uint64_t count, uint64_t limit);

}  // namespace skein::io
