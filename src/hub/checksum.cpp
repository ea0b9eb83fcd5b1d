#include "hub/checksum.h"

#include <fmt/format.h>

namespace skein::hub {

Checksum::Kind Checksum::kind_of(std::string_view hex) {
  if (hex.find_first_not_of("0123456789abcdef") != std::string_view::npos) return Kind::none;
  return hex.size() == 64 ? Kind::sha256 : hex.size() == 40 ? Kind::git_blob : Kind::none;
}

const char* Checksum::name_of(Kind kind) {
  return kind == Kind::sha256 ? "sha256" : kind == Kind::git_blob ? "git's sha1" : "no checksum";
}

Checksum::Checksum(Kind kind, uint64_t bytes) : kind_(kind) {
  if (kind == Kind::git_blob) {
    sha1_.update(fmt::format("blob {}", bytes));
    sha1_.update(std::string_view("\0", 1));
  }
}

void Checksum::update(std::span<const std::byte> bytes) {
  if (kind_ == Kind::git_blob)
    sha1_.update(bytes);
  else
    sha256_.update(bytes);
}

std::string Checksum::finish() {
  return kind_ == Kind::git_blob ? hex(sha1_.finish()) : hex(sha256_.finish());
}

}  // namespace skein::hub
