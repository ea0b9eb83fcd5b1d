// Which numbers a file that cannot be opened gets.
#include "compat/support.h"

namespace skein::test {
namespace {

constexpr int kFile = RWKV_ERROR_FILE, kModel = RWKV_ERROR_MODEL, kTensor = RWKV_ERROR_MODEL_PARAMS;

int error_of(const std::string& path) {
  const Context context(rwkv_init_from_file(path.c_str(), 1, 0));
  EXPECT_FALSE(context) << path;
  return rwkv_get_last_error(nullptr);
}

using CompatErrors = Quiet;

TEST_F(CompatErrors, a_file_that_is_not_there_or_is_none) {
  const Folder folder;
  EXPECT_EQ(error_of(""), kFile | RWKV_ERROR_FILE_OPEN);
  EXPECT_EQ(error_of(folder / "nothing.bin"), kFile | RWKV_ERROR_FILE_OPEN);
  EXPECT_EQ(error_of(folder.path()), kFile | RWKV_ERROR_FILE_OPEN);
  EXPECT_EQ(error_of("/dev/null"), kFile | RWKV_ERROR_FILE_OPEN);
}

TEST_F(CompatErrors, malformed_files) {
  struct Row {
    const char* name;
    int flags;
  };
  for (const Row& row : {
           Row{"empty.pth", kFile | RWKV_ERROR_FILE_READ},
           {"html.pth", kFile | RWKV_ERROR_FILE_MAGIC},
           {"lfs_pointer.pth", kFile | RWKV_ERROR_FILE_MAGIC},
           {"header_too_long.safetensors", kFile | RWKV_ERROR_FILE_READ},
           {"version102.bin", kFile | RWKV_ERROR_FILE_VERSION},
           {"old_quantised.bin", kTensor | RWKV_ERROR_DATA_TYPE},
           {"type_removed.bin", kTensor | RWKV_ERROR_DATA_TYPE},
           {"data_short.bin", kTensor | RWKV_ERROR_FILE_READ},
           {"no_axes.bin", kTensor | RWKV_ERROR_FILE_READ},
           {"axis_overflow.bin", kTensor | RWKV_ERROR_FILE_READ},
           // Well formed, but no models.
           {"ok_minimal.bin", kModel | RWKV_ERROR_UNSUPPORTED},
           {"ok_minimal.gguf", kModel | RWKV_ERROR_UNSUPPORTED},
           {"ok_minimal.safetensors", kModel | RWKV_ERROR_UNSUPPORTED},
       })
    EXPECT_EQ(error_of(fixture(std::string("malformed/") + row.name)), row.flags) << row.name;
  EXPECT_EQ(error_of(fixture("models/v7.state.pth")), kModel | RWKV_ERROR_UNSUPPORTED);
}

TEST_F(CompatErrors, a_bin_that_is_cut_or_contradicts_its_head) {
  const Folder folder;
  const std::string path = folder / "model.bin";
  write_ggmf_file(path, small_ggmf_data(), small_head());
  const std::string whole = read_bytes(path);
  const auto error_with = [&](const std::string& bytes) {
    std::ofstream(path, std::ios::binary) << bytes;
    return error_of(path);
  };
  EXPECT_TRUE(open_context(path));
  EXPECT_EQ(error_with(whole.substr(0, 3)), kFile | RWKV_ERROR_FILE_READ);
  EXPECT_EQ(error_with(whole.substr(0, 20)), kFile | RWKV_ERROR_FILE_READ);
  EXPECT_EQ(error_with(whole.substr(0, whole.size() - 1)), kTensor | RWKV_ERROR_FILE_READ);
  EXPECT_EQ(error_with("x" + whole), kFile | RWKV_ERROR_FILE_MAGIC);
  std::string changed = whole;
  changed[20] = 4;  // the data type
  EXPECT_EQ(error_with(changed), kFile | RWKV_ERROR_DATA_TYPE);
  for (const size_t at : {8, 12, 16}) {  // vocabulary, width, layers
    changed = whole;
    changed[at] = static_cast<char>(changed[at] + 1);
    EXPECT_EQ(error_with(changed), kTensor | RWKV_ERROR_DIMENSION) << at;
  }
}

TEST_F(CompatErrors, a_tensor_that_is_missing_or_does_not_fit) {
  const Folder folder;
  const std::string path = folder / "model.st";
  const ModelData model = random_model(ModelSizes());
  const auto error_with = [&](const ModelData& data) {
    write_bytes(path, as_safetensors(data));
    return error_of(path);
  };
  write_bytes(path, as_safetensors(model));
  EXPECT_TRUE(open_context(path));
  ModelData changed = model;
  changed.erase("blocks.1.att.key.weight");
  EXPECT_EQ(error_with(changed), kTensor | RWKV_ERROR_PARAM_MISSING);
  changed = model;
  changed["blocks.1.att.key.weight"] = {{32, 64}, Floats(size_t{32} * 64)};
  EXPECT_EQ(error_with(changed), kTensor | RWKV_ERROR_SHAPE);
}

}  // namespace
}  // namespace skein::test
