#include "text/utf8_stream.h"

#include "base/utf8.h"
#include "support.h"
#include "text/unicode.h"

namespace skein::text::test {
namespace {

constexpr std::string_view kPieces[] = {"a",    "\n",   "é",        "中",      "😀",   "\u0301",
                                        "\xe4", "\xb8", "\xad",     "\xf0",    "\x9f", "\x98",
                                        "\xff", "\xc0", "\xed\xa0", "\xf4\x90"};

std::string at_once(std::string_view bytes) {
  Utf8Stream stream;
  std::string out = stream.push(bytes);
  return out + stream.flush();
}

TEST(Utf8Stream, pieces_add_up_to_the_whole_and_each_is_valid) {
  std::mt19937 rng(1);
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = random_text(rng, kPieces, below(rng, 30));
    Utf8Stream stream;
    std::string sum;
    for (const std::string& piece : random_cuts(rng, text)) {
      const std::string shown = stream.push(piece);
      ASSERT_EQ(first_invalid_utf8(shown), std::string::npos);
      ASSERT_LE(stream.pending().size(), 3u);
      sum += shown;
    }
    sum += stream.flush();
    ASSERT_EQ(sum, at_once(text)) << escaped(text);
    ASSERT_EQ(stream.pending(), "");
  }
}

TEST(Utf8Stream, valid_text_passes_unchanged) {
  std::mt19937 rng(2);
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = random_text(rng, std::span(kPieces).first(6), below(rng, 30));
    ASSERT_EQ(at_once(text), text);
  }
}

TEST(Utf8Stream, a_character_waits_for_its_last_byte) {
  Utf8Stream stream;
  EXPECT_EQ(stream.push("a\xf0\x9f"), "a");
  EXPECT_EQ(stream.push("\x98"), "");
  EXPECT_EQ(stream.push("\x80!"), "😀!");
  EXPECT_EQ(stream.flush(), "");
}

// The number of U+FFFD is the one that the Unicode standard recommends and browsers give.
TEST(Utf8Stream, each_broken_piece_becomes_one_replacement) {
  EXPECT_EQ(at_once("\xff"), "\ufffd");
  EXPECT_EQ(at_once("\xc0\x80"), "\ufffd\ufffd");
  EXPECT_EQ(at_once("\xf0\x9f\x98"), "\ufffd");
  EXPECT_EQ(at_once("\xf0\x9f\x98z"), "\ufffdz");
  EXPECT_EQ(at_once("\xe4\xb8\xe4\xb8\xad"), "\ufffd中");
  EXPECT_EQ(at_once("\xed\xa0\x80"), "\ufffd\ufffd\ufffd");
  EXPECT_EQ(at_once("\xf4\x90\x80\x80"), "\ufffd\ufffd\ufffd\ufffd");
}

TEST(Unicode, every_character_is_written_and_read_back) {
  for (char32_t code = 0; code <= 0x10ffff; ++code) {
    if (code == 0xd800) code = 0xe000;
    std::string text;
    append_utf8(text, code);
    const Character read = first_character(text);
    ASSERT_EQ(read.code, code);
    ASSERT_EQ(read.length, text.size());
  }
}

TEST(Unicode, composed_form_does_not_depend_on_the_order_of_marks) {
  EXPECT_EQ(to_nfc("e\u0301").value(), "é");
  EXPECT_EQ(to_nfc("A\u030a \u212b").value(), "Å Å");
  EXPECT_EQ(to_nfc("q\u0307\u0323").value(), "q\u0323\u0307");
  EXPECT_EQ(to_nfc("\u1100\u1161\u11a8").value(), "각");
  EXPECT_EQ(to_nfc("\u0958").value(), "\u0915\u093c");  // excluded from composition
  EXPECT_EQ(to_nfc("\ufb01").value(), "\ufb01");        // only compatible, so it stays
  std::mt19937 rng(3);
  constexpr std::string_view kMarks[] = {"a",      "e",      "\u0301", "\u0323",
                                         "\u0308", "\u1161", "\u1100", "é"};
  for (int n = 0; n < 10'000; ++n) {
    const std::string once = to_nfc(random_text(rng, kMarks, below(rng, 12))).value();
    ASSERT_EQ(to_nfc(once).value(), once);
  }
}

}  // namespace
}  // namespace skein::text::test
