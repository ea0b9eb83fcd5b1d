// Whether the program wants what waits to end: asked where a call that may wait for ever was ended
// by a signal. A library's host has signals of its own, which mean nothing to us.
#pragma once

namespace skein {

// `asked` is the program's, for the whole process; null, which is the start: nobody asks.
void set_interruption(bool (*asked)());
bool interruption_asked();

}  // namespace skein
