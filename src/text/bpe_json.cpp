// Hugging Face's tokenizer.json.
#include <algorithm>
#include <initializer_list>

#include "base/limits.h"
#include "text/bpe_file.h"

namespace skein::text {
namespace {

bool is_null(const Json& value) {
  double number = 0;
  return !value.string() && !value.array() && !value.object() && !value.boolean() &&
         !value.number(number);
}

// How a message calls a part that is told apart by its "type".
std::string type_of(const Json& part) {
  if (is_null(part)) return "none";
  const auto type = part.find("type").string();
  return type ? escaped(*type, 64) : "of no named type";
}

Status expect_type(const Json& parent, std::string_view key,
                   std::initializer_list<std::string_view> accepted) {
  const std::string type = type_of(parent.find(key));
  if (std::find(accepted.begin(), accepted.end(), type) != accepted.end()) return {};
  return fail(Code::unsupported, "{} is {}, and the tokenizers that Skein knows have {}", key, type,
              *accepted.begin());
}

// Absent, null, false, 0 and "" all leave a feature off.
bool is_off(const Json& value) {
  if (is_null(value)) return true;
  if (const auto flag = value.boolean()) return !*flag;
  if (const auto text = value.string()) return text->empty();
  double number = 1;
  return value.number(number) && number == 0;
}

Status expect_off(const Json& parent, std::string_view where,
                  std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (!is_off(parent.find(key)))
      return fail(Code::unsupported, "{} sets {}, which no tokenizer does that Skein knows", where,
                  key);
  return {};
}

// ByteLevel maps bytes to letters; `splits` says whether it also cuts words.
Status check_byte_level(const Json& part, bool& splits) {
  const Json prefix = part.find("add_prefix_space");
  if (!prefix || !is_off(prefix))
    return fail(Code::unsupported, "pre_tokenizer puts a space before the text");
  const Json regex = part.find("use_regex");
  splits = !regex || !is_off(regex);
  return {};
}

// [Split by a regular expression, ByteLevel].
Result<const Splitter*> read_sequence(const Json& sequence) {
  const Json::Array list = sequence.find("pretokenizers").array();
  if (list.size() != 2 || type_of(list[0]) != "Split" || type_of(list[1]) != "ByteLevel")
    return fail(Code::unsupported,
                "pre_tokenizer is a Sequence of other parts than Split, ByteLevel");
  const Json split = list[0];
  bool splits = false;
  SK_TRY_STATUS(check_byte_level(list[1], splits));
  if (splits) return fail(Code::unsupported, "pre_tokenizer splits words twice");
  if (split.find("behavior").string() != "Isolated" || !is_off(split.find("invert")))
    return fail(Code::unsupported, "pre_tokenizer: Split does not keep what it finds as words");
  const auto regex = split.find("pattern").find("Regex").string();
  if (!regex) return fail(Code::unsupported, "pre_tokenizer: Split has no regular expression");
  if (const Splitter* splitter = splitter_by_pattern(*regex)) return splitter;
  return fail(Code::unsupported, "pre_tokenizer splits by \"{}\", which is not the way of {}",
              escaped(*regex, 200), splitter_names());
}

Result<const Splitter*> read_splitter(const Json& root) {
  SK_TRY_STATUS(expect_type(root, "pre_tokenizer", {"ByteLevel", "Sequence"}));
  const Json part = root.find("pre_tokenizer");
  if (type_of(part) == "Sequence") return read_sequence(part);
  bool splits = false;
  SK_TRY_STATUS(check_byte_level(part, splits));
  if (!splits) return fail(Code::unsupported, "pre_tokenizer does not split words");
  return &byte_level_splitter();
}

Status check_kind(const Json& root, const Json& model) {
  SK_TRY_STATUS(expect_type(root, "model", {"BPE"}));
  SK_TRY_STATUS(expect_type(root, "normalizer", {"NFC"}));
  SK_TRY_STATUS(expect_type(root, "post_processor", {"ByteLevel", "none"}));
  return expect_off(model, "model",
                    {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
                     "ignore_merges"});
}

Result<int32_t> checked_id(const Json& value, std::string_view where, std::string_view text) {
  int64_t id = 0;
  if (!value.integer(id) || id < 0 || id >= static_cast<int64_t>(limits::kVocab))
    return fail(Code::corrupt, "{}: the id of \"{}\" is no number from 0 to {}", where,
                escaped(text, 64), limits::kVocab - 1);
  return static_cast<int32_t>(id);
}

Status read_vocab(const Json& model, BpeSource& out) {
  const Json::Object vocab = model.find("vocab").object();
  if (!vocab) return fail(Code::corrupt, "model.vocab is not an object");
  out.vocab.reserve(vocab.size());
  for (const auto& [text, value] : vocab) {
    SK_TRY(const int32_t id, checked_id(value, "model.vocab", text));
    out.vocab.push_back({text, id});
  }
  return {};
}

Result<BpeSource::Added> read_added_token(const Json& entry) {
  BpeSource::Added out;
  const auto content = entry.find("content").string();
  if (!content || content->empty())
    return fail(Code::corrupt, "added_tokens has an entry without a text");
  out.text = *content;
  SK_TRY(out.id, checked_id(entry.find("id"), "added_tokens", out.text));
  SK_TRY_STATUS(expect_off(entry, fmt::format("added_tokens: \"{}\"", escaped(out.text, 64)),
                           {"single_word", "lstrip", "rstrip"}));
  out.special = !is_off(entry.find("special")) || looks_special(out.text);
  out.normalized = !is_off(entry.find("normalized"));
  return out;
}

Status read_added(const Json& root, BpeSource& out) {
  const Json list = root.find("added_tokens");
  if (is_null(list)) return {};
  if (!list.array()) return fail(Code::corrupt, "added_tokens is not an array");
  for (const Json& entry : list.array()) {
    SK_TRY(const BpeSource::Added token, read_added_token(entry));
    out.added.push_back(token);
  }
  return {};
}

// "left right" or ["left", "right"].
Status read_merges(const Json& model, BpeSource& out) {
  const Json::Array list = model.find("merges").array();
  if (!list) return fail(Code::corrupt, "model.merges is not an array");
  out.merges.reserve(list.size());
  for (const Json& merge : list) {
    const Json::Array parts = merge.array();
    if (const auto text = merge.string()) {
      SK_TRY_STATUS(add_merge(*text, out));
    } else if (parts.size() == 2 && parts[0].string() && parts[1].string()) {
      out.merges.emplace_back(*parts[0].string(), *parts[1].string());
    } else {
      return fail(Code::corrupt, "model.merges: element {} is not a pair of tokens",
                  out.merges.size());
    }
  }
  return {};
}

}  // namespace

Result<BpeFile> read_bpe_json(const Json& root) {
  const Json model = root.find("model");
  if (!model.object()) return fail(Code::corrupt, "model is not an object");
  SK_TRY_STATUS(check_kind(root, model));
  BpeSource source;
  source.vocab_name = "model.vocab";
  source.added_name = "added_tokens";
  source.merges_name = "model.merges";
  SK_TRY(source.splitter, read_splitter(root));
  SK_TRY_STATUS(read_vocab(model, source));
  SK_TRY_STATUS(read_added(root, source));
  SK_TRY_STATUS(read_merges(model, source));
  return check_bpe(std::move(source));
}

}  // namespace skein::text
