#include <algorithm>

#include "support.h"
#include "text/split.h"
#include "text/unicode.h"

namespace skein::text::test {
namespace {

const std::string& small_json() {
  static const std::string kText = [] {
    const auto file = File::map(skein::test::fixture("tokenizer/qwen2_small.json"));
    EXPECT_TRUE(file);
    const auto bytes = file->bytes();
    return std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size());
  }();
  return kText;
}

TokenizerPtr small() { return must(open_tokenizer(as_bytes(small_json()), "q.json")); }

struct Vocabulary {
  std::vector<std::string> tokens;
  std::vector<int64_t> types;
  std::vector<std::string> merges;
  std::vector<int64_t> ends;
  std::string pre = "qwen2";

  Result<TokenizerPtr> open() const {
    return bpe_from_gguf({pre, tokens, types, merges, ends}, "q.gguf");
  }
};

// The small vocabulary as a converter writes it, with rows that nothing uses at the end.
Vocabulary small_gguf() {
  Vocabulary out;
  const Json root = parse_json(small_json(), 1 << 20).value();
  const Json model = *root.find("model");
  const auto put = [&](std::string_view text, const Json& id, int64_t type) {
    int64_t n = -1;
    ASSERT_TRUE(id.integer(n));
    const auto rows = std::max(out.tokens.size(), static_cast<size_t>(n) + 1);
    out.tokens.resize(rows);
    out.types.resize(rows, 5);
    out.tokens[static_cast<size_t>(n)] = text;
    out.types[static_cast<size_t>(n)] = type;
  };
  for (const auto& [text, id] : *model.find("vocab")->object()) put(text, id, 1);
  for (const Json& token : *root.find("added_tokens")->array())
    put(*token.find("content")->string(), *token.find("id"),
        *token.find("special")->boolean() ? 3 : 4);
  for (int n = 0; n < 8; ++n) {
    out.tokens.push_back(fmt::format("[PAD{}]", out.tokens.size()));
    out.types.push_back(5);
  }
  for (const Json& merge : *model.find("merges")->array()) out.merges.emplace_back(*merge.string());
  return out;
}

struct BothIds {
  std::string text;
  std::vector<int32_t> tokens, plain;
};

std::vector<BothIds> vectors() {
  const auto path = skein::test::fixture("tokenizer/qwen2_small.jsonl");
  std::vector<BothIds> out;
  const std::vector<Vector> tokens = read_vectors(path, "ids");
  const std::vector<Vector> plain = read_vectors(path, "plain");
  for (size_t n = 0; n < tokens.size(); ++n)
    out.push_back({tokens[n].text, tokens[n].ids, plain[n].ids});
  return out;
}

TEST(Qwen2, gives_the_ids_of_the_plain_python) {
  const auto json = small();
  const auto gguf = must(small_gguf().open());
  EXPECT_EQ(json->name(), "Qwen2 BPE");
  EXPECT_EQ(gguf->name(), "Qwen2 BPE");
  const auto all = vectors();
  EXPECT_GT(all.size(), 200u);
  for (const auto& [text, tokens, plain] : all)
    for (const auto& tokenizer : {json, gguf}) {
      EXPECT_EQ(tokenizer->encode(text, Special::as_token).value(), tokens) << escaped(text);
      EXPECT_EQ(tokenizer->encode(text).value(), plain) << escaped(text);
    }
}

TEST(Qwen2, merges_may_be_pairs) {
  JsonWriter pairs;
  pairs.begin_array();
  for (const std::string& merge : small_gguf().merges) {
    const size_t space = merge.find(' ');
    pairs.begin_array().value(merge.substr(0, space)).value(merge.substr(space + 1)).end_array();
  }
  pairs.end_array();
  std::string text = small_json();
  const size_t begin = text.find("\"merges\":") + 9;
  text.replace(begin, text.rfind(']') + 1 - begin, pairs.text());
  const auto tokenizer = must(open_tokenizer(as_bytes(text), "q.json"));
  for (const auto& [sample, tokens, plain] : vectors())
    EXPECT_EQ(tokenizer->encode(sample).value(), plain);
}

constexpr std::string_view kPieces[] = {
    "a",      "Word",       " the",   "'",        "'s",      "'LL",    "'\u017f",
    "1",      "42",         "\u00bd", " ",        "  ",      "\n",     "\r\n",
    "\t",     "!",          "--",     "é",        "e\u0301", "\u0301", "\u0323",
    "中",     "。",         "😀",     "\u3000",   "\u00a0",  "\u200b", "\u1100\u1161",
    "\u0085", "<|im_end|>", "<|",     "im_start", "|>"};

TEST(Qwen2, decoding_what_was_encoded_gives_the_composed_text_back) {
  const auto tokenizer = small();
  std::mt19937 rng(1);
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = random_text(rng, kPieces, below(rng, 20));
    const auto ids = tokenizer->encode(text);
    ASSERT_TRUE(ids) << ids.error().message;
    ASSERT_EQ(tokenizer->decode(*ids).value(), to_nfc(text).value()) << escaped(text);
  }
}

