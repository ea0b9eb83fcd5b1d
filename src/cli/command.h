// A subcommand. One file each; commands.cpp is the table.
#pragma once

#include <memory>

#include "cli/console.h"
#include "cli/options.h"

namespace skein::cli {

class Command {
 public:
  virtual ~Command() = default;
  // Says which options and arguments it takes and which members receive them.
  virtual void declare(Options& options) = 0;
  // Called when they have been filled in. Returns the exit code (console.h).
  virtual int run(Console& console) = 0;
  // Asked when options have been filled in. False: none of the arguments has to be there.
  virtual bool needs_arguments() const { return true; }
  // False for those that have to work while a configuration file is broken.
  virtual bool wants_config() const { return true; }
};

using CommandPtr = std::unique_ptr<Command>;

}  // namespace skein::cli
