// What may be called how. Names come from clients; none of them is ever part of a path or of a
// query.
#pragma once

#include <string_view>

#include "store/store.h"

namespace skein::store {

bool is_id(std::string_view id);      // as new_id() makes them
bool is_name(std::string_view name);  // of a node: no id
bool is_session(std::string_view name);
bool is_kind(std::string_view kind);
bool is_document(std::string_view id);

// Error: invalid, with what is wrong where.
Stored<void> check_changes(const Changes& changes);
Stored<void> check_change(const NodeChange& change);

}  // namespace skein::store
