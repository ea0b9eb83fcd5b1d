// A naming as rows of names, read in both directions.
#pragma once

#include <functional>
#include <span>
#include <string_view>
#include <vector>

#include "arch/names/names.h"

namespace skein::arch::names {

enum class Form : uint8_t {
  plain,
  transposed,  // the last two axes are swapped
  three_axes,  // a vector that is written as [1, 1, D]
};

// One tensor. Where the container stacks several official vectors along a first axis, `official`
// has their names with spaces between. Names in a layer are what follows its prefix. Of rows with
// the same official name the first is the one that is written.
struct Row {
  std::string_view foreign;
  std::string_view official;
  Form form = Form::plain;
};

struct Table {
  std::string_view layer_prefix;               // "blk."
  std::vector<std::span<const Row>> top;       // whole names
  std::vector<std::span<const Row>> in_layer;  // "blk.3." <foreign> is "blocks.3." <official>
};

// What a naming does besides its rows: true if it took care of the tensor.
using Special = std::function<Result<bool>(const StoredTensor& tensor, int64_t layer,
                                           std::string_view local, NamedTensors& out)>;

// Errors: mismatch. Unknown tensors keep their names.
Result<NamedTensors> read_names(const Container& container, const Table& table,
                                std::string_view file_name, const Special& special = {});

// Error: unsupported (a tensor without a row).
Result<std::vector<ForeignTensor>> write_names(const NamedTensors& tensors, const Table& table,
                                               std::string_view title);

// Puts a tensor under its official name. Error: mismatch (another one is there already).
Status put(std::string official, StoredTensor tensor, std::string_view file_name,
           NamedTensors& out);

// The tensor without the axes of length 1 that it has beyond those of its official shape: a matrix
// becomes one, a stack of matrices keeps its three axes however short they are. Vectors are
// compared by count and may keep two.
StoredTensor squeezed(const StoredTensor& tensor, std::string_view official);

// With the last two axes swapped, of which a container may have left out one of length 1.
StoredTensor turned(StoredTensor tensor);

}  // namespace skein::arch::names
