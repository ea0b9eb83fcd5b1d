// Opens a model file of any kind. Untrusted bytes stop here: what comes out has been checked as
// tensor/stored.h promises, and the weights themselves are neither read nor copied.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// Reads the container in `file`, whose kind its content decides. The tensors, and nothing else,
// are views into `file`, which has to outlive them; they may stand at any alignment.
// Memory: at most 64 MiB plus four times the file's header. Errors name `file_name`: corrupt,
// unsupported, mismatch (a ggmf whose tensors are not what its header says).
// Names are without what wrappers put into them (wrappers.h).
Result<Container> read_container(std::span<const std::byte> file, std::string_view file_name);

// The same with the names that stand in the file, which an index of shards lists.
Result<Container> read_container_as_is(std::span<const std::byte> file, std::string_view file_name);

// What reading leaves out because it would touch every byte: the checksums of a zip's entries and
// of the tensors of a packed file. The other formats have none.
Status verify_container(std::span<const std::byte> file, const Container& container,
                        std::string_view file_name);

}  // namespace skein::io
