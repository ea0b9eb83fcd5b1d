// What a file says about its model beside the tensors, against the tensors. A conversion that broke
// off, or a config.json of another model, contradicts them; to run what is there would be to run
// another model without a word.
#pragma once

#include <span>
#include <string_view>

#include "arch/architecture.h"

namespace skein::arch {

// A key that declares a size.
struct DeclaredSize {
  std::string_view key;      // "*" stands for a GGUF's general.architecture
  std::string_view naming;   // whose (names/names.h), by id; empty: any
  std::string_view designs;  // of which, by id with spaces between; empty: all
  std::string_view what;     // "layers", for the message
  // What the tensors have; kNothing where they have none of it.
  int64_t (*held)(const Dimensions& sizes, const NamedTensors& tensors);
};
inline constexpr int64_t kNothing = -1;

// A key that declares whether a part is there.
struct DeclaredPart {
  std::string_view key;  // empty: every file of this naming and these designs has it
  std::string_view naming;
  std::string_view designs;
  std::string_view tensor;  // official name: the part is there if this is
  enum class Missing : uint8_t { says_nothing, means_yes } missing;  // where the key is not there
  bool may_be_more;  // the part may be there though the key says no
};

// A key of which only some words mean what Skein computes.
struct DeclaredWord {
  std::string_view key;
  std::string_view naming;
  std::string_view designs;
  std::string_view words;  // with spaces between
};

// Keys that good files are known to have wrong are not among them: GGUF's attention.head_count (0
// by agreement), time_mix_extra_dim and time_decay_extra_dim (guessed by the converter),
// transformers' num_attention_heads (a head's size in RWKV-5 and 6). A null, and a key that is not
// there, say nothing.
std::span<const DeclaredSize> declared_sizes();
std::span<const DeclaredPart> declared_parts();
std::span<const DeclaredWord> declared_words();

// Errors: corrupt, naming the key and both numbers, or the key and the tensor; mismatch (a part
// that such files have is missing); unsupported (another word).
Status check_declared(const Container& container, std::string_view naming, std::string_view design,
                      const Dimensions& sizes, const NamedTensors& tensors,
                      std::string_view file_name);

}  // namespace skein::arch
