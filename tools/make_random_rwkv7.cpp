// Writes an RWKV-7 with random weights in the shape of a released model, for speed measurements and
// tests that need size and not sense: official names, safetensors, the same bytes on every machine.
//
// Each number is a function of the seed, the tensor's name and its place, so nothing is kept in
// memory and the values do not depend on the order of writing. Scales follow the width of each
// product (1 / sqrt(inputs)) and the residual branches 1 / sqrt(2 layers): activations stay near 1
// at any depth, and logits stay lively.
#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "base/json.h"
#include "quant/formats.h"
#include "tensor/dtype.h"

namespace skein {
namespace {

constexpr int64_t kHeadSize = 64;
constexpr size_t kChunk = size_t{1} << 20;  // numbers made at a time

struct Shape {
  int64_t layers, width, inner, vocab;
  int64_t rank_w, rank_a, rank_v, rank_g;
};

const std::map<std::string, Shape> kReleased = {
    {"0.1b", {12, 768, 3072, 65536, 64, 64, 32, 128}},
    {"0.4b", {24, 1024, 4096, 65536, 64, 64, 32, 128}},
    {"1.5b", {24, 2048, 8192, 65536, 96, 96, 64, 256}},
};

const std::map<std::string, DType> kTypes = {
    {"f16", DType::f16}, {"bf16", DType::bf16}, {"f32", DType::f32}};

// A tensor as it will be written: bell-shaped numbers, or evenly spread ones from mean - spread to
// mean + spread.
struct Plan {
  std::string name;
  std::vector<int64_t> shape;
  double mean, spread;
  bool even = false;

  size_t count() const {
    size_t n = 1;
    for (int64_t axis : shape) n *= static_cast<size_t>(axis);
    return n;
  }
};

class Planner {
 public:
  Planner(const Shape& s, double active)
      : s_(s), active_(active), branch_(1 / std::sqrt(2.0 * double(s.layers))) {
    plans_.push_back({"emb.weight", {s.vocab, s.width}, 0.0, 0.5});
    for (int64_t layer = 0; layer < s.layers; ++layer) {
      block_ = fmt::format("blocks.{}.", layer);
      if (layer == 0) norm(block_ + "ln0");
      norm(block_ + "ln1");
      norm(block_ + "ln2", active_ < 0.5 ? kLean : 0.0);
      time_mix();
      channel_mix();
    }
    norm("ln_out");
    matrix("head.weight", s.vocab, s.width, 2.0);
  }

  std::vector<Plan> take() { return std::move(plans_); }

 private:
  void norm(const std::string& name, double lean = 0) {
    plans_.push_back({name + ".weight", {s_.width}, 1.0, 0.1});
    plans_.push_back({name + ".bias", {s_.width}, lean, 0.1});
  }

  void vector(const std::string& name, double mean, double spread, bool even = false) {
    plans_.push_back({name, {1, 1, s_.width}, mean, spread, even});
  }

  // [outputs, inputs], so that inputs of size 1 give outputs of size `gain`.
  void matrix(const std::string& name, int64_t outputs, int64_t inputs, double gain) {
    plans_.push_back({name, {outputs, inputs}, 0.0, gain / std::sqrt(double(inputs))});
  }

  // The pair x @ first [width, rank], then @ second [rank, width].
  void low_rank(const std::string& name, int64_t rank, double second_gain) {
    plans_.push_back({name + "1", {s_.width, rank}, 0.0, 1 / std::sqrt(double(s_.width))});
    plans_.push_back({name + "2", {rank, s_.width}, 0.0, second_gain / std::sqrt(double(rank))});
  }

  void time_mix() {
    const std::string att = block_ + "att.";
    for (char x : std::string_view("rwkvag")) vector(att + "x_" + x, 0.5, 0.5, true);
    vector(att + "w0", -2.5, 3.5, true);  // from forgetting at once to keeping for long
    low_rank(att + "w", s_.rank_w, 1.0);
    vector(att + "a0", 0.0, 0.5);
    low_rank(att + "a", s_.rank_a, 1.0);
    vector(att + "v0", 0.7, 0.3);
    low_rank(att + "v", s_.rank_v, 1.0);
    low_rank(att + "g", s_.rank_g, 2.0);
    vector(att + "k_k", 0.85, 0.2);
    vector(att + "k_a", 1.0, 0.1);
    plans_.push_back({att + "r_k", {s_.width / kHeadSize, kHeadSize}, 0.0, 0.1});
    matrix(att + "receptance.weight", s_.width, s_.width, 0.7);
    matrix(att + "key.weight", s_.width, s_.width, 0.5);
    matrix(att + "value.weight", s_.width, s_.width, 0.7);
    matrix(att + "output.weight", s_.width, s_.width, branch_);
    norm(att + "ln_x");
  }

