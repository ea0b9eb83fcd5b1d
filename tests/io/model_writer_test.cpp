// Models written in every format and read back.
#include "io/model_writer.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <algorithm>
#include <cstring>
#include <numeric>

#include "base/file.h"
#include "base/limits.h"
#include "io/build.h"
#include "io/memory_meter.h"
#include "io/outputs.h"
#include "io/zip.h"
#include "quant/formats.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

using io::OutputTensor;
using io::WriteFormat;

struct Target {
  WriteFormat format;
  const char* name;
};
constexpr Target kTargets[] = {{WriteFormat::pth, "out.pth"},
                               {WriteFormat::safetensors, "out.safetensors"},
                               {WriteFormat::gguf, "out.gguf"},
                               {WriteFormat::packed, "out.skein"}};

std::vector<std::filesystem::path> fixture_models() {
  std::vector<std::filesystem::path> out;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(fixture("models")))
    if (entry.is_regular_file()) out.push_back(entry.path());
  std::sort(out.begin(), out.end());
  return out;
}

std::vector<float> ramp(size_t count) {
  std::vector<float> out(count);
  for (size_t i = 0; i < count; ++i) out[i] = static_cast<float>(i % 251) * 0.37f - 40.0f;
  return out;
}

bool holds_blocks(const Container& container) {
  return std::any_of(container.tensors.begin(), container.tensors.end(),
                     [](const auto& tensor) { return block_size(tensor.dtype).elements > 1; });
}

void expect_same_tensors(const Container& a, const Container& b) {
  ASSERT_EQ(a.tensors.size(), b.tensors.size());
  for (const StoredTensor& tensor : a.tensors) {
    SCOPED_TRACE(tensor.name);
    const StoredTensor* copy = find(b, tensor.name);
    ASSERT_TRUE(copy);
    EXPECT_EQ(copy->dtype, tensor.dtype);
    EXPECT_EQ(copy->shape, tensor.shape);
    EXPECT_TRUE(copy->contiguous());
    if (tensor.contiguous() && !tensor.storage.empty()) {
      ASSERT_LE(copy->storage.size(), tensor.storage.size());
      EXPECT_TRUE(std::equal(copy->storage.begin(), copy->storage.end(), tensor.storage.begin()));
    } else {
      EXPECT_EQ(numbers_of(*copy), numbers_of(tensor));
    }
  }
}

TEST(ModelWriter, every_fixture_goes_through_every_format_and_keeps_its_bytes) {
  const TestFolder folder;
  int written = 0;
  for (const auto& path : fixture_models()) {
    SCOPED_TRACE(path);
    const auto source = io::ModelFiles::open(path);
    ASSERT_TRUE(source) << source.error().message;
    const bool blocks = holds_blocks(source->container());
    for (const Target& target : kTargets) {
      SCOPED_TRACE(target.name);
      const bool plain =
          target.format == WriteFormat::pth || target.format == WriteFormat::safetensors;
      const auto outputs = outputs_of(source->container());
      const auto size = io::written_size(target.format, outputs, {});
      const Status done =
          io::write_model(folder / target.name, target.format, outputs, {}, {.overwrite = true});
      if (plain && blocks) {
        ASSERT_FALSE(done);
        EXPECT_EQ(done.error().code, Code::argument) << done.error().message;
        continue;
      }
      ASSERT_TRUE(done) << done.error().message;
      ASSERT_TRUE(size);
      EXPECT_EQ(*size, std::filesystem::file_size(folder / target.name));
      const auto copy = io::ModelFiles::open(folder / target.name);
      ASSERT_TRUE(copy) << copy.error().message;
      EXPECT_TRUE(copy->verify());
      expect_same_tensors(source->container(), copy->container());
      ++written;
    }
  }
  EXPECT_GT(written, 60);
}

