// mutate COUNT [--from NUMBER] [--jobs N] [--findings FOLDER]: judges that many mutants, ends with
// a table of what became of them, and keeps the files of what it found. mutate --only NUMBER: that
// one, in this process, with all that was done to it.
#include <fmt/format.h>

#include <charconv>
#include <chrono>
#include <fstream>
#include <set>
#include <sstream>
#include <thread>

#include "fuzz/mutate/crew.h"
#include "fuzz/mutate/judge.h"
#include "fuzz/mutate/work_folder.h"

namespace skein::mutate {
namespace {

struct Arguments {
  uint64_t count = 0, from = 0;
  std::optional<uint64_t> only;
  int jobs = static_cast<int>(std::thread::hardware_concurrency());
  std::filesystem::path findings = "findings";
};

bool number(const std::string& text, uint64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

bool read_arguments(const std::vector<std::string>& words, Arguments& out) {
  for (size_t i = 0; i < words.size(); ++i) {
    uint64_t value = 0;
    if (number(words[i], out.count)) continue;
    if (i + 1 == words.size()) return false;
    const std::string& option = words[i++];
    if (option == "--findings")
      out.findings = words[i];
    else if (!number(words[i], value))
      return false;
    else if (option == "--from")
      out.from = value;
    else if (option == "--only")
      out.only = value;
    else if (option == "--jobs")
      out.jobs = static_cast<int>(value);
    else
      return false;
  }
  return out.count > 0 || out.only;
}

// What a finding is about, without the names and numbers that differ from one file to the next.
std::string kind_of(const std::string& finding) {
  std::string out;
  std::istringstream words(finding.substr(0, 300));
  for (std::string word; words >> word;) {
    const bool name = word.find_first_of("0123456789./\\\"") < word.size() - 1;
    const bool number = word.find("nan") != word.npos || word.find("inf") != word.npos;
    out += name || number ? "#" : word;
    out += ' ';
  }
  return out;
}

class Table {
 public:
  void add(const Judged& judged) {
    if (!judged.outcome.empty()) {
      ++counts_[judged.family][judged.outcome];
      outcomes_.insert(judged.outcome);
      ++total_;
    }
  }
  uint64_t total() const { return total_; }

  void print() const {
    fmt::print("{:<18}", "");
    for (const std::string& outcome : outcomes_) fmt::print("{:>18}", outcome);
    fmt::print("\n");
    for (const auto& [family, row] : counts_) {
      fmt::print("{:<18}", family);
      for (const std::string& outcome : outcomes_) {
        const auto at = row.find(outcome);
        fmt::print("{:>18}", at == row.end() ? 0 : at->second);
      }
      fmt::print("\n");
    }
  }

 private:
  std::map<std::string, std::map<std::string, uint64_t>> counts_;
  std::set<std::string> outcomes_;
  uint64_t total_ = 0;
};

// The findings by kind: how often, and the first of each with its files kept.
class Findings {
 public:
  Findings(const Seeds& seeds, std::filesystem::path folder)
      : seeds_(seeds), folder_(std::move(folder)) {}

  void add(const Judged& judged) {
    for (const std::string& finding : judged.findings) {
      Kind& kind = kinds_[kind_of(finding)];
      if (kind.count++ == 0) kind.finding = finding;
      if (kind.numbers.size() >= 3) continue;
      kind.numbers.push_back(judged.number);
      const Mutant mutant = seeds_.mutant(judged.number);
      const auto place = folder_ / std::to_string(judged.number);
      write_files(mutant.files, place);
      std::ofstream(place / "WHAT", std::ios::app) << mutant.seed << "\n"
                                                   << mutant.changes << "\n"
                                                   << finding << "\n";
    }
  }
  bool none() const { return kinds_.empty(); }

  void print() const {
    for (const auto& [name, kind] : kinds_)
      fmt::print("\n{} x {}\n    mutants {}; {}\n", kind.count, kind.finding,
                 fmt::join(kind.numbers, ", "), seeds_.mutant(kind.numbers[0]).changes);
    fmt::print("\n{} kinds of findings, files in {}; one again: --only NUMBER\n", kinds_.size(),
               folder_.string());
  }

 private:
  struct Kind {
    uint64_t count = 0;
    std::string finding;
    std::vector<uint64_t> numbers;
  };
  const Seeds& seeds_;
  std::filesystem::path folder_;
  std::map<std::string, Kind> kinds_;
};

int judge_one(const Seeds& seeds, uint64_t number, const Arguments& arguments,
              const std::filesystem::path& work) {
  const Mutant mutant = seeds.mutant(number);
  const auto path = write_files(mutant.files, arguments.findings / std::to_string(number));
  fmt::print("{}: {}\nchanged: {}\nfile: {}\n", number, mutant.seed, mutant.changes, path.string());
  std::fflush(stdout);
  Judge judge(work, work);
  const Verdict verdict = judge.judge(mutant.kind, path, mutant.base, number);
  fmt::print("outcome: {} {}\n", verdict.outcome, verdict.message);
  for (const std::string& finding : verdict.findings) fmt::print("finding: {}\n", finding);
  return verdict.findings.empty() ? 0 : 1;
}

int run(const Arguments& arguments) {
  const WorkFolder work;
  const auto seeds = Seeds::make(work.path());
  if (!seeds) {
    fmt::print(stderr, "mutate: {}\n", seeds.error().message);
    return 2;
  }
  if (arguments.only) return judge_one(*seeds, *arguments.only, arguments, work.path());
  Table table;
  Findings findings(*seeds, arguments.findings);
  const auto begin = std::chrono::steady_clock::now();
  const auto seconds = [&] {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  };
  const bool terminal = isatty(1) != 0;
  const uint64_t step = terminal ? 50 : 1000;
  judge_all(*seeds,
            {.first = arguments.from,
             .count = arguments.count,
             .jobs = arguments.jobs,
             .work = work.path()},
            [&](const Judged& judged) {
              table.add(judged);
              findings.add(judged);
              if (judged.outcome.empty() || table.total() % step != 0) return;
              fmt::print("{}{} of {} mutants, {:.0f} s{}", terminal ? "\r" : "", table.total(),
                         arguments.count, seconds(), terminal ? "" : "\n");
              std::fflush(stdout);
            });
  fmt::print("{}\n{} mutants in {:.0f} s\n", terminal ? "\n" : "", table.total(), seconds());
  table.print();
  if (findings.none()) {
    fmt::print("no findings\n");
    return table.total() == arguments.count ? 0 : 2;
  }
  findings.print();
  return 1;
}

}  // namespace
}  // namespace skein::mutate

int main(int count, char** words) {
  skein::mutate::Arguments arguments;
  if (!skein::mutate::read_arguments({words + 1, words + count}, arguments)) {
    fmt::print(stderr,
               "usage: mutate COUNT [--from NUMBER] [--jobs N] [--findings FOLDER] | "
               "mutate --only NUMBER [--findings FOLDER]\n");
    return 2;
  }
  return skein::mutate::run(arguments);
}
