// skein convert and skein quantize.
#include <gtest/gtest.h>

#include <algorithm>

#include "base/json.h"
#include "cli/program.h"
#include "support/fixtures.h"
#include "support/make_model.h"

namespace skein::test {
namespace {

class ConvertCommand : public testing::Test {
 protected:
  std::string out(const char* name) const { return (folder_ / name).string(); }
  // What a greedy continuation of some ids is.
  static std::string answer(const std::string& model) {
    return run({"complete", model, "--tokens", "1,2,3", "-n", "5", "--temp", "0"}).out;
  }

  const Folder folder_;
  const std::string model_ = fixture("models/v7.pth").string();
};

TEST_F(ConvertCommand, announces_the_exact_size_and_writes_nothing_when_dry) {
  const std::vector<std::string> args = {"convert", model_, out("a.gguf"), "--json"};
  auto dry = args;
  dry.push_back("--dry-run");
  const Ran before = run(dry);
  ASSERT_EQ(before.code, 0) << before.err;
  EXPECT_FALSE(std::filesystem::exists(out("a.gguf")));
  const auto json = parse_json(before.out, 1 << 20);
  ASSERT_TRUE(json) << before.out;
  int64_t bytes = 0;
  ASSERT_TRUE(json->find("bytes")->integer(bytes));
  ASSERT_EQ(run(args).code, 0);
  EXPECT_EQ(std::filesystem::file_size(out("a.gguf")), static_cast<uint64_t>(bytes));
}

TEST_F(ConvertCommand, the_new_file_answers_as_the_old_one) {
  const std::string expected = answer(model_);
  ASSERT_FALSE(expected.empty());
  for (const char* name : {"a.gguf", "a.safetensors", "a.st", "a.pth", "a.skein"}) {
    const Ran ran = run({"convert", model_, out(name)});
    ASSERT_EQ(ran.code, 0) << name << ran.err;
    EXPECT_EQ(answer(out(name)), expected) << name;
  }
  ASSERT_EQ(run({"convert", model_, out("fla.safetensors"), "--names", "fla"}).code, 0);
  EXPECT_TRUE(std::filesystem::exists(out("config.json")));
  EXPECT_EQ(answer(out("fla.safetensors")), expected);
}

TEST_F(ConvertCommand, a_file_that_is_there_stays_without_force) {
  ASSERT_EQ(run({"convert", model_, out("a.pth")}).code, 0);
  const auto size = std::filesystem::file_size(out("a.pth"));
  const Ran refused = run({"convert", model_, out("a.pth"), "--dtype", "f32"});
  EXPECT_EQ(refused.code, 2) << refused.err;
  EXPECT_EQ(std::filesystem::file_size(out("a.pth")), size);
  EXPECT_EQ(run({"convert", model_, out("a.pth"), "--dtype", "f32", "--force"}).code, 0);
  EXPECT_GT(std::filesystem::file_size(out("a.pth")), size);
}

TEST_F(ConvertCommand, a_model_can_be_written_over_itself) {
  std::filesystem::copy_file(model_, out("a.pth"));
  const std::string expected = answer(model_);
  ASSERT_EQ(run({"convert", out("a.pth"), out("a.pth"), "--dtype", "f32", "-f"}).code, 0);
  EXPECT_EQ(answer(out("a.pth")), expected);
}

TEST_F(ConvertCommand, quantize_says_which_type_each_tensor_got_and_why) {
  const Ran ran = run({"quantize", model_, out("q.gguf"), "Q4_0", "--tensors", "--tensor",
                       "blocks.1.*.value.weight=Q8_0"});
  ASSERT_EQ(ran.code, 0) << ran.err;
  EXPECT_NE(ran.out.find("pattern blocks.1.*.value.weight"), std::string::npos) << ran.out;
  EXPECT_NE(ran.out.find("layer 0's output: at least 8 bits"), std::string::npos) << ran.out;
  EXPECT_EQ(run({"complete", out("q.gguf"), "--tokens", "1", "-n", "1"}).code, 0);
}

// Rows of 40 numbers are no whole blocks of anything, rows of 96 none of 256.
TEST_F(ConvertCommand, a_type_that_no_tensor_can_have_is_told_before_it_is_written) {
  const auto model = [&](int64_t width) {
    const std::string path = out("model.safetensors");
    const auto bytes = as_safetensors(random_model({.width = width, .inner = width}));
    write_text(path, {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    return path;
  };
  const struct {
    int64_t width;
    const char* type;
    const char* says;
  } rows[] = {{96, "Q4_K", "no matrix of this model can be Q4_K, whose blocks are 256 numbers"},
              {96, "IQ4_XS", "no matrix of this model can be IQ4_XS"},
              {96, "Q4_0", nullptr},
              {256, "Q4_K", nullptr},
              {40, "Q4_0", "no tensor of this model can be quantised as Q4_0 asks"},
              {40, "small", "no tensor of this model can be quantised as small asks"},
              {40, "F16", nullptr}};
  for (const auto& row : rows)
    for (const bool dry : {true, false}) {
      std::vector<std::string> args = {"quantize", model(row.width), out("q.gguf"), row.type, "-f"};
      if (dry) args.push_back("--dry-run");
      const Ran ran = run(args);
      ASSERT_EQ(ran.code, 0) << ran.err;
      if (row.says)
        EXPECT_TRUE(contains(ran.err, row.says)) << row.type << row.width << ": " << ran.err;
      else
        EXPECT_FALSE(contains(ran.err, "can be")) << row.type << row.width << ": " << ran.err;
    }
}

TEST_F(ConvertCommand, quantising_again_what_is_quantised_is_warned_of) {
  ASSERT_EQ(run({"quantize", model_, out("q8.gguf"), "Q8_0"}).code, 0);
  const Ran again = run({"quantize", out("q8.gguf"), out("q4.gguf"), "Q4_0"});
  EXPECT_EQ(again.code, 0);
  EXPECT_TRUE(contains(again.err, "are quantised already (Q8_0")) << again.err;
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"convert", out("q8.gguf"), out("same.skein")},
        {"convert", out("q8.gguf"), out("wide.safetensors"), "--dtype", "f16"},
        {"quantize", model_, out("fresh.gguf"), "Q4_0"}})
    EXPECT_FALSE(contains(run(args).err, "already")) << args[2];
}

TEST_F(ConvertCommand, a_folder_is_made_for_a_model_and_for_no_error) {
  ASSERT_EQ(run({"convert", model_, out("nan.safetensors"), "--dtype", "f32"}).code, 0);
  std::string file = text_of_file(out("nan.safetensors"));
  std::fill(file.begin() + static_cast<std::ptrdiff_t>(file.size() / 2), file.end(), '\xff');
  write_text(out("nan.safetensors"), file);
  const struct {
    std::vector<std::string> args;
    const char* says;
  } rows[] = {{{missing_file("a.pth").string()}, "missing/a.pth"},
              {{fixture("models/v4.pth").string()}, "fla has no model of rwkv4"},
              {{model_, "--dtype", "q4"}, "q4"},
              {{model_, "--quant", "Q4_0"}, "holds no"},
              // Found out when half of the file is written.
              {{out("nan.safetensors"), "--quant", "pip-int8"}, "not finite"}};
  const auto convert_to = [](const std::string& folder, std::vector<std::string> args) {
    args.insert(args.begin() + 1, folder);
    args.insert(args.begin(), "convert");
    args.insert(args.end(), {"--names", "fla"});
    return run(args);
  };
  std::filesystem::create_directory(out("empty"));
  for (const auto& row : rows) {
    for (const char* folder : {"new/folder", "empty"}) {
      const Ran ran = convert_to(out(folder), row.args);
      EXPECT_NE(ran.code, 0) << row.says;
      EXPECT_NE(ran.err.find(row.says), std::string::npos) << ran.err;
      EXPECT_FALSE(std::filesystem::exists(out("new"))) << row.says;
      ASSERT_TRUE(std::filesystem::exists(out("empty"))) << row.says;
      EXPECT_TRUE(std::filesystem::is_empty(out("empty"))) << row.says;
    }
  }
  for (const char* folder : {"new/folder", "empty"}) {
    const Ran ran = convert_to(out(folder), {model_});
    ASSERT_EQ(ran.code, 0) << ran.err;
    EXPECT_EQ(answer(out(folder)), answer(model_));
    EXPECT_TRUE(std::filesystem::exists(folder_.path() / folder / "config.json"));
  }
}

TEST_F(ConvertCommand, a_config_json_never_describes_another_model) {
  const auto convert_to = [](const std::string& folder, std::vector<std::string> args) {
    args.insert(args.begin(), "convert");
    args.insert(args.begin() + 2, {folder, "--names", "fla"});
    return run(args);
  };
  const std::string other = fixture("models/tiny_v7.pth").string();
  ASSERT_EQ(convert_to(out("folder"), {model_}).code, 0);
  ASSERT_EQ(convert_to(out("folder"), {other, "-f"}).code, 0);
  EXPECT_EQ(answer(out("folder")), answer(other));
  // One that is right stays, one that is not is in the way.
  std::filesystem::remove(out("folder") + "/model.safetensors");
  ASSERT_EQ(convert_to(out("folder"), {other}).code, 0);
  std::filesystem::remove(out("folder") + "/model.safetensors");
  const Ran refused = convert_to(out("folder"), {model_});
  EXPECT_EQ(refused.code, 2);
  EXPECT_NE(refused.err.find("config.json is there already"), std::string::npos) << refused.err;
  EXPECT_FALSE(std::filesystem::exists(out("folder") + "/model.safetensors"));
}

TEST_F(ConvertCommand, mistakes_are_answered_by_one_sentence) {
  const struct {
    std::vector<std::string> args;
    int code;
    const char* says;
  } rows[] = {
      {{"convert", model_, out("a.bin")}, 2, "not the ending"},
      {{"convert", model_, out("a.pth"), "--dtype", "q4"}, 2, "q4"},
      {{"convert", model_, out("a.gguf"), "--quant", "Q4_9"}, 2, "Q4_9"},
      {{"convert", model_, out("a.gguf"), "--quant", "Q4_0", "--dtype", "f16"}, 2, "exclude"},
      {{"convert", model_, out("a.gguf"), "--quant", "Q4_0", "--tensor", "x"}, 2, "PATTERN=TYPE"},
      {{"convert", model_, out("a.pth"), "--lora", "x.pth,alpha=much"}, 2, "much"},
      {{"convert", model_, out("a.pth"), "--lora", "x.pth,beta=1"}, 2, "beta"},
      {{"convert", model_, out("a.pth"), "--lora", missing_file("a.pth").string() + ",alpha=1"},
       1,
       "missing/a.pth"},
      {{"convert", missing_file("a.pth").string(), out("a.pth")}, 1, "missing/a.pth"},
      {{"convert", model_, missing_file("a.pth").string()}, 1, "missing/a.pth"},
      {{"convert", fixture("models/v7.state.pth").string(), out("a.pth")}, 3, "no model"},
      {{"quantize", model_, out("a.pth"), "Q4_0"}, 2, "holds no"},
      {{"quantize", model_, out("a.gguf")}, 2, "TYPE"}};
  for (const auto& row : rows) {
    const Ran ran = run(row.args);
    EXPECT_EQ(ran.code, row.code) << ran.err;
    EXPECT_NE(ran.err.find(row.says), std::string::npos) << ran.err;
    EXPECT_TRUE(std::filesystem::is_empty(folder_.path())) << row.says << ": left something behind";
  }
}

}  // namespace
}  // namespace skein::test
