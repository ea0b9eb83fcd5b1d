#include "store/database.h"

#include <sqlite3.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace skein::store {
namespace {

constexpr int kPatienceMs = 250;         // for a process that is about to end
constexpr int kColumnBytes = 512 << 20;  // of one value
constexpr uint64_t kWholeCheckBytes = uint64_t{256} << 20;

bool is_no_room(int code, int system) {
  return (code & 0xff) == SQLITE_FULL ||
         ((code & 0xff) == SQLITE_IOERR &&
          (system == ENOSPC || system == EDQUOT || system == EFBIG));
}

}  // namespace

struct Database::Impl {
  sqlite3* handle = nullptr;
  std::filesystem::path path;
  // Once a sync failed nobody knows what is on the disk, and the system forgets that it is not.
  bool lost = false;

  ~Impl() { sqlite3_close_v2(handle); }

  std::string name() const { return escaped(path.string()); }

  // What the system said last of the database or of what is written ahead: the library forgets it
  // where it failed to write.
  int system_error() {
    int last = sqlite3_system_errno(handle);
    if (last == 0) sqlite3_file_control(handle, "main", SQLITE_FCNTL_LAST_ERRNO, &last);
    sqlite3_file* ahead = nullptr;
    if (last == 0 &&
        sqlite3_file_control(handle, "main", SQLITE_FCNTL_JOURNAL_POINTER, &ahead) == SQLITE_OK &&
        ahead && ahead->pMethods)
      ahead->pMethods->xFileControl(ahead, SQLITE_FCNTL_LAST_ERRNO, &last);
    return last;
  }

  StoreError error(int code) {
    const int system = system_error();
    if (code == SQLITE_IOERR_FSYNC || code == SQLITE_IOERR_DIR_FSYNC) lost = true;
    if (lost)
      return {
          Trouble::broken,
          fmt::format("{}: the disk failed to keep what was written; see to it, and start again",
                      name())};
    if (is_no_room(code, system))
      return {Trouble::full, "the disk is full, nothing was changed; make room and try again"};
    switch (code & 0xff) {
      case SQLITE_NOMEM: return {Trouble::unavailable, "out of memory"};
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return {Trouble::unavailable, fmt::format("{}: another process has it", name())};
      case SQLITE_READONLY:
        return {Trouble::unavailable, fmt::format("{}: cannot be written to any more", name())};
      case SQLITE_TOOBIG: return {Trouble::invalid, "that is too large to be kept"};
      case SQLITE_CORRUPT:
      case SQLITE_NOTADB:
        return {
            Trouble::broken,
            fmt::format("{}: is damaged; end the server and put a backup in its place", name())};
      default:
        return {Trouble::broken,
                fmt::format("{}: {}{}{}", name(), sqlite3_errmsg(handle), system ? ": " : "",
                            system ? std::strerror(system) : "")};
    }
  }

  // What opening is told; the messages say what to do then.
  tl::unexpected<Error> opening_error(int code) {
    const int system = system_error();
    if (is_no_room(code, system))
      return fail(Code::io, "{}: the disk is full, make room and start again", name());
    switch (code & 0xff) {
      case SQLITE_NOMEM: return no_memory();
      case SQLITE_BUSY:
      case SQLITE_LOCKED:
        return fail(Code::io,
                    "{}: another process has it; a store belongs to one server at a time, so end "
                    "that one or name another folder",
                    name());
      case SQLITE_NOTADB:
        return fail(Code::mismatch, "{}: is no store of Skein's; name another folder", name());
      case SQLITE_CORRUPT: return damaged(sqlite3_errmsg(handle));
      case SQLITE_READONLY: return read_only();
      default:
        return fail(Code::io, "{}: cannot be used: {}{}{}", name(), sqlite3_errmsg(handle),
                    system ? ": " : "", system ? std::strerror(system) : "");
    }
  }

  tl::unexpected<Error> damaged(std::string_view what) const {
    return fail(Code::corrupt,
                "{}: is damaged ({}); nothing was changed: put a backup in its place, or move it "
                "away and let `sqlite3 FILE .recover` save what can be read",
                name(), escaped(what, 128));
  }

  tl::unexpected<Error> read_only() const {
    return fail(Code::io, "{}: cannot be written to; see to its owner and mode, and its folder's",
                name());
  }

