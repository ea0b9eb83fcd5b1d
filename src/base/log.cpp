#include "base/log.h"

#include <mutex>

namespace skein {
namespace {

struct Log {
  // Recursive: a sink may use the library, which logs.
  std::recursive_mutex mutex;
  LogSink sink;
};

// Never destroyed: threads may log while the process ends.
Log& the_log() {
  static Log& log = *new Log;
  return log;
}

}  // namespace

void set_log_sink(LogSink sink) {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  log.sink = sink;
}

void log_line(LogLevel level, const std::string& text) {
  Log& log = the_log();
  const std::lock_guard lock(log.mutex);
  const LogSink sink = log.sink;
  if (sink.write) sink.write(static_cast<int>(level), text.c_str(), sink.user);
}

}  // namespace skein