TEST(Qwen2, no_text_makes_a_special_token) {
  const auto tokenizer = small();
  std::mt19937 rng(2);
  for (int n = 0; n < 10'000; ++n) {
    std::string text = random_text(rng, kPieces, below(rng, 12));
    for (const std::string_view name : {"<|im_start|>", "<|im_end|>", "<|endoftext|>"})
      text.insert(below(rng, text.size() + 1), name);
    if (first_invalid_utf8(text) != std::string_view::npos) continue;
    const auto ids = tokenizer->encode(text);
    ASSERT_TRUE(ids);
    for (const int32_t id : *ids) ASSERT_TRUE(tokenizer->special_name(id).empty()) << escaped(text);
  }
  EXPECT_EQ(tokenizer->encode("<|im_end|>", Special::as_token).value(),
            std::vector{tokenizer->special_id("<|im_end|>")});
}

TEST(Qwen2, special_tokens_have_names_and_no_text) {
  const auto tokenizer = small();
  const int32_t end = tokenizer->special_id("<|im_end|>");
  ASSERT_GE(end, 0);
  EXPECT_FALSE(tokenizer->has_text(end));
  EXPECT_EQ(tokenizer->shown(end), "<|im_end|>");
  EXPECT_EQ(tokenizer->decode(std::vector{end}).value(), "");
  EXPECT_EQ(tokenizer->decode(std::vector{end}, Special::as_token).value(), "<|im_end|>");
  EXPECT_TRUE(tokenizer->is_end(end));
  EXPECT_TRUE(tokenizer->is_end(tokenizer->end_of_text()));
  EXPECT_EQ(tokenizer->special_name(tokenizer->end_of_text()), "<|endoftext|>");
  EXPECT_FALSE(tokenizer->is_end(tokenizer->special_id("<|im_start|>")));
  EXPECT_FALSE(tokenizer->is_end(0));
  EXPECT_GE(tokenizer->special_id("<|fim_prefix|>"), 0);  // by its looks
  EXPECT_EQ(tokenizer->special_id("<tool_call>"), -1);    // the file says that it is text
  EXPECT_FALSE(tokenizer->blank_line_is_two());
}

TEST(Qwen2, metadata_says_which_tokens_end_a_text) {
  Vocabulary vocabulary = small_gguf();
  const auto named = must(vocabulary.open());
  vocabulary.ends = {70, 71};
  const auto told = must(vocabulary.open());
  EXPECT_TRUE(told->is_end(70) && told->is_end(71));
  EXPECT_FALSE(named->is_end(70) || named->is_end(71));
  EXPECT_EQ(told->end_of_text(), named->end_of_text());
  for (auto& type : vocabulary.types)
    if (type == 3) type = 5;
  EXPECT_EQ(must(vocabulary.open())->end_of_text(), 70);
  vocabulary.ends.clear();
  EXPECT_EQ(must(vocabulary.open())->end_of_text(), -1);
  EXPECT_TRUE(must(vocabulary.open())->ends().empty());
}

