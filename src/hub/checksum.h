// How a server names the bytes of a file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/hash.h"

namespace skein::hub {

class Checksum {
 public:
  enum class Kind : uint8_t {
    none,
    sha256,    // of large files: what Git LFS names them by
    git_blob,  // of the others: the SHA-1 of "blob SIZE", a zero and the bytes
  };

  // What 64 or 40 lower-case hexadecimal digits can be; none for any other text.
  static Kind kind_of(std::string_view hex);
  static const char* name_of(Kind kind);  // "sha256", "git's sha1"

  // `bytes`: of the whole file, which git_blob counts too.
  Checksum(Kind kind, uint64_t bytes);
  void update(std::span<const std::byte> bytes);
  std::string finish();  // once; hexadecimal

 private:
  Kind kind_;
  Sha256 sha256_;
  Sha1 sha1_;
};

}  // namespace skein::hub
