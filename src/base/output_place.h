// Where the name of an output leads: to a file, which is written beside its place and put there
// whole, or to something that takes bytes as they come and is never replaced.
#pragma once

#include <sys/stat.h>

#include <filesystem>
#include <optional>
#include <string>

#include "base/descriptor.h"
#include "base/error.h"

namespace skein {

struct OutputPlace {
  enum class Kind {
    file,       // a regular file, or none yet
    device,     // a FIFO or a character device, by its name
    descriptor  // one of this process: /dev/stdout, /dev/fd/3. Its description is what is written,
                // whatever that is, as a second one would begin anew at the file's start.
  };
  Kind kind = Kind::file;
  Descriptor folder;                // O_PATH: where the file lies or will lie
  std::string name;                 // in it, with all links followed
  std::filesystem::path path;       // to it, likewise
  std::optional<struct stat> info;  // of what is there
  int descriptor = -1;
};

// Follows links, those that lead to nothing too: what they name is then made. Errors: io (a folder,
// a block device, a socket, a descriptor of another process, links in a circle).
Result<OutputPlace> find_output(const std::filesystem::path& path);

// For a device or a descriptor: what to write to. Waits some seconds for the reader of a FIFO.
// Errors: io (not open for writing, a terminal, nobody reads, a signal while waiting).
Result<Descriptor> open_stream(const OutputPlace& place, const std::filesystem::path& path);

// Whether `path` leads to what standard output is, so that nothing else may be printed there.
bool is_standard_output(const std::filesystem::path& path);

// Whether both names lead to one file. False if there is none.
bool is_same_file(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace skein