TEST(ModelWriter, a_model_that_went_from_format_to_format_is_the_same_bytes) {
  const TestFolder folder;
  const auto source = io::ModelFiles::open(fixture("models/v7.pth"));
  ASSERT_TRUE(source);
  const auto step = [&](const io::ModelFiles& from, const std::string& name, WriteFormat format) {
    const Status done = io::write_model(folder / name, format, outputs_of(from.container()), {});
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    auto opened = io::ModelFiles::open(folder / name);
    EXPECT_TRUE(opened);
    return std::move(*opened);
  };
  const auto first = step(*source, "first.pth", WriteFormat::pth);
  const auto gguf = step(first, "a.gguf", WriteFormat::gguf);
  const auto packed = step(gguf, "b.skein", WriteFormat::packed);
  const auto safetensors = step(packed, "c.st", WriteFormat::safetensors);
  expect_same_tensors(source->container(), safetensors.container());
  // Safetensors orders by type, so that the order of the first is asked for.
  std::vector<OutputTensor> outputs;
  for (const StoredTensor& tensor : first.container().tensors)
    outputs.push_back({.name = tensor.name,
                       .dtype = tensor.dtype,
                       .shape = tensor.shape,
                       .parts = {*find(safetensors.container(), tensor.name)}});
  ASSERT_TRUE(io::write_model(folder / "last.pth", WriteFormat::pth, outputs, {}));
  EXPECT_EQ(*read_file(folder / "first.pth", 1 << 24), *read_file(folder / "last.pth", 1 << 24));
}

TEST(ModelWriter, a_list_without_names_comes_back_as_a_list) {
  const TestFolder folder;
  const auto source = io::ModelFiles::open(fixture("models/v7.state.pth"));
  ASSERT_TRUE(source);
  ASSERT_TRUE(io::write_model(folder / "s.pth", WriteFormat::pth, outputs_of(source->container()),
                              {}, {.as_list = true}));
  const auto copy = io::ModelFiles::open(folder / "s.pth");
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->container().list);
  expect_same_tensors(source->container(), copy->container());
}

// One of each kind that every metadata format keeps.
Metadata some_metadata() {
  return {{"a.flag", true},
          {"a.yes", std::vector<bool>{true, false, true}},
          {"b.negative", int64_t{-5}},
          {"b.large", uint64_t{1} << 40},
          {"b.deep", int64_t{-1} - (int64_t{1} << 40)},
          {"c.real", 0.5},
          {"d.text", std::string("bytes \xff\0 too", 12)},
          {"e.signed", std::vector<int64_t>{-1, 7}},
          {"e.unsigned", std::vector<uint64_t>{1, uint64_t{1} << 33}},
          {"f.reals", std::vector<double>{0.25, -8}},
          {"g.texts", std::vector<std::string>{"", "x", "\n"}}};
}

TEST(ModelWriter, metadata_of_gguf_and_packed_files_comes_back_as_it_was) {
  const TestFolder folder;
  const auto data = ramp(6);
  const std::vector<OutputTensor> outputs = {
      {.name = "t", .shape = {2, 3}, .parts = {stored<float>("t", DType::f32, {2, 3}, data)}}};
  for (const WriteFormat format : {WriteFormat::gguf, WriteFormat::packed}) {
    ASSERT_TRUE(
        io::write_model(folder / "m", format, outputs, some_metadata(), {.overwrite = true}));
    const auto copy = io::ModelFiles::open(folder / "m");
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ(copy->container().metadata, some_metadata());
  }
}

TEST(ModelWriter, safetensors_metadata_is_text_and_lists_are_refused) {
  const TestFolder folder;
  const Metadata metadata = {{"format", std::string("pt")}, {"n", uint64_t{7}}, {"on", true}};
  ASSERT_TRUE(io::write_model(folder / "m.st", WriteFormat::safetensors, {}, metadata));
  const auto copy = io::ModelFiles::open(folder / "m.st");
  ASSERT_TRUE(copy) << copy.error().message;
  EXPECT_EQ(copy->container().metadata, (Metadata{{"format", std::string("pt")},
                                                  {"n", std::string("7")},
                                                  {"on", std::string("true")}}));
  const auto size = io::written_size(WriteFormat::safetensors, {}, some_metadata());
  ASSERT_FALSE(size);
  EXPECT_EQ(size.error().code, Code::argument);
}

