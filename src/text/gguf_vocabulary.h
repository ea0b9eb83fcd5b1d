// A vocabulary as GGUF metadata, for files that other programs read.
#pragma once

#include "tensor/stored.h"
#include "text/tokenizer.h"

namespace skein::text {

// Whether a token is what stands for a row that no token has: "[PAD65530]" at id 65530.
inline bool is_padding(size_t id, std::string_view text) {
  return text == fmt::format("[PAD{}]", id);
}

// tokenizer.ggml.* of a World or byte vocabulary, for a model with `rows` ids, in the form that
// llama.cpp's "rwkv" tokenizer reads: each token is the inside of Python's repr of its bytes.
// Error: unsupported (byte pair vocabularies, whose merges a Tokenizer does not tell, and those
// whose id 0 is a byte).
Result<Metadata> gguf_vocabulary(const Tokenizer& tokenizer, int64_t rows);

}  // namespace skein::text
