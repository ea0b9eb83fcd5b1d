#include "text/gguf_vocabulary.h"

namespace skein::text {
namespace {

std::string python_repr(std::string_view bytes) {
  const bool escape_quote = bytes.find('"') != std::string_view::npos;
  std::string out;
  for (const char c : bytes) {
    switch (c) {
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      case '\\': out += "\\\\"; break;
      case '\'': out += escape_quote ? "\\'" : "'"; break;
      default:
        if (c >= 0x20 && c <= 0x7e)
          out += c;
        else
          out += fmt::format("\\x{:02x}", static_cast<unsigned char>(c));
    }
  }
  return out;
}

}  // namespace

Result<Metadata> gguf_vocabulary(const Tokenizer& tokenizer, int64_t rows) {
  if (tokenizer.name().ends_with("BPE"))
    return fail(Code::unsupported, "a {} vocabulary cannot be written into a GGUF",
                tokenizer.name());
  if (tokenizer.has_text(0))
    return fail(Code::unsupported,
                "the {} vocabulary has a token of id 0, which is no text in a GGUF",
                tokenizer.name());
  enum : int64_t { kNormal = 1, kControl = 3, kUnused = 5 };
  std::vector<std::string> tokens;
  std::vector<int64_t> types;
  for (int64_t id = 0; id < rows; ++id) {
    const auto token = static_cast<int32_t>(id);
    if (tokenizer.has_text(token)) {
      tokens.push_back(python_repr(tokenizer.bytes_of(token)));
      types.push_back(kNormal);
    } else if (id == tokenizer.end_of_text()) {
      tokens.emplace_back("<s>");
      types.push_back(kControl);
    } else {
      tokens.push_back(fmt::format("[PAD{}]", id));
      types.push_back(kUnused);
    }
  }
  Metadata out;
  out["tokenizer.ggml.model"] = std::string("rwkv");
  out["tokenizer.ggml.tokens"] = std::move(tokens);
  out["tokenizer.ggml.token_type"] = std::move(types);
  const auto end = static_cast<uint64_t>(std::max(0, tokenizer.end_of_text()));
  for (const char* key : {"bos_token_id", "eos_token_id", "eot_token_id"})
    out[fmt::format("tokenizer.ggml.{}", key)] = end;
  return out;
}

}  // namespace skein::text
