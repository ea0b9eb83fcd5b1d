// Folders, shards and what else a user may name as a model.
#include "io/model_files.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include "base/file.h"
#include "base/limits.h"
#include "io/build.h"
#include "io/expect.h"
#include "io/hf_json.h"
#include "io/outputs.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

namespace fs = std::filesystem;

void put(const fs::path& path, std::string_view content) {
  ASSERT_TRUE(write_file(path, std::vector{bytes_of(content)}));
}

// One tensor of a name, as safetensors.
std::string shard(std::string_view name) {
  return safetensors(R"({")" + std::string(name) +
                     R"(":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]}})");
}

std::string index_of(const std::vector<std::pair<std::string, std::string>>& map) {
  std::string out;
  for (const auto& [tensor, file] : map)
    out += (out.empty() ? "" : ",") + ("\"" + tensor + "\":\"" + file + "\"");
  return R"({"metadata":{"total_size":48},"weight_map":{)" + out + "}}";
}

// Two shards that an index describes rightly.
void put_shards(const TestFolder& folder) {
  put(folder / "s1.safetensors", shard("a"));
  put(folder / "s2.safetensors", shard("b"));
  put(folder / "model.safetensors.index.json",
      index_of({{"a", "s1.safetensors"}, {"b", "s2.safetensors"}}));
}

void expect_folder_refused(const fs::path& path, Code code, std::string_view file,
                           std::string_view fact) {
  SCOPED_TRACE(std::string(fact));
  const auto files = io::ModelFiles::open(path);
  ASSERT_FALSE(files) << "was accepted";
  EXPECT_STREQ(code_name(files.error().code), code_name(code)) << files.error().message;
  EXPECT_NE(files.error().message.find(fact), std::string::npos) << files.error().message;
  expect_sentence(files.error(), file);
}

TEST(ModelFiles, a_single_file_is_what_its_reader_makes_of_it) {
  const auto files = io::ModelFiles::open(fixture("models/tiny_v7.gguf"));
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->name(), fixture("models/tiny_v7.gguf").string());
  EXPECT_EQ(files->description(), "GGUF");
  EXPECT_EQ(files->total_bytes(), fs::file_size(fixture("models/tiny_v7.gguf")));
  EXPECT_TRUE(files->folder().empty());
  EXPECT_TRUE(files->intact());
  EXPECT_TRUE(files->verify());
}

TEST(ModelFiles, a_folder_of_shards_is_one_container) {
  const TestFolder folder;
  put_shards(folder);
  for (const fs::path& path :
       {folder.path(), folder / "", folder / ".", folder / "model.safetensors.index.json"}) {
    SCOPED_TRACE(path);
    const auto files = io::ModelFiles::open(path);
    ASSERT_TRUE(files) << files.error().message;
    EXPECT_EQ(files->description(), "safetensors, 2 shards");
    EXPECT_EQ(files->path(), path);
    EXPECT_FALSE(files->name().empty());
    ASSERT_EQ(files->container().tensors.size(), 2u);
    for (const char* name : {"a", "b"})
      EXPECT_EQ(numbers_of(*find(files->container(), name)),
                (std::vector<float>{1, 2, 3, 4, 5, 6}));
    EXPECT_EQ(files->total_bytes(), shard("a").size() + shard("b").size());
    EXPECT_TRUE(files->verify());
  }
}

TEST(ModelFiles, a_folder_with_one_model_needs_no_index) {
  for (const char* name : {"model.safetensors", "pytorch_model.bin", "my.pth", "x.gguf"}) {
    const TestFolder folder;
    fs::copy_file(fixture("models/tiny_v7.pth"), folder / name);
    put(folder / "README.md", "not a model");
    const auto files = io::ModelFiles::open(folder.path());
    ASSERT_TRUE(files) << files.error().message;
    EXPECT_EQ(files->description(), ".pth (zip)");
    EXPECT_EQ(files->folder(), folder.path());
  }
}

