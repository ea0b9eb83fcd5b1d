#include "text/bpe_file.h"

#include <algorithm>

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

Result<std::string> to_bytes(std::string_view text, std::string_view where) {
  static const auto kByteOf = make_alphabet();
  std::string out;
  for (size_t at = 0; at < text.size();) {
    const Character c = first_character(text.substr(at, 4));
    if (c.length == 0 || c.code >= kAlphabet || kByteOf[c.code] < 0)
      return fail(Code::corrupt, "{}: \"{}\" is not written in the byte alphabet", where,
                  escaped(text, 64));
    out += static_cast<char>(kByteOf[c.code]);
    at += c.length;
  }
  return out;
}

// Tokens that end a text in the vocabularies that are known; the first one separates documents.
constexpr std::string_view kEnds[] = {"<|endoftext|>", "<|im_end|>",
                                      "<\uff5cend\u2581of\u2581sentence\uff5c>"};

bool by_id(const BpeSource::Token& a, const BpeSource::Token& b) { return a.id < b.id; }
bool by_text(const BpeSource::Token& a, const BpeSource::Token& b) { return a.text < b.text; }

Status check_vocab(std::span<const BpeSource::Token> sorted, std::string_view where) {
  for (size_t n = 0; n < sorted.size(); ++n) {
    if (sorted[n].text.empty()) return fail(Code::corrupt, "{} has an empty token", where);
    if (n > 0 && sorted[n].id == sorted[n - 1].id)
      return fail(Code::corrupt, "{}: \"{}\" and \"{}\" have the same id {}", where,
                  escaped(sorted[n - 1].text, 64), escaped(sorted[n].text, 64), sorted[n].id);
  }
  return {};
}

// An added token may stand in the vocabulary too, with the same text.
Status check_added(const BpeSource& source) {
  const std::string_view where = source.added_name;
  for (const BpeSource::Added& token : source.added) {
    if (token.text.empty()) return fail(Code::corrupt, "{} has an empty token", where);
    if (token.text.size() > limits::kTokenBytes)
      return fail(Code::corrupt, "{}: \"{}\" has {} bytes, more than {}", where,
                  escaped(token.text, 64), token.text.size(), limits::kTokenBytes);
    if (first_invalid_utf8(token.text) != std::string_view::npos)
      return fail(Code::corrupt, "{}: \"{}\" is not valid UTF-8", where, escaped(token.text, 64));
    const auto same = std::lower_bound(source.vocab.begin(), source.vocab.end(),
                                       BpeSource::Token{{}, token.id}, by_id);
    if (same != source.vocab.end() && same->id == token.id && same->text != token.text)
      return fail(Code::corrupt, "id {} is \"{}\" in {} and \"{}\" in {}", token.id,
                  escaped(same->text, 64), source.vocab_name, escaped(token.text, 64), where);
  }
  std::vector<std::pair<std::string_view, int32_t>> seen;
  for (const auto& token : source.added) seen.emplace_back(token.text, token.id);
  std::sort(seen.begin(), seen.end());
  for (size_t n = 1; n < seen.size(); ++n)
    if (seen[n].first == seen[n - 1].first)
      return fail(Code::corrupt, "{}: \"{}\" stands twice", where, escaped(seen[n].first, 64));
  std::sort(seen.begin(), seen.end(), [](auto& a, auto& b) { return a.second < b.second; });
  for (size_t n = 1; n < seen.size(); ++n)
    if (seen[n].second == seen[n - 1].second)
      return fail(Code::corrupt, "{}: id {} stands twice", where, seen[n].second);
  return {};
}

// Id of `text` in `sorted` (by text), -1 if it is not there.
int32_t id_of(std::span<const BpeSource::Token> sorted, std::string_view text) {
  const auto found =
      std::lower_bound(sorted.begin(), sorted.end(), BpeSource::Token{text, 0}, by_text);
  return found != sorted.end() && found->text == text ? found->id : -1;
}

// Tokens become bytes; each byte that a text can have needs one.
Status fill_tokens(const BpeSource& source, BpeFile& out) {
  std::vector<BpeSource::Token> literal;
  for (const auto& token : source.added) literal.push_back({token.text, token.id});
  std::sort(literal.begin(), literal.end(), by_text);
  out.byte_ids.fill(-1);
  for (const BpeSource::Token& token : source.vocab) {
    SK_TRY(std::string bytes, to_bytes(token.text, source.vocab_name));
    if (id_of(literal, token.text) == token.id && bytes != token.text)
      return fail(Code::corrupt, "id {} stands for other bytes in {} than in {}", token.id,
                  source.vocab_name, source.added_name);
    if (bytes.size() == 1) out.byte_ids[static_cast<unsigned char>(bytes[0])] = token.id;
    out.tokens.push_back({token.id, std::move(bytes)});
  }
  for (int byte = 0; byte < 256; ++byte)
    if (occurs_in_utf8(byte) && out.byte_ids[static_cast<size_t>(byte)] < 0)
      return fail(Code::corrupt,
                  "{}: no token is the single byte 0x{:02x}, so not every text could be encoded",
                  source.vocab_name, byte);
  return {};
}

