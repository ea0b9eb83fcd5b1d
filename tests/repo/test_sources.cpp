// Habits of the sources that a machine can hold: no banned calls, no overlong files, every file
// part of a build, every link of the documentation alive.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <optional>

#include "repo/source_text.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

constexpr size_t kLongestFile = 700;

struct Banned {
  std::string word;
  std::string because;
  std::vector<std::string> except = {};  // folders or files of src/ that may
};
const std::vector<Banned> kBanned = {
    {"regex", "std::regex recurses on its input"},
    {"directory_iterator", "ends the program where memory runs out; use names_in()"},
    {"recursive_directory_iterator", "ends the program where memory runs out; use names_in()"},
    {"strtol", "use std::from_chars"},
    {"strtoul", "use std::from_chars"},
    {"strtoll", "use std::from_chars"},
    {"strtoull", "use std::from_chars"},
    {"strtod", "use std::from_chars"},
    {"strtof", "use std::from_chars"},
    {"stoi", "use std::from_chars"},
    {"stol", "use std::from_chars"},
    {"stoul", "use std::from_chars"},
    {"stoll", "use std::from_chars"},
    {"stoull", "use std::from_chars"},
    {"stod", "use std::from_chars"},
    {"stof", "use std::from_chars"},
    {"atoi", "use std::from_chars"},
    {"atol", "use std::from_chars"},
    {"atof", "use std::from_chars"},
    {"sscanf", "use std::from_chars"},
    {"system", "starts a shell"},
    {"popen", "starts a shell"},
    // libcurl is needed by one command, and a program has to run where it is not installed.
    {"dlopen", "loads code chosen at run time", {"src/hub/http.cpp"}},
    // Memory that has run out stays what it is until the border: see docs/errors.md.
    {"throw", "errors are values (base/error.h)", {"src/run/vocabulary.cpp", "src/run/state.cpp"}},
    {"abort", "input never ends the process", {"src/base/check.cpp", "src/cli/main.cpp"}},
    {"exit", "input never ends the process", {"src/cli/"}},
    {"_exit", "input never ends the process", {"src/cli/"}},
    {"quick_exit", "input never ends the process"},
    {"cout", "the library never prints", {"src/cli/"}},
    {"cerr", "the library never prints", {"src/cli/"}},
    {"printf", "the library never prints", {"src/cli/"}},
    // rwkv.cpp's interface prints errors until it is told not to.
    {"fprintf",
     "the library never prints",
     {"src/cli/", "src/base/check.cpp", "src/compat/errors.cpp"}},
    {"puts", "the library never prints", {"src/cli/"}},
};

bool may(const Banned& banned, std::string_view path) {
  for (const std::string& place : banned.except)
    if (place.ends_with('/') ? path.starts_with(place) : path == place) return true;
  return false;
}

// The functions are banned, not the words: a call, or a name qualified by std.
bool is_used(const std::string& code, const std::string& word) {
  for (size_t at = find_word(code, word); at != std::string::npos;
       at = find_word(code, word, at + 1)) {
    const size_t next = code.find_first_not_of(" \t\n", at + word.size());
    const bool member =
        at > 0 && (code[at - 1] == '.' || code.substr(at >= 2 ? at - 2 : 0, 2) == "->");
    const bool called = next != std::string::npos && code[next] == '(' && !member;
    const bool of_std = at >= 5 && code.compare(at - 5, 5, "std::") == 0;
    if (called || of_std || word == "throw") return true;
  }
  return false;
}

TEST(Sources, no_banned_call_in_src) {
  for (const SourceFile& file : project_files({"src"}, {".h", ".cpp"})) {
    const std::string code = code_only(file.text);
    for (const Banned& banned : kBanned)
      EXPECT_FALSE(!may(banned, file.path) && is_used(code, banned.word))
          << file.path << " uses " << banned.word << ": " << banned.because;
  }
}

