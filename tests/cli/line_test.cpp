#include <gtest/gtest.h>
#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <random>
#include <sstream>

#include "cli/line_edit.h"
#include "cli/line_view.h"
#include "cli/screen.h"
#include "support/thorough.h"

namespace skein::cli {
namespace {

using test::Screen;

class Lines : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / ("skein-line-" + std::to_string(::getpid()));
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }
  std::filesystem::path folder_;
};

// Keys as bytes, through the whole way from there to the text.
std::string typed(std::string_view bytes, const LineHistory& history = LineHistory({}),
                  const Complete& complete = {}) {
  LineEdit edit(history, complete);
  KeyReader keys;
  keys.push(bytes);
  while (const auto press = keys.next()) (void)edit.press(*press);
  return edit.text();
}

// What a person sees when prompt and line are written in one go on an empty screen of this size,
// from this row on.
struct Seen {
  std::vector<std::string> rows;
  int row = 0, column = 0;
};
Seen written_anew(const std::vector<Glyph>& glyphs, size_t cursor, int width, int height,
                  int first_row) {
  Screen screen(width, height), until(width, height);
  for (int i = 0; i < first_row; ++i) screen.write("\n"), until.write("\n");
  for (size_t i = 0; i < glyphs.size(); ++i)
    for (Screen* one : {&screen, &until}) {
      if (one == &until && i >= cursor) continue;
      // What is made of several characters is not broken in two.
      if (!glyphs[i].certain && one->cursor_column() + glyphs[i].columns > width) one->write("\n");
      one->write(glyphs[i].text);
    }
  Seen seen = {screen.rows(), until.cursor_row(), until.cursor_column()};
  const int next = cursor < glyphs.size() ? glyphs[cursor].columns : 1;
  if (seen.column + next > width) ++seen.row, seen.column = 0;
  return seen;
}

const std::vector<std::string> kTyped = {
    "a",      "b",          " ",      "\u597D",     "\u7684",     "\u6211", "e", "\u0301",
    "\uFF01", "\U0001F600", "\u00FC", "\U0001F1E9", "\U0001F1EA", "\t",     "x"};
const std::vector<std::string> kKeys = {"\x01",
                                        "\x02",
                                        "\x02",
                                        "\x05",
                                        "\x06",
                                        "\x06",
                                        "\x7f",
                                        "\x7f",
                                        "\x04",
                                        "\x0b",
                                        "\x15",
                                        "\x17",
                                        "\x19",
                                        "\x14",
                                        "\033b",
                                        "\033f",
                                        "\033d",
                                        "\033\x7f",
                                        "\033[D",
                                        "\033[C",
                                        "\033OH",
                                        "\033OF",
                                        "\033[A",
                                        "\033[B",
                                        "\033[3~",
                                        "\033[1;5D",
                                        "\033[200~\u4ECA\u5929 ok\033[201~",
                                        "\033[200~two\rlines\ttab\033[201~"};

std::string random_keys(std::mt19937& random, bool flags = true) {
  const bool key = random() % 3 == 0;
  const auto& from = key ? kKeys : kTyped;
  std::string out = from[random() % from.size()];
  if (!key && random() % 8 == 0)
    for (int i = 0; i < 30; ++i) out += kTyped[random() % kTyped.size()];
  // Halves of flags.
  for (size_t at = 0; !flags && (at = out.find("\U0001F1E9")) != std::string::npos;)
    out.replace(at, 4, "d");
  for (size_t at = 0; !flags && (at = out.find("\U0001F1EA")) != std::string::npos;)
    out.replace(at, 4, "e");
  return out;
}

