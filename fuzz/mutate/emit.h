// Writes drafts as files of their container, byte by byte and without the project's writers, so
// that any field can be wrong while everything around it, checksums too, is right.
#pragma once

#include <functional>
#include <map>
#include <string>
#include <string_view>

#include "fuzz/mutate/draft.h"

namespace skein::mutate {

// Every field that an emitter writes passes through here by its name. An honest one counts them; a
// second one, told which, changes that field and no other.
class Liar {
 public:
  Liar() = default;
  // Lies about one field of those that `honest` saw: first a name, then one of its places.
  Liar(const Liar& honest, test::Random& random);

  template <typename T>
  T number(std::string_view field, T value) {
    if (!chosen(field)) return value;
    return static_cast<T>(lie(static_cast<int64_t>(value)));
  }
  std::string text(std::string_view field, std::string value);
  // Whether to do something unusual, which may be right or wrong.
  bool unusual(std::string_view field) { return chosen(field); }

  const std::string& said() const { return said_; }

 private:
  bool chosen(std::string_view field);
  int64_t lie(int64_t value);

  std::map<std::string, size_t, std::less<>> seen_;
  std::string field_;  // empty: honest
  size_t place_ = 0;
  test::Random* random_ = nullptr;
  std::string said_;
};

// Changes the head of a file (JSON, pickle, tables) after it was made and before it is signed.
using ChangeHead = std::function<void(std::string& head)>;

std::string emit(const Draft& draft, Liar& liar, const ChangeHead& change_head = {});
std::string emit_state(const StateDraft& state, Liar& liar);

// One opcode of a pickle dropped, doubled, moved, replaced or preceded by another. Says what.
std::string change_pickle(std::string& pickle, test::Random& random);

}  // namespace skein::mutate