  int run(const char* sql) { return sqlite3_exec(handle, sql, nullptr, nullptr, nullptr); }

  // The first value of the first row as text.
  int ask(const char* sql, std::string& out) {
    sqlite3_stmt* statement = nullptr;
    int code = sqlite3_prepare_v2(handle, sql, -1, &statement, nullptr);
    if (code == SQLITE_OK) code = sqlite3_step(statement);
    if (code == SQLITE_ROW) {
      const auto* text = reinterpret_cast<const char*>(sqlite3_column_text(statement, 0));
      out = text ? text : "";
      code = SQLITE_OK;
    }
    sqlite3_finalize(statement);
    return code;
  }

  Result<int64_t> number(const char* sql) {
    std::string text;
    if (const int code = ask(sql, text); code != SQLITE_OK) return opening_error(code);
    int64_t value = 0;
    for (const char c : text) value = c >= '0' && c <= '9' ? value * 10 + (c - '0') : value;
    return value;
  }

  Status configure(Durability durability) {
    sqlite3_extended_result_codes(handle, 1);
    sqlite3_busy_timeout(handle, kPatienceMs);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kColumnBytes);
    // A file of somebody else's may hold a schema that does things.
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, nullptr);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, nullptr);
    // One connection that never lets go: versions before 3.51.3 may lose what several write. It
    // also needs no shared memory, and opens on a disk that is full.
    const int code =
        run(durability == Durability::power
                ? "PRAGMA locking_mode=EXCLUSIVE; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;"
                  "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON; PRAGMA synchronous=FULL"
                : "PRAGMA locking_mode=EXCLUSIVE; PRAGMA mmap_size=0; PRAGMA cell_size_check=ON;"
                  "PRAGMA temp_store=MEMORY; PRAGMA secure_delete=ON; PRAGMA synchronous=NORMAL");
    return code == SQLITE_OK ? Status() : Status(opening_error(code));
  }

  // Whose it is, before anything in it is changed. Returns the version of the schema.
  Result<int64_t> identify(const Options& options) {
    SK_TRY(const int64_t application, number("PRAGMA application_id"));
    SK_TRY(const int64_t version, number("PRAGMA user_version"));
    SK_TRY(const int64_t tables, number("SELECT count(*) FROM sqlite_schema"));
    if (application == 0 && version == 0 && tables == 0) return 0;
    if (application != options.application)
      return fail(Code::mismatch, "{}: is another program's database; name another folder", name());
    if (version > static_cast<int64_t>(options.versions.size()))
      return fail(Code::unsupported,
                  "{}: was written by a newer Skein (schema {}, this one knows up to {}); use that "
                  "one, or name another folder",
                  name(), version, options.versions.size());
    return version;
  }

  Status check() {
    SK_TRY(const int64_t pages, number("PRAGMA page_count"));
    SK_TRY(const int64_t page, number("PRAGMA page_size"));
    // Of a large one not whether indexes agree with tables, which takes minutes.
    const bool whole = static_cast<uint64_t>(pages * page) <= kWholeCheckBytes;
    std::string found;
    const int code = ask(whole ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", found);
    if (code != SQLITE_OK) return opening_error(code);
    if (found != "ok") return damaged(found);
    return {};
  }

  Status migrate(const Options& options, int64_t version) {
    if (version == static_cast<int64_t>(options.versions.size())) return {};
    int code = run("BEGIN IMMEDIATE");
    for (size_t i = static_cast<size_t>(version); code == SQLITE_OK && i < options.versions.size();
         ++i)
      code = run(options.versions[i]);
    const std::string mark = fmt::format("PRAGMA application_id={}; PRAGMA user_version={}; COMMIT",
                                         options.application, options.versions.size());
    if (code == SQLITE_OK) code = run(mark.c_str());
    if (code == SQLITE_OK) return {};
    auto error = opening_error(code);
    run("ROLLBACK");
    return error;
  }
};

