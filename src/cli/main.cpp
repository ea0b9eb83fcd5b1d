#include <cxxabi.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <exception>
#include <new>
#include <string>
#include <string_view>
#include <typeinfo>
#include <vector>

#include "cli/console.h"
#include "cli/interrupt.h"
#include "cli/program.h"

namespace {

bool json = false;  // whether errors are JSON

// What is left to say when there is no memory to say it with.
int out_of_memory() {
  const std::string_view text =
      json ? "{\"error\":{\"code\":\"memory\",\"message\":\"not enough memory\"}}\n"
           : "error: not enough memory\n";
  (void)!::write(json ? STDOUT_FILENO : STDERR_FILENO, text.data(), text.size());
  return skein::cli::exit_code(skein::Code::memory);
}

// A library may allocate where no exception may pass, as CLI11 does in static objects.
[[noreturn]] void no_way_out() {
  const std::type_info* what = abi::__cxa_current_exception_type();
  if (what && *what == typeid(std::bad_alloc)) ::_exit(out_of_memory());
  std::abort();
}

// Before any static object is made.
[[gnu::constructor(101)]] void prepare() { std::set_terminate(no_way_out); }

}  // namespace

int main(int argc, char** argv) {
  for (int i = 1; i < argc && std::strcmp(argv[i], "--") != 0; ++i)
    json = json || std::strcmp(argv[i], "--json") == 0;
  // A file must never be opened as descriptor 0, 1 or 2: text meant for the user would end in it.
  // What stands in for a closed stdout refuses to be written, so that lost text is a failure.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) == -1)
      (void)!::open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
  // A reader that goes away and a file that may not grow are seen by write().
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  skein::cli::interrupt::install();
  try {
    return skein::cli::run_program(std::vector<std::string>(argv + (argc > 0), argv + argc));
  } catch (const std::bad_alloc&) {
    return out_of_memory();
  }
}
