// A packed model runs where it lies in the file, and gives the bits of the model it was made from.
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/outputs.h"
#include "run/convert.h"
#include "support/fixtures.h"
#include "support/models.h"
#include "support/states.h"

namespace skein::test {
namespace {

void pack_model(const std::filesystem::path& from, const std::filesystem::path& to) {
  const auto conversion = Conversion::prepare(from, {.format = io::WriteFormat::packed});
  ASSERT_TRUE(conversion) << conversion.error().message;
  const Status done = conversion->write(to, {});
  ASSERT_TRUE(done) << done.error().message;
}

const std::vector<int32_t> kTokens = {1, 5, 9, 2, 7, 3, 3, 8, 11, 4, 6, 10};

TEST(PackedModel, gives_the_bits_of_the_model_it_was_made_from) {
  const TestFolder folder;
  for (const char* name : {"v7.pth", "v4.pth", "tiny_v7.pth", "tiny_v7.legacy_fp16.pth",
                           "tiny_v7.strided_bf16.pth", "tiny_v6.gguf"}) {
    SCOPED_TRACE(name);
    const auto path = folder / (std::string(name) + ".skein");
    pack_model(fixture(std::string("models/") + name), path);
    if (HasFatalFailure()) return;
    for (const char* device : {"cpu", "reference"}) {
      const auto source = open_model(fixture(std::string("models/") + name), {.device = device});
      const auto packed = open_model(path, {.device = device});
      ASSERT_TRUE(source && packed);
      EXPECT_EQ(packed->info().format, "Skein packed");
      EXPECT_EQ(packed->info().fingerprint, source->info().fingerprint);
      for (const size_t chunk : {size_t{1}, size_t{5}, kTokens.size()}) {
        State a = source->new_state(), b = packed->new_state();
        EXPECT_TRUE(same_bits(logits_of(*source, a, kTokens, chunk),
                              logits_of(*packed, b, kTokens, chunk)));
        EXPECT_TRUE(same_bits(numbers(a), numbers(b)));
      }
    }
  }
}

TEST(PackedModel, quantised_it_runs_in_place_and_its_blocks_come_out_again) {
  const TestFolder folder;
  for (const char* type : {"Q8_0", "Q4_0", "Q5_1", "IQ4_NL"}) {
    SCOPED_TRACE(type);
    const auto write = [&](const std::filesystem::path& from, const std::filesystem::path& to,
                           io::WriteFormat format, std::string quant) {
      const auto conversion =
          Conversion::prepare(from, {.format = format, .quant = std::move(quant)});
      ASSERT_TRUE(conversion) << conversion.error().message;
      const Status done = conversion->write(to, {});
      ASSERT_TRUE(done) << done.error().message;
    };
    const auto rows = folder / (std::string(type) + ".gguf");
    const auto ready = folder / (std::string(type) + ".skein");
    const auto again = folder / (std::string(type) + ".again.gguf");
    const auto twice = folder / (std::string(type) + ".twice.skein");
    write(fixture("models/tiny_v7.pth"), rows, io::WriteFormat::gguf, type);
    write(rows, ready, io::WriteFormat::packed, "");
    write(ready, again, io::WriteFormat::gguf, "");
    write(ready, twice, io::WriteFormat::packed, "");
    if (HasFatalFailure()) return;

    const auto files = io::ModelFiles::open(ready);
    ASSERT_TRUE(files);
    const auto& tensors = files->container().tensors;
    EXPECT_GT(std::count_if(tensors.begin(), tensors.end(),
                            [](const auto& t) { return t.layout == Layout::codes16; }),
              10);
    const auto first = io::ModelFiles::open(rows), second = io::ModelFiles::open(again);
    ASSERT_TRUE(first && second);
    for (const StoredTensor& tensor : first->container().tensors) {
      const StoredTensor* other = find(second->container(), tensor.name);
      ASSERT_TRUE(other && other->dtype == tensor.dtype) << tensor.name;
      EXPECT_TRUE(std::equal(tensor.storage.begin(), tensor.storage.end(), other->storage.begin(),
                             other->storage.end()))
          << tensor.name;
    }
    EXPECT_EQ(*read_file(ready, 1 << 24), *read_file(twice, 1 << 24));

    const auto source = open_model(rows), packed = open_model(ready);
    ASSERT_TRUE(source && packed);
    EXPECT_EQ(packed->info().fingerprint, source->info().fingerprint);
    // What is F32 in the file and was a half before is one again where it is packed now.
    int64_t widened = 0;
    for (const StoredTensor& tensor : tensors)
      if (tensor.layout == Layout::panels16 && tensor.dtype == DType::f32)
        widened += static_cast<int64_t>(tensor.storage.size());
    EXPECT_GT(widened, 0);
    EXPECT_EQ(packed->info().weight_bytes, source->info().weight_bytes + widened / 2);
    State a = source->new_state(), b = packed->new_state();
    EXPECT_TRUE(same_bits(logits_of(*source, a, kTokens, 5), logits_of(*packed, b, kTokens, 5)));
    EXPECT_TRUE(same_bits(numbers(a), numbers(b)));
  }
}

TEST(PackedModel, is_used_in_place_and_notices_when_its_file_is_cut) {
  const TestFolder folder;
  const auto path = folder / "m.skein";
  pack_model(fixture("models/v7.pth"), path);
  if (HasFatalFailure()) return;
  const auto model = open_model(path, {.threads = 1});
  ASSERT_TRUE(model);
  State state = model->new_state();
  std::vector<float> logits(static_cast<size_t>(model->vocab()));
  ASSERT_TRUE(model->eval(state, kTokens, Want::last, logits.data()));
  const std::vector<float> before = numbers(state);

  // Everything behind the embedding goes, and with it the head: only a step that reads matrices of
  // the file can notice.
  const auto files = io::ModelFiles::open(path);
  ASSERT_TRUE(files);
  const StoredTensor* table = find(files->container(), "emb.weight");
  const StoredTensor* head = find(files->container(), "head.weight");
  ASSERT_TRUE(table && head);
  ASSERT_EQ(head->layout, Layout::panels16);
  ASSERT_GT(head->storage.data(), table->storage.data());
  const auto kept =
      table->storage.data() + table->storage.size() - files->files()[0].bytes().data();
  std::filesystem::resize_file(path, static_cast<uintmax_t>(kept));
  const Status cut = model->eval(state, kTokens, Want::last, logits.data());
  ASSERT_FALSE(cut);
  EXPECT_EQ(cut.error().code, Code::io) << cut.error().message;
  EXPECT_TRUE(same_bits(before, numbers(state)));
  EXPECT_FALSE(state.lost());
}

// While a step computes there is no going back but for a prompt, where a copy of the state costs
// little: then it is as it was, and otherwise lost, and never something in between.
TEST(PackedModel, cut_in_the_middle_of_a_step_loses_the_state_and_of_a_prompt_puts_it_back) {
  const TestFolder folder;
  for (const size_t tokens : {size_t{1}, size_t{7}, size_t{40}}) {
    SCOPED_TRACE(tokens);
    const auto path = folder / fmt::format("m{}.skein", tokens);
    pack_model(fixture("models/v7.pth"), path);
    if (HasFatalFailure()) return;
    const auto model = open_model(path, {.threads = 1});
    ASSERT_TRUE(model);
    State state = model->new_state();
    const State before = state;
    std::vector<int32_t> ids(tokens, 3);
    std::vector<float> logits(static_cast<size_t>(model->vocab()));
    const ops::Trace cut = [&](const ops::Value& value, std::span<const float>) {
      if (value.name.starts_with("blocks.1.")) std::filesystem::resize_file(path, 4096);
    };
    const Status done = model->trace(state, ids, Want::last, logits.data(), cut);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Code::io) << done.error().message;
    EXPECT_EQ(state.lost(), tokens <= 32);
    if (!state.lost()) {
      EXPECT_TRUE(state == before);
    }
    const Status again = model->eval(state, ids, Want::last, logits.data());
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, state.lost() ? Code::corrupt : Code::io);
  }
}

