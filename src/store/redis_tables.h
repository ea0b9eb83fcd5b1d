// A store's rows in a Redis that any number of processes share. Keys, behind the prefix:
//
//   skein                      what layout this is
//   node:ID log:ID image:ID    a node, its tokens, its snapshot (redis_images.h)
//   name:TENANT:NAME           the node of that name
//   nodes:TENANT children:ID   nodes by moment
//   growing                    who makes which node grow
//   alive:OWNER                he lives
//   worth                      of snapshots that may go
//   session:TENANT:NAME sessions:TENANT at:ID        by moment; those that stand at a node
//   document:TENANT:KIND:ID documents:TENANT:KIND kinds:TENANT
//   due:nodes due:sessions due:documents             by when they are over
//   usage usage:TENANT         sums
//   ballast                    dropped where even taking something away finds no room
#pragma once

#include <map>
#include <set>

#include "store/redis_rows.h"
#include "store/redis_transaction.h"

namespace skein::store {

class RedisTables final : public Tables {
 public:
  // `owner`: this process, while it says so at least every `lease`.
  RedisTables(std::unique_ptr<RedisLink> link, std::string owner, std::chrono::milliseconds lease);

  RedisLink& link() { return *link_; }
  // The owner lives, and there is ballast.
  Stored<void> renew();

  Stored<void> begin() override { return tx_.begin(); }
  Stored<bool> commit() override;
  void rollback() noexcept override;
  bool outdated() override { return tx_.outdated(); }
  Stored<void> begin_path(std::string_view id) override;
  void end_path() noexcept override { tx_.end_reading(); }

  Stored<std::optional<NodeRow>> node(std::string_view id) override;
  Stored<std::optional<std::string>> node_named(const Tenant& tenant,
                                                std::string_view name) override;
  Stored<void> put_node(const NodeRow& row) override;
  Stored<void> erase_node(std::string_view id) override;
  Stored<bool> has_child(std::string_view id) override;
  Stored<std::vector<NodeRow>> node_page(const Tenant& tenant, std::string_view parent,
                                         int64_t before, size_t limit) override;
  Stored<std::vector<NodeRow>> due_nodes(int64_t now_ms, size_t limit) override;
  // Those that nobody makes grow any more.
  Stored<std::vector<NodeRow>> growing_nodes() override;
  // Some, where there are many.
  Stored<std::vector<Candidate>> candidates() override;
  // Redis forgets by itself what belongs to no node.
  Stored<std::vector<std::string>> images() override { return std::vector<std::string>(); }

  Stored<void> append_log(std::string_view id, const Piece& piece) override;
  Stored<Piece> read_log(std::string_view id) override;
  Stored<void> replace_log(std::string_view id, const Piece& piece) override;

  Stored<std::optional<SessionRow>> session(const Tenant& tenant, std::string_view name) override;
  Stored<std::optional<std::string>> session_at(std::string_view node, int64_t now_ms) override;
  Stored<void> put_session(const SessionRow& row) override;
  Stored<void> erase_session(const Tenant& tenant, std::string_view name) override;
  Stored<std::vector<SessionRow>> session_page(const Tenant& tenant, int64_t before,
                                               size_t limit) override;
  Stored<std::vector<SessionRow>> due_sessions(int64_t now_ms, size_t limit) override;

  Stored<std::optional<DocumentRow>> document(const Tenant& tenant, std::string_view kind,
                                              std::string_view id) override;
  Stored<void> put_document(const DocumentRow& row) override;
  Stored<void> erase_document(const Tenant& tenant, std::string_view kind,
                              std::string_view id) override;
  Stored<std::vector<DocumentRow>> document_page(const Tenant& tenant, std::string_view kind,
                                                 int64_t before, size_t limit) override;
  Stored<std::vector<DocumentRow>> due_documents(int64_t now_ms, size_t limit) override;

  Stored<void> erase_tenant(const Tenant& tenant, std::vector<std::string>& images) override;
  Stored<Usage> usage(const Tenant* tenant) override;
  Stored<void> settle() override { return {}; }

 private:
  using Names = std::vector<std::string>;
  template <typename... Parts>
  std::string key(std::string_view what, const Parts&... parts) const;
  Stored<std::optional<redis::PathRow>> path_row(std::string_view id);
  using Entries = std::vector<std::pair<std::string, int64_t>>;  // with their moments
  Stored<Entries> entries_before(const std::string& index, int64_t before, size_t limit);
  Stored<Names> names_due(const std::string& index, int64_t now_ms, size_t from, size_t limit);
  // Rows of an index from `before` on, past those that are gone by now.
  template <typename Row, typename Find>
  Stored<std::vector<Row>> page(const std::string& index, int64_t before, size_t limit,
                                const Find& find);
  void index_due(const std::string& index, int64_t due_ms, int64_t due_before,
                 const std::string& member);
  void index_image(const NodeRow& row, const NodeRow* before);
  void index_growth(const NodeRow& row, const NodeRow* before);
  void count(const Tenant& tenant, const char* what, int64_t change);
  bool drop_ballast();
  void count_node(const NodeRow* before, const NodeRow* row);
  Stored<void> forget_node(const std::string& id);
  bool knows_who_lives();
  Stored<void> erase_lists(const Tenant& tenant);

  const std::unique_ptr<RedisLink> link_;
  const std::string owner_;
  const std::chrono::milliseconds lease_;
  RedisTransaction tx_;
  uint64_t epoch_ = 0;  // of the connection that there was last
  std::chrono::steady_clock::time_point connected_at_{};

  // Nodes that this process makes grow, and bytes of their logs that were acknowledged: what is
  // behind those came of a commit of which nobody knows how it ended.
  std::map<std::string, size_t> growing_;
  // Of the transaction under way.
  std::map<std::string, std::optional<size_t>> grown_;
  std::map<std::pair<std::string, const char*>, int64_t> counts_;  // by the sums' key
  std::map<std::string, int64_t> children_;                    // that came, less those that went
  std::map<std::string, std::set<std::string>> stand_, left_;  // sessions, by nodes
};

}  // namespace skein::store
