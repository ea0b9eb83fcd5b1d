// How far a model's predictions are from another's, over the same tokens: what a quantised file
// costs beside its source. Or of one model alone how well it predicts.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <vector>

#include "run/model.h"

namespace skein {

// Each is a sequence of its own, from a fresh state.
using Documents = std::vector<std::vector<int32_t>>;

// Tokens done and in all; false gives up with Code::io, "interrupted".
using ComparisonProgress = std::function<bool(int64_t done, int64_t total)>;

// Documents that the model writes itself at temperature 1, the same ones each time, of kOwnDocument
// tokens, the first of which is id 0; `tokens` in all, rounded up. Its own perplexity on them is
// its entropy, so every step that a copy takes away from it shows. Errors: Model::eval's; io.
inline constexpr int64_t kOwnDocument = 256;
Result<Documents> write_documents(Model& model, int64_t tokens, const ComparisonProgress& progress);

struct ComparedModel {
  std::filesystem::path path;
  ModelOptions options;
};

struct ComparisonOptions {
  // The first so many tokens of each document are read as a prompt, and nothing after them but the
  // last is predicted.
  int64_t prompt = 0;
  // Never both open: piece by piece of the text one is opened after the other. Chosen by itself
  // where memory has not enough for both.
  bool separately = false;
};

// Natural logarithms; of all predictions.
struct Comparison {
  int64_t predictions = 0;
  // exp of the mean loss, and the loss itself.
  struct Side {
    double loss = 0;
    double perplexity = 0;
  };
  Side a;
  bool separately = false;

  // Beside a second model:
  struct Spread {
    double mean = 0, median = 0, most_of_99 = 0, largest = 0;
  };
  struct Both {
    Side b;
    Spread divergence;      // KL(A || B) of a prediction
    double same_first = 0;  // share of predictions whose likeliest token is the same
    double change = 0;      // mean of ln p_B - ln p_A of the tokens that came
    double change_rms = 0;
    double logit_error = 0;  // the largest difference of a logit over A's largest logit
  };
  std::optional<Both> both;
};

// Memory does not grow with the text, but for a number for each prediction. Errors: those of
// opening the models and of Model::eval; mismatch (vocabularies of different sizes, ids that the
// models do not have); argument (nothing to predict).
Result<Comparison> compare_models(const ComparedModel& a, const ComparedModel* b,
                                  const Documents& documents, const ComparisonOptions& options,
                                  const ComparisonProgress& progress);

}  // namespace skein
