// The tables and the statements of sqlite_tables.cpp.
#pragma once

namespace skein::store::schema {

inline constexpr unsigned kApplication = 0x536b6e31;  // "Skn1"

// What makes each version of the one before. A version that was released never changes.
// Texts are blobs: they are bytes, of whatever encoding. `due` is when a row is over, 0: never.
inline constexpr const char* kVersions[] = {R"(
CREATE TABLE node(
  id TEXT PRIMARY KEY, tenant BLOB NOT NULL, parent TEXT NOT NULL, name TEXT NOT NULL,
  fingerprint BLOB NOT NULL, stage INTEGER NOT NULL, origin INTEGER NOT NULL,
  pinned INTEGER NOT NULL, removed INTEGER NOT NULL, created INTEGER NOT NULL,
  used INTEGER NOT NULL, ttl INTEGER NOT NULL, due INTEGER NOT NULL, own_tokens INTEGER NOT NULL,
  tokens INTEGER NOT NULL, own_text INTEGER NOT NULL, snapshot INTEGER NOT NULL,
  hits INTEGER NOT NULL, depth INTEGER NOT NULL, gap INTEGER NOT NULL, moment INTEGER NOT NULL,
  extra BLOB NOT NULL, sum INTEGER NOT NULL) STRICT;
CREATE INDEX node_moment ON node(tenant, moment);
CREATE INDEX node_parent ON node(parent, moment);
CREATE INDEX node_name ON node(tenant, name) WHERE name <> '';
CREATE INDEX node_due ON node(due) WHERE due > 0;
CREATE INDEX node_snapshot ON node(snapshot) WHERE snapshot > 0;
CREATE INDEX node_growing ON node(stage) WHERE stage = 1;
CREATE TABLE log(
  node TEXT NOT NULL, place INTEGER NOT NULL, tokens BLOB NOT NULL, text BLOB NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY(node, place)) STRICT;
CREATE TABLE session(
  tenant BLOB NOT NULL, name TEXT NOT NULL, node TEXT NOT NULL, version INTEGER NOT NULL,
  created INTEGER NOT NULL, used INTEGER NOT NULL, ttl INTEGER NOT NULL, due INTEGER NOT NULL,
  moment INTEGER NOT NULL, sum INTEGER NOT NULL, PRIMARY KEY(tenant, name)) STRICT;
CREATE INDEX session_node ON session(node);
CREATE INDEX session_moment ON session(tenant, moment);
CREATE INDEX session_due ON session(due) WHERE due > 0;
CREATE TABLE document(
  tenant BLOB NOT NULL, kind TEXT NOT NULL, id TEXT NOT NULL, created INTEGER NOT NULL,
  ttl INTEGER NOT NULL, due INTEGER NOT NULL, moment INTEGER NOT NULL, json BLOB NOT NULL,
  sum INTEGER NOT NULL, PRIMARY KEY(tenant, kind, id)) STRICT;
CREATE INDEX document_moment ON document(tenant, kind, moment);
CREATE INDEX document_due ON document(due) WHERE due > 0;
)"};

}  // namespace skein::store::schema
