// No answer is computed from a NaN or an infinity, wherever one stands: in any tensor of any
// design, in a file whose weights are packed or used where they lie, in a state.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <list>

#include "io/model_writer.h"
#include "run/convert.h"
#include "run/generate.h"
#include "run/state_file.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/states.h"
#include "support/thorough.h"

namespace skein {
namespace {

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
constexpr float kInfinity = std::numeric_limits<float>::infinity();

class Finite : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("skein_finite_{}", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(const test::ModelData& model, const arch::Hints& hints = {}) {
    return test::write_model(folder_ / "model.safetensors", model, hints);
  }
  std::filesystem::path packed(const std::filesystem::path& source, DType type) {
    const auto path = folder_ / "model.skein";
    auto conversion =
        Conversion::prepare(source, {.format = io::WriteFormat::packed, .type = type});
    EXPECT_TRUE(conversion && conversion->write(path, {.overwrite = true, .threads = 1}));
    return path;
  }

  // Opening or any way to compute says that the file is bad.
  void expect_refused(const std::filesystem::path& path) {
    const auto model = Model::open(path, {.threads = 1});
    if (!model) {
      EXPECT_EQ(model.error().code, Code::corrupt) << model.error().message;
      return;
    }
    const std::vector<int32_t> tokens = {1, 5, 9, 2};
    std::vector<float> logits(static_cast<size_t>((*model)->vocab()) * tokens.size());
    for (const Want want : {Want::last, Want::all, Want::none}) {
      State state = (*model)->new_state();
      const Status done = (*model)->eval(state, tokens, want, logits.data());
      if (done && want == Want::none) {  // the last layer's products go into logits alone
        EXPECT_TRUE(check_exportable(state));
        continue;
      }
      ASSERT_FALSE(done) << "want " << static_cast<int>(want);
      EXPECT_EQ(done.error().code, Code::corrupt) << done.error().message;
    }
    State state = (*model)->new_state();
    Status done;
    for (size_t i = 0; done && i < tokens.size(); ++i)
      done = (*model)->eval(state, std::span(tokens).subspan(i, 1), Want::last, logits.data());
    EXPECT_FALSE(done);
  }

  std::filesystem::path folder_;
};

// A model file whose tensors are overwritten where they stand, and made good again.
class Overwritten {
 public:
  explicit Overwritten(const std::filesystem::path& path) : fd_(::open(path.c_str(), O_RDWR)) {
    const auto file = File::map(path);
    const auto container = io::read_container(file->bytes(), "model");
    EXPECT_TRUE(container && fd_ >= 0);
    for (const StoredTensor& tensor : container->tensors) {
      EXPECT_EQ(tensor.dtype, DType::f32);
      const auto* numbers = reinterpret_cast<const float*>(tensor.storage.data());
      places_[tensor.name] = {tensor.storage.data() - file->bytes().data(),
                              {numbers, numbers + tensor.shape.elements()}};
    }
  }
  ~Overwritten() { ::close(fd_); }
  Overwritten(const Overwritten&) = delete;
  Overwritten& operator=(const Overwritten&) = delete;

  std::vector<std::string> names() const {
    std::vector<std::string> out;
    for (const auto& [name, place] : places_) out.push_back(name);
    return out;
  }
  void fill(const std::string& name, float bad) {
    put(places_.at(name).at, std::vector<float>(places_.at(name).numbers.size(), bad));
  }
  void mend(const std::string& name) { put(places_.at(name).at, places_.at(name).numbers); }

 private:
  struct Place {
    off_t at;
    std::vector<float> numbers;
  };
  void put(off_t at, const std::vector<float>& numbers) {
    const auto bytes = std::as_bytes(std::span(numbers));
    EXPECT_EQ(::pwrite(fd_, bytes.data(), bytes.size(), at), static_cast<ssize_t>(bytes.size()));
  }

