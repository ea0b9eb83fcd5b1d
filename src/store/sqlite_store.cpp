#include "store/sqlite_store.h"

#include "base/file.h"
#include "base/file_writer.h"
#include "store/image_folder.h"
#include "store/sqlite_tables.h"

namespace skein::store {
namespace {

namespace fs = std::filesystem;

Code code_of(Trouble trouble) {
  switch (trouble) {
    case Trouble::broken: return Code::corrupt;
    case Trouble::invalid:
    case Trouble::missing:
    case Trouble::conflict: return Code::internal;
    case Trouble::full:
    case Trouble::unavailable: break;
  }
  return Code::io;
}

// A folder that is there keeps its mode, and what is in it is private all the same.
Status make_private(const fs::path& folder) {
  std::error_code error;
  if (fs::is_directory(folder, error)) return {};
  if (fs::exists(folder, error))
    return fail(Code::io, "{}: is a file, and a store is a folder; name another",
                escaped(folder.string()));
  const bool made = fs::create_directories(folder, error);
  if (made && !error)
    fs::permissions(folder, fs::perms::owner_all, fs::perm_options::replace, error);
  if (!error) return {};
  return fail(Code::io, "{}: cannot be made: {}", escaped(folder.string()), error.message());
}

}  // namespace

SqliteStore::SqliteStore(std::unique_ptr<SqliteTables> tables, std::unique_ptr<Images> images,
                         Options options)
    : TableStore(std::move(tables), std::move(images), std::move(options)),
      sqlite_(static_cast<SqliteTables*>(&this->tables())) {}

Stored<void> SqliteStore::copy_to(const fs::path& file) {
  std::error_code error;
  if (fs::exists(fs::symlink_status(file, error)))
    return refuse(Trouble::conflict, "{}: is there already", escaped(file.string()));
  const std::lock_guard lock(mutex());
  return sqlite_->copy_to(file);
}

Result<std::unique_ptr<SqliteStore>> open_sqlite_store(const fs::path& folder, Options options,
                                                       Durability durability) {
  SK_TRY_STATUS(make_private(folder));
  // What is written ahead gets its mode. Where this fails, opening says why.
  const fs::path file = folder / "skein.db";
  OutputOptions fresh;
  fresh.mode = 0600;
  if (std::error_code error; !fs::exists(file, error) && !error)
    static_cast<void>(write_file(file, {}, fresh));
  SK_TRY(auto tables, SqliteTables::open(file, durability));
  SK_TRY(auto images, image_folder(folder / "snapshots"));
  auto store =
      std::make_unique<SqliteStore>(std::move(tables), std::move(images), std::move(options));
  if (auto started = store->start(); !started)
    return fail(code_of(started.error().trouble), "{}", started.error().message);
  return store;
}

}  // namespace skein::store
