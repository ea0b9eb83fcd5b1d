// --lora, of every command that opens a model:
// "lora.pth,alpha=32,blend=0.5,only=blocks.*.att.*".
#pragma once

#include <string>
#include <vector>

#include "base/error.h"
#include "cli/options.h"
#include "run/model.h"

namespace skein::cli {

class AdapterOption {
 public:
  void declare(Options& options);
  // Error: argument, naming what is wrong.
  Result<std::vector<AdapterFile>> given() const;

 private:
  std::vector<std::string> texts_;
};

}  // namespace skein::cli
