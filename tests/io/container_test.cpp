// The good fixtures: kind, names, shapes, and that one model reads the same from all containers.
#include "io/container.h"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <map>
#include <set>

#include "base/file.h"
#include "base/json.h"
#include "io/build.h"
#include "io/expect.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

struct Opened {
  File file;
  Container container;
};

Opened open_file(const std::filesystem::path& path) {
  auto file = File::map(path);
  if (!file) throw std::runtime_error(file.error().message);
  auto container = io::read_container(file->bytes(), file->name());
  if (!container) throw std::runtime_error(container.error().message);
  return {std::move(*file), std::move(*container)};
}

const StoredTensor& find(const Container& container, std::string_view name) {
  for (const StoredTensor& tensor : container.tensors)
    if (tensor.name == name) return tensor;
  throw std::runtime_error("no tensor " + std::string(name));
}

float half_to_float(uint16_t half) {
  const int exponent = half >> 10 & 31;
  const int fraction = half & 1023;
  const float magnitude = exponent == 0
                              ? std::ldexp(static_cast<float>(fraction), -24)
                              : std::ldexp(static_cast<float>(1024 + fraction), exponent - 25);
  return half & 0x8000 ? -magnitude : magnitude;
}

float element(const StoredTensor& tensor, int64_t at) {
  const auto size = static_cast<size_t>(block_size(tensor.dtype).bytes);
  const std::byte* from = tensor.storage.data() + static_cast<size_t>(at) * size;
  if (tensor.dtype == DType::f32) {
    float value;
    std::memcpy(&value, from, sizeof(value));
    return value;
  }
  uint16_t raw;
  std::memcpy(&raw, from, sizeof(raw));
  if (tensor.dtype == DType::f16) return half_to_float(raw);
  EXPECT_EQ(tensor.dtype, DType::bf16);
  return std::bit_cast<float>(static_cast<uint32_t>(raw) << 16);
}

std::vector<float> decode(const StoredTensor& tensor) {
  std::vector<float> out;
  for (int64_t i = 0; i < tensor.shape.elements(); ++i) {
    int64_t at = tensor.offset, rest = i;
    for (int axis = tensor.shape.rank() - 1; axis >= 0; --axis) {
      at += rest % tensor.shape[axis] * tensor.strides[axis];
      rest /= tensor.shape[axis];
    }
    out.push_back(element(tensor, at));
  }
  return out;
}

struct Fact {
  const char* file;
  Format format;
  const char* tensor;
  DType dtype;
  Shape shape;
};

const Fact kFacts[] = {
    {"v7.pth", Format::pth_zip, "emb.weight", DType::bf16, {260, 128}},
    {"tiny_v7.pth", Format::pth_zip, "emb.weight", DType::f32, {260, 64}},
    {"tiny_v7.strided_bf16.pth", Format::pth_zip, "blocks.0.att.w1", DType::bf16, {64, 12}},
    {"tiny_v7.legacy_fp16.pth", Format::pth_legacy, "blocks.0.att.w1", DType::f16, {64, 12}},
    {"tiny_v7.webrwkv.st", Format::safetensors, "blocks.0.att.a1", DType::f16, {8, 64}},
    {"tiny_v7.fla_fused.safetensors",
     Format::safetensors,
     "model.embeddings.weight",
     DType::bf16,
     {260, 64}},
    {"tiny_v7.gguf", Format::gguf, "token_embd.weight", DType::f16, {260, 64}},
    {"tiny_v6.gguf", Format::gguf, "token_embd.weight", DType::f16, {260, 64}},
    {"tiny_v6.webrwkv.st", Format::safetensors, "emb.weight", DType::f16, {260, 64}},
    {"v7.state.pth", Format::pth_zip, "1", DType::f32, {2, 64, 64}},
    {"v6.time_state.pth", Format::pth_zip, "blocks.0.att.time_state", DType::bf16, {2, 64, 64}},
    {"v6.time_state.st", Format::safetensors, "blocks.0.att.time_state", DType::f16, {2, 64, 64}},
    {"v7.time_state.pth", Format::pth_zip, "blocks.0.att.time_state", DType::bf16, {2, 64, 64}},
    {"v7.lora.pth", Format::pth_zip, "blocks.0.att.key.lora_A", DType::bf16, {4, 128}},
    {"v7.expected.safetensors", Format::safetensors, "tokens", DType::i32, {40}},
};

