#include "run/vocabulary.h"

#include <algorithm>
#include <cstdlib>
#include <new>
#include <span>
#include <string_view>

#include "base/data_folders.h"
#include "base/file.h"
#include "base/inputs.h"
#include "base/json.h"
#include "base/limits.h"
#include "base/log.h"

namespace skein {
namespace {

constexpr const char* kHuggingFace = "tokenizer.json";

std::span<const char* const> file_names(int64_t rows) {
  static constexpr const char* kWorld[] = {"rwkv_vocab_v20230424.txt", "rwkv_vocab_v20230424.json"};
  static constexpr const char* k20b[] = {"20B_tokenizer.json", kHuggingFace};
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
                escaped(model.path.string()), (*tokenizer)->name(), (*tokenizer)->size(),
                model.rows);
  // Rows are rounded up, by few.
  if (10 * static_cast<int64_t>((*tokenizer)->size()) < 9 * static_cast<int64_t>(model.rows))
    log_line(
        LogLevel::warning,
        fmt::format("{}: the {} vocabulary has {} ids and the model {} rows; it may be another "
                    "model's",
                    escaped(model.path.string()), (*tokenizer)->name(), (*tokenizer)->size(),
                    model.rows));
  return tokenizer;
}

Result<text::TokenizerPtr> from_file(const std::filesystem::path& path, const ModelText& model) {
  return checked(read_tokenizer(path), model);
}

const MetaValue* find(const Metadata& metadata, std::string_view key) {
  const auto at = metadata.find(key);
  return at == metadata.end() ? nullptr : &at->second;
}

template <typename T>
const T* find_as(const Metadata& metadata, std::string_view key) {
  const MetaValue* value = find(metadata, key);
  return value ? std::get_if<T>(value) : nullptr;
}

using Strings = std::vector<std::string>;
using Numbers = std::vector<int64_t>;

// None where the file has none: every token is then an ordinary one.
Result<Numbers> token_types(const Metadata& metadata, const std::string& name) {
  constexpr const char* kKey = "tokenizer.ggml.token_type";
  const MetaValue* value = find(metadata, kKey);
  if (!value) return Numbers();
  if (const auto* numbers = std::get_if<Numbers>(value); numbers && !numbers->empty())
    return *numbers;
  if (const auto* unsigned_ones = std::get_if<std::vector<uint64_t>>(value);
      unsigned_ones && !unsigned_ones->empty()) {
    Numbers out;
    for (const uint64_t type : *unsigned_ones)
      out.push_back(type <= INT32_MAX ? static_cast<int64_t>(type) : -1);
    return out;
  }
  return fail(Code::corrupt,
              "{}: {} is no array of whole numbers; name a vocabulary file with --vocab", name,
              kKey);
}

Result<text::TokenizerPtr> world_from_metadata(const Strings& tokens, const Numbers& types,
                                               const std::string& name) {
  const std::vector<std::string_view> views(tokens.begin(), tokens.end());
  std::vector<int32_t> kinds;
  for (const int64_t type : types)
    kinds.push_back(type == static_cast<int32_t>(type) ? static_cast<int32_t>(type) : -1);
  return text::world_from_gguf(views, kinds, name);
}

Result<text::TokenizerPtr> bpe_from_metadata(const Metadata& metadata, const Strings& tokens,
                                             const Numbers& types, const std::string& name) {
  const auto* pre = find_as<std::string>(metadata, "tokenizer.ggml.pre");
  const auto* merges = find_as<Strings>(metadata, "tokenizer.ggml.merges");
  if (!merges)
    return fail(Code::corrupt,
                "{}: tokenizer.ggml.merges is missing or no array of strings; name a vocabulary "
                "file with --vocab",
                name);
  text::BpeMetadata parts{pre ? *pre : std::string_view(), tokens, types, *merges, {}};
  for (const char* key : {"tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id"}) {
    const MetaValue* value = find(metadata, key);
    if (!value) continue;
    const auto* number = std::get_if<uint64_t>(value);
    if (!number) return fail(Code::corrupt, "{}: {} is no 32-bit number without a sign", name, key);
    parts.ends.push_back(static_cast<int64_t>(std::min<uint64_t>(*number, INT64_MAX)));
  }
  return text::bpe_from_gguf(parts, name);
}

// tokenizer.ggml.*, if the file is a GGUF with a vocabulary in it.
Result<text::TokenizerPtr> from_metadata(const ModelText& model) {
  const Metadata& metadata = *model.metadata;
  const MetaValue* kind = find(metadata, "tokenizer.ggml.model");
  if (!find(metadata, "tokenizer.ggml.tokens") || !kind) return text::TokenizerPtr();
  const std::string name = escaped(model.path.string());
  const auto* kind_text = std::get_if<std::string>(kind);
  if (!kind_text || (*kind_text != "rwkv" && *kind_text != "gpt2"))
    return fail(Code::unsupported,
                "{}: its tokenizer is of the kind \"{}\", neither rwkv nor gpt2; name a vocabulary "
                "file with --vocab",
                name, kind_text ? escaped(*kind_text) : "?");
  const auto* tokens = find_as<Strings>(metadata, "tokenizer.ggml.tokens");
  if (!tokens)
    return fail(Code::corrupt,
                "{}: tokenizer.ggml.tokens is no array of strings; name a vocabulary file with "
                "--vocab",
                name);
  SK_TRY(const Numbers types, token_types(metadata, name));
  if (tokens->size() != static_cast<size_t>(model.rows))
    return fail(Code::corrupt,
                "{}: tokenizer.ggml.tokens has {} entries for {} rows; name a vocabulary file with "
                "--vocab",
                name, tokens->size(), model.rows);
  return checked(*kind_text == "rwkv" ? world_from_metadata(*tokens, types, name)
                                      : bpe_from_metadata(metadata, *tokens, types, name),
                 model);
}

// Where the files of the model lie: itself, if it is a folder.
std::filesystem::path own_folder(const std::filesystem::path& model) {
  std::error_code ignored;
  if (std::filesystem::is_directory(model, ignored)) return model;
  return model.has_parent_path() ? model.parent_path() : std::filesystem::path(".");
}

// For want of memory a model must not be spoken to in another way. Like any allocation that fails.
void check_memory(const Error& error) {
  if (error.code == Code::memory) throw std::bad_alloc();
}

// The chat template, as text. Nothing of it is run, so what cannot be read is only not known.
std::string chat_template(const ModelText& model) {
  if (const auto* own = find_as<std::string>(*model.metadata, "tokenizer.chat_template"))
    return *own;
  const std::filesystem::path folder = own_folder(model.path);
  std::error_code ignored;
  if (std::filesystem::exists(folder / "chat_template.jinja", ignored)) {
    const auto bytes = read_file(folder / "chat_template.jinja", limits::kHeaderBytes);
    if (bytes) return std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    check_memory(bytes.error());
  }
  if (!std::filesystem::exists(folder / "tokenizer_config.json", ignored)) return {};
  const auto bytes = read_file(folder / "tokenizer_config.json", limits::kHeaderBytes);
  if (!bytes) {
    check_memory(bytes.error());
    return {};
  }
  const auto json = parse_json({reinterpret_cast<const char*>(bytes->data()), bytes->size()},
                               limits::kHeaderBytes);
  if (!json) {
    check_memory(json.error());
    return {};
  }
  return std::string(json->find("chat_template").string().value_or(""));
}

}  // namespace

