// Where a file comes from: a file of a repository of the Hugging Face hub or of a mirror of it, or
// any other address. What is typed here is checked here; nothing that a server says becomes a path.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/error.h"

namespace skein::hub {

inline constexpr const char* kHub = "https://huggingface.co";

struct Source {
  std::string url;
  std::string endpoint;              // of a hub's file "https://huggingface.co", else empty
  std::string repo, revision, path;  // "BlinkDL/rwkv7-g1", "main", "model.pth"; of a hub's file
  // What it is called here. Of a name that others chose only letters, digits and ._+-% are taken;
  // empty where it has anything else in it, or is no name for a file here.
  std::string file_name;
  std::string sha256;  // if it is known beforehand, hexadecimal
  uint64_t bytes = 0;  // likewise, else 0; another size is refused

  std::string shown() const;  // "huggingface.co/BlinkDL/rwkv7-g1", for messages
};

// "user/repository/path/to/file@revision", where "@revision" may be missing: main. Error: argument.
Result<Source> hub_file(std::string_view endpoint, std::string_view name);
Result<Source> hub_file(std::string_view endpoint, std::string_view repo, std::string_view revision,
                        std::string_view path);
// An address. The pages of a hub (/user/repository/blob/main/file) stand for the files that they
// show. Error: argument (it is none).
Result<Source> at_address(std::string_view url);

// "user/repository", with "@revision" if there is one. Error: argument.
struct Repository {
  std::string name, revision;
};
Result<Repository> repository(std::string_view name);

// {endpoint}/api/models/{repository}/tree/{revision}, with what lies in folders.
std::string tree_url(std::string_view endpoint, const Repository& repository);

// Whether who is here may call a file so: no folder, nothing hidden, no control characters, no
// option, and not what unfinished files are called. Error: argument.
Status check_file_name(std::string_view name);

}  // namespace skein::hub
