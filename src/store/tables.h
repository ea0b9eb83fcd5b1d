// The rows that a store is made of, and what a place for them has to do. What may be done with them
// is table_store.h's: a place knows no rules.
#pragma once

#include <compare>
#include <tuple>

#include "store/store.h"

namespace skein::store {

// What a row takes beside its texts, with what leads to it: about, and never nothing, since rows
// without a text would fill a store that counts texts alone.
inline constexpr int64_t kRowBytes = 1024;

struct NodeRow {
  Node node;
  Tenant tenant{};
  int64_t moment = 0;    // microseconds since 1970, each once: the order of lists
  uint64_t depth = 0;    // nodes before it
  bool removed = false;  // only its log is wanted, by those behind it
  uint64_t gap = 0;      // tokens that its snapshot spares, as it was when that was last looked at

  // When nobody sees it any more, unless something holds it; 0: never.
  int64_t due_ms() const { return node.ttl_ms ? node.used_ms + node.ttl_ms : 0; }
  int64_t log_bytes() const {
    return kRowBytes + static_cast<int64_t>(node.own_tokens * sizeof(int32_t) + node.own_text +
                                            node.extra.size());
  }
};

struct SessionRow {
  Session session;
  Tenant tenant{};
  int64_t moment = 0;
  int64_t due_ms() const { return session.ttl_ms ? session.used_ms + session.ttl_ms : 0; }
  int64_t log_bytes() const { return kRowBytes; }
};

struct DocumentRow {
  Document document;
  Tenant tenant{};
  int64_t moment = 0;
  int64_t due_ms() const { return document.ttl_ms ? document.created_ms + document.ttl_ms : 0; }
  int64_t log_bytes() const { return kRowBytes + static_cast<int64_t>(document.json.size()); }
};

// Tokens of a node that came together.
struct Piece {
  std::vector<int32_t> tokens;
  std::string text;
};

// What decides which snapshot is dropped.
struct Candidate {
  std::string id;
  uint64_t gap = 0, bytes = 0, hits = 0;
  int64_t used_ms = 0;
};

// One caller at a time. Pages go from the newest moment before `before` on.
class Tables {
 public:
  virtual ~Tables() = default;

  // What is changed between begin() and commit() is there as a whole or not at all.
  virtual Stored<void> begin() = 0;
  // False: another process has changed what was read since begin(). Nothing has happened, and it
  // is to be done again.
  virtual Stored<bool> commit() = 0;
  virtual void rollback() noexcept = 0;
  // Whether commit() would say so.
  virtual bool outdated() { return false; }
  // The whole path to a node is read until end_path().
  virtual Stored<void> begin_path(std::string_view /*id*/) { return {}; }
  virtual void end_path() noexcept {}

  virtual Stored<std::optional<NodeRow>> node(std::string_view id) = 0;
  virtual Stored<std::optional<std::string>> node_named(const Tenant& tenant,
                                                        std::string_view name) = 0;
  virtual Stored<void> put_node(const NodeRow& row) = 0;     // new, or in the place of the old
  virtual Stored<void> erase_node(std::string_view id) = 0;  // with its log
  virtual Stored<bool> has_child(std::string_view id) = 0;
  virtual Stored<std::vector<NodeRow>> node_page(const Tenant& tenant, std::string_view parent,
                                                 int64_t before, size_t limit) = 0;
  // Not removed, pinned or growing, and no session stands there.
  virtual Stored<std::vector<NodeRow>> due_nodes(int64_t now_ms, size_t limit) = 0;
  // That were left growing by somebody who has ended.
  virtual Stored<std::vector<NodeRow>> growing_nodes() = 0;
  // Of all tenants, but for those that are pinned and origins.
  virtual Stored<std::vector<Candidate>> candidates() = 0;

  virtual Stored<void> append_log(std::string_view id, const Piece& piece) = 0;
  virtual Stored<Piece> read_log(std::string_view id) = 0;
  // All pieces are one, which is `piece`.
  virtual Stored<void> replace_log(std::string_view id, const Piece& piece) = 0;

  virtual Stored<std::optional<SessionRow>> session(const Tenant& tenant,
                                                    std::string_view name) = 0;
  virtual Stored<std::optional<std::string>> session_at(std::string_view node,
                                                        int64_t now_ms) = 0;  // that is not due
  virtual Stored<void> put_session(const SessionRow& row) = 0;
  virtual Stored<void> erase_session(const Tenant& tenant, std::string_view name) = 0;
  virtual Stored<std::vector<SessionRow>> session_page(const Tenant& tenant, int64_t before,
                                                       size_t limit) = 0;
  virtual Stored<std::vector<SessionRow>> due_sessions(int64_t now_ms, size_t limit) = 0;

  virtual Stored<std::optional<DocumentRow>> document(const Tenant& tenant, std::string_view kind,
                                                      std::string_view id) = 0;
  virtual Stored<void> put_document(const DocumentRow& row) = 0;
  virtual Stored<void> erase_document(const Tenant& tenant, std::string_view kind,
                                      std::string_view id) = 0;
  virtual Stored<std::vector<DocumentRow>> document_page(const Tenant& tenant,
                                                         std::string_view kind, int64_t before,
                                                         size_t limit) = 0;
  virtual Stored<std::vector<DocumentRow>> due_documents(int64_t now_ms, size_t limit) = 0;

  // Ids of nodes that have a snapshot.
  virtual Stored<std::vector<std::string>> images() = 0;
  // Removed nodes too; the ids of those that have a snapshot are added to `images`.
  virtual Stored<void> erase_tenant(const Tenant& tenant, std::vector<std::string>& images) = 0;
  // What is in the tables; the tenant's, or all. Of `log_bytes` the sum of its rows' log_bytes().
  virtual Stored<Usage> usage(const Tenant* tenant) = 0;
  // As after a clean end.
  virtual Stored<void> settle() = 0;
};

// A place for snapshots, beside the tables, because they are large and may be lost. Several
// callers at a time.
class Images {
 public:
  virtual ~Images() = default;
  // Whole or not at all, in the place of what is there.
  virtual Stored<void> put(std::string_view id, std::vector<std::byte> image) = 0;
  // Nothing: it is not there. Error: broken (not what was put).
  virtual Stored<std::optional<std::vector<std::byte>>> get(std::string_view id) = 0;
  virtual void drop(std::string_view id) = 0;
  // Those for which `wanted` is false are left over from a process that was killed.
  virtual void keep_only(const std::function<bool(std::string_view)>& wanted) = 0;
};

}  // namespace skein::store
