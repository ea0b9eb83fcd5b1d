// F3: the JSON files of a folder: an index of shards and a config.json. The first byte chooses.
#include <string_view>

#include "base/limits.h"
#include "fuzz/oracle.h"
#include "io/hf_json.h"

using skein::fuzz::require;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const std::string_view json(reinterpret_cast<const char*>(data + 1), size - 1);
  if (data[0] % 2 == 0) {
    const auto shards = skein::io::parse_shard_index(json);
    if (!shards) {
      skein::fuzz::check_error(shards.error());
      return 0;
    }
    require(!shards->empty() && shards->size() <= skein::limits::kTensors);
    for (const auto& [tensor, file] : *shards) {
      require(!tensor.empty() && !file.empty() && file != "." && file != "..");
      require(file.find_first_of(std::string_view("/\\\0", 3)) == std::string::npos);
    }
  } else {
    const auto config = skein::io::parse_config(json);
    if (!config) {
      skein::fuzz::check_error(config.error());
      return 0;
    }
    for (const auto& [key, value] : *config) require(key.starts_with("config."));
  }
  return 0;
}
