// One file fetched before the eyes of who waits for it: what it will take, how far it is, what is
// left if it fails.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "cli/console.h"
#include "hub/download.h"
#include "hub/http.h"
#include "hub/source.h"

namespace skein::cli {

struct FetchOptions {
  std::string token;  // for this source
  int tries = 5;
  bool force = false;      // a file that is there and differs is replaced
  bool only_look = false;  // nothing is fetched
  bool is_model = true;    // what it will need of memory is worth telling
};

struct Fetched {
  enum class What { looked, was_there, came };
  What what = What::came;
  std::filesystem::path path;
  uint64_t bytes = 0;    // 0 if nobody said
  std::string checksum;  // of its bytes, as they were compared; empty: they were not
};

// Errors: those of hub::ask() and hub::fetch(); argument (another file is there already); and of a
// model that no checksum vouches for what is wrong with it.
Result<Fetched> fetch_file(Console& console, hub::Http& http, const hub::Source& source,
                           const std::filesystem::path& target, const FetchOptions& options);

}  // namespace skein::cli
