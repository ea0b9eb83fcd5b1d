#include "cli/hub_options.h"

#include <algorithm>
#include <cstdlib>

#include "hub/source.h"

namespace skein::cli {

void HubOptions::declare(Options& options) {
  options
      .value("--endpoint", endpoint_, "URL",
             fmt::format("the hub or a mirror of it; else HF_ENDPOINT, or {}", hub::kHub))
      .set_by_user();
  options
      .value("--patience", patience_s_, "SECONDS",
             "give up a connection of which less than 1 KB/s comes for so long")
      .range(1, 3600);
}

std::string HubOptions::endpoint() const {
  std::string out = endpoint_;
  if (const char* given = std::getenv("HF_ENDPOINT"); out.empty() && given) out = given;
  while (out.ends_with('/')) out.pop_back();
  return out.empty() ? hub::kHub : out;
}

Result<std::string> HubOptions::token() const {
  const char* given = std::getenv("HF_TOKEN");
  std::string out = given ? given : "";
  if (!std::all_of(out.begin(), out.end(), [](char c) { return c > ' ' && c <= '~'; }))
    return fail(Code::argument, "HF_TOKEN holds characters that no token has");
  return out;
}

}  // namespace skein::cli
