// The World vocabulary as its official file has it: the other direction of open_tokenizer().
#pragma once

#include <string>
#include <string_view>

#include "text/tokenizer.h"

namespace skein::text {

// A line for each token, "id literal length", the literal as Python's repr writes it: of a str
// where the bytes are UTF-8, else of bytes. Error: unsupported (no World vocabulary), with `name`
// in front.
Result<std::string> world_text(const Tokenizer& tokenizer, std::string_view name);

}  // namespace skein::text
