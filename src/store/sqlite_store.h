// The store of one server, in a folder: the embedded default.
//
//   skein.db     what is acknowledged: tokens, texts, sessions, documents (SQLite; skein.db-wal
//                beside it while it is in use)
//   snapshots/   a file for each snapshot. Who loses them loses time only, but for the origins,
//   which
//                nothing else makes.
//
// What is promised. The end of the process by any signal, at any moment, takes nothing that a call
// has acknowledged. A power cut or a crash of the system takes nothing with Durability::power; with
// Durability::process it may take the last seconds, the youngest first, and tears nothing.
// Snapshots are synced before they are named, and checked whenever they are used. What a disk has
// changed is found by a checksum on each row and snapshot, and not used. Not found is a change in
// skein.db-wal after a crash: SQLite ends its log there, as if what follows had never been.
//
// A folder belongs to one process at a time. It is made readable by its owner only: a state is data
// about its text. What is removed is overwritten in skein.db.
#pragma once

#include <filesystem>
#include <memory>

#include "store/database.h"
#include "store/table_store.h"

namespace skein::store {

class SqliteTables;

class SqliteStore final : public TableStore {
 public:
  SqliteStore(std::unique_ptr<SqliteTables> tables, std::unique_ptr<Images> images,
              Options options);
  // A whole skein.db of this moment, while it is in use, without snapshots (so an origin of it
  // needs its file too). The file must not be there. Errors: conflict (it is), full, broken.
  Stored<void> copy_to(const std::filesystem::path& file);

 private:
  SqliteTables* sqlite_;  // tables()
};

// The folder is made when it is not there. Errors, which say what to do: io (no right to write,
// another process has it, the disk is full), corrupt (damaged), unsupported (written by a newer
// Skein), mismatch (another program's file).
Result<std::unique_ptr<SqliteStore>> open_sqlite_store(const std::filesystem::path& folder,
                                                       Options options, Durability durability);

}  // namespace skein::store
