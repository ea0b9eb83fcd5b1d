// The files of models, adapters and vocabularies that this process has read. Nothing else that it
// writes may come in their place: whoever says so by mistake would lose what cannot be made again.
#pragma once

#include <sys/types.h>

#include <filesystem>

namespace skein {

// A file that is not there is none.
void remember_input(const std::filesystem::path& path);
bool is_input(dev_t device, ino_t inode);
bool is_input(const std::filesystem::path& path);

}  // namespace skein
