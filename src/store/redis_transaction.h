// Changes of a Redis that happen together, or not at all where somebody else has changed meanwhile
// what they were decided by: WATCH for what is read, MULTI and EXEC for what is written.
#pragma once

#include <map>
#include <optional>

#include "store/redis_link.h"

namespace skein::store {

class RedisTransaction {
 public:
  explicit RedisTransaction(RedisLink& link) : link_(link), patience_(link.patience()) {}

  Stored<void> begin();
  // False: somebody else was faster, and nothing has happened. An error that is `unavailable` may
  // leave it done.
  Stored<bool> commit();
  void rollback() noexcept;
  // Whether what was read since begin() is another's by now.
  bool outdated();
  bool open() const { return open_; }

  // What is read between these is asked for once, and is not watched.
  void begin_reading();
  void end_reading();

  // A key's text, with what was set since begin(). Nothing: there is none.
  Stored<std::optional<std::string>> get(const std::string& key);
  // The same for many, which are got later without a question each.
  Stored<void> fetch(const std::vector<std::string>& keys);
  // Anything else that only reads; the second word is a key, which is to stay as it is where
  // `watch` says so.
  Stored<RedisReply> ask(const std::vector<std::string>& words, bool watch = false);

  // Between begin() and commit().
  void set(const std::string& key, std::string value);
  void erase(const std::string& key);
  // It is of somebody new, so that there can be none.
  void expect_none(const std::string& key) { known_.try_emplace(key, std::nullopt); }
  void write(std::initializer_list<std::string_view> words);
  // Whether all that was written since begin() takes things away, which Redis does when it is full.
  bool only_frees() const { return only_frees_; }

 private:
  Stored<std::vector<RedisReply>> exchange(const RedisCommands& commands);
  bool caches() const { return open_ || reading_; }

  RedisLink& link_;
  RedisPatience patience_;
  bool open_ = false, reading_ = false, only_frees_ = true;
  bool watching_ = false;
  bool stale_ = false;  // one that was given up may have watched
  uint64_t epoch_ = 0;  // of the connection on which it watches
  std::map<std::string, std::optional<std::string>> known_;
  RedisCommands writes_;
};

}  // namespace skein::store
