// One connection to a Redis, and what is said over it. redis_link.cpp is the one file that knows
// the library. Nothing here waits longer than Options say, and whoever asks while there is no
// connection is told so at once: tend() makes a new one, on a thread that may wait.
#pragma once

#include <atomic>
#include <chrono>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "store/redis_address.h"
#include "store/store.h"

namespace skein::store {

struct RedisReply {
  enum class Kind : uint8_t { nil, status, error, integer, text, list };
  Kind kind = Kind::nil;
  int64_t integer = 0;
  std::string text{};  // of an error, too
  std::vector<RedisReply> list{};
};

// Commands that leave together.
class RedisCommands {
 public:
  void add(std::initializer_list<std::string_view> words);
  void add(const std::vector<std::string>& words);
  void add(const RedisCommands& others);
  size_t count() const { return count_; }
  std::string_view bytes() const { return bytes_; }
  void clear() { bytes_.clear(), count_ = 0; }

 private:
  void add(const std::string_view* words, size_t count);
  std::string bytes_;
  size_t count_ = 0;
};

// How long one thing may take, whatever number of exchanges it is. What has much to move may take
// longer.
class RedisPatience {
 public:
  explicit RedisPatience(std::chrono::milliseconds most) : most_(most) {}
  void moved(size_t bytes) { bytes_ += bytes; }
  // Milliseconds that are left; 0: none.
  int left() const;

 private:
  std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  std::chrono::milliseconds most_;
  uint64_t bytes_ = 0;
};

// What has happened to connections, for a log and for figures; all links of a store share one.
class RedisNews {
 public:
  void lost(const std::string& why);
  void found();
  // Something that Redis refused: told once in a while.
  void refused(const std::string& why);
  void tell(std::string what);
  std::vector<std::string> take();

  bool up() const { return up_.load(); }
  uint64_t failures() const { return failures_.load(); }
  uint64_t connections() const { return connections_.load(); }

 private:
  void add(std::string what);
  std::mutex mutex_;
  std::vector<std::string> untold_;
  std::string lost_, refused_;  // why, as it was told last
  std::chrono::steady_clock::time_point refused_at_{};
  std::atomic<bool> up_{false};
  std::atomic<uint64_t> failures_{0}, connections_{0};
};

class RedisLink {
 public:
  struct Options {
    RedisAddress address{};
    std::string password{};
    std::string prefix{};  // of all keys
    std::chrono::milliseconds patience{1000};
    bool tells = false;  // whether its fate is the store's
  };
  RedisLink(Options options, std::shared_ptr<RedisNews> news);
  ~RedisLink();
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  const Options& options() const { return options_; }
  RedisNews& news() { return *news_; }
  RedisPatience patience() const { return RedisPatience(options_.patience); }

  // One caller at a time. A reply for each command, errors among them. Error: unavailable, and then
  // the connection is gone, and what was sent may have happened.
  Stored<std::vector<RedisReply>> exchange(const RedisCommands& commands, RedisPatience& patience);
  // What one reply was, if it is an error.
  Stored<void> judge(const RedisReply& reply);
  // Counts connections: what was watched on an older one is not any more. 0: there is none.
  uint64_t epoch() const;

  // Makes a connection where there is none and it is time to try. Errors: mismatch (another
  // program's keys), unsupported (a newer Skein's), argument (the password is wrong, or missing),
  // network.
  Status tend(bool now = false);

 private:
  struct Connection;
  Result<std::unique_ptr<Connection>> connect() const;
  Status greet(Connection& connection) const;
  tl::unexpected<StoreError> lose(std::string why);
  bool still_there();

  const Options options_;
  const std::shared_ptr<RedisNews> news_;
  mutable std::mutex mutex_;  // of what follows
  std::unique_ptr<Connection> connection_;
  bool busy_ = false;  // somebody uses it, and he alone ends it
  uint64_t epoch_ = 0;
  std::chrono::milliseconds pause_{0};
  std::chrono::steady_clock::time_point next_try_{};
};

}  // namespace skein::store
