#include "store/sqlite_tables.h"

#include <algorithm>
#include <cstring>

#include "run/byte_writer.h"
#include "store/sqlite_schema.h"

namespace skein::store {
namespace {

#define SK_NODE                                                                            \
  "id, tenant, parent, name, fingerprint, stage, origin, pinned, removed, created, used, " \
  "ttl, due, own_tokens, tokens, own_text, snapshot, hits, depth, gap, moment, extra, sum "
#define SK_SESSION "tenant, name, node, version, created, used, ttl, due, moment, sum "
#define SK_DOCUMENT "tenant, kind, id, created, ttl, due, moment, json, sum "

std::string_view text_of(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text));
}

Tenant digest_of(std::span<const std::byte> bytes) {
  Tenant out{};
  std::copy_n(bytes.begin(), std::min(bytes.size(), out.size()), out.begin());
  return out;
}

tl::unexpected<StoreError> damaged(std::string_view what, std::string_view id) {
  return refuse(Trouble::broken, "{} {}: what was kept of it is damaged", what, escaped(id, 64));
}

// Each row's numbers and texts in one order, for its checksum.
int64_t sum_of(const NodeRow& row) {
  const Node& node = row.node;
  ByteWriter w(256 + node.extra.size());
  for (const std::string* text : {&node.id, &node.parent, &node.name, &node.extra}) w.name(*text);
  w.raw(row.tenant);
  w.raw(node.fingerprint);
  for (const uint64_t number :
       {static_cast<uint64_t>(node.stage), uint64_t{node.origin}, uint64_t{node.pinned},
        uint64_t{row.removed}, static_cast<uint64_t>(node.created_ms),
        static_cast<uint64_t>(node.used_ms), static_cast<uint64_t>(node.ttl_ms), node.own_tokens,
        node.tokens, node.own_text, node.snapshot_bytes, node.hits, row.depth, row.gap,
        static_cast<uint64_t>(row.moment)})
    w.number(number);
  return crc32(w.take());
}

int64_t sum_of(const SessionRow& row) {
  const Session& session = row.session;
  ByteWriter w(128);
  w.name(session.name);
  w.name(session.node);
  w.raw(row.tenant);
  for (const uint64_t number :
       {session.version, static_cast<uint64_t>(session.created_ms),
        static_cast<uint64_t>(session.used_ms), static_cast<uint64_t>(session.ttl_ms),
        static_cast<uint64_t>(row.moment)})
    w.number(number);
  return crc32(w.take());
}

int64_t sum_of(const DocumentRow& row) {
  const Document& document = row.document;
  ByteWriter w(128);
  w.name(document.kind);
  w.name(document.id);
  w.raw(row.tenant);
  for (const int64_t number : {document.created_ms, document.ttl_ms, row.moment}) w.number(number);
  return crc32(bytes_of(document.json), crc32(w.take()));
}

int64_t sum_of(std::string_view node, int64_t place, std::span<const std::byte> tokens,
               std::string_view text) {
  ByteWriter w(64);
  w.name(node);
  w.number(place);
  w.number(static_cast<uint64_t>(tokens.size()));
  return crc32(bytes_of(text), crc32(tokens, crc32(w.take())));
}

std::optional<NodeRow> whole_node(const Run& run) {
  NodeRow row;
  Node& node = row.node;
  const auto number = [&](int column) { return static_cast<uint64_t>(run.integer(column)); };
  node.id = run.text(0);
  row.tenant = digest_of(run.bytes(1));
  node.parent = run.text(2);
  node.name = run.text(3);
  node.fingerprint = digest_of(run.bytes(4));
  if (number(5) > static_cast<uint64_t>(Stage::cut)) return std::nullopt;
  node.stage = static_cast<Stage>(number(5));
  node.origin = number(6) != 0;
  node.pinned = number(7) != 0;
  row.removed = number(8) != 0;
  node.created_ms = run.integer(9);
  node.used_ms = run.integer(10);
  node.ttl_ms = run.integer(11);
  node.own_tokens = number(13);
  node.tokens = number(14);
  node.own_text = number(15);
  node.snapshot_bytes = number(16);
  node.hits = number(17);
  row.depth = number(18);
  row.gap = number(19);
  row.moment = run.integer(20);
  node.extra = run.text(21);
  if (run.integer(22) != sum_of(row) || run.integer(12) != row.due_ms()) return std::nullopt;
  return row;
}

