#include "text/tokenizer.h"
#include "text/vocab_json.h"

namespace skein::text {

Result<TokenizerPtr> open_tokenizer(std::span<const std::byte> bytes, std::string_view file_name) {
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  const size_t start = text.find_first_not_of(" \t\r\n");
  if (start == std::string_view::npos || text[start] != '{')
    return world_from_vocab_file(bytes, file_name);
  SK_TRY(const Json root, parse_vocab_json(bytes, file_name));
  return root.find("model") ? bpe_from_object(root, file_name) : world_from_object(root, file_name);
}

}  // namespace skein::text
