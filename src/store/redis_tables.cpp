#include "store/redis_tables.h"

#include <algorithm>

#include "base/check.h"
#include "store/redis_keys.h"

namespace skein::store {
namespace {

constexpr size_t kBallastBytes = size_t{1} << 20;
constexpr size_t kCandidates = 16384;
constexpr size_t kAtOnce = 1000;  // nodes of which all is asked for together

tl::unexpected<StoreError> damaged_node(std::string_view id) {
  return refuse(Trouble::broken, "state {}: what was kept of it is damaged, or is not Skein's",
                escaped(id, 64));
}

bool may_go(const NodeRow& row) {
  return row.node.snapshot_bytes > 0 && !row.node.pinned && !row.node.origin;
}

// When it is to be looked at: what is held has no time.
int64_t due_of(const NodeRow& row) {
  const bool held = row.removed || row.node.pinned || row.node.stage == Stage::growing;
  return held ? 0 : row.due_ms();
}

}  // namespace

RedisTables::RedisTables(std::unique_ptr<RedisLink> link, std::string owner,
                         std::chrono::milliseconds lease)
    : link_(std::move(link)), owner_(std::move(owner)), lease_(lease), tx_(*link_) {}

Stored<void> RedisTables::renew() {
  RedisPatience patience = link_->patience();
  RedisCommands commands;
  commands.add({"SET", key("alive", owner_), "1", "PX", std::to_string(lease_.count())});
  commands.add({"EXISTS", key("ballast")});
  SK_TRY(const auto replies, link_->exchange(commands, patience));
  if (replies.back().kind == RedisReply::Kind::integer && replies.back().integer == 0) {
    RedisCommands ballast;
    ballast.add({"SET", key("ballast"), std::string(kBallastBytes, '.')});
    // Where there is no room for it there may be later.
    SK_TRY_STATUS(link_->exchange(ballast, patience));
  }
  return link_->judge(replies.front());
}

Stored<bool> RedisTables::commit() {
  const bool frees = tx_.only_frees();
  for (const auto& [of, change] : counts_)
    if (change != 0) tx_.write({"HINCRBY", of.first, of.second, std::to_string(change)});
  const auto done = tx_.commit();
  for (const auto& [id, end] : grown_) {
    if (!done || !*done) break;
    if (end)
      growing_[id] = *end;
    else
      growing_.erase(id);
  }
  rollback();
  if (!done && done.error().trouble == Trouble::full && frees && drop_ballast()) return false;
  return done;
}

// A Redis that is full takes nothing between MULTI and EXEC, not even what makes room.
bool RedisTables::drop_ballast() {
  RedisCommands commands;
  commands.add({"DEL", key("ballast")});
  RedisPatience patience = link_->patience();
  const auto replies = link_->exchange(commands, patience);
  return replies && replies->back().integer == 1;
}

void RedisTables::rollback() noexcept {
  tx_.rollback();
  grown_.clear();
  counts_.clear();
  children_.clear();
  stand_.clear();
  left_.clear();
}

// ---- Sums

void RedisTables::count(const Tenant& tenant, const char* what, int64_t change) {
  counts_[{key("usage"), what}] += change;
  counts_[{key("usage", hex(tenant)), what}] += change;
}

void RedisTables::count_node(const NodeRow* before, const NodeRow* row) {
  const auto each = [&](const NodeRow& of, int64_t sign) {
    count(of.tenant, usage::kNodes, sign * !of.removed);
    count(of.tenant, usage::kTokens, sign * static_cast<int64_t>(of.node.own_tokens));
    count(of.tenant, usage::kLog, sign * of.log_bytes());
    count(of.tenant, usage::kSnapshots, sign * (of.node.snapshot_bytes > 0));
    count(of.tenant, usage::kSnapshotBytes, sign * static_cast<int64_t>(of.node.snapshot_bytes));
  };
  if (before) each(*before, -1);
  if (row) each(*row, 1);
}

Stored<Usage> RedisTables::usage(const Tenant* tenant) {
  std::vector<std::string> words = {"HMGET", tenant ? key("usage", hex(*tenant)) : key("usage")};
  words.insert(words.end(), std::begin(usage::kAll), std::end(usage::kAll));
  SK_TRY(const RedisReply reply, tx_.ask(words));
  Usage out;
  int64_t* const into[] = {&out.nodes,          &out.tokens,   &out.log_bytes, &out.snapshots,
                           &out.snapshot_bytes, &out.sessions, &out.documents};
  for (size_t i = 0; i < std::size(into) && i < reply.list.size(); ++i)
    *into[i] = number_in(reply.list[i].text);
  return out;
}

// ---- Nodes

Stored<std::optional<redis::PathRow>> RedisTables::path_row(std::string_view id) {
  SK_TRY(const auto value, tx_.get(key("node", id)));
  if (!value) return std::optional<redis::PathRow>();
  auto row = redis::node_in(*value, id);
  if (!row) return damaged_node(id);
  return row;
}

Stored<std::optional<NodeRow>> RedisTables::node(std::string_view id) {
  SK_TRY(auto found, path_row(id));
  if (!found) return std::optional<NodeRow>();
  return std::move(found->row);
}

Stored<std::optional<std::string>> RedisTables::node_named(const Tenant& tenant,
                                                           std::string_view name) {
  return tx_.get(key("name", hex(tenant), name));
}

// A path is asked for in large stretches: each node knows some of those before it.
Stored<void> RedisTables::begin_path(std::string_view id) {
  tx_.begin_reading();
  std::vector<std::string> logs;
  std::string last(id);
  for (uint64_t depth = 0; depth <= limits::kStoreDepth;) {
    SK_TRY(const auto row, path_row(last));
    if (!row) break;
    logs.push_back(key("log", last));
    std::vector<std::string> rows;
    for (const std::string& before : row->before) rows.push_back(key("node", before));
    if (rows.empty()) break;
    SK_TRY_STATUS(tx_.fetch(rows));
    for (const std::string& before : row->before) logs.push_back(key("log", before));
    // Asked for again below, where it is the last of them.
    logs.pop_back();
    depth += row->before.size();
    last = row->before.back();
  }
  for (size_t at = 0; at < logs.size(); at += kAtOnce)
    SK_TRY_STATUS(tx_.fetch(
        {logs.begin() + static_cast<std::ptrdiff_t>(at),
         logs.begin() + static_cast<std::ptrdiff_t>(std::min(at + kAtOnce, logs.size()))}));
  return {};
}

void RedisTables::index_due(const std::string& index, int64_t due_ms, int64_t due_before,
                            const std::string& member) {
  if (due_ms > 0)
    tx_.write({"ZADD", index, std::to_string(due_ms), member});
  else if (due_before > 0)
    tx_.write({"ZREM", index, member});
}

void RedisTables::index_image(const NodeRow& row, const NodeRow* before) {
  const std::string& id = row.node.id;
  if (may_go(row))
    tx_.write({"HSET", key("worth"), id, redis::worth_of(row)});
  else if (before && may_go(*before))
    tx_.write({"HDEL", key("worth"), id});
  // Nobody's are forgotten after a while, and this is somebody's from now on.
  if (row.node.snapshot_bytes > 0)
    tx_.write({"PERSIST", key("image", id)});
  else if (before && before->node.snapshot_bytes > 0)
    tx_.write({"DEL", key("image", id)});
}

void RedisTables::index_growth(const NodeRow& row, const NodeRow* before) {
  const bool grows = row.node.stage == Stage::growing;
  const bool grew = before && before->node.stage == Stage::growing;
  if (grows && !grew) {
    tx_.write({"HSET", key("growing"), row.node.id, owner_});
    grown_[row.node.id] = 0;
  } else if (grew && !grows) {
    tx_.write({"HDEL", key("growing"), row.node.id});
    grown_[row.node.id] = std::nullopt;
  }
}

Stored<void> RedisTables::put_node(const NodeRow& row) {
  const Node& node = row.node;
  SK_TRY(auto found, path_row(node.id));
  const NodeRow* const before = found ? &found->row : nullptr;
  redis::PathRow path{row, {}};
  if (found) {
    path.before = found->before;
  } else if (!node.parent.empty()) {
    SK_TRY(const auto parent, path_row(node.parent));
    if (parent) path.before = before_next(*parent);
  }
  tx_.set(key("node", node.id), value_of(path));
  const std::string tenant = hex(row.tenant), moment = std::to_string(row.moment);
  if (!before) {
    tx_.expect_none(key("log", node.id));
    tx_.write({"ZADD", key("nodes", tenant), moment, node.id});
    if (!node.parent.empty()) {
      tx_.write({"ZADD", key("children", node.parent), moment, node.id});
      ++children_[node.parent];
    }
  }
  if (before && before->node.name != node.name && !before->node.name.empty())
    tx_.erase(key("name", tenant, before->node.name));
  if (!node.name.empty() && (!before || before->node.name != node.name))
    tx_.set(key("name", tenant, node.name), node.id);
  index_due(key("due", "nodes"), due_of(row), before ? due_of(*before) : 0, node.id);
  index_image(row, before);
  index_growth(row, before);
  count_node(before, &row);
  return {};
}

Stored<void> RedisTables::erase_node(std::string_view which) {
  const std::string id(which);
  SK_TRY(const auto found, path_row(id));
  if (!found) return {};
  const NodeRow& row = found->row;
  SK_TRY_STATUS(forget_node(id));
  const std::string tenant = hex(row.tenant);
  tx_.write({"ZREM", key("nodes", tenant), id});
  if (!row.node.parent.empty()) {
    tx_.write({"ZREM", key("children", row.node.parent), id});
    --children_[row.node.parent];
  }
  count_node(&row, nullptr);
  return {};
}

// All that is only this node's.
Stored<void> RedisTables::forget_node(const std::string& id) {
  SK_TRY(const auto found, path_row(id));
  if (!found) return {};
  const NodeRow& row = found->row;
  tx_.erase(key("node", id));
  tx_.erase(key("log", id));
  if (!row.node.name.empty()) tx_.erase(key("name", hex(row.tenant), row.node.name));
  if (due_of(row) > 0) tx_.write({"ZREM", key("due", "nodes"), id});
  if (may_go(row)) tx_.write({"HDEL", key("worth"), id});
  if (row.node.snapshot_bytes > 0) tx_.write({"DEL", key("image", id)});
  if (row.node.stage == Stage::growing) {
    tx_.write({"HDEL", key("growing"), id});
    grown_[id] = std::nullopt;
  }
  return {};
}

Stored<bool> RedisTables::has_child(std::string_view id) {
  SK_TRY(const RedisReply reply, tx_.ask({"ZCARD", key("children", id)}, true));
  const auto change = children_.find(std::string(id));
  return reply.integer + (change == children_.end() ? 0 : change->second) > 0;
}

Stored<std::vector<NodeRow>> RedisTables::node_page(const Tenant& tenant, std::string_view parent,
                                                    int64_t before, size_t limit) {
  return page<NodeRow>(parent.empty() ? key("nodes", hex(tenant)) : key("children", parent), before,
                       limit, [&](const std::string& id) -> Stored<std::optional<NodeRow>> {
                         auto row = node(id);
                         if (row && *row && (*row)->tenant != tenant)
                           return std::optional<NodeRow>();
                         return row;
                       });
}

Stored<std::vector<NodeRow>> RedisTables::due_nodes(int64_t now_ms, size_t limit) {
  std::vector<NodeRow> out;
  for (size_t from = 0; out.size() < limit;) {
    SK_TRY(const Names ids, names_due(key("due", "nodes"), now_ms, from, limit));
    for (const std::string& id : ids) {
      auto row = node(id);
      if (!row && row.error().trouble != Trouble::broken)
        return tl::unexpected(std::move(row).error());
      if (!row || !*row || due_of(**row) == 0 || due_of(**row) > now_ms) continue;
      SK_TRY(const auto session, session_at(id, now_ms));
      if (!session && out.size() < limit) out.push_back(std::move(**row));
    }
    if (ids.size() < limit) break;
    from += ids.size();
  }
  return out;
}

// Others may not have said yet that they live where the connection, as theirs, is a new one.
bool RedisTables::knows_who_lives() {
  const auto now = std::chrono::steady_clock::now();
  const uint64_t epoch = link_->epoch();
  if (std::exchange(epoch_, epoch) != epoch) connected_at_ = now;
  return now - connected_at_ >= lease_;
}

Stored<std::vector<NodeRow>> RedisTables::growing_nodes() {
  const bool knows = knows_who_lives();
  SK_TRY(const RedisReply all, tx_.ask({"HGETALL", key("growing")}));
  std::map<std::string, bool> lives{{owner_, false}};  // what is ours and grows is in growing_
  std::vector<NodeRow> out;
  for (size_t i = 0; i + 1 < all.list.size(); i += 2) {
    const std::string &id = all.list[i].text, &owner = all.list[i + 1].text;
    if (growing_.contains(id) || (!knows && owner != owner_)) continue;
    if (!lives.contains(owner)) {
      SK_TRY(lives[owner], tx_.get(key("alive", owner)).map([](const auto& v) { return !!v; }));
    }
    if (lives[owner]) continue;
    auto row = node(id);
    if (!row && row.error().trouble != Trouble::broken)
      return tl::unexpected(std::move(row).error());
    if (row && *row && (*row)->node.stage == Stage::growing) out.push_back(std::move(**row));
  }
  return out;
}

Stored<std::vector<Candidate>> RedisTables::candidates() {
  SK_TRY(const RedisReply all,
         tx_.ask({"HRANDFIELD", key("worth"), std::to_string(kCandidates), "WITHVALUES"}));
  std::vector<Candidate> out;
  for (size_t i = 0; i + 1 < all.list.size(); i += 2)
    if (auto one = redis::candidate_in(all.list[i + 1].text, all.list[i].text))
      out.push_back(std::move(*one));
  return out;
}

// ---- Logs

// Where one knows what was acknowledged a piece goes right behind that, so that a second try of one
// whose end nobody knows is no second piece.
Stored<void> RedisTables::append_log(std::string_view which, const Piece& piece) {
  const std::string id(which), log = key("log", id), bytes = redis::piece_of(id, piece);
  const auto here = grown_.find(id);
  const auto before = growing_.find(id);
  if (before == growing_.end()) {
    SK_TRY(auto value, tx_.get(log));
    std::string all = value.value_or("") + bytes;
    if (here != grown_.end()) here->second = all.size();
    tx_.set(log, std::move(all));
    return {};
  }
  const size_t end = here != grown_.end() && here->second ? *here->second : before->second;
  tx_.write({"SETRANGE", log, std::to_string(end), bytes});
  grown_[id] = end + bytes.size();
  return {};
}

Stored<Piece> RedisTables::read_log(std::string_view which) {
  const std::string id(which);
  SK_TRY(const auto value, tx_.get(key("log", id)));
  std::string_view text = value ? *value : std::string_view();
  SK_TRY(const auto row, node(id));
  const bool grows = row && row->node.stage == Stage::growing;
  const auto known = growing_.find(id);
  if (known != growing_.end() && grows) text = text.substr(0, known->second);
  size_t end = 0;
  Piece out = redis::pieces_in(text, id, &end);
  // Of one that grows, the rest is of somebody who ended while he wrote it.
  if (end < text.size() && !grows) return damaged_node(id);
  return out;
}

Stored<void> RedisTables::replace_log(std::string_view id, const Piece& piece) {
  tx_.set(key("log", id), redis::piece_of(id, piece));
  return {};
}

// ---- All of somebody

Stored<void> RedisTables::erase_tenant(const Tenant& tenant, std::vector<std::string>& images) {
  const std::string whose = hex(tenant);
  SK_TRY(const RedisReply nodes, tx_.ask({"ZRANGE", key("nodes", whose), "0", "-1"}, true));
  std::vector<std::string> keys;
  for (size_t i = 0; i < nodes.list.size(); ++i) {
    const std::string& id = nodes.list[i].text;
    if (i % kAtOnce == 0) {
      keys.clear();
      for (size_t j = i; j < std::min(i + kAtOnce, nodes.list.size()); ++j)
        keys.push_back(key("node", nodes.list[j].text));
      SK_TRY_STATUS(tx_.fetch(keys));
    }
    SK_TRY(const auto row, node(id));
    if (row && row->node.snapshot_bytes > 0) images.push_back(id);
    SK_TRY_STATUS(forget_node(id));
    tx_.write({"DEL", key("children", id), key("at", id)});
  }
  SK_TRY_STATUS(erase_lists(tenant));
  tx_.write({"DEL", key("nodes", whose), key("usage", whose)});
  // Behind all that is watched, so that it is its sum.
  SK_TRY(const Usage before, usage(&tenant));
  const int64_t gone[] = {before.nodes,     before.tokens,         before.log_bytes,
                          before.snapshots, before.snapshot_bytes, before.sessions,
                          before.documents};
  counts_.clear();
  for (size_t i = 0; i < std::size(gone); ++i) counts_[{key("usage"), usage::kAll[i]}] -= gone[i];
  return {};
}

}  // namespace skein::store
