// Every model design we know by name, runnable or not, and how a file is recognised.
#pragma once

#include <memory>
#include <span>
#include <string>

#include "arch/architecture.h"

namespace skein::arch {

struct Design {
  const char* id;     // "rwkv7"
  const char* title;  // RWKV-7 "Goose"
  // Nobody runs it yet when this is null: the file is named, not opened.
  Result<std::unique_ptr<Architecture>> (*open)(const NamedModel&, std::string_view file_name);
};

std::span<const Design> designs();

// What a container holds.
struct Identified {
  const Design* design = nullptr;  // nullptr: no model that we know
  const char* naming = "";         // whose tensor names
  int64_t parameters = 0;          // elements of all tensors
  std::string hint;  // what else the file is, if no model: "a full state of 36 tensors"

  std::string title() const;  // RWKV-6 "Finch" 1.6B
};
Identified identify(const Container& container);
// Whether it has tuned initial states and nothing else.
bool holds_tuned_states(const Container& container);

// Tensors under official names. Errors: unsupported (not runnable, or no model: the sentence says
// what it is), mismatch.
Result<NamedModel> official_model(const Container& container, const Identified& what,
                                  std::string_view file_name);

// A container's model up to the point where its numbers would be read: what running, converting and
// inspecting it share, so that they agree on what is a model.
struct OpenedModel {
  NamedModel model;
  std::unique_ptr<Architecture> architecture;
};
// Errors: those of official_model and of opening the design; corrupt (the file declares what its
// tensors are not, see declared.h).
Result<OpenedModel> open_model(const Container& container, const Identified& what,
                               std::string_view file_name);

// Names in `tensors` that the architecture does not read, in order.
std::vector<std::string> unknown_tensors(const Architecture& architecture,
                                         const NamedTensors& tensors);

}  // namespace skein::arch