TEST(Container, good_fixtures_open_with_their_kind_names_and_shapes) {
  for (const Fact& fact : kFacts) {
    SCOPED_TRACE(fact.file);
    const auto opened = open_file(fixture(std::string("models/") + fact.file));
    EXPECT_EQ(opened.container.format, fact.format);
    const StoredTensor& tensor = find(opened.container, fact.tensor);
    EXPECT_EQ(tensor.shape.text(), fact.shape.text());
    EXPECT_EQ(dtype_name(tensor.dtype), dtype_name(fact.dtype));
    EXPECT_TRUE(io::verify_container(opened.file.bytes(), opened.container, opened.file.name()));
  }
}

TEST(Container, every_tensor_of_every_fixture_lies_inside_its_file) {
  for (const Fact& fact : kFacts) {
    const auto opened = open_file(fixture(std::string("models/") + fact.file));
    const auto whole = opened.file.bytes();
    std::set<std::string> names;
    for (const StoredTensor& tensor : opened.container.tensors) {
      EXPECT_TRUE(names.insert(tensor.name).second) << tensor.name;
      EXPECT_GE(tensor.storage.data(), whole.data());
      EXPECT_LE(tensor.storage.data() + tensor.storage.size(), whole.data() + whole.size());
    }
  }
}

TEST(Container, state_file_is_a_list_named_by_position) {
  const auto opened = open_file(fixture("models/v7.state.pth"));
  EXPECT_TRUE(opened.container.list);
  for (size_t i = 0; i < opened.container.tensors.size(); ++i)
    EXPECT_EQ(opened.container.tensors[i].name, std::to_string(i));
  EXPECT_EQ(opened.container.tensors.size() % 3, 0u);
}

TEST(Container, plain_strided_and_legacy_checkpoints_hold_the_same_values) {
  const auto plain = open_file(fixture("models/tiny_v7.pth"));
  const auto strided = open_file(fixture("models/tiny_v7.strided_bf16.pth"));
  const auto legacy = open_file(fixture("models/tiny_v7.legacy_fp16.pth"));
  ASSERT_EQ(plain.container.tensors.size(), strided.container.tensors.size());
  ASSERT_EQ(plain.container.tensors.size(), legacy.container.tensors.size());
  int strided_views = 0;
  for (const StoredTensor& tensor : plain.container.tensors) {
    const auto expected = decode(tensor);
    const StoredTensor& view = find(strided.container, tensor.name);
    EXPECT_EQ(view.shape.text(), tensor.shape.text()) << tensor.name;
    EXPECT_EQ(decode(view), expected) << tensor.name;
    EXPECT_EQ(decode(find(legacy.container, tensor.name)), expected) << tensor.name;
    if (view.strides != view.shape.contiguous_strides()) ++strided_views;
  }
  EXPECT_GT(strided_views, 10) << "the fixture no longer has transposed views";
}

TEST(Container, gguf_and_fla_hold_the_values_of_the_checkpoint) {
  const auto plain = open_file(fixture("models/tiny_v7.pth"));
  const auto gguf = open_file(fixture("models/tiny_v7.gguf"));
  const auto fla = open_file(fixture("models/tiny_v7.fla_fused.safetensors"));
  const auto& key = find(plain.container, "blocks.1.ffn.key.weight");
  EXPECT_EQ(find(gguf.container, "blk.1.channel_mix_key.weight").shape.text(), key.shape.text());
  EXPECT_EQ(decode(find(gguf.container, "blk.1.channel_mix_key.weight")), decode(key));
  EXPECT_EQ(decode(find(fla.container, "model.layers.1.ffn.key.weight")), decode(key));
}

TEST(Container, gguf_metadata_keeps_its_types) {
  const auto opened = open_file(fixture("models/tiny_v7.gguf"));
  const Metadata& metadata = opened.container.metadata;
  EXPECT_EQ(opened.container.version, 3);
  EXPECT_EQ(std::get<std::string>(metadata.at("general.architecture")), "rwkv7");
  EXPECT_EQ(std::get<uint64_t>(metadata.at("rwkv7.embedding_length")), 64u);
  EXPECT_EQ(std::get<uint64_t>(metadata.at("rwkv7.block_count")), 2u);
  EXPECT_NEAR(std::get<double>(metadata.at("rwkv7.attention.layer_norm_epsilon")), 1e-5, 1e-9);
}

