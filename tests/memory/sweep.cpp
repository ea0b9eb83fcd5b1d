#include "memory/sweep.h"

#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <map>
#include <random>
#include <set>
#include <utility>

#include "support/thorough.h"

namespace skein::test {
namespace {

constexpr int kWays = 197, kRequests = 198, kAnswers = 199;  // as in failing.c

void rewind_and_empty(int fd) {
  (void)!::ftruncate(fd, 0);
  ::lseek(fd, 0, SEEK_SET);
}

std::string content(int fd) {
  std::string text(static_cast<size_t>(::lseek(fd, 0, SEEK_END)), '\0');
  text.resize(static_cast<size_t>(::pread(fd, text.data(), text.size(), 0)));
  return text;
}

}  // namespace

SweptProgram::SweptProgram(const std::vector<std::string>& words, const std::string& folder,
                           const std::string& input, const std::vector<std::string>& environment) {
  std::vector<std::string> variables = {"PATH=/usr/bin:/bin", "LANG=C.UTF-8",
                                        "LD_PRELOAD=" SKEIN_FAILING};
  variables.insert(variables.end(), environment.begin(), environment.end());
  std::vector<std::string> copies = words;
  std::vector<char*> argv, envp;
  for (std::string& word : copies) argv.push_back(word.data());
  for (std::string& one : variables) envp.push_back(one.data());
  argv.push_back(nullptr);
  envp.push_back(nullptr);
  in_ = ::memfd_create("in", MFD_CLOEXEC);
  out_ = ::memfd_create("out", MFD_CLOEXEC);
  err_ = ::memfd_create("err", MFD_CLOEXEC);
  ways_ = ::memfd_create("ways", MFD_CLOEXEC);
  (void)!::write(in_, input.data(), input.size());
  int to[2], from[2];
  if (::pipe(to) != 0 || ::pipe(from) != 0) return;
  server_ = ::fork();
  if (server_ == 0) {
    ::dup2(to[0], kRequests);
    ::dup2(from[1], kAnswers);
    ::dup2(ways_, kWays);
    ::dup2(in_, 0);
    ::dup2(out_, 1);
    ::dup2(err_, 2);
    for (int fd = 3; fd < kWays; ++fd) ::close(fd);
    // Ways are told apart by addresses, and so have to be the same in every run of a program.
    ::personality(ADDR_NO_RANDOMIZE);
    if (::chdir(folder.c_str()) == 0) ::execve(argv[0], argv.data(), envp.data());
    ::_exit(127);
  }
  ::close(to[0]);
  ::close(from[1]);
  requests_ = to[1];
  answers_ = from[0];
}

SweptProgram::~SweptProgram() {
  for (const int fd : {requests_, answers_, in_, out_, err_, ways_})
    if (fd >= 0) ::close(fd);
  if (server_ > 0) ::waitpid(server_, nullptr, 0);
}

SweptRun SweptProgram::run(int64_t place) {
  rewind_and_empty(out_);
  rewind_and_empty(err_);
  ::lseek(in_, 0, SEEK_SET);
  struct {
    int64_t status, made, failed;
  } answer{};
  SweptRun ran;
  if (::write(requests_, &place, sizeof place) != sizeof place ||
      ::read(answers_, &answer, sizeof answer) != sizeof answer)
    return ran;
  const int status = static_cast<int>(answer.status);
  ran.code = WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
  ran.made = answer.made;
  ran.failed = answer.failed > 0;
  ran.out = content(out_);
  ran.err = content(err_);
  return ran;
}

std::vector<uint64_t> SweptProgram::ways() const {
  const std::string bytes = content(ways_);
  std::vector<uint64_t> out(bytes.size() / sizeof(uint64_t));
  std::memcpy(out.data(), bytes.data(), out.size() * sizeof(uint64_t));
  return out;
}

std::vector<int64_t> places_to_try(const std::string& program, const std::vector<uint64_t>& ways,
                                   size_t most) {
  static std::set<std::pair<std::string, uint64_t>> tried;
  std::map<uint64_t, std::vector<int64_t>> places_of;
  for (size_t i = 0; i < ways.size(); ++i)
    places_of[ways[i]].push_back(static_cast<int64_t>(i) + 1);
  std::vector<int64_t> firsts;
  std::set<int64_t> out;
  for (const auto& [way, places] : places_of) {
    firsts.push_back(places.front());
    if (extent() == Extent::exhaustive && tried.insert({program, way}).second)
      out.insert({places.front(), places.back()});
    if (extent() == Extent::everything) out.insert(places.begin(), places.end());
  }
  if (exhaustive()) return {out.begin(), out.end()};
  std::sort(firsts.begin(), firsts.end());
  // The same ones each time on one machine, so that a failure stays until it is mended.
  std::shuffle(firsts.begin(), firsts.end(), std::mt19937_64(20261129));
  // Before anything is read, and after a file has been written.
  const size_t end = ways.size();
  for (size_t place = 1; place <= std::min(end, most / 4); ++place)
    out.insert({static_cast<int64_t>(place), static_cast<int64_t>(end + 1 - place)});
  for (const int64_t place : firsts)
    if (out.size() < most) out.insert(place);
  return {out.begin(), out.end()};
}

}  // namespace skein::test
