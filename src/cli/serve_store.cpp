#include "cli/serve_store.h"

#include <algorithm>
#include <utility>

#include "base/bytes_text.h"
#include "base/limits.h"
#include "server/kept_responses.h"
#include "store/memory_store.h"
#include "store/sqlite_store.h"

namespace skein::cli {
namespace {

constexpr int64_t kDayMs = int64_t{24} * 60 * 60 * 1000;
constexpr int64_t kMiB = static_cast<int64_t>(limits::kMiB);

// The server's own documents: which models its states are of, by fingerprint. No key is this
// tenant.
constexpr const char* kModelKind = "model";
store::Tenant own_tenant() {
  const std::string_view name = "skein serve";
  return sha256(std::as_bytes(std::span(name)));
}

std::string number_of(int64_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

}  // namespace

void ServeStore::declare(Options& options) {
  options
      .value(
          "--store", folder_, "DIR",
          "a folder in which states, sessions and responses outlive the server; it is made if it "
          "is not there. Without it they stay in memory")
      .file();
  options
      .value("--store-sync", sync_, "WHAT",
             "what takes nothing that was answered: process, which is the end of the server by any "
             "signal, or power, which is a power cut too and waits for the disk at each answer")
      .one_of({"process", "power"});
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
  if (folder_.empty()) {
    options.budget = store::within_memory(options.budget);
    share();
    service.store = store::memory_store(std::move(options));
    service.responses = server::responses_in_memory(
        {.bytes = response_memory_ * kMiB, .tenant_bytes = response_memory_ * kMiB / 4});
    return {};
  }
  SK_TRY(store_, store::open_sqlite_store(
                     folder_, options,
                     sync_ == "power" ? store::Durability::power : store::Durability::process));
  service.store = store_;
  service.responses = server::responses_in_store(store_, response_days_ * kDayMs);
  service.response_states_ms = response_days_ * kDayMs;
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
    const auto name = json ? json->find("name").string() : std::nullopt;
    const auto served = [&](const Model& model) {
      return model.fingerprint ? hex(*model.fingerprint) == document.id : model.name == name;
    };
    if (std::any_of(models_.begin(), models_.end(), served)) continue;
    out += fmt::format("{}{} ({})", out.empty() ? "" : ", ", escaped(name.value_or("?"), 80),
                       document.id.substr(0, 16));
  }
  SK_TRY_STATUS(store_->commit(own_tenant(), std::move(known)));
  return out;
}

void ServeStore::tell(Console& console) const {
  if (!store_) return;
  const auto before = store_->usage();
  const auto own = store_->documents(own_tenant(), kModelKind, {.limit = 1000});
  if (!before || !own) return console.warn(!before ? before.error().message : own.error().message);
  const auto responses = before->documents - static_cast<int64_t>(own->items.size());
  if (before->nodes + before->sessions + responses == 0)
    console.note(fmt::format("{}: nothing is kept there yet", escaped(folder_)));
  else
    console.note(fmt::format(
        "{}: found {}, {} and {}: {} of texts, {} of snapshots", escaped(folder_),
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
                    escaped(folder_), *missing));
}

void ServeStore::close(Console& console) {
  if (!store_) return;
  if (const auto flushed = store_->flush(); !flushed) console.warn(flushed.error().message);
}

}  // namespace skein::cli
