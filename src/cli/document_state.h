// A document that was read once: its state lies in a file, so that the next question costs only the
// question.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "cli/console.h"
#include "run/engine.h"
#include "text/template.h"
#include "text/tokenizer.h"

namespace skein::cli {

// What a model is told before its questions.
std::string document_text(std::string_view document);

struct DocumentReader {
  std::shared_ptr<Engine> engine;
  std::shared_ptr<Model> model;
  text::TokenizerPtr tokenizer;
  const text::Profile* profile = nullptr;
};

// Where such states are kept where nobody says: "documents" in the user's cache. Empty: no variable
// and no home folder says where that is.
std::filesystem::path document_folder();
// The file of a text's, of that model and that way of writing turns.
std::string document_file(const DocumentReader& reader, std::string_view text);
// Reads it, with progress, and keeps the state there. Errors: those of reading and writing; io
// "interrupted".
Status read_document(Console& console, const DocumentReader& reader, const std::string& text,
                     const std::filesystem::path& place);

}  // namespace skein::cli
