// Which tensor gets which type when a model is quantised. Knows what tensors are for, not what the
// types do with numbers; docs/quantisation.md has the reasons.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"
#include "tensor/dtype.h"

namespace skein::arch {

// Who has to read the file.
enum class QuantRules : uint8_t {
  skein,
  llama_cpp,  // a GGUF: types with a GGUF id; low-rank pairs and vectors in F32, as its loader
              // wants
};

// What the user asked for some tensors: the first override whose pattern matches a name decides.
struct QuantOverride {
  std::string pattern;  // see glob.h
  DType type = DType::f16;
};
// "blocks.0.*=Q8_0". Errors: argument.
Result<QuantOverride> parse_quant_override(std::string_view text);

struct QuantChoice {
  DType type = DType::f32;
  std::string why;  // for people: "attention", "layer 0's output: at least 8 bits"
};

class QuantPolicy {
 public:
  // `target` is a preset ("small", "near-lossless") or the name of a type that can be written, for
  // the attention and feed-forward matrices; the other classes follow from it. Errors: argument
  // (no such target, a type that is for activations or has no writer), unsupported (a type that the
  // rules exclude, in the target or an override).
  static Result<QuantPolicy> make(std::string_view target, QuantRules rules,
                                  std::vector<QuantOverride> overrides);

  // `row_length` is the length of the rows as they will be written, of which blocks are made: of a
  // matrix that is kept [in, out], its outputs. A type whose blocks do not divide it gives way to
  // the next that fits.
  QuantChoice choose(const WeightSpec& weight, int64_t row_length) const;

  std::string_view target() const { return target_; }

 private:
  // The types of the classes.
  struct Mix {
    DType matrix = DType::f16;
    DType embedding = DType::f16;
    DType head = DType::f16;
    DType low_rank = DType::f16;
    bool wide_first_value = false;  // layer 0's value as wide as its output
  };

  static Mix mix_of(DType matrix);
  const QuantOverride* override_of(std::string_view name) const;
  QuantChoice by_class(const WeightSpec& weight) const;

  std::string target_;
  QuantRules rules_ = QuantRules::skein;
  std::vector<QuantOverride> overrides_;
  Mix mix_;
};

// The types that --quant and its overrides accept, presets first.
std::vector<std::string_view> quant_targets();

}  // namespace skein::arch
