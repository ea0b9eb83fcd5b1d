// What each quantised type does to a model: a table of sizes, divergence and perplexity against the
// model as it is, over text that the model itself wrote; then what the mode `fast` adds to that.
//
//   build/tools/measure_quantised MODEL [TOKENS]
//
// The text: 256-token documents sampled from the model at temperature 1 with a fixed seed, so that
// the model's own perplexity is its entropy and every step that a quantised copy takes away from it
// shows.
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdio>
#include <filesystem>
#include <random>
#include <string_view>
#include <vector>

#include "run/convert.h"

namespace skein {
namespace {

constexpr size_t kDocument = 256;

std::vector<double> log_softmax(std::span<const float> logits) {
  const double top = *std::max_element(logits.begin(), logits.end());
  double sum = 0;
  for (const float x : logits) sum += std::exp(x - top);
  std::vector<double> out;
  for (const float x : logits) out.push_back(x - top - std::log(sum));
  return out;
}

using Documents = std::vector<std::vector<int32_t>>;

Result<Documents> write_text(Model& model, size_t tokens) {
  std::mt19937_64 random(1);
  std::vector<float> logits(static_cast<size_t>(model.vocab()));
  Documents out;
  for (size_t written = 0; written < tokens; written += kDocument) {
    State state = model.new_state();
    std::vector<int32_t>& document = out.emplace_back(1, 0);  // id 0 separates documents
    while (document.size() < kDocument) {
      SK_TRY_STATUS(model.eval(state, {&document.back(), 1}, Want::last, logits.data()));
      const auto p = log_softmax(logits);
      double left = static_cast<double>(random() >> 11) * 0x1p-53;
      size_t id = 0;
      while (id + 1 < p.size() && (left -= std::exp(p[id])) > 0) ++id;
      document.push_back(static_cast<int32_t>(id));
    }
  }
  return out;
}

struct Figures {
  double perplexity = 0, divergence = 0, worst = 0, same_first = 0, error = 0;
};

// Of each document's tokens from `prompt` on; those before are read as a prompt. `reference` gets
// the logits when it is empty, and is compared with otherwise.
Result<Figures> measure(Model& model, const Documents& documents, std::vector<float>& reference,
                        size_t prompt = 0) {
  const auto vocab = static_cast<size_t>(model.vocab());
  const size_t rows = kDocument - prompt;
  std::vector<float> all, logits(rows * vocab);
  for (const auto& document : documents) {
    State state = model.new_state();
    const auto ids = std::span(document);
    if (prompt > 0) SK_TRY_STATUS(model.eval(state, ids.first(prompt), Want::none, nullptr));
    SK_TRY_STATUS(model.eval(state, ids.subspan(prompt), Want::all, logits.data()));
    all.insert(all.end(), logits.begin(), logits.end());
  }
  if (reference.empty()) reference = all;
  Figures out;
  double scale = 0, count = 0, loss = 0;
  for (size_t row = 0; row < documents.size() * rows; ++row) {
    const auto got = std::span(all).subspan(row * vocab, vocab);
    const auto want = std::span(reference).subspan(row * vocab, vocab);
    const auto p = log_softmax(want), q = log_softmax(got);
    double divergence = 0;
    for (size_t i = 0; i < vocab; ++i) {
      divergence += std::exp(p[i]) * (p[i] - q[i]);
      out.error = std::max<double>(out.error, std::fabs(got[i] - want[i]));
      scale = std::max<double>(scale, std::fabs(want[i]));
    }
    out.divergence += divergence;
    out.worst = std::max(out.worst, divergence);
    const auto first = [](auto s) { return std::max_element(s.begin(), s.end()) - s.begin(); };
    out.same_first += first(got) == first(want);
    ++count;
    if (const size_t next = prompt + row % rows + 1; next < kDocument)
      loss -= q[static_cast<size_t>(documents[row / rows][next])];
  }
  out.divergence /= count;
  out.same_first *= 100 / count;
  out.error /= scale;
  out.perplexity = std::exp(loss / (count - static_cast<double>(documents.size())));
  return out;
}

Result<Conversion> write_copy(const std::filesystem::path& path, std::string_view type,
                              const std::filesystem::path& copy) {
  SK_TRY(Conversion conversion, Conversion::prepare(path, {.format = io::WriteFormat::packed,
                                                           .quant = std::string(type)}));
  io::WriteOptions options;
  options.overwrite = true;
  SK_TRY_STATUS(conversion.write(copy, options));
  return conversion;
}

// The logits of the tokens after a prompt, by exact and by fast numerics.
Status compare_modes(const std::filesystem::path& reference_path, const std::filesystem::path& path,
                     std::string_view type, const Documents& documents) {
  constexpr size_t kPrompt = 192;  // whole blocks; logits of prompts are exact in both modes
  std::vector<float> reference;
  SK_TRY(const auto plain, Model::open(reference_path));
  SK_TRY(const Figures unused, measure(*plain, documents, reference, kPrompt));
  static_cast<void>(unused);
  SK_TRY(const auto exact, Model::open(path));
  SK_TRY(const auto fast, Model::open(path, {.numerics = Numerics::fast}));
  SK_TRY(const Figures a, measure(*exact, documents, reference, kPrompt));
  SK_TRY(const Figures b, measure(*fast, documents, reference, kPrompt));
  fmt::print("| {} | {:.4f} | {:.4f} | {:.6f} | {:.6f} | {:.1f} % | {:.1f} % |\n", type,
             a.perplexity, b.perplexity, a.divergence, b.divergence, a.same_first, b.same_first);
  return {};
}

Status run(const std::filesystem::path& path, size_t tokens) {
  SK_TRY(const auto model, Model::open(path));
  SK_TRY(const Documents documents, write_text(*model, tokens));
  std::vector<float> reference;
  SK_TRY(const Figures plain, measure(*model, documents, reference));
  fmt::print("{}, {} tokens of its own; perplexity {:.4f}\n\n", model->info().title,
             documents.size() * kDocument, plain.perplexity);
  fmt::print(
      "| type | bits a weight | perplexity | mean KL | largest KL | same first | logits |\n");
  fmt::print("|---|---|---|---|---|---|---|\n");
  const auto file =
      std::filesystem::temp_directory_path() / fmt::format("skein_measure_{}.skein", getpid());
  for (const std::string_view type : arch::quant_targets()) {
    SK_TRY(const Conversion conversion, write_copy(path, type, file));
    double bits = 0, weights = 0;
    for (const ConvertedTensor& row : conversion.tensors()) {
      const BlockSize block = block_size(row.to);
      const auto count = static_cast<double>(row.shape.elements());
      bits += count * 8.0 * static_cast<double>(block.bytes) / static_cast<double>(block.elements);
      weights += count;
    }
    SK_TRY(const auto quantised, Model::open(file));
    SK_TRY(const Figures f, measure(*quantised, documents, reference));
    fmt::print("| {} | {:.2f} | {:.4f} | {:.6f} | {:.4f} | {:.1f} % | {:.4f} |\n", type,
               bits / weights, f.perplexity, f.divergence, f.worst, f.same_first, f.error);
  }
  fmt::print("\nTokens after a prompt of 192, exact and fast:\n\n");
  fmt::print("| type | perplexity | fast | mean KL | fast | same first | fast |\n");
  fmt::print("|---|---|---|---|---|---|---|\n");
  for (const std::string_view type : arch::quant_targets()) {
    SK_TRY_STATUS(write_copy(path, type, file));
    SK_TRY_STATUS(compare_modes(path, file, type, documents));
  }
  std::filesystem::remove(file);
  return {};
}

}  // namespace
}  // namespace skein

int main(int argc, char** argv) {
  size_t tokens = 16384;
  const std::string_view given = argc > 2 ? argv[2] : "";
  const bool fits =
      given.empty() || std::from_chars(given.data(), given.data() + given.size(), tokens).ptr ==
                           given.data() + given.size();
  if (argc < 2 || argc > 3 || !fits) {
    fmt::print(stderr, "usage: measure_quantised MODEL [TOKENS]\n");
    return 2;
  }
  if (const skein::Status done = skein::run(argv[1], tokens); !done) {
    fmt::print(stderr, "error: {}\n", done.error().message);
    return 1;
  }
  return 0;
}
