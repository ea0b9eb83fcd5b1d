// What every command takes that opens a connection.
#pragma once

#include <cstdint>
#include <string>

#include "cli/options.h"
#include "hub/http.h"

namespace skein::cli {

class HubOptions {
 public:
  // --endpoint, --patience.
  void declare(Options& options);

  // Without a slash at its end: --endpoint, else HF_ENDPOINT, else the Hugging Face hub.
  std::string endpoint() const;
  // HF_TOKEN; empty if there is none. It is never printed. Error: argument (it is no token).
  Result<std::string> token() const;
  // Errors: those of hub::Http::open().
  Result<hub::Http> open() const { return hub::Http::open(static_cast<int>(patience_s_)); }

 private:
  std::string endpoint_;
  int64_t patience_s_ = 30;
};

}  // namespace skein::cli
