// skein tokenize, detokenize and template: what the model sees.
#include <gtest/gtest.h>

#include "base/json.h"
#include "cli/program.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

// 257 byte ids, no vocabulary file needed.
const std::string kModel =
    (std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth").string();

TEST(Tokenize, ids_are_shown_with_their_bytes) {
  const Ran ran = run({"tokenize", kModel, "A\n\xc3"});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_EQ(ran.out, "    66  A\n    11  \\x0a\n   196  \\xc3\n");
}

TEST(Tokenize, text_comes_from_the_argument_a_file_or_standard_input) {
  const Folder folder;
  write_text(folder / "text", "Hello");
  const std::string ids = "73 102 109 109 112\n";
  EXPECT_EQ(run({"tokenize", kModel, "--ids", "Hello"}).out, ids);
  EXPECT_EQ(run({"tokenize", kModel, "--ids", "-f", (folder / "text").string()}).out, ids);
  EXPECT_EQ(run({"tokenize", kModel, "--ids"}, {.input = "Hello"}).out, ids);
  const std::string piped = std::string("printf Hello | ") + SKEIN_PROGRAM + " tokenize " + kModel +
                            " --ids -f /dev/stdin";
  EXPECT_EQ(run({"-c", piped}, {.program = "/bin/sh"}).out, ids);
  EXPECT_EQ(run({"tokenize", kModel, "--ids", "-f", "-"}, {.input = "Hello"}).out, ids);
  EXPECT_EQ(run({"tokenize", kModel, "-f", folder.path().string()}).code, 1);
  EXPECT_EQ(run({"complete", kModel, "-f", "/dev/zero"}).code, 1);
  EXPECT_EQ(run({"tokenize", kModel, "two", "texts"}).code, 2);
  EXPECT_EQ(run({"tokenize", kModel, "x", "-f", "y"}).code, 2);
  EXPECT_EQ(run({"tokenize"}, {.input = "x"}).code, 2);
}

TEST(Tokenize, every_byte_comes_back) {
  std::string all;
  for (int c = 255; c >= 0; --c) all += static_cast<char>(c);
  const Ran ids = run({"tokenize", kModel, "--ids"}, {.input = all});
  EXPECT_EQ(run({"detokenize", kModel}, {.input = ids.out}).out, all);
}

TEST(Tokenize, json_can_be_read_back) {
  const Ran ran = run({"tokenize", kModel, "--json", "Hi"});
  const auto json = parse_json(ran.out, 1 << 20);
  ASSERT_TRUE(json) << ran.out;
  EXPECT_EQ(json->find("ids")->array()->size(), 2u);
  const auto back = parse_json(run({"detokenize", kModel, "--json", "[73,106]"}).out, 1 << 20);
  ASSERT_TRUE(back);
  EXPECT_EQ(*back->find("text")->string(), "Hi");
}

TEST(Detokenize, ids_are_checked) {
  EXPECT_EQ(run({"detokenize", kModel, "73,34"}).out, "H!");
  EXPECT_EQ(run({"detokenize", kModel, "73", "34"}).out, "H!");
  EXPECT_EQ(run({"detokenize", kModel, "73,", "34"}).out, "H!");
  for (const std::string list : {"73,,34", ",73", "73,", ","})
    EXPECT_EQ(run({"detokenize", kModel, list}).code, 2) << list;
  EXPECT_EQ(run({"detokenize", kModel, "257"}).code, 2);
  EXPECT_EQ(run({"detokenize", kModel, "--", "-1"}).code, 2);
  EXPECT_EQ(run({"detokenize", kModel, "x"}).code, 2);
}

TEST(Tokenize, a_vocabulary_needs_no_model) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const std::string vocab = shared_file("data/rwkv_vocab_v20230424.txt").string();
  const Ran ids = run({"tokenize", "--vocab", vocab, "--ids", "Hello world"});
  EXPECT_EQ(ids.code, 0) << ids.err;
  EXPECT_EQ(run({"detokenize", "--vocab", vocab, ids.out.substr(0, ids.out.size() - 1)}).out,
            "Hello world");
}

TEST(Tokenize, the_wrong_vocabulary_is_refused) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const Ran ran = run(
      {"tokenize", kModel, "--vocab", shared_file("data/rwkv_vocab_v20230424.txt").string(), "x"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "257 rows")) << ran.err;
}

TEST(Tokenize, a_broken_vocabulary_names_its_line) {
  const Folder folder;
  write_text(folder / "vocab.txt", "1 '\\x00' 1\n2 __import__('os') 1\n");
  const Ran ran = run({"tokenize", "--vocab", (folder / "vocab.txt").string(), "x"});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "vocab.txt") && contains(ran.err, "2")) << ran.err;
}

TEST(Template, a_conversation_is_shown_as_the_model_sees_it) {
  EXPECT_EQ(run({"template", kModel, "--user", "Who are you?"}).out,
            "User: Who are you?\n\nAssistant:");
  EXPECT_EQ(run({"template", "--profile", "g1", "--system", "Be brief.", "--user", "a",
                 "--assistant", "<think>b</think>c", "--user", "d", "--think", "fake"})
                .out,
            "System: Be brief.\n\nUser: a\n\nAssistant: c\n\nUser: d\n\nAssistant: "
            "<think>\n</think");
  EXPECT_EQ(run({"template", "--profile", "world", "--user", "a ", "--visible"}).out,
            "User: a\\n\n\\n\nAssistant:");
}

TEST(Template, tokens_begin_as_a_fresh_text_does) {
  const Ran ran = run({"template", kModel, "--user", "x", "--tokens"});
  EXPECT_TRUE(ran.out.starts_with("     0")) << ran.out;
  const auto json = parse_json(run({"template", kModel, "--user", "x", "--json"}).out, 1 << 20);
  ASSERT_TRUE(json);
  int64_t first = -1;
  EXPECT_TRUE(json->find("ids")->array()->front().integer(first));
  EXPECT_EQ(first, 0);
}

TEST(Template, without_a_conversation_the_profile_is_described) {
  const Ran ran = run({"template", kModel});
  EXPECT_EQ(ran.code, 0);
  EXPECT_TRUE(contains(ran.out, "blank_line")) << ran.out;
  EXPECT_TRUE(parse_json(run({"template", "--profile", "g1", "--json"}).out, 1 << 20));
}

TEST(Template, mistakes_are_told) {
  EXPECT_EQ(run({"template"}).code, 2);
  EXPECT_TRUE(contains(run({"template", "--profile", "wrld"}).err, "did you mean world?"));
  EXPECT_EQ(run({"template", "--profile", "world", "--assistant", "x"}).code, 2);
  EXPECT_EQ(run({"template", "--profile", "world", "--user", "x", "--user", "y"}).code, 2);
  const Ran think = run({"template", "--profile", "world", "--user", "x", "--think", "lot"});
  EXPECT_EQ(think.code, 0);
  EXPECT_TRUE(contains(think.err, "warning: ")) << think.err;
}

}  // namespace
}  // namespace skein::test
