#include "store/memory_tables.h"

#include <algorithm>
#include <limits>

namespace skein::store {
namespace {

constexpr int64_t kFirst = std::numeric_limits<int64_t>::min();

bool is_due(int64_t due_ms, int64_t now_ms) { return due_ms != 0 && due_ms <= now_ms; }

// The newest `limit` of the places between `first` and `last`, through `row_of`.
template <typename Map, typename RowOf>
auto newest(const Map& map, const typename Map::key_type& first, const typename Map::key_type& last,
            size_t limit, const RowOf& row_of) {
  std::vector<std::decay_t<decltype(row_of(*map.begin()))>> rows;
  const auto begin = map.lower_bound(first);
  for (auto at = map.lower_bound(last); at != begin && rows.size() < limit;)
    rows.push_back(row_of(*--at));
  return rows;
}

}  // namespace

template <typename Map>
struct MemoryTables::Restore final : Undo {
  Restore(Map& in, const typename Map::key_type& of) : map(in), key(of) {}
  void run() noexcept override {
    if (!done) return;
    map.erase(key);
    if (old) map.insert(std::move(old));
  }

  Map& map;
  const typename Map::key_type key;
  typename Map::node_type old;
  bool done = false;
};

template <typename Map>
void MemoryTables::set(Map& map, const typename Map::key_type& key,
                       std::optional<typename Map::mapped_type> value) {
  Map fresh;
  if (value) fresh.emplace(key, std::move(*value));
  auto made = std::make_unique<Restore<Map>>(map, key);
  Restore<Map>& undo = *made;
  undo_.push_back(std::move(made));
  // Nothing takes memory from here on.
  undo.old = map.extract(key);
  if (!fresh.empty()) map.insert(fresh.extract(fresh.begin()));
  undo.done = true;
}

Stored<void> MemoryTables::begin() {
  undo_.clear();
  return {};
}

Stored<bool> MemoryTables::commit() {
  undo_.clear();
  return true;
}

void MemoryTables::rollback() noexcept {
  while (!undo_.empty()) {
    undo_.back()->run();
    undo_.pop_back();
  }
}

Stored<std::optional<NodeRow>> MemoryTables::node(std::string_view id) {
  const auto found = nodes_.find(id);
  return found == nodes_.end() ? std::nullopt : std::optional(found->second);
}

Stored<std::optional<std::string>> MemoryTables::node_named(const Tenant& tenant,
                                                            std::string_view name) {
  const auto found = names_.find({tenant, std::string(name)});
  return found == names_.end() ? std::nullopt : std::optional(found->second);
}

Stored<void> MemoryTables::put_node(const NodeRow& row) {
  const Node& node = row.node;
  const auto before = nodes_.find(node.id);
  if (before == nodes_.end()) {
    set(children_, {node.parent, row.tenant, row.moment}, node.id);
    set(order_, {row.tenant, row.moment}, node.id);
  } else if (before->second.node.name != node.name && !before->second.node.name.empty()) {
    set(names_, {row.tenant, before->second.node.name}, std::nullopt);
  }
  if (!node.name.empty()) set(names_, {row.tenant, node.name}, node.id);
  set(nodes_, node.id, row);
  return {};
}

Stored<void> MemoryTables::erase_node(std::string_view id) {
  const auto found = nodes_.find(id);
  if (found == nodes_.end()) return {};
  const NodeRow row = found->second;
  for (auto at = log_.lower_bound({row.node.id, 0});
       at != log_.end() && at->first.first == row.node.id; at = log_.lower_bound({row.node.id, 0}))
    set(log_, std::pair(at->first), std::nullopt);
  set(children_, {row.node.parent, row.tenant, row.moment}, std::nullopt);
  set(order_, {row.tenant, row.moment}, std::nullopt);
  if (!row.node.name.empty()) set(names_, {row.tenant, row.node.name}, std::nullopt);
  set(nodes_, row.node.id, std::nullopt);
  return {};
}

Stored<bool> MemoryTables::has_child(std::string_view id) {
  const auto found = children_.lower_bound({std::string(id), Tenant(), kFirst});
  return found != children_.end() && std::get<0>(found->first) == id;
}

Stored<std::vector<NodeRow>> MemoryTables::node_page(const Tenant& tenant, std::string_view parent,
                                                     int64_t before, size_t limit) {
  const auto row_of = [this](const auto& place) { return nodes_.at(place.second); };
  if (parent.empty()) return newest(order_, {tenant, kFirst}, {tenant, before}, limit, row_of);
  const std::string of(parent);
  return newest(children_, {of, tenant, kFirst}, {of, tenant, before}, limit, row_of);
}

Stored<std::vector<NodeRow>> MemoryTables::due_nodes(int64_t now_ms, size_t limit) {
  std::vector<NodeRow> rows;
  for (const auto& [id, row] : nodes_) {
    if (rows.size() == limit) break;
    if (!is_due(row.due_ms(), now_ms) || row.removed || row.node.pinned ||
        row.node.stage == Stage::growing)
      continue;
    SK_TRY(const auto session, session_at(id, now_ms));
    if (!session) rows.push_back(row);
  }
  return rows;
}

Stored<std::vector<Candidate>> MemoryTables::candidates() {
  std::vector<Candidate> out;
  for (const auto& [id, row] : nodes_)
    if (row.node.snapshot_bytes > 0 && !row.node.pinned && !row.node.origin)
      out.push_back({id, row.gap, row.node.snapshot_bytes, row.node.hits, row.node.used_ms});
  return out;
}

Stored<void> MemoryTables::append_log(std::string_view id, const Piece& piece) {
  const std::string of(id);
  const auto end = log_.lower_bound({of, UINT64_MAX});
  const bool first = end == log_.begin() || std::prev(end)->first.first != of;
  set(log_, {of, first ? 0 : std::prev(end)->first.second + 1}, piece);
  return {};
}

Stored<Piece> MemoryTables::read_log(std::string_view id) {
  Piece out;
  const std::string of(id);
  for (auto at = log_.lower_bound({of, 0}); at != log_.end() && at->first.first == of; ++at) {
    out.tokens.insert(out.tokens.end(), at->second.tokens.begin(), at->second.tokens.end());
    out.text += at->second.text;
  }
  return out;
}

Stored<void> MemoryTables::replace_log(std::string_view id, const Piece& piece) {
  const std::string of(id);
  for (auto at = log_.upper_bound({of, 0}); at != log_.end() && at->first.first == of;
       at = log_.upper_bound({of, 0}))
    set(log_, std::pair(at->first), std::nullopt);
  set(log_, {of, 0}, piece);
  return {};
}

Stored<std::optional<SessionRow>> MemoryTables::session(const Tenant& tenant,
                                                        std::string_view name) {
  const auto found = sessions_.find({tenant, std::string(name)});
  return found == sessions_.end() ? std::nullopt : std::optional(found->second);
}

Stored<std::optional<std::string>> MemoryTables::session_at(std::string_view node, int64_t now_ms) {
  for (auto at = sessions_at_.lower_bound({std::string(node), Tenant(), ""});
       at != sessions_at_.end() && std::get<0>(at->first) == node; ++at) {
    const auto& [of, tenant, name] = at->first;
    if (!is_due(sessions_.at({tenant, name}).due_ms(), now_ms)) return name;
  }
  return std::nullopt;
}

Stored<void> MemoryTables::put_session(const SessionRow& row) {
  SK_TRY_STATUS(erase_session(row.tenant, row.session.name));
  set(sessions_at_, {row.session.node, row.tenant, row.session.name}, char{});
  set(sessions_, {row.tenant, row.session.name}, row);
  return {};
}

Stored<void> MemoryTables::erase_session(const Tenant& tenant, std::string_view name) {
  const auto found = sessions_.find({tenant, std::string(name)});
  if (found == sessions_.end()) return {};
  set(sessions_at_, {found->second.session.node, tenant, std::string(name)}, std::nullopt);
  set(sessions_, {tenant, std::string(name)}, std::nullopt);
  return {};
}

Stored<std::vector<SessionRow>> MemoryTables::session_page(const Tenant& tenant, int64_t before,
                                                           size_t limit) {
  std::vector<SessionRow> rows;
  for (auto at = sessions_.lower_bound({tenant, ""});
       at != sessions_.end() && at->first.first == tenant; ++at)
    if (at->second.moment < before) rows.push_back(at->second);
  std::sort(rows.begin(), rows.end(),
            [](const SessionRow& a, const SessionRow& b) { return a.moment > b.moment; });
  if (rows.size() > limit) rows.resize(limit);
  return rows;
}

Stored<std::vector<SessionRow>> MemoryTables::due_sessions(int64_t now_ms, size_t limit) {
  std::vector<SessionRow> rows;
  for (const auto& [name, row] : sessions_)
    if (rows.size() < limit && is_due(row.due_ms(), now_ms)) rows.push_back(row);
  return rows;
}

Stored<std::optional<DocumentRow>> MemoryTables::document(const Tenant& tenant,
                                                          std::string_view kind,
                                                          std::string_view id) {
  const auto found = documents_.find({tenant, std::string(kind), std::string(id)});
  return found == documents_.end() ? std::nullopt : std::optional(found->second);
}

Stored<void> MemoryTables::put_document(const DocumentRow& row) {
  const Document& document = row.document;
  SK_TRY_STATUS(erase_document(row.tenant, document.kind, document.id));
  set(document_order_, {row.tenant, document.kind, row.moment}, document.id);
  set(documents_, {row.tenant, document.kind, document.id}, row);
  return {};
}

Stored<void> MemoryTables::erase_document(const Tenant& tenant, std::string_view kind,
                                          std::string_view id) {
  const DocumentKey key{tenant, kind, id};
  const auto found = documents_.find(key);
  if (found == documents_.end()) return {};
  set(document_order_, {tenant, std::string(kind), found->second.moment}, std::nullopt);
  set(documents_, key, std::nullopt);
  return {};
}

Stored<std::vector<DocumentRow>> MemoryTables::document_page(const Tenant& tenant,
                                                             std::string_view kind, int64_t before,
                                                             size_t limit) {
  const std::string of(kind);
  return newest(document_order_, {tenant, of, kFirst}, {tenant, of, before}, limit,
                [&](const auto& place) {
                  return documents_.at({tenant, of, place.second});
                });
}

Stored<std::vector<DocumentRow>> MemoryTables::due_documents(int64_t now_ms, size_t limit) {
  std::vector<DocumentRow> rows;
  for (const auto& [key, row] : documents_)
    if (rows.size() < limit && is_due(row.due_ms(), now_ms)) rows.push_back(row);
  return rows;
}

Stored<void> MemoryTables::erase_tenant(const Tenant& tenant, std::vector<std::string>& images) {
  std::vector<std::string> ids;
  for (const auto& [id, row] : nodes_) {
    if (row.tenant != tenant) continue;
    ids.push_back(id);
    if (row.node.snapshot_bytes > 0) images.push_back(id);
  }
  for (const std::string& id : ids) SK_TRY_STATUS(erase_node(id));
  while (true) {
    const auto at = sessions_.lower_bound({tenant, ""});
    if (at == sessions_.end() || at->first.first != tenant) break;
    SK_TRY_STATUS(erase_session(tenant, std::string(at->first.second)));
  }
  while (true) {
    const auto at = documents_.lower_bound({tenant, "", ""});
    if (at == documents_.end() || std::get<0>(at->first) != tenant) return {};
    const auto [of, kind, id] = at->first;
    SK_TRY_STATUS(erase_document(tenant, kind, id));
  }
}

Stored<Usage> MemoryTables::usage(const Tenant* tenant) {
  Usage out;
  for (const auto& [id, row] : nodes_) {
    if (tenant && row.tenant != *tenant) continue;
    out.nodes += !row.removed;
    out.tokens += static_cast<int64_t>(row.node.own_tokens);
    out.log_bytes += row.log_bytes();
    out.snapshots += row.node.snapshot_bytes > 0;
    out.snapshot_bytes += static_cast<int64_t>(row.node.snapshot_bytes);
  }
  for (const auto& [key, row] : sessions_) {
    if (tenant && row.tenant != *tenant) continue;
    ++out.sessions;
    out.log_bytes += row.log_bytes();
  }
  for (const auto& [key, row] : documents_) {
    if (tenant && row.tenant != *tenant) continue;
    ++out.documents;
    out.log_bytes += row.log_bytes();
  }
  return out;
}

}  // namespace skein::store
