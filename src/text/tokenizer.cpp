#include "text/tokenizer.h"

#include <algorithm>

namespace skein::text {

TokenTexts::TokenTexts(std::span<const Entry> entries, int32_t size) {
  begin_.reserve(static_cast<size_t>(size) + 1);
  size_t next = 0;
  for (int32_t id = 0; id < size; ++id) {
    begin_.push_back(static_cast<uint32_t>(bytes_.size()));
    if (next < entries.size() && entries[next].id == id) bytes_ += entries[next++].bytes;
  }
  begin_.push_back(static_cast<uint32_t>(bytes_.size()));
}

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids, Special special) const {
  std::string out;
  for (size_t n = 0; n < ids.size(); ++n) {
    if (ids[n] < 0 || ids[n] >= size())
      return fail(Code::argument,
                  "token {} of the list is id {}, and the {} vocabulary has ids 0 to {}", n, ids[n],
                  name(), size() - 1);
    out += special == Special::as_token ? shown(ids[n]) : bytes_of(ids[n]);
  }
  return out;
}

bool Tokenizer::is_end(int32_t id) const {
  return std::find(special_.ends.begin(), special_.ends.end(), id) != special_.ends.end();
}

int32_t Tokenizer::special_id(std::string_view name) const {
  for (const auto& [known, id] : special_.tokens)
    if (known == name) return id;
  return -1;
}

std::string_view Tokenizer::special_name(int32_t id) const {
  for (const auto& [name, known] : special_.tokens)
    if (known == id) return name;
  return {};
}

}  // namespace skein::text