// `sorted`: the vocabulary, by text.
Status fill_merges(const BpeSource& source, std::span<const BpeSource::Token> sorted,
                   BpeFile& out) {
  std::string joined;
  for (const auto& [left, right] : source.merges) {
    joined = left;
    joined += right;
    const Merge merge = {id_of(sorted, left), id_of(sorted, right), id_of(sorted, joined)};
    if (merge.left < 0 || merge.right < 0 || merge.result < 0)
      return fail(Code::corrupt,
                  "{}: element {}: \"{}\" and \"{}\" or what they make is not in the vocabulary",
                  source.merges_name, out.merges.size(), escaped(left, 64), escaped(right, 64));
    out.merges.push_back(merge);
  }
  return {};
}

SpecialTokens special_tokens(const BpeSource& source) {
  SpecialTokens out;
  for (const auto& token : source.added)
    if (token.special) out.tokens.push_back({std::string(token.text), token.id});
  out.ends = source.ends;
  out.blank_line_is_two = source.splitter->blank_line_is_two;
  for (const std::string_view name : kEnds)
    for (const auto& token : out.tokens)
      if (token.name == name) out.ends.push_back(token.id);
  std::sort(out.ends.begin(), out.ends.end());
  out.ends.erase(std::unique(out.ends.begin(), out.ends.end()), out.ends.end());
  out.end_of_text = source.ends.empty() ? -1 : source.ends.front();
  for (const auto& token : out.tokens)
    if (token.name == kEnds[0]) out.end_of_text = token.id;
  return out;
}

}  // namespace

bool looks_special(std::string_view text) {
  return (text.starts_with("<|") && text.ends_with("|>")) ||
         (text.starts_with("<\uff5c") && text.ends_with("\uff5c>"));
}

std::string splitter_names() {
  std::string out;
  for (const Splitter& splitter : splitters()) {
    if (!out.empty()) out += " or ";
    out += splitter.name;
  }
  return out;
}

Status add_merge(std::string_view text, BpeSource& out) {
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || text.find(' ', space + 1) != std::string_view::npos)
    return fail(Code::corrupt, "{}: element {} is not a pair of tokens", out.merges_name,
                out.merges.size());
  out.merges.emplace_back(text.substr(0, space), text.substr(space + 1));
  return {};
}

Result<BpeFile> check_bpe(BpeSource source) {
  std::vector<BpeSource::Token>& vocab = source.vocab;
  std::sort(vocab.begin(), vocab.end(), by_id);
  SK_TRY_STATUS(check_vocab(vocab, source.vocab_name));
  SK_TRY_STATUS(check_added(source));
  BpeFile out;
  out.splitter = source.splitter;
  if (!vocab.empty()) out.size = vocab.back().id + 1;
  for (const auto& token : source.added) {
    out.size = std::max(out.size, token.id + 1);
    out.added.push_back({token.id, std::string(token.text), token.special, token.normalized});
  }

  // From here on the special tokens are gone: no text is to be encoded as one by merging.
  std::vector<int32_t> special;
  for (const auto& token : source.added)
    if (token.special) special.push_back(token.id);
  std::sort(special.begin(), special.end());
  std::erase_if(vocab, [&](const BpeSource::Token& token) {
    return std::binary_search(special.begin(), special.end(), token.id);
  });
  SK_TRY_STATUS(fill_tokens(source, out));

  std::sort(vocab.begin(), vocab.end(), by_text);
  for (size_t n = 1; n < vocab.size(); ++n)
    if (vocab[n].text == vocab[n - 1].text)
      return fail(Code::corrupt, "{}: ids {} and {} have the same text \"{}\"", source.vocab_name,
                  std::min(vocab[n].id, vocab[n - 1].id), std::max(vocab[n].id, vocab[n - 1].id),
                  escaped(vocab[n].text, 64));
  SK_TRY_STATUS(fill_merges(source, vocab, out));
  out.special = special_tokens(source);
  return out;
}

}  // namespace skein::text