TEST(Container, rwkv_cpp_models_open_with_their_head) {
  SK_NEEDS_SHARED("fixtures/rwkv.cpp/tiny-rwkv-7v0-834K-FP32.bin");
  struct Row {
    const char* file;
    int version;
    int64_t width, layers;
    size_t tensors;
  };
  for (const Row& row : {Row{"tiny-rwkv-7v0-834K-FP32.bin", 101, 64, 12, 339},
                         Row{"tiny-rwkv-4v0-660K-FP32.bin", 100, 128, 4, 78}}) {
    SCOPED_TRACE(row.file);
    const auto opened = open_file(shared_file(std::string("fixtures/rwkv.cpp/") + row.file));
    EXPECT_EQ(opened.container.format, Format::ggmf);
    EXPECT_EQ(opened.container.version, row.version);
    EXPECT_EQ(std::get<int64_t>(opened.container.metadata.at("n_vocab")), 256);
    EXPECT_EQ(std::get<int64_t>(opened.container.metadata.at("n_embed")), row.width);
    EXPECT_EQ(std::get<int64_t>(opened.container.metadata.at("n_layer")), row.layers);
    EXPECT_EQ(opened.container.tensors.size(), row.tensors);
    EXPECT_EQ(find(opened.container, "emb.weight").shape.text(), Shape({256, row.width}).text());
  }
}

TEST(Container, malformed_fixtures_are_answered_as_their_index_says) {
  const auto index = read_file(fixture("malformed/index.jsonl"), 1 << 20);
  ASSERT_TRUE(index);
  std::string_view lines(reinterpret_cast<const char*>(index->data()), index->size());
  int files = 0;
  while (!lines.empty()) {
    const size_t end = lines.find('\n');
    const auto row = parse_json(lines.substr(0, end), 1 << 16);
    ASSERT_TRUE(row);
    lines.remove_prefix(end + 1);
    const std::string name(*row->find("file")->string());
    const std::string answer(*row->find("answer")->string());
    SCOPED_TRACE(name + ": " + std::string(*row->find("why")->string()));
    const auto data = read_file(fixture("malformed/" + name), 1 << 20);
    ASSERT_TRUE(data);
    const auto container = io::read_container(*data, name);
    ++files;
    if (answer == "ok") {
      EXPECT_TRUE(container) << container.error().message;
      continue;
    }
    ASSERT_FALSE(container) << "was accepted";
    EXPECT_EQ(code_name(container.error().code), answer) << container.error().message;
    expect_sentence(container.error(), name);
  }
  EXPECT_GT(files, 70);
}

TEST(Container, what_is_no_model_is_named) {
  expect_refused("", Code::corrupt, "too short");
  expect_refused("GGU", Code::corrupt, "too short");
  expect_refused("1234567", Code::corrupt, "too short");
  expect_refused("  \n<HTML><body>not found</body>", Code::unsupported, "web page");
  expect_refused("<?xml version='1.0'?><Error/>", Code::unsupported, "web page");
  expect_refused("\xef\xbb\xbf<!DOCTYPE html>", Code::unsupported, "web page");
  expect_refused("version https://git-lfs.github.com/spec/v1\n", Code::unsupported, "Git LFS");
  std::string tar(600, '\0');
  tar.replace(0, 8, "storages");
  tar.replace(257, 5, "ustar");
  expect_refused(tar, Code::unsupported, "tar archive");
  expect_refused("\x80\x04\x95\x10\0\0\0\0\0\0\0}."s, Code::unsupported, "pickle of protocol 4");
  expect_refused("\x1f\x8b\x08 and so on", Code::unsupported, "unpack");
  expect_refused("plain text, no model", Code::unsupported, "not a model file");
  expect_refused(std::string(64, '\0'), Code::unsupported, "not a model file");
}

// The bytes 80 02 begin a legacy .pth, and also the header length 640.
TEST(Container, safetensors_with_a_header_of_640_bytes_is_no_pickle) {
  std::string header(kGoodHeader);
  header.resize(640, ' ');
  const auto container = open(safetensors(header));
  ASSERT_TRUE(container) << container.error().message;
  EXPECT_EQ(container->format, Format::safetensors);
}

TEST(Container, file_name_is_escaped_in_messages) {
  const auto container = io::read_container(bytes_of("x"), "a\nb\x1b[2J.pth");
  ASSERT_FALSE(container);
  EXPECT_TRUE(container.error().message.starts_with("a\\x0ab\\x1b[2J.pth: "))
      << container.error().message;
}

}  // namespace
}  // namespace skein::test