std::optional<SessionRow> whole_session(const Run& run) {
  SessionRow row;
  Session& session = row.session;
  row.tenant = digest_of(run.bytes(0));
  session.name = run.text(1);
  session.node = run.text(2);
  session.version = static_cast<uint64_t>(run.integer(3));
  session.created_ms = run.integer(4);
  session.used_ms = run.integer(5);
  session.ttl_ms = run.integer(6);
  row.moment = run.integer(8);
  if (run.integer(9) != sum_of(row) || run.integer(7) != row.due_ms()) return std::nullopt;
  return row;
}

std::optional<DocumentRow> whole_document(const Run& run) {
  DocumentRow row;
  Document& document = row.document;
  row.tenant = digest_of(run.bytes(0));
  document.kind = run.text(1);
  document.id = run.text(2);
  document.created_ms = run.integer(3);
  document.ttl_ms = run.integer(4);
  row.moment = run.integer(6);
  document.json = run.text(7);
  if (run.integer(8) != sum_of(row) || run.integer(5) != row.due_ms()) return std::nullopt;
  return row;
}

// Of one row, or of all that come: a damaged one is an error.
template <typename Row>
Stored<std::optional<Row>> one_row(Run& run, std::optional<Row> (*whole)(const Run&),
                                   std::string_view what, std::string_view id) {
  SK_TRY(const bool found, run.step());
  if (!found) return std::optional<Row>();
  std::optional<Row> row = whole(run);
  if (!row) return damaged(what, id);
  return row;
}

template <typename Row>
Stored<std::vector<Row>> all_rows(Run& run, std::optional<Row> (*whole)(const Run&),
                                  std::string_view what, int id_column) {
  std::vector<Row> rows;
  while (true) {
    SK_TRY(const bool found, run.step());
    if (!found) return rows;
    std::optional<Row> row = whole(run);
    if (!row) return damaged(what, run.text(id_column));
    rows.push_back(std::move(*row));
  }
}

// For what is done to all of them some time: a damaged one is left alone, and does not keep the
// others from it.
template <typename Row>
Stored<std::vector<Row>> whole_rows(Run& run, std::optional<Row> (*whole)(const Run&)) {
  std::vector<Row> rows;
  while (true) {
    SK_TRY(const bool found, run.step());
    if (!found) return rows;
    if (std::optional<Row> row = whole(run)) rows.push_back(std::move(*row));
  }
}

Stored<std::vector<std::string>> all_texts(Run& run) {
  std::vector<std::string> out;
  while (true) {
    SK_TRY(const bool found, run.step());
    if (!found) return out;
    out.emplace_back(run.text(0));
  }
}

Stored<std::optional<std::string>> one_text(Run& run) {
  SK_TRY(const bool found, run.step());
  return found ? std::optional(std::string(run.text(0))) : std::nullopt;
}

int64_t count_of(size_t limit) { return static_cast<int64_t>(limit); }

}  // namespace

