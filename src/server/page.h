// The web page's files: those inside the program or, while somebody works on them, a folder's.
#pragma once

#include <filesystem>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::server {

// As page/embed.cmake writes them into the program.
struct EmbeddedFile {
  std::string_view name;  // "index.html", "assets/app-5f2c.js"
  std::string_view gzip;  // its bytes, compressed
  std::string_view digest;
};
using EmbeddedFiles = std::span<const EmbeddedFile>;
// This program's. Empty: it was built without a page.
EmbeddedFiles embedded_page();

struct PageFile {
  std::string tag;  // of these bytes
  std::string bytes;
  bool compressed = false;
  bool lasts = false;  // another content has another name
};

class Page {
 public:
  static Page of(EmbeddedFiles files) { return Page(files, {}); }
  // Read anew for each request. Error: argument (there is no page in it).
  static Result<Page> of(const std::filesystem::path& folder);

  // Whether read() inflates or waits for a disk, and so is a worker's work.
  bool takes_time(bool compressed) const { return !folder_.empty() || !compressed; }
  // `compressed`: it may be. Nothing: there is no file of that name, whatever stands in the name.
  std::optional<PageFile> read(std::string_view name, bool compressed) const;

 private:
  Page(EmbeddedFiles files, std::filesystem::path folder)
      : files_(files), folder_(std::move(folder)) {}

  EmbeddedFiles files_;
  std::filesystem::path folder_;
};

// By the ending of a file's name.
std::string_view type_of(std::string_view name);

}  // namespace skein::server
