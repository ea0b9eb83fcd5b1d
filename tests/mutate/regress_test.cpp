// Files on which Skein once failed, or that are made after public reports of failures elsewhere,
// each with what has to become of it. tests/fixtures/regress/outcomes.txt is the list.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "fuzz/mutate/judge.h"
#include "fuzz/mutate/work_folder.h"
#include "support/models.h"

namespace skein::mutate {
namespace {

struct Row {
  std::string file, kind;
  std::vector<std::string> outcomes;  // any of these; empty: any at all
};

std::vector<std::string> split(const std::string& text, char between) {
  std::vector<std::string> out;
  std::istringstream rest(text);
  for (std::string part; std::getline(rest, part, between);) out.push_back(part);
  return out;
}

std::vector<Row> rows() {
  std::vector<Row> out;
  std::ifstream list(test::fixture("regress/outcomes.txt"));
  for (std::string line; std::getline(list, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto fields = split(line, '\t');
    if (fields.size() < 3) continue;
    out.push_back({fields[0], fields[1],
                   fields[2] == "any" ? std::vector<std::string>() : split(fields[2], '|')});
  }
  return out;
}
void PrintTo(const Row& row, std::ostream* out) { *out << row.file; }

class Regress : public testing::TestWithParam<Row> {};

TEST_P(Regress, becomes_what_it_has_to) {
  const Row& row = GetParam();
  const WorkFolder work;
  const auto folder = test::fixture("regress");
  const Kind kind = row.kind == "adapter" ? Kind::adapter : Kind::model;
  Judge judge(folder, work.path());
  for (uint64_t choice = 0; choice < 4; ++choice) {  // converted into each container
    const Verdict verdict = judge.judge(kind, folder / row.file, "base.pth", choice);
    for (const std::string& finding : verdict.findings) ADD_FAILURE() << finding;
    const bool right =
        std::any_of(row.outcomes.begin(), row.outcomes.end(), [&](const std::string& outcome) {
          if (!outcome.starts_with("as ")) return outcome == verdict.outcome;
          const auto other = judge.judge(Kind::model, folder / outcome.substr(3), "", choice);
          return other.outcome == "opened" && verdict.outcome == "opened" &&
                 test::same_bits(other.logits, verdict.logits);
        });
    EXPECT_TRUE(right || row.outcomes.empty()) << verdict.outcome << ' ' << verdict.message;
  }
}

INSTANTIATE_TEST_SUITE_P(All, Regress, testing::ValuesIn(rows()), [](const auto& test) {
  std::string name = test.param.file;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return !std::isalnum(c); }, '_');
  return name;
});

TEST(RegressList, names_every_file_of_its_folder) {
  std::set<std::string> listed = {"outcomes.txt"}, there;
  for (const Row& row : rows()) listed.insert(row.file);
  for (const auto& entry : std::filesystem::directory_iterator(test::fixture("regress")))
    there.insert(entry.path().filename().string());
  EXPECT_EQ(listed, there);
  EXPECT_GT(there.size(), 10u);
}

}  // namespace
}  // namespace skein::mutate