TEST(ModelFiles, pytorch_shards_are_read_by_their_index) {
  const TestFolder folder;
  const auto tensor = [](std::string_view name) {
    return pth(pickle::whole(pickle::dict(pickle::text(name) + pickle::tensor())));
  };
  put(folder / "pytorch_model-00001.bin", tensor("a"));
  put(folder / "pytorch_model-00002.bin", tensor("b"));
  put(folder / "pytorch_model.bin.index.json",
      index_of({{"a", "pytorch_model-00001.bin"}, {"b", "pytorch_model-00002.bin"}}));
  const auto files = io::ModelFiles::open(folder.path());
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->description(), ".pth (zip), 2 shards");
}

TEST(ModelFiles, config_json_becomes_metadata) {
  const TestFolder folder;
  put_shards(folder);
  put(folder / "config.json",
      R"({"model_type":"rwkv7","hidden_size":64,"norm_eps":1e-5,"tie":false,"big":1e300,
          "arch":["A","B"],"ranks":[1,-2],"mixed":[1,"a"],"none":null,"empty":[],
          "nested":{"a":1},"reals":[0.5]})");
  const auto files = io::ModelFiles::open(folder.path());
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->container().metadata,
            (Metadata{{"config.model_type", std::string("rwkv7")},
                      {"config.hidden_size", int64_t{64}},
                      {"config.norm_eps", 1e-5},
                      {"config.tie", false},
                      {"config.big", 1e300},
                      {"config.arch", std::vector<std::string>{"A", "B"}},
                      {"config.ranks", std::vector<int64_t>{1, -2}}}));
}

// A part of a split GGUF with one tensor of this name.
std::string part(std::string_view name, uint16_t number, uint16_t count) {
  constexpr uint32_t kU16 = 2;
  return gguf::file(
      {.pairs = {gguf::pair("split.no", kU16, number), gguf::pair("split.count", kU16, count)},
       .tensors = {gguf::tensor({.name = std::string(name)})}});
}

TEST(ModelFiles, a_split_gguf_is_one_model_by_its_first_part) {
  const TestFolder folder;
  const auto first = folder / "m-00001-of-00002.gguf", second = folder / "m-00002-of-00002.gguf";
  put(first, part("a", 0, 2));
  expect_folder_refused(first, Code::io, "m-00002", "No such file");
  put(second, part("b", 1, 2));
  const auto files = io::ModelFiles::open(first);
  ASSERT_TRUE(files) << files.error().message;
  EXPECT_EQ(files->container().tensors.size(), 2u);
  EXPECT_EQ(files->description(), "GGUF, 2 shards");
  EXPECT_TRUE(files->container().metadata.empty());
  expect_folder_refused(second, Code::unsupported, "m-00002", "name the first");
  put(second, part("a", 1, 2));
  expect_folder_refused(first, Code::corrupt, "m-00002", "has tensor a");
  put(second, part("b", 0, 2));
  expect_folder_refused(first, Code::corrupt, "m-00002", "split.no");
  put(second, part("b", 1, 3));
  expect_folder_refused(first, Code::corrupt, "m-00002", "split.count");
  put(second, shard("b"));
  expect_folder_refused(first, Code::mismatch, "m-00002", "where");
  put(folder / "m-00001-of-99999.gguf", part("a", 0, 2));
  expect_folder_refused(folder / "m-00001-of-99999.gguf", Code::unsupported, "m-00001", "limit");
}

TEST(ModelFiles, links_to_files_elsewhere_are_followed) {
  // As the cache of a download tool lays its folders out.
  const TestFolder folder;
  fs::create_directory(folder / "snapshot");
  put(folder / "blob", shard("a"));
  fs::create_symlink("../blob", folder / "snapshot/model.safetensors");
  const auto files = io::ModelFiles::open(folder / "snapshot");
  ASSERT_TRUE(files) << files.error().message;
}

TEST(ModelFiles, a_shard_that_is_cut_while_it_is_in_use_is_noticed) {
  const TestFolder folder;
  std::string large = shard("b");
  large = safetensors(R"({"b":{"dtype":"U8","shape":[65536],"data_offsets":[0,65536]}})",
                      std::string(65536, 'x'));
  put(folder / "s1.safetensors", shard("a"));
  put(folder / "s2.safetensors", large);
  put(folder / "model.safetensors.index.json",
      index_of({{"a", "s1.safetensors"}, {"b", "s2.safetensors"}}));
  const auto files = io::ModelFiles::open(folder.path());
  ASSERT_TRUE(files) << files.error().message;
  fs::resize_file(folder / "s2.safetensors", 100);
  EXPECT_EQ(find(files->container(), "b")->storage.back(), std::byte{0});
  EXPECT_FALSE(files->intact());
}

