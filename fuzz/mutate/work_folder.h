// A folder of the program's own for files, gone when it ends.
#pragma once

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>

namespace skein::mutate {

class WorkFolder {
 public:
  WorkFolder() {
    std::string name = (std::filesystem::temp_directory_path() / "skein-mutate-XXXXXX").string();
    if (mkdtemp(name.data())) path_ = name;
  }
  WorkFolder(const WorkFolder&) = delete;
  WorkFolder& operator=(const WorkFolder&) = delete;
  // A child of fork() leaves by _exit, so this is run by whoever made the folder.
  ~WorkFolder() {
    std::error_code ignored;
    if (!path_.empty()) std::filesystem::remove_all(path_, ignored);
  }
  // Empty if there is none.
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

// Writes a mutant's files; gives the path that it is opened by.
inline std::filesystem::path write_files(const std::map<std::string, std::string>& files,
                                         const std::filesystem::path& folder) {
  std::error_code ignored;
  std::filesystem::remove_all(folder, ignored);
  std::filesystem::create_directories(folder, ignored);
  for (const auto& [name, bytes] : files)
    std::ofstream(folder / name, std::ios::binary)
        .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  return files.size() == 1 ? folder / files.begin()->first : folder;
}

}  // namespace skein::mutate
