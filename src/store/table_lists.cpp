#include "store/names.h"
#include "store/paging.h"
#include "store/table_store.h"

namespace skein::store {
namespace {

constexpr size_t kRowsAtOnce = 64;
constexpr size_t kPageBytes = size_t{16} << 20;  // of documents, but for the last one

tl::unexpected<StoreError> no_session(std::string_view name) {
  return refuse(Trouble::missing, "there is no session {}", escaped(name, 64));
}

tl::unexpected<StoreError> no_document(std::string_view id) {
  return refuse(Trouble::missing, "there is no {}", escaped(id, 64));
}

}  // namespace

Stored<Page<Node>> TableStore::list(const Tenant& tenant, const Query& query) {
  const std::lock_guard lock(mutex_);
  Page<Node> page;
  const auto fetch = [&](int64_t before, size_t count) {
    return tables_->node_page(tenant, query.parent, before, count);
  };
  const auto use = [&](const NodeRow& row) -> Stored<bool> {
    SK_TRY(const bool is_seen, seen(row));
    if (!is_seen) return false;
    SK_TRY(Node node, shown(row));
    page.items.push_back(std::move(node));
    return true;
  };
  SK_TRY(page.next, take_page(query, kRowsAtOnce, fetch, use, [] { return false; }));
  return page;
}

Stored<Session> TableStore::move(const Tenant& tenant, const SessionMove& move) {
  SK_TRY(std::optional<SessionRow> row, tables_->session(tenant, move.name));
  if (row && !seen(*row)) row.reset();
  const uint64_t version = row ? row->session.version : 0;
  if (move.expected && *move.expected != version) {
    if (version == 0) return no_session(move.name);
    return refuse(Trouble::conflict, "session {} is at version {} by now, not {}",
                  escaped(move.name, 64), version, *move.expected);
  }
  SK_TRY(NodeRow node, seen_node(tenant, move.node));
  node.node.used_ms = now_ms();
  SK_TRY_STATUS(tables_->put_node(node));
  if (!row) {
    // One that is due and was not swept yet is replaced.
    SK_TRY(const auto due, tables_->session(tenant, move.name));
    row.emplace();
    if (!due) {
      SK_TRY_STATUS(check_room(tenant, row->log_bytes()));
      count_log(tenant, row->log_bytes());
    }
    row->tenant = tenant;
    row->moment = next_moment();
    row->session.name = move.name;
    row->session.created_ms = now_ms();
  }
  row->session.node = move.node;
  row->session.version = version + 1;
  row->session.used_ms = now_ms();
  row->session.ttl_ms = move.ttl_ms;
  SK_TRY_STATUS(tables_->put_session(*row));
  return std::move(row->session);
}

Stored<Session> TableStore::session(const Tenant& tenant, std::string_view name) {
  if (!is_session(name)) return no_session(name);
  const std::lock_guard lock(mutex_);
  SK_TRY(std::optional<SessionRow> row, tables_->session(tenant, name));
  if (!row || !seen(*row)) return no_session(name);
  return std::move(row->session);
}

Stored<Page<Session>> TableStore::sessions(const Tenant& tenant, const Query& query) {
  const std::lock_guard lock(mutex_);
  Page<Session> page;
  const auto fetch = [&](int64_t before, size_t count) {
    return tables_->session_page(tenant, before, count);
  };
  const auto use = [&](const SessionRow& row) -> Stored<bool> {
    if (!seen(row)) return false;
    page.items.push_back(row.session);
    return true;
  };
  SK_TRY(page.next, take_page(query, kRowsAtOnce, fetch, use, [] { return false; }));
  return page;
}

Stored<void> TableStore::remove_session(const Tenant& tenant, std::string_view name,
                                        std::optional<uint64_t> expected) {
  if (!is_session(name)) return no_session(name);
  const std::lock_guard lock(mutex_);
  return transact([&]() -> Stored<void> {
    SK_TRY(const std::optional<SessionRow> row, tables_->session(tenant, name));
    if (!row || !seen(*row)) return no_session(name);
    if (expected && *expected != row->session.version)
      return refuse(Trouble::conflict, "session {} is at version {} by now, not {}",
                    escaped(name, 64), row->session.version, *expected);
    return drop_row(*row);
  });
}

Stored<void> TableStore::drop_row(const SessionRow& row) {
  count_log(row.tenant, -row.log_bytes());
  return tables_->erase_session(row.tenant, row.session.name);
}

Stored<void> TableStore::drop_row(const DocumentRow& row) {
  count_log(row.tenant, -row.log_bytes());
  return tables_->erase_document(row.tenant, row.document.kind, row.document.id);
}

Stored<void> TableStore::write(const Tenant& tenant, const DocumentDraft& draft) {
  SK_TRY(const std::optional<DocumentRow> before, tables_->document(tenant, draft.kind, draft.id));
  if (before && seen(*before) && !draft.replace)
    return refuse(Trouble::conflict, "there is a {} already", escaped(draft.id, 64));
  DocumentRow row;
  row.tenant = tenant;
  row.moment = next_moment();
  row.document = {draft.kind, draft.id, draft.json, now_ms(), draft.ttl_ms};
  count_log(tenant, row.log_bytes() - (before ? before->log_bytes() : 0));
  return tables_->put_document(row);
}

Stored<Document> TableStore::document(const Tenant& tenant, std::string_view kind,
                                      std::string_view id) {
  if (!is_kind(kind) || !is_document(id)) return no_document(id);
  const std::lock_guard lock(mutex_);
  SK_TRY(std::optional<DocumentRow> row, tables_->document(tenant, kind, id));
  if (!row || !seen(*row)) return no_document(id);
  return std::move(row->document);
}

Stored<Page<Document>> TableStore::documents(const Tenant& tenant, std::string_view kind,
                                             const Query& query) {
  const std::lock_guard lock(mutex_);
  Page<Document> page;
  size_t bytes = 0;
  const auto fetch = [&](int64_t before, size_t count) {
    return tables_->document_page(tenant, kind, before, count);
  };
  const auto use = [&](const DocumentRow& row) -> Stored<bool> {
    if (!seen(row)) return false;
    bytes += row.document.json.size();
    page.items.push_back(row.document);
    return true;
  };
  // They may be large: one at a time.
  SK_TRY(page.next, take_page(query, 1, fetch, use, [&] { return bytes >= kPageBytes; }));
  return page;
}

Stored<void> TableStore::remove_document(const Tenant& tenant, std::string_view kind,
                                         std::string_view id) {
  if (!is_kind(kind) || !is_document(id)) return no_document(id);
  const std::lock_guard lock(mutex_);
  return transact([&]() -> Stored<void> {
    SK_TRY(const std::optional<DocumentRow> row, tables_->document(tenant, kind, id));
    if (!row || !seen(*row)) return no_document(id);
    return drop_row(*row);
  });
}

}  // namespace skein::store
