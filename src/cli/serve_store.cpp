#include "cli/serve_store.h"

#include <algorithm>
#include <utility>

#include "base/bytes_text.h"
#include "base/limits.h"
#include "server/routes/kept_responses.h"
#include "store/memory_store.h"
#include "store/redis_store.h"
#include "store/sqlite_store.h"

namespace skein::cli {
namespace {

constexpr int64_t kDayMs = int64_t{24} * 60 * 60 * 1000;
constexpr uint64_t kPasswordFileBytes = 64 * 1024;
constexpr int64_t kMiB = static_cast<int64_t>(limits::kMiB);

// The server's own documents: which models its states are of, by fingerprint. No key is this
// tenant.
constexpr const char* kModelKind = "model";
store::Tenant own_tenant() {
  const std::string_view name = "skein serve";
  return sha256(std::as_bytes(std::span(name)));
}

bool is_prefix(std::string_view text) {
  constexpr std::string_view kOthers = "-_.:/";
  return !text.empty() && text.size() <= 64 && std::all_of(text.begin(), text.end(), [&](char c) {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
           kOthers.find(c) != std::string_view::npos;
  });
}

std::string number_of(int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

void ServeStore::declare(Options& options) {
  options
      .value(
          "--store", place_, "PLACE",
          "where states, sessions and responses outlive the server: a folder, which is made if it "
          "is not there, or a Redis that servers share, redis://[USER@]HOST[:PORT][/DATABASE] or "
          "redis+unix:/SOCKET. Without it they stay in memory")
      .file()
      // It hears the password, and what everybody says.
      .set_by_user();
  options
      .value("--store-sync", sync_, "WHAT",
             "what takes nothing that was answered: process, which is the end of the server by any "
             "signal, or power, which is a power cut too and waits for the disk at each answer")
      .one_of({"process", "power"});
  options.value("--store-prefix", prefix_, "TEXT", "what all keys in a Redis begin with");
  options
      .value("--store-password", password_, "TEXT",
             "the password of a Redis; better in the environment or a file, since others see the "
             "command line")
      .hide();
  options.value("--store-password-file", password_file_, "FILE", "its first line is that password")
      .file();
  options
      .value("--store-texts", texts_, "MIB",
             "disk for texts, tokens and responses; beyond it nothing new is kept. Without --store "
             "memory, a sixteenth of what is free at most")
      .range(1, 1 << 24);
  options
      .value("--store-snapshots", snapshots_, "MIB",
             "disk for states that spare reading texts again; beyond it those that spare least go. "
             "Without --store memory, as --store-texts")
      .range(0, 1 << 24);
  options
      .value("--response-days", response_days_, "N",
             "for how long a response stays in the --store; 0: until it is deleted")
      .range(0, 36500);
  options
      .value("--response-memory", response_memory_, "MIB",
             "memory for responses without a --store; a quarter of it for one key")
      .range(0, 1 << 24);
}

Status ServeStore::open(server::ServiceOptions& service) {
  store::Options options{
      .budget = {.snapshot_bytes = snapshots_ * kMiB, .log_bytes = texts_ * kMiB}, .clock = {}};
  const auto share = [&] {
    options.budget.tenant_log_bytes =
        server::share_of_a_key(service.keys, options.budget.log_bytes);
  };
  share();
  if (place_.empty()) {
    options.budget = store::within_memory(options.budget);
    share();
    service.store = store::memory_store(std::move(options));
    service.responses = server::responses_in_memory(
        {.bytes = response_memory_ * kMiB, .tenant_bytes = response_memory_ * kMiB / 4});
    return {};
  }
  if (store::is_redis_address(place_)) {
    SK_TRY_STATUS(open_redis(std::move(options)));
  } else {
    if (!password_.empty() || !password_file_.empty())
      return fail(Code::argument, "a --store in a folder has no password");
    SK_TRY(store_, store::open_sqlite_store(
                       place_, options,
                       sync_ == "power" ? store::Durability::power : store::Durability::process));
  }
  service.store = store_;
  service.responses = server::responses_in_store(store_, response_days_ * kDayMs);
  service.response_states_ms = response_days_ * kDayMs;
  return {};
}

Status ServeStore::open_redis(store::Options options) {
  if (sync_ == "power")
    return fail(
        Code::argument,
        "--store-sync power is of a folder; what a power cut takes of a Redis is said by its "
        "own settings: appendonly yes, appendfsync always");
  if (!is_prefix(prefix_))
    return fail(Code::argument,
                "--store-prefix {}: 1 to 64 letters, digits and any of -_.:/ are a prefix",
                escaped(prefix_, 80));
  SK_TRY(store::RedisAddress address, store::parse_redis_address(place_));
  std::string password = password_;
  if (!password_file_.empty()) {
    if (!password_.empty())
      return fail(Code::argument, "--store-password and --store-password-file say the same");
    SK_TRY(const std::string text, read_text(password_file_, kPasswordFileBytes));
    password = text.substr(0, text.find_first_of("\r\n"));
    if (password.empty())
      return fail(Code::argument, "{} holds no password", escaped(password_file_));
  }
  store::RedisOptions redis;
  redis.address = std::move(address);
  redis.password = std::move(password);
  redis.prefix = prefix_;
  SK_TRY(store_, store::open_redis_store(redis, std::move(options)));
  return {};
}

// Names of models that states here are of and that are not served; notes those that are.
store::Stored<std::string> ServeStore::missing_models() const {
  store::Changes known;
  for (const Model& model : models_) {
    if (!model.fingerprint) continue;
    JsonWriter json;
    known.documents.push_back(
        {.kind = kModelKind,
         .id = hex(*model.fingerprint),
         .json = json.begin_object().member("name", model.name).end_object().text(),
         .replace = true});
  }
  SK_TRY(const auto page, store_->documents(own_tenant(), kModelKind, {.limit = 1000}));
  std::string out;
  for (const store::Document& document : page.items) {
    const auto json = parse_json(document.json, document.json.size() + 1);
    const std::string name(json ? json->find("name").string().value_or("?") : "?");
    const auto served = [&](const Model& model) {
      return model.fingerprint ? hex(*model.fingerprint) == document.id : model.name == name;
    };
    if (std::any_of(models_.begin(), models_.end(), served)) continue;
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", escaped(name, 80),
                       document.id.substr(0, 16));
  }
  SK_TRY_STATUS(store_->commit(own_tenant(), std::move(known)));
  return out;
}

void ServeStore::tell(Console& console) const {
  // One that does not answer yet is in the news.
  if (!store_ || !store_->health().up) return;
  const auto before = store_->usage();
  const auto own = store_->documents(own_tenant(), kModelKind, {.limit = 1000});
  if (!before || !own) return console.warn(!before ? before.error().message : own.error().message);
  const auto responses = before->documents - static_cast<int64_t>(own->items.size());
  if (before->nodes + before->sessions + responses == 0)
    console.note(fmt::format("{}: nothing is kept there yet", escaped(place_)));
  else
    console.note(fmt::format(
        "{}: found {}, {} and {}: {} of texts, {} of snapshots", escaped(place_),
        number_of(before->nodes, "state"), number_of(before->sessions, "session"),
        number_of(responses, "response"), bytes_text(static_cast<double>(before->log_bytes)),
        bytes_text(static_cast<double>(before->snapshot_bytes))));
  const auto missing = missing_models();
  if (!missing) return console.warn(missing.error().message);
  if (!missing->empty())
    console.warn(
        fmt::format("{} also has states of models that are not served now: {}; they stay, and "
                    "whoever goes on from one is told 409: serve that model too, or use a --store "
                    "for each",
                    escaped(place_), *missing));
}

void ServeStore::close(Console& console) {
  if (!store_) return;
  if (const auto flushed = store_->flush(); !flushed) console.warn(flushed.error().message);
}

}  // namespace skein::cli
