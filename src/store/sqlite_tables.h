// A store's rows in an SQLite database. Each row has a checksum of what it says: SQLite has none,
// and a row that a disk has changed is worse than one that is lost.
#pragma once

#include "store/database.h"
#include "store/tables.h"

namespace skein::store {

class SqliteTables final : public Tables {
 public:
  // Errors: Database::open()'s.
  static Result<std::unique_ptr<SqliteTables>> open(const std::filesystem::path& path,
                                                    Durability durability);

  // See Database::copy_to().
  Stored<void> copy_to(const std::filesystem::path& path) { return database_.copy_to(path); }

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
  Stored<std::vector<NodeRow>> growing_nodes() override;
  Stored<std::vector<Candidate>> candidates() override;
  Stored<std::vector<std::string>> images() override;

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
  Stored<void> settle() override { return database_.settle(); }

 private:
  explicit SqliteTables(Database database) : database_(std::move(database)) {}

  Database database_;  // first, so that it ends last
  struct Statements {
    Statement begin, commit, rollback;
    Statement node, named, put_node, erase_node, erase_log, child, nodes, children, due_nodes,
        growing, candidates, images, tenant_images;
    Statement last_piece, put_piece, log;
    Statement session, session_at, put_session, erase_session, sessions, due_sessions;
    Statement document, put_document, erase_document, documents, due_documents;
    Statement erase_tenant_log, erase_tenant_nodes, erase_tenant_sessions, erase_tenant_documents;
    Statement node_usage, session_usage, document_usage;
  } sql_;
};

}  // namespace skein::store
