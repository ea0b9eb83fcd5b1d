// Sessions, documents, and what is listed.
#include <algorithm>

#include "store/redis_keys.h"

namespace skein::store {
namespace {

constexpr size_t kTenantChars = 2 * sizeof(Tenant);

tl::unexpected<StoreError> damaged(std::string_view what, std::string_view id) {
  return refuse(Trouble::broken, "{} {}: what was kept of it is damaged, or is not Skein's", what,
                escaped(id, 64));
}

// A session of any tenant, or a document, as an index of all has it.
std::string member_of(const Tenant& tenant, std::string_view name) {
  return hex(tenant) + ":" + std::string(name);
}

std::optional<std::pair<Tenant, std::string>> of_member(std::string_view member) {
  if (member.size() <= kTenantChars || member[kTenantChars] != ':') return std::nullopt;
  Tenant tenant{};
  for (size_t i = 0; i < tenant.size(); ++i) {
    uint8_t byte = 0;
    const char* const at = member.data() + 2 * i;
    if (std::from_chars(at, at + 2, byte, 16).ptr != at + 2) return std::nullopt;
    tenant[i] = static_cast<std::byte>(byte);
  }
  return std::pair(tenant, std::string(member.substr(kTenantChars + 1)));
}

}  // namespace

Stored<RedisTables::Entries> RedisTables::entries_before(const std::string& index, int64_t before,
                                                         size_t limit) {
  SK_TRY(const RedisReply reply,
         tx_.ask({"ZREVRANGEBYSCORE", index, "(" + std::to_string(before), "-inf", "WITHSCORES",
                  "LIMIT", "0", std::to_string(limit)}));
  Entries out;
  for (size_t i = 0; i + 1 < reply.list.size(); i += 2)
    out.emplace_back(reply.list[i].text, number_in(reply.list[i + 1].text));
  return out;
}

Stored<RedisTables::Names> RedisTables::names_due(const std::string& index, int64_t now_ms,
                                                  size_t from, size_t limit) {
  SK_TRY(const RedisReply reply, tx_.ask({"ZRANGEBYSCORE", index, "-inf", std::to_string(now_ms),
                                          "LIMIT", std::to_string(from), std::to_string(limit)}));
  Names out;
  for (const RedisReply& each : reply.list) out.push_back(each.text);
  return out;
}

// ---- Sessions

Stored<std::optional<SessionRow>> RedisTables::session(const Tenant& tenant,
                                                       std::string_view name) {
  SK_TRY(const auto value, tx_.get(key("session", hex(tenant), name)));
  if (!value) return std::optional<SessionRow>();
  auto row = redis::session_in(*value, tenant, name);
  if (!row) return damaged("session", name);
  return row;
}

Stored<std::optional<std::string>> RedisTables::session_at(std::string_view which, int64_t now_ms) {
  const std::string node(which);
  const auto came = stand_.find(node);
  if (came != stand_.end() && !came->second.empty()) return *came->second.begin();
  const auto left = left_.find(node);
  const size_t ignored = left == left_.end() ? 0 : left->second.size();
  SK_TRY(const RedisReply reply,
         tx_.ask({"ZRANGEBYSCORE", key("at", node), "(" + std::to_string(now_ms), "+inf", "LIMIT",
                  "0", std::to_string(ignored + 1)},
                 true));
  for (const RedisReply& name : reply.list)
    if (ignored == 0 || !left->second.contains(name.text)) return name.text;
  return std::optional<std::string>();
}

Stored<void> RedisTables::put_session(const SessionRow& row) {
  const Session& session = row.session;
  SK_TRY(const auto before, this->session(row.tenant, session.name));
  const std::string tenant = hex(row.tenant);
  tx_.set(key("session", tenant, session.name), redis::value_of(row));
  if (!before || before->moment != row.moment)
    tx_.write({"ZADD", key("sessions", tenant), std::to_string(row.moment), session.name});
  if (before && before->session.node != session.node) {
    tx_.write({"ZREM", key("at", before->session.node), session.name});
    stand_[before->session.node].erase(session.name);
    left_[before->session.node].insert(session.name);
  }
  const int64_t due = row.due_ms();
  tx_.write(
      {"ZADD", key("at", session.node), due > 0 ? std::to_string(due) : "+inf", session.name});
  left_[session.node].erase(session.name);
  stand_[session.node].insert(session.name);
  index_due(key("due", "sessions"), due, before ? before->due_ms() : 0,
            member_of(row.tenant, session.name));
  count(row.tenant, usage::kSessions, before ? 0 : 1);
  count(row.tenant, usage::kLog, row.log_bytes() - (before ? before->log_bytes() : 0));
  return {};
}

Stored<void> RedisTables::erase_session(const Tenant& tenant, std::string_view which) {
  const std::string name(which), whose = hex(tenant);
  SK_TRY(const auto row, session(tenant, name));
  if (!row) return {};
  tx_.erase(key("session", whose, name));
  tx_.write({"ZREM", key("sessions", whose), name});
  tx_.write({"ZREM", key("at", row->session.node), name});
  stand_[row->session.node].erase(name);
  left_[row->session.node].insert(name);
  index_due(key("due", "sessions"), 0, row->due_ms(), member_of(tenant, name));
  count(tenant, usage::kSessions, -1);
  count(tenant, usage::kLog, -row->log_bytes());
  return {};
}

Stored<std::vector<SessionRow>> RedisTables::session_page(const Tenant& tenant, int64_t before,
                                                          size_t limit) {
  return page<SessionRow>(key("sessions", hex(tenant)), before, limit,
                          [&](const std::string& name) { return session(tenant, name); });
}

Stored<std::vector<SessionRow>> RedisTables::due_sessions(int64_t now_ms, size_t limit) {
  SK_TRY(const Names members, names_due(key("due", "sessions"), now_ms, 0, limit));
  std::vector<SessionRow> out;
  for (const std::string& member : members) {
    const auto of = of_member(member);
    if (!of) continue;
    auto row = session(of->first, of->second);
    if (!row && row.error().trouble != Trouble::broken)
      return tl::unexpected(std::move(row).error());
    if (row && *row && (*row)->due_ms() > 0 && (*row)->due_ms() <= now_ms)
      out.push_back(std::move(**row));
  }
  return out;
}

// ---- Documents

Stored<std::optional<DocumentRow>> RedisTables::document(const Tenant& tenant,
                                                         std::string_view kind,
                                                         std::string_view id) {
  SK_TRY(const auto value, tx_.get(key("document", hex(tenant), kind, id)));
  if (!value) return std::optional<DocumentRow>();
  auto row = redis::document_in(*value, tenant, kind, id);
  if (!row) return damaged("document", id);
  return row;
}

Stored<void> RedisTables::put_document(const DocumentRow& row) {
  const Document& document = row.document;
  SK_TRY(const auto before, this->document(row.tenant, document.kind, document.id));
  const std::string tenant = hex(row.tenant);
  tx_.set(key("document", tenant, document.kind, document.id), redis::value_of(row));
  tx_.write(
      {"ZADD", key("documents", tenant, document.kind), std::to_string(row.moment), document.id});
  tx_.write({"SADD", key("kinds", tenant), document.kind});
  index_due(key("due", "documents"), row.due_ms(), before ? before->due_ms() : 0,
            member_of(row.tenant, document.kind + ":" + document.id));
  count(row.tenant, usage::kDocuments, before ? 0 : 1);
  count(row.tenant, usage::kLog, row.log_bytes() - (before ? before->log_bytes() : 0));
  return {};
}

Stored<void> RedisTables::erase_document(const Tenant& tenant, std::string_view kind,
                                         std::string_view id) {
  SK_TRY(const auto row, document(tenant, kind, id));
  if (!row) return {};
  const std::string whose = hex(tenant), name(id), of(kind);
  tx_.erase(key("document", whose, of, name));
  tx_.write({"ZREM", key("documents", whose, of), name});
  index_due(key("due", "documents"), 0, row->due_ms(), member_of(tenant, of + ":" + name));
  count(tenant, usage::kDocuments, -1);
  count(tenant, usage::kLog, -row->log_bytes());
  return {};
}

Stored<std::vector<DocumentRow>> RedisTables::document_page(const Tenant& tenant,
                                                            std::string_view kind, int64_t before,
                                                            size_t limit) {
  return page<DocumentRow>(key("documents", hex(tenant), kind), before, limit,
                           [&](const std::string& id) { return document(tenant, kind, id); });
}

Stored<std::vector<DocumentRow>> RedisTables::due_documents(int64_t now_ms, size_t limit) {
  SK_TRY(const Names members, names_due(key("due", "documents"), now_ms, 0, limit));
  std::vector<DocumentRow> out;
  for (const std::string& member : members) {
    const auto of = of_member(member);
    const size_t colon = of ? of->second.find(':') : std::string::npos;
    if (colon == std::string::npos) continue;
    auto row = document(of->first, of->second.substr(0, colon), of->second.substr(colon + 1));
    if (!row && row.error().trouble != Trouble::broken)
      return tl::unexpected(std::move(row).error());
    if (row && *row && (*row)->due_ms() > 0 && (*row)->due_ms() <= now_ms)
      out.push_back(std::move(**row));
  }
  return out;
}

Stored<void> RedisTables::erase_lists(const Tenant& tenant) {
  const std::string whose = hex(tenant);
  SK_TRY(const RedisReply sessions, tx_.ask({"ZRANGE", key("sessions", whose), "0", "-1"}, true));
  for (const RedisReply& name : sessions.list) {
    tx_.erase(key("session", whose, name.text));
    tx_.write({"ZREM", key("due", "sessions"), member_of(tenant, name.text)});
  }
  SK_TRY(const RedisReply kinds, tx_.ask({"SMEMBERS", key("kinds", whose)}, true));
  for (const RedisReply& kind : kinds.list) {
    const std::string index = key("documents", whose, kind.text);
    SK_TRY(const RedisReply ids, tx_.ask({"ZRANGE", index, "0", "-1"}, true));
    for (const RedisReply& id : ids.list) {
      tx_.erase(key("document", whose, kind.text, id.text));
      tx_.write({"ZREM", key("due", "documents"), member_of(tenant, kind.text + ":" + id.text)});
    }
    tx_.write({"DEL", index});
  }
  tx_.write({"DEL", key("sessions", whose), key("kinds", whose)});
  return {};
}

}  // namespace skein::store
