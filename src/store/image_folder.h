// Snapshots as files of a folder, one each, named by their nodes' ids (framed_image.h). A file that
// is cut, damaged or another node's is found out; nothing else is trusted to say so.
#pragma once

#include <filesystem>
#include <memory>

#include "store/tables.h"

namespace skein::store {

// The folder is made when it is not there. Error: io.
Result<std::unique_ptr<Images>> image_folder(const std::filesystem::path& folder);

}  // namespace skein::store
