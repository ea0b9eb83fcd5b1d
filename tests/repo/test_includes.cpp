// The shape of the house, held by its #include lines (docs/design.md has the picture).
#include <gtest/gtest.h>

#include <algorithm>
#include <optional>
#include <utility>

#include "repo/source_text.h"

namespace skein::test {
namespace {

// A folder may include itself and what stands on a lower line. Names on one line do not include
// each other.
const std::vector<std::vector<std::string>> kLevels = {
    {"base"},
    {"tensor"},
    {"quant"},
    {"ops"},
    {"cpu", "cuda", "vulkan"},
    {"backends"},
    {"arch", "io", "text"},
    {"constrain"},
    {"run"},
    {"store"},
    {"api", "compat", "hub", "server", "train", "eval"},
    {"cli"},
};

// Third-party headers and the places that may know them; anything that is not listed here and not
// a header of the language is an offence, so that a new dependency is a decision. A place ending in
// a slash is a folder.
struct ThirdParty {
  std::string header;  // a header, or the folder of several
  std::vector<std::string> places;
};
const std::vector<ThirdParty> kThirdParty = {
    {"fmt/", {"src/"}},
    {"tl/expected.hpp", {"src/base/error.h"}},
    {"simdjson.h", {"src/base/json.cpp"}},
    {"openssl/", {"src/base/hash.cpp"}},
    {"zlib.h", {"src/base/gzip.cpp", "src/base/hash.cpp"}},
    {"curl/", {"src/hub/http.cpp"}},
    {"utf8proc.h", {"src/text/"}},
    {"CLI/", {"src/cli/"}},
    {"toml++/", {"src/cli/config.cpp"}},
    {"cxxabi.h", {"src/cli/main.cpp"}},  // the exception that ends a program before it has begun
    {"sqlite3.h", {"src/store/database.cpp"}},
    {"hiredis/", {"src/store/redis_link.cpp"}},
    {"boost/", {"src/server/request_reader.cpp", "src/server/listener.cpp"}},
    {"netinet/tcp.h", {"src/server/listener.cpp"}},
    {"immintrin.h", {"src/cpu/"}},
    {"xmmintrin.h", {"src/cpu/"}},
    {"cpuid.h", {"src/cpu/"}},
    {"arm_neon.h", {"src/cpu/"}},
    // The operating system.
    {"sys/",
     {"src/base/", "src/tensor/", "src/cpu/", "src/cli/", "src/server/listener.cpp",
      "src/store/redis_link.cpp"}},
    {"dirent.h", {"src/base/"}},
    {"dlfcn.h", {"src/base/", "src/hub/http.cpp"}},
    {"unistd.h", {"src/base/", "src/tensor/", "src/cpu/", "src/cli/"}},
    {"fcntl.h", {"src/base/", "src/cli/"}},
    {"signal.h", {"src/base/", "src/cli/"}},
    {"pthread.h", {"src/base/", "src/cpu/"}},
    {"sched.h", {"src/base/", "src/cpu/"}},
    {"poll.h", {"src/base/", "src/cli/", "src/store/redis_link.cpp"}},
    {"termios.h", {"src/cli/"}},
};

struct Include {
  std::string name;
  bool quoted;
};

std::optional<Include> include_of(std::string_view line) {
  auto skip_blanks = [&] {
    while (!line.empty() && (line.front() == ' ' || line.front() == '\t')) line.remove_prefix(1);
  };
  skip_blanks();
  if (!line.starts_with('#')) return std::nullopt;
  line.remove_prefix(1);
  skip_blanks();
  if (!line.starts_with("include")) return std::nullopt;
  line.remove_prefix(7);
  skip_blanks();
  if (!line.starts_with('"') && !line.starts_with('<')) return std::nullopt;
  const bool quoted = line.front() == '"';
  const size_t end = line.find(quoted ? '"' : '>', 1);
  if (end == std::string_view::npos) return std::nullopt;
  return Include{std::string(line.substr(1, end - 1)), quoted};
}

std::vector<Include> includes_of(const SourceFile& file) {
  std::vector<Include> includes;
  for (std::string_view line : lines_of(file.text))
    if (auto include = include_of(line)) includes.push_back(std::move(*include));
  return includes;
}

std::optional<size_t> level_of(std::string_view folder) {
  for (size_t i = 0; i < kLevels.size(); ++i)
    if (std::find(kLevels[i].begin(), kLevels[i].end(), folder) != kLevels[i].end()) return i;
  return std::nullopt;
}

bool is_language(std::string_view header) {
  return header.find_first_of("./") == std::string_view::npos || header == "stdint.h" ||
         header == "stddef.h" || header == "stdbool.h";
}

// Why `path` (src/FOLDER/...) must not include this; empty when it may.
std::string offence(std::string_view path, const Include& include) {
  const std::string_view inside = path.substr(path.find('/') + 1);
  const std::string folder(inside.substr(0, inside.find('/')));
  const std::optional<size_t> own = level_of(folder);
  if (!own) return "src/" + folder + " has no level in kLevels";

  if (include.name.starts_with("skein/"))
    return folder == "api" || folder == "compat" || folder == "cli"
               ? ""
               : "only api, compat and cli know the public headers";
  if (include.quoted) {
    const std::string other = include.name.substr(0, include.name.find('/'));
    const std::optional<size_t> level = level_of(other);
    if (!level) return "paths are written from src/";
    if (other == folder) return "";
    if (*level < *own) return "";
    return folder + " stands " + (*level == *own ? "beside " : "below ") + other;
  }
  if (is_language(include.name)) return "";
  for (const ThirdParty& known : kThirdParty) {
    const bool is_folder = known.header.ends_with('/');
    if (is_folder ? !include.name.starts_with(known.header) : include.name != known.header)
      continue;
    for (const std::string& place : known.places)
      if (place.ends_with('/') ? path.starts_with(place) : path == place) return "";
    return "this header is known to others only (kThirdParty)";
  }
  return "an unknown header; if it is a decision, add it to kThirdParty";
}

TEST(Includes, every_include_of_src_points_downwards) {
  for (const SourceFile& file : project_files({"src"}, {".h", ".cpp"}))
    for (const Include& include : includes_of(file))
      EXPECT_EQ(offence(file.path, include), "") << file.path << " includes " << include.name;
}

TEST(Includes, unpackers_know_no_processor) {
  // quant/*/unpack.h are templates over the vector type: the vectors come from whoever uses them.
  for (const SourceFile& file : project_files({"src/quant"}, {"unpack.h"}))
    for (const Include& include : includes_of(file)) {
      EXPECT_FALSE(include.name.starts_with("cpu/")) << file.path;
      EXPECT_NE(include.name, "immintrin.h") << file.path;
      EXPECT_NE(include.name, "arm_neon.h") << file.path;
    }
}

TEST(Includes, public_headers_include_only_the_language_and_each_other) {
  for (const SourceFile& file : project_files({"include"}, {".h", ".hpp"}))
    for (const Include& include : includes_of(file))
      EXPECT_TRUE((!include.quoted && is_language(include.name)) ||
                  include.name.starts_with("skein/"))
          << file.path << " includes " << include.name;
}

TEST(Includes, the_check_itself_sees_offences) {
  auto refused = [](std::string_view path, std::string_view line) {
    return !offence(path, include_of(line).value()).empty();
  };
  EXPECT_TRUE(refused("src/base/a.cpp", "#include \"tensor/shape.h\""));
  EXPECT_TRUE(refused("src/arch/names/a.cpp", "#include \"io/pth.h\""));
  EXPECT_TRUE(refused("src/cpu/a.cpp", "  #  include \"arch/rwkv7.h\""));
  EXPECT_TRUE(refused("src/run/a.cpp", "#include <skein/skein.h>"));
  EXPECT_TRUE(refused("src/io/a.cpp", "#include \"pth.h\""));
  EXPECT_TRUE(refused("src/io/a.cpp", "#include <simdjson.h>"));
  EXPECT_TRUE(refused("src/io/a.cpp", "#include <boost/json.hpp>"));
  EXPECT_TRUE(refused("src/elsewhere/a.cpp", "#include <vector>"));
  EXPECT_FALSE(refused("src/run/a.cpp", "#include \"arch/registry.h\""));
  EXPECT_FALSE(refused("src/run/a.cpp", "#include \"run/state.h\""));
  EXPECT_FALSE(refused("src/cli/a.cpp", "#include <skein/skein.h>"));
  EXPECT_FALSE(refused("src/base/json.cpp", "#include <simdjson.h>"));
}

}  // namespace
}  // namespace skein::test
