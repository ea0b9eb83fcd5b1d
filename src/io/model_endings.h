// How the names of models end: the one list.
#pragma once

#include <algorithm>
#include <iterator>
#include <string_view>

namespace skein::io {

// In the order in which a name without an ending is tried.
inline constexpr std::string_view kModelEndings[] = {".skein", ".gguf", ".safetensors",
                                                     ".st",    ".pth",  ".bin"};

// That of the name; empty if it ends like no model's.
inline std::string_view model_ending(std::string_view name) {
  const auto found = std::find_if(std::begin(kModelEndings), std::end(kModelEndings),
                                  [&](std::string_view ending) { return name.ends_with(ending); });
  return found == std::end(kModelEndings) ? std::string_view() : *found;
}

}  // namespace skein::io
