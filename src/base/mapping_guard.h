// Keeps a mapped file that is cut under its reader from ending the program.
#pragma once

#include <sys/types.h>

#include <cstddef>

#include "base/error.h"

namespace skein {

struct LiveMapping;

// Touching a page of a mapping whose file has been shortened raises SIGBUS. For a guarded mapping
// the page reads as zeros instead, and intact() turns false. A file is cut from its end, so
// intact() looks at the last byte that is not zero: it needs no page that was lost to be touched
// before, and sees a cut within a page, which raises nothing.
class MappingGuard {
 public:
  // `device` and `inode` say which file it is. Error: memory, io (no handler can be installed).
  static Result<MappingGuard> create(const std::byte* data, size_t size, dev_t device, ino_t inode);
  MappingGuard() = default;
  MappingGuard(MappingGuard&& other) noexcept;
  MappingGuard& operator=(MappingGuard&& other) noexcept;
  ~MappingGuard();

  bool intact() const;

 private:
  MappingGuard(LiveMapping* live, const std::byte* data, size_t size);

  LiveMapping* live_ = nullptr;
  const volatile std::byte* last_ = nullptr;
  std::byte expected_{};
};

// Whether a guarded mapping of this file lives: what is written there would be read here.
bool is_mapped(dev_t device, ino_t inode);

}  // namespace skein