  int fd_;
  std::map<std::string, Place> places_;
};

// Packed files get one kind of bad number for each tensor, the next tensor the next kind.
TEST_F(Finite, no_tensor_of_any_design_can_be_infinite_or_nan_unnoticed) {
  const float kinds[] = {kNan, kInfinity, -kInfinity};
  for (const std::string& design : test::runnable_designs()) {
    const test::ModelSizes sizes = {.design = design, .groups = design == "rwkv6qwen2" ? 1 : 0};
    const auto path = write(test::random_model(sizes), hints_of(sizes));
    Overwritten model(path);
    ASSERT_TRUE(test::open_model(path)) << design;
    const auto names = model.names();
    for (size_t row = 0; row < names.size(); ++row) {
      for (size_t kind = 0; kind < std::size(kinds); ++kind) {
        SCOPED_TRACE(fmt::format("{} of {} all {}", names[row], design, kinds[kind]));
        model.fill(names[row], kinds[kind]);
        expect_refused(path);
        if (names[row].ends_with(".weight") && test::taken(row, kind, std::size(kinds)))
          expect_refused(packed(path, DType::f16));
      }
      model.mend(names[row]);
    }
  }
}

TEST_F(Finite, one_number_of_a_matrix_is_enough) {
  const test::ModelSizes sizes;
  const auto whole = test::random_model(sizes);
  for (const auto& [name, value] : whole) {
    if (name == "emb.weight") continue;  // of rows that nobody asks for
    SCOPED_TRACE(name);
    auto model = whole;
    model[name].data[value.data.size() / 2] = kNan;
    expect_refused(write(model));
  }
}

TEST_F(Finite, what_is_too_large_for_f32_is_found_when_a_model_is_opened) {
  const auto whole = test::random_model({});
  for (const auto& [bad, ignored] : whole) {
    SCOPED_TRACE(bad);
    std::list<std::vector<double>> numbers;
    std::vector<io::OutputTensor> tensors;
    for (const auto& [name, value] : whole) {
      auto& data = numbers.emplace_back(value.data.begin(), value.data.end());
      if (name == bad) data[data.size() / 2] = 1e60;
      StoredTensor part;
      part.name = name;
      part.dtype = DType::f64;
      part.shape = value.shape;
      part.strides = value.shape.contiguous_strides();
      part.storage = std::as_bytes(std::span(data));
      tensors.push_back({.name = name, .dtype = DType::f64, .shape = value.shape, .parts = {part}});
    }
    const auto path = folder_ / "f64.safetensors";
    const auto format = io::WriteFormat::safetensors;
    ASSERT_TRUE(io::write_model(path, format, tensors, {}, {.overwrite = true}));
    const auto model = Model::open(path, {.threads = 1});
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, Code::unsupported);
    EXPECT_NE(model.error().message.find(bad), std::string::npos) << model.error().message;
  }
}

// What a function's limit would hide.
TEST_F(Finite, a_model_that_overflows_says_so) {
  for (const std::string& design : test::runnable_designs()) {
    SCOPED_TRACE(design);
    const test::ModelSizes sizes = {.design = design, .groups = design == "rwkv6qwen2" ? 1 : 0};
    auto model = test::random_model(sizes);
    for (auto& [name, value] : model)
      if (name.starts_with("blocks.") && value.shape.rank() == 2)
        for (float& x : value.data) x *= 1e30f;
    expect_refused(write(model, hints_of(sizes)));
  }
}

TEST_F(Finite, a_job_fails_alone_and_its_state_is_lost_until_another_is_copied_into_it) {
  const auto model = test::open_model(test::fixture("models/v7.pth"));
  const auto vocab = static_cast<size_t>(model->vocab());
  State good = model->new_state(), expected = good, bad = good;
  test::fill_numbers(bad, kNan);
  std::vector<float> logits(vocab), of_bad(vocab), alone(vocab);
  const std::vector<int32_t> tokens = {3, 4};
  ASSERT_TRUE(model->eval(expected, tokens, Want::last, alone.data()));
  const Job jobs[] = {{&good, tokens, Want::last, logits.data()},
                      {&bad, tokens, Want::last, of_bad.data()}};
  const Status done = model->eval(jobs);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::corrupt);
  EXPECT_NE(done.error().message.find("job 2 of 2"), std::string::npos) << done.error().message;
  EXPECT_TRUE(good == expected);
  EXPECT_EQ(good.tokens_read(), 2u);
  EXPECT_TRUE(test::same_bits(logits, alone));
  EXPECT_TRUE(bad.lost());
  EXPECT_EQ(check_exportable(bad).error().code, Code::corrupt);
  const Status again = model->eval(bad, tokens, Want::none, nullptr);
  ASSERT_FALSE(again);
  EXPECT_NE(again.error().message.find("lost"), std::string::npos);
  bad = good;
  EXPECT_TRUE(model->eval(bad, tokens, Want::last, logits.data()));
}

TEST_F(Finite, a_long_prompt_that_fails_leaves_the_state_as_it_was) {
  const auto path = write([] {
    auto model = test::random_model({});
    auto& embedding = model["emb.weight"].data;
    std::fill(embedding.begin() + 7 * 64, embedding.begin() + 8 * 64, kNan);
    return model;
  }());
  const auto model = test::open_model(path);
  std::vector<int32_t> tokens(100, 3);
  State state = model->new_state();
  ASSERT_TRUE(model->eval(state, tokens, Want::none, nullptr));
  const State before = state;
  tokens.back() = 7;
  EXPECT_FALSE(model->eval(state, tokens, Want::none, nullptr));
  EXPECT_FALSE(state.lost());
  EXPECT_TRUE(state == before);
  EXPECT_EQ(state.tokens_read(), 100u);
}

}  // namespace
}  // namespace skein
