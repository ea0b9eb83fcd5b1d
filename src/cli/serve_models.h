// The models of `skein serve`: which they are, how they are talked to, and whether they are there
// from the start or when somebody asks for them.
#pragma once

#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <vector>

#include "cli/console.h"
#include "cli/model_options.h"
#include "cli/options.h"
#include "cli/sampling_options.h"
#include "cli/serve_store.h"
#include "server/server.h"

namespace skein::cli {

class ServeModels {
 public:
  // MODEL, before all others; then what decides when they are there; then how models are opened.
  void declare_models(Options& options);
  void declare_time(Options& options);
  void declare_settings(Options& options);

  server::ShelfOptions shelf(const server::HostOptions& host) const;
  // Nothing is told that is no warning: who reads the log reads JSON.
  void be_silent() { silent_ = true; }
  // Opens those that are to be there, looks at the others, and gives all to the server. `tell` is
  // told which one is being opened. Errors: those of opening one; argument (two of one name, what
  // is said of one model and there are several).
  Status open(Console& console, server::Server& server, ServeStore& store, server::HostOptions host,
              const std::function<void(const std::string&)>& tell);
  // Of what was loaded meanwhile, a line each; on the thread that has the console.
  void report(Console& console);

  const std::vector<std::string>& names() const { return names_; }

 private:
  struct Given {
    std::string name, path;
  };
  static Result<Given> read(const std::string& given);
  Status check_several() const;
  Result<server::Served> served_of(const Model& model, const text::Tokenizer& tokenizer) const;
  Status load(Console& console, server::Server& server, ServeStore& store, const Given& one);
  Status look(Console& console, server::Server& server, ServeStore& store, const Given& one);
  void note(std::string line);

  std::vector<std::string> models_, names_;
  ModelOptions model_options_;
  SamplingOptions sampling_options_;
  std::string profile_name_, template_name_;
  std::optional<std::string> think_;
  bool on_demand_ = false, silent_ = false;
  double idle_ = 0;
  int64_t memory_ = 0;
  server::HostOptions host_;
  std::vector<server::ModelToServe> loaded_;

  std::mutex mutex_;
  std::vector<std::string> lines_;  // that report() tells
};

}  // namespace skein::cli
