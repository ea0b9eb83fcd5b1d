// Reading the project's own sources for the checks in this folder.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace skein::test {

struct SourceFile {
  std::string path;  // from the project's root, with forward slashes
  std::string text;
};

// Every file under the named folders (and the named files themselves) that ends in one of
// `endings`, sorted by path. Folders that do not exist hold nothing.
std::vector<SourceFile> project_files(const std::vector<std::string>& places,
                                      const std::vector<std::string>& endings);

std::vector<std::string_view> lines_of(std::string_view text);

// C++ without what a reader would not call code: comments and the insides of string and character
// literals become spaces, line breaks stay.
std::string code_only(std::string_view text);

// Where `word` stands in `code` as a whole identifier; npos when it does not.
size_t find_word(std::string_view code, std::string_view word, size_t from = 0);

}  // namespace skein::test
