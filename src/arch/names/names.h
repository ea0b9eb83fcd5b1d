// From the names a container uses to the official ones, and back where Skein writes such files. One
// file per naming.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "arch/architecture.h"

namespace skein::arch::names {

// A tensor as another program wants it: `parts`, one after the other in row-major order, make up
// `shape`.
struct ForeignTensor {
  std::string name;
  std::string official;  // of the first part: whose class decides the type
  Shape shape;
  std::vector<StoredTensor> parts;
};

struct Naming {
  const char* id;     // "fla": for options
  const char* title;  // "Hugging Face fla": for people
  bool (*matches)(const Container& container);
  // Errors: mismatch (a tensor of the wrong rank for its transform). Tensors that the naming does
  // not know keep their names; the caller reports them.
  Result<NamedModel> (*translate)(const Container& container, std::string_view file_name);
  // The other way round; null where Skein does not write such files. `design` is its id. Error:
  // unsupported (a design or a tensor that the naming has no name for).
  Result<std::vector<ForeignTensor>> (*write)(const NamedModel& model,
                                              std::string_view design) = nullptr;
  // What stands beside the tensors in such a file: sizes and epsilons under the keys that its
  // readers ask for. Null where `write` is.
  Metadata (*describe)(const NamedModel& model, const Architecture& architecture,
                       std::string_view design) = nullptr;
  // The one container that is written with these names and no others; nothing: any of the rest.
  std::optional<Format> container{};
  bool keeps_tuned_states = false;  // such files have a place for them
};

// Told apart by names and shapes, in this order.
std::span<const Naming* const> namings();
// Whose names the container has, or nullptr.
const Naming* find_naming(const Container& container);

// Whether the container has a tensor of this name, and the tensor.
bool has(const Container& container, std::string_view name);
const StoredTensor* find(const Container& container, std::string_view name);
// The metadata value `key`: text or empty; a number, or 0 where the key is missing. Error: corrupt
// (anything else under that key).
std::string_view text_of(const Container& container, std::string_view key);
Result<double> number_of(const Container& container, std::string_view key,
                         std::string_view file_name);
// An epsilon, in (0, 1], or a count from 1 to 65536; 0 where the key is missing or is 0. Error:
// corrupt (any other number), naming the key.
Result<float> epsilon_of(const Container& container, std::string_view key,
                         std::string_view file_name);
Result<int64_t> count_of(const Container& container, std::string_view key,
                         std::string_view file_name);
// The embedding, before ln0, as the head of a Hugging Face model without one, where config.json
// says tie_word_embeddings. `head` is the tensor's name there. Where it says nothing, the layouts
// that are read here mean false. Errors: corrupt (it says false), mismatch (it says nothing): the
// head is missing.
Status tie_head(const Container& container, std::string_view head, std::string_view file_name,
                NamedModel& model);
// Splits "<prefix><number>.<rest>". False if `name` is not like that.
bool split_layer(std::string_view name, std::string_view prefix, int64_t& layer,
                 std::string_view& rest);

extern const Naming kOfficial;
extern const Naming kPacked;  // of Skein's own file: official, with the low-rank pairs turned over
extern const Naming kWebRwkv;
extern const Naming kFla;
extern const Naming kHuggingFace;
extern const Naming kQwen;
extern const Naming kGguf;
extern const Naming kGgmf;

}  // namespace skein::arch::names