TEST(Sources, the_banned_call_check_reads_code_and_not_prose) {
  auto used = [](std::string_view text, const std::string& word) {
    return is_used(code_only(text), word);
  };
  EXPECT_TRUE(used("int n = atoi (text);", "atoi"));
  EXPECT_TRUE(used("std::regex r;", "regex"));
  EXPECT_TRUE(used("if (c == '\"') system(\"ls\");", "system"));
  EXPECT_TRUE(used("x = 65'536; throw x;", "throw"));
  EXPECT_FALSE(used("// atoi(text) was rejected\n", "atoi"));
  EXPECT_FALSE(used("/* atoi(text) */", "atoi"));
  EXPECT_FALSE(used("say(\"atoi(text) \\\" atoi(\");", "atoi"));
  EXPECT_FALSE(used("R\"x(atoi(\"a\") )y\" )x\"", "atoi"));
  EXPECT_FALSE(used("file_system(x); filesystem(y); role.system(z);", "system"));
  EXPECT_FALSE(used("Role system = next;", "system"));
}

// A path of the system's may exist, and a program that is tested as root may make it: what is not
// there is missing_file() (tests/support/fixtures.h), what is written lies below
// temp_directory_path().
TEST(Sources, tests_name_no_place_outside_folders_of_their_own) {
  const std::string quote = "\"";
  for (const SourceFile& file : project_files({"tests"}, {".h", ".c", ".cpp"}))
    for (const char* place : {"nonexistent", "nowhere", "tmp", "home", "root", "var", "opt", "mnt"})
      EXPECT_EQ(file.text.find(quote + "/" + place), std::string::npos)
          << file.path << " names /" << place;
}

TEST(Sources, no_file_is_longer_than_700_lines) {
  for (const SourceFile& file :
       project_files({"src", "include", "tests", "fuzz", "tools"}, {".h", ".hpp", ".c", ".cpp"}))
    EXPECT_LE(lines_of(file.text).size(), kLongestFile)
        << file.path << ": look for the second idea hiding in it";
}

TEST(Sources, every_header_is_included_once_only) {
  // cpu/kernels/*.h are parts of cpu/kernels/all.h, which has the guard; C headers have C's.
  for (const SourceFile& file : project_files({"src", "tests", "fuzz"}, {".h"}))
    EXPECT_TRUE(file.text.find("#pragma once") != std::string::npos ||
                file.path.starts_with("src/cpu/kernels/") ||
                file.path.starts_with("tests/api/first_version/"))
        << file.path;
}

TEST(Sources, every_source_file_is_part_of_a_build) {
  // The nearest CMakeLists.txt above a file must name it, by its path from there.
  const fs::path root = SKEIN_SOURCE_DIR;
  for (const SourceFile& file : project_files({"src", "tests", "fuzz", "tools"}, {".c", ".cpp"})) {
    fs::path folder = (root / file.path).parent_path();
    while (folder != root && !fs::exists(folder / "CMakeLists.txt")) folder = folder.parent_path();
    const std::string place = fs::relative(folder, root).generic_string();
    const auto lists = project_files({place + "/CMakeLists.txt"}, {"CMakeLists.txt"});
    ASSERT_FALSE(lists.empty()) << file.path << " has no CMakeLists.txt above it";
    const std::string name = fs::relative(root / file.path, folder).generic_string();
    EXPECT_NE(lists[0].text.find(name), std::string::npos)
        << file.path << " is not in " << lists[0].path;
  }
}

// The targets of [text](target) links outside code, in the order of the page.
std::vector<std::string> link_targets(std::string_view page) {
  std::vector<std::string> targets;
  bool fenced = false;
  for (std::string_view line : lines_of(page)) {
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced) continue;
    bool code = false;
    for (size_t i = 0; i < line.size(); ++i) {
      if (line[i] == '`') code = !code;
      if (code || line.substr(i, 2) != "](") continue;
      const size_t end = line.find(')', i);
      if (end == std::string_view::npos) continue;
      targets.emplace_back(line.substr(i + 2, end - i - 2));
    }
  }
  return targets;
}

