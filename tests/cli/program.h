// Runs the skein program to its end, in an environment of the test's own, and says what it did.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

namespace skein::test {

inline std::string text_of_file(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

inline void write_text(const std::filesystem::path& path, const std::string& text) {
  std::ofstream(path, std::ios::binary) << text;
}

// A folder that goes away with the test.
class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "skein-cli-XXXXXX").string();
    if (::mkdtemp(name.data())) path_ = name;
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

struct How {
  std::string input{};                     // standard input
  std::vector<std::string> environment{};  // "NAME=value", besides PATH, HOME and sanitizers'
  std::string out_to{};                    // a file for standard output, such as /dev/full
  bool close_out = false;                  // standard output is closed, as by >&-
  bool broken_pipe = false;                // standard output is a pipe that nobody reads
  bool wait_then_interrupt = false;        // standard input stays open; Ctrl-C comes
  rlim_t file_limit = RLIM_INFINITY;       // no file may grow beyond this
  rlim_t space_limit = RLIM_INFINITY;      // of address space, ulimit -v
  std::filesystem::path folder{};          // where it runs
  std::string program = SKEIN_PROGRAM;
};

struct Ran {
  int code = -1;  // 1000 + signal if one ended it
  std::string out, err;
  double seconds = 0;
  int64_t peak_bytes = 0;
};

// Whether the process has a handler for SIGINT by now.
inline bool catches_interrupt(pid_t child) {
  std::ifstream status("/proc/" + std::to_string(child) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigCgt:"))
      return line.back() == '2' || line.back() == '3' || line.back() == '6' || line.back() == '7' ||
             line.back() == 'a' || line.back() == 'b' || line.back() == 'e' || line.back() == 'f';
  return false;
}

inline Ran run(const std::vector<std::string>& args, const How& how = {}) {
  const Folder files;
  write_text(files / "in", how.input);
  int pipe_ends[2] = {-1, -1};
  if (how.broken_pipe || how.wait_then_interrupt) (void)!::pipe(pipe_ends);

  std::vector<std::string> words = {how.program};
  words.insert(words.end(), args.begin(), args.end());
  std::vector<std::string> environment = {"PATH=/usr/bin:/bin", "HOME=" + files.path().string(),
                                          "LANG=C.UTF-8"};
  for (const char* name : {"ASAN_OPTIONS", "UBSAN_OPTIONS", "TSAN_OPTIONS", "ASAN_SYMBOLIZER_PATH"})
    if (const char* value = std::getenv(name))
      environment.push_back(std::string(name) + "=" + value);
  environment.insert(environment.end(), how.environment.begin(), how.environment.end());
  std::vector<char*> argv, envp;
  for (std::string& word : words) argv.push_back(word.data());
  for (std::string& one : environment) envp.push_back(one.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  const std::string in = (files / "in").string(), err = (files / "err").string();
  const std::string out = how.out_to.empty() ? (files / "out").string() : how.out_to;

  const auto began = std::chrono::steady_clock::now();
  const pid_t child = ::fork();
  if (child == 0) {
    ::dup2(how.wait_then_interrupt ? pipe_ends[0] : ::open(in.c_str(), O_RDONLY), 0);
    ::dup2(::open(err.c_str(), O_WRONLY | O_CREAT, 0600), 2);
    if (how.broken_pipe)
      ::dup2(pipe_ends[1], 1);
    else if (how.close_out)
      ::close(1);
    else
      ::dup2(::open(out.c_str(), O_WRONLY | O_CREAT, 0600), 1);
    for (int fd = 3; fd < 64; ++fd) ::close(fd);
    if (how.file_limit != RLIM_INFINITY) {
      const rlimit limit = {how.file_limit, how.file_limit};
      ::setrlimit(RLIMIT_FSIZE, &limit);
    }
    if (how.space_limit != RLIM_INFINITY) {
      const rlimit limit = {how.space_limit, how.space_limit};
      ::setrlimit(RLIMIT_AS, &limit);
    }
    if (!how.folder.empty()) (void)!::chdir(how.folder.c_str());
    ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  if (pipe_ends[0] >= 0) ::close(pipe_ends[0]);
  if (how.broken_pipe) ::close(pipe_ends[1]);
  if (how.wait_then_interrupt) {
    for (int i = 0; i < 1000 && !catches_interrupt(child); ++i) ::usleep(10'000);
    ::usleep(50'000);
    ::kill(child, SIGINT);
  }
  Ran result;
  int status = 0;
  rusage usage{};
  if (::wait4(child, &status, 0, &usage) == child)
    result.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  if (how.wait_then_interrupt) ::close(pipe_ends[1]);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - began).count();
  result.peak_bytes = int64_t{usage.ru_maxrss} * 1024;
  if (how.out_to.empty()) result.out = text_of_file(out);
  result.err = text_of_file(err);
  return result;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace skein::test
