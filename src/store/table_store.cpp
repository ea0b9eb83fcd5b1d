#include "store/table_store.h"

#include <algorithm>
#include <chrono>
#include <random>
#include <set>
#include <thread>

#include "store/names.h"

namespace skein::store {
namespace {

constexpr int64_t kSweepEveryMs = 60'000;
constexpr size_t kTenantsKnown = 4096;
constexpr size_t kSweptAtOnce = 1000;  // of each kind, so that a commit does not wait long

int64_t system_ms() {
  return std::chrono::duration_cast<std::chrono::milliseconds>(
             std::chrono::system_clock::now().time_since_epoch())
      .count();
}

Options with_clock(Options options) {
  if (!options.clock) options.clock = system_ms;
  return options;
}

}  // namespace

TableStore::TableStore(std::unique_ptr<Tables> tables, std::unique_ptr<Images> images,
                       Options options)
    : options_(with_clock(std::move(options))),
      tables_(std::move(tables)),
      images_(std::move(images)),
      writer_(options_.budget.queue_bytes,
              [this](const WriteBehind::Job& job) { write_image(job); }) {}

bool TableStore::may_be_of_two_moments(const StoreError& error) {
  return error.trouble != Trouble::full && error.trouble != Trouble::unavailable;
}

// To whoever was faster, for longer than one of his turns takes.
void TableStore::give_way() {
  static thread_local std::minstd_rand random{std::random_device{}()};
  std::this_thread::sleep_for(std::chrono::microseconds(random() % 2000));
}

Stored<void> TableStore::cut_what_grows() {
  return attempt([&]() -> Stored<void> {
    SK_TRY(const std::vector<NodeRow> growing, tables_->growing_nodes());
    for (const NodeRow& before : growing) {
      NodeRow row = before;
      SK_TRY(const Piece log, tables_->read_log(row.node.id));
      row.node.tokens += log.tokens.size() - row.node.own_tokens;
      row.node.own_tokens = log.tokens.size();
      row.node.own_text = log.text.size();
      row.node.stage = Stage::cut;
      SK_TRY_STATUS(tables_->replace_log(row.node.id, log));
      SK_TRY_STATUS(tables_->put_node(row));
    }
    return {};
  });
}

Stored<void> TableStore::look_around() {
  const std::lock_guard lock(mutex_);
  SK_TRY_STATUS(cut_what_grows());
  SK_TRY(const Usage found, tables_->usage(nullptr));
  totals_ = {found.log_bytes, found.snapshot_bytes};
  log_of_.clear();
  return {};
}

Stored<void> TableStore::start() {
  SK_TRY_STATUS(look_around());
  const std::lock_guard lock(mutex_);
  SK_TRY(const std::vector<std::string> ids, tables_->images());
  const std::set<std::string, std::less<>> wanted(ids.begin(), ids.end());
  images_->keep_only([&](std::string_view id) { return wanted.contains(id); });
  return {};
}

int64_t TableStore::now_ms() const { return options_.clock(); }

// Those of processes that share a place differ in what is less than a millisecond.
int64_t TableStore::next_moment() {
  static const int64_t own = std::random_device{}() % 1000;
  return last_moment_ = std::max(last_moment_ + 1000, now_ms() * 1000 + own);
}

bool TableStore::seen(const SessionRow& row) const {
  return row.due_ms() == 0 || row.due_ms() > now_ms();
}

bool TableStore::seen(const DocumentRow& row) const {
  return row.due_ms() == 0 || row.due_ms() > now_ms();
}

Stored<bool> TableStore::seen(const NodeRow& row) {
  if (row.removed) return false;
  if (row.due_ms() == 0 || row.due_ms() > now_ms()) return true;
  if (row.node.pinned || row.node.stage == Stage::growing) return true;
  SK_TRY(const std::optional<std::string> session, tables_->session_at(row.node.id, now_ms()));
  return session.has_value();
}

Stored<void> TableStore::sweep_rows() {
  last_sweep_ms_ = now_ms();
  SK_TRY(const auto sessions, tables_->due_sessions(now_ms(), kSweptAtOnce));
  for (const SessionRow& row : sessions) SK_TRY_STATUS(drop_row(row));
  SK_TRY(const auto documents, tables_->due_documents(now_ms(), kSweptAtOnce));
  for (const DocumentRow& row : documents) SK_TRY_STATUS(drop_row(row));
  SK_TRY(const auto nodes, tables_->due_nodes(now_ms(), kSweptAtOnce));
  for (const NodeRow& row : nodes) {
    // One before it may have taken it along.
    SK_TRY(const auto still, tables_->node(row.node.id));
    if (still && !still->removed) SK_TRY_STATUS(remove_row(*still));
  }
  return {};
}

Stored<void> TableStore::sweep() {
  const std::lock_guard lock(mutex_);
  return transact([&] { return sweep_rows(); });
}

Stored<Committed> TableStore::commit(const Tenant& tenant, Changes changes) {
  SK_TRY_STATUS(check_changes(changes));
  SK_TRY(const std::vector<uint64_t> origins, put_origins(changes));
  const std::lock_guard lock(mutex_);
  auto outcome = transact([&]() -> Stored<Committed> {
    Committed out;
    SK_TRY_STATUS(check_room(tenant, changes));
    // Those that are due cannot be in the way any more.
    if (now_ms() - last_sweep_ms_ >= kSweepEveryMs) SK_TRY_STATUS(sweep_rows());
    for (size_t i = 0; i < changes.nodes.size(); ++i)
      SK_TRY_STATUS(add(tenant, changes.nodes[i], origins[i]));
    for (const Finish& one : changes.finished) SK_TRY_STATUS(finish(tenant, one));
    for (const SessionMove& one : changes.sessions) {
      SK_TRY(Session session, move(tenant, one));
      out.sessions.push_back(std::move(session));
    }
    for (const DocumentDraft& one : changes.documents) SK_TRY_STATUS(write(tenant, one));
    for (const std::string& one : changes.removed) SK_TRY_STATUS(remove_node(tenant, one));
    return out;
  });
  if (!outcome)
    for (size_t i = 0; i < changes.nodes.size(); ++i) {
      if (!changes.nodes[i].origin) continue;
      const auto taken = tables_->node(changes.nodes[i].id);
      if (taken && !*taken) images_->drop(changes.nodes[i].id);
    }
  return outcome;
}

void TableStore::count_log(const Tenant& tenant, int64_t bytes) {
  added_.log_bytes += bytes;
  if (options_.budget.tenant_log_bytes > 0) added_of_[tenant] += bytes;
}

// Counted once, and then kept up with.
Stored<int64_t> TableStore::log_of(const Tenant& tenant) {
  const auto known = log_of_.find(tenant);
  if (known != log_of_.end()) return known->second;
  SK_TRY(const Usage found, tables_->usage(&tenant));
  if (log_of_.size() >= kTenantsKnown) log_of_.clear();
  return log_of_[tenant] = found.log_bytes;
}

Stored<void> TableStore::check_room(const Tenant& tenant, const Changes& changes) {
  int64_t bytes = 0;
  const auto add = [&](size_t more) { bytes += static_cast<int64_t>(more); };
  for (const NodeDraft& node : changes.nodes)
    add(kRowBytes + node.tokens.size() * sizeof(int32_t) + node.text.size() + node.extra.size());
  for (const Finish& one : changes.finished)
    add(one.tokens.size() * sizeof(int32_t) + one.text.size() + one.extra.size());
  for (const DocumentDraft& document : changes.documents) add(kRowBytes + document.json.size());
  // What needs no room is not in anybody's way, as the end of a node that grew until there was
  // none.
  return bytes > 0 ? check_room(tenant, bytes) : Stored<void>();
}

Stored<void> TableStore::check_room(const Tenant& tenant, int64_t bytes) {
  if (bytes > options_.budget.log_bytes - totals_.log_bytes - added_.log_bytes)
    return refuse(
        Trouble::full,
        "there is no room for more: {} bytes of texts are kept, of {} that may be; remove "
        "states or responses, or let the store have more",
        totals_.log_bytes, options_.budget.log_bytes);
  const int64_t share = options_.budget.tenant_log_bytes;
  if (share == 0) return {};
  SK_TRY(int64_t own, log_of(tenant));
  if (const auto more = added_of_.find(tenant); more != added_of_.end()) own += more->second;
  if (bytes <= share - own) return {};
  return refuse(Trouble::full,
                "there is no room for more of this key: {} bytes of texts of it are kept, of {} "
                "that one key may have; remove states or responses",
                own, share);
}

Stored<void> TableStore::erase(const Tenant& tenant) {
  writer_.wait();
  const std::lock_guard lock(mutex_);
  return transact([&]() -> Stored<void> {
    SK_TRY(const Usage before, tables_->usage(&tenant));
    SK_TRY_STATUS(tables_->erase_tenant(tenant, unwanted_));
    added_.snapshot_bytes = -before.snapshot_bytes;
    count_log(tenant, -before.log_bytes);
    return {};
  });
}

Stored<Usage> TableStore::usage(const Tenant* tenant) {
  const std::lock_guard lock(mutex_);
  SK_TRY(Usage out, tables_->usage(tenant));
  out.queued_bytes = writer_.bytes();
  out.evicted = evicted_;
  out.refused = refused_;
  out.damaged = damaged_;
  return out;
}

Health TableStore::health() {
  return {.queued_bytes = writer_.bytes(),
          .evicted = evicted_,
          .refused = refused_,
          .damaged = damaged_,
          .repeated = repeated_};
}

Stored<void> TableStore::flush() {
  writer_.wait();
  const std::lock_guard lock(mutex_);
  return tables_->settle();
}

}  // namespace skein::store
