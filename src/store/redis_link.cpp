#include "store/redis_link.h"

#include <hiredis/hiredis.h>
#include <poll.h>
#include <sys/socket.h>

#include <algorithm>
#include <cerrno>
#include <random>
#include <system_error>
#include <utility>

#include "base/limits.h"

namespace skein::store {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr uint64_t kBytesPerMs = 8 * 1024;  // what has to move moves at least so fast
constexpr milliseconds kFirstPause{100}, kLastPause{2000};
constexpr auto kSayAgain = std::chrono::minutes(1);
// What is under our marker: the layout of all other keys.
constexpr std::string_view kLayout = "SkeinRs1", kLayouts = "SkeinRs";
// More than the largest value, and what stands around it.
constexpr uint64_t kReplyBytes = limits::kStateFileBytes + limits::kMiB;

std::string reason(int error) { return std::system_category().message(error); }

RedisReply taken(const redisReply& from) {
  RedisReply out;
  switch (from.type) {
    case REDIS_REPLY_STRING: out.kind = RedisReply::Kind::text; break;
    case REDIS_REPLY_STATUS: out.kind = RedisReply::Kind::status; break;
    case REDIS_REPLY_ERROR: out.kind = RedisReply::Kind::error; break;
    case REDIS_REPLY_INTEGER:
      out.kind = RedisReply::Kind::integer;
      out.integer = from.integer;
      return out;
    case REDIS_REPLY_ARRAY:
      out.kind = RedisReply::Kind::list;
      out.list.reserve(from.elements);
      for (size_t i = 0; i < from.elements; ++i) out.list.push_back(taken(*from.element[i]));
      return out;
    default: return out;
  }
  out.text.assign(from.str, from.len);
  return out;
}

bool begins(const RedisReply& reply, std::string_view word) {
  return reply.kind == RedisReply::Kind::error && reply.text.starts_with(word);
}

milliseconds somewhat(milliseconds most) {
  static thread_local std::minstd_rand random{std::random_device{}()};
  return milliseconds(most.count() / 2 +
                      static_cast<int64_t>(random() % static_cast<uint64_t>(most.count() / 2 + 1)));
}

}  // namespace

// ---- What is said

void RedisCommands::add(const std::string_view* words, size_t count) {
  bytes_ += fmt::format("*{}\r\n", count);
  for (size_t i = 0; i < count; ++i) {
    bytes_ += fmt::format("${}\r\n", words[i].size());
    bytes_ += words[i];
    bytes_ += "\r\n";
  }
  ++count_;
}

void RedisCommands::add(std::initializer_list<std::string_view> words) {
  add(words.begin(), words.size());
}

void RedisCommands::add(const std::vector<std::string>& words) {
  const std::vector<std::string_view> views(words.begin(), words.end());
  add(views.data(), views.size());
}

void RedisCommands::add(const RedisCommands& others) {
  bytes_ += others.bytes_;
  count_ += others.count_;
}

int RedisPatience::left() const {
  const auto most = most_ + milliseconds(bytes_ / kBytesPerMs);
  const auto gone = std::chrono::duration_cast<milliseconds>(Clock::now() - began_);
  return static_cast<int>(std::clamp<int64_t>((most - gone).count(), 0, 1 << 30));
}

// ---- What is told

void RedisNews::add(std::string what) {
  constexpr size_t kUntold = 100;
  if (untold_.size() < kUntold) untold_.push_back(std::move(what));
}

void RedisNews::tell(std::string what) {
  const std::lock_guard lock(mutex_);
  add(std::move(what));
}

void RedisNews::lost(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++failures_;
  const bool was_up = up_.exchange(false);
  if (std::exchange(lost_, why) == why && !was_up) return;
  add(
      fmt::format("the store does not answer: {}; until it does, what is in memory is served and "
                  "nothing is kept",
                  why));
}

void RedisNews::found() {
  const std::lock_guard lock(mutex_);
  ++connections_;
  up_ = true;
  if (!std::exchange(lost_, {}).empty()) add("the store answers again");
}

void RedisNews::refused(const std::string& why) {
  const std::lock_guard lock(mutex_);
  ++failures_;
  const auto now = Clock::now();
  if (std::exchange(refused_, why) == why && now - refused_at_ < kSayAgain) return;
  refused_at_ = now;
  add("the store refused something: " + why);
}

std::vector<std::string> RedisNews::take() {
  const std::lock_guard lock(mutex_);
  return std::exchange(untold_, {});
}

// ---- The connection

struct RedisLink::Connection {
  redisContext* context = nullptr;
  ~Connection() {
    if (context) redisFree(context);
  }
  // Error: what went wrong.
  tl::expected<std::vector<RedisReply>, std::string> exchange(const RedisCommands& commands,
                                                              RedisPatience& patience);

