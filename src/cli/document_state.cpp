#include "cli/document_state.h"

#include "base/data_folders.h"
#include "base/file_writer.h"
#include "base/hash.h"
#include "base/limits.h"
#include "cli/folders.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "run/saved_state.h"

namespace skein::cli {

// A task stands before what it is about: a state that knows what is asked of it reads with that in
// mind.
std::string document_text(std::string_view document) {
  return "Read the following text. You will be asked about it.\n\n" + std::string(document);
}

std::filesystem::path document_folder() {
  const std::filesystem::path cache = user_folder("XDG_CACHE_HOME", ".cache");
  return cache.empty() ? cache : cache / "documents";
}

std::string document_file(const DocumentReader& reader, std::string_view text) {
  const ModelInfo& info = reader.model->info();
  Sha256 hash;
  hash.update(fmt::format("skein document 1 {} {} ", reader.profile->name,
                          info.numerics == Numerics::exact ? "exact" : "fast"));
  hash.update(info.fingerprint);
  hash.update(text);
  return hex(hash.finish()).substr(0, 32) + ".skein";
}

Status read_document(Console& console, const DocumentReader& reader, const std::string& text,
                     const std::filesystem::path& place) {
  SK_TRY(const std::vector<int32_t> ids,
         text::encode_prompt(*reader.tokenizer, *reader.profile,
                             text::render_system(*reader.profile, text), true));
  if (ids.size() > limits::kPromptTokens)
    return fail(Code::argument, "the document has {} tokens, more than the limit of {}", ids.size(),
                limits::kPromptTokens);
  Session session(reader.model);
  Progress progress(console, "reading the document", Progress::Unit::tokens);
  SK_TRY(const size_t read, reader.engine->read(session, ids, [&](size_t done, size_t total) {
    progress.update(static_cast<int64_t>(done), static_cast<int64_t>(total));
    return !interrupt::requested();
  }));
  if (read < ids.size()) return fail(Code::io, "interrupted");
  SK_TRY_STATUS(check_exportable(session.state()));
  SK_TRY(const StateFile file, StateFile::make(session.state(), ids, text));
  if (!make_folder(place.parent_path()))
    return fail(Code::io, "the folder {} cannot be made; give another one with --keep-in",
                escaped(place.parent_path().string()));
  return write_file(place, file.pieces(), {.spare_inputs = true});
}

}  // namespace skein::cli
