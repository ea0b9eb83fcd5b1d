#include "store/store.h"

#include <array>
#include <random>

namespace skein::store {

const char* trouble_name(Trouble trouble) {
  switch (trouble) {
    case Trouble::invalid: return "invalid";
    case Trouble::missing: return "missing";
    case Trouble::conflict: return "conflict";
    case Trouble::full: return "full";
    case Trouble::unavailable: return "unavailable";
    case Trouble::broken: return "broken";
  }
  return "broken";
}

std::string new_id() {
  std::random_device random;  // the system's, which is no sequence that could be guessed
  std::array<uint32_t, 4> bits{};
  for (uint32_t& word : bits) word = random();
  return "st_" + hex(std::as_bytes(std::span(bits)));
}

}  // namespace skein::store
