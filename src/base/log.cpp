#include "base/log.h"

#include <array>
#include <atomic>

#include "base/turn.h"

namespace skein {
namespace {

struct Log {
  Turn turn;
  // The one in use and the next: a process forked while one is replaced sees the old or the new.
  std::array<LogSink, 2> sinks;
  std::atomic<size_t> current{0};
};

// Never destroyed: threads may log while the process ends.
constinit Log the_log;

// A sink may use the library, which logs.
thread_local int inside = 0;

class Inside {
 public:
  Inside() : held_(inside == 0 ? the_log.turn.take_over() : Turn::Held()) { ++inside; }
  ~Inside() { --inside; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

 private:
  Turn::Held held_;
};

}  // namespace

void set_log_sink(LogSink sink) {
  const Inside log;
  const size_t next = 1 - the_log.current.load();
  the_log.sinks[next] = sink;
  the_log.current.store(next);
}

void log_line(LogLevel level, const std::string& text) {
  const Inside log;
  const LogSink sink = the_log.sinks[the_log.current.load()];
  if (sink.write) sink.write(static_cast<int>(level), text.c_str(), sink.user);
}

}  // namespace skein
