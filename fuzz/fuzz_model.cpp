// A whole model file: container, names, sizes, packing, and three tokens through the layers. What
// the other targets' parsers accept has to be refused or run here, never crash.
#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <string>
#include <vector>

#include "base/check.h"
#include "run/model.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const int fd = memfd_create("model", 0);
  SK_CHECK(fd >= 0);
  SK_CHECK(write(fd, data, size) == static_cast<ssize_t>(size));
  {
    skein::ModelOptions options;
    options.threads = 1;
    const auto model = skein::Model::open("/proc/self/fd/" + std::to_string(fd), options);
    if (model) {
      skein::State state = (*model)->new_state();
      std::vector<float> logits(static_cast<size_t>((*model)->vocab()));
      const std::vector<int32_t> tokens = {0, (*model)->vocab() - 1, 0};
      const skein::Status done = (*model)->eval(state, tokens, skein::Want::last, logits.data());
      // Numbers that are finite can be too large to compute with: the file's fault, and no answer.
      SK_CHECK(done ? state.tokens_read() == tokens.size()
                    : done.error().code == skein::Code::corrupt && state.tokens_read() == 0);
    } else {
      SK_CHECK(!model.error().message.empty());
    }
  }
  close(fd);
  return 0;
}
