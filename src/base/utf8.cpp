#include "base/utf8.h"

namespace skein {
namespace {

struct Lead {
  size_t length;              // of the whole character, 0: not a lead byte
  unsigned char second_low;   // allowed range of the second byte, which is where overlong forms,
  unsigned char second_high;  // surrogates and numbers above U+10FFFF show
};

Lead lead_of(unsigned char byte) {
  if (byte < 0x80) return {1, 0, 0};
  if (byte >= 0xc2 && byte <= 0xdf) return {2, 0x80, 0xbf};
  if (byte == 0xe0) return {3, 0xa0, 0xbf};
  if (byte == 0xed) return {3, 0x80, 0x9f};
  if (byte >= 0xe1 && byte <= 0xef) return {3, 0x80, 0xbf};
  if (byte == 0xf0) return {4, 0x90, 0xbf};
  if (byte >= 0xf1 && byte <= 0xf3) return {4, 0x80, 0xbf};
  if (byte == 0xf4) return {4, 0x80, 0x8f};
  return {0, 0, 0};
}

// How many leading bytes fit the pattern that the first one announces.
size_t matching(std::string_view bytes, const Lead& lead) {
  size_t n = 1;
  for (; n < lead.length && n < bytes.size(); ++n) {
    const auto byte = static_cast<unsigned char>(bytes[n]);
    const unsigned char low = n == 1 ? lead.second_low : 0x80;
    const unsigned char high = n == 1 ? lead.second_high : 0xbf;
    if (byte < low || byte > high) break;
  }
  return n;
}

}  // namespace

size_t utf8_length(std::string_view bytes) {
  if (bytes.empty()) return 0;
  const Lead lead = lead_of(static_cast<unsigned char>(bytes[0]));
  if (lead.length == 0 || matching(bytes, lead) < lead.length) return 0;
  return lead.length;
}

bool utf8_incomplete(std::string_view bytes) {
  if (bytes.empty()) return false;
  const Lead lead = lead_of(static_cast<unsigned char>(bytes[0]));
  return lead.length > bytes.size() && matching(bytes, lead) == bytes.size();
}

}  // namespace skein
