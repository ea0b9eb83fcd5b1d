// A file fetched whole and right: resumed where it stopped, compared with what the hub says of it.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "base/part_file.h"
#include "hub/checksum.h"
#include "hub/http.h"
#include "hub/source.h"

namespace skein::hub {

// What a server says of a file.
struct Remote {
  std::optional<uint64_t> bytes;
  std::string checksum;   // hexadecimal; empty: the server says none
  std::string validator;  // its ETag or its date, which change with it; empty: none

  Checksum::Kind kind() const { return Checksum::kind_of(checksum); }
};

// Asks without fetching. Errors: network (it cannot be reached, refuses, has no such file, states
// another checksum than `source` brings), and those of Http::get().
Result<Remote> ask(Http& http, const Source& source, const std::string& token);

struct DownloadEvents {
  std::function<void(uint64_t done, uint64_t total)> checking;  // what came in earlier runs
  std::function<void(uint64_t done, std::optional<uint64_t> total, uint64_t before)> fetching;
  std::function<void(const std::string& sentence)> says;
  std::function<void(uint64_t bytes)> keeps;  // it failed, and so much lies there for another run
};

// Fetches what is not there yet into a part of `target`, and compares. The caller commits it. After
// `tries` failures of the connection in a row it gives up. What came stays where it can be gone on
// with; bytes that are not those that the hub promised go. Errors: network; io (the disk, another
// process, "interrupted").
Result<PartFile> fetch(Http& http, const Source& source, const Remote& remote,
                       const std::filesystem::path& target, const std::string& token, int tries,
                       const DownloadEvents& events);

}  // namespace skein::hub
