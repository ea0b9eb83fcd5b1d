// LoRA, PiSSA, Bone and Bat, merged into a model while it is loaded.
#include <gtest/gtest.h>
#include <unistd.h>

#include <cmath>
#include <limits>

#include "arch/adapter.h"
#include "io/model_files.h"
#include "run/convert.h"
#include "support/make_model.h"
#include "support/models.h"

namespace skein {
namespace {

constexpr double kTolerance = 5e-6;

std::filesystem::path temp(const char* name) {
  return std::filesystem::temp_directory_path() /
         fmt::format("skein_adapter_{}_{}", getpid(), name);
}

void write(const std::filesystem::path& path, const test::ModelData& tensors) {
  const auto bytes = test::as_safetensors(tensors);
  const std::span<const std::byte> parts[] = {bytes};
  ASSERT_TRUE(write_file(path, parts));
}

std::vector<float> logits_with(const std::filesystem::path& model,
                               std::vector<AdapterFile> adapters, std::span<const int32_t> tokens) {
  ModelOptions options;
  options.adapters = std::move(adapters);
  const auto opened = test::open_model(model, options);
  if (!opened) return {};
  State state = opened->new_state();
  return test::logits_of(*opened, state, tokens);
}

TEST(Lora, gives_the_logits_of_the_official_merge) {
  const auto expected = test::read_expected(test::fixture("models/v7.lora.expected.safetensors"));
  const auto model = test::fixture("models/v7.pth");
  const AdapterFile lora = {.path = test::fixture("models/v7.lora.pth"), .options = {.alpha = 8.0}};
  const auto logits = logits_with(model, {lora}, expected.tokens);
  EXPECT_LE(test::relative_error(logits, expected.logits), kTolerance);
  // Another alpha is another model, and a blend of 0 none.
  AdapterFile other = lora;
  other.options.alpha = 16;
  EXPECT_GT(test::relative_error(logits_with(model, {other}, expected.tokens), expected.logits),
            1e-3);
  other = lora;
  other.options.blend = 0;
  EXPECT_EQ(logits_with(model, {other}, expected.tokens), logits_with(model, {}, expected.tokens));
  // Half of the change twice is not the whole only for what was replaced, never for a pair.
  ModelOptions none;
  none.adapters = {lora};
  none.adapters[0].options.pattern = "no such tensor";
  const auto refused = Model::open(model, none);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Code::argument);
}

TEST(Lora, without_its_alpha_is_refused) {
  ModelOptions options;
  options.adapters = {{.path = test::fixture("models/v7.lora.pth")}};
  const auto model = Model::open(test::fixture("models/v7.pth"), options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::argument);
  EXPECT_NE(model.error().message.find("alpha"), std::string::npos);
}

// The trainer's fixture: a model and four adapters, with their losses over one batch.
class Peft : public testing::Test {
 protected:
  static constexpr const char* kFile = "training/peft_d32.safetensors";
  void SetUp() override {
    auto files = io::ModelFiles::open(test::fixture(kFile));
    ASSERT_TRUE(files) << files.error().message;
    metadata_ = files->container().metadata;
    for (const StoredTensor& tensor : files->container().tensors) {
      std::vector<float> values(static_cast<size_t>(tensor.shape.elements()));
      ASSERT_TRUE(quant::read_f32(tensor, values));
      all_[tensor.name] = {tensor.shape, std::move(values)};
    }
    write(temp("model"), part("p."));
  }
  void TearDown() override {
    for (const char* name : {"model", "adapter", "initial"}) std::filesystem::remove(temp(name));
  }

  test::ModelData part(const std::string& prefix) const {
    test::ModelData out;
    for (const auto& [name, value] : all_)
      if (name.starts_with(prefix)) out[name.substr(prefix.size())] = value;
    return out;
  }

  double number(const std::string& key) const {
    return std::stod(std::get<std::string>(metadata_.at(key)));
  }

  // Mean negative log-likelihood of the fixture's batch.
  double loss(const std::vector<AdapterFile>& adapters) const {
    ModelOptions options;
    options.adapters = adapters;
    const auto model = test::open_model(temp("model"), options);
    if (!model) return 0;
    const auto& ids = all_.at("in.idx");
    const auto& targets = all_.at("in.targets").data;
    const auto vocab = static_cast<size_t>(model->vocab());
    const auto batch = static_cast<size_t>(ids.shape[0]), steps = static_cast<size_t>(ids.shape[1]);
    double sum = 0;
    for (size_t b = 0; b < batch; ++b) {
      std::vector<int32_t> tokens;
      for (size_t t = 0; t < steps; ++t)
        tokens.push_back(static_cast<int32_t>(ids.data[b * steps + t]));
      State state = model->new_state();
      const auto logits = test::logits_of(*model, state, tokens);
      for (size_t t = 0; t < steps; ++t) {
        double all = 0;
        for (size_t v = 0; v < vocab; ++v) all += std::exp(double{logits[t * vocab + v]});
        const auto target = static_cast<size_t>(targets[b * steps + t]);
        sum += std::log(all) - logits[t * vocab + target];
      }
    }
    return sum / static_cast<double>(batch * steps);
  }

