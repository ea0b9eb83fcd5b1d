// A vocabulary as GGUF metadata, for files that other programs read.
#pragma once

#include "tensor/stored.h"
#include "text/tokenizer.h"

namespace skein::text {

// tokenizer.ggml.* of a World or byte vocabulary, for a model with `rows` ids, in the form that
// llama.cpp's "rwkv" tokenizer reads: each token is the inside of Python's repr of its bytes.
// Error: unsupported (byte pair vocabularies, whose merges a Tokenizer does not tell).
Result<Metadata> gguf_vocabulary(const Tokenizer& tokenizer, int64_t rows);

}  // namespace skein::text
