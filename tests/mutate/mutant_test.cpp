// The mutator itself: its seeds are good files, a number says all about a mutant, and what judges
// them can find fault.
#include "fuzz/mutate/mutant.h"

#include <gtest/gtest.h>

#include <fstream>
#include <set>

#include "fuzz/mutate/json_tree.h"
#include "fuzz/mutate/judge.h"
#include "fuzz/mutate/work_folder.h"
#include "fuzz/oracle.h"
#include "support/design_shapes.h"

namespace skein::mutate {
namespace {

class Mutants : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    folder_ = new WorkFolder;
    auto made = Seeds::make(folder_->path());
    ASSERT_TRUE(made) << made.error().message;
    seeds_ = new Seeds(std::move(*made));
  }
  static void TearDownTestSuite() {
    delete seeds_;
    delete folder_;
  }
  static inline WorkFolder* folder_ = nullptr;
  static inline Seeds* seeds_ = nullptr;
};

TEST_F(Mutants, seeds_are_accepted_and_everything_holds_for_them) {
  const auto seeds = seeds_->unchanged();
  Judge judge(folder_->path(), folder_->path());
  std::set<std::string> families;
  for (size_t i = 0; i < seeds.size(); ++i) {
    SCOPED_TRACE(seeds[i].seed);
    families.insert(seeds[i].family);
    const auto path = write_files(seeds[i].files, folder_->path() / "in");
    const Verdict verdict = judge.judge(seeds[i].kind, path, seeds[i].base, i);
    EXPECT_EQ(verdict.outcome, "opened") << verdict.message;
    for (const std::string& finding : verdict.findings) ADD_FAILURE() << finding;
  }
  EXPECT_EQ(families, (std::set<std::string>{"GGUF", "GGUF vocabulary", "adapter", "folder", "ggmf",
                                             "packed", "pth", "pth legacy", "safetensors", "state",
                                             "state list", "tuned state", "vocabulary"}));
}

TEST_F(Mutants, every_design_and_every_block_type_that_is_written_is_among_the_seeds) {
  std::string names;
  for (const Mutant& seed : seeds_->unchanged()) names += seed.seed + "\n";
  for (const std::string& design : test::runnable_designs())
    EXPECT_NE(names.find(design + " "), names.npos) << design;
  for (const char* type : {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K", "Q4_K", "Q5_K",
                           "Q6_K", "IQ4_NL", "IQ4_XS", "INT8", "NF4"})
    EXPECT_NE(names.find(type), names.npos) << type;
}

TEST_F(Mutants, a_number_always_makes_the_same_mutant) {
  const auto again = Seeds::make(folder_->path());
  ASSERT_TRUE(again);
  for (uint64_t number = 0; number < 300; ++number) {
    const Mutant a = seeds_->mutant(number), b = again->mutant(number);
    EXPECT_EQ(a.changes, b.changes) << number;
    EXPECT_EQ(a.files, b.files) << number;
  }
}

TEST_F(Mutants, nearly_all_differ_from_their_seeds_and_say_how) {
  std::map<std::string, Mutant> seeds;
  for (Mutant& seed : seeds_->unchanged()) seeds[seed.seed] = std::move(seed);
  int same = 0;
  for (uint64_t number = 0; number < 500; ++number) {
    const Mutant mutant = seeds_->mutant(number);
    EXPECT_FALSE(mutant.changes.empty()) << number;
    same += mutant.files == seeds[mutant.seed].files;
  }
  EXPECT_LE(same, 50);
}

TEST(Oracle, finds_fault) {
  EXPECT_EQ(fuzz::error_problem({Code::corrupt, "a.pth: cut"}), "");
  for (const Code code : {Code::internal, Code::argument, Code::io, Code::memory, Code::device})
    EXPECT_NE(fuzz::error_problem({code, "a.pth: cut"}), "") << code_name(code);
  EXPECT_NE(fuzz::error_problem({Code::corrupt, ""}), "");
  EXPECT_NE(fuzz::error_problem({Code::corrupt, "a\x1b[2J"}), "");

  const std::vector<std::byte> bytes(24);
  Container container;
  StoredTensor tensor;
  tensor.name = "w";
  tensor.shape = {2, 3};
  tensor.strides = {3, 1};
  tensor.storage = bytes;
  container.tensors = {tensor};
  EXPECT_EQ(fuzz::container_problem(container, bytes), "");
  container.tensors[0].offset = 1;
  EXPECT_NE(fuzz::container_problem(container, bytes), "");
  container.tensors = {tensor, tensor};
  EXPECT_NE(fuzz::container_problem(container, bytes), "");
}

// A text that an earlier change has left is hardly JSON any more.
TEST_F(Mutants, a_change_of_what_is_no_json_ends) {
  test::Random random(7);
  const std::string_view marks = "[]{}:,\"x1 \\";
  for (int i = 0; i < 2000; ++i) {
    std::string text;
    for (size_t k = random.below(12); k > 0; --k) text += marks[random.below(marks.size())];
    change_json_text(text, random);
    EXPECT_LT(text.size(), 1u << 28);
  }
}

}  // namespace
}  // namespace skein::mutate
