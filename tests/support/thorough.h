// How much of a product of tables is tried: a share that still has each row of each table; with
// SKEIN_TESTS=thorough in the environment all of it; with SKEIN_TESTS=exhaustive also what takes
// too long after every change, and with SKEIN_TESTS=everything also what takes hours.
#pragma once

#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <string_view>

namespace skein::test {

enum class Extent { share, thorough, exhaustive, everything };

inline Extent extent() {
  const char* setting = std::getenv("SKEIN_TESTS");
  const std::string_view text = setting ? setting : "";
  if (text.empty()) return Extent::share;
  if (text == "thorough") return Extent::thorough;
  if (text == "exhaustive") return Extent::exhaustive;
  if (text == "everything") return Extent::everything;
  std::fprintf(stderr, "SKEIN_TESTS is \"%s\"; there are thorough, exhaustive and everything\n",
               setting);
  std::exit(2);
}

inline bool thorough() { return extent() != Extent::share; }
inline bool exhaustive() { return extent() >= Extent::exhaustive; }

// Whether the `turn`th of `turns` takes this row of a table that is crossed with them: every third
// row, each turn beginning with another, so that all of them together have all rows.
inline bool taken(size_t row, size_t turn, size_t turns) {
  constexpr size_t kShare = 3;
  return thorough() || (row + turn) % (turns < kShare ? turns : kShare) == 0;
}

}  // namespace skein::test
