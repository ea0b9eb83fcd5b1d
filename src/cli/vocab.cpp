// skein vocab: a GGUF's World vocabulary as the file that other models look for.
#include <utility>

#include "base/data_folders.h"
#include "base/file_writer.h"
#include "base/hash.h"
#include "cli/commands.h"
#include "cli/folders.h"
#include "cli/output_check.h"
#include "hub/vocabularies.h"
#include "io/model_files.h"
#include "run/vocabulary.h"
#include "text/world_text.h"

namespace skein::cli {
namespace {

class Vocab final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("FILE", file_, "a GGUF with a World vocabulary in it").model();
    options
        .argument("OUT", out_,
                  "the vocabulary; if it is the official one, by default where models look for it")
        .file()
        .optional();
    options.section("Options");
    options.flag("-f,--force", force_, "replace a file that is there already");
  }

  int run(Console& console) override {
    console.make_room_for(out_);
    auto said = take_out(console);
    if (!said) return console.error(said.error());
    console.line(*said);
    return kFine;
  }

 private:
  // What to say of it.
  Result<std::string> take_out(Console& console) {
    SK_TRY(const io::ModelFiles files, io::ModelFiles::open(file_));
    const Metadata& metadata = files.container().metadata;
    const auto tokens = metadata.find("tokenizer.ggml.tokens");
    const auto* list =
        tokens == metadata.end() ? nullptr : std::get_if<std::vector<std::string>>(&tokens->second);
    if (!list) return fail(Code::unsupported, "{}: has no vocabulary in it", files.name());
    const ModelText model{file_, static_cast<int64_t>(list->size()), &metadata};
    SK_TRY(const text::TokenizerPtr tokenizer, find_tokenizer(model));
    SK_TRY(const std::string text, text::world_text(*tokenizer, files.name()));
    const std::string digest = hex(sha256(std::as_bytes(std::span(text))));
    const hub::Vocabulary* official = hub::vocabulary_of(model.rows);
    const bool is_official = official && digest == official->sha256;
    SK_TRY_STATUS(choose_place(is_official ? hub::file_name(*official) : ""));
    SK_TRY_STATUS(check_output(out_, {file_}));
    const auto bytes = std::as_bytes(std::span(text));
    const std::string said = describe(console, digest, is_official, text.size());
    SK_TRY_STATUS(
        write_file(out_, {&bytes, 1},
                   {.existing = force_ ? Existing::force : Existing::keep, .spare_inputs = true}));
    return said;
  }

  Status choose_place(const std::string& official_name) {
    if (!out_.empty()) return {};
    if (official_name.empty())
      return fail(Code::argument,
                  "{}: its vocabulary is not the official one, so OUT has to say where it belongs",
                  escaped(file_));
    const auto folder = own_data_folder();
    if (folder.empty() || !make_folder(folder) || !make_folder(folder / "vocab"))
      return fail(Code::io, "there is no folder for vocabularies, so OUT has to say where");
    out_ = (folder / "vocab" / official_name).string();
    return {};
  }

  std::string describe(const Console& console, const std::string& digest, bool official,
                       size_t bytes) const {
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("file", out_).member("bytes", static_cast<uint64_t>(bytes));
      json.member("sha256", digest).member("official", official).end_object();
      return json.text();
    }
    return fmt::format("wrote {}: {} bytes, {}", escaped(out_), bytes,
                       official ? "byte for byte the official file"
                                : "not the official file, but the tokens of this model");
  }

  std::string file_, out_;
  bool force_ = false;
};

}  // namespace

CommandPtr make_vocab() { return std::make_unique<Vocab>(); }

}  // namespace skein::cli