  void channel_mix() {
    const std::string ffn = block_ + "ffn.";
    vector(ffn + "x_k", 0.5, 0.5, true);
    matrix(ffn + "key.weight", s_.inner, s_.width, 1.0);
    // Inputs lean to one side and weights to the other, which shifts all sums alike. The token
    // shift mixes two tokens by shares that are spread evenly: 2/3 of one's variance is left.
    if (active_ < 0.5) {
      const double size = std::sqrt(2.0 / 3 + kLean * kLean);
      plans_.back().mean = -bell_above(active_) * size / (kLean * double(s_.width));
    }
    matrix(ffn + "value.weight", s_.width, s_.inner, branch_);
  }

  // Where a bell of standard deviation 1 has this share above.
  static double bell_above(double share) {
    double low = 0, high = 8;
    for (int i = 0; i < 60; ++i) {
      const double middle = (low + high) / 2;
      (std::erfc(middle / std::sqrt(2.0)) / 2 > share ? low : high) = middle;
    }
    return low;
  }

  static constexpr double kLean = 0.5;

  Shape s_;
  double active_;
  double branch_;
  std::string block_;
  std::vector<Plan> plans_;
};

uint64_t mix(uint64_t x) {  // a bijection in which every input bit moves about half of the output
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  x = (x ^ (x >> 32)) * 0xd6e8feb86659fd93u;
  return x ^ (x >> 32);
}

uint64_t key_of(uint64_t seed, std::string_view name) {
  uint64_t key = mix(seed + 1);
  for (char c : name) key = mix(key ^ static_cast<unsigned char>(c));
  return key;
}

// Standard deviation 1 from the four 16-bit quarters of one number: a sum of four, as good as a
// bell here, and in whole numbers up to one exact scaling, so that no libm decides a bit.
double bell(uint64_t bits) {
  int64_t sum = -2 * 65535;
  for (int quarter = 0; quarter < 4; ++quarter)
    sum += static_cast<int64_t>((bits >> (16 * quarter)) & 0xffffu);
  constexpr double kScale = 1.7320508075688772 / 65536;
  return static_cast<double>(sum) * kScale;
}

double even(uint64_t bits) { return static_cast<double>(bits >> 12) * 0x1p-51 - 1.0; }

void fill(const Plan& plan, uint64_t key, size_t first, std::span<float> out) {
  for (size_t i = 0; i < out.size(); ++i) {
    const uint64_t bits = mix(key + (first + i) * 0x9e3779b97f4a7c15u);
    out[i] = static_cast<float>(plan.mean + plan.spread * (plan.even ? even(bits) : bell(bits)));
  }
}

std::string header(const std::vector<Plan>& plans, DType type) {
  JsonWriter json;
  json.begin_object();
  uint64_t at = 0;
  for (const Plan& plan : plans) {
    json.key(plan.name).begin_object();
    json.key("dtype").value(dtype_name(type));
    json.key("shape").begin_array();
    for (int64_t axis : plan.shape) json.value(axis);
    json.end_array();
    json.key("data_offsets").begin_array().value(at);
    at += plan.count() * static_cast<uint64_t>(block_size(type).bytes);
    json.value(at).end_array().end_object();
  }
  json.end_object();
  std::string text = json.text();
  text.append((8 - text.size() % 8) % 8, ' ');
  return text;
}

class Progress {
 public:
  explicit Progress(uint64_t total) : total_(total) {}
  void add(uint64_t bytes) {
    done_ += bytes;
    const uint64_t tenth = done_ * 10 / total_;
    if (tenth != shown_) fmt::print(stderr, "{} % of {} MB\n", tenth * 10, total_ / 1'000'000);
    shown_ = tenth;
  }