TEST(Qwen2, hard_texts_take_under_a_second_and_little_stack) {
  const auto tokenizer = small();
  auto texts = hard_texts();
#ifdef NDEBUG
  constexpr size_t kMany = 300'000;
#else
  constexpr size_t kMany = 50'000;  // a sanitizer needs to see the way once, not the time
  for (auto& [name, text] : texts) text.resize(std::min(text.size(), kMany));
#endif
  const auto repeat = [](std::string_view piece, size_t bytes) {
    std::string out;
    while (out.size() < bytes) out += piece;
    return out;
  };
  texts.emplace_back("quotes", std::string(kMany, '\''));
  texts.emplace_back("contractions", repeat("'S", kMany));
  texts.emplace_back("spaces before a letter", std::string(kMany, ' ') + "a");
  texts.emplace_back("spaces after a line end", "\n" + std::string(kMany, ' ') + "a");
  texts.emplace_back("line ends and spaces", repeat("\n ", kMany));
  texts.emplace_back("carriage returns", std::string(kMany, '\r'));
  texts.emplace_back("digits", std::string(kMany, '7'));
  texts.emplace_back("letters", repeat("ab", kMany));
  texts.emplace_back("signs", repeat("!-", kMany));
  texts.emplace_back("signs and line ends", repeat("!\n", kMany));
  texts.emplace_back("CJK", repeat("中文", kMany));
  texts.emplace_back("wide spaces", repeat("\u3000", kMany));
  texts.emplace_back("beginnings of special tokens", repeat("<|im_star", kMany));
  for (const auto& [name, text] : texts)
    expect_under_a_second(name, [&] {
      for (const Special special : {Special::as_text, Special::as_token}) {
        const auto ids = tokenizer->encode(text, special);
        ASSERT_TRUE(ids);
        EXPECT_GT(ids->size(), 0u);
      }
    });
}

// Qwen2's pattern in the words of its alternatives, each tried at every length: a second opinion.
size_t first_word_by_pattern(std::string_view rest) {
  std::vector<Character> chars;
  for (std::string_view text = rest; !text.empty(); text.remove_prefix(chars.back().length))
    chars.push_back(first_character(text));
  const size_t count = chars.size();
  const auto is = [&](size_t n, CharClass wanted) {
    return n < count && char_class(chars[n].code) == wanted;
  };
  const auto line_end = [&](size_t n) {
    return n < count && (chars[n].code == '\r' || chars[n].code == '\n');
  };
  const auto bytes = [&](size_t end) {
    size_t sum = 0;
    for (size_t n = 0; n < end; ++n) sum += chars[n].length;
    return sum;
  };
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"}) {
    bool same = count >= ending.size();
    for (size_t n = 0; same && n < ending.size(); ++n) {
      const char32_t c = chars[n].code;
      const auto wanted = static_cast<char32_t>(ending[n]);
      same = c == wanted || (n > 0 && c + 32 == wanted) || (wanted == 's' && c == 0x17f);
    }
    if (same) return bytes(ending.size());
  }
  for (const size_t lead : {size_t{1}, size_t{0}}) {
    if (lead == 1 && (line_end(0) || is(0, CharClass::letter) || is(0, CharClass::number)))
      continue;
    size_t n = lead;
    while (is(n, CharClass::letter)) ++n;
    if (n > lead) return bytes(n);
  }
  if (is(0, CharClass::number)) return bytes(1);
  for (const size_t space : {size_t{1}, size_t{0}}) {
    if (space == 1 && chars[0].code != ' ') continue;
    size_t n = space;
    while (is(n, CharClass::other)) ++n;
    if (n == space) continue;
    while (line_end(n)) ++n;
    return bytes(n);
  }
  size_t run = 0;
  while (is(run, CharClass::space)) ++run;
  for (size_t n = run; n > 0; --n)
    if (line_end(n - 1)) return bytes(n);
  for (size_t n = run; n > 0; --n)
    if (n == count || is(n, CharClass::space)) return bytes(n);
  return bytes(run);
}

TEST(SplitQwen2, finds_the_words_of_the_pattern) {
  const auto first_word = splitter_by_gguf_name("qwen2")->first_word;
  std::mt19937 rng(3);
  constexpr std::string_view kParts[] = {
      "a",  "é",  "1",  "½",  "!",      "'",      "s",  "S",      "ll",     "Re",     "\u017f", " ",
      "  ", "\n", "\r", "\t", "\u3000", "\u00a0", "中", "\u0301", "\u200b", "\u0085", "\u2028"};
  for (int n = 0; n < 40'000; ++n) {
    const std::string text = random_text(rng, kParts, 1 + below(rng, 12));
    for (std::string_view rest = text; !rest.empty();) {
      const size_t length = first_word(rest);
      ASSERT_EQ(length, first_word_by_pattern(rest)) << escaped(text);
      rest.remove_prefix(length);
    }
  }
}

