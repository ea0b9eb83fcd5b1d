// Tensors of types that Skein cannot read: beside a model they change nothing, in one they are
// refused by name; and running, inspecting and converting say the same.
#include "base/hash.h"
#include "cli/file_report.h"
#include "io/build.h"
#include "support/rewrite.h"

namespace skein::test {
namespace {

using io::WriteFormat;

std::string text_of(const std::filesystem::path& path) {
  const auto bytes = read_file(path, 64 << 20);
  EXPECT_TRUE(bytes) << path;
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "";
}

// `used`: the tensor stands in the model and has the type; else it is one that no model has.
void expect_alike(const std::filesystem::path& path, bool used, const std::string& tensor,
                  const std::string& type, const std::vector<float>& expected) {
  const auto opened = Model::open(path);
  const auto conversion = Conversion::prepare(path, {.format = WriteFormat::packed});
  for (const bool check : {false, true}) {
    const auto report = cli::report_file(path, check, [](int64_t, int64_t) {});
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->kind, cli::FileKind::model);
    EXPECT_EQ(report->obstacle.has_value(), used);
    EXPECT_EQ(report->model.has_value(), !used);
    const auto row = std::find_if(report->tensors.begin(), report->tensors.end(),
                                  [&](const auto& one) { return one.dtype == type; });
    ASSERT_NE(row, report->tensors.end());
    EXPECT_FALSE(row->read);
    if (used && report->obstacle) {
      EXPECT_EQ(report->obstacle->code, Code::unsupported);
      EXPECT_EQ(report->obstacle->message, opened.error().message);
    }
  }
  ASSERT_EQ(opened.has_value(), !used) << (opened ? "" : opened.error().message);
  EXPECT_EQ(conversion.has_value(), !used);
  if (used) {
    EXPECT_EQ(opened.error().code, Code::unsupported);
    for (const std::string& fact : {tensor, type})
      EXPECT_NE(opened.error().message.find(fact), std::string::npos) << opened.error().message;
    EXPECT_EQ(conversion.error().message, opened.error().message);
    return;
  }
  EXPECT_TRUE(same_bits(some_logits(path), expected));
  const auto& notes = (*opened)->info().notes;
  EXPECT_TRUE(std::any_of(notes.begin(), notes.end(), [](const std::string& note) {
    return note.find("were ignored") != std::string::npos;
  }));
}

constexpr const char* kUsed[] = {"emb.weight", "blocks.0.att.key.weight", "blocks.1.ln1.weight",
                                 "head.weight"};

TEST(Unread, types_of_safetensors) {
  const ModelFolder folder;
  const auto model = folder.random("m.safetensors", {.design = "rwkv4"});
  const auto expected = some_logits(model);
  // Sizes are known of all but the last two, which have what their range says.
  const std::pair<const char*, DType> types[] = {{"U16", DType::bf16},   {"U32", DType::f32},
                                                 {"F8_E4M3", DType::u8}, {"F8_E5M2", DType::u8},
                                                 {"F8_E8M0", DType::u8}, {"F8_E4M3FNUZ", DType::u8},
                                                 {"U64", DType::i64},    {"C64", DType::f64},
                                                 {"F4", DType::u8},      {"NEW_TYPE", DType::f32}};
  for (const auto& [type, like] : types) {
    std::vector<std::string> names = {"extra"};
    if (like == DType::f32 || like == DType::bf16)
      names.insert(names.end(), std::begin(kUsed), std::end(kUsed));
    for (const std::string& name : names) {
      SCOPED_TRACE(std::string(type) + " " + name);
      rewrite(model, folder / "u.safetensors", WriteFormat::safetensors, [&](Contents& all) {
        if (name == "extra") {
          all.tensors.push_back(all.tensors.front());
          all.tensors.back().name = "extra";
        }
        for (io::OutputTensor& tensor : all.tensors) {
          if (tensor.name != name) continue;
          if (like == DType::f32 || like == DType::bf16) {
            tensor.dtype = like;
          } else {
            static const std::vector<std::byte> kBytes(6 * 8);
            StoredTensor bytes = StoredTensor::of(name, {6}, nullptr, like);
            bytes.storage =
                std::span(kBytes).first(6 * static_cast<size_t>(block_size(like).bytes));
            tensor = {.name = name, .dtype = like, .shape = {6}, .parts = {bytes}};
          }
        }
      });
      const std::string file = text_of(folder / "u.safetensors");
      uint64_t length = 0;
      std::memcpy(&length, file.data(), 8);
      std::string header = file.substr(8, length);
      const size_t at = header.find("\"" + name + "\":");
      ASSERT_NE(at, std::string::npos);
      const std::string old = "\"" + std::string(dtype_name(like)) + "\"";
      header.replace(header.find(old, at), old.size(), "\"" + std::string(type) + "\"");
      folder.write("u.safetensors", std::string_view(le(uint64_t{header.size()}) + header +
                                                     file.substr(8 + length)));
      expect_alike(folder / "u.safetensors", name != "extra", name, type, expected);
    }
  }
}

// The type stands behind the axes of a tensor's record.
void set_gguf_type(std::string& file, const std::string& name, uint32_t axes, uint32_t type) {
  const size_t at = file.find(le(uint64_t{name.size()}) + name + le(axes));
  ASSERT_NE(at, std::string::npos) << name;
  file.replace(at + 8 + name.size() + 4 + 8 * axes, 4, le(type));
}

TEST(Unread, types_of_gguf) {
  const ModelFolder folder;
  const auto official = folder.random(
      "m.safetensors", {.width = 256, .heads = 4, .inner = 256, .vocab = 256, .design = "rwkv6"});
  const auto model = folder.convert(official, "m.gguf", {.format = WriteFormat::gguf});
  const auto expected = some_logits(model);
  rewrite(model, folder / "extra.gguf", WriteFormat::gguf, [](Contents& all) {
    all.tensors.push_back(all.tensors.front());
    all.tensors.back().name = "extra.weight";
  });
  // Known by their size, withdrawn, and not made yet. With halves of layers undone besides.
  const std::pair<uint32_t, const char*> types[] = {
      {16, "IQ2_XXS"}, {19, "IQ1_S"},     {21, "IQ3_S"},    {34, "TQ1_0"},
      {4, "number 4"}, {36, "number 36"}, {99, "number 99"}};
  const std::pair<const char*, const char*> used[] = {
      {"token_embd.weight", "emb.weight"},
      {"blk.1.time_mix_output.weight", "blocks.1.att.output.weight"},
      {"blk.0.time_mix_w1.weight", "blocks.0.att.time_maa_w1"},
      {"output.weight", "head.weight"}};
  for (const auto& [number, type] : types) {
    SCOPED_TRACE(type);
    std::string file = text_of(folder / "extra.gguf");
    const auto files = io::ModelFiles::open(folder / "extra.gguf");
    ASSERT_TRUE(files);
    const auto axes_of = [&](const std::string& name) -> uint32_t {
      for (const StoredTensor& tensor : files->container().tensors)
        if (tensor.name == name) return static_cast<uint32_t>(tensor.shape.rank());
      ADD_FAILURE() << name;
      return 0;
    };
    set_gguf_type(file, "extra.weight", axes_of("extra.weight"), number);
    expect_alike(folder.write("u.gguf", std::string_view(file)), false, "extra.weight", type,
                 expected);
    for (const auto& [name, official_name] : used) {
      std::string bad = text_of(model);
      set_gguf_type(bad, name, axes_of(name), number);
      expect_alike(folder.write("u.gguf", std::string_view(bad)), true, official_name, type, {});
    }
  }
  // A transform of such a tensor is not read either.
  rewrite(model, folder / "half.gguf", WriteFormat::gguf,
          [](Contents& all) { all.metadata["rwkv6.rescale_every_n_layers"] = int64_t{1}; });
  std::string half = text_of(folder / "half.gguf");
  set_gguf_type(half, "blk.1.time_mix_output.weight", 2, 16);
  expect_alike(folder.write("u.gguf", std::string_view(half)), true, "blocks.1.att.output.weight",
               "IQ2_XXS", {});
}

// Pickles by hand: torch names a storage's type, or since 2.1 gives new types to the tensor.
TEST(Unread, types_of_checkpoints) {
  using namespace pickle;
  const ModelFolder folder;
  const auto data = random_model({.layers = 1, .design = "rwkv4"});
  const auto expected =
      some_logits(folder.write("m.safetensors", std::span<const std::byte>(as_safetensors(data))));
  struct Type {
    const char* storage;
    const char* element;  // of _rebuild_tensor_v3
    const char* name;
    int bytes;
  };
  const Type types[] = {{"ComplexFloatStorage", nullptr, "complex64", 8},
                        {"ComplexDoubleStorage", nullptr, "complex128", 16},
                        {"QInt8Storage", nullptr, "qint8", 1},
                        {nullptr, "uint16", "uint16", 2},
                        {nullptr, "uint32", "uint32", 4},
                        {nullptr, "uint64", "uint64", 8},
                        {nullptr, "float8_e4m3fn", "float8_e4m3fn", 1},
                        {nullptr, "float8_e5m2", "float8_e5m2", 1}};
  const auto checkpoint_with = [&](const std::string& odd, const Type& type) {
    std::string pairs;
    std::vector<ZipPart> storages;
    const auto add = [&](const std::string& name, const Shape& shape, std::string bytes) {
      const std::string key = std::to_string(storages.size());
      const auto elements = static_cast<int32_t>(shape.elements());
      std::string size, stride;
      const Shape strides = shape.contiguous_strides();
      for (int i = 0; i < shape.rank(); ++i) {
        size += number(static_cast<int32_t>(shape[i]));
        stride += number(static_cast<int32_t>(strides[i]));
      }
      Tensor tensor = {
          .key = key, .count = number(elements), .size = tuple(size), .stride = tuple(stride)};
      pairs += text(name);
      if (name != odd) {
        pairs += pickle::tensor(tensor);
      } else if (type.storage) {
        tensor.type = type.storage;
        pairs += pickle::tensor(tensor);
        bytes.assign(static_cast<size_t>(elements * type.bytes), '\1');
      } else {
        bytes.assign(static_cast<size_t>(elements * type.bytes), '\1');
        const std::string id = tuple(text("storage") + global("torch.storage", "UntypedStorage") +
                                     text(key) + text("cpu") + number(elements * type.bytes)) +
                               "Q";
        pairs +=
            global("torch._utils", "_rebuild_tensor_v3") +
            tuple(id + tensor.offset + tensor.size + tensor.stride + "\x89" +
                  global("collections", "OrderedDict") + ")R" + global("torch", type.element)) +
            "R";
      }
      storages.push_back({"m/data/" + key, bytes});
    };
    for (const auto& [name, value] : data) {
      const auto raw = std::as_bytes(std::span(value.data));
      add(name, value.shape, {reinterpret_cast<const char*>(raw.data()), raw.size()});
    }
    if (odd == "extra") add("extra", {3, 5}, std::string(60, '\0'));
    return zip(checkpoint(whole(dict(pairs)), storages));
  };
  for (const Type& type : types) {
    for (const std::string name : {"extra", "emb.weight", "blocks.0.att.key.weight"}) {
      SCOPED_TRACE(std::string(type.name) + " " + name);
      const auto path = folder.write("u.pth", std::string_view(checkpoint_with(name, type)));
      expect_alike(path, name != "extra", name, type.name, expected);
    }
  }
  // Sixteen-bit integers are numbers.
  const Type shorts = {"ShortStorage", nullptr, "I16", 2};
  const auto path = folder.write("u.pth", std::string_view(checkpoint_with("extra", shorts)));
  EXPECT_TRUE(same_bits(some_logits(path), expected));
}

TEST(Unread, types_of_packed_files) {
  const ModelFolder folder;
  const auto official = folder.random("m.safetensors", {.design = "rwkv4"});
  const auto model =
      folder.convert(official, "m.skein", {.format = WriteFormat::packed, .type = DType::bf16});
  const auto expected = some_logits(model);
  rewrite(model, folder / "extra.skein", WriteFormat::packed, [](Contents& all) {
    StoredTensor emb;
    for (const io::OutputTensor& tensor : all.tensors)
      if (tensor.name == "emb.weight") emb = tensor.parts[0];
    all.tensors.push_back(
        {.name = "extra", .dtype = DType::bf16, .shape = emb.shape, .parts = {emb}});
  });
  for (const std::string name : {"extra", "emb.weight"}) {
    std::string file = text_of(folder / "extra.skein");
    const std::string record = le(static_cast<uint16_t>(name.size())) + name +
                               "\x04"
                               "BF16";
    const size_t at = file.find(record);
    ASSERT_NE(at, std::string::npos);
    file.replace(at + record.size() - 4, 4, "NEW9");
    uint64_t header = 0;
    std::memcpy(&header, file.data() + 16, 8);
    Sha256 hash;
    hash.update(bytes_of(std::string_view(file).substr(0, 32)));
    hash.update(bytes_of(std::string_view(file).substr(64, header)));
    const Digest digest = hash.finish();
    file.replace(32, 32, std::string(reinterpret_cast<const char*>(digest.data()), 32));
    expect_alike(folder.write("u.skein", std::string_view(file)), name != "extra", name, "NEW9",
                 expected);
  }
}

// What is unused in a known place, too: layer 0 of RWKV-7 has stand-ins that nothing reads.
TEST(Unread, a_stand_in_may_have_any_type_and_rank) {
  const ModelFolder folder;
  const auto official = folder.random("m.safetensors", {.design = "rwkv7"});
  const auto expected = some_logits(official);
  rewrite(official, folder / "u.safetensors", WriteFormat::safetensors, [](Contents& all) {
    all.tensors.push_back(all.tensors.front());
    all.tensors.back().name = "blocks.0.att.v1";
    all.tensors.back().dtype = DType::f32;
  });
  std::string file = text_of(folder / "u.safetensors");
  const size_t at = file.find("\"F32\"", file.find("\"blocks.0.att.v1\""));
  file.replace(at, 5, "\"U32\"");
  const auto path = folder.write("u.safetensors", std::string_view(file));
  EXPECT_TRUE(same_bits(some_logits(path), expected));
  const auto copy = folder.convert(path, "copy.skein", {.format = WriteFormat::packed});
  EXPECT_TRUE(same_bits(some_logits(copy), expected));
}

}  // namespace
}  // namespace skein::test
