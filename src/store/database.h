// An SQLite database of one process, in the one way that Skein uses it: a single connection that
// has the file to itself, a log written ahead, statements prepared once. database.cpp is the one
// file that knows the library. One caller at a time.
#pragma once

#include <filesystem>
#include <memory>
#include <utility>

#include "store/store.h"

namespace skein::store {

// What survives. Whatever it is, what commit() acknowledged survives the end of the process by any
// signal.
enum class Durability : uint8_t {
  process,  // a power cut may take the last seconds, and nothing older; nothing is torn
  power,    // a power cut takes nothing: each commit waits for the disk
};

class Database;

// A prepared statement. It must end before its database does.
class Statement {
 public:
  Statement() = default;
  Statement(Statement&& other) noexcept
      : statement_(std::exchange(other.statement_, nullptr)), of_(other.of_) {}
  Statement& operator=(Statement&& other) noexcept {
    std::swap(statement_, other.statement_);
    std::swap(of_, other.of_);
    return *this;
  }
  ~Statement();

 private:
  friend class Database;
  friend class Run;
  void* statement_ = nullptr;
  void* of_ = nullptr;
};

// One use of a statement: values are bound in their order, then step() as long as it is true.
class Run {
 public:
  explicit Run(Statement& statement) : statement_(statement) {}
  Run(const Run&) = delete;
  Run& operator=(const Run&) = delete;
  ~Run();

  Run& bind(int64_t value);
  Run& bind(std::string_view text);  // what is bound must outlive this
  Run& bind(std::span<const std::byte> bytes);
  // Whether there is a row.
  Stored<bool> step();
  // For what gives no row.
  Stored<void> finish();

  int64_t integer(int column) const;
  std::string_view text(int column) const;  // until the next step
  std::span<const std::byte> bytes(int column) const;

 private:
  Statement& statement_;
  int bound_ = 0;
  int failed_ = 0;  // a code of the library's
};

class Database {
 public:
  struct Options {
    Durability durability = Durability::process;
    uint32_t application = 0;  // what the file is, in its header
    // What makes each version of the schema of the one before it; the first one of nothing.
    std::span<const char* const> versions;
  };

  // Errors, each saying what to do: io (cannot be opened or written, another process has it),
  // corrupt (it was damaged), unsupported (a newer schema), mismatch (another program's database).
  static Result<Database> open(const std::filesystem::path& path, const Options& options);
  Database(Database&&) noexcept;
  Database& operator=(Database&&) noexcept;
  ~Database();

  Result<Statement> prepare(const char* sql);
  Stored<void> execute(const char* sql);
  // What was written ahead is in the file.
  Stored<void> settle();
  // A whole copy, while it is in use. The file must not be there.
  Stored<void> copy_to(const std::filesystem::path& path);

 private:
  friend class Run;
  struct Impl;
  explicit Database(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace skein::store
