#include "text/tokenizer.h"

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

Result<std::string> Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string out;
  for (size_t n = 0; n < ids.size(); ++n) {
    if (ids[n] < 0 || ids[n] >= size())
      return fail(Code::argument,
                  "token {} of the list is id {}, and the {} vocabulary has ids 0 to {}", n, ids[n],
                  name(), size() - 1);
    out += bytes_of(ids[n]);
  }
  return out;
}

}  // namespace skein::text
