// skein inspect: what a file is, for good files, files of others and files that lie.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <cstring>
#include <tuple>

#include "base/json.h"
#include "cli/program.h"
#include "io/build.h"
#include "support/fixtures.h"

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SKEIN_TEST_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define SKEIN_TEST_SANITIZED 1
#endif
#endif
#ifndef SKEIN_TEST_SANITIZED
#define SKEIN_TEST_SANITIZED 0
#endif

namespace skein::test {
namespace {

constexpr int64_t kMiB = 1024 * 1024;

struct Malformed {
  std::string file;
  std::string answer;  // "corrupt", "unsupported" or "ok"
};

std::vector<Malformed> malformed() {
  std::vector<Malformed> out;
  const std::string index = text_of_file(fixture("malformed/index.jsonl"));
  for (size_t at = 0; at < index.size();) {
    const size_t end = std::min(index.find('\n', at), index.size());
    const auto json = parse_json(index.substr(at, end - at), 1 << 16);
    EXPECT_TRUE(json);
    if (json)
      out.push_back({std::string(*json->find("file")->string()),
                     std::string(*json->find("answer")->string())});
    at = end + 1;
  }
  EXPECT_GT(out.size(), 70u);
  return out;
}

std::string string_at(const Json& json, const std::string& key) {
  return std::string(json.find(key).string().value_or(""));
}

TEST(Inspect, every_malformed_file_gets_exit_3_and_one_sentence) {
  for (const Malformed& one : malformed()) {
    const Ran ran = run({"inspect", "--check", fixture("malformed/" + one.file).string()});
    EXPECT_EQ(ran.code, 3) << one.file << ": " << ran.err;
    EXPECT_TRUE(ran.err.starts_with("error: ")) << one.file << ": " << ran.err;
    EXPECT_EQ(std::count(ran.err.begin(), ran.err.end(), '\n'), 1) << one.file << ": " << ran.err;
    EXPECT_TRUE(contains(ran.err, one.file)) << ran.err;
    EXPECT_EQ(contains(ran.err, "no model in this file"), one.answer == "ok")
        << one.file << ": " << ran.err;
    EXPECT_LT(ran.seconds, SKEIN_TEST_SANITIZED ? 10 : 2) << one.file;
  }
}

TEST(Inspect, a_malformed_file_has_the_code_its_index_says) {
  for (const Malformed& one : malformed()) {
    const Ran ran =
        run({"inspect", "--check", "--json", fixture("malformed/" + one.file).string()});
    const auto json = parse_json(ran.out, 1 << 20);
    ASSERT_TRUE(json) << one.file << ": " << ran.out;
    const Json error = json->find("error");
    ASSERT_TRUE(error) << one.file;
    EXPECT_EQ(string_at(*error, "code"), one.answer == "ok" ? "unsupported" : one.answer)
        << one.file << ": " << ran.out;
  }
}

TEST(Inspect, a_malformed_file_needs_little_memory) {
  if (SKEIN_TEST_SANITIZED) GTEST_SKIP() << "SKIPPED: sanitizers keep freed memory";
  const int64_t baseline = run({"--version"}).peak_bytes;
  for (const Malformed& one : malformed()) {
    const auto path = fixture("malformed/" + one.file);
    // A header is at most the file.
    const auto header = static_cast<int64_t>(std::filesystem::file_size(path));
    EXPECT_LE(run({"inspect", "--check", path.string()}).peak_bytes,
              baseline + 64 * kMiB + 4 * header)
        << one.file;
  }
}

TEST(Inspect, what_is_no_regular_file_is_refused_at_once) {
  const Folder folder;
  ASSERT_EQ(::mkfifo((folder / "fifo").c_str(), 0600), 0);
  write_text(folder / "empty", "");
  write_text(folder / "seven", "7 bytes");
  for (const std::string& path :
       {folder.path().string(), (folder / "fifo").string(), std::string("/dev/zero"),
        (folder / "empty").string(), (folder / "seven").string()}) {
    const Ran ran = run({"inspect", "--check", path});
    EXPECT_EQ(ran.code, 3) << path << ": " << ran.err;
    EXPECT_TRUE(contains(ran.err, "not a regular file") || contains(ran.err, "too short") ||
                contains(ran.err, "no model in this folder"))
        << ran.err;
    EXPECT_LT(ran.seconds, SKEIN_TEST_SANITIZED ? 5 : 1) << path;
  }
}

TEST(Inspect, every_container_of_one_model_is_the_same_model) {
  std::string sizes, parameters;
  for (const char* name :
       {"tiny_v7.pth", "tiny_v7.gguf", "tiny_v7.webrwkv.st", "tiny_v7.legacy_fp16.pth",
        "tiny_v7.strided_bf16.pth", "tiny_v7.fla_fused.safetensors"}) {
    const Ran ran =
        run({"inspect", "--check", "--json", fixture(std::string("models/") + name).string()});
    EXPECT_EQ(ran.code, 0) << name << ": " << ran.out;
    const auto json = parse_json(ran.out, 1 << 20);
    ASSERT_TRUE(json) << ran.out;
    EXPECT_EQ(string_at(*json, "kind"), "model") << name;
    EXPECT_EQ(string_at(*json, "design"), "rwkv7") << name;
    EXPECT_TRUE(string_at(*json, "title").starts_with("RWKV-7 \"Goose\"")) << name;
    const Json dimensions = json->find("dimensions");
    ASSERT_TRUE(dimensions) << name;
    std::string now;
    for (const char* key : {"layers", "width", "heads", "head_size", "inner", "vocab"}) {
      int64_t value = 0;
      ASSERT_TRUE(dimensions->find(key) && dimensions->find(key)->integer(value)) << name;
      now += std::to_string(value) + " ";
    }
    if (sizes.empty()) sizes = now;
    EXPECT_EQ(now, sizes) << name;
    const Json found = json->find("check");
    ASSERT_TRUE(found) << name;
    EXPECT_TRUE(found->find("not_finite")->object()->empty()) << name;
  }
  EXPECT_EQ(sizes, "2 64 1 64 96 260 ");
}

TEST(Inspect, every_generation_is_named_with_its_sizes) {
  const std::pair<const char*, const char*> cases[] = {
      {"v4.pth", "RWKV-4 \"Dove\""},      {"v5_0.pth", "RWKV-5.0"},
      {"v5_1.pth", "RWKV-5.1"},           {"v5_2.pth", "RWKV-5.2 \"Eagle\""},
      {"v6.pth", "RWKV-6 \"Finch\""},     {"tiny_v6.gguf", "RWKV-6 \"Finch\""},
      {"tiny_v6.webrwkv.st", "RWKV-6"},   {"v7.fla.safetensors", "RWKV-7 \"Goose\""},
      {"next/v7a/model.pth", "RWKV-7a"},  {"next/rwkv6qwen2/model.gguf", "QRWKV6"},
      {"next/arwkv7/model.gguf", "ARWKV"}};
  for (const auto& [name, title] : cases) {
    const Ran ran = run({"inspect", fixture(std::string("models/") + name).string()});
    EXPECT_EQ(ran.code, 0) << name << ran.err;
    EXPECT_TRUE(contains(ran.out, title)) << ran.out;
    EXPECT_TRUE(contains(ran.out, "sizes  L ")) << ran.out;
  }
}

TEST(Inspect, designs_that_do_not_run_are_named_and_exit_3) {
  for (const auto& [name, title] :
       {std::pair{"next/v7b/model.pth", "RWKV-7b"}, std::pair{"next/rwkv_x/model.pth", "RWKV-X"}}) {
    const Ran ran = run({"inspect", fixture(std::string("models/") + name).string()});
    EXPECT_EQ(ran.code, 3) << name;
    EXPECT_TRUE(contains(ran.err, title) && contains(ran.err, "not runnable yet")) << ran.err;
  }
}

TEST(Inspect, states_and_adapters_are_described_and_exit_0) {
  const std::pair<const char*, const char*> cases[] = {{"v7.state.pth", "full state"},
                                                       {"v7.time_state.pth", "tuned state"},
                                                       {"v6.time_state.st", "tuned state"},
                                                       {"v7.lora.pth", "adapter"}};
  for (const auto& [name, kind] : cases) {
    const Ran ran =
        run({"inspect", "--check", "--json", fixture(std::string("models/") + name).string()});
    EXPECT_EQ(ran.code, 0) << name << ": " << ran.err;
    const auto json = parse_json(ran.out, 1 << 20);
    ASSERT_TRUE(json) << ran.out;
    EXPECT_EQ(string_at(*json, "kind"), kind);
  }
}

TEST(Inspect, numbers_that_are_not_finite_are_counted_by_tensor) {
  // The last two f16 of the file belong to its last tensor.
  std::string bytes = text_of_file(fixture("models/tiny_v7.webrwkv.st"));
  const uint16_t bad[] = {0x7e00, 0xfc00};  // NaN, minus infinity
  std::memcpy(bytes.data() + bytes.size() - sizeof(bad), bad, sizeof(bad));
  const Folder folder;
  write_text(folder / "nan.st", bytes);
  const std::string path = (folder / "nan.st").string();
  EXPECT_EQ(run({"inspect", path}).err, "");
  const Ran ran = run({"inspect", "--check", path});
  EXPECT_EQ(ran.code, 0) << ran.err;
  EXPECT_TRUE(contains(ran.err, "warning: tensor ")) << ran.err;
  EXPECT_TRUE(contains(ran.err, " has 2 numbers that are not finite")) << ran.err;
  const auto json = parse_json(run({"inspect", "--check", "--json", path}).out, 1 << 20);
  ASSERT_TRUE(json);
  EXPECT_EQ(json->find("check")->find("not_finite")->object()->size(), 1u);
}

TEST(Inspect, a_view_larger_than_its_file_costs_neither_time_nor_memory) {
  using namespace pickle;
  // Two thousand million elements in 24 bytes.
  const std::string view = tensor(
      {.size = tuple(number(1 << 20) + number(1 << 11)), .stride = tuple(number(0) + number(0))});
  const Folder folder;
  write_text(folder / "wide.pth", pth(whole(dict(text("w") + view))));
  write_text(folder / "state.pth", pth(whole("](" + view + "e")));
  for (const std::vector<std::string>& args :
       {std::vector<std::string>{"inspect", "--check", (folder / "wide.pth").string()},
        std::vector<std::string>{"state", "show", (folder / "state.pth").string()}}) {
    const Ran ran = run(args);
    EXPECT_EQ(ran.code, 3) << ran.err;
    EXPECT_LT(ran.seconds, SKEIN_TEST_SANITIZED ? 5 : 1);
    if (!SKEIN_TEST_SANITIZED) {
      EXPECT_LT(ran.peak_bytes, run({"--version"}).peak_bytes + 64 * kMiB);
    }
  }
}

TEST(Inspect, views_of_one_storage_are_counted_each) {
  using namespace pickle;
  // Of six numbers the second is NaN; the first view has all of them, the others a column each.
  std::string nan = six_floats();
  nan.replace(4, 4, "\0\0\xc0\x7f"s);
  const auto column = [](int32_t offset) {
    return tensor({.offset = number(offset),
                   .size = tuple(number(2) + number(1)),
                   .stride = tuple(number(3) + number(1))});
  };
  const Folder folder;
  write_text(folder / "views.pth",
             zip(checkpoint(whole(dict(text("all") + tensor() + text("first") + column(0) +
                                       text("second") + column(1))),
                            {{"m/data/0", nan}})));
  const auto json =
      parse_json(run({"inspect", "--check", "--json", (folder / "views.pth").string()}).out, 4096);
  ASSERT_TRUE(json);
  const Json counts = json->find("check")->find("not_finite");
  int64_t all = 0, second = 0;
  EXPECT_EQ(counts->object()->size(), 2u);
  ASSERT_TRUE(counts->find("all") && counts->find("all")->integer(all));
  ASSERT_TRUE(counts->find("second") && counts->find("second")->integer(second));
  EXPECT_EQ(all, 1);
  EXPECT_EQ(second, 1);
}

TEST(Inspect, a_block_with_an_impossible_scale_is_found_by_check) {
  const Folder folder;
  std::string block(34, '\1');
  block.replace(0, 2, "\x00\x7e"s);  // Q8_0: the scale first, a half; this one is NaN
  write_text(folder / "scale.gguf",
             gguf::file({.tensors = {gguf::tensor({.axes = {32, 1}, .type = 8})}, .data = block}));
  EXPECT_TRUE(contains(run({"inspect", (folder / "scale.gguf").string()}).err, "no model"));
  const Ran ran = run({"inspect", "--check", "--json", (folder / "scale.gguf").string()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.out, "\"corrupt\"") && contains(ran.out, "tensor t")) << ran.out;
}

TEST(Inspect, only_check_reads_the_weights) {
  std::string bytes = text_of_file(fixture("models/v7.pth"));
  bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
  const Folder folder;
  write_text(folder / "flipped.pth", bytes);
  EXPECT_EQ(run({"inspect", (folder / "flipped.pth").string()}).code, 0);
  const Ran ran = run({"inspect", "--check", (folder / "flipped.pth").string()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "checksum") || contains(ran.err, "CRC")) << ran.err;
}

TEST(Inspect, a_cut_model_is_never_good) {
  const Folder folder;
  for (const char* name : {"tiny_v7.gguf", "tiny_v7.webrwkv.st", "tiny_v7.legacy_fp16.pth"}) {
    const std::string bytes = text_of_file(fixture(std::string("models/") + name));
    for (int i = 0; i < 12; ++i) {
      const size_t keep = bytes.size() * static_cast<size_t>(i) / 12 + (i == 0 ? 5 : 0);
      write_text(folder / name, bytes.substr(0, keep));
      const Ran ran = run({"inspect", "--check", (folder / name).string()});
      EXPECT_EQ(ran.code, 3) << name << " cut to " << keep << ": " << ran.err;
    }
  }
}

TEST(Inspect, a_missing_tensor_is_named) {
  std::string bytes = text_of_file(fixture("models/tiny_v7.webrwkv.st"));
  const std::string name = "blocks.1.att.key.weight";
  const size_t at = bytes.find(name);
  ASSERT_NE(at, std::string::npos);
  bytes.replace(at, name.size(), "blocks.1.att.kex.weight");
  const Folder folder;
  write_text(folder / "missing.st", bytes);
  const Ran ran = run({"inspect", (folder / "missing.st").string()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_TRUE(contains(ran.err, "missing.st: ") && contains(ran.err, name)) << ran.err;
}

TEST(Inspect, tensors_lists_every_tensor) {
  const Ran ran = run({"inspect", "--tensors", fixture("models/tiny_v7.pth").string()});
  EXPECT_EQ(ran.code, 0);
  for (const char* name : {"emb.weight", "blocks.1.ffn.value.weight", "blocks.0.att.r_k"})
    EXPECT_TRUE(contains(ran.out, name)) << name;
}

TEST(Inspect, bytes_of_a_file_cannot_reach_the_terminal) {
  const Folder folder;
  const std::string name = "\033[31mred.pth";
  write_text(folder / name, "not a model at all");
  const Ran ran = run({"inspect", (folder / name).string()});
  EXPECT_EQ(ran.code, 3);
  EXPECT_FALSE(contains(ran.err, "\033")) << ran.err;
}

}  // namespace
}  // namespace skein::test
