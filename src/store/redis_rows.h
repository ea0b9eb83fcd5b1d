// Rows as the values of keys: what kind they are, a checksum, and their fields. What is none of
// ours, was cut, or is another key's is found out.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "store/tables.h"

namespace skein::store::redis {

// A node, and the nodes before it, nearest first, so that a long path takes few questions.
struct PathRow {
  NodeRow row;
  std::vector<std::string> before;
};
// Of the one behind it.
std::vector<std::string> before_next(const PathRow& parent);

std::string value_of(const PathRow& row);
std::string value_of(const SessionRow& row);
std::string value_of(const DocumentRow& row);
std::optional<PathRow> node_in(std::string_view value, std::string_view id);
std::optional<SessionRow> session_in(std::string_view value, const Tenant& tenant,
                                     std::string_view name);
std::optional<DocumentRow> document_in(std::string_view value, const Tenant& tenant,
                                       std::string_view kind, std::string_view id);

// A node's tokens: pieces one behind the other.
std::string piece_of(std::string_view id, const Piece& piece);
// As far as they are whole. `end`: how many bytes that is.
Piece pieces_in(std::string_view value, std::string_view id, size_t* end = nullptr);

// What decides whether a snapshot goes.
std::string worth_of(const NodeRow& row);
std::optional<Candidate> candidate_in(std::string_view value, std::string_view id);

}  // namespace skein::store::redis
