// Which matrices are kept in records (cpu/kernels.h), and how panels become records.
//
// A product can skip inputs that are zero only if their weights lie together, and then all of a
// step that skips reads less: a hidden unit of the channel mix is relu(x)^2, which is zero for half
// of the units of a random model and seven of eight in a trained one. Records replace the panels,
// in the same place and size. Where many tokens are multiplied and too few inputs are zero, they
// are made panels again, a few at a time, for the kernels of panels; that is a copy for each step.
#pragma once

#include <vector>

#include "cpu/kernels.h"
#include "ops/program.h"

namespace skein::cpu {

// Panels that are made of records at a time.
inline constexpr int64_t kUnpackedPanels = 32;

// The matrices whose inputs are relu(x)^2, or that times something.
std::vector<ops::WeightId> matrices_of_sparse_inputs(const ops::Program& program);

// Whether zero inputs can be skipped: whole records, a list of inputs that fits a thread's scratch.
// LevelPanels have none: a step reads an eighth or a quarter of the f32 that they stand for as it
// is.
bool can_be_records(PanelType type, int64_t rows, int64_t width);

// Inputs [inputs.begin, inputs.end) of codes, in whole blocks, or of numbers.
void make_records(PanelType type, const CodePanels& codes, const std::byte* panels, int64_t rows,
                  int64_t width, Range inputs, std::byte* records);

// Whether skipping is the faster way for these rows of activations. Measured on one core of
// a Sapphire Rapids, AVX-512: a token costs the active share of one pass over the weights, while
// panels cost two or three passes to be made and then a fraction of one for each token.
bool worth_skipping(const Linear& l);

}  // namespace skein::cpu
