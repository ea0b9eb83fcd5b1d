#include "text/vocab_json.h"

#include "base/limits.h"

namespace skein::text {

Result<Json> parse_vocab_json(std::span<const std::byte> bytes, std::string_view file_name) {
  const std::string name = escaped(file_name);
  std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  if (text.starts_with("\xef\xbb\xbf")) text.remove_prefix(3);
  auto json = parse_json(text, limits::kVocabFileBytes);
  if (!json) return fail(json.error().code, "{}: {}", name, json.error().message);
  if (!json->object()) return fail(Code::corrupt, "{}: not a JSON object", name);
  return json;
}

}  // namespace skein::text
