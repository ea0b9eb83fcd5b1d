#include "text/utf8_stream.h"

#include "base/utf8.h"

namespace skein::text {
namespace {

constexpr std::string_view kReplacement = "\xef\xbf\xbd";

// Length of the longest beginning of `bytes` that could have become a character, at least 1.
size_t broken_length(std::string_view bytes) {
  size_t length = 1;
  while (length < bytes.size() && utf8_incomplete(bytes.substr(0, length + 1))) ++length;
  return length;
}

}  // namespace

std::string Utf8Stream::push(std::string_view bytes) {
  tail_ += bytes;
  std::string_view rest = tail_;
  std::string out;
  while (!rest.empty() && !utf8_incomplete(rest)) {
    size_t length = utf8_length(rest);
    if (length > 0) {
      out += rest.substr(0, length);
    } else {
      out += kReplacement;
      length = broken_length(rest);
    }
    rest.remove_prefix(length);
  }
  tail_.erase(0, tail_.size() - rest.size());
  return out;
}

std::string Utf8Stream::flush() {
  const std::string out(tail_.empty() ? std::string_view() : kReplacement);
  tail_.clear();
  return out;
}

}  // namespace skein::text