Result<std::unique_ptr<SqliteTables>> SqliteTables::open(const std::filesystem::path& path,
                                                         Durability durability) {
  SK_TRY(Database database, Database::open(path, {.durability = durability,
                                                  .application = schema::kApplication,
                                                  .versions = schema::kVersions}));
  std::unique_ptr<SqliteTables> out(new SqliteTables(std::move(database)));
  Statements& s = out->sql_;
  const struct {
    Statement* statement;
    const char* sql;
  } all[] = {
      {&s.begin, "BEGIN IMMEDIATE"},
      {&s.commit, "COMMIT"},
      {&s.rollback, "ROLLBACK"},
      {&s.node, "SELECT " SK_NODE "FROM node WHERE id = ?"},
      {&s.named, "SELECT id FROM node WHERE tenant = ? AND name = ? AND name <> ''"},
      {&s.put_node, "INSERT OR REPLACE INTO node(" SK_NODE
                    ") VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)"},
      {&s.erase_node, "DELETE FROM node WHERE id = ?"},
      {&s.erase_log, "DELETE FROM log WHERE node = ?"},
      {&s.child, "SELECT 1 FROM node WHERE parent = ? LIMIT 1"},
      {&s.nodes,
       "SELECT " SK_NODE "FROM node WHERE tenant = ? AND moment < ? ORDER BY moment DESC LIMIT ?"},
      {&s.children,
       "SELECT " SK_NODE
       "FROM node WHERE parent = ? AND tenant = ? AND moment < ? ORDER BY moment DESC LIMIT ?"},
      {&s.due_nodes,
       "SELECT " SK_NODE "FROM node WHERE due > 0 AND due <= ?1 AND removed = 0 AND pinned = 0 AND "
       "stage <> 1 AND NOT EXISTS(SELECT 1 FROM session WHERE session.node = node.id "
       "AND (session.due = 0 OR session.due > ?1)) ORDER BY due LIMIT ?2"},
      {&s.growing, "SELECT " SK_NODE "FROM node WHERE stage = 1"},
      {&s.candidates,
       "SELECT id, gap, snapshot, hits, used FROM node WHERE snapshot > 0 AND pinned = 0 AND "
       "origin = 0"},
      {&s.images, "SELECT id FROM node WHERE snapshot > 0"},
      {&s.tenant_images, "SELECT id FROM node WHERE tenant = ? AND snapshot > 0"},
      {&s.last_piece, "SELECT max(place) + 1 FROM log WHERE node = ?"},
      {&s.put_piece, "INSERT INTO log(node, place, tokens, text, sum) VALUES(?,?,?,?,?)"},
      {&s.log, "SELECT place, tokens, text, sum FROM log WHERE node = ? ORDER BY place"},
      {&s.session, "SELECT " SK_SESSION "FROM session WHERE tenant = ? AND name = ?"},
      {&s.session_at, "SELECT name FROM session WHERE node = ? AND (due = 0 OR due > ?) LIMIT 1"},
      {&s.put_session,
       "INSERT OR REPLACE INTO session(" SK_SESSION ") VALUES(?,?,?,?,?,?,?,?,?,?)"},
      {&s.erase_session, "DELETE FROM session WHERE tenant = ? AND name = ?"},
      {&s.sessions, "SELECT " SK_SESSION
                    "FROM session WHERE tenant = ? AND moment < ? ORDER BY moment DESC LIMIT ?"},
      {&s.due_sessions, "SELECT " SK_SESSION "FROM session WHERE due > 0 AND due <= ? LIMIT ?"},
      {&s.document, "SELECT " SK_DOCUMENT "FROM document WHERE tenant = ? AND kind = ? AND id = ?"},
      {&s.put_document,
       "INSERT OR REPLACE INTO document(" SK_DOCUMENT ") VALUES(?,?,?,?,?,?,?,?,?)"},
      {&s.erase_document, "DELETE FROM document WHERE tenant = ? AND kind = ? AND id = ?"},
      {&s.documents, "SELECT " SK_DOCUMENT
                     "FROM document WHERE tenant = ? AND kind = ? AND moment < ? ORDER BY moment "
                     "DESC LIMIT ?"},
      {&s.due_documents, "SELECT " SK_DOCUMENT "FROM document WHERE due > 0 AND due <= ? LIMIT ?"},
      {&s.erase_tenant_log, "DELETE FROM log WHERE node IN (SELECT id FROM node WHERE tenant = ?)"},
      {&s.erase_tenant_nodes, "DELETE FROM node WHERE tenant = ?"},
      {&s.erase_tenant_sessions, "DELETE FROM session WHERE tenant = ?"},
      {&s.erase_tenant_documents, "DELETE FROM document WHERE tenant = ?"},
      {&s.node_usage,
       "SELECT total(removed = 0), total(own_tokens), total(own_tokens * 4 + own_text + "
       "length(extra)), total(snapshot > 0), total(snapshot), count(*) FROM node WHERE ?1 OR "
       "tenant = ?2"},
      {&s.session_usage, "SELECT count(*) FROM session WHERE ?1 OR tenant = ?2"},
      {&s.document_usage,
       "SELECT count(*), total(length(json)) FROM document WHERE ?1 OR tenant = ?2"},
  };
  for (const auto& one : all) {
    SK_TRY(*one.statement, out->database_.prepare(one.sql));
  }
  return out;
}

Stored<void> SqliteTables::begin() { return Run(sql_.begin).finish(); }
Stored<bool> SqliteTables::commit() {
  SK_TRY_STATUS(Run(sql_.commit).finish());
  return true;
}
void SqliteTables::rollback() noexcept { (void)Run(sql_.rollback).finish(); }

Stored<std::optional<NodeRow>> SqliteTables::node(std::string_view id) {
  Run run(sql_.node);
  run.bind(id);
  return one_row(run, whole_node, "state", id);
}

Stored<std::optional<std::string>> SqliteTables::node_named(const Tenant& tenant,
                                                            std::string_view name) {
  Run run(sql_.named);
  run.bind(std::span(tenant)).bind(name);
  return one_text(run);
}

