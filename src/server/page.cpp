#include "server/page.h"

#include <algorithm>
#include <utility>

#include "base/file.h"
#include "base/gzip.h"
#include "base/hash.h"
#include "base/limits.h"

namespace skein::server {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kAssets = "assets/";

constexpr std::pair<std::string_view, std::string_view> kTypes[] = {
    {".html", "text/html; charset=utf-8"},
    {".js", "text/javascript; charset=utf-8"},
    {".css", "text/css; charset=utf-8"},
    {".json", "application/json"},
    {".map", "application/json"},
    {".svg", "image/svg+xml"},
    {".png", "image/png"},
    {".ico", "image/x-icon"},
    {".woff2", "font/woff2"},
    {".txt", "text/plain; charset=utf-8"},
};

// Letters, digits and -_. of which none is the first: no way up, no other folder, nothing hidden.
bool is_plain(std::string_view name) {
  return !name.empty() && name.size() <= limits::kNameBytes && name.front() != '.' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
                  c == '-' || c == '_' || c == '.';
         });
}

// Whether somebody who follows no links finds such a thing there.
bool is_there(const fs::path& path, fs::file_type type) {
  std::error_code ignored;
  return fs::symlink_status(path, ignored).type() == type;
}

std::optional<std::string> read_from(const fs::path& folder, std::string_view name) {
  const bool is_asset = name.starts_with(kAssets);
  if (is_asset && !is_there(folder / "assets", fs::file_type::directory)) return std::nullopt;
  if (!is_plain(is_asset ? name.substr(kAssets.size()) : name)) return std::nullopt;
  const fs::path path = folder / name;
  if (!is_there(path, fs::file_type::regular)) return std::nullopt;
  const auto bytes = read_file(path, limits::kPageFileBytes);
  if (!bytes) return std::nullopt;
  return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
}

}  // namespace

Result<Page> Page::of(const fs::path& folder) {
  if (!is_there(folder / "index.html", fs::file_type::regular))
    return fail(Code::argument, "{} holds no index.html, so there is no page in it",
                escaped(folder.string()));
  return Page({}, folder);
}

std::optional<PageFile> Page::read(std::string_view name, bool compressed) const {
  if (!folder_.empty()) {
    auto bytes = read_from(folder_, name);
    if (!bytes) return std::nullopt;
    std::string tag = hex(sha256(std::as_bytes(std::span(*bytes))));
    return PageFile{.tag = std::move(tag), .bytes = std::move(*bytes)};
  }
  const auto file = std::find_if(files_.begin(), files_.end(),
                                 [&](const EmbeddedFile& one) { return one.name == name; });
  if (file == files_.end()) return std::nullopt;
  PageFile out;
  out.tag = file->digest;
  out.compressed = compressed;
  out.lasts = name.starts_with(kAssets);
  if (compressed) {
    // Two writings of one content are two things to a cache.
    out.tag += "-gz";
    out.bytes = file->gzip;
    return out;
  }
  auto bytes = gunzip(std::as_bytes(std::span(file->gzip)), limits::kPageFileBytes);
  if (!bytes) return std::nullopt;
  out.bytes = std::move(*bytes);
  return out;
}

std::string_view type_of(std::string_view name) {
  for (const auto& [ending, type] : kTypes)
    if (name.ends_with(ending)) return type;
  return "application/octet-stream";
}

}  // namespace skein::server
