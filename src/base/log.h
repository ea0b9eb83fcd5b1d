// Notes of the library for whoever wants to hear them. Silent until somebody sets a sink.
#pragma once

#include <string>

namespace skein {

enum class LogLevel : int {
  info = 0,     // what was done
  warning = 1,  // something was ignored
};

// A plain function and its data: replacing one while it runs is then harmless.
struct LogSink {
  void (*write)(int level, const char* text, void* user) = nullptr;
  void* user = nullptr;
};

// When this returns, the old sink is not called any more.
void set_log_sink(LogSink sink);

// Hands one line to the sink; calls are serialised. A sink may log and may set another sink.
void log_line(LogLevel level, const std::string& text);

}  // namespace skein
