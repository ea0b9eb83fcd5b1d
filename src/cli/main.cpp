#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  // A file must never be opened as descriptor 0, 1 or 2: text meant for the user would end in it.
  // What stands in for a closed stdout refuses to be written, so that lost text is a failure.
  for (const int fd : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(fd, F_GETFD) == -1)
      (void)!::open("/dev/null", fd == STDOUT_FILENO ? O_RDONLY : O_RDWR);
  // A reader that goes away and a file that may not grow are seen by write().
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  skein::cli::interrupt::install();
  return skein::cli::run_program(std::vector<std::string>(argv + (argc > 0), argv + argc));
}