 private:
  uint64_t total_, done_ = 0, shown_ = 0;
};

Status write_model(const std::vector<Plan>& plans, DType type, uint64_t seed, bool quiet,
                   const std::filesystem::path& path) {
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  const std::string head = header(plans, type);
  for (int byte = 0; byte < 8; ++byte)
    file.put(static_cast<char>((uint64_t{head.size()} >> (8 * byte)) & 0xff));
  file.write(head.data(), static_cast<std::streamsize>(head.size()));

  const auto size = static_cast<size_t>(block_size(type).bytes);
  uint64_t total = 0;
  for (const Plan& plan : plans) total += plan.count() * size;
  Progress progress(total);
  std::vector<float> values(kChunk);
  std::vector<std::byte> bytes(kChunk * size);
  for (const Plan& plan : plans) {
    const uint64_t key = key_of(seed, plan.name);
    for (size_t first = 0; first < plan.count() && file; first += kChunk) {
      const size_t count = std::min(kChunk, plan.count() - first);
      fill(plan, key, first, std::span(values).first(count));
      SK_TRY_STATUS(quant::encode(type, std::span(values).first(count),
                                  std::span(bytes).first(count * size)));
      file.write(reinterpret_cast<const char*>(bytes.data()),
                 static_cast<std::streamsize>(count * size));
      if (!quiet) progress.add(count * size);
    }
  }
  file.close();
  if (!file) return fail(Code::io, "{} could not be written", path.string());
  return {};
}

int run(int argc, char** argv) {
  CLI::App app("Writes an RWKV-7 of random weights as safetensors.", "make_random_rwkv7");
  std::string shape_name = "0.1b", type_name = "f16", path;
  app.add_option("--shape", shape_name, "a released model's shape: 0.1b, 0.4b, 1.5b")
      ->check(CLI::IsMember(kReleased))
      ->capture_default_str();
  int64_t layers = 0, width = 0, inner = 0, vocab = 0;
  std::vector<int64_t> ranks;
  const auto positive = CLI::Range(int64_t{1}, int64_t{1} << 20);
  app.add_option("-L,--layers", layers, "instead of the shape's")->check(positive);
  app.add_option("-D,--width", width, "a multiple of 64; the inner width becomes 4 times this")
      ->check(positive);
  app.add_option("-F,--inner", inner, "instead of the shape's")->check(positive);
  app.add_option("-V,--vocab", vocab, "instead of the shape's")->check(positive);
  app.add_option("--ranks", ranks, "low-rank sizes of w, a, v, g")
      ->delimiter(',')
      ->expected(4)
      ->check(positive);
  app.add_option("--dtype", type_name, "f16, bf16 or f32")
      ->check(CLI::IsMember(kTypes))
      ->capture_default_str();
  double active = 0.5;
  app.add_option("--active", active, "share of the channel mix's hidden units that are not zero")
      ->check(CLI::Range(0.01, 0.5))
      ->capture_default_str();
  uint64_t seed = 1;
  app.add_option("--seed", seed)->capture_default_str();
  bool quiet = false;
  app.add_flag("-q,--quiet", quiet, "no progress");
  app.add_option("FILE", path)->required();
  CLI11_PARSE(app, argc, argv);

  Shape shape = kReleased.at(shape_name);
  if (layers) shape.layers = layers;
  if (width) shape.width = width, shape.inner = 4 * width;
  if (inner) shape.inner = inner;
  if (vocab) shape.vocab = vocab;
  if (!ranks.empty())
    shape.rank_w = ranks[0], shape.rank_a = ranks[1], shape.rank_v = ranks[2],
    shape.rank_g = ranks[3];
  if (shape.width % kHeadSize != 0) {
    fmt::print(stderr, "error: the width is {}, not a multiple of {}\n", shape.width, kHeadSize);
    return 2;
  }

  // Under another name until it is whole.
  const std::string part = path + ".part";
  const Status written =
      write_model(Planner(shape, active).take(), kTypes.at(type_name), seed, quiet, part);
  std::error_code renamed;
  if (written) std::filesystem::rename(part, path, renamed);
  if (written && !renamed) return 0;
  std::error_code ignored;
  std::filesystem::remove(part, ignored);
  fmt::print(stderr, "error: {}\n", written ? renamed.message() : written.error().message);
  return 1;
}

}  // namespace
}  // namespace skein

int main(int argc, char** argv) { return skein::run(argc, argv); }
