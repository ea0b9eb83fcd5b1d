// Bytes of tokens in, whole characters out. A character may be spread over several tokens.
#pragma once

#include <string>
#include <string_view>

namespace skein::text {

// However the bytes are cut, the pieces add up to the same text, each of them valid UTF-8.
class Utf8Stream {
 public:
  // The characters that `bytes` completes. A character that may still be completed waits; each
  // longest piece that cannot be one any more becomes U+FFFD.
  std::string push(std::string_view bytes);

  // At the end of the text: U+FFFD for a character that was never completed, otherwise nothing.
  std::string flush();

  // Bytes that wait, at most three.
  std::string_view pending() const { return tail_; }

 private:
  std::string tail_;
};

}  // namespace skein::text
