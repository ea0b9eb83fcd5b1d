// From the names a container uses to the official ones. One file per naming.
#pragma once

#include <string>
#include <string_view>

#include "arch/architecture.h"

namespace skein::arch::names {

struct Naming {
  const char* title;  // "official", "Hugging Face fla" ...
  bool (*matches)(const Container& container);
  // Errors: mismatch (a tensor of the wrong rank for its transform). Tensors that the naming does
  // not know keep their names; the caller reports them.
  Result<NamedTensors> (*translate)(const Container& container, std::string_view file_name);
};

// The naming of an RWKV-7 file, or nullptr.
const Naming* find_rwkv7_naming(const Container& container);

// Whether the container has a tensor of this name.
bool has(const Container& container, std::string_view name);
// The metadata string `key`, or empty.
std::string_view text_of(const Container& container, std::string_view key);
// Splits "<prefix><number>.<rest>". False if `name` is not like that.
bool split_layer(std::string_view name, std::string_view prefix, int64_t& layer,
                 std::string_view& rest);

extern const Naming kOfficial;
extern const Naming kWebRwkv7;
extern const Naming kFla7;
extern const Naming kGguf7;
extern const Naming kGgmf7;

}  // namespace skein::arch::names