  std::map<std::string, test::NamedData> all_;
  Metadata metadata_;
};

TEST_F(Peft, every_kind_of_adapter_gives_the_trainers_loss) {
  const double plain = loss({});
  for (const std::string kind : {"lora", "bone", "bone_odd", "bat"}) {
    write(temp("adapter"), part(kind + ".p."));
    AdapterFile adapter = {.path = temp("adapter")};
    if (kind == "lora") adapter.options.alpha = number("lora_alpha");
    const double expected = number("loss_" + kind);
    EXPECT_NEAR(loss({adapter}), expected, 5e-6) << kind;
    EXPECT_GT(std::fabs(plain - expected), 1e-4) << kind << ": this fixture shows nothing";
  }
}

TEST_F(Peft, pissa_takes_the_initial_pair_away) {
  auto pair = part("lora.p.");
  write(temp("adapter"), pair);
  test::ModelData initial;
  for (const auto& [name, value] : pair) {
    std::string renamed = "model." + name;
    renamed.insert(renamed.rfind("lora_"), "init_");
    initial[renamed] = value;
  }
  write(temp("initial"), initial);
  // The pair as it was at the start: nothing has changed.
  AdapterFile same = {.path = temp("adapter")};
  same.initial = temp("initial");
  EXPECT_NEAR(loss({same}), loss({}), 1e-6);
  // Without a change of the second matrix's half, exactly half of the pair is left.
  for (auto& [name, value] : initial)
    if (name.ends_with("lora_B"))
      for (float& x : value.data) x *= 0.5f;
  write(temp("initial"), initial);
  const double rank = 4;
  const AdapterFile half = {.path = temp("adapter"), .options = {.alpha = rank / 2}};
  EXPECT_NEAR(loss({same}), loss({half}), 1e-6);
}

TEST_F(Peft, a_pattern_chooses_what_changes) {
  write(temp("adapter"), part("bone.p."));
  const AdapterFile first = {.path = temp("adapter"), .options = {.pattern = "blocks.0.*"}};
  const AdapterFile second = {.path = temp("adapter"), .options = {.pattern = "blocks.1.*"}};
  EXPECT_NEAR(loss({first, second}), number("loss_bone"), 5e-6);
  EXPECT_GT(std::fabs(loss({first}) - number("loss_bone")), 1e-4);
}

TEST_F(Peft, what_does_not_fit_is_a_mismatch_that_names_the_target) {
  const auto good = part("lora.p.");
  const std::string target = "blocks.0.att.key";
  const auto refuse = [&](const char* what, const auto& change) {
    auto adapter = good;
    change(adapter);
    write(temp("adapter"), adapter);
    ModelOptions options;
    options.adapters = {{.path = temp("adapter"), .options = {.alpha = 8.0}}};
    const auto model = Model::open(temp("model"), options);
    ASSERT_FALSE(model) << what;
    EXPECT_EQ(model.error().code, Code::mismatch) << what << ": " << model.error().message;
    EXPECT_NE(model.error().message.find("blocks."), std::string::npos) << model.error().message;
  };
  const auto zeros = [](Shape shape) {
    return test::NamedData{shape, std::vector<float>(static_cast<size_t>(shape.elements()))};
  };
  refuse("B missing", [&](auto& a) { a.erase(target + ".lora_B"); });
  refuse("A missing", [&](auto& a) { a.erase(target + ".lora_A"); });
  refuse("other ranks", [&](auto& a) { a[target + ".lora_A"] = zeros({3, 32}); });
  refuse("rank 0", [&](auto& a) {
    a[target + ".lora_A"] = zeros({0, 32}), a[target + ".lora_B"] = zeros({32, 0});
  });
  refuse("other width", [&](auto& a) { a[target + ".lora_A"] = zeros({4, 31}); });
  refuse("other height", [&](auto& a) { a[target + ".lora_B"] = zeros({33, 4}); });
  refuse("three axes", [&](auto& a) { a[target + ".lora_B"] = zeros({32, 4, 1}); });
  refuse("no such target", [&](auto& a) {
    a["blocks.7.att.key.lora_A"] = zeros({4, 32}), a["blocks.7.att.key.lora_B"] = zeros({32, 4});
  });
  refuse("a vector", [&](auto& a) {
    a["blocks.0.att.w0.lora_A"] = zeros({4, 32}), a["blocks.0.att.w0.lora_B"] = zeros({32, 4});
  });
  refuse("whole tensor of another size", [&](auto& a) { a["blocks.0.ln1.bias"] = zeros({31}); });
  refuse("unknown whole tensor", [&](auto& a) { a["blocks.0.ln9.bias"] = zeros({32}); });
  refuse("bone of another width", [&](auto& a) {
    a[target + ".disha"] = zeros({8, 31});
    a.erase(target + ".lora_A"), a.erase(target + ".lora_B");
  });
  refuse("bat that does not divide", [&](auto& a) {
    a[target + ".disha"] = zeros({3, 8, 8});
    a.erase(target + ".lora_A"), a.erase(target + ".lora_B");
  });
  write(temp("adapter"), part("p."));  // a model is no adapter
  ModelOptions options;
  options.adapters = {{.path = temp("adapter"), .options = {.alpha = 8.0}}};
  const auto model = Model::open(temp("model"), options);
  ASSERT_FALSE(model);
  EXPECT_EQ(model.error().code, Code::unsupported);
}

// ---- hostile numbers: the adapter's fault, and said so ------------------------------------------

class BadAdapter : public testing::Test {
 protected:
  void SetUp() override {
    sizes_ = {};
    write(temp("model"), test::random_model(sizes_));
    pair_ = {{"blocks.0.att.key.lora_A", {Shape({2, 64}), std::vector<float>(128, 0.1f)}},
             {"blocks.0.att.key.lora_B", {Shape({64, 2}), std::vector<float>(128, 0.1f)}}};
  }
  void TearDown() override {
    for (const char* name : {"model", "bad", "out.pth"}) std::filesystem::remove(temp(name));
  }
  // Opening and converting with it fail alike, name it, and leave nothing.
  void expect_refused(const test::ModelData& adapter, Code code, double alpha = 4) {
    write(temp("bad"), adapter);
    const AdapterFile file = {.path = temp("bad"), .options = {.alpha = alpha}};
    const auto model = Model::open(temp("model"), {.threads = 1, .adapters = {file}});
    ASSERT_FALSE(model);
    EXPECT_EQ(model.error().code, code) << model.error().message;
    const std::string name = temp("bad").filename().string();
    EXPECT_NE(model.error().message.find(name), std::string::npos) << model.error().message;
    auto conversion = Conversion::prepare(temp("model"), {.adapters = {file}});
    const Status done = conversion ? conversion->write(temp("out.pth"), {.threads = 1})
                                   : Status(tl::unexpected(conversion.error()));
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, code) << done.error().message;
    EXPECT_FALSE(std::filesystem::exists(temp("out.pth")));
  }

