#include "base/utf8.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace skein {
namespace {

TEST(Utf8, takes_every_character_and_nothing_else) {
  for (uint32_t c = 0; c <= 0x110000; c += c < 0x800 ? 1 : 7) {
    std::string text;
    if (c < 0x80) {
      text = {static_cast<char>(c)};
    } else if (c < 0x800) {
      text = {static_cast<char>(0xc0 | c >> 6), static_cast<char>(0x80 | (c & 63))};
    } else if (c < 0x10000) {
      text = {static_cast<char>(0xe0 | c >> 12), static_cast<char>(0x80 | (c >> 6 & 63)),
              static_cast<char>(0x80 | (c & 63))};
    } else {
      text = {static_cast<char>(0xf0 | c >> 18), static_cast<char>(0x80 | (c >> 12 & 63)),
              static_cast<char>(0x80 | (c >> 6 & 63)), static_cast<char>(0x80 | (c & 63))};
    }
    const bool valid = (c < 0xd800 || c > 0xdfff) && c <= 0x10ffff;
    EXPECT_EQ(utf8_length(text), valid ? text.size() : 0) << c;
    if (!valid) continue;
    for (size_t cut = 1; cut < text.size(); ++cut) {
      EXPECT_TRUE(utf8_incomplete(std::string_view(text).substr(0, cut))) << c;
      EXPECT_EQ(utf8_length(std::string_view(text).substr(0, cut)), 0u);
    }
    EXPECT_FALSE(utf8_incomplete(text));
  }
}

TEST(Utf8, overlong_forms_are_none) {
  for (const char* bytes :
       {"\xc0\x80", "\xc1\xbf", "\xe0\x80\x80", "\xe0\x9f\xbf", "\xf0\x80\x80\x80",
        "\xf0\x8f\xbf\xbf", "\xf5\x80\x80\x80", "\x80", "\xff"}) {
    EXPECT_EQ(utf8_length(bytes), 0u);
    EXPECT_FALSE(utf8_incomplete(bytes));
  }
}

TEST(Escaped, can_be_printed_whatever_it_was) {
  EXPECT_EQ(escaped("a\x1b[31m\n\xff"), "a\\x1b[31m\\x0a\\xff");
  EXPECT_EQ(escaped("h\xc3\xa9"), "h\xc3\xa9");
  EXPECT_EQ(escaped(std::string(1000, 'x')).size(), 256u + 3);
}

}  // namespace
}  // namespace skein
