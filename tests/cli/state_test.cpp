// skein state: files of states through every layout and back.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/program.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

const std::string kModel = fixture("models/v7.pth").string();
const std::string kList = fixture("models/v7.state.pth").string();
const std::string kTuned = fixture("models/v7.time_state.pth").string();

class StateCommand : public testing::Test {
 protected:
  std::string file(const std::string& name) const { return (folder_ / name).string(); }
  // v7.state.pth as Skein's own file.
  std::string imported() const {
    const std::string path = file("own.state");
    const Ran ran = run({"state", "import", kList, path, "-m", kModel});
    EXPECT_EQ(ran.code, 0) << ran.err;
    return path;
  }
  Folder folder_;
};

TEST_F(StateCommand, a_list_survives_import_and_export_bit_for_bit) {
  const std::string own = imported(), back = file("back.pth");
  EXPECT_EQ(run({"state", "export", own, back, "--format", "pth", "-m", kModel}).code, 0);
  const Ran diff = run({"state", "diff", kList, back});
  EXPECT_EQ(diff.code, 0) << diff.out << diff.err;
  EXPECT_EQ(diff.out, "identical\n");
  EXPECT_EQ(run({"state", "diff", own, back, "-m", kModel}).code, 0);
}

TEST_F(StateCommand, a_tuned_state_survives_import_and_export) {
  const std::string own = file("tuned.state"), back = file("tuned.pth");
  EXPECT_EQ(run({"state", "import", kTuned, own, "-m", kModel}).code, 0);
  EXPECT_EQ(run({"state", "export", own, back, "--format", "time_state", "-m", kModel}).code, 0);
  EXPECT_EQ(run({"state", "diff", kTuned, back}).out, "identical\n");
  // Read with its axes the other way round it is another state.
  const std::string swapped = file("swapped.state");
  EXPECT_EQ(run({"state", "import", kTuned, swapped, "--swapped", "-m", kModel}).code, 0);
  EXPECT_EQ(run({"state", "diff", own, swapped}).code, 1);
  const Ran both = run({"state", "import", kTuned, own, "--swapped", "--official", "-m", kModel});
  EXPECT_EQ(both.code, 2);
}

TEST_F(StateCommand, diff_exits_1_and_names_the_parts_that_differ) {
  const std::string tuned = file("tuned.state");
  EXPECT_EQ(run({"state", "import", kTuned, tuned, "-m", kModel}).code, 0);
  const Ran ran = run({"state", "diff", imported(), tuned, "-m", kModel});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(contains(ran.out, "blocks.2.att.wkv")) << ran.out;
  const Ran json = run({"state", "diff", "--json", kList, tuned, "-m", kModel});
  const auto parsed = parse_json(json.out, 1 << 20);
  ASSERT_TRUE(parsed) << json.out;
  EXPECT_FALSE(*parsed->find("identical")->boolean());
  EXPECT_EQ(parsed->find("parts")->array()->size(), 9u);
}

TEST_F(StateCommand, show_tells_what_the_state_belongs_to) {
  const Ran ran = run({"state", "show", imported(), "-m", kModel});
  EXPECT_EQ(ran.code, 0);
  for (const char* part : {"rwkv7", "fingerprint", "blocks.0.att.wkv", "blocks.2.ffn.x_prev"})
    EXPECT_TRUE(contains(ran.out, part)) << part;
  const auto json = parse_json(run({"state", "show", "--json", kList}).out, 1 << 20);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find("parts")->array()->size(), 9u);
}

TEST_F(StateCommand, inspect_knows_an_own_state) {
  const Ran ran = run({"inspect", "--check", imported()});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(contains(ran.out, "a state of rwkv7")) << ran.out;
}

TEST_F(StateCommand, verify_finds_every_flipped_or_missing_byte) {
  const std::string own = imported();
  EXPECT_EQ(run({"state", "verify", own}).code, 0);
  EXPECT_EQ(run({"state", "verify", own, "-m", kModel}).code, 0);
  const std::string bytes = text_of_file(own);
  for (const size_t at : {size_t{9}, size_t{40}, bytes.size() / 2, bytes.size() - 1}) {
    std::string bad = bytes;
    bad[at] = static_cast<char>(bad[at] ^ 4);
    write_text(file("bad.state"), bad);
    EXPECT_EQ(run({"state", "verify", file("bad.state")}).code, 3) << at;
  }
  write_text(file("short.state"), bytes.substr(0, bytes.size() - 1));
  EXPECT_EQ(run({"state", "verify", file("short.state")}).code, 3);
  EXPECT_EQ(run({"state", "verify", kModel}).code, 3);
}

TEST_F(StateCommand, a_state_of_another_model_is_refused) {
  const Ran ran =
      run({"state", "verify", imported(), "-m", fixture("models/tiny_v7.pth").string()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "own.state: ")) << ran.err;
}

TEST_F(StateCommand, a_state_without_a_model_asks_for_one) {
  const Ran ran = run({"state", "import", kList, file("x.state")});
  EXPECT_EQ(ran.code, 2);
  EXPECT_TRUE(contains(ran.err, "--model is missing")) << ran.err;
  EXPECT_FALSE(std::filesystem::exists(file("x.state")));
}

TEST_F(StateCommand, a_full_disk_leaves_the_old_file) {
  write_text(file("old.state"), "what was there before");
  const Ran ran =
      run({"state", "import", kList, file("old.state"), "-m", kModel}, {.file_limit = 16 * 1024});
  EXPECT_EQ(ran.code, 1) << ran.err;
  EXPECT_TRUE(contains(ran.err, "old.state: cannot be written")) << ran.err;
  EXPECT_EQ(text_of_file(file("old.state")), "what was there before");
  size_t files = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder_.path()))
    files += entry.is_regular_file();
  EXPECT_EQ(files, 1u) << "a temporary file was left";
}

TEST_F(StateCommand, a_folder_that_is_not_there_is_told) {
  const Ran ran = run({"state", "import", kList, missing_file("x.state").string(), "-m", kModel});
  EXPECT_EQ(ran.code, 1);
  EXPECT_TRUE(contains(ran.err, missing_file("x.state").string())) << ran.err;
}

}  // namespace
}  // namespace skein::test
