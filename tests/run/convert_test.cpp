// Conversions: every design through every container and back, bit for bit; quantised files against
// the f32 run of what they decode to.
#include <gtest/gtest.h>
#include <unistd.h>

#include "cpu/dispatch.h"
#include "run/convert.h"
#include "run/opening.h"
#include "support/make_model.h"
#include "support/models.h"
#include "support/states.h"
#include "support/thorough.h"

namespace skein {
namespace {

using io::WriteFormat;

class Convert : public testing::Test {
 protected:
  void SetUp() override {
    folder_ = std::filesystem::temp_directory_path() / fmt::format("skein_convert_{}", getpid());
    std::filesystem::create_directories(folder_);
  }
  void TearDown() override { std::filesystem::remove_all(folder_); }

  // Converts, and checks that the file has exactly the size that was announced.
  std::filesystem::path convert(const std::filesystem::path& in, const std::string& name,
                                ConvertOptions options) {
    const auto out = folder_ / name;
    auto conversion = Conversion::prepare(in, std::move(options));
    EXPECT_TRUE(conversion) << (conversion ? "" : conversion.error().message);
    if (!conversion) return out;
    const io::WriteOptions write = {.overwrite = true, .threads = 1};
    const Status done = conversion->write(out, write);
    EXPECT_TRUE(done) << (done ? "" : done.error().message);
    EXPECT_EQ(std::filesystem::file_size(out), conversion->size()) << out;
    return out;
  }

  // Heads of 64, the only ones that fla has the right epsilon for.
  std::filesystem::path random_model(const std::string& design, int64_t width = 128) {
    const test::ModelSizes sizes = {.width = width,
                                    .heads = width / 64,
                                    .design = design,
                                    .groups = design == "rwkv6qwen2" ? 1 : 0};
    return test::write_model(folder_ / (design + ".safetensors"), test::random_model(sizes),
                             hints_of(sizes));
  }

