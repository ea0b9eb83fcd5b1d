// skein ask: a document is read once, here and by a server.
#include <gtest/gtest.h>

#include <fstream>

#include "base/json.h"
#include "cli/serving.h"
#include "server/client.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

const std::string& kModel = Served::kModel;

class Ask : public testing::Test {
 protected:
  Ask() {
    std::ofstream(folder_ / "manual.txt") << "The lamp is red. Press twice to reset it.\n";
    std::ofstream(folder_ / "empty.txt") << "\n";
  }
  Ran ask(std::vector<std::string> words) {
    words.insert(words.begin(), "ask");
    for (const char* more : {"--temp", "0", "-n", "8", "--seed", "1"}) words.push_back(more);
    return run(words);
  }
  std::vector<std::string> here() const {
    return {kModel, "What colour?", "--doc", folder_ / "manual.txt", "--keep-in", folder_ / "kept"};
  }
  std::vector<std::filesystem::path> kept() const {
    std::vector<std::filesystem::path> out;
    for (const auto& one : std::filesystem::directory_iterator(folder_ / "kept"))
      out.push_back(one.path());
    return out;
  }
  const Folder folder_;
};

TEST_F(Ask, reads_a_document_once_and_a_file_that_is_damaged_again) {
  const Ran first = ask(here());
  ASSERT_EQ(first.code, 0) << first.err;
  EXPECT_NE(first.out, "");
  ASSERT_EQ(kept().size(), 1u);
  const auto written = std::filesystem::last_write_time(kept()[0]);
  std::vector<std::string> again = here();
  again.push_back("-v");
  const Ran second = ask(again);
  EXPECT_EQ(second.out, first.out) << second.err;
  EXPECT_NE(second.err.find("was read before"), std::string::npos) << second.err;
  EXPECT_EQ(std::filesystem::last_write_time(kept()[0]), written);
  std::filesystem::resize_file(kept()[0], 100);
  const Ran third = ask(here());
  EXPECT_EQ(third.out, first.out) << third.err;
  EXPECT_NE(third.err.find("read again"), std::string::npos) << third.err;
  // Another document has another state.
  std::ofstream(folder_ / "manual.txt", std::ios::app) << "It is blue.\n";
  EXPECT_EQ(ask(here()).code, 0);
  EXPECT_EQ(kept().size(), 2u);
}

TEST_F(Ask, says_what_is_missing) {
  const auto refused = [&](std::vector<std::string> words, std::string_view what) {
    const Ran run = ask(std::move(words));
    EXPECT_EQ(run.code, 2) << run.err;
    EXPECT_NE(run.err.find(what), std::string::npos) << run.err;
  };
  refused({kModel, "Why?"}, "--doc FILE is missing");
  refused({kModel, "--doc", folder_ / "manual.txt"}, "QUESTION is missing");
  refused({kModel, "Why?", "--doc", folder_ / "empty.txt"}, "is empty");
  refused({"Why?", "--doc", folder_ / "manual.txt", "--server", "localhost:1", "--keep-in", "x"},
          "--keep-in is for a model that runs here");
}

TEST_F(Ask, a_server_keeps_the_document_for_the_next_question) {
  Served served;
  const std::string url = fmt::format("127.0.0.1:{}", served.port());
  std::string before;
  for (int i = 0; i < 2; ++i) {
    const Ran run = ask({"What colour?", "--doc", folder_ / "manual.txt", "--server", url});
    ASSERT_EQ(run.code, 0) << run.err;
    if (i > 0) {
      EXPECT_EQ(run.out, before);
    }
    before = run.out;
    const Reply list = test::ask(served.port(), "GET", "/v1/states?kind=document");
    EXPECT_EQ(list.json().find("data").array()->size(), 1u) << list.body;
  }
  served.process().send(SIGTERM);
  EXPECT_EQ(served.process().finish(), 0);
}

}  // namespace
}  // namespace skein::test
