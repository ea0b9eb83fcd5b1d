// A field that holds texts, ids, or lists of either, as token ids.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "server/fields.h"
#include "server/served.h"

namespace skein::server {

struct PromptField {
  std::string_view name;
  size_t most = 0;           // prompts in it
  bool may_be_empty = true;  // an empty one is then the id that ends a text
};

// Texts are what they are, without an id in front of them, unless `prepend_eod` or `add_bos` asks
// for one. What is wrong is refused in `fields`.
std::vector<std::vector<int32_t>> read_prompts(const Served& served, Fields& fields,
                                               const PromptField& field);

}  // namespace skein::server
