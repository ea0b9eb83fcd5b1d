// Where the vocabularies come from that models share (run/vocabulary.h).
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "hub/source.h"

namespace skein::hub {

struct Vocabulary {
  std::string_view name;   // "vocab": what `skein pull` calls it
  int64_t rows;            // of the models that use it
  std::string_view title;  // "World"
  uint64_t bytes;
  std::string_view sha256;  // of the official file, hexadecimal
};

std::span<const Vocabulary> vocabularies();
// nullptr if there is none of this name, or models of so many rows share none.
const Vocabulary* find_vocabulary(std::string_view name);
const Vocabulary* vocabulary_of(int64_t rows);

// What it is called: "rwkv_vocab_v20230424.txt".
std::string file_name(const Vocabulary& vocabulary);
// Places that have it, to be tried in this order. Error: argument (the endpoint).
Result<std::vector<Source>> sources(const Vocabulary& vocabulary, std::string_view endpoint);

}  // namespace skein::hub
