// What readers stumble over: numbers at their edges and names that are nearly right.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

#include "support/random.h"

namespace skein::mutate {

template <typename List>
auto pick(test::Random& random, const List& list) {
  const auto count = static_cast<uint64_t>(std::end(list) - std::begin(list));
  return *(std::begin(list) + static_cast<std::ptrdiff_t>(random.below(count)));
}
template <typename T>
T pick(test::Random& random, std::initializer_list<T> list) {
  return *(list.begin() + static_cast<std::ptrdiff_t>(random.below(list.size())));
}

// A neighbour, a multiple, or the edge of an integer type.
int64_t near_number(int64_t value, test::Random& random);

// A hostile float: NaN, infinite, huge, denormal, negative zero.
float odd_float(test::Random& random);

// Prefixes of wrappers, other layers and letters, what no name may be. Says nothing: names are
// printed by whoever changes them.
void change_name(std::string& name, test::Random& random);

// A few bytes changed, cut, doubled, or taken from `other`.
std::string change_bytes(std::string& bytes, std::string_view other, test::Random& random);

}  // namespace skein::mutate
