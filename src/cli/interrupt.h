// Ctrl-C. Where nothing can be left half done it ends the program at once; while a Scope lives it
// is a request that the work asks about.
#pragma once

namespace skein::cli::interrupt {

// Once, from main.
void install();

// Whether Ctrl-C came while a Scope lived, since the last clear().
bool requested();
void clear();

// While one lives, the first Ctrl-C is a request; a second one within a second of it still ends the
// program with 130, in the terminal mode in which it began.
class Scope {
 public:
  Scope();
  ~Scope();
  Scope(const Scope&) = delete;
  Scope& operator=(const Scope&) = delete;
};

}  // namespace skein::cli::interrupt
