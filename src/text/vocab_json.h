// Vocabularies in JSON: parsed once, then told apart. Private to src/text.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>

#include "base/json.h"
#include "text/tokenizer.h"

namespace skein::text {

// An object, or an error that names the file.
Result<Json> parse_vocab_json(std::span<const std::byte> bytes, std::string_view file_name);

Result<TokenizerPtr> world_from_object(const Json& root, std::string_view file_name);
Result<TokenizerPtr> bpe_from_object(const Json& root, std::string_view file_name);

}  // namespace skein::text
