#include <algorithm>

#include "base/limits.h"
#include "store/names.h"
#include "store/table_store.h"

namespace skein::store {
namespace {

tl::unexpected<StoreError> no_state(std::string_view id) {
  return refuse(Trouble::missing, "there is no state {}", escaped(id, 64));
}

Stored<void> check_length(uint64_t tokens) {
  if (tokens <= limits::kPromptTokens) return {};
  return refuse(Trouble::invalid, "a history has at most {} tokens, this one would have {}",
                limits::kPromptTokens, tokens);
}

}  // namespace

Stored<NodeRow> TableStore::seen_node(const Tenant& tenant, std::string_view id) {
  if (!is_id(id)) return no_state(id);
  SK_TRY(std::optional<NodeRow> row, tables_->node(id));
  if (!row || row->tenant != tenant) return no_state(id);
  SK_TRY(const bool is_seen, seen(*row));
  if (!is_seen) return no_state(id);
  return std::move(*row);
}

// What grows is counted when it is looked at: a row that changed with each token would cost more
// than the token.
Stored<Node> TableStore::shown(NodeRow row) {
  if (row.node.stage != Stage::growing) return std::move(row.node);
  SK_TRY(const Piece log, tables_->read_log(row.node.id));
  row.node.tokens += log.tokens.size() - row.node.own_tokens;
  row.node.own_tokens = log.tokens.size();
  row.node.own_text = log.text.size();
  return std::move(row.node);
}

Stored<void> TableStore::put(const NodeRow& before, const NodeRow& row) {
  count_log(row.tenant, row.log_bytes() - (before.node.id.empty() ? 0 : before.log_bytes()));
  added_.snapshot_bytes += static_cast<int64_t>(row.node.snapshot_bytes) -
                           static_cast<int64_t>(before.node.snapshot_bytes);
  return tables_->put_node(row);
}

// What is due and was not swept yet does not keep its name.
Stored<void> TableStore::free_name(const Tenant& tenant, std::string_view name,
                                   std::string_view id) {
  SK_TRY(const std::optional<std::string> holder, tables_->node_named(tenant, name));
  if (!holder || *holder == id) return {};
  SK_TRY(const std::optional<NodeRow> row, tables_->node(*holder));
  if (!row) return {};
  SK_TRY(const bool is_seen, seen(*row));
  if (is_seen) return refuse(Trouble::conflict, "a state is called {} already", escaped(name, 64));
  return remove_row(*row);
}

Stored<void> TableStore::add(const Tenant& tenant, const NodeDraft& draft, uint64_t origin_bytes) {
  SK_TRY(const std::optional<NodeRow> taken, tables_->node(draft.id));
  if (taken) return refuse(Trouble::conflict, "there is a state {} already", draft.id);
  NodeRow row;
  row.tenant = tenant;
  row.moment = next_moment();
  Node& node = row.node;
  node.own_tokens = node.tokens = draft.tokens.size();
  node.created_ms = node.used_ms = now_ms();
  if (!draft.parent.empty()) {
    SK_TRY(NodeRow parent, seen_node(tenant, draft.parent));
    if (parent.node.stage == Stage::growing)
      return refuse(Trouble::invalid, "state {} is still being written", draft.parent);
    if (parent.node.fingerprint != draft.fingerprint)
      return refuse(Trouble::invalid, "state {} was made by another model", draft.parent);
    if (parent.depth + 1 > limits::kStoreDepth)
      return refuse(Trouble::invalid, "a state has at most {} before it", limits::kStoreDepth);
    row.depth = parent.depth + 1;
    node.tokens += parent.node.tokens;
    parent.node.used_ms = now_ms();
    SK_TRY_STATUS(tables_->put_node(parent));
  }
  SK_TRY_STATUS(check_length(node.tokens));
  if (!draft.name.empty()) SK_TRY_STATUS(free_name(tenant, draft.name, draft.id));
  node.id = draft.id;
  node.parent = draft.parent;
  node.name = draft.name;
  node.fingerprint = draft.fingerprint;
  node.stage = draft.growing ? Stage::growing : Stage::whole;
  node.origin = draft.origin.has_value();
  node.pinned = draft.pinned;
  node.ttl_ms = draft.ttl_ms;
  node.own_text = draft.text.size();
  node.snapshot_bytes = origin_bytes;
  node.extra = draft.extra;
  SK_TRY_STATUS(put(NodeRow(), row));
  return tables_->append_log(node.id, {draft.tokens, draft.text});
}

Stored<void> TableStore::finish(const Tenant& tenant, const Finish& finish) {
  SK_TRY(const NodeRow before, seen_node(tenant, finish.id));
  if (before.node.stage != Stage::growing)
    return refuse(Trouble::invalid, "state {} does not grow", finish.id);
  NodeRow row = before;
  SK_TRY(Piece log, tables_->read_log(finish.id));
  log.tokens.insert(log.tokens.end(), finish.tokens.begin(), finish.tokens.end());
  log.text += finish.text;
  row.node.tokens += log.tokens.size() - row.node.own_tokens;
  row.node.own_tokens = log.tokens.size();
  row.node.own_text = log.text.size();
  SK_TRY_STATUS(check_length(row.node.tokens));
  row.node.stage = finish.cut ? Stage::cut : Stage::whole;
  row.node.used_ms = now_ms();
  if (!finish.extra.empty()) row.node.extra = finish.extra;
  SK_TRY_STATUS(tables_->replace_log(finish.id, log));
  return put(before, row);
}

Stored<std::vector<size_t>> TableStore::append(std::span<const Growth> growths) {
  const std::lock_guard lock(mutex_);
  if (totals_.log_bytes > options_.budget.log_bytes)
    return refuse(Trouble::full, "there is no room for more texts");
  return transact([&]() -> Stored<std::vector<size_t>> {
    std::vector<size_t> gone;
    for (size_t i = 0; i < growths.size(); ++i) {
      const Growth& growth = growths[i];
      SK_TRY(const auto row, tables_->node(growth.id));
      if (!row || row->tenant != growth.tenant || row->node.stage != Stage::growing) {
        gone.push_back(i);
        continue;
      }
      SK_TRY_STATUS(tables_->append_log(growth.id, {growth.tokens, growth.text}));
    }
    return gone;
  });
}

Stored<Node> TableStore::node(const Tenant& tenant, std::string_view id_or_name) {
  const std::lock_guard lock(mutex_);
  std::string id(id_or_name);
  if (is_name(id_or_name)) {
    SK_TRY(const std::optional<std::string> named, tables_->node_named(tenant, id_or_name));
    if (!named) return no_state(id_or_name);
    id = *named;
  }
  SK_TRY(NodeRow row, seen_node(tenant, id));
  return shown(std::move(row));
}

Stored<std::vector<Node>> TableStore::nodes(const Tenant& tenant,
                                            std::span<const std::string> ids) {
  const std::lock_guard lock(mutex_);
  std::vector<Node> out;
  for (const std::string& id : ids) {
    auto row = seen_node(tenant, id);
    if (!row && row.error().trouble == Trouble::missing) continue;
    if (!row) return tl::unexpected(std::move(row).error());
    SK_TRY(Node node, shown(std::move(*row)));
    out.push_back(std::move(node));
  }
  return out;
}

Stored<Path> TableStore::path(const Tenant& tenant, std::string_view id) {
  const std::lock_guard lock(mutex_);
  struct Reading {
    Tables* tables;
    ~Reading() { tables->end_path(); }
  };
  constexpr int kReadings = 3;
  for (int tries = 1;; ++tries) {
    const Reading reading{tables_.get()};
    if (is_id(id)) SK_TRY_STATUS(tables_->begin_path(id));
    auto path = read_path(tenant, id);
    // Where others change the same, rows of two moments may not go together.
    if (path || path.error().trouble != Trouble::broken || tries == kReadings) return path;
  }
}

Stored<Path> TableStore::read_path(const Tenant& tenant, std::string_view id) {
  SK_TRY(NodeRow row, seen_node(tenant, id));
  std::vector<NodeRow> rows{row};
  while (!rows.back().node.parent.empty()) {
    SK_TRY(std::optional<NodeRow> before, tables_->node(rows.back().node.parent));
    if (!before || before->tenant != tenant || before->depth + 1 != rows.back().depth)
      return refuse(Trouble::broken, "state {}: the history before it is damaged",
                    rows.back().node.id);
    rows.push_back(std::move(*before));
  }
  Path out;
  std::reverse(rows.begin(), rows.end());
  for (const NodeRow& one : rows) {
    SK_TRY(const Piece log, tables_->read_log(one.node.id));
    if (one.node.stage != Stage::growing &&
        (log.tokens.size() != one.node.own_tokens || log.text.size() != one.node.own_text))
      return refuse(Trouble::broken, "state {}: tokens of it are lost", one.node.id);
    out.steps.push_back({one.node.id, one.removed, one.node.created_ms, log.tokens.size(),
                         log.text.size(), one.node.origin});
    out.tokens.insert(out.tokens.end(), log.tokens.begin(), log.tokens.end());
    out.text += log.text;
  }
  return out;
}

Stored<Node> TableStore::change(const Tenant& tenant, std::string_view id,
                                const NodeChange& change) {
  SK_TRY_STATUS(check_change(change));
  const std::lock_guard lock(mutex_);
  return transact([&]() -> Stored<Node> {
    SK_TRY(const NodeRow before, seen_node(tenant, id));
    NodeRow row = before;
    if (change.name && !change.name->empty()) SK_TRY_STATUS(free_name(tenant, *change.name, id));
    if (change.name) row.node.name = *change.name;
    if (change.pinned) row.node.pinned = *change.pinned;
    if (change.ttl_ms) row.node.ttl_ms = *change.ttl_ms;
    if (change.extra) row.node.extra = *change.extra;
    row.node.used_ms = now_ms();
    SK_TRY_STATUS(put(before, row));
    return shown(std::move(row));
  });
}

Stored<void> TableStore::remove(const Tenant& tenant, std::string_view id) {
  const std::lock_guard lock(mutex_);
  return transact([&] { return remove_node(tenant, id); });
}

Stored<void> TableStore::remove_node(const Tenant& tenant, std::string_view id) {
  SK_TRY(const NodeRow row, seen_node(tenant, id));
  SK_TRY(const std::optional<std::string> session, tables_->session_at(id, now_ms()));
  if (session)
    return refuse(Trouble::conflict, "session {} stands at state {}; remove that first",
                  escaped(*session, 64), id);
  return remove_row(row);
}

Stored<void> TableStore::remove_row(NodeRow row) {
  SK_TRY(const bool has_child, tables_->has_child(row.node.id));
  if (!has_child) return erase_row(row);
  const NodeRow before = row;
  row.removed = true;
  row.node.name.clear();
  row.node.extra.clear();
  row.node.pinned = false;
  row.node.ttl_ms = 0;
  return put(before, row);
}

// And what was only there for it.
Stored<void> TableStore::erase_row(const NodeRow& row) {
  NodeRow last = row;
  while (true) {
    count_log(last.tenant, -last.log_bytes());
    added_.snapshot_bytes -= static_cast<int64_t>(last.node.snapshot_bytes);
    if (last.node.snapshot_bytes > 0) unwanted_.push_back(last.node.id);
    SK_TRY_STATUS(tables_->erase_node(last.node.id));
    if (last.node.parent.empty()) return {};
    SK_TRY(std::optional<NodeRow> before, tables_->node(last.node.parent));
    if (!before || !before->removed) return {};
    SK_TRY(const bool has_child, tables_->has_child(before->node.id));
    if (has_child) return {};
    last = std::move(*before);
  }
}

}  // namespace skein::store
