// What stands between the connections and the models: who may ask for what, which route a request
// takes, who works on it, what is counted and logged.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "server/access.h"
#include "server/model_shelf.h"
#include "server/page.h"
#include "server/replays.h"
#include "server/routes.h"
#include "server/routes/response_store.h"
#include "server/served.h"
#include "server/site.h"
#include "server/workers.h"
#include "store/store.h"

namespace skein::server {

struct Backstage;

struct LogEntry {
  std::string id, peer, method, path, model;
  int status = 0;  // 0: the client left before there was one
  double seconds = 0;
  uint64_t bytes = 0;
  int64_t prompt_tokens = 0;
  int64_t tokens = 0;
  bool whole = true;  // the answer left entirely
};

struct ServiceOptions {
  Keys keys;
  HostRule hosts;
  OriginRule origins;
  std::string prefix;  // of all paths, "/skein"
  uint64_t body_bytes = 0;
  Defaults defaults;
  std::shared_ptr<ResponseStore> responses{};  // null: in memory
  // Where the store outlives the process, states of responses are kept in it for so long, and gone
  // on from; 0: for ever; nothing: they are not.
  std::optional<int64_t> response_states_ms{};
  std::string version;
  ShelfOptions shelf{};
  // Of states with ids, sessions and documents; null: one in memory, which ends with the process.
  std::shared_ptr<store::Store> store{};
  std::optional<Page> page{};                  // nothing: the server has none
  std::function<void(const LogEntry&)> log{};  // on the connections' thread
};

// Of what a store may keep of texts what one key may have: half where there are others.
int64_t share_of_a_key(const Keys& keys, int64_t log_bytes);

// Connections call it on their one thread, workers on theirs.
class Service final : public Site {
 public:
  explicit Service(ServiceOptions options);
  ~Service() override;

  // Before the first request.
  void add(Served served) { models_.add(std::move(served)); }
  void add(ModelOnDemand model) { models_.add(std::move(model)); }
  const ModelShelf& models() const { return models_; }
  ModelShelf& models() { return models_; }
  const ServiceOptions& options() const { return options_; }
  // From now on requests are turned away, and /health says so.
  void leave() { leaving_.store(true); }
  bool leaving() const { return leaving_.load(); }
  // Ends what is under way with an error.
  void close();
  // Where the listener's figure comes from.
  void count_connections(std::function<int64_t()> count) { connections_ = std::move(count); }

  std::optional<Response> refuse(Exchange& exchange) override;
  Response refuse(const Exchange& exchange, const Refusal& refusal) override;
  void add_fields(Exchange& exchange, Response& response) override;
  void serve(std::shared_ptr<Exchange> exchange) override;
  void finished(const Exchange& exchange, int status, uint64_t bytes, bool whole) override;

  // ---- Of the handlers.
  // The body as a JSON object.
  Asked<Json> body_of(const Exchange& exchange) const;
  // The model that a body names, held by the exchange. Errors: those of use(), 400, 404.
  Asked<const Served*> model_of(Exchange& exchange, const Json& body);
  Asked<const Served*> model_named(Exchange& exchange, const std::optional<std::string>& name);
  // By its place. Error: that it is not there yet, which answer_error() understands.
  Asked<const Served*> use(Exchange& exchange, size_t model);
  // Of those that are there, the one whose states have it; null: none.
  ServedPtr served_of(const Digest& fingerprint);
  // Where a state can be gone on from: its model may have to be loaded.
  std::optional<size_t> model_of_states(const store::Node& node) const;
  // An id that nobody has had: "chatcmpl-..." with that beginning.
  static std::string new_id(std::string_view beginning);
  Workers& workers() { return workers_; }
  // To a worker, for a handler that answers at once otherwise; 429 where too much waits.
  void hand_over(const std::shared_ptr<Exchange>& exchange, std::function<void()> work);
  ResponseStore& responses() { return *responses_; }
  store::Store& store() { return *options_.store; }
  // What single routes remember between requests.
  Backstage& backstage() { return *backstage_; }
  // Whose states and sessions a request sees.
  Digest tenant_of(const Exchange& exchange) const {
    return options_.keys.tenant_of(exchange.head);
  }

  // Answers by route and status.
  using Counts = std::map<std::pair<std::string_view, int>, uint64_t>;
  const Counts& counts() const { return counts_; }
  int64_t connections() const { return connections_ ? connections_() : 0; }
  double uptime() const;

 private:
  std::optional<Response> refuse_source(const Exchange& exchange) const;
  Response answer_options(const Exchange& exchange, const Match& match) const;
  void handle(const std::shared_ptr<Exchange>& exchange);
  void wait_for_model(const std::shared_ptr<Exchange>& exchange, size_t model);
  void wait_for_form(const std::shared_ptr<Exchange>& exchange);

  const ServiceOptions options_;
  const std::shared_ptr<ResponseStore> responses_;
  Workers workers_;  // hosts owe it their answers until they have ended
  Replays replays_;
  ModelShelf models_;
  const std::unique_ptr<Backstage> backstage_;
  std::function<int64_t()> connections_;
  std::atomic<bool> leaving_{false};
  const std::chrono::steady_clock::time_point began_ = std::chrono::steady_clock::now();
  Counts counts_;
};

}  // namespace skein::server
