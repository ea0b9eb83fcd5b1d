// The terminal that lines are typed at: its modes, its size, and waiting for what it sends.
#pragma once

#include <signal.h>
#include <termios.h>

#include <string>

namespace skein::cli {

class LineDevice {
 public:
  // Takes keys as they come, unseen, and asks for marks around pastes, until it is gone. In line
  // mode the kernel would echo them into an answer.
  LineDevice();
  ~LineDevice();
  LineDevice(const LineDevice&) = delete;
  LineDevice& operator=(const LineDevice&) = delete;

  // Whether keys can be taken one by one: a terminal, and one that does what it is told.
  bool usable() const { return usable_; }

  // Ctrl-Z is a key between the two; elsewhere it stops the program.
  void begin_line();
  void end_line();

  enum class Event { input, interrupted, resized, continued, quiet, closed };
  // `patience_ms` negative: as long as it takes.
  Event wait(int patience_ms);
  // What has come; empty at the end of it.
  std::string take();

  struct Size {
    int columns = 80;
    int rows = 24;
  };
  Size size() const;

  // As Ctrl-Z has it: back when the program is wanted again.
  void suspend();

 private:
  void set_mode(bool editing);

  bool usable_ = false;
  termios first_{};
  sigset_t waiting_{};  // what may come while it waits
  sigset_t before_{};
  struct sigaction resize_before_ {
  }, continue_before_{};
};

}  // namespace skein::cli
