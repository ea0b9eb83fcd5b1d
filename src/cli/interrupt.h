// Ctrl-C, a stop by `kill` or a service manager (SIGTERM) and a closed terminal (SIGHUP). Where
// nothing can be left half done they end the program at once; while a Scope lives they are a
// request that the work asks about.
#pragma once

namespace skein::cli::interrupt {

// Once, from main. SIGTERM and SIGHUP that are ignored by then stay so: nohup means it.
void install();

// Whether a signal came while a Scope lived, since the last clear().
bool requested();
// Ctrl-C is forgotten: it was about one answer. What asks the whole program to end stays.
void clear();
// Whether the whole program is asked to end: SIGTERM, SIGHUP.
bool leaving();
// 128 and the number of the signal: 130 after Ctrl-C, 143 after SIGTERM, 129 after SIGHUP.
int exit_code();

// What the terminal is told where a signal ends the program at once: text that lasts as long as the
// program, or null for nothing.
void set_farewell(const char* text);

// While one lives, the first signal is a request; one more that comes while it is unanswered, or
// within a second, ends the program, in the terminal mode in which it began and without
// unfinished files (base/leftovers.h).
class Scope {
 public:
  Scope();
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

}  // namespace skein::cli::interrupt
