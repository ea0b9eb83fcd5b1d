// What complete shows: the text as it comes, a line of JSON for each token, or one object at the
// end.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "cli/console.h"
#include "cli/speed.h"
#include "run/generate.h"
#include "text/tokenizer.h"

namespace skein::cli {

// Of what was generated, as far as somebody wants it at the end.
struct KeptCompletion {
  std::vector<int32_t> ids;
  std::string text;
  std::vector<double> logprobs;
  std::vector<std::vector<TokenProbability>> top;
};

struct CompletionResult {
  Finish finish;
  const KeptCompletion& kept;
  uint64_t seed;
  const Speed& speed;
};

class CompletionView {
 public:
  struct Options {
    bool jsonl = false, logprobs = false;
  };
  // `tokenizer`: null: ids only.
  CompletionView(Console& console, const text::Tokenizer* tokenizer, Options options)
      : console_(console), tokenizer_(tokenizer), options_(options) {}

  void show_prompt(std::string_view text) const;
  void show(const Event& event);
  // Leaves the cursor of a terminal at the start of a line.
  void end_line();
  std::string result(const CompletionResult& of) const;

 private:
  void write_token(const Event& event) const;
  void write_top(JsonWriter& json, std::span<const TokenProbability> top) const;

  Console& console_;
  const text::Tokenizer* tokenizer_;
  const Options options_;
  bool line_open_ = false;  // the terminal's cursor stands behind text
};

}  // namespace skein::cli