TEST(ModelFiles, what_is_no_model_is_told_apart) {
  const TestFolder folder;
  expect_folder_refused(folder.path(), Code::unsupported, "skein_", "no model in this folder");
  expect_folder_refused(folder / "missing", Code::io, "missing", "No such file");
  put(folder / "a.pth", "x");
  put(folder / "b.gguf", "x");
  expect_folder_refused(folder.path(), Code::argument, "skein_", "2 models");
  fs::remove(folder / "b.gguf");
  expect_folder_refused(folder.path(), Code::corrupt, "a.pth", "too short");
  fs::remove(folder / "a.pth");
  fs::create_directory(folder / "model.safetensors");
  expect_folder_refused(folder.path(), Code::unsupported, "model.safetensors", "regular file");
}

TEST(ModelFiles, links_that_lead_in_a_circle_or_nowhere_are_io_errors) {
  const TestFolder folder;
  fs::create_symlink("model.safetensors", folder / "model.safetensors");
  expect_folder_refused(folder.path(), Code::io, "model.safetensors", "symbolic links");
  fs::remove(folder / "model.safetensors");
  put(folder / "model.safetensors", shard("a"));
  fs::create_symlink("nowhere", folder / "config.json");
  expect_folder_refused(folder.path(), Code::io, "config.json", "No such file");
  fs::remove(folder / "config.json");
  fs::create_symlink("model.safetensors.index.json", folder / "model.safetensors.index.json");
  expect_folder_refused(folder.path(), Code::io, "index.json", "symbolic links");
}

TEST(ModelFiles, shards_and_index_have_to_agree) {
  const TestFolder folder;
  put_shards(folder);
  const fs::path index = folder / "model.safetensors.index.json";
  const auto refused = [&](const std::vector<std::pair<std::string, std::string>>& map, Code code,
                           std::string_view file, std::string_view fact) {
    put(index, index_of(map));
    expect_folder_refused(folder.path(), code, file, fact);
  };
  const std::string s1 = "s1.safetensors", s2 = "s2.safetensors";
  refused({{"a", s1}, {"b", s2}, {"c", s2}}, Code::mismatch, s2, "lacks tensor c");
  refused({{"a", s1}, {"b", s1}}, Code::mismatch, s1, "lacks tensor b");
  refused({{"a", s2}, {"b", s1}}, Code::mismatch, s1, "has tensor a");
  refused({{"a", s1}, {"c", s2}}, Code::mismatch, s2, "has tensor b, which");
  refused({{"a", s1}, {"b", "s3.safetensors"}}, Code::io, "s3.safetensors", "No such file");
  refused({{"a", s1}, {"b", "s\\u00002"}}, Code::corrupt, "index.json", "control bytes");
  // The same tensor in two shards.
  put(folder / "s2.safetensors", shard("a"));
  refused({{"a", s1}, {"b", s2}}, Code::mismatch, s2, "has tensor a");
  // A shard of another kind.
  put(folder / "s2.safetensors", pth(good_pickle()));
  refused({{"a", s1}, {"w", s2}}, Code::mismatch, s2, "where s1.safetensors is safetensors");
  put(folder / "s2.safetensors", "");
  refused({{"a", s1}, {"b", s2}}, Code::corrupt, s2, "empty");
}

TEST(ModelFiles, a_shard_is_a_file_of_the_same_folder) {
  const TestFolder folder;
  fs::create_directory(folder / "model");
  put(folder / "outside.safetensors", shard("a"));
  for (const char* file : {"../outside.safetensors", "..", ".", "/etc/passwd", "x/../../y", "",
                           "..\\\\outside.safetensors", "a/b", "/"}) {
    put(folder / "model/model.safetensors.index.json", index_of({{"a", file}}));
    expect_folder_refused(folder / "model", Code::corrupt, "index.json",
                          std::string_view(file).empty() ? "empty name" : "no file of this folder");
  }
}