TEST(SplitQwen2, a_text_may_be_cut_between_two_words) {
  const auto first_word = splitter_by_gguf_name("qwen2")->first_word;
  const auto tokenizer = small();
  std::mt19937 rng(4);
  for (int n = 0; n < 2'000; ++n) {
    const std::string text = to_nfc(random_text(rng, kPieces, 1 + below(rng, 12))).value();
    std::vector<int32_t> joined;
    for (std::string_view rest = text; !rest.empty();) {
      const std::string_view word = rest.substr(0, first_word(rest));
      // A word by itself is one word, unless it is blanks, which look at what follows.
      if (char_class(first_character(word).code) != CharClass::space) {
        ASSERT_EQ(first_word(word), word.size()) << escaped(text);
      }
      const auto ids = tokenizer->encode(word).value();
      joined.insert(joined.end(), ids.begin(), ids.end());
      rest.remove_prefix(word.size());
    }
    ASSERT_EQ(joined, tokenizer->encode(text).value()) << escaped(text);
  }
}

std::string replaced(std::string_view from, std::string_view to) {
  std::string text = small_json();
  const size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

void expect_refused(const Result<TokenizerPtr>& result, Code code, std::string_view fact) {
  ASSERT_FALSE(result) << fact;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_TRUE(result.error().message.starts_with("q.")) << result.error().message;
  EXPECT_NE(result.error().message.find(fact), std::string::npos)
      << result.error().message << " lacks: " << fact;
  EXPECT_EQ(result.error().message.find('\n'), std::string::npos);
}

TEST(Qwen2Json, other_ways_to_split_are_unsupported_by_name) {
  const auto refused = [](std::string_view from, std::string_view to, std::string_view fact) {
    const std::string text = replaced(from, to);
    expect_refused(open_tokenizer(as_bytes(text), "q.json"), Code::unsupported, fact);
  };
  refused("|\\\\p{N}|", "|\\\\p{N}{1,3}|", "\\p{N}{1,3}");
  refused("\"Isolated\"", "\"Removed\"", "keep what it finds");
  refused("\"invert\":false", "\"invert\":true", "keep what it finds");
  refused("{\"Regex\":", "{\"String\":", "no regular expression");
  refused("{\"Regex\":", "{\"Regex\":7,\"x\":", "no regular expression");
  refused("\"Split\"", "\"Digits\"", "other parts");
  refused("\"Sequence\"", "\"Metaspace\"", "Metaspace");
  refused("\"use_regex\":false", "\"use_regex\":true", "twice");
  refused("\"add_prefix_space\":false", "\"add_prefix_space\":true", "puts a space");
  refused("\"NFC\"", "\"NFKC\"", "NFKC");
  refused("\"ignore_merges\":false", "\"ignore_merges\":true", "ignore_merges");
  refused("\"byte_fallback\":false", "\"byte_fallback\":true", "byte_fallback");
  refused("\"lstrip\":false", "\"lstrip\":true", "lstrip");
}

TEST(Qwen2Json, contradictions_are_corrupt) {
  const auto refused = [](std::string_view from, std::string_view to, std::string_view fact) {
    const std::string text = replaced(from, to);
    expect_refused(open_tokenizer(as_bytes(text), "q.json"), Code::corrupt, fact);
  };
  refused("\"merges\":[", "\"merges\":[\"e r\",\"e r\",", "same pair");
  refused("\"merges\":[", "\"merges\":[\"er\",", "element 0 is not a pair");
  refused("\"merges\":[", "\"merges\":[\"e  r\",", "element 0 is not a pair");
  refused("\"merges\":[", "\"merges\":[[\"e\",\"r\",\"s\"],", "element 0 is not a pair");
  refused("\"merges\":[", "\"merges\":[\"zq q\",", "not in the vocabulary");
  refused("\"merges\":[", "\"merges\":[\"q z\",", "not in the vocabulary");
  refused("\"merges\":[", "\"merges\":[\" q\",", "not in the vocabulary");
  refused("\"merges\":[", "\"merges\":{},\"x\":[", "not an array");
  refused("\"vocab\":{", "\"vocab\":{\"qq\":5,", "same id 5");
  refused("\"vocab\":{", "\"vocab\":{\"qq\":-5,", "\"qq\"");
  refused("\"vocab\":{", "\"vocab\":{\"qq\":4294967296,", "\"qq\"");
  refused("\"vocab\":{", "\"vocab\":{\"qq\":1048576,", "\"qq\"");
  refused("\"vocab\":{", "\"vocab\":{\"q q\":2000,", "byte alphabet");
  refused("\"vocab\":{\"!\":0,", "\"vocab\":{", "0x21");
  refused("\"id\":956", "\"id\":955", "stands twice");
  refused("\"id\":956", "\"id\":10", "id 10 is");
  refused("\"content\":\"<|im_end|>\"", "\"content\":\"<|im_start|>\"", "stands twice");
  refused("\"content\":\"<|im_end|>\"", "\"content\":\"\"", "without a text");
  refused("\"content\":\"<|im_end|>\"", "\"content\":\"" + std::string(1025, 'x') + "\"",
          "1025 bytes");
}

TEST(Qwen2Gguf, contradictions_are_corrupt) {
  const Vocabulary good = small_gguf();
  ASSERT_TRUE(good.open());
  const auto refused = [&](const std::function<void(Vocabulary&)>& change, std::string_view fact,
                           Code code = Code::corrupt) {
    Vocabulary bad = good;
    change(bad);
    expect_refused(bad.open(), code, fact);
  };
  refused([](Vocabulary& v) { v.types.pop_back(); }, "token_type has");
  refused([](Vocabulary& v) { v.types[7] = 2; }, "is of type 2");
  refused([](Vocabulary& v) { v.types[7] = 6; }, "is of type 6");
  refused([](Vocabulary& v) { v.types[7] = -1; }, "is of type -1");
  refused([](Vocabulary& v) { v.types[7] = int64_t{1} << 32 | 1; }, "is of type 4294967297");
  refused([](Vocabulary& v) { v.types[7] = 5; }, "single byte");
  refused([](Vocabulary& v) { v.tokens[300] = v.tokens[301]; },
          "ids 300 and 301 have the same text");
  refused([](Vocabulary& v) { v.tokens[300] = ""; }, "empty token");
  refused([](Vocabulary& v) { v.tokens[300] = "\xff\xfe"; }, "byte alphabet");
  refused([](Vocabulary& v) { v.tokens[300] = "a b"; }, "byte alphabet");
  refused([](Vocabulary& v) { v.tokens[956] = "\xc3"; }, "not valid UTF-8");
  refused([](Vocabulary& v) { v.tokens[956] = v.tokens[955]; }, "stands twice");
  refused([](Vocabulary& v) { v.tokens[956] = ""; }, "empty token");
  refused([](Vocabulary& v) { v.tokens[956] = std::string(2000, 'x'); }, "2000 bytes");
  refused([](Vocabulary& v) { v.merges[3] = "ab"; }, "element 3 is not a pair");
  refused([](Vocabulary& v) { v.merges[3] = "a b c"; }, "element 3 is not a pair");
  refused([](Vocabulary& v) { v.merges[3] = "zzz q"; }, "not in the vocabulary");
  refused([](Vocabulary& v) { v.merges[3] = "\xff q"; }, "not in the vocabulary");
  refused([](Vocabulary& v) { v.merges[3] = v.merges[2]; }, "same pair");
  refused([](Vocabulary& v) { v.ends = {-1}; }, "id -1");
  refused([](Vocabulary& v) { v.ends = {static_cast<int64_t>(v.tokens.size())}; }, "the end of");
  refused([](Vocabulary& v) { v.ends = {INT64_MAX}; }, "the end of");
  refused([](Vocabulary& v) { v.pre = "llama-bpe"; }, "llama-bpe", Code::unsupported);
  refused([](Vocabulary& v) { v.pre = ""; }, "pre is \"\"", Code::unsupported);
  refused([](Vocabulary& v) { v.pre = "qwen2\n"; }, "qwen2\\x0a", Code::unsupported);
  refused(
      [](Vocabulary& v) {
        v.tokens.assign((size_t{1} << 20) + 1, "x");
        v.types.assign(v.tokens.size(), 5);
      },
      "1048577 elements", Code::unsupported);
}

TEST(Qwen2Gguf, changed_anywhere_it_is_refused_or_still_a_round_trip) {
  const Vocabulary good = small_gguf();
  const std::string sample = "It's  the ferryman\n\n中 😀!";
  std::mt19937 rng(5);
  for (int n = 0; n < 1'000; ++n) {
    Vocabulary bad = good;
    std::string& text = n % 3 ? bad.tokens[below(rng, bad.tokens.size())]
                              : bad.merges[below(rng, bad.merges.size())];
    if (!text.empty()) text[below(rng, text.size())] = static_cast<char>(rng() & 0xff);
    if (n % 5 == 0) bad.types[below(rng, bad.types.size())] = static_cast<int64_t>(rng() % 8);
    const auto result = bad.open();
    if (!result) continue;
    const auto ids = (*result)->encode(sample);
    ASSERT_TRUE(ids);
    ASSERT_EQ((*result)->decode(*ids).value(), sample);
  }
}

}  // namespace
}  // namespace skein::text::test
