#include "cli/model_text.h"

#include <filesystem>

#include "base/file.h"
#include "base/limits.h"
#include "run/model_source.h"
#include "run/vocabulary.h"

namespace skein::cli {

Result<TextTools> open_text(const std::string& model, const std::string& vocab) {
  TextTools out;
  if (model.empty()) {
    if (vocab.empty())
      return fail(Code::argument, "MODEL is missing; a vocabulary alone can be named with --vocab");
    SK_TRY(const auto bytes, read_file(vocab, limits::kVocabFileBytes));
    const std::string name = escaped(std::filesystem::path(vocab).filename().string());
    SK_TRY(out.tokenizer, text::open_tokenizer(bytes, name));
    return out;
  }
  SK_TRY(const ModelSource source, ModelSource::open(model));
  const std::filesystem::path path = model;
  const int64_t rows = source.architecture->dimensions().vocab;
  const ModelText text{path, rows, &source.container().metadata};
  SK_TRY(out.tokenizer, find_tokenizer(text, vocab));
  out.profile = &find_profile(text, out.tokenizer.get());
  return out;
}

}  // namespace skein::cli
