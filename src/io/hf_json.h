// The JSON files beside the weights of a Hugging Face folder: which shard has which tensor, and the
// configuration.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/error.h"
#include "tensor/stored.h"

namespace skein::io {

// From a tensor's name to the file that holds it, in the index's folder. A file's name has no path
// separators; there are at most limits::kShards of them.
using ShardMap = std::map<std::string, std::string, std::less<>>;

// The weight_map of an index. Errors: corrupt, unsupported (above a limit).
Result<ShardMap> parse_shard_index(std::string_view json);

// The members of a config.json that are scalars, or lists of integers or of strings, as
// "config.<name>". Errors: corrupt, unsupported (above a limit).
Result<Metadata> parse_config(std::string_view json);

}  // namespace skein::io
