// Figures of the matrices that states consist of.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "run/state.h"
#include "server/api_error.h"

namespace skein::server {

double norm_of(std::span<const float> numbers);
double distance_of(std::span<const float> a, std::span<const float> b);
// Of the angle between them; 1 where one of them has no direction.
double cosine_of(std::span<const float> a, std::span<const float> b);
// By how much of `before` it is another.
double change_of(std::span<const float> now, std::span<const float> before);
// How many directions a matrix uses, 1 to its columns: |S|^4 / |S'S|^2, which needs no
// decomposition.
double rank_of(std::span<const float> matrix, size_t columns);

// The matrices of a state, one for each head of each layer.
struct HeadShape {
  std::vector<size_t> parts;  // of the layout, one for each layer
  size_t heads = 0;           // of a layer
  size_t rows = 0, columns = 0;
};
// Error: 400, the model has no such matrices.
Asked<HeadShape> heads_of(const StateLayout& layout);

// Little-endian float16 numbers; what is too large for one is the largest.
std::string half_floats(std::span<const float> numbers);

}  // namespace skein::server
