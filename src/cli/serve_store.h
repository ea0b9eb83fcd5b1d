// Where a server's states, sessions and responses stay: the options of `skein serve` about that,
// what is told of it at the start, and its end.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/hash.h"
#include "cli/console.h"
#include "cli/options.h"
#include "server/service.h"

namespace skein::cli {

class ServeStore {
 public:
  void declare(Options& options);
  // Opens what the options name and gives it to the service. Errors: those of opening it; argument
  // (options that do not go together).
  Status open(server::ServiceOptions& service);
  // A model is served whose states have that fingerprint.
  void add(std::string name, const Digest& fingerprint) {
    models_.push_back({std::move(name), fingerprint});
  }
  // One whose states' fingerprint is known when it is loaded.
  void add_unknown(std::string name) { models_.push_back({std::move(name), std::nullopt}); }
  // What was found there, once all models are known, and for which of it a model is missing.
  void tell(Console& console) const;
  // What has happened to it meanwhile, a line each.
  std::vector<std::string> news() { return store_ ? store_->news() : std::vector<std::string>(); }
  // Behind the last answer: what waits is written.
  void close(Console& console);

 private:
  struct Model {
    std::string name;
    std::optional<Digest> fingerprint;
  };
  store::Stored<std::string> missing_models() const;
  Status open_redis(store::Options options);

  std::string place_, sync_ = "process";  // a folder, or the address of a Redis
  std::string prefix_ = "skein:", password_, password_file_;
  int64_t texts_ = 4096, snapshots_ = 4096, response_days_ = 30, response_memory_ = 256;
  std::vector<Model> models_;
  std::shared_ptr<store::Store> store_;
};

}  // namespace skein::cli
