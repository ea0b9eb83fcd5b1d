// Pages of rows that a tenant sees, from tables that also have rows that nobody sees any more.
#pragma once

#include <algorithm>
#include <charconv>
#include <limits>

#include "base/limits.h"
#include "store/tables.h"

namespace skein::store {

// `fetch(before, count)`: the next rows. `use(row)`: whether it is seen, and then it has been taken
// over. `enough()`: the page has bytes enough. Returns where the next page begins, or an empty
// text.
template <typename Fetch, typename Use, typename Enough>
Stored<std::string> take_page(const Query& query, size_t rows_at_once, const Fetch& fetch,
                              const Use& use, const Enough& enough) {
  int64_t before = std::numeric_limits<int64_t>::max();
  if (!query.after.empty()) {
    const char* const end = query.after.data() + query.after.size();
    const auto [at, error] = std::from_chars(query.after.data(), end, before);
    if (error != std::errc() || at != end || before < 0)
      return refuse(Trouble::invalid, "{} is not where a page ended", escaped(query.after, 64));
  }
  const size_t limit = std::clamp<size_t>(query.limit, 1, limits::kStorePage);
  size_t taken = 0;
  while (true) {
    SK_TRY(const auto rows, fetch(before, rows_at_once));
    for (const auto& row : rows) {
      if (taken == limit || (taken > 0 && enough())) return std::to_string(before);
      SK_TRY(const bool seen, use(row));
      taken += seen;
      before = row.moment;
    }
    if (rows.size() < rows_at_once) return std::string();
  }
}

}  // namespace skein::store
