// What the tests of stores have in common: short ways to make drafts, and a clock that stands
// still.
#pragma once

#include <gtest/gtest.h>

#include <atomic>
#include <filesystem>
#include <memory>

#include "store/memory_store.h"
#include "store/redis_store.h"
#include "store/sqlite_store.h"
#include "support/redis_server.h"

namespace skein::test {

using store::Changes;
using store::Tenant;
using store::Trouble;

struct Clock {
  std::atomic<int64_t> ms{1'800'000'000'000};
  store::Options options(store::Budget budget = {}) {
    return {.budget = budget, .clock = [this] { return ms.load(); }};
  }
};

inline Tenant tenant(int number) { return sha256(std::as_bytes(std::span(&number, 1))); }

// An empty folder that is gone at the end.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "store.XXXXXX").string();
    path_ = ::mkdtemp(name.data());
  }
  ~Folder() {
    std::error_code error;
    std::filesystem::remove_all(path_, error);
  }
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path database() const { return path_ / "skein.db"; }

 private:
  std::filesystem::path path_;
};

inline std::unique_ptr<store::Store> open_sqlite(const std::filesystem::path& folder,
                                                 store::Options options) {
  auto opened = store::open_sqlite_store(folder, std::move(options), store::Durability::process);
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

// The Redis that the tests of a program share; each store has a prefix of its own.
inline RedisServer& shared_redis() {
  static RedisServer server;
  return server;
}

inline store::RedisOptions redis_at(const RedisServer& server, std::string prefix) {
  return {.address = *store::parse_redis_address(server.address()), .prefix = std::move(prefix)};
}

inline std::string fresh_prefix() { return store::new_id() + ":"; }

inline std::unique_ptr<store::Store> open_redis(const store::RedisOptions& redis,
                                                store::Options options) {
  auto opened = store::open_redis_store(redis, std::move(options));
  EXPECT_TRUE(opened.has_value()) << opened.error().message;
  return opened ? std::move(*opened) : nullptr;
}

inline store::NodeDraft draft(std::string parent, std::vector<int32_t> tokens, std::string text) {
  store::NodeDraft out;
  out.id = store::new_id();
  out.parent = std::move(parent);
  out.tokens = std::move(tokens);
  out.text = std::move(text);
  return out;
}

inline Changes changes(store::NodeDraft node) {
  Changes out;
  out.nodes.push_back(std::move(node));
  return out;
}

inline Changes moved(std::string name, std::string node, std::optional<uint64_t> expected) {
  Changes out;
  out.sessions.push_back({std::move(name), std::move(node), expected, 0});
  return out;
}

inline Changes document(std::string kind, std::string id, std::string json, bool replace = false) {
  Changes out;
  out.documents.push_back({std::move(kind), std::move(id), std::move(json), replace, 0});
  return out;
}

inline store::Image image(std::vector<std::byte> bytes) {
  const uint64_t size = bytes.size();
  return {size, [bytes]() -> Result<std::vector<std::byte>> { return bytes; }};
}

inline store::Image image(size_t size, int value = 1) {
  return image(std::vector<std::byte>(size, static_cast<std::byte>(value)));
}

// What was refused, or "done".
template <typename T>
std::string outcome(const store::Stored<T>& result) {
  return result ? "done" : store::trouble_name(result.error().trouble);
}

// A node that is committed, and its id.
inline std::string put(store::Store& store, const Tenant& whose, store::NodeDraft node) {
  const std::string id = node.id;
  const auto committed = store.commit(whose, changes(std::move(node)));
  EXPECT_TRUE(committed.has_value()) << committed.error().message;
  return id;
}

}  // namespace skein::test