  test::ModelSizes sizes_;
  test::ModelData pair_;
};

TEST_F(BadAdapter, numbers_that_are_not_finite_are_its_fault) {
  for (const char* part : {"blocks.0.att.key.lora_A", "blocks.0.att.key.lora_B"})
    for (const float bad : {std::nanf(""), std::numeric_limits<float>::infinity()}) {
      auto adapter = pair_;
      adapter[part].data[7] = bad;
      expect_refused(adapter, Code::corrupt);
    }
  auto norm = pair_;
  norm["blocks.0.ln1.weight"] = {Shape({64}), std::vector<float>(64, std::nanf(""))};
  expect_refused(norm, Code::corrupt);
  auto large = pair_;
  for (auto& [name, value] : large) std::fill(value.data.begin(), value.data.end(), 3e30f);
  expect_refused(large, Code::corrupt);
}

TEST_F(BadAdapter, an_alpha_beyond_f32_is_the_callers_fault) {
  expect_refused(pair_, Code::argument, 1e300);
}

TEST_F(BadAdapter, two_changes_for_one_matrix_are_one_too_many) {
  const test::NamedData other = {Shape({2, 64}), std::vector<float>(128, 0.2f)};
  auto twice = pair_;
  twice["blocks.0.att.key.init_lora_A"] = other;
  expect_refused(twice, Code::corrupt);
  auto both = pair_;
  both["blocks.0.att.key.disha"] = other;
  expect_refused(both, Code::corrupt);
}

}  // namespace
}  // namespace skein
