#include "text/bpe_file.h"

#include <algorithm>
#include <initializer_list>
#include <string_view>

#include "base/limits.h"
#include "text/unicode.h"

namespace skein::text {
namespace {

// The GPT-2 alphabet writes a byte as one character: printable ones as themselves, the other 68 as
// U+0100 and upwards in order of the byte.
constexpr size_t kAlphabet = 256 + 68;

std::array<int, kAlphabet> make_alphabet() {
  std::array<int, kAlphabet> byte_of{};
  byte_of.fill(-1);
  size_t next = 256;
  for (int byte = 0; byte < 256; ++byte) {
    const bool itself = (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
    byte_of[itself ? static_cast<size_t>(byte) : next++] = byte;
  }
  return byte_of;
}

bool occurs_in_utf8(int byte) { return byte != 0xc0 && byte != 0xc1 && byte < 0xf5; }

Result<std::string> to_bytes(std::string_view text) {
  static const auto kByteOf = make_alphabet();
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Character c = first_character(text.substr(at, 4));
    if (c.length == 0 || c.code >= kAlphabet || kByteOf[c.code] < 0)
      return fail(Code::corrupt, "model.vocab: \"{}\" is not written in the byte alphabet",
                  escaped(text, 64));
    out += static_cast<char>(kByteOf[c.code]);
    at += c.length;
  }
  return out;
}

bool is_null(const Json* value) {
  double number = 0;
  return !value || !(value->string() || value->array() || value->object() || value->boolean() ||
                     value->number(number));
}

// How a message calls a part that is told apart by its "type".
std::string type_of(const Json* part) {
  if (is_null(part)) return "none";
  const Json* type = part->find("type");
  return type && type->string() ? escaped(*type->string(), 64) : "of no named type";
}

Status expect_type(const Json& parent, std::string_view key,
                   std::initializer_list<std::string_view> accepted) {
  const std::string type = type_of(parent.find(key));
  if (std::find(accepted.begin(), accepted.end(), type) != accepted.end()) return {};
  return fail(Code::unsupported, "{} is {}, and the 20B tokenizer has {}", key, type,
              *accepted.begin());
}

// Absent, null, false, 0 and "" all leave a feature off.
bool is_off(const Json* value) {
  if (is_null(value)) return true;
  if (const bool* flag = value->boolean()) return !*flag;
  if (const std::string* text = value->string()) return text->empty();
  double number = 1;
  return value->number(number) && number == 0;
}

Status expect_off(const Json& parent, std::string_view where,
                  std::initializer_list<std::string_view> keys) {
  for (const std::string_view key : keys)
    if (!is_off(parent.find(key)))
      return fail(Code::unsupported, "{} sets {}, which the 20B tokenizer does not", where, key);
  return {};
}

Status check_kind(const Json& root, const Json& model) {
  SK_TRY_STATUS(expect_type(root, "model", {"BPE"}));
  SK_TRY_STATUS(expect_type(root, "normalizer", {"NFC"}));
  SK_TRY_STATUS(expect_type(root, "pre_tokenizer", {"ByteLevel"}));
  SK_TRY_STATUS(expect_type(root, "post_processor", {"ByteLevel", "none"}));
  const Json& splitter = *root.find("pre_tokenizer");
  const Json* prefix = splitter.find("add_prefix_space");
  if (!prefix || !is_off(prefix))
    return fail(Code::unsupported, "pre_tokenizer puts a space before the text");
  if (const Json* regex = splitter.find("use_regex"); regex && is_off(regex))
    return fail(Code::unsupported, "pre_tokenizer does not split words");
  return expect_off(model, "model",
                    {"dropout", "continuing_subword_prefix", "end_of_word_suffix", "byte_fallback",
                     "ignore_merges"});
}

Result<int32_t> checked_id(const Json* value, std::string_view where, std::string_view text) {
  int64_t id = 0;
  if (!value || !value->integer(id) || id < 0 || id >= static_cast<int64_t>(limits::kVocab))
    return fail(Code::corrupt, "{}: the id of \"{}\" is no number from 0 to {}", where,
                escaped(text, 64), limits::kVocab - 1);
  return static_cast<int32_t>(id);
}

struct Named {
  std::string_view text;  // as the file writes it
  int32_t id = 0;
};

Result<std::vector<Named>> read_vocab(const Json& model) {
  const Json* vocab = model.find("vocab");
  if (!vocab || !vocab->object()) return fail(Code::corrupt, "model.vocab is not an object");
  std::vector<Named> out;
  for (const auto& [text, value] : *vocab->object()) {
    if (text.empty()) return fail(Code::corrupt, "model.vocab has an empty token");
    SK_TRY(const int32_t id, checked_id(&value, "model.vocab", text));
    out.push_back({text, id});
  }
  std::sort(out.begin(), out.end(), [](const Named& a, const Named& b) { return a.id < b.id; });
  for (size_t n = 1; n < out.size(); ++n)
    if (out[n].id == out[n - 1].id)
      return fail(Code::corrupt, "model.vocab: \"{}\" and \"{}\" have the same id {}",
                  escaped(out[n - 1].text, 64), escaped(out[n].text, 64), out[n].id);
  return out;
}

Result<BpeFile::Added> read_added_token(const Json& entry) {
  BpeFile::Added out;
  const Json* content = entry.find("content");
  if (!content || !content->string() || content->string()->empty())
    return fail(Code::corrupt, "added_tokens has an entry without a text");
  out.text = *content->string();
  if (out.text.size() > limits::kTokenBytes)
    return fail(Code::corrupt, "added_tokens: \"{}\" has {} bytes, more than {}",
                escaped(out.text, 64), out.text.size(), limits::kTokenBytes);
  SK_TRY(out.id, checked_id(entry.find("id"), "added_tokens", out.text));
  SK_TRY_STATUS(expect_off(entry, fmt::format("added_tokens: \"{}\"", escaped(out.text, 64)),
                           {"single_word", "lstrip", "rstrip"}));
  out.special = !is_off(entry.find("special"));
  out.normalized = !is_off(entry.find("normalized"));
  return out;
}

// An added token may stand in the vocabulary too, with the same text.
Result<std::vector<BpeFile::Added>> read_added(const Json& root, std::span<const Named> vocab) {
  std::vector<BpeFile::Added> out;
  const Json* list = root.find("added_tokens");
  if (is_null(list)) return out;
  if (!list->array()) return fail(Code::corrupt, "added_tokens is not an array");
  for (const Json& entry : *list->array()) {
    SK_TRY(BpeFile::Added token, read_added_token(entry));
    const auto same = std::lower_bound(vocab.begin(), vocab.end(), token.id,
                                       [](const Named& a, int32_t id) { return a.id < id; });
    if (same != vocab.end() && same->id == token.id && same->text != token.text)
      return fail(Code::corrupt, "id {} is \"{}\" in model.vocab and \"{}\" in added_tokens",
                  token.id, escaped(same->text, 64), escaped(token.text, 64));
    out.push_back(std::move(token));
  }
  std::vector<std::pair<std::string_view, int32_t>> seen;
  for (const auto& token : out) seen.emplace_back(token.text, token.id);
  std::sort(seen.begin(), seen.end());
  for (size_t n = 1; n < seen.size(); ++n)
    if (seen[n].first == seen[n - 1].first)
      return fail(Code::corrupt, "added_tokens: \"{}\" stands twice", escaped(seen[n].first, 64));
  std::sort(seen.begin(), seen.end(), [](auto& a, auto& b) { return a.second < b.second; });
  for (size_t n = 1; n < seen.size(); ++n)
    if (seen[n].second == seen[n - 1].second)
      return fail(Code::corrupt, "added_tokens: id {} stands twice", seen[n].second);
  return out;
}

// Id of `text` in `sorted` (by text), -1 if it is not there.
int32_t id_of(std::span<const Named> sorted, std::string_view text) {
  const auto found =
      std::lower_bound(sorted.begin(), sorted.end(), text,
                       [](const Named& a, std::string_view wanted) { return a.text < wanted; });
  return found != sorted.end() && found->text == text ? found->id : -1;
}

// "left right" or ["left", "right"].
Result<std::pair<std::string_view, std::string_view>> merge_parts(const Json& merge) {
  if (const std::string* text = merge.string()) {
    const size_t space = text->find(' ');
    if (space != std::string::npos && text->find(' ', space + 1) == std::string::npos)
      return std::pair(std::string_view(*text).substr(0, space),
                       std::string_view(*text).substr(space + 1));
  } else if (const Json::Array* parts = merge.array();
             parts && parts->size() == 2 && (*parts)[0].string() && (*parts)[1].string()) {
    return std::pair(std::string_view(*(*parts)[0].string()),
                     std::string_view(*(*parts)[1].string()));
  }
  return fail(Code::corrupt, "is not a pair of tokens");
}

Result<std::vector<Merge>> read_merges(const Json& model, std::span<const Named> by_text) {
  const Json* list = model.find("merges");
  if (!list || !list->array()) return fail(Code::corrupt, "model.merges is not an array");
  std::vector<Merge> out;
  std::string joined;
  for (const Json& element : *list->array()) {
    const auto parts = merge_parts(element);
    if (!parts)
      return fail(Code::corrupt, "model.merges: element {} {}", out.size(), parts.error().message);
    joined = parts->first;
    joined += parts->second;
    const Merge merge = {id_of(by_text, parts->first), id_of(by_text, parts->second),
                         id_of(by_text, joined)};
    if (merge.left < 0 || merge.right < 0 || merge.result < 0)
      return fail(Code::corrupt,
                  "model.merges: element {}: \"{}\" and \"{}\" or what they make is "
                  "not in the vocabulary",
                  out.size(), escaped(parts->first, 64), escaped(parts->second, 64));
    out.push_back(merge);
  }
  return out;
}

}  // namespace

Result<BpeFile> read_bpe_file(const Json& root) {
  const Json* model = root.find("model");
  if (!model || !model->object()) return fail(Code::corrupt, "model is not an object");
  SK_TRY_STATUS(check_kind(root, *model));
  SK_TRY(std::vector<Named> vocab, read_vocab(*model));
  BpeFile out;
  SK_TRY(out.added, read_added(root, vocab));
  if (!vocab.empty()) out.size = vocab.back().id + 1;
  for (const auto& token : out.added) out.size = std::max(out.size, token.id + 1);

  // From here on the special tokens are gone: no text is to be encoded as one by merging.
  std::vector<int32_t> special;
  for (const auto& token : out.added)
    if (token.special) special.push_back(token.id);
  std::sort(special.begin(), special.end());
  std::erase_if(vocab, [&](const Named& token) {
    return std::binary_search(special.begin(), special.end(), token.id);
  });

  std::vector<Named> literal;
  for (const auto& token : out.added) literal.push_back({token.text, token.id});
  std::sort(literal.begin(), literal.end(),
            [](const Named& a, const Named& b) { return a.text < b.text; });
  out.byte_ids.fill(-1);
  for (const Named& token : vocab) {
    SK_TRY(std::string bytes, to_bytes(token.text));
    if (id_of(literal, token.text) == token.id && bytes != token.text)
      return fail(Code::corrupt, "id {} stands for other bytes in model.vocab than in added_tokens",
                  token.id);
    if (bytes.size() == 1) out.byte_ids[static_cast<unsigned char>(bytes[0])] = token.id;
    out.tokens.push_back({token.id, std::move(bytes)});
  }
  for (int byte = 0; byte < 256; ++byte)
    if (occurs_in_utf8(byte) && out.byte_ids[static_cast<size_t>(byte)] < 0)
      return fail(Code::corrupt,
                  "model.vocab: no token is the single byte 0x{:02x}, so not every "
                  "text could be encoded",
                  byte);

  std::sort(vocab.begin(), vocab.end(),
            [](const Named& a, const Named& b) { return a.text < b.text; });
  SK_TRY(out.merges, read_merges(*model, vocab));
  return out;
}

}  // namespace skein::text
