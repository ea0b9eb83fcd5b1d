// The lines of earlier, in memory and in a file.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace skein::cli {

class LineHistory {
 public:
  // `file` may be empty: nothing is on disk then. What is there and no file is left alone.
  explicit LineHistory(const std::filesystem::path& file);

  // Oldest first.
  const std::vector<std::string>& lines() const { return lines_; }
  // As the latest, on disk at once, readable for nobody else. That writing fails is no reason to
  // disturb a chat. Lines with line ends in them are not kept.
  void add(std::string_view line);

 private:
  void read();
  void load(std::string_view text);
  void save() const;

  std::filesystem::path file_;
  std::vector<std::string> lines_;
};

}  // namespace skein::cli