  std::filesystem::path folder_;
};

// The weights that a program reads, under official names, as f32 bits.
std::map<std::string, std::vector<float>> weights_of(const std::filesystem::path& path) {
  std::map<std::string, std::vector<float>> out;
  auto files = io::ModelFiles::open(path);
  EXPECT_TRUE(files) << (files ? "" : files.error().message);
  const auto what = arch::identify(files->container());
  auto model = arch::official_model(files->container(), what, "model");
  EXPECT_TRUE(model) << (model ? "" : model.error().message);
  const auto architecture = what.design->open(*model, "model");
  EXPECT_TRUE(architecture);
  for (const arch::WeightSpec& spec : (*architecture)->weights()) {
    if (spec.unused) continue;
    const StoredTensor& tensor = model->tensors.at(spec.name);
    auto& values = out[spec.name];
    values.resize(static_cast<size_t>(tensor.shape.elements()));
    EXPECT_TRUE(quant::read_f32(tensor, values)) << spec.name;
  }
  return out;
}

std::vector<float> logits_of(const std::filesystem::path& path) {
  const auto model = test::open_model(path, {.threads = 1});
  if (!model) return {};
  State state = model->new_state();
  return test::logits_of(*model, state, std::vector<int32_t>{1, 5, 9, 2, 2, 30, 7});
}

TEST_F(Convert, every_design_survives_every_container_bit_for_bit) {
  for (const std::string& design : test::runnable_designs()) {
    const auto source = random_model(design);
    const auto expected = weights_of(source);
    const auto logits = logits_of(source);
    const bool in_gguf =
        design == "rwkv6" || design == "rwkv7" || design == "rwkv6qwen2" || design == "arwkv7";
    const bool in_fla = design == "rwkv6" || design == "rwkv7";
    std::vector<std::pair<std::string, ConvertOptions>> steps;
    if (design != "rwkv6qwen2") steps.push_back({"a.pth", {.format = WriteFormat::pth}});
    if (in_gguf) steps.push_back({"b.gguf", {.format = WriteFormat::gguf}});
    if (in_fla) steps.push_back({"c.st", {.format = WriteFormat::safetensors, .names = "fla"}});
    steps.push_back({"d.skein", {.format = WriteFormat::packed}});
    steps.push_back({"e.safetensors", {.format = WriteFormat::safetensors}});
    // One after the other, so that each reads what the one before wrote.
    auto path = source;
    for (const auto& [name, options] : steps) {
      path = convert(path, design + name, options);
      EXPECT_EQ(weights_of(path), expected) << path;
      EXPECT_TRUE(test::same_bits(logits_of(path), logits)) << path;
    }
  }
}

// An axis of one is an axis like others, whatever containers drop.
TEST_F(Convert, axes_of_one_survive_every_container) {
  for (const std::string& design : test::runnable_designs()) {
    for (const int64_t width : {int64_t{1}, int64_t{2}, int64_t{64}}) {
      test::ModelSizes sizes = {.layers = 2, .width = width, .heads = 1, .inner = 3, .vocab = 31};
      sizes.rank_w = sizes.rank_a = sizes.rank_v = sizes.rank_g = 1;
      sizes.design = design;
      const auto source = folder_ / "one.safetensors";
      test::write_model(source, test::random_model(sizes), hints_of(sizes));
      const auto expected = weights_of(source);
      const auto logits = logits_of(source);
      ASSERT_FALSE(logits.empty()) << design << " of width " << width;
      const bool in_gguf =
          design == "rwkv6" || design == "rwkv7" || design == "rwkv6qwen2" || design == "arwkv7";
      std::vector<std::pair<std::string, ConvertOptions>> targets = {
          {"one.skein", {.format = WriteFormat::packed}},
          {"one2.safetensors", {.format = WriteFormat::safetensors}}};
      if (design != "rwkv6qwen2") targets.push_back({"one.pth", {.format = WriteFormat::pth}});
      if (in_gguf) targets.push_back({"one.gguf", {.format = WriteFormat::gguf}});
      if (width == 64 && (design == "rwkv6" || design == "rwkv7"))
        targets.push_back({"fla.st", {.format = WriteFormat::safetensors, .names = "fla"}});
      for (const auto& [name, options] : targets) {
        SCOPED_TRACE(fmt::format("{} {} {}", design, width, name));
        std::filesystem::remove(folder_ / name);
        const auto path = convert(source, name, options);
        EXPECT_EQ(weights_of(path), expected);
        EXPECT_TRUE(test::same_bits(logits_of(path), logits));
      }
    }
  }
}

TEST_F(Convert, a_round_trip_ends_in_the_source_type_with_the_same_bytes) {
  const auto source = test::fixture("models/v7.pth");  // bf16
  auto path = convert(source, "a.gguf", {.format = WriteFormat::gguf});
  path = convert(path, "b.safetensors", {.format = WriteFormat::safetensors, .type = DType::bf16});
  path = convert(path, "c.pth", {.format = WriteFormat::pth});
  const auto before = io::ModelFiles::open(source), after = io::ModelFiles::open(path);
  ASSERT_TRUE(before && after);
  size_t compared = 0;
  for (const StoredTensor& tensor : after->container().tensors) {
    const auto& all = before->container().tensors;
    const auto twin = std::find_if(all.begin(), all.end(),
                                   [&](const auto& other) { return other.name == tensor.name; });
    ASSERT_NE(twin, all.end()) << tensor.name;
    EXPECT_EQ(tensor.dtype, twin->dtype) << tensor.name;
    EXPECT_EQ(tensor.shape, twin->shape) << tensor.name;
    ASSERT_TRUE(tensor.contiguous() && twin->contiguous());
    EXPECT_TRUE(std::equal(tensor.storage.begin(), tensor.storage.end(), twin->storage.begin(),
                           twin->storage.end()))
        << tensor.name;
    ++compared;
  }
  EXPECT_EQ(compared, before->container().tensors.size());
}

// A folder's config.json says the epsilon that official weights have anyway.
TEST_F(Convert, a_hugging_face_folder_becomes_a_pth) {
  const auto source = test::fixture("models/v7.pth");
  auto conversion =
      Conversion::prepare(source, {.format = WriteFormat::safetensors, .names = "fla"});
  ASSERT_TRUE(conversion);
  ASSERT_TRUE(conversion->write(folder_ / "model.safetensors", {}));
  const std::span<const std::byte> parts[] = {std::as_bytes(std::span(conversion->config()))};
  ASSERT_TRUE(write_file(folder_ / "config.json", parts));
  const auto back = convert(folder_, "back.pth", {.format = WriteFormat::pth});
  EXPECT_EQ(weights_of(back), weights_of(source));
}

TEST_F(Convert, a_rescaled_gguf_is_written_without_its_rescaling) {
  const auto source = test::fixture("models/tiny_v6.gguf");
  const auto expected = logits_of(source);
  const auto again = convert(source, "again.gguf", {.format = WriteFormat::gguf});
  EXPECT_TRUE(test::same_bits(logits_of(again), expected));
  const auto official = convert(source, "official.pth", {.format = WriteFormat::pth});
  EXPECT_TRUE(test::same_bits(logits_of(official), expected));
}

// A rescaled file of halves, as llama.cpp's converter makes them: its matrices are halves that have
// to be multiplied as they are read.
TEST_F(Convert, a_rescaled_gguf_of_halves_runs_as_its_unscaled_twin) {
  for (const DType type : {DType::f16, DType::bf16}) {
    const auto path =
        convert(random_model("rwkv6"), "h.gguf", {.format = WriteFormat::gguf, .type = type});
    auto bytes = read_file(path, 1 << 26);
    ASSERT_TRUE(bytes);
    // The key is there and 0: name, type u32, value.
    const std::string key = "rwkv6.rescale_every_n_layers";
    const auto text = std::as_bytes(std::span(key));
    const auto at = std::search(bytes->begin(), bytes->end(), text.begin(), text.end());
    ASSERT_NE(at, bytes->end());
    *(at + static_cast<std::ptrdiff_t>(key.size()) + 4) = std::byte{1};
    const std::span<const std::byte> parts[] = {*bytes};
    ASSERT_TRUE(write_file(path, parts));
    const auto twin =
        convert(path, "twin.safetensors", {.format = WriteFormat::safetensors, .type = DType::f32});
    EXPECT_TRUE(test::same_bits(logits_of(path), logits_of(twin)));
  }
}

TEST_F(Convert, a_source_that_is_cut_while_it_is_read_leaves_nothing) {
  const auto source = random_model("rwkv7", 512);
  auto conversion =
      Conversion::prepare(source, {.format = WriteFormat::safetensors, .type = DType::f16});
  ASSERT_TRUE(conversion);
  std::filesystem::resize_file(source, std::filesystem::file_size(source) / 2);
  const auto out = folder_ / "out.safetensors";
  const Status done = conversion->write(out, {});
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().code, Code::io) << done.error().message;
  EXPECT_FALSE(std::filesystem::exists(out));
}

TEST_F(Convert, a_number_that_f16_cannot_hold_is_an_error) {
  auto model = test::random_model({});
  model["blocks.0.att.key.weight"].data[5] = 1e6f;
  const auto source = folder_ / "large.safetensors";
  const auto bytes = test::as_safetensors(model);
  const std::span<const std::byte> parts[] = {bytes};
  ASSERT_TRUE(write_file(source, parts));
  auto conversion = Conversion::prepare(source, {.format = WriteFormat::pth, .type = DType::f16});
  ASSERT_TRUE(conversion);
  const Status done = conversion->write(folder_ / "out.pth", {});
  ASSERT_FALSE(done);
  EXPECT_NE(done.error().message.find("blocks.0.att.key.weight"), std::string::npos)
      << done.error().message;
}

TEST_F(Convert, tuned_states_that_do_not_fit_are_refused_everywhere) {
  auto model = test::random_model({});
  model["blocks.0.att.time_state"] = {{1, 64, 63}, std::vector<float>(64 * 63)};
  model["blocks.1.att.time_state"] = {{1, 64, 64}, std::vector<float>(64 * 64)};
  const auto source = folder_ / "tuned.safetensors";
  const auto bytes = test::as_safetensors(model);
  const std::span<const std::byte> parts[] = {bytes};
  ASSERT_TRUE(write_file(source, parts));
  const auto conversion = Conversion::prepare(source, {.format = WriteFormat::packed});
  ASSERT_FALSE(conversion);
  EXPECT_EQ(conversion.error().code, Code::mismatch);
  EXPECT_FALSE(Opening::look(source));
  EXPECT_FALSE(Model::open(source));
}

TEST_F(Convert, a_merged_adapter_keeps_the_type_of_its_model) {
  const auto conversion = Conversion::prepare(
      test::fixture("models/v7.pth"),
      {.format = WriteFormat::safetensors,
       .adapters = {{.path = test::fixture("models/v7.lora.pth"), .options = {.alpha = 8.0}}}});
  ASSERT_TRUE(conversion);
  for (const ConvertedTensor& row : conversion->tensors()) EXPECT_EQ(row.to, DType::bf16);
}

// Designs divide the types among each other.
TEST_F(Convert, a_quantised_model_is_the_model_of_its_decoded_weights) {
  const std::string designs[] = {"rwkv7", "rwkv6", "rwkv4"};
  const auto types = arch::quant_targets();
  for (size_t turn = 0; turn < std::size(designs); ++turn) {
    const std::string& design = designs[turn];
    const auto source = random_model(design, 256);
    const auto whole = logits_of(source);
    for (size_t row = 0; row < types.size(); ++row) {
      if (!test::taken(row, turn, std::size(designs))) continue;
      const std::string_view type = types[row];
      const auto chosen = dtype_named(type);
      const bool in_gguf = design != "rwkv4" && chosen != DType::int8 && chosen != DType::nf4;
      const auto quantised = convert(source, in_gguf ? "q.gguf" : "q.skein",
                                     {.format = in_gguf ? WriteFormat::gguf : WriteFormat::packed,
                                      .quant = std::string(type)});
      const auto plain = convert(quantised, "plain.safetensors",
                                 {.format = WriteFormat::safetensors, .type = DType::f32});
      const auto logits = logits_of(quantised);
      // Codes are multiplied with activations of 16 bits; everything else is the same arithmetic.
      // That is up to 1.2e-3 here, and a wrong tensor 4 % and more.
      const bool plain_type = chosen && block_size(*chosen).elements == 1;
      EXPECT_LE(test::relative_error(logits, logits_of(plain)), plain_type ? 0 : 2e-3)
          << design << " " << type;
      if (chosen == DType::f32) continue;
      EXPECT_GT(test::relative_error(logits, whole), 0) << type << " changed nothing";
    }
  }
}

// In steps of each size with the fastest instructions; types divide those of the others.
TEST_F(Convert, a_quantised_model_has_the_same_bits_everywhere) {
  const std::string types[] = {"Q8_0", "Q5_1", "Q4_0", "Q4_K", "Q6_K", "Q2_K", "IQ4_XS"};
  const auto source = random_model("rwkv7", 512);
  std::vector<int32_t> tokens(25);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<int32_t>(i * 7 % 40);
  const size_t chunks[] = {1, 6, 17, tokens.size()};
  for (size_t turn = 0; turn < std::size(types); ++turn) {
    const std::string& type = types[turn];
    const auto quantised = convert(source, "q.gguf", {.format = WriteFormat::gguf, .quant = type});
    const auto scalar = test::open_model(quantised, {.threads = 1, .isa = "scalar"});
    State expected_state = scalar->new_state();
    const auto expected = test::logits_of(*scalar, expected_state, tokens);
    for (const cpu::Isa& isa : cpu::instruction_sets()) {
      if (!isa.supported) continue;
      const bool fastest = isa.kernels == *cpu::kernels();
      for (const int threads : {1, 3}) {
        // Threads divide the work alike whatever the instructions.
        if (threads > 1 && !fastest) continue;
        const auto model =
            test::open_model(quantised, {.threads = threads, .isa = isa.kernels->name});
        for (size_t row = 0; row < std::size(chunks); ++row) {
          if (!fastest && !test::taken(row, turn, std::size(types))) continue;
          const size_t chunk = chunks[row];
          State state = model->new_state();
          EXPECT_TRUE(test::same_bits(test::logits_of(*model, state, tokens, chunk), expected))
              << type << ", " << isa.kernels->name << ", " << threads << " threads, chunks of "
              << chunk;
          EXPECT_TRUE(test::same_bits(test::numbers(state), test::numbers(expected_state))) << type;
        }
      }
    }
  }
}

TEST_F(Convert, a_four_bit_model_stays_four_bit_in_memory) {
  const auto source = random_model("rwkv4", 512);
  const auto whole = test::open_model(
      convert(source, "f32.safetensors", {.format = WriteFormat::safetensors, .type = DType::f32}));
  const auto small = test::open_model(
      convert(source, "q4.skein",
              {.format = WriteFormat::packed, .quant = "Q4_0", .overrides = {{"*", DType::q4_0}}}));
  ASSERT_TRUE(whole && small);
  const auto weights = static_cast<double>(whole->info().weight_bytes) / 4;
  EXPECT_LT(static_cast<double>(small->info().weight_bytes), 0.7 * weights);
  EXPECT_LT(static_cast<double>(small->info().bytes_per_token), 0.7 * weights);
}

TEST_F(Convert, pip_int8_is_read_back_as_what_it_decodes_to) {
  const auto source = random_model("rwkv5.2", 128);
  const auto expected = weights_of(source);
  for (const auto& [name, format] : {std::pair{"a.safetensors", WriteFormat::safetensors},
                                     std::pair{"b.pth", WriteFormat::pth}}) {
    const auto path = convert(source, name, {.format = format, .quant = "pip-int8"});
    const auto got = weights_of(path);
    for (const auto& [weight, values] : expected) {
      const bool large = weight.find("att.") != std::string::npos && weight.ends_with(".weight") &&
                         weight.find("ln_x") == std::string::npos;
      const double error = test::relative_error(got.at(weight), values);
      if (large) {
        EXPECT_GT(error, 0) << weight;
      }
      EXPECT_LE(error, large || weight.find("ffn") != std::string::npos || weight == "head.weight"
                           ? 0.01
                           : 0)
          << weight;
    }
    EXPECT_LE(test::relative_error(logits_of(path), logits_of(source)), 0.05);
  }
}

TEST_F(Convert, an_adapter_is_baked_in) {
  const auto expected = test::read_expected(test::fixture("models/v7.lora.expected.safetensors"));
  const auto path = convert(
      test::fixture("models/v7.pth"), "baked.safetensors",
      {.format = WriteFormat::safetensors,
       .type = DType::f32,
       .adapters = {{.path = test::fixture("models/v7.lora.pth"), .options = {.alpha = 8.0}}}});
  const auto model = test::open_model(path);
  State state = model->new_state();
  EXPECT_LE(test::relative_error(test::logits_of(*model, state, expected.tokens), expected.logits),
            5e-6);
}

TEST_F(Convert, a_gguf_gets_the_vocabulary_of_the_model) {
  const auto bundled = std::filesystem::path(SKEIN_SOURCE_DIR) / "models" / "bundled-0.pth";
  const auto path = convert(bundled, "bundled.gguf", {.format = WriteFormat::gguf});
  const auto files = io::ModelFiles::open(path);
  ASSERT_TRUE(files);
  const auto& metadata = files->container().metadata;
  EXPECT_EQ(std::get<std::string>(metadata.at("tokenizer.ggml.model")), "rwkv");
  EXPECT_EQ(std::get<std::vector<std::string>>(metadata.at("tokenizer.ggml.tokens")).size(), 257u);
  EXPECT_TRUE(test::same_bits(logits_of(path), logits_of(bundled)));
}

TEST_F(Convert, what_a_format_cannot_hold_is_refused_in_one_sentence) {
  const auto source = random_model("rwkv4");
  const auto refuse = [&](ConvertOptions options, std::string_view says) {
    const auto conversion = Conversion::prepare(source, std::move(options));
    ASSERT_FALSE(conversion) << says;
    EXPECT_NE(conversion.error().message.find(says), std::string::npos)
        << conversion.error().message;
  };
  refuse({.format = WriteFormat::gguf}, "GGUF files of rwkv4");
  refuse({.format = WriteFormat::pth, .quant = "Q4_0"}, "holds no Q4_0");
  refuse({.format = WriteFormat::safetensors, .quant = "small"}, "holds no");
  refuse({.format = WriteFormat::safetensors, .names = "fla"}, "fla has no model of rwkv4");
  refuse({.format = WriteFormat::safetensors, .names = "llama"}, "no naming");
  refuse({.format = WriteFormat::packed, .names = "fla"}, "names");
  refuse({.format = WriteFormat::packed, .quant = "Q9"}, "no type Q9");
  refuse({.format = WriteFormat::packed, .quant = "pip-int8"}, "pip-int8");
  refuse({.format = WriteFormat::packed, .overrides = {{"*", DType::f16}}}, "--quant");
  const auto hybrid = random_model("rwkv6qwen2");
  const auto conversion = Conversion::prepare(hybrid, {.format = WriteFormat::pth});
  ASSERT_FALSE(conversion);
  EXPECT_NE(conversion.error().message.find("no place"), std::string::npos);
}

}  // namespace
}  // namespace skein
