#include "cli/word_wrap.h"

#include <gtest/gtest.h>

#include <vector>

#include "text/unicode.h"

namespace skein::cli {
namespace {

// A terminal as far as it is needed: where characters come to stand.
std::vector<std::string> screen(const std::string& written, int width) {
  std::vector<std::vector<std::string>> lines(1);
  size_t column = 0;
  for (size_t at = 0; at < written.size();) {
    const std::string_view rest = std::string_view(written).substr(at);
    if (rest[0] == '\n') {
      lines.emplace_back(), column = 0, ++at;
    } else if (rest.starts_with("\033[K")) {
      lines.back().resize(column), at += 3;
    } else if (rest[0] == '\033') {
      column = std::stoul(std::string(rest.substr(2))) - 1;
      at += rest.find('G') + 1;
    } else {
      const auto character = text::first_character(rest);
      auto& line = lines.back();
      line.resize(std::max(line.size(), column));
      line.resize(column);
      line.emplace_back(rest.substr(0, character.length));
      for (int more = 1; more < text::columns_of(character.code); ++more) line.emplace_back();
      column = line.size();
      EXPECT_LE(static_cast<int>(column), width) << "the terminal would have broken this line";
      at += character.length;
    }
  }
  std::vector<std::string> out;
  for (const auto& line : lines) {
    std::string& text = out.emplace_back();
    for (const std::string& one : line) text += one;
  }
  return out;
}

using Lines = std::vector<std::string>;

TEST(WordWrap, ends_lines_between_words_however_the_text_comes) {
  const std::string text = "In the beach house\nthere were extraordinarily long words, and short";
  const Lines expected = {"In the",     "beach",      "house",      "there were",
                          "extraordin", "arily long", "words, and", "short"};
  for (const size_t piece : {1u, 2u, 3u, 7u, 100u}) {
    WordWrap wrap(10);
    std::string written;
    for (size_t at = 0; at < text.size(); at += piece) written += wrap.next(text.substr(at, piece));
    Lines got = screen(written, 10);
    for (std::string& line : got)
      while (line.ends_with(' ')) line.pop_back();
    EXPECT_EQ(got, expected) << "pieces of " << piece;
  }
}

TEST(WordWrap, wide_characters_end_a_line_where_it_is_full) {
  WordWrap wrap(9);
  const std::string written = wrap.next("\u8bf7\u7528\u4e2d\u6587\u544a\u8bc9 ok\u6211");
  EXPECT_EQ(screen(written, 9), (Lines{"\u8bf7\u7528\u4e2d\u6587", "\u544a\u8bc9 ok\u6211"}));
}

TEST(WordWrap, marks_take_no_room) {
  WordWrap wrap(3);
  EXPECT_EQ(screen(wrap.next("e\u0301e\u0301e\u0301"), 6).size(), 1u);
}

}  // namespace
}  // namespace skein::cli
