// How RedisTables calls its keys, and what its two files have in common.
#pragma once

#include <charconv>

#include "base/limits.h"
#include "store/redis_tables.h"

namespace skein::store {

// Fields of the sums, in the order of RedisTables::usage().
namespace usage {
inline constexpr const char* kNodes = "nodes";
inline constexpr const char* kTokens = "tokens";
inline constexpr const char* kLog = "log";
inline constexpr const char* kSnapshots = "snapshots";
inline constexpr const char* kSnapshotBytes = "snapshot_bytes";
inline constexpr const char* kSessions = "sessions";
inline constexpr const char* kDocuments = "documents";
inline constexpr const char* kAll[] = {kNodes,         kTokens,   kLog,      kSnapshots,
                                       kSnapshotBytes, kSessions, kDocuments};
}  // namespace usage

// No part but the last may hold a colon.
template <typename... Parts>
std::string RedisTables::key(std::string_view what, const Parts&... parts) const {
  std::string out = link_->options().prefix;
  out += what;
  ((out += ':', out += parts), ...);
  return out;
}

inline int64_t number_in(std::string_view text) {
  int64_t out = 0;
  std::from_chars(text.data(), text.data() + text.size(), out);
  return out;
}

template <typename Row, typename Find>
Stored<std::vector<Row>> RedisTables::page(const std::string& index, int64_t before, size_t limit,
                                           const Find& find) {
  std::vector<Row> out;
  while (out.size() < limit) {
    SK_TRY(const auto entries, entries_before(index, before, limit));
    for (const auto& [name, moment] : entries) {
      before = moment;
      SK_TRY(std::optional<Row> row, find(name));
      // Those that have gone meanwhile do not count.
      if (row && out.size() < limit) out.push_back(std::move(*row));
    }
    if (entries.size() < limit) break;
  }
  return out;
}

}  // namespace skein::store
