// The rules of a store over any place that keeps rows (Tables) and snapshots (Images): who sees
// what, what a commit has to agree with, what goes when there is no room.
#pragma once

#include <atomic>
#include <map>
#include <memory>
#include <mutex>

#include "store/tables.h"
#include "store/write_behind.h"

namespace skein::store {

class TableStore : public Store {
 public:
  TableStore(std::unique_ptr<Tables> tables, std::unique_ptr<Images> images, Options options);
  // Before anything else: what a process that was killed left half done is cut or gone.
  Stored<void> start();
  // What others that share the place have done: sums, and what those left half done that ended.
  Stored<void> look_around();

  Stored<Committed> commit(const Tenant& tenant, Changes changes) override;
  Stored<std::vector<size_t>> append(std::span<const Growth> growths) override;

  Stored<Node> node(const Tenant& tenant, std::string_view id_or_name) override;
  Stored<std::vector<Node>> nodes(const Tenant& tenant, std::span<const std::string> ids) override;
  Stored<Page<Node>> list(const Tenant& tenant, const Query& query) override;
  Stored<Path> path(const Tenant& tenant, std::string_view id) override;
  Stored<Node> change(const Tenant& tenant, std::string_view id, const NodeChange& change) override;
  Stored<void> remove(const Tenant& tenant, std::string_view id) override;

  Stored<void> keep_snapshot(const Tenant& tenant, std::string_view id, Image image) override;
  Stored<std::optional<Beginning>> beginning(const Tenant& tenant, std::string_view id) override;
  Stored<std::optional<Beginning>> origin(const Tenant& tenant, std::string_view id) override;
  Stored<void> drop_snapshot(const Tenant& tenant, std::string_view id) override;

  Stored<Session> session(const Tenant& tenant, std::string_view name) override;
  Stored<Page<Session>> sessions(const Tenant& tenant, const Query& query) override;
  Stored<void> remove_session(const Tenant& tenant, std::string_view name,
                              std::optional<uint64_t> expected) override;

  Stored<Document> document(const Tenant& tenant, std::string_view kind,
                            std::string_view id) override;
  Stored<Page<Document>> documents(const Tenant& tenant, std::string_view kind,
                                   const Query& query) override;
  Stored<void> remove_document(const Tenant& tenant, std::string_view kind,
                               std::string_view id) override;

  Stored<void> erase(const Tenant& tenant) override;
  Stored<Usage> usage(const Tenant* tenant) override;
  Stored<void> sweep() override;
  Stored<void> flush() override;
  Health health() override;

 protected:
  Tables& tables() { return *tables_; }
  Images& images() { return *images_; }
  std::mutex& mutex() { return mutex_; }

 private:
  static constexpr int kTries = 64;
  static bool may_be_of_two_moments(const StoreError& error);
  static void give_way();
  // A transaction; when the disk is full it is tried once more without some snapshots. Where it
  // fails nothing has changed. `mutex_` is held.
  template <typename Work>
  std::invoke_result_t<const Work&> transact(const Work& work);
  // Where other processes change the same it is done again, so many times.
  template <typename Work>
  std::invoke_result_t<const Work&> attempt(const Work& work, int tries = kTries);
  Stored<std::vector<std::string>> free_disk();
  Stored<void> forget_images(const std::vector<std::string>& ids);

  int64_t now_ms() const;
  int64_t next_moment();
  Stored<void> cut_what_grows();
  Stored<Path> read_path(const Tenant& tenant, std::string_view id);
  Stored<bool> seen(const NodeRow& row);
  bool seen(const SessionRow& row) const;
  bool seen(const DocumentRow& row) const;
  // A node that the tenant sees. Error: missing.
  Stored<NodeRow> seen_node(const Tenant& tenant, std::string_view id);
  Stored<Node> shown(NodeRow row);
  Stored<void> check_room(const Tenant& tenant, const Changes& changes);
  Stored<void> check_room(const Tenant& tenant, int64_t bytes);
  void count_log(const Tenant& tenant, int64_t bytes);
  Stored<int64_t> log_of(const Tenant& tenant);

  // Inside a transaction.
  Stored<void> put(const NodeRow& before, const NodeRow& row);
  Stored<void> add(const Tenant& tenant, const NodeDraft& draft, uint64_t origin_bytes);
  Stored<void> finish(const Tenant& tenant, const Finish& finish);
  Stored<Session> move(const Tenant& tenant, const SessionMove& move);
  Stored<void> write(const Tenant& tenant, const DocumentDraft& draft);
  Stored<void> free_name(const Tenant& tenant, std::string_view name, std::string_view id);
  Stored<void> remove_node(const Tenant& tenant, std::string_view id);
  Stored<void> remove_row(NodeRow row);
  Stored<void> erase_row(const NodeRow& row);
  Stored<void> drop_row(const SessionRow& row);
  Stored<void> drop_row(const DocumentRow& row);
  Stored<void> drop_image(NodeRow row);
  Stored<void> sweep_rows();

  // Origins of a commit, before it. Their images are dropped again when it fails.
  Stored<std::vector<uint64_t>> put_origins(const Changes& changes);
  Stored<std::vector<std::string>> least_valuable(int64_t bytes);
  Stored<void> make_room(int64_t bytes);
  void write_image(const WriteBehind::Job& job);
  Stored<void> write_image_bytes(const Tenant& tenant, std::string_view id,
                                 std::vector<std::byte> image);
  Stored<std::optional<Beginning>> begin_at(const NodeRow& row);
  void note_use(std::string_view id, bool hit);
  Stored<uint64_t> gap_of(const NodeRow& row);

  const Options options_;
  const std::unique_ptr<Tables> tables_;
  const std::unique_ptr<Images> images_;
  std::mutex mutex_;
  int64_t last_moment_ = 0, last_sweep_ms_ = 0;
  struct Totals {
    int64_t log_bytes = 0, snapshot_bytes = 0;
  };
  Totals totals_;
  // Of the transaction under way: what it adds, and the images that are unwanted after it.
  Totals added_;
  std::map<Tenant, int64_t> log_of_, added_of_;  // bytes; only where a tenant has a bound
  std::vector<std::string> unwanted_;
  std::atomic<int64_t> evicted_{0}, refused_{0}, damaged_{0}, repeated_{0};
  // Last: its thread uses all of the above.
  WriteBehind writer_;
};

}  // namespace skein::store

#include "store/transact.h"
