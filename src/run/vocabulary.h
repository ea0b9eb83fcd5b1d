// Finding the tokenizer that belongs to a model.
#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

#include "run/model.h"
#include "text/profile.h"
#include "text/tokenizer.h"

namespace skein {

// Where a vocabulary file is looked for, in order: beside the model (inside, if it is a folder), in
// `vocab` of each of data_folders(), in an installed pip package `rwkv`.
std::vector<std::filesystem::path> vocabulary_folders(const std::filesystem::path& model);

// Of the models that share a vocabulary.
inline constexpr int64_t kWorldRows = 65536, k20bRows = 50277;

// What `skein pull` calls it; empty where models of so many rows share none.
constexpr std::string_view vocabulary_name(int64_t rows) {
  return rows == kWorldRows ? "vocab" : rows == k20bRows ? "vocab-20b" : "";
}

// The file that models of so many rows share: "rwkv_vocab_v20230424.txt"; empty where they share
// none.
std::string vocabulary_file(int64_t rows);

// A vocabulary file by itself. Errors: io, and those of text::open_tokenizer().
Result<text::TokenizerPtr> read_tokenizer(const std::filesystem::path& path);

// The model's tokenizer: `vocab` if given; a GGUF's own (World, 20B, Qwen2); the byte vocabularies
// by size (257, 256); World (65536 rows) and 20B (50277) from a file in those folders; for other
// sizes a tokenizer.json beside the model. A file that gives more ids than the model has rows is a
// mismatch. Errors: mismatch, io (no vocabulary found: the sentence says what fetches it and which
// file to put where), and those of reading the file.
Result<text::TokenizerPtr> find_tokenizer(const Model& model, const std::string& vocab = {});

// The same for a file that is not opened: its rows and its metadata decide.
struct ModelText {
  std::filesystem::path path;
  int64_t rows = 0;
  const Metadata* metadata = nullptr;

  static ModelText of(const Model& model) {
    return {model.path(), model.vocab(), &model.metadata()};
  }
};
Result<text::TokenizerPtr> find_tokenizer(const ModelText& model, const std::string& vocab = {});

// How the model is talked to: by its rows, its name, its tokenizer (may be null) and its own chat
// template, which stands in its metadata or in the files of its Hugging Face folder.
const text::Profile& find_profile(const ModelText& model, const text::Tokenizer* tokenizer);

}  // namespace skein
