// A store's rows in ordered maps. What a transaction changes is remembered until it ends.
#pragma once

#include <map>
#include <memory>

#include "store/tables.h"

namespace skein::store {

class MemoryTables final : public Tables {
 public:
  Stored<void> begin() override;
  Stored<bool> commit() override;
  void rollback() noexcept override;

  Stored<std::optional<NodeRow>> node(std::string_view id) override;
  Stored<std::optional<std::string>> node_named(const Tenant& tenant,
                                                std::string_view name) override;
  Stored<void> put_node(const NodeRow& row) override;
  Stored<void> erase_node(std::string_view id) override;
  Stored<bool> has_child(std::string_view id) override;
  Stored<std::vector<NodeRow>> node_page(const Tenant& tenant, std::string_view parent,
                                         int64_t before, size_t limit) override;
  Stored<std::vector<NodeRow>> due_nodes(int64_t now_ms, size_t limit) override;
  Stored<std::vector<NodeRow>> growing_nodes() override { return std::vector<NodeRow>(); }
  Stored<std::vector<Candidate>> candidates() override;
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
  struct Undo {
    virtual ~Undo() = default;
    virtual void run() noexcept = 0;
  };
  template <typename Map>
  struct Restore;
  // The value of `key` from now on, or none; undone by rollback(). Where memory runs out nothing
  // has changed.
  template <typename Map>
  void set(Map& map, const typename Map::key_type& key,
           std::optional<typename Map::mapped_type> value);

  using DocumentKey = std::tuple<Tenant, std::string, std::string>;
  using NodePlace = std::tuple<std::string, Tenant, int64_t>;  // parent or "", whose, moment
  std::map<std::string, NodeRow, std::less<>> nodes_;
  std::map<std::pair<Tenant, std::string>, std::string> names_;
  std::map<NodePlace, std::string> children_;
  std::map<std::pair<Tenant, int64_t>, std::string> order_;  // of all nodes of a tenant
  std::map<std::pair<std::string, uint64_t>, Piece> log_;
  std::map<std::pair<Tenant, std::string>, SessionRow> sessions_;
  std::map<std::tuple<std::string, Tenant, std::string>, char> sessions_at_;  // by their nodes
  std::map<DocumentKey, DocumentRow> documents_;
  std::map<std::tuple<Tenant, std::string, int64_t>, std::string> document_order_;
  std::vector<std::unique_ptr<Undo>> undo_;
};

}  // namespace skein::store