// After any keys, at any width, also when the window has changed: what is there is seen, the cursor
// stands where it does, and what stood above is untouched.
TEST_F(Lines, what_is_seen_is_what_is_there_after_any_keys_at_any_width) {
  LineHistory history({});
  history.add(
      "\u5386\u53F2 an earlier line that is rather long \u5386\u53F2\u5386\u53F2\u5386\u53F2");
  history.add("short");
  const std::vector<std::string> prompts = {"\033[36m>\033[0m ", "\u679D>", "abc def> "};
  for (unsigned seed = 0; seed < (test::thorough() ? 5000 : 300); ++seed) {
    std::mt19937 random(seed);
    int width = 12 + static_cast<int>(random() % 80);
    constexpr int kHeight = 60;
    Screen screen(width, kHeight);
    screen.write("above\n");
    LineView view(width, kHeight);
    const Complete none;
    LineEdit edit(history, none);
    KeyReader keys;
    const bool resizes = seed % 2 == 0;  // a terminal may then break a flag in two
    const std::string& prompt = prompts[seed % prompts.size()];
    std::string all;
    for (int step = 0; step < 12; ++step) {
      if (resizes && random() % 6 == 0) {
        width = 12 + static_cast<int>(random() % 80);
        screen.resize(width, kHeight);
        screen.write(view.resize(width, kHeight));
        all += " resize " + std::to_string(width) + " ";
      }
      const std::string more = random_keys(random, !resizes);
      all += more;
      keys.push(more);
      while (const auto press = keys.next()) (void)edit.press(*press);
      std::vector<Glyph> glyphs;
      const size_t cursor = edit.draw(prompt, glyphs);
      screen.write(view.draw(glyphs, cursor));
      Seen seen = written_anew(glyphs, cursor, width, kHeight, 1);
      seen.rows[0] = "above";
      for (int row = 0; row < kHeight; ++row)
        ASSERT_EQ(screen.row(row), seen.rows[static_cast<size_t>(row)])
            << "seed " << seed << " width " << width << " row " << row << " " << all;
      ASSERT_EQ(std::pair(screen.cursor_row(), screen.cursor_column()),
                std::pair(seen.row, seen.column))
          << "seed " << seed << " width " << width << " " << all;
    }
    // Leaving shows all of it, the cursor behind it.
    screen.write(view.leave() + "\nbelow");
    std::vector<Glyph> glyphs;
    (void)edit.draw(prompt, glyphs);
    const Seen end = written_anew(glyphs, glyphs.size(), width, kHeight, 1);
    ASSERT_EQ(screen.row(end.row + 1), "below") << "seed " << seed << " " << all;
  }
}

// A line that is higher than the screen is seen in part, with the cursor's row in it.
TEST_F(Lines, of_a_line_higher_than_the_screen_the_rows_around_the_cursor_are_seen) {
  for (unsigned seed = 0; seed < (test::thorough() ? 1000 : 100); ++seed) {
    std::mt19937 random(seed);
    const int width = 10 + static_cast<int>(random() % 20);
    const int height = 1 + static_cast<int>(random() % 5);
    Screen screen(width, height);
    LineView view(width, height);
    const LineHistory history({});
    const Complete none;
    LineEdit edit(history, none);
    KeyReader keys;
    for (int step = 0; step < 12; ++step) {
      std::string more = random_keys(random);
      for (int i = 0; i < 20; ++i) more += kTyped[random() % kTyped.size()];
      if (random() % 2) more += random() % 2 ? "\x01" : "\033b\033b\033b";
      keys.push(more);
      while (const auto press = keys.next()) (void)edit.press(*press);
      std::vector<Glyph> glyphs;
      const size_t cursor = edit.draw("> ", glyphs);
      screen.write(view.draw(glyphs, cursor));
      const Seen seen = written_anew(glyphs, cursor, width, 150, 0);
      const int top = seen.row - screen.cursor_row();
      ASSERT_GE(top, 0) << seed;
      ASSERT_EQ(screen.cursor_column(), seen.column) << seed;
      for (int row = 0; row < height; ++row)
        ASSERT_EQ(screen.row(row), seen.rows[static_cast<size_t>(top + row)])
            << "seed " << seed << " row " << row << " of " << height;
    }
    screen.write(view.leave());
    std::vector<Glyph> glyphs;
    (void)edit.draw("> ", glyphs);
    const Seen end = written_anew(glyphs, glyphs.size(), width, 150, 0);
    ASSERT_EQ(screen.cursor_column(), end.column) << seed;
    ASSERT_EQ(screen.row(height - 1), end.rows[static_cast<size_t>(std::max(end.row, height - 1))])
        << seed;
  }
}