Stored<void> SqliteTables::put_node(const NodeRow& row) {
  const Node& node = row.node;
  const auto number = [](uint64_t value) { return static_cast<int64_t>(value); };
  Run run(sql_.put_node);
  run.bind(node.id).bind(std::span(row.tenant)).bind(node.parent).bind(node.name);
  run.bind(std::span(node.fingerprint)).bind(static_cast<int64_t>(node.stage));
  run.bind(int64_t{node.origin}).bind(int64_t{node.pinned}).bind(int64_t{row.removed});
  run.bind(node.created_ms).bind(node.used_ms).bind(node.ttl_ms).bind(row.due_ms());
  run.bind(number(node.own_tokens)).bind(number(node.tokens)).bind(number(node.own_text));
  run.bind(number(node.snapshot_bytes)).bind(number(node.hits)).bind(number(row.depth));
  run.bind(number(row.gap)).bind(row.moment).bind(bytes_of(node.extra)).bind(sum_of(row));
  return run.finish();
}

Stored<void> SqliteTables::erase_node(std::string_view id) {
  SK_TRY_STATUS(Run(sql_.erase_log).bind(id).finish());
  return Run(sql_.erase_node).bind(id).finish();
}

Stored<bool> SqliteTables::has_child(std::string_view id) {
  return Run(sql_.child).bind(id).step();
}

Stored<std::vector<NodeRow>> SqliteTables::node_page(const Tenant& tenant, std::string_view parent,
                                                     int64_t before, size_t limit) {
  Run run(parent.empty() ? sql_.nodes : sql_.children);
  if (!parent.empty()) run.bind(parent);
  run.bind(std::span(tenant)).bind(before).bind(count_of(limit));
  return all_rows(run, whole_node, "state", 0);
}

Stored<std::vector<NodeRow>> SqliteTables::due_nodes(int64_t now_ms, size_t limit) {
  Run run(sql_.due_nodes);
  run.bind(now_ms).bind(count_of(limit));
  return whole_rows(run, whole_node);
}

Stored<std::vector<NodeRow>> SqliteTables::growing_nodes() {
  Run run(sql_.growing);
  return whole_rows(run, whole_node);
}

Stored<std::vector<Candidate>> SqliteTables::candidates() {
  Run run(sql_.candidates);
  std::vector<Candidate> out;
  while (true) {
    SK_TRY(const bool found, run.step());
    if (!found) return out;
    out.push_back({std::string(run.text(0)), static_cast<uint64_t>(run.integer(1)),
                   static_cast<uint64_t>(run.integer(2)), static_cast<uint64_t>(run.integer(3)),
                   run.integer(4)});
  }
}

Stored<std::vector<std::string>> SqliteTables::images() {
  Run run(sql_.images);
  return all_texts(run);
}

Stored<void> SqliteTables::append_log(std::string_view id, const Piece& piece) {
  int64_t place = 0;
  {
    Run last(sql_.last_piece);
    SK_TRY(const bool found, last.bind(id).step());
    place = found ? last.integer(0) : 0;
  }
  const auto tokens = std::as_bytes(std::span(piece.tokens));
  return Run(sql_.put_piece)
      .bind(id)
      .bind(place)
      .bind(tokens)
      .bind(bytes_of(piece.text))
      .bind(sum_of(id, place, tokens, piece.text))
      .finish();
}

Stored<Piece> SqliteTables::read_log(std::string_view id) {
  Run run(sql_.log);
  run.bind(id);
  Piece out;
  for (int64_t place = 0;; ++place) {
    SK_TRY(const bool found, run.step());
    if (!found) return out;
    const auto tokens = run.bytes(1);
    const std::string_view text = text_of(run.bytes(2));
    if (run.integer(0) != place || run.integer(3) != sum_of(id, place, tokens, text) ||
        tokens.size() % sizeof(int32_t) != 0)
      return damaged("state", id);
    const size_t before = out.tokens.size();
    out.tokens.resize(before + tokens.size() / sizeof(int32_t));
    if (!tokens.empty()) std::memcpy(out.tokens.data() + before, tokens.data(), tokens.size());
    out.text += text;
  }
}

Stored<void> SqliteTables::replace_log(std::string_view id, const Piece& piece) {
  SK_TRY_STATUS(Run(sql_.erase_log).bind(id).finish());
  return append_log(id, piece);
}

Stored<std::optional<SessionRow>> SqliteTables::session(const Tenant& tenant,
                                                        std::string_view name) {
  Run run(sql_.session);
  run.bind(std::span(tenant)).bind(name);
  return one_row(run, whole_session, "session", name);
}

Stored<std::optional<std::string>> SqliteTables::session_at(std::string_view node, int64_t now_ms) {
  Run run(sql_.session_at);
  run.bind(node).bind(now_ms);
  return one_text(run);
}

