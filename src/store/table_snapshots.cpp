#include <algorithm>

#include "store/table_store.h"

namespace skein::store {
namespace {

constexpr int64_t kFreedAtOnce = int64_t{16} << 20;   // of a disk that is full
constexpr int64_t kFreedBeyond = int64_t{256} << 20;  // what has to be, at most
constexpr size_t kLookedAt = 64;  // of those that seem least valuable, each time

// What a snapshot saves and how likely that is, for its bytes (spec: recompute time x hit
// probability / bytes): tokens to read again, times how often it was asked for, by how long ago.
double value_of(const Candidate& one, int64_t now_ms) {
  const auto saved = static_cast<double>(one.gap + 1);
  const auto asked = static_cast<double>(one.hits + 1);
  const auto since = static_cast<double>(std::max<int64_t>(now_ms - one.used_ms, 0) + 1000);
  return saved * asked / since / static_cast<double>(one.bytes + 1);
}

}  // namespace

// Tokens behind the last snapshot before this one.
Stored<uint64_t> TableStore::gap_of(const NodeRow& row) {
  std::string parent = row.node.parent;
  while (!parent.empty()) {
    SK_TRY(const std::optional<NodeRow> before, tables_->node(parent));
    if (!before) break;
    if (before->node.snapshot_bytes > 0) return row.node.tokens - before->node.tokens;
    parent = before->node.parent;
  }
  return row.node.tokens;
}

// Snapshots of so many bytes in all, or what there is. What their gaps were when they were written
// says roughly which they are; those are looked at again, since others on their paths have come and
// gone.
Stored<std::vector<std::string>> TableStore::least_valuable(int64_t bytes) {
  SK_TRY(std::vector<Candidate> all, tables_->candidates());
  const int64_t now = now_ms();
  const auto less = [now](const Candidate& a, const Candidate& b) {
    return value_of(a, now) < value_of(b, now);
  };
  std::vector<std::string> out;
  while (bytes > 0 && !all.empty()) {
    const size_t count = std::min(kLookedAt, all.size());
    const auto middle = all.begin() + static_cast<std::ptrdiff_t>(count);
    std::partial_sort(all.begin(), middle, all.end(), less);
    for (auto one = all.begin(); one != middle; ++one) {
      SK_TRY(const std::optional<NodeRow> row, tables_->node(one->id));
      if (!row) continue;
      SK_TRY(one->gap, gap_of(*row));
    }
    std::sort(all.begin(), middle, less);
    size_t taken = 0;
    // The better half of them may be better than what was not looked at.
    while (bytes > 0 && taken < (count + 1) / 2) {
      bytes -= static_cast<int64_t>(all[taken].bytes);
      out.push_back(std::move(all[taken++].id));
    }
    all.erase(all.begin(), all.begin() + static_cast<std::ptrdiff_t>(taken));
  }
  return out;
}

Stored<void> TableStore::drop_image(NodeRow row) {
  if (row.node.snapshot_bytes == 0 || row.node.origin) return {};
  const NodeRow before = row;
  row.node.snapshot_bytes = 0;
  unwanted_.push_back(row.node.id);
  return put(before, row);
}

Stored<void> TableStore::forget_images(const std::vector<std::string>& ids) {
  for (const std::string& id : ids) {
    SK_TRY(std::optional<NodeRow> row, tables_->node(id));
    if (row) SK_TRY_STATUS(drop_image(std::move(*row)));
  }
  return {};
}

// Nothing can be written, so their rows say for now that they are there.
Stored<std::vector<std::string>> TableStore::free_disk() {
  SK_TRY(std::vector<std::string> ids, least_valuable(kFreedAtOnce));
  for (const std::string& id : ids) images_->drop(id);
  evicted_ += static_cast<int64_t>(ids.size());
  return ids;
}

Stored<void> TableStore::make_room(int64_t bytes) {
  const int64_t budget = options_.budget.snapshot_bytes;
  const auto wanted = [&] { return totals_.snapshot_bytes + bytes - budget; };
  if (bytes <= budget && wanted() > 0) {
    // Some more than that, so that this is not done for each.
    SK_TRY(const std::vector<std::string> ids,
           least_valuable(wanted() + std::min(budget / 32, kFreedBeyond)));
    SK_TRY_STATUS(attempt([&] { return forget_images(ids); }));
    evicted_ += static_cast<int64_t>(ids.size());
  }
  if (wanted() <= 0) return {};
  return refuse(
      Trouble::full,
      "a snapshot of {} bytes does not fit: {} of the {} bytes for them are taken by what "
      "is pinned or came from elsewhere",
      bytes, totals_.snapshot_bytes, budget);
}

Stored<std::vector<uint64_t>> TableStore::put_origins(const Changes& changes) {
  std::vector<uint64_t> sizes;
  for (const NodeDraft& draft : changes.nodes) {
    sizes.push_back(0);
    if (!draft.origin) continue;
    Result<std::vector<std::byte>> image = draft.origin->make();
    if (!image) return refuse(Trouble::invalid, "{}", image.error().message);
    if (image->empty()) return refuse(Trouble::invalid, "a state from elsewhere has no bytes");
    sizes.back() = image->size();
    {
      const std::lock_guard lock(mutex_);
      SK_TRY(const auto taken, tables_->node(draft.id));
      if (taken) return refuse(Trouble::conflict, "there is a state {} already", draft.id);
      SK_TRY_STATUS(make_room(static_cast<int64_t>(image->size())));
    }
    SK_TRY_STATUS(images_->put(draft.id, std::move(*image)));
  }
  return sizes;
}

Stored<void> TableStore::keep_snapshot(const Tenant& tenant, std::string_view id, Image image) {
  {
    const std::lock_guard lock(mutex_);
    SK_TRY(const NodeRow row, seen_node(tenant, id));
    if (row.node.stage == Stage::growing)
      return refuse(Trouble::invalid, "state {} is still being written", id);
    if (row.node.origin) return refuse(Trouble::invalid, "state {} has its snapshot", id);
  }
  if (writer_.push({tenant, std::string(id), std::move(image)})) return {};
  const std::lock_guard lock(mutex_);
  ++refused_;
  return refuse(Trouble::unavailable, "too many snapshots wait to be written");
}

void TableStore::write_image(const WriteBehind::Job& job) {
  bool kept = false;
  try {
    auto image = job.image.make();
    kept = image && !image->empty() && write_image_bytes(job.tenant, job.id, std::move(*image));
  } catch (const std::bad_alloc&) {
    kept = false;  // it was an extra
  }
  const std::lock_guard lock(mutex_);
  refused_ += !kept;
}

Stored<void> TableStore::write_image_bytes(const Tenant& tenant, std::string_view id,
                                           std::vector<std::byte> image) {
  const auto bytes = image.size();
  {
    const std::lock_guard lock(mutex_);
    SK_TRY_STATUS(seen_node(tenant, id));
    SK_TRY_STATUS(make_room(static_cast<int64_t>(bytes)));
  }
  // Nobody waits for a large one.
  SK_TRY_STATUS(images_->put(id, std::move(image)));
  const std::lock_guard lock(mutex_);
  auto outcome = attempt([&]() -> Stored<void> {
    SK_TRY(const NodeRow before, seen_node(tenant, id));
    NodeRow row = before;
    row.node.snapshot_bytes = bytes;
    SK_TRY(row.gap, gap_of(row));
    return put(before, row);
  });
  if (!outcome) images_->drop(id);
  return outcome;
}

// That something was of use is worth no error.
void TableStore::note_use(std::string_view id, bool hit) {
  const std::lock_guard lock(mutex_);
  (void)attempt(
      [&]() -> Stored<void> {
        SK_TRY(std::optional<NodeRow> row, tables_->node(id));
        if (!row) return {};
        row->node.used_ms = now_ms();
        row->node.hits += hit;
        return tables_->put_node(*row);
      },
      1);
}

Stored<std::optional<Beginning>> TableStore::beginning(const Tenant& tenant, std::string_view id) {
  NodeRow row;
  {
    const std::lock_guard lock(mutex_);
    SK_TRY(row, seen_node(tenant, id));
  }
  note_use(id, false);
  while (true) {
    SK_TRY(std::optional<Beginning> found, begin_at(row));
    if (found || row.node.parent.empty()) return found;
    const std::lock_guard lock(mutex_);
    SK_TRY(std::optional<NodeRow> before, tables_->node(row.node.parent));
    if (!before || before->tenant != tenant) return std::nullopt;
    row = std::move(*before);
  }
}

Stored<std::optional<Beginning>> TableStore::origin(const Tenant& tenant, std::string_view id) {
  NodeRow row;
  {
    const std::lock_guard lock(mutex_);
    SK_TRY(row, seen_node(tenant, id));
    while (!row.node.parent.empty()) {
      SK_TRY(std::optional<NodeRow> before, tables_->node(row.node.parent));
      if (!before || before->tenant != tenant)
        return refuse(Trouble::broken, "state {}: the history before it is damaged", row.node.id);
      row = std::move(*before);
    }
  }
  if (!row.node.origin) return std::nullopt;
  return begin_at(row);
}

// The snapshot of this node, if it is whole.
Stored<std::optional<Beginning>> TableStore::begin_at(const NodeRow& row) {
  const std::string& id = row.node.id;
  if (row.node.snapshot_bytes == 0) return std::nullopt;
  auto image = images_->get(id);  // may take a while
  if (!image && image.error().trouble != Trouble::broken)
    return tl::unexpected(std::move(image).error());
  if (image && *image) {
    note_use(id, true);
    return Beginning{id, row.node.tokens, row.node.origin, std::move(**image)};
  }
  const std::lock_guard lock(mutex_);
  SK_TRY(const std::optional<NodeRow> still, tables_->node(id));
  if (!still || still->node.snapshot_bytes == 0) return std::nullopt;  // it was dropped meanwhile
  ++damaged_;
  if (still->node.origin)
    return refuse(Trouble::broken,
                  "state {} came from elsewhere, and what was kept of it is damaged", id);
  (void)attempt([&] { return drop_image(*still); });
  return std::nullopt;
}

Stored<void> TableStore::drop_snapshot(const Tenant& tenant, std::string_view id) {
  const std::lock_guard lock(mutex_);
  return transact([&]() -> Stored<void> {
    SK_TRY(std::optional<NodeRow> row, tables_->node(id));
    // A removed one may still be what others begin with.
    if (!row || row->tenant != tenant)
      return refuse(Trouble::missing, "there is no state {}", escaped(id, 64));
    if (row->node.origin)
      return refuse(Trouble::invalid, "state {} came from elsewhere, nothing else makes it", id);
    return drop_image(std::move(*row));
  });
}

}  // namespace skein::store