// Terminals differ in how wide an emoji of several is: the cursor is behind it on each.
TEST_F(Lines, the_cursor_is_right_whatever_a_terminal_thinks_of_joined_emoji) {
  const std::string family = "\U0001F468\u200D\U0001F469\u200D\U0001F467";
  for (const bool joins : {false, true}) {
    const int columns = joins ? 2 : 6;
    Screen screen(20, 10, joins);
    LineView view(20, 10);
    const LineHistory history({});
    const Complete none;
    LineEdit edit(history, none);
    KeyReader keys;
    const auto press = [&](const std::string& bytes) {
      keys.push(bytes);
      while (const auto key = keys.next()) (void)edit.press(*key);
      std::vector<Glyph> glyphs;
      const size_t cursor = edit.draw("> ", glyphs);
      screen.write(view.draw(glyphs, cursor));
    };
    press("a" + family + "bc");
    press("\033[D\033[D");
    EXPECT_EQ(screen.cursor_column(), 3 + columns);
    press("W");
    EXPECT_EQ(screen.row(0), "> a" + family + "Wbc");
    press("\x7f\x7f");  // all of it is one character
    EXPECT_EQ(screen.row(0), "> abc");
    EXPECT_EQ(edit.text(), "abc");
    // A row that ends in doubt does not carry it into the next.
    press("\x05" + family + family + family + family + "z");
    EXPECT_EQ(screen.row(screen.cursor_row()).back(), 'z');
    EXPECT_EQ(edit.text(), "abc" + family + family + family + family + "z");
  }
}

TEST_F(Lines, a_key_is_the_same_whether_its_bytes_come_together_or_one_by_one) {
  std::string bytes;
  for (const auto* from : {&kTyped, &kKeys})
    for (const std::string& one : *from) bytes += one;
  bytes += "\033\033[A\033[[A\033[99;99;9~\033[200~\033[201~\xff\xe4\xb8z\033OM\033\u597D!";
  const auto read = [](KeyReader& keys, std::string& out) {
    while (const auto press = keys.next())
      out += std::to_string(static_cast<int>(press->key)) + press->text + "|";
  };
  KeyReader whole, single;
  std::string together, apart;
  whole.push(bytes);
  read(whole, together);
  for (const char c : bytes) {
    single.push({&c, 1});
    read(single, apart);
  }
  EXPECT_EQ(together, apart);
  // Noise costs nothing but itself.
  std::mt19937 random(1);
  for (int n = 0; n < 2000; ++n) {
    std::string noise;
    for (int i = 0; i < 20; ++i) noise += static_cast<char>(random() % 4 ? random() % 256 : 0x1b);
    (void)typed(noise + "[200~");
  }
}

TEST_F(Lines, keys_edit_as_they_do_elsewhere) {
  EXPECT_EQ(typed("one two three\x17\x17!"), "one !");
  EXPECT_EQ(typed("one two three\x17\x17\x01\x19"), "two threeone ");  // what was cut at once
  EXPECT_EQ(typed("one two\x01\x0b\x19\x19"), "one twoone two");
  EXPECT_EQ(typed("a-b c\033b\033b\033\x7f"), "b c");
  EXPECT_EQ(typed("one two\x01\033d"), " two");
  EXPECT_EQ(typed("ab\x14"), "ba");
  EXPECT_EQ(typed("abc\x15x"), "x");
  EXPECT_EQ(typed("abc\x02\x02\x04"), "ac");
  EXPECT_EQ(typed("\u4F60\u597D\x7f\u4EEC"), "\u4F60\u4EEC");
  // A letter and its mark, or the halves of a flag, are one, typed or brought together.
  EXPECT_EQ(typed("xe\u0301\x7f"), "x");
  EXPECT_EQ(typed("\u0301\x01"
                  "e\x7f"),
            "");
  EXPECT_EQ(typed("ab\u0301\x01\x06\x04\x7f"), "");
  EXPECT_EQ(typed("\U0001F1E9\U0001F1EA\x7f"), "");
  // Of a paste, all or nothing.
  EXPECT_EQ(typed("a\033[200~x\ry\033[201~b\x02\x7f"), "ab");
  EXPECT_EQ(typed("a\033[200~x\ry\033[201~b"), "ax\nyb");
  EXPECT_EQ(typed("\033[200~x\r\n\ty\033[201~\x15\x19\x19"), "x\n\tyx\n\ty");
}

