#include "run/vocabulary.h"

#include <cstdlib>
#include <span>
#include <string_view>

#include "base/limits.h"

namespace skein {
namespace {

constexpr int32_t kWorldRows = 65536;
constexpr int32_t k20bRows = 50277;

std::filesystem::path data_folder() {
  if (const char* home = std::getenv("SKEIN_HOME"); home && *home) return home;
  if (const char* data = std::getenv("XDG_DATA_HOME"); data && *data)
    return std::filesystem::path(data) / "skein";
  if (const char* home = std::getenv("HOME"); home && *home)
    return std::filesystem::path(home) / ".local/share/skein";
  return {};
}

std::span<const char* const> file_names(int64_t rows) {
  static constexpr const char* kWorld[] = {"rwkv_vocab_v20230424.txt", "rwkv_vocab_v20230424.json"};
  static constexpr const char* k20b[] = {"20B_tokenizer.json", "tokenizer.json"};
  if (rows == kWorldRows) return kWorld;
  if (rows == k20bRows) return k20b;
  return {};
}

Result<text::TokenizerPtr> checked(Result<text::TokenizerPtr> tokenizer, const ModelText& model) {
  if (!tokenizer) return tokenizer;
  if ((*tokenizer)->size() > model.rows)
    return fail(Code::mismatch,
                "{}: the {} vocabulary has {} ids, but the model only {} rows; name the right file "
                "with --vocab",
                escaped(model.path.filename().string()), (*tokenizer)->name(), (*tokenizer)->size(),
                model.rows);
  return tokenizer;
}

Result<text::TokenizerPtr> from_file(const std::filesystem::path& path, const ModelText& model) {
  SK_TRY(const auto bytes, read_file(path, limits::kVocabFileBytes));
  return checked(text::open_tokenizer(bytes, escaped(path.filename().string())), model);
}

// tokenizer.ggml.*, if the file is a GGUF with the World vocabulary in it.
Result<text::TokenizerPtr> from_metadata(const ModelText& model) {
  const auto find = [&](const char* key) {
    const auto at = model.metadata->find(key);
    return at == model.metadata->end() ? nullptr : &at->second;
  };
  const MetaValue* tokens = find("tokenizer.ggml.tokens");
  const MetaValue* types = find("tokenizer.ggml.token_type");
  const MetaValue* kind = find("tokenizer.ggml.model");
  if (!tokens || !kind) return text::TokenizerPtr();
  const std::string name = escaped(model.path.filename().string());
  const auto* kind_text = std::get_if<std::string>(kind);
  if (!kind_text || *kind_text != "rwkv")
    return fail(Code::unsupported, "{}: its tokenizer is of the kind \"{}\", not rwkv", name,
                kind_text ? escaped(*kind_text) : "?");
  const auto* strings = std::get_if<std::vector<std::string>>(tokens);
  const auto* numbers = types ? std::get_if<std::vector<int64_t>>(types) : nullptr;
  if (!strings || !numbers)
    return fail(Code::corrupt,
                "{}: tokenizer.ggml.tokens and token_type are not what they have to "
                "be, strings and 32-bit numbers; name a vocabulary file with --vocab",
                name);
  if (strings->size() != static_cast<size_t>(model.rows))
    return fail(Code::corrupt,
                "{}: tokenizer.ggml.tokens has {} entries for {} rows; name a vocabulary file with "
                "--vocab",
                name, strings->size(), model.rows);
  const std::vector<std::string_view> views(strings->begin(), strings->end());
  const std::vector<int32_t> kinds(numbers->begin(), numbers->end());
  return checked(text::world_from_gguf(views, kinds, name), model);
}

}  // namespace

std::vector<std::filesystem::path> vocabulary_folders(const std::filesystem::path& model) {
  std::vector<std::filesystem::path> folders = {
      model.has_parent_path() ? model.parent_path() : std::filesystem::path(".")};
  if (const auto data = data_folder(); !data.empty()) folders.push_back(data / "vocab");
  return folders;
}

Result<text::TokenizerPtr> find_tokenizer(const Model& model, const std::string& vocab) {
  return find_tokenizer(ModelText{model.path(), model.vocab(), &model.metadata()}, vocab);
}

Result<text::TokenizerPtr> find_tokenizer(const ModelText& model, const std::string& vocab) {
  if (!vocab.empty()) return from_file(vocab, model);
  SK_TRY(text::TokenizerPtr own, from_metadata(model));
  if (own) return own;
  if (model.rows == text::byte_tokenizer_257()->size()) return text::byte_tokenizer_257();
  if (model.rows == text::byte_tokenizer_256()->size()) return text::byte_tokenizer_256();
  const auto names = file_names(model.rows);
  const std::string file = escaped(model.path.filename().string());
  if (names.empty())
    return fail(Code::io,
                "{}: no tokenizer is known for {} rows; name its vocabulary file with --vocab, or "
                "work with token ids",
                file, model.rows);
  std::string places;
  std::error_code ignored;
  for (const auto& folder : vocabulary_folders(model.path)) {
    for (const char* name : names)
      if (std::filesystem::exists(folder / name, ignored)) return from_file(folder / name, model);
    places += (places.empty() ? "" : " or ") + escaped(folder.string());
  }
  return fail(Code::io, "{}: its vocabulary was not found; put {} into {}, or name it with --vocab",
              file, names[0], places);
}

}  // namespace skein
