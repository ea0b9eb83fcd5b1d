#include "hub/vocabularies.h"

#include <algorithm>
#include <iterator>

#include "run/vocabulary.h"

namespace skein::hub {
namespace {

constexpr Vocabulary kVocabularies[] = {
    {vocabulary_name(kWorldRows), kWorldRows, "World", 1093733,
     "e6dee3d4e31b4d5c40ac99508ac6c701ceef4bed681bf2167ce9a908552bca89"},
    {vocabulary_name(k20bRows), k20bRows, "20B", 2467981,
     "56ac4821e129d2c520fdaba60abd920fa852ada51b45c0dd52bbb6bd8c985ade"},
};

// A mirror of the hub is reached from where GitHub is not; what comes is compared either way.
struct Place {
  int64_t rows;
  std::string_view repo;     // of the hub, or
  std::string_view address;  // anywhere
};
constexpr Place kPlaces[] = {
    {kWorldRows, "RWKV/v5-Eagle-7B-HF", ""},
    {kWorldRows, "", "https://raw.githubusercontent.com/BlinkDL/ChatRWKV/main/tokenizer/"},
    {k20bRows, "", "https://raw.githubusercontent.com/BlinkDL/ChatRWKV/main/"},
};

}  // namespace

std::span<const Vocabulary> vocabularies() { return kVocabularies; }

const Vocabulary* find_vocabulary(std::string_view name) {
  const auto found = std::find_if(std::begin(kVocabularies), std::end(kVocabularies),
                                  [&](const Vocabulary& one) { return one.name == name; });
  return found == std::end(kVocabularies) ? nullptr : found;
}

const Vocabulary* vocabulary_of(int64_t rows) {
  const auto found = std::find_if(std::begin(kVocabularies), std::end(kVocabularies),
                                  [&](const Vocabulary& one) { return one.rows == rows; });
  return found == std::end(kVocabularies) ? nullptr : found;
}

std::string file_name(const Vocabulary& vocabulary) { return vocabulary_file(vocabulary.rows); }

Result<std::vector<Source>> sources(const Vocabulary& vocabulary, std::string_view endpoint) {
  std::vector<Source> out;
  for (const Place& place : kPlaces) {
    if (place.rows != vocabulary.rows) continue;
    const std::string name = file_name(vocabulary);
    SK_TRY(Source source, place.repo.empty() ? at_address(std::string(place.address) + name)
                                             : hub_file(endpoint, place.repo, "main", name));
    source.sha256 = vocabulary.sha256;
    source.bytes = vocabulary.bytes;
    out.push_back(std::move(source));
  }
  return out;
}

}  // namespace skein::hub
