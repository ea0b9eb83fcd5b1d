// What the bytes of a terminal mean: characters, keys and pastes.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace skein::cli {

enum class Key {
  escape,
  text,   // a character, in `text`
  paste,  // all of one, in `text`, with its line ends as a text has them
  enter,
  tab,
  left,
  right,
  home,
  end,
  word_left,
  word_right,
  up,
  down,
  erase_left,
  erase_right,  // Delete
  cut_to_end,
  cut_to_begin,
  cut_word_left,  // Alt-Backspace
  cut_word_right,
  cut_blank_left,  // Ctrl-W: back to a blank
  put_back,
  exchange,
  search,
  cancel,
  clear_screen,
  suspend,
  end_of_input,  // Ctrl-D, which deletes where there is something
};

struct KeyPress {
  Key key = Key::text;
  std::string text;
};

// Bytes go in as they come, keys come out when they are whole.
class KeyReader {
 public:
  void push(std::string_view bytes);
  std::optional<KeyPress> next();

  // A paste that was interrupted: its rest, which may still come, is thrown away. stop_dropping()
  // when it does not.
  void drop_paste() { dropping_ = in_paste_; }
  bool dropping() const { return dropping_; }
  // Whether an escape stands there that may be a key or the beginning of one; settle() when nothing
  // follows it.
  bool undecided() const { return !in_paste_ && rest() == "\033"; }
  void settle() { alone_ = undecided(); }

  void stop_dropping() { in_paste_ = dropping_ = false; }

 private:
  enum class Step { more, nothing, key };  // of reading a key: bytes are missing, it means nothing

  std::string_view rest() const { return std::string_view(bytes_).substr(at_); }
  Step read(KeyPress& press);
  Step read_escape(KeyPress& press);
  Step read_control_sequence(size_t begin, KeyPress& press);
  Step read_character(size_t begin, KeyPress& press);
  Step read_paste(KeyPress& press);

  std::string bytes_;
  size_t at_ = 0;  // of them are done
  bool in_paste_ = false;
  bool dropping_ = false;
  bool alone_ = false;  // an escape without anything behind it
  std::string paste_;
};

}  // namespace skein::cli