 private:
  tl::expected<size_t, std::string> send(std::string_view bytes);
  // Nothing: there was none.
  tl::expected<size_t, std::string> receive();
};

tl::expected<size_t, std::string> RedisLink::Connection::send(std::string_view bytes) {
  const ssize_t sent = ::send(context->fd, bytes.data(), bytes.size(), MSG_NOSIGNAL);
  if (sent >= 0) return static_cast<size_t>(sent);
  if (errno == EAGAIN || errno == EINTR || errno == EINPROGRESS) return size_t{0};
  return tl::unexpected(reason(errno));
}

tl::expected<size_t, std::string> RedisLink::Connection::receive() {
  char buffer[64 * 1024];
  const ssize_t got = ::recv(context->fd, buffer, sizeof buffer, 0);
  if (got == 0) return tl::unexpected(std::string("it closed the connection"));
  if (got < 0 && (errno == EAGAIN || errno == EINTR)) return size_t{0};
  if (got < 0) return tl::unexpected(reason(errno));
  if (redisReaderFeed(context->reader, buffer, static_cast<size_t>(got)) != REDIS_OK)
    return tl::unexpected(std::string(context->reader->errstr));
  return static_cast<size_t>(got);
}

tl::expected<std::vector<RedisReply>, std::string> RedisLink::Connection::exchange(
    const RedisCommands& commands, RedisPatience& patience) {
  std::vector<RedisReply> out;
  out.reserve(commands.count());
  std::string_view unsent = commands.bytes();
  uint64_t received = 0;
  while (out.size() < commands.count()) {
    // Both at once: it stops reading when nobody takes what it says.
    pollfd place = {context->fd, static_cast<short>(unsent.empty() ? POLLIN : POLLIN | POLLOUT), 0};
    const int left = patience.left();
    const int ready = left > 0 ? ::poll(&place, 1, left) : 0;
    if (ready < 0 && errno == EINTR) continue;
    if (ready < 0) return tl::unexpected(reason(errno));
    if (ready == 0) return tl::unexpected(std::string("it did not answer in time"));
    if (place.revents & POLLOUT || (place.revents & POLLERR && !unsent.empty())) {
      SK_TRY(const size_t sent, send(unsent));
      unsent.remove_prefix(sent);
      patience.moved(sent);
    }
    if (!(place.revents & (POLLIN | POLLHUP | POLLERR))) continue;
    SK_TRY(const size_t got, receive());
    patience.moved(got);
    if ((received += got) > kReplyBytes)
      return tl::unexpected(std::string("it answers with more than anything that is kept there"));
    void* reply = nullptr;
    while (out.size() < commands.count()) {
      if (redisReaderGetReply(context->reader, &reply) != REDIS_OK)
        return tl::unexpected(std::string("what it says is not Redis's protocol: ") +
                              context->reader->errstr);
      if (!reply) break;
      const std::unique_ptr<void, void (*)(void*)> owner(reply, freeReplyObject);
      out.push_back(taken(*static_cast<const redisReply*>(reply)));
    }
  }
  return out;
}

RedisLink::RedisLink(Options options, std::shared_ptr<RedisNews> news)
    : options_(std::move(options)), news_(std::move(news)) {}

RedisLink::~RedisLink() = default;

Result<std::unique_ptr<RedisLink::Connection>> RedisLink::connect() const {
  const RedisAddress& to = options_.address;
  auto out = std::make_unique<Connection>();
  // Names are looked up here, which may take as long as it likes: only tend() comes here.
  out->context = to.path.empty() ? redisConnectNonBlock(to.host.c_str(), to.port)
                                 : redisConnectUnixNonBlock(to.path.c_str());
  if (!out->context) return no_memory();
  if (out->context->err)
    return fail(Code::network, "{}: {}", escaped(to.text()), out->context->errstr);
  if (to.path.empty()) redisEnableKeepAlive(out->context);
  SK_TRY_STATUS(greet(*out));
  return out;
}

