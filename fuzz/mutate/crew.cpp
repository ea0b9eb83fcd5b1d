#include "fuzz/mutate/crew.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>
#include <sstream>

#include "fuzz/mutate/judge.h"
#include "fuzz/mutate/work_folder.h"
#include "support/sanitizers.h"

// Absent without a sanitizer.
extern "C" __attribute__((weak)) int __lsan_do_recoverable_leak_check();
// What small files may take. Freed memory is kept from reuse for a while, but not 256 MiB of it:
// the pages of one mutant would be new ones for the next, which takes half of the time.
extern "C" const char* __asan_default_options() {
  return "hard_rss_limit_mb=2048:max_allocation_size_mb=512:quarantine_size_mb=4:"
         "leak_check_at_exit=0:handle_abort=1";
}

namespace skein::mutate {
namespace {

constexpr uint64_t kBatch = 100;
constexpr uint64_t kMostMemory = uint64_t{3} << 30;  // of address space, without a sanitizer

// A line for each event, fields between tabs: "start N", "done N family outcome finding...",
// "leak".
std::string field(std::string text) {
  std::replace_if(
      text.begin(), text.end(), [](char c) { return c == '\t' || c == '\n'; }, ' ');
  return text;
}

void tell(int pipe, const std::string& line) {
  for (std::string_view rest = line; !rest.empty();) {
    const ssize_t written = write(pipe, rest.data(), rest.size());
    if (written <= 0) _exit(1);
    rest.remove_prefix(static_cast<size_t>(written));
  }
}

[[noreturn]] void work(const Seeds& seeds, const CrewOptions& options, uint64_t first,
                       uint64_t last, int pipe, const std::filesystem::path& folder) {
  if (!test::kAddressSanitizer && !test::kThreadSanitizer) {
    const rlimit limit = {kMostMemory, kMostMemory};
    setrlimit(RLIMIT_AS, &limit);
  }
  Judge judge(options.work, folder);
  for (uint64_t number = first; number < last; ++number) {
    tell(pipe, fmt::format("start\t{}\n", number));
    alarm(options.seconds);
    const Mutant mutant = seeds.mutant(number);
    const auto path = write_files(mutant.files, folder / "in");
    const Verdict verdict = judge.judge(mutant.kind, path, mutant.base, number);
    std::string line = fmt::format("done\t{}\t{}\t{}", number, mutant.family, verdict.outcome);
    for (const std::string& finding : verdict.findings) line += '\t' + field(finding);
    tell(pipe, line + '\n');
  }
  alarm(0);
  if (__lsan_do_recoverable_leak_check && __lsan_do_recoverable_leak_check() != 0)
    tell(pipe, "leak\n");
  _exit(0);
}

struct Child {
  pid_t pid = -1;
  int pipe = -1;
  uint64_t now = 0, last = 0;  // the mutant in work, and the end of the batch
  bool busy = false;           // whether `now` was begun and not finished
  std::string pending;         // of a line
  std::filesystem::path folder;
};

std::string report_of(const std::filesystem::path& log) {
  std::ifstream file(log);
  std::stringstream text;
  text << file.rdbuf();
  std::string all = text.str();
  const size_t at = std::min(all.find("ERROR: "), all.find("runtime error: "));
  return field(all.substr(at == std::string::npos ? 0 : at, 600));
}

std::vector<std::string> split(const std::string& line) {
  std::vector<std::string> out;
  std::stringstream rest(line);
  for (std::string part; std::getline(rest, part, '\t');) out.push_back(part);
  return out;
}

class Crew {
 public:
  Crew(const Seeds& seeds, const CrewOptions& options,
       const std::function<void(const Judged&)>& done)
      : seeds_(seeds), options_(options), done_(done), next_(options.first) {}

  void run() {
    std::vector<Child> children(static_cast<size_t>(std::max(1, options_.jobs)));
    for (size_t i = 0; i < children.size(); ++i) {
      children[i].folder = options_.work / fmt::format("child-{}", i);
      begin(children[i]);
    }
    for (;;) {
      std::vector<pollfd> waiting;
      for (const Child& child : children)
        if (child.pipe >= 0) waiting.push_back({child.pipe, POLLIN, 0});
      if (waiting.empty()) return;
      poll(waiting.data(), waiting.size(), -1);
      for (const pollfd& ready : waiting)
        for (Child& child : children)
          if (child.pipe == ready.fd && ready.revents != 0) hear(child);
    }
  }

 private:
  uint64_t end() const { return options_.first + options_.count; }

  void begin(Child& child) {
    const uint64_t first = next_;
    next_ = std::min(end(), next_ + kBatch);
    if (first < next_) start(child, first, next_);
  }

  void start(Child& child, uint64_t first, uint64_t last) {
    std::error_code ignored;
    std::filesystem::create_directories(child.folder, ignored);
    int ends[2];
    if (pipe(ends) != 0) return;
    child.now = first, child.last = last, child.busy = false, child.pending.clear();
    child.pid = fork();
    if (child.pid == 0) {
      close(ends[0]);
      const int log = open((child.folder / "log").c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
      if (log >= 0) dup2(log, 2);
      work(seeds_, options_, first, last, ends[1], child.folder);
    }
    close(ends[1]);
    child.pipe = ends[0];
  }

  void hear(Child& child) {
    char buffer[4096];
    const ssize_t count = read(child.pipe, buffer, sizeof(buffer));
    if (count <= 0) return ended(child);
    child.pending.append(buffer, static_cast<size_t>(count));
    for (size_t line = child.pending.find('\n'); line != std::string::npos;
         line = child.pending.find('\n')) {
      heard(child, split(child.pending.substr(0, line)));
      child.pending.erase(0, line + 1);
    }
  }

  void heard(Child& child, const std::vector<std::string>& fields) {
    if (fields[0] == "start") {
      child.busy = true;
    } else if (fields[0] == "done" && fields.size() >= 4) {
      done_({child.now, fields[2], fields[3], {fields.begin() + 4, fields.end()}});
      child.busy = false;
      ++child.now;
    } else {
      done_({child.last - 1,
             "",
             "",
             {"leak: among the " + std::to_string(kBatch) +
              " before: " + report_of(child.folder / "log")}});
    }
  }

  void ended(Child& child) {
    close(child.pipe);
    child.pipe = -1;
    int status = 0;
    waitpid(child.pid, &status, 0);
    if (child.now >= child.last) return begin(child);
    const bool hang = WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM;
    const std::string how =
        hang ? fmt::format("hang: more than {} s", options_.seconds)
             : fmt::format("crash: status {}: {}", status, report_of(child.folder / "log"));
    const Mutant mutant = seeds_.mutant(child.now);
    done_({child.now, mutant.family, hang ? "hang" : "crash", {how}});
    ++child.now;
    if (child.now < child.last)
      start(child, child.now, child.last);
    else
      begin(child);
  }

  const Seeds& seeds_;
  const CrewOptions& options_;
  const std::function<void(const Judged&)>& done_;
  uint64_t next_;
};

}  // namespace

void judge_all(const Seeds& seeds, const CrewOptions& options,
               const std::function<void(const Judged&)>& done) {
  Crew(seeds, options, done).run();
}

}  // namespace skein::mutate