TEST_F(Lines, earlier_lines_come_back_and_are_found) {
  LineHistory history({});
  for (const char* line : {"first apple", "second", "third apple"}) history.add(line);
  history.add("third apple");  // once is enough
  ASSERT_EQ(history.lines().size(), 3u);
  EXPECT_EQ(typed("new\033[A\033[A", history), "second");
  EXPECT_EQ(typed("new\033[A\033[A\033[A\033[A\033[B\033[B\033[B\033[B", history), "new");
  EXPECT_EQ(typed("\x12"
                  "apple",
                  history),
            "third apple");
  EXPECT_EQ(typed("\x12"
                  "apple\x12",
                  history),
            "first apple");
  EXPECT_EQ(typed("\x12"
                  "apple\x12\x05!",
                  history),
            "first apple!");
  EXPECT_EQ(typed("kept\x12"
                  "apple\x07",
                  history),
            "kept");
  EXPECT_EQ(typed("\x12"
                  "sek\x7f"
                  "c",
                  history),
            "second");
}

TEST_F(Lines, the_history_is_a_private_file_that_older_programs_wrote_too) {
  const auto file = folder_ / "history";
  // As libedit wrote it.
  std::ofstream(file)
      << "_HiStOrY_V2_\nReverse:\\040garden\na\\\\b\\011c\\^Ad\n\u4F60\\040\u597D\n";
  LineHistory old(file);
  EXPECT_EQ(old.lines(), (std::vector<std::string>{"Reverse: garden",
                                                   "a\\b\tc\x01"
                                                   "d",
                                                   "\u4F60 \u597D"}));
  old.add("back\\slash \u00FC");
  old.add("two\nlines");
  EXPECT_EQ(LineHistory(file).lines().back(), "back\\slash \u00FC");
  EXPECT_EQ(LineHistory(file).lines().size(), 4u);
  LineHistory(folder_ / "new").add("a line");
  struct stat info {};
  ASSERT_EQ(::stat((folder_ / "new").c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  std::ofstream many(file);
  many << "_HiStOrY_V2_\n";
  for (int i = 0; i < 1100; ++i) many << "line " << i << "\n";
  many.close();
  EXPECT_EQ(LineHistory(file).lines().size(), 1000u);
  // What is no history, is none.
  std::ofstream(file) << std::string(5000, '\\');
  EXPECT_TRUE(LineHistory(file).lines().empty());
}

TEST_F(Lines, chats_at_the_same_time_share_their_history) {
  const auto file = folder_ / "shared";
  LineHistory one(file), other(file);
  one.add("of one");
  other.add("of the other");
  one.add("of one again");
  const std::vector<std::string> all = {"of one", "of the other", "of one again"};
  EXPECT_EQ(one.lines(), all);
  EXPECT_EQ(LineHistory(file).lines(), all);
}

TEST_F(Lines, an_escape_that_nothing_follows_is_a_key) {
  KeyReader keys;
  keys.push("a\033");
  EXPECT_EQ(keys.next()->text, "a");
  EXPECT_FALSE(keys.next());
  ASSERT_TRUE(keys.undecided());
  keys.settle();
  EXPECT_EQ(keys.next()->key, Key::escape);
  EXPECT_FALSE(keys.undecided());
  keys.settle();  // of nothing
  keys.push("\033");
  EXPECT_FALSE(keys.next());
  keys.push("[A");
  EXPECT_EQ(keys.next()->key, Key::up);
}

TEST_F(Lines, a_tab_extends_as_far_as_all_words_agree_and_then_lists_them) {
  const LineHistory history({});
  const Complete complete = [](std::string_view before) -> Choices {
    if (!before.starts_with('/')) return {};
    return {.apply = true,
            .begin = 0,
            .words = {{"/save"}, {"/set", " "}, {"/settle"}, {"/x\u597D", "/"}}};
  };
  EXPECT_EQ(typed("/s\t", history, complete), "/s");
  EXPECT_EQ(typed("/se\t", history, complete), "/set");
  EXPECT_EQ(typed("/sa\tx", history, complete), "/save x");
  EXPECT_EQ(typed("/x\ty", history, complete), "/x\u597D/y");
  EXPECT_EQ(typed("/q\t", history, complete), "/q");
  EXPECT_EQ(typed("a\tb", history, complete), "a\tb");
  LineEdit edit(history, complete);
  for (const char c : std::string("/s")) (void)edit.press({Key::text, std::string(1, c)});
  EXPECT_EQ(edit.press({Key::tab, {}}), LineEdit::Outcome::choices);
  EXPECT_EQ(edit.choices(), (std::vector<std::string>{"/save", "/set", "/settle"}));
}

}  // namespace
}  // namespace skein::cli
