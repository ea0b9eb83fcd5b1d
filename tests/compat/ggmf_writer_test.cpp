#include "io/ggmf_writer.h"

#include "base/file.h"
#include "compat/support.h"
#include "io/container.h"
#include "quant/read.h"

namespace skein::test {
namespace {

NamedData counted(const Shape& shape) {
  NamedData out = {shape, {}};
  for (int64_t i = 0; i < shape.elements(); ++i)
    out.data.push_back(0.25f * static_cast<float>(i) - 8);
  return out;
}

Status write(const std::string& path, const io::OutputTensor& tensor, DType type = DType::f32) {
  return io::write_ggmf(path, {.vocab = 3, .width = 2, .layers = 1, .type = type}, {&tensor, 1});
}

TEST(GgmfWriter, a_file_is_the_bytes_of_the_format) {
  const Folder folder;
  const NamedData value = {{3, 2}, {1, 2, 3, 4, 5, 6}};
  ASSERT_TRUE(write(folder / "a.bin", output("weights", value), DType::q5_1));
  std::string expected = "fmgg";
  const auto number = [&](int32_t n) { expected.append(reinterpret_cast<const char*>(&n), 4); };
  for (const int32_t n : {101, 3, 2, 1, 8, /*axes*/ 2, /*name*/ 7, /*type*/ 0, 2, 3}) number(n);
  expected += "weights";
  expected.append(reinterpret_cast<const char*>(value.data.data()), 6 * sizeof(float));
  EXPECT_EQ(read_bytes(folder / "a.bin"), expected);
}

TEST(GgmfWriter, every_type_it_can_name_is_read_back) {
  const Folder folder;
  const NamedData value = counted({2, 256});
  for (const DType type : {DType::f32, DType::f16, DType::q4_0, DType::q4_1, DType::q5_0,
                           DType::q5_1, DType::q8_0, DType::q8_1, DType::q2_k, DType::q3_k,
                           DType::q4_k, DType::q5_k, DType::q6_k, DType::q8_k}) {
    SCOPED_TRACE(dtype_name(type));
    const std::string path = folder / std::string(dtype_name(type));
    ASSERT_TRUE(write(path, output("t", value, type), type));
    const auto file = File::map(path);
    ASSERT_TRUE(file);
    const auto container = io::read_container(file->bytes(), "file");
    ASSERT_TRUE(container) << container.error().message;
    ASSERT_EQ(container->tensors.size(), 1u);
    EXPECT_EQ(container->tensors[0].dtype, type);
    EXPECT_EQ(container->tensors[0].shape, value.shape);
    Floats read(512);
    ASSERT_TRUE(quant::read_f32(container->tensors[0], read));
    for (size_t i = 0; i < read.size(); ++i) EXPECT_NEAR(read[i], value.data[i], 40.0);
    EXPECT_GT(read[511], 100);
  }
}

TEST(GgmfWriter, axes_are_written_in_reverse_and_one_to_three_of_them) {
  const Folder folder;
  for (const Shape& shape : {Shape{5}, Shape{2, 3}, Shape{4, 1, 2}}) {
    const std::string path = folder / std::to_string(shape.rank());
    ASSERT_TRUE(write(path, output("t", counted(shape))));
    const auto file = File::map(path);
    const auto container = io::read_container(file->bytes(), "file");
    ASSERT_TRUE(container) << container.error().message;
    EXPECT_EQ(container->tensors[0].shape, shape);
  }
}

TEST(GgmfWriter, what_the_format_has_no_place_for_is_refused_and_leaves_nothing) {
  const Folder folder;
  const auto refused = [&](const io::OutputTensor& tensor, DType type = DType::f32) {
    const Status written = write(folder / "a.bin", tensor, type);
    ASSERT_FALSE(written);
    EXPECT_EQ(written.error().code, Code::argument) << written.error().message;
    EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  };
  const NamedData value = counted({2, 32});
  refused(output("t", value, DType::bf16));
  refused(output("t", value, DType::iq4_nl));
  refused(output("t", value), DType::bf16);
  refused(output("t", counted({1, 2, 3, 4})));
  refused(output("", value));
  refused(output(std::string(1000, 'n'), value));
  refused(output("t", counted({2, 31}), DType::q8_0));
  io::OutputTensor short_one = output("t", value);
  short_one.shape = {2, 33};
  refused(short_one);
}

TEST(GgmfWriter, a_file_that_is_there_stays_unless_it_may_be_replaced) {
  const Folder folder;
  const NamedData value = counted({2, 32});
  const std::string path = folder / "a.bin";
  std::ofstream(path) << "mine";
  EXPECT_FALSE(write(path, output("t", value)));
  EXPECT_EQ(read_bytes(path), "mine");
}

}  // namespace
}  // namespace skein::test