TEST(ModelWriter, gguf_numbers_have_the_types_that_llama_cpp_asks_for) {
  const TestFolder folder;
  const Metadata metadata = {{"k.count", int64_t{7}},
                             {"k.eps", 1e-5},
                             {"k.kinds", std::vector<int64_t>{1, 6}},
                             {"k.low", int64_t{-2}},
                             {"k.wide", uint64_t{1} << 32},
                             {"general.alignment", uint64_t{4096}},
                             {"split.count", uint64_t{3}}};
  ASSERT_TRUE(io::write_model(folder / "m.gguf", WriteFormat::gguf, {}, metadata));
  const auto bytes = read_file(folder / "m.gguf", 4096);
  ASSERT_TRUE(bytes);
  const std::string_view file(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  const auto contains = [&](const std::string& pair) {
    return file.find(pair) != std::string_view::npos;
  };
  EXPECT_TRUE(contains(gguf::pair("k.count", 4, uint32_t{7})));
  EXPECT_TRUE(contains(gguf::pair("k.eps", 6, 1e-5f)));
  EXPECT_TRUE(contains(gguf::pair_array("k.kinds", 5, 2, le(int32_t{1}) + le(int32_t{6}))));
  EXPECT_TRUE(contains(gguf::pair("k.low", 5, int32_t{-2})));
  EXPECT_TRUE(contains(gguf::pair("k.wide", 10, uint64_t{1} << 32)));
  // What describes another file's bytes is not repeated.
  EXPECT_FALSE(contains("general.alignment"));
  EXPECT_FALSE(contains("split.count"));
}

TEST(ModelWriter, other_types_are_what_the_encoder_makes_of_the_numbers) {
  const TestFolder folder;
  const auto data = ramp(3 * 512);
  for (const DType type : {DType::f16, DType::bf16, DType::q4_0, DType::q8_0, DType::q8_k}) {
    SCOPED_TRACE(dtype_name(type));
    const std::vector<OutputTensor> outputs = {
        {.name = "t",
         .dtype = type,
         .shape = {3, 512},
         .parts = {stored<float>("t", DType::f32, {3, 512}, data)}}};
    for (const int threads : {1, 2}) {
      ASSERT_TRUE(io::write_model(folder / "m", WriteFormat::packed, outputs, {},
                                  {.overwrite = true, .threads = threads}));
      const auto copy = io::ModelFiles::open(folder / "m");
      ASSERT_TRUE(copy);
      const StoredTensor& tensor = copy->container().tensors[0];
      std::vector<std::byte> expected(tensor.storage.size());
      ASSERT_TRUE(quant::encode(type, data, expected));
      EXPECT_TRUE(std::equal(expected.begin(), expected.end(), tensor.storage.begin()));
    }
  }
}

// 0, 1, 2 ... as if they were computed from something.
class Counting final : public ComputedTensor {
 public:
  explicit Counting(int64_t elements) : elements_(elements) {}
  int64_t elements() const override { return elements_; }
  Status read(int64_t first, std::span<float> out) const override {
    std::iota(out.begin(), out.end(), static_cast<float>(first));
    return {};
  }

 private:
  int64_t elements_;
};

TEST(ModelWriter, parts_follow_each_other_however_they_are_kept) {
  const TestFolder folder;
  const std::vector<float> numbers = {0, 1, 2, 3, 4, 5};
  const StoredTensor rows = stored<float>("r", DType::f32, {2, 3}, numbers);
  StoredTensor computed = rows;
  computed.storage = {};
  computed.computed = std::make_shared<Counting>(6);
  const std::vector<OutputTensor> outputs = {
      {.name = "t",
       .dtype = DType::f32,
       .shape = {4, 2, 3},
       .parts = {rows, rows.transposed(), computed, rows.row(1), rows.row(0)}}};
  ASSERT_TRUE(io::write_model(folder / "m.pth", WriteFormat::pth, outputs, {}));
  const auto copy = io::ModelFiles::open(folder / "m.pth");
  ASSERT_TRUE(copy);
  EXPECT_EQ(numbers_of(copy->container().tensors[0]),
            (std::vector<float>{0, 1, 2, 3, 4, 5,     // as it is
                                0, 3, 1, 4, 2, 5,     // transposed
                                0, 1, 2, 3, 4, 5,     // computed
                                3, 4, 5, 0, 1, 2}));  // its rows, the last first
}

TEST(ModelWriter, panels_hold_sixteen_rows_side_by_side_and_read_as_the_matrix) {
  const TestFolder folder;
  for (const int64_t rows : {1, 15, 16, 17, 40}) {
    SCOPED_TRACE(rows);
    constexpr int64_t kWidth = 300;
    const auto data = ramp(static_cast<size_t>(rows * kWidth));
    for (const DType type : {DType::f32, DType::f16, DType::bf16}) {
      const StoredTensor source = stored<float>("t", DType::f32, {rows, kWidth}, data);
      // Its first row and the rest are parts of their own: a border inside a panel.
      StoredTensor rest = source;
      rest.shape[0] = rows - 1;
      rest.offset = kWidth;
      const std::vector<OutputTensor> outputs = {{.name = "t",
                                                  .dtype = type,
                                                  .shape = {rows, kWidth},
                                                  .parts = {source.row(0), rest},
                                                  .layout = Layout::panels16}};
      const auto path = folder / "m.skein";
      ASSERT_TRUE(io::write_model(path, WriteFormat::packed, outputs, {}, {.overwrite = true}));
      EXPECT_EQ(*io::written_size(WriteFormat::packed, outputs, {}),
                std::filesystem::file_size(path));
      const auto copy = io::ModelFiles::open(path);
      ASSERT_TRUE(copy) << copy.error().message;
      ASSERT_TRUE(copy->verify());
      const StoredTensor& tensor = copy->container().tensors[0];
      EXPECT_FALSE(tensor.contiguous());
      EXPECT_EQ(reinterpret_cast<uintptr_t>(tensor.storage.data()) % 64, 0u);
      const int64_t panels = (rows + 15) / 16;
      std::vector<float> stored_numbers(static_cast<size_t>(panels * 16 * kWidth));
      ASSERT_TRUE(quant::decode(type, tensor.storage, stored_numbers));
      const auto numbers = numbers_of(tensor);
      const auto across = numbers_of(tensor.transposed());
      for (int64_t r = 0; r < panels * 16; ++r)
        for (int64_t k = 0; k < kWidth; ++k) {
          float expected = 0;
          std::vector<std::byte> raw(static_cast<size_t>(block_size(type).bytes));
          if (r < rows) {
            ASSERT_TRUE(quant::encode(
                type, std::span(data).subspan(static_cast<size_t>(r * kWidth + k), 1), raw));
            ASSERT_TRUE(quant::decode(type, raw, std::span(&expected, 1)));
            ASSERT_EQ(numbers[static_cast<size_t>(r * kWidth + k)], expected);
            ASSERT_EQ(across[static_cast<size_t>(k * rows + r)], expected);
          }
          const int64_t place = (r / 16 * kWidth + k) * 16 + r % 16;
          ASSERT_EQ(stored_numbers[static_cast<size_t>(place)], expected) << r << " " << k;
        }
      std::vector<float> row(kWidth);
      ASSERT_TRUE(quant::read_rows_f32(tensor, rows - 1, 1, row));
      EXPECT_TRUE(std::equal(row.begin(), row.end(), numbers.end() - kWidth));
    }
  }
}

TEST(ModelWriter, panels_are_turned_back_into_rows) {
  const TestFolder folder;
  const auto data = ramp(40 * 64);
  auto outputs =
      std::vector<OutputTensor>{{.name = "t",
                                 .dtype = DType::f32,
                                 .shape = {40, 64},
                                 .parts = {stored<float>("t", DType::f32, {40, 64}, data)},
                                 .layout = Layout::panels16}};
  ASSERT_TRUE(io::write_model(folder / "m.skein", WriteFormat::packed, outputs, {}));
  const auto packed = io::ModelFiles::open(folder / "m.skein");
  ASSERT_TRUE(packed);
  ASSERT_TRUE(
      io::write_model(folder / "m.pth", WriteFormat::pth, outputs_of(packed->container()), {}));
  const auto copy = io::ModelFiles::open(folder / "m.pth");
  ASSERT_TRUE(copy);
  EXPECT_TRUE(copy->container().tensors[0].contiguous());
  EXPECT_EQ(numbers_of(copy->container().tensors[0]), data);
  // And panels again are the same file.
  outputs[0].parts = {packed->container().tensors[0]};
  ASSERT_TRUE(io::write_model(folder / "n.skein", WriteFormat::packed, outputs, {}));
  EXPECT_EQ(*read_file(folder / "m.skein", 1 << 20), *read_file(folder / "n.skein", 1 << 20));
}

TEST(ModelWriter, numbers_beyond_the_zip64_threshold_have_64_bits) {
  const TestFolder folder;
  const auto source = io::ModelFiles::open(fixture("models/tiny_v7.pth"));
  ASSERT_TRUE(source);
  const auto outputs = outputs_of(source->container());
  // All of it wide; only offsets, only sizes and offsets of the large; nothing.
  for (const uint64_t from : {uint64_t{0}, uint64_t{1}, uint64_t{300}, uint64_t{20'000},
                              uint64_t{100'000}, uint64_t{UINT32_MAX}}) {
    SCOPED_TRACE(from);
    const io::WriteOptions options = {.overwrite = true, .zip64_from = from};
    ASSERT_TRUE(io::write_model(folder / "m.pth", WriteFormat::pth, outputs, {}, options));
    EXPECT_EQ(*io::written_size(WriteFormat::pth, outputs, {}, options),
              std::filesystem::file_size(folder / "m.pth"));
    const auto copy = io::ModelFiles::open(folder / "m.pth");
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_TRUE(copy->verify());
    expect_same_tensors(source->container(), copy->container());
    const auto bytes = copy->files()[0].bytes();
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    EXPECT_EQ(text.find("PK\6\6") != std::string_view::npos, from <= 300'000);
    const auto archive = io::ZipArchive::read(bytes);
    ASSERT_TRUE(archive);
    for (const io::ZipEntry& entry : archive->entries())
      EXPECT_EQ((entry.data.data() - bytes.data()) % 64, 0) << entry.name;
  }
}

TEST(ModelWriter, cancelling_leaves_nothing_behind) {
  const TestFolder folder;
  const float one = 1;
  StoredTensor broad = stored<float>("t", DType::f32, {1}, std::span(&one, 1));
  broad.shape = {4096, 8192};  // 128 MiB of the same number
  broad.strides = {0, 0};
  const std::vector<OutputTensor> outputs = {
      {.name = "t", .shape = {4096, 8192}, .parts = {broad}}};
  for (const Target& target : kTargets) {
    int calls = 0;
    const auto progress = [&calls](uint64_t done, uint64_t total) {
      EXPECT_LE(done, total);
      return ++calls < 3;
    };
    const Status done = io::write_model(folder / target.name, target.format, outputs, {},
                                        {.progress = progress, .threads = 1});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::io);
    EXPECT_EQ(calls, 3);
    EXPECT_EQ(folder.entries(), 0u);
  }
}

TEST(ModelWriter, progress_ends_at_the_total_and_memory_does_not_grow_with_the_model) {
  const TestFolder folder;
  const float one = 1;
  StoredTensor broad = stored<float>("t", DType::f32, {1}, std::span(&one, 1));
  broad.shape = {2048, 8192};
  broad.strides = {0, 0};
  for (const Layout layout : {Layout::rows, Layout::panels16}) {
    const std::vector<OutputTensor> outputs = {{.name = "t",
                                                .dtype = DType::bf16,
                                                .shape = {2048, 8192},
                                                .parts = {broad},
                                                .layout = layout}};
    uint64_t last = 0, all = 0;
    const auto progress = [&](uint64_t done, uint64_t total) {
      EXPECT_GE(done, last);
      last = done;
      all = total;
      return true;
    };
    const MemoryMeter meter;
    ASSERT_TRUE(io::write_model(folder / "m", WriteFormat::packed, outputs, {},
                                {.progress = progress, .overwrite = true, .threads = 1}));
    EXPECT_LT(meter.peak(), 12u << 20);
    EXPECT_EQ(last, all);
    EXPECT_EQ(all, std::filesystem::file_size(folder / "m"));
  }
}

TEST(ModelWriter, a_place_that_is_taken_is_left_as_it_is) {
  const TestFolder folder;
  const std::string old = "old";
  ASSERT_TRUE(write_file(folder / "m.st", std::vector{bytes_of(old)}));
  const Status taken = io::write_model(folder / "m.st", WriteFormat::safetensors, {}, {});
  ASSERT_FALSE(taken);
  EXPECT_EQ(taken.error().code, Code::io);
  EXPECT_EQ(std::filesystem::file_size(folder / "m.st"), old.size());
  EXPECT_TRUE(
      io::write_model(folder / "m.st", WriteFormat::safetensors, {}, {}, {.overwrite = true}));
  EXPECT_NE(std::filesystem::file_size(folder / "m.st"), old.size());

  std::filesystem::create_directory(folder / "d");
  for (const char* place : {"d", "none/m.st"}) {
    const Status done =
        io::write_model(folder / place, WriteFormat::safetensors, {}, {}, {.overwrite = true});
    ASSERT_FALSE(done) << place;
    EXPECT_EQ(done.error().code, Code::io);
  }
  EXPECT_EQ(folder.entries(), 2u);
}

TEST(ModelWriter, a_disk_without_the_space_is_told_before_anything_is_written) {
  const TestFolder folder;
  const float one = 1;
  StoredTensor broad = stored<float>("t", DType::f32, {1}, std::span(&one, 1));
  broad.shape = {1 << 30, 1 << 20};  // 4 PiB
  broad.strides = {0, 0};
  const std::vector<OutputTensor> outputs = {{.name = "t", .shape = broad.shape, .parts = {broad}}};
  for (const Target& target : kTargets) {
    const auto size = io::written_size(target.format, outputs, {});
    ASSERT_TRUE(size);
    EXPECT_GT(*size, uint64_t{1} << 52);
    const Status done = io::write_model(folder / target.name, target.format, outputs, {});
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::io);
    EXPECT_NE(done.error().message.find("free"), std::string::npos) << done.error().message;
  }
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(ModelWriter, a_part_that_cannot_be_read_ends_the_file) {
  const TestFolder folder;
  std::vector<std::byte> block(18, std::byte{0});
  block[1] = std::byte{0x7c};  // an infinite scale
  const StoredTensor broken = stored<std::byte>("t", DType::q4_0, {32}, block);
  const std::vector<OutputTensor> outputs = {{.name = "t", .shape = {32}, .parts = {broken}}};
  const Status done = io::write_model(folder / "m", WriteFormat::packed, outputs, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::corrupt);
  EXPECT_EQ(folder.entries(), 0u);
  // A number that the type cannot hold, told with the tensor's name.
  const float huge = INFINITY;
  StoredTensor infinite = stored<float>("x", DType::f32, {1}, std::span(&huge, 1));
  infinite.shape = {32};
  infinite.strides = {0};
  const std::vector<OutputTensor> quantised = {
      {.name = "some.name", .dtype = DType::q8_0, .shape = {32}, .parts = {infinite}}};
  const Status refused = io::write_model(folder / "m", WriteFormat::gguf, quantised, {});
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("some.name"), std::string::npos);
  EXPECT_EQ(folder.entries(), 0u);
}

TEST(ModelWriter, what_a_format_cannot_hold_is_an_argument_error) {
  const auto data = ramp(512);
  const auto part = stored<float>("t", DType::f32, {2, 256}, data);
  const auto tensor = [&](std::string name, DType type, Shape shape, StoredTensor from,
                          Layout layout = Layout::rows) {
    return OutputTensor{std::move(name), type, shape, {std::move(from)}, layout};
  };
  struct Case {
    WriteFormat format;
    OutputTensor tensor;
  };
  const auto vector = stored<float>("t", DType::f32, {512}, data);
  const auto deep = stored<float>("t", DType::f32, {2, 2, 2, 2, 32}, data);
  const auto narrow = stored<float>("t", DType::f32, {32, 16}, data);
  std::vector<uint64_t> words(8);
  const auto i64 = stored<uint64_t>("t", DType::i64, {2, 4}, words);
  const std::vector<Case> cases = {
      {WriteFormat::pth, tensor("t", DType::q8_0, {2, 256}, part)},
      {WriteFormat::safetensors, tensor("t", DType::q4_0, {2, 256}, part)},
      {WriteFormat::safetensors, tensor("t", DType::f32, {2, 2, 2, 2, 32}, deep)},
      {WriteFormat::gguf, tensor("t", DType::f32, {2, 2, 2, 2, 32}, deep)},
      {WriteFormat::gguf, tensor(std::string(64, 'n'), DType::f32, {2, 256}, part)},
      {WriteFormat::gguf, tensor("t", DType::boolean, {2, 256}, part)},
      {WriteFormat::pth, tensor("t", DType::f32, {2, 256}, part, Layout::panels16)},
      {WriteFormat::gguf, tensor("t", DType::f32, {2, 256}, part, Layout::panels16)},
      {WriteFormat::safetensors, tensor("t", DType::f32, {2, 256}, part, Layout::panels16)},
      {WriteFormat::packed, tensor("t", DType::f32, {512}, vector, Layout::panels16)},
      {WriteFormat::packed, tensor("t", DType::q8_0, {2, 256}, part, Layout::panels16)},
      {WriteFormat::packed, tensor("t", DType::f32, {2, 255}, part)},
      {WriteFormat::packed, tensor("t", DType::f32, {-2, -256}, part)},
      {WriteFormat::packed, tensor("t", DType::q8_0, {16, 32}, narrow)},
      {WriteFormat::packed, tensor("t", DType::q8_0, {32, 16}, part)},
      {WriteFormat::packed, tensor("t", DType::i32, {2, 256}, part)},
      {WriteFormat::packed, tensor("t", DType::i64, {4, 2}, i64.transposed())},
      {WriteFormat::packed, tensor("", DType::f32, {2, 256}, part)},
      {WriteFormat::packed, tensor("\x1b", DType::f32, {2, 256}, part)},
  };
  for (size_t i = 0; i < cases.size(); ++i) {
    SCOPED_TRACE(i);
    const auto size = io::written_size(cases[i].format, std::span(&cases[i].tensor, 1), {});
    ASSERT_FALSE(size);
    EXPECT_EQ(size.error().code, Code::argument) << size.error().message;
  }
  const std::vector<OutputTensor> twice(2, tensor("t", DType::f32, {2, 256}, part));
  EXPECT_FALSE(io::written_size(WriteFormat::packed, twice, {}));
  EXPECT_FALSE(io::written_size(WriteFormat::gguf, {}, {{"", true}}));
  EXPECT_FALSE(io::written_size(WriteFormat::packed, {}, {{"a\n", true}}));
  const std::string large(limits::kHeaderBytes, 'x');
  for (const WriteFormat format :
       {WriteFormat::safetensors, WriteFormat::gguf, WriteFormat::packed})
    EXPECT_FALSE(io::written_size(format, {}, {{"k", large}}));
}

TEST(ModelWriter, formats_are_known_by_name_and_by_ending) {
  WriteFormat format{};
  for (const char* name : {"gguf", ".gguf"}) {
    EXPECT_TRUE(io::write_format_from(name, format));
    EXPECT_EQ(format, WriteFormat::gguf);
  }
  EXPECT_TRUE(io::write_format_from(".skein", format));
  EXPECT_EQ(format, WriteFormat::packed);
  EXPECT_TRUE(io::write_format_from(".st", format));
  EXPECT_EQ(format, WriteFormat::safetensors);
  EXPECT_FALSE(io::write_format_from(".bin", format));
  EXPECT_FALSE(io::write_format_from("", format));
}

}  // namespace
}  // namespace skein::test
