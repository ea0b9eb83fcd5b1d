// What every command that opens a model takes, and the opening itself: progress, the memory it
// needs, warnings, Ctrl-C.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "cli/adapter_option.h"
#include "cli/console.h"
#include "cli/options.h"
#include "run/opening.h"
#include "text/tokenizer.h"

namespace skein::cli {

class ModelOptions {
 public:
  // MODEL, -m, -t, --lora, --vocab, --chunk, --numerics, --sparse, --two-plane. Call it first, so
  // that MODEL is the first argument.
  void declare(Options& options);
  // The same without MODEL, for a command that takes several: each is set_path() before it is
  // looked at and loaded.
  void declare_settings(Options& options);
  void set_path(std::string path) { path_ = std::move(path); }

  // What the file is, from its header. Errors: those of Opening::look and Opening::fits; argument
  // (--lora).
  Result<Opening> look(Console& console) const;
  // Its tokenizer (run/vocabulary.h): what is missing is told before the weights are loaded.
  // Errors: those of find_tokenizer.
  Result<text::TokenizerPtr> tokenizer(const Opening& opening) const;
  // Errors: those of Opening::load; io "interrupted".
  Result<std::shared_ptr<Model>> load(Console& console, Opening opening) const;

  // As they were given, for what opens the model by itself. Error: argument (--lora).
  Result<skein::ModelOptions> given() const;

  const std::string& path() const { return path_; }
  const std::string& vocab() const { return vocab_; }

 private:
  std::string inspection() const { return "skein inspect " + escaped(path_); }

  std::string path_;
  std::string vocab_;
  AdapterOption adapters_;
  int64_t threads_ = 0;
  int64_t chunk_ = 0;
  std::string numerics_ = "exact";
  std::string sparse_ = "auto";
  std::string two_plane_ = "auto";
};

}  // namespace skein::cli
