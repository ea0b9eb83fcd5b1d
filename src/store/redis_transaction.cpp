#include "store/redis_transaction.h"

#include <utility>

#include "base/check.h"

namespace skein::store {
namespace {

using Kind = RedisReply::Kind;

Stored<std::optional<std::string>> text_in(RedisLink& link, RedisReply reply) {
  SK_TRY_STATUS(link.judge(reply));
  if (reply.kind == Kind::nil) return std::nullopt;
  return std::move(reply.text);
}

}  // namespace

Stored<void> RedisTransaction::begin() {
  patience_ = link_.patience();
  epoch_ = link_.epoch();
  if (epoch_ == 0) return refuse(Trouble::unavailable, "the store does not answer at the moment");
  known_.clear();
  writes_.clear();
  stale_ = stale_ || watching_;
  watching_ = false;
  only_frees_ = true;
  open_ = true;
  return {};
}

void RedisTransaction::begin_reading() {
  patience_ = link_.patience();
  known_.clear();
  reading_ = true;
}

void RedisTransaction::end_reading() {
  known_.clear();
  reading_ = false;
}

void RedisTransaction::rollback() noexcept {
  open_ = false;
  known_.clear();
  writes_.clear();
}

Stored<std::vector<RedisReply>> RedisTransaction::exchange(const RedisCommands& commands) {
  if (!caches()) patience_ = link_.patience();
  const uint64_t epoch = link_.epoch();
  if (open_ && epoch != epoch_)
    return refuse(Trouble::unavailable, "the connection to the store was lost meanwhile");
  // What one before this watched is nobody's business any more.
  if (!std::exchange(stale_, false)) return link_.exchange(commands, patience_);
  RedisCommands all;
  all.add({"UNWATCH"});
  all.add(commands);
  SK_TRY(auto replies, link_.exchange(all, patience_));
  replies.erase(replies.begin());
  return replies;
}

Stored<std::optional<std::string>> RedisTransaction::get(const std::string& key) {
  if (caches())
    if (const auto known = known_.find(key); known != known_.end()) return known->second;
  RedisCommands commands;
  if (open_) commands.add({"WATCH", key});
  commands.add({"GET", key});
  SK_TRY(auto replies, exchange(commands));
  watching_ = watching_ || open_;
  SK_TRY(auto value, text_in(link_, std::move(replies.back())));
  if (caches()) known_[key] = value;
  return value;
}

Stored<void> RedisTransaction::fetch(const std::vector<std::string>& keys) {
  SK_CHECK(caches());
  RedisCommands commands;
  std::vector<const std::string*> asked;
  for (const std::string& key : keys) {
    if (known_.contains(key)) continue;
    asked.push_back(&key);
    if (open_) commands.add({"WATCH", key});
    commands.add({"GET", key});
  }
  if (asked.empty()) return {};
  SK_TRY(auto replies, exchange(commands));
  watching_ = watching_ || open_;
  const size_t each = open_ ? 2 : 1;
  for (size_t i = 0; i < asked.size(); ++i) {
    SK_TRY(known_[*asked[i]], text_in(link_, std::move(replies[each * (i + 1) - 1])));
  }
  return {};
}

Stored<RedisReply> RedisTransaction::ask(const std::vector<std::string>& words, bool watch) {
  RedisCommands commands;
  watch = watch && open_;
  if (watch) commands.add({"WATCH", words[1]});
  commands.add(words);
  SK_TRY(auto replies, exchange(commands));
  watching_ = watching_ || watch;
  SK_TRY_STATUS(link_.judge(replies.back()));
  return std::move(replies.back());
}

void RedisTransaction::write(std::initializer_list<std::string_view> words) {
  const std::string_view what = *words.begin();
  only_frees_ = only_frees_ && (what == "DEL" || what == "ZREM" || what == "HDEL");
  writes_.add(words);
}

void RedisTransaction::set(const std::string& key, std::string value) {
  SK_CHECK(open_);
  write({"SET", key, value});
  known_[key] = std::move(value);
}

void RedisTransaction::erase(const std::string& key) {
  SK_CHECK(open_);
  write({"DEL", key});
  known_[key] = std::nullopt;
}

Stored<bool> RedisTransaction::commit() {
  SK_CHECK(open_);
  if (writes_.count() == 0) {
    rollback();
    return true;
  }
  RedisCommands all;
  all.add({"MULTI"});
  all.add(writes_);
  all.add({"EXEC"});
  const size_t count = writes_.count();
  const auto replies = exchange(all);
  rollback();
  if (!replies) return tl::unexpected(replies.error());
  watching_ = false;
  // What Redis did not even take says why, and EXEC only that nothing was done.
  for (const RedisReply& reply : *replies) SK_TRY_STATUS(link_.judge(reply));
  const RedisReply& done = replies->back();
  if (done.kind == Kind::nil) return false;
  for (const RedisReply& reply : done.list) SK_TRY_STATUS(link_.judge(reply));
  if (done.kind != Kind::list || done.list.size() != count)
    return refuse(Trouble::broken, "Redis has not done what it was told");
  return true;
}

bool RedisTransaction::outdated() {
  if (!open_ || !watching_) return false;
  RedisCommands empty;
  empty.add({"MULTI"});
  empty.add({"EXEC"});
  const auto replies = exchange(empty);
  watching_ = false;
  return replies && replies->back().kind == Kind::nil;
}

}  // namespace skein::store
