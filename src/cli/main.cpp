#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <string>
#include <vector>

#include "cli/interrupt.h"
#include "cli/program.h"

int main(int argc, char** argv) {
  // A file must never be opened as descriptor 0, 1 or 2: text meant for the user would end in it.
  int fd = 0;
  do {
    fd = ::open("/dev/null", O_RDWR);
  } while (fd >= 0 && fd <= 2);
  if (fd > 2) ::close(fd);
  // A reader that goes away and a file that may not grow are seen by write().
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGXFSZ, SIG_IGN);
  skein::cli::interrupt::install();
  return skein::cli::run_program(std::vector<std::string>(argv + (argc > 0), argv + argc));
}
