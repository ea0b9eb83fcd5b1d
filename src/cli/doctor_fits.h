// Which models fit this process's memory and how fast they may answer: the published sizes, or one
// file, as they are and in other types.
#pragma once

#include <string>
#include <vector>

#include "cli/console.h"
#include "run/opening.h"

namespace skein::cli {

// A model in one type.
struct Fit {
  std::string type;          // empty: as the file has it
  int64_t tensor_bytes = 0;  // of the file, about
  int64_t peak = 0;          // what it needs (MemoryEstimate::peak)
  int64_t bytes_per_token = 0;
  double tokens_per_second = 0;  // to expect of one answer; 0: not known, or it does not fit
  bool fits = false;
};
struct SizeFits {
  std::string size;  // "1.5B"
  std::vector<Fit> types;
};

// Of RWKV-7 in the types of kShownTypes. Takes a fraction of a second, for what products of each
// type take here. Errors: those of opening the device.
inline constexpr std::string_view kShownTypes[] = {"F16", "Q8_0", "Q4_K"};
Result<std::vector<SizeFits>> official_fits();

// Of a file as it is, and in the usual types that are smaller.
std::vector<Fit> fits_of(const Opening& opening);

void print_fits(Console& console, const std::vector<SizeFits>& sizes);
void print_fits(Console& console, const Opening& opening, const std::vector<Fit>& fits);
void write_fit(JsonWriter& json, const Fit& fit);

}  // namespace skein::cli