// Who asks, which database, and whose keys they are.
Status RedisLink::greet(Connection& connection) const {
  const std::string where = escaped(options_.address.text());
  const std::string marker = options_.prefix + "skein";
  const std::string database = std::to_string(options_.address.database);
  RedisCommands commands;
  const bool knows = !options_.password.empty();
  if (knows && options_.address.user.empty())
    commands.add({"AUTH", options_.password});
  else if (knows)
    commands.add({"AUTH", options_.address.user, options_.password});
  commands.add({"SELECT", database});
  commands.add({"SETNX", marker, kLayout});
  commands.add({"GET", marker});
  RedisPatience patience(options_.patience);
  const auto replies = connection.exchange(commands, patience);
  if (!replies) return fail(Code::network, "{}: {}", where, replies.error());
  for (const RedisReply& reply : *replies) {
    if (reply.kind != RedisReply::Kind::error) continue;
    if (begins(reply, "WRONGPASS") || begins(reply, "NOAUTH") || begins(reply, "ERR AUTH") ||
        begins(reply, "ERR invalid password"))
      return fail(Code::argument,
                  "{}: the password is {}; SKEIN_STORE_PASSWORD or --store-password-file has it, "
                  "and the address may name a user: redis://USER@HOST",
                  where, knows ? "not right" : "missing");
    if (begins(reply, "NOPERM"))
      return fail(Code::argument, "{}: the user may not do what is needed: {}", where,
                  escaped(reply.text, 200));
    if (begins(reply, "WRONGTYPE")) break;
    return fail(Code::network, "{}: {}", where, escaped(reply.text, 200));
  }
  const RedisReply& layout = replies->back();
  if (layout.kind == RedisReply::Kind::text && layout.text == kLayout) return {};
  if (layout.text.starts_with(kLayouts) && layout.text.size() < 16)
    return fail(Code::unsupported,
                "{}: what is under {} was written by a newer Skein; use that, or another "
                "--store-prefix",
                where, escaped(options_.prefix));
  return fail(Code::mismatch,
              "{}: the key {} is another program's; name another database or --store-prefix", where,
              escaped(marker));
}

uint64_t RedisLink::epoch() const {
  const std::lock_guard lock(mutex_);
  return connection_ ? epoch_ : 0;
}

tl::unexpected<StoreError> RedisLink::lose(std::string why) {
  {
    const std::lock_guard lock(mutex_);
    connection_.reset();
    busy_ = false;
    next_try_ = {};
  }
  const std::string text = fmt::format("{}: {}", escaped(options_.address.text()), why);
  if (options_.tells)
    news_->lost(text);
  else
    news_->refused(text);
  return refuse(Trouble::unavailable, "the store does not answer: {}", why);
}

Stored<std::vector<RedisReply>> RedisLink::exchange(const RedisCommands& commands,
                                                    RedisPatience& patience) {
  Connection* connection = nullptr;
  {
    const std::lock_guard lock(mutex_);
    connection = connection_.get();
    busy_ = connection != nullptr;
  }
  if (!connection) return refuse(Trouble::unavailable, "the store does not answer at the moment");
  try {
    auto replies = connection->exchange(commands, patience);
    if (!replies) return lose(std::move(replies).error());
    const std::lock_guard lock(mutex_);
    busy_ = false;
    return std::move(*replies);
  } catch (const std::bad_alloc&) {
    // What it has said is somewhere in between.
    return lose("there was no memory for what it says");
  }
}

Stored<void> RedisLink::judge(const RedisReply& reply) {
  if (reply.kind != RedisReply::Kind::error) return {};
  const std::string text = escaped(reply.text, 200);
  news_->refused(text);
  if (begins(reply, "OOM"))
    return refuse(Trouble::full,
                  "there is no room for more in Redis: it has as much as its maxmemory says");
  if (begins(reply, "WRONGTYPE"))
    return refuse(Trouble::broken,
                  "Redis has a value of another kind than was kept there: another program has "
                  "written it");
  for (const char* passing : {"LOADING", "BUSY", "MISCONF", "READONLY", "MASTERDOWN", "NOAUTH",
                              "WRONGPASS", "NOPERM", "NOREPLICAS", "CLUSTERDOWN", "TRYAGAIN"})
    if (begins(reply, passing))
      return refuse(Trouble::unavailable, "the store refuses for now: {}", text);
  return refuse(Trouble::broken, "Redis refused: {}", text);
}

// False: it has been closed at the other end while nobody used it.
bool RedisLink::still_there() {
  const std::lock_guard lock(mutex_);
  if (!connection_ || busy_) return connection_ != nullptr;
  pollfd place = {connection_->context->fd, POLLIN, 0};
  if (::poll(&place, 1, 0) == 0) return true;
  connection_.reset();
  return false;
}

Status RedisLink::tend(bool now) {
  const bool was = epoch() != 0;
  if (still_there()) return {};
  if (was && options_.tells)
    news_->lost(fmt::format("{}: it closed the connection", escaped(options_.address.text())));
  if (!now && Clock::now() < next_try_) return {};
  auto made = connect();
  const std::lock_guard lock(mutex_);
  if (!made) {
    pause_ = std::clamp(2 * pause_, kFirstPause, kLastPause);
    next_try_ = Clock::now() + somewhat(pause_);
    if (options_.tells) news_->lost(made.error().message);
    return tl::unexpected(std::move(made).error());
  }
  pause_ = {};
  connection_ = std::move(*made);
  ++epoch_;
  if (options_.tells) news_->found();
  return {};
}

}  // namespace skein::store