Stored<void> SqliteTables::put_session(const SessionRow& row) {
  const Session& session = row.session;
  Run run(sql_.put_session);
  run.bind(std::span(row.tenant)).bind(session.name).bind(session.node);
  run.bind(static_cast<int64_t>(session.version)).bind(session.created_ms).bind(session.used_ms);
  run.bind(session.ttl_ms).bind(row.due_ms()).bind(row.moment).bind(sum_of(row));
  return run.finish();
}

Stored<void> SqliteTables::erase_session(const Tenant& tenant, std::string_view name) {
  return Run(sql_.erase_session).bind(std::span(tenant)).bind(name).finish();
}

Stored<std::vector<SessionRow>> SqliteTables::session_page(const Tenant& tenant, int64_t before,
                                                           size_t limit) {
  Run run(sql_.sessions);
  run.bind(std::span(tenant)).bind(before).bind(count_of(limit));
  return all_rows(run, whole_session, "session", 1);
}

Stored<std::vector<SessionRow>> SqliteTables::due_sessions(int64_t now_ms, size_t limit) {
  Run run(sql_.due_sessions);
  run.bind(now_ms).bind(count_of(limit));
  return whole_rows(run, whole_session);
}

Stored<std::optional<DocumentRow>> SqliteTables::document(const Tenant& tenant,
                                                          std::string_view kind,
                                                          std::string_view id) {
  Run run(sql_.document);
  run.bind(std::span(tenant)).bind(kind).bind(id);
  return one_row(run, whole_document, "document", id);
}

Stored<void> SqliteTables::put_document(const DocumentRow& row) {
  const Document& document = row.document;
  Run run(sql_.put_document);
  run.bind(std::span(row.tenant)).bind(document.kind).bind(document.id);
  run.bind(document.created_ms).bind(document.ttl_ms).bind(row.due_ms()).bind(row.moment);
  run.bind(bytes_of(document.json)).bind(sum_of(row));
  return run.finish();
}

Stored<void> SqliteTables::erase_document(const Tenant& tenant, std::string_view kind,
                                          std::string_view id) {
  return Run(sql_.erase_document).bind(std::span(tenant)).bind(kind).bind(id).finish();
}

Stored<std::vector<DocumentRow>> SqliteTables::document_page(const Tenant& tenant,
                                                             std::string_view kind, int64_t before,
                                                             size_t limit) {
  Run run(sql_.documents);
  run.bind(std::span(tenant)).bind(kind).bind(before).bind(count_of(limit));
  return all_rows(run, whole_document, "document", 2);
}

Stored<std::vector<DocumentRow>> SqliteTables::due_documents(int64_t now_ms, size_t limit) {
  Run run(sql_.due_documents);
  run.bind(now_ms).bind(count_of(limit));
  return whole_rows(run, whole_document);
}

Stored<void> SqliteTables::erase_tenant(const Tenant& tenant, std::vector<std::string>& images) {
  {
    Run run(sql_.tenant_images);
    run.bind(std::span(tenant));
    SK_TRY(std::vector<std::string> ids, all_texts(run));
    images.insert(images.end(), std::make_move_iterator(ids.begin()),
                  std::make_move_iterator(ids.end()));
  }
  for (Statement* statement : {&sql_.erase_tenant_log, &sql_.erase_tenant_nodes,
                               &sql_.erase_tenant_sessions, &sql_.erase_tenant_documents})
    SK_TRY_STATUS(Run(*statement).bind(std::span(tenant)).finish());
  return {};
}

Stored<Usage> SqliteTables::usage(const Tenant* tenant) {
  Usage out;
  const Tenant whose = tenant ? *tenant : Tenant();
  const auto ask = [&](Statement& statement, std::initializer_list<int64_t*> into) -> Stored<void> {
    Run run(statement);
    run.bind(int64_t{tenant == nullptr}).bind(std::span(whose));
    SK_TRY_STATUS(run.step());
    int column = 0;
    for (int64_t* const number : into) *number += run.integer(column++);
    return {};
  };
  int64_t rows = 0;  // removed nodes are some
  SK_TRY_STATUS(ask(sql_.node_usage, {&out.nodes, &out.tokens, &out.log_bytes, &out.snapshots,
                                      &out.snapshot_bytes, &rows}));
  SK_TRY_STATUS(ask(sql_.session_usage, {&out.sessions}));
  SK_TRY_STATUS(ask(sql_.document_usage, {&out.documents, &out.log_bytes}));
  out.log_bytes += (rows + out.sessions + out.documents) * kRowBytes;
  return out;
}

}  // namespace skein::store
