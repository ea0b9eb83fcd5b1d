#include "base/inputs.h"

#include <sys/stat.h>

#include <set>
#include <utility>

#include "base/turn.h"

namespace skein {
namespace {

using Identity = std::pair<dev_t, ino_t>;

struct Inputs {
  Turn turn;
  std::set<Identity> files;
};

Inputs& inputs() {
  static Inputs all;
  return all;
}

}  // namespace

void remember_input(const std::filesystem::path& path) {
  struct stat info {};
  if (::stat(path.c_str(), &info) != 0) return;
  Inputs& all = inputs();
  if (const auto held = all.turn.take("the inputs")) all.files.emplace(info.st_dev, info.st_ino);
}

bool is_input(dev_t device, ino_t inode) {
  Inputs& all = inputs();
  const auto held = all.turn.take("the inputs");
  return held && all.files.contains({device, inode});
}

bool is_input(const std::filesystem::path& path) {
  struct stat info {};
  return ::stat(path.c_str(), &info) == 0 && is_input(info.st_dev, info.st_ino);
}

}  // namespace skein
