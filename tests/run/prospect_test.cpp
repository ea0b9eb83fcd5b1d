#include "run/prospect.h"

#include <gtest/gtest.h>

#include "arch/official_sizes.h"
#include "run/convert.h"
#include "run/opening.h"
#include "support/fixtures.h"

namespace skein::test {
namespace {

// What is told of a model in another type is what its file turns out to need.
TEST(Prospect, of_a_type_is_what_a_file_of_it_needs) {
  std::string name = (std::filesystem::temp_directory_path() / "skein-fits-XXXXXX").string();
  ASSERT_TRUE(::mkdtemp(name.data()));
  const std::filesystem::path folder = name, model = fixture("models/v7.pth");
  const auto opening = Opening::look(model);
  ASSERT_TRUE(opening);
  for (const std::string type : {"F16", "Q8_0", "Q4_0", "Q4_K"}) {
    const auto told = opening->prospect_as(type);
    ASSERT_TRUE(told) << type;
    EXPECT_EQ(told->type, type);
    const auto conversion =
        Conversion::prepare(model, {.format = io::WriteFormat::gguf, .quant = type});
    ASSERT_TRUE(conversion && conversion->write(folder / (type + ".gguf"), {})) << type;
    const auto file = Opening::look(folder / (type + ".gguf"));
    ASSERT_TRUE(file) << type;
    EXPECT_EQ(told->memory.host.weights, file->memory().host.weights) << type;
    EXPECT_EQ(told->memory.host.step, file->memory().host.step) << type;
    EXPECT_EQ(told->bytes_per_token, file->prospect().bytes_per_token) << type;
    EXPECT_EQ(told->tensor_bytes, file->prospect().tensor_bytes) << type;
    EXPECT_LE(told->tensor_bytes, static_cast<int64_t>(conversion->size())) << type;
  }
  EXPECT_FALSE(opening->prospect_as("NF4"));  // no GGUF has it
  std::filesystem::remove_all(folder);
}

TEST(Prospect, official_sizes_are_called_after_their_parameters) {
  for (const arch::OfficialSize& size : arch::official_sizes()) {
    const auto model = arch::shaped(size);
    ASSERT_TRUE(model) << size.name;
    int64_t parameters = 0;
    for (const ops::WeightData& weight : model->weights)
      if (weight.present) parameters += weight.tensor.shape.elements();
    // Published names round down, one of them up.
    const double billions = static_cast<double>(parameters) / 1e9;
    const double named = std::stod(std::string(size.name));
    EXPECT_GT(billions, 0.995 * named) << size.name;
    EXPECT_LT(billions, named + 0.1) << size.name;
    EXPECT_EQ(model->architecture->dimensions().layers, size.layers);
  }
}

TEST(Prospect, usual_types_fall_in_size) {
  const auto model = arch::shaped(arch::official_sizes()[0]);
  ASSERT_TRUE(model);
  double before = 0;
  for (const std::string_view type : usual_types()) {
    const auto weights = weights_as(*model->architecture, model->weights, type);
    ASSERT_TRUE(weights) << type;
    double bytes = 0;
    for (const ops::WeightData& weight : *weights)
      if (weight.present)
        bytes += static_cast<double>(bytes_of(weight.tensor.dtype, weight.tensor.shape.elements()));
    if (before > 0) {
      EXPECT_LE(bytes, before) << type;
    }
    before = bytes;
  }
}

}  // namespace
}  // namespace skein::test