TEST(PackedModel, counts_what_it_keeps_mapped_as_its_weights) {
  const TestFolder folder;
  const auto path = folder / "m.skein";
  pack_model(fixture("models/v7.pth"), path);
  if (HasFatalFailure()) return;
  const auto source = open_model(fixture("models/v7.pth"), {.threads = 1});
  const auto packed = open_model(path, {.threads = 1});
  ASSERT_TRUE(source && packed);
  EXPECT_EQ(packed->info().weight_bytes, source->info().weight_bytes);
  EXPECT_GT(packed->measure_limits(1).read_bandwidth, 0);
}

TEST(PackedModel, a_file_at_an_odd_address_is_copied_and_gives_the_same_numbers) {
  const TestFolder folder;
  const auto path = folder / "m.skein";
  pack_model(fixture("models/tiny_v7.pth"), path);
  if (HasFatalFailure()) return;
  const auto bytes = read_file(path, 1 << 24);
  ASSERT_TRUE(bytes);
  std::vector<std::byte> shifted(bytes->size() + 1);
  std::copy(bytes->begin(), bytes->end(), shifted.begin() + 1);
  const auto container = io::read_container(std::span(shifted).subspan(1), "shifted");
  ASSERT_TRUE(container);
  const auto original = io::ModelFiles::open(path);
  for (const StoredTensor& tensor : container->tensors)
    EXPECT_EQ(numbers_of(tensor), numbers_of(*find(original->container(), tensor.name)));
}

}  // namespace
}  // namespace skein::test
