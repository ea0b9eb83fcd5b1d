// Where a list goes on: `limit` and `after` of a route's query.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "server/api_error.h"

namespace skein::server {

struct Paging {
  size_t limit = 0;
  std::string after;  // empty: from the beginning
};

// `usual`: the limit where none is asked for. Error: 400.
Asked<Paging> read_paging(std::string_view query, size_t usual, size_t most);

// What is asked for by a number: "3" of "part" in "part=3". Error: 400.
Asked<size_t> read_count(std::string_view query, std::string_view name, size_t usual, size_t least,
                         size_t most);

}  // namespace skein::server
