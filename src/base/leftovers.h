// What a program that ends at once would leave behind. A destructor does not run when a signal's
// second coming ends the program; what is listed here can be taken away from inside the handler.
#pragma once

#include <filesystem>
#include <string>
#include <utility>

namespace skein {

struct LeftoverSlot;

// A name on the list. When the list is full or the name too long it is not on it, and nothing else
// changes: the list is for the case that no destructor runs.
class Leftover {
 public:
  Leftover() = default;
  // A file called `name` in the folder behind this descriptor, which stays open longer than this.
  static Leftover file(int folder, const std::string& name);
  // A folder that was made and may be empty. It is never removed when it is not.
  static Leftover folder(const std::filesystem::path& path);
  Leftover(Leftover&& other) noexcept : slot_(std::exchange(other.slot_, nullptr)) {}
  Leftover& operator=(Leftover&& other) noexcept {
    std::swap(slot_, other.slot_);
    return *this;
  }
  ~Leftover();

 private:
  explicit Leftover(LeftoverSlot* slot) : slot_(slot) {}

  LeftoverSlot* slot_ = nullptr;
};

// Removes what stands on the list. For a signal handler that is about to end the program.
void remove_leftovers();

}  // namespace skein