Database::Database(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Database::Database(Database&&) noexcept = default;
Database& Database::operator=(Database&&) noexcept = default;
Database::~Database() = default;

Result<Database> Database::open(const std::filesystem::path& path, const Options& options) {
  auto impl = std::make_unique<Impl>();
  impl->path = path;
  const int code =
      sqlite3_open_v2(path.c_str(), &impl->handle,
                      SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, nullptr);
  if (!impl->handle) return no_memory();
  if (code != SQLITE_OK) return impl->opening_error(code);
  SK_TRY_STATUS(impl->configure(options.durability));
  SK_TRY(const int64_t version, impl->identify(options));
  // Where it may only be read, the library opens it so.
  if (sqlite3_db_readonly(impl->handle, "main") == 1) return impl->read_only();
  SK_TRY_STATUS(impl->check());
  std::string mode;
  if (const int changed = impl->ask("PRAGMA journal_mode=WAL", mode); changed != SQLITE_OK)
    return impl->opening_error(changed);
  if (mode != "wal") return impl->read_only();
  SK_TRY_STATUS(impl->migrate(options, version));
  return Database(std::move(impl));
}

Result<Statement> Database::prepare(const char* sql) {
  Statement out;
  sqlite3_stmt* statement = nullptr;
  const int code =
      sqlite3_prepare_v3(impl_->handle, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr);
  // All of them fit the schema that open() has seen to, so it was changed by somebody.
  if (code == SQLITE_ERROR) return impl_->damaged(sqlite3_errmsg(impl_->handle));
  if (code != SQLITE_OK) return impl_->opening_error(code);
  out.statement_ = statement;
  out.of_ = impl_.get();
  return out;
}

Stored<void> Database::execute(const char* sql) {
  if (impl_->lost) return tl::unexpected(impl_->error(SQLITE_IOERR));
  if (const int code = impl_->run(sql); code != SQLITE_OK)
    return tl::unexpected(impl_->error(code));
  return {};
}

Stored<void> Database::settle() { return execute("PRAGMA wal_checkpoint(TRUNCATE)"); }

Stored<void> Database::copy_to(const std::filesystem::path& path) {
  SK_TRY(Statement copy, [&]() -> Stored<Statement> {
    auto made = prepare("VACUUM INTO ?");
    if (made) return std::move(*made);
    return refuse(Trouble::broken, "{}", made.error().message);
  }());
  Run run(copy);
  return run.bind(std::string_view(path.native())).finish();
}

Statement::~Statement() { sqlite3_finalize(static_cast<sqlite3_stmt*>(statement_)); }

Run::~Run() {
  auto* const statement = static_cast<sqlite3_stmt*>(statement_.statement_);
  sqlite3_reset(statement);
  sqlite3_clear_bindings(statement);
}

Run& Run::bind(int64_t value) {
  const int code =
      sqlite3_bind_int64(static_cast<sqlite3_stmt*>(statement_.statement_), ++bound_, value);
  if (code != SQLITE_OK) failed_ = code;
  return *this;
}

Run& Run::bind(std::string_view text) {
  const int code =
      sqlite3_bind_text64(static_cast<sqlite3_stmt*>(statement_.statement_), ++bound_,
                          text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC, SQLITE_UTF8);
  if (code != SQLITE_OK) failed_ = code;
  return *this;
}

Run& Run::bind(std::span<const std::byte> bytes) {
  const int code = sqlite3_bind_blob64(static_cast<sqlite3_stmt*>(statement_.statement_), ++bound_,
                                       bytes.empty() ? static_cast<const void*>("") : bytes.data(),
                                       bytes.size(), SQLITE_STATIC);
  if (code != SQLITE_OK) failed_ = code;
  return *this;
}

Stored<bool> Run::step() {
  auto& database = *static_cast<Database::Impl*>(statement_.of_);
  if (failed_ != SQLITE_OK || database.lost) return tl::unexpected(database.error(failed_));
  const int code = sqlite3_step(static_cast<sqlite3_stmt*>(statement_.statement_));
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  return tl::unexpected(database.error(code));
}

Stored<void> Run::finish() {
  SK_TRY_STATUS(step());
  return {};
}

int64_t Run::integer(int column) const {
  return sqlite3_column_int64(static_cast<sqlite3_stmt*>(statement_.statement_), column);
}

std::span<const std::byte> Run::bytes(int column) const {
  auto* const statement = static_cast<sqlite3_stmt*>(statement_.statement_);
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement, column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement, column))};
}

std::string_view Run::text(int column) const {
  const auto raw = bytes(column);
  return {reinterpret_cast<const char*>(raw.data()), raw.size()};
}

}  // namespace skein::store