TEST(ModelFiles, an_index_that_is_none_is_corrupt) {
  const TestFolder folder;
  const auto refused = [&](std::string_view json, Code code, std::string_view fact) {
    put(folder / "model.safetensors.index.json", json);
    expect_folder_refused(folder.path(), code, "index.json", fact);
  };
  refused("[]", Code::corrupt, "weight_map");
  refused("{}", Code::corrupt, "weight_map");
  refused("7", Code::corrupt, "weight_map");
  refused("{", Code::corrupt, "JSON");
  refused("\xff", Code::corrupt, "JSON");
  refused(R"({"weight_map":[]})", Code::corrupt, "weight_map");
  refused(R"({"weight_map":{}})", Code::corrupt, "empty");
  refused(R"({"weight_map":{"a":1}})", Code::corrupt, "no file name");
  refused(R"({"weight_map":{"a":null}})", Code::corrupt, "no file name");
  refused(R"({"weight_map":{"":"f"}})", Code::corrupt, "empty name");
  refused(R"({"weight_map":{"a":"f","a":"g"}})", Code::corrupt, "twice");
  refused(repeat("[", 100) + repeat("]", 100), Code::corrupt, "JSON");
  refused(std::string(limits::kFolderJsonBytes + 1, ' '), Code::unsupported, "limit");
}

TEST(ModelFiles, an_index_of_a_million_entries_is_refused_in_bounded_memory) {
  std::string map;
  for (int i = 0; i < 1'000'000; ++i) map += "\"" + std::to_string(i) + R"(":"f",)";
  map.back() = '}';
  const auto large = io::parse_shard_index(R"({"weight_map":{)" + map + "}");
  ASSERT_FALSE(large);
  EXPECT_NE(large.error().message.find("limit"), std::string::npos) << large.error().message;
  // As many as fit below the bytes.
  map.clear();
  for (int i = 0; i < 200'000; ++i) map += "\"" + std::to_string(i) + R"(":"f",)";
  map.back() = '}';
  const auto many = io::parse_shard_index(R"({"weight_map":{)" + map + "}");
  ASSERT_FALSE(many);
  EXPECT_EQ(many.error().code, Code::unsupported) << many.error().message;
  // Each in a shard of its own.
  std::vector<std::pair<std::string, std::string>> shards;
  for (size_t i = 0; i <= limits::kShards; ++i)
    shards.emplace_back(std::to_string(i), std::to_string(i));
  const auto files = io::parse_shard_index(index_of(shards));
  ASSERT_FALSE(files);
  EXPECT_EQ(files.error().code, Code::unsupported) << files.error().message;
  shards.pop_back();
  EXPECT_TRUE(io::parse_shard_index(index_of(shards)));
}

TEST(ModelFiles, a_config_that_is_none_is_corrupt) {
  const TestFolder folder;
  put(folder / "model.safetensors", shard("a"));
  const auto refused = [&](std::string_view json, Code code, std::string_view fact) {
    put(folder / "config.json", json);
    expect_folder_refused(folder.path(), code, "config.json", fact);
  };
  refused("[]", Code::corrupt, "object");
  refused("\"x\"", Code::corrupt, "object");
  refused("{\"a\":", Code::corrupt, "JSON");
  refused("", Code::corrupt, "JSON");
  refused(R"({"a":1,"a":2})", Code::corrupt, "twice");
  refused(R"({"\n":1})", Code::corrupt, "control bytes");
  refused("{\"a\":" + repeat("[", 100) + repeat("]", 100) + "}", Code::corrupt, "JSON");
  refused("{\"a\":\"" + std::string(limits::kFolderJsonBytes, 'x') + "\"}", Code::unsupported,
          "limit");
  std::string many;
  for (size_t i = 0; i <= limits::kMetadataKeys; ++i)
    many += (i ? ",\"" : "{\"") + std::to_string(i) + "\":1";
  refused(many + "}", Code::unsupported, "members");
  fs::remove(folder / "config.json");
  fs::create_directory(folder / "config.json");
  expect_folder_refused(folder.path(), Code::unsupported, "config.json", "regular file");
}

}  // namespace
}  // namespace skein::test