namespace {

// Where pip has put the package `rwkv`, which brings the vocabularies: of an environment, of the
// user, of the system.
std::vector<std::filesystem::path> python_packages() {
  std::vector<std::filesystem::path> bases;
  for (const char* variable : {"VIRTUAL_ENV", "CONDA_PREFIX"})
    if (const char* base = std::getenv(variable); base && *base) bases.emplace_back(base);
  if (const char* home = std::getenv("HOME"); home && *home)
    bases.push_back(std::filesystem::path(home) / ".local");
  bases.emplace_back("/usr/local");
  bases.emplace_back("/usr");
  std::vector<std::filesystem::path> out;
  for (const auto& base : bases) {
    std::vector<std::filesystem::path> found;
    std::error_code error;
    constexpr size_t kMost = 4096;
    const auto names = names_in(base / "lib", kMost);
    if (!names) {
      check_memory(names.error());
      continue;
    }
    for (const std::string& name : *names)
      if (name.starts_with("python3"))
        for (const char* packages : {"site-packages", "dist-packages"})
          if (const auto package = base / "lib" / name / packages / "rwkv";
              std::filesystem::is_directory(package, error))
            found.push_back(package);
    std::sort(found.begin(), found.end());
    out.insert(out.end(), found.begin(), found.end());
  }
  return out;
}

}  // namespace

std::vector<std::filesystem::path> vocabulary_folders(const std::filesystem::path& model) {
  std::vector<std::filesystem::path> folders = {own_folder(model)};
  for (const auto& data : data_folders()) folders.push_back(data / "vocab");
  for (const auto& package : python_packages()) folders.push_back(package);
  return folders;
}

std::string vocabulary_file(int64_t rows) {
  const std::span<const char* const> names = file_names(rows);
  return names.empty() ? std::string() : names[0];
}

Result<text::TokenizerPtr> read_tokenizer(const std::filesystem::path& path) {
  remember_input(path);
  SK_TRY(const auto bytes, read_file(path, limits::kVocabFileBytes));
  return text::open_tokenizer(bytes, escaped(path.filename().string()));
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
  const std::vector<std::filesystem::path> folders = vocabulary_folders(model.path);
  const std::span<const char* const> names = file_names(model.rows);
  const std::string file = escaped(model.path.filename().string());
  std::error_code ignored;
  for (const auto& folder : folders) {
    for (const char* name : names)
      if (std::filesystem::exists(folder / name, ignored)) return from_file(folder / name, model);
  }
  // Of the folders those that are the user's.
  std::string places = escaped(folders[0].string());
  if (const auto data = own_data_folder(); !data.empty())
    places += " or " + escaped((data / "vocab").string());
  if (!names.empty())
    return fail(Code::io,
                "{}: its vocabulary was not found; `skein pull {}` fetches it, or put {} (from {}) "
                "into {}, "
                "or name it with --vocab",
                file, vocabulary_name(model.rows), names[0],
                model.rows == kWorldRows ? "https://github.com/BlinkDL/ChatRWKV, folder tokenizer"
                                         : "https://github.com/BlinkDL/ChatRWKV",
                places);
  // The rows of other models say nothing, so only a file that lies with the model can be meant.
  if (std::filesystem::exists(folders[0] / kHuggingFace, ignored))
    return from_file(folders[0] / kHuggingFace, model);
  return fail(Code::io,
              "{}: no tokenizer is known for {} rows and no {} lies beside it; name its vocabulary "
              "file with --vocab, or work with token ids",
              file, model.rows, kHuggingFace);
}

const text::Profile& find_profile(const ModelText& model, const text::Tokenizer* tokenizer) {
  const std::string name = model.path.filename().string();
  const std::string own = chat_template(model);
  return text::default_profile({model.rows, name, tokenizer, own});
}

}  // namespace skein