// The file a link points to, or nothing when it points out of the project or into its own page.
std::optional<std::string> linked_file(std::string_view target) {
  if (target.find("://") != std::string_view::npos || target.starts_with("mailto:"))
    return std::nullopt;
  const std::string_view file = target.substr(0, target.find('#'));
  if (file.empty()) return std::nullopt;
  return std::string(file);
}

TEST(Docs, every_relative_link_points_to_a_file) {
  const fs::path root = SKEIN_SOURCE_DIR;
  size_t links = 0;
  for (const SourceFile& page : project_files(
           {"README.md", "docs", "models", "tests", "examples", "fuzz", "bench"}, {".md"}))
    for (const std::string& target : link_targets(page.text))
      if (const auto file = linked_file(target)) {
        ++links;
        EXPECT_TRUE(fs::exists((root / page.path).parent_path() / *file))
            << page.path << " links to " << target;
      }
  EXPECT_GT(links, 0u) << "README.md links to the documentation";
}

TEST(Docs, the_link_check_reads_links_and_not_code) {
  EXPECT_EQ(link_targets("a [b](c.md#d), `[x](y)` and\n```\n[e](f)\n```\n[g](h)\n"),
            (std::vector<std::string>{"c.md#d", "h"}));
  EXPECT_EQ(linked_file("c.md#d"), "c.md");
  EXPECT_EQ(linked_file("#d"), std::nullopt);
  EXPECT_EQ(linked_file("https://example.org/a"), std::nullopt);
}

// What stands in backticks and has the ending of a source file or a page.
std::vector<std::string> files_named(std::string_view page) {
  static constexpr std::string_view kEndings[] = {".cpp", ".h", ".hpp", ".c", ".sh", ".py", ".md"};
  std::vector<std::string> names;
  bool fenced = false;
  for (std::string_view line : lines_of(page)) {
    if (line.starts_with("```")) fenced = !fenced;
    if (fenced) continue;
    for (size_t begin = line.find('`'); begin != std::string_view::npos;) {
      const size_t end = line.find('`', begin + 1);
      if (end == std::string_view::npos) break;
      const std::string_view name = line.substr(begin + 1, end - begin - 1);
      const bool plain = name.find_first_not_of(
                             "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                             "0123456789_-./") == std::string_view::npos;
      if (plain && std::any_of(std::begin(kEndings), std::end(kEndings), [&](std::string_view one) {
            return name.ends_with(one) && name.size() > one.size();
          }))
        names.emplace_back(name);
      begin = line.find('`', end + 1);
    }
  }
  return names;
}

TEST(Docs, every_file_that_a_page_names_is_there) {
  const fs::path root = SKEIN_SOURCE_DIR;
  std::vector<std::string> here;
  for (const char* folder : {"src", "include", "docs", "models", "tests", "tools", "examples",
                             "fuzz", "bench", "packaging"})
    for (const auto& entry : fs::recursive_directory_iterator(root / folder))
      here.push_back("/" + fs::relative(entry.path(), root).generic_string());
  for (const auto& entry : fs::directory_iterator(root))
    here.push_back("/" + entry.path().filename().string());
  size_t named = 0;
  for (const SourceFile& page : project_files(
           {"README.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "models", "tests"}, {".md"}))
    for (const std::string& name : files_named(page.text)) {
      if (name.find("NAME") != std::string::npos) continue;  // of a file to come
      ++named;
      // From whichever folder the page thinks of.
      EXPECT_TRUE(std::any_of(here.begin(), here.end(),
                              [&](const std::string& path) { return path.ends_with("/" + name); }))
          << page.path << " names " << name;
    }
  EXPECT_GT(named, 10u);
}

TEST(Docs, the_file_check_reads_names_and_not_commands) {
  EXPECT_EQ(files_named("`a/b.cpp`, `skein run x.md`, `c.h` and\n```\n`d.h`\n```\n`.md` `e.bin`\n"),
            (std::vector<std::string>{"a/b.cpp", "c.h"}));
}

}  // namespace
}  // namespace skein::test
