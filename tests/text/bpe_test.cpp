#include "support.h"
#include "text/bpe_merge.h"
#include "text/split.h"
#include "text/unicode.h"

namespace skein::text::test {
namespace {

TokenizerPtr bpe() { return open_file(skein::test::shared_file("data/20B_tokenizer.json")); }

void expect_vectors(const std::filesystem::path& path) {
  const auto tokenizer = bpe();
  EXPECT_EQ(tokenizer->name(), "20B BPE");
  EXPECT_EQ(tokenizer->size(), 50277);
  for (const Vector& vector : read_vectors(path)) {
    const auto ids = tokenizer->encode(vector.text, Special::as_token);
    ASSERT_TRUE(ids) << ids.error().message;
    EXPECT_EQ(*ids, vector.ids) << escaped(vector.text);
  }
}

TEST(Bpe20b, gives_the_ids_of_the_vectors) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  expect_vectors(skein::test::fixture("tokenizer/tokenizer_20b.jsonl"));
}

TEST(Bpe20b, gives_the_ids_of_the_library) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  SK_NEEDS_SHARED("fixtures/tokenizer_20b_hf.jsonl");
  expect_vectors(skein::test::shared_file("fixtures/tokenizer_20b_hf.jsonl"));
}

constexpr std::string_view kPieces[] = {
    "a",      "Hello", " world",  " ",           "   ", "\n",           "\n\n",
    "\t",     "é",     "e\u0301", "中文",        "😀",  "\u0301\u0323", "'s",
    "'ll",    "12",    "²",       "!?",          "...", "\u3000",       "\u00a0",
    "\u2028", "ß",     "각",      "\u1100\u1161"};

TEST(Bpe20b, decoding_what_was_encoded_gives_the_composed_text_back) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  const auto tokenizer = bpe();
  std::mt19937 rng(1);
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = random_text(rng, kPieces, below(rng, 20));
    const auto ids = tokenizer->encode(text);
    ASSERT_TRUE(ids) << ids.error().message;
    ASSERT_EQ(tokenizer->decode(*ids).value(), to_nfc(text).value()) << escaped(text);
  }
}

TEST(Bpe20b, invalid_utf8_is_refused_at_its_place) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  const auto tokenizer = bpe();
  for (const std::string_view text : {"ab\xff", "ab\xc3", "ab\xed\xa0\x80", "ab\xc0\x80"}) {
    const auto ids = tokenizer->encode(text);
    ASSERT_FALSE(ids);
    EXPECT_EQ(ids.error().code, Code::argument);
    EXPECT_NE(ids.error().message.find("at byte 2"), std::string::npos) << ids.error().message;
  }
}

TEST(Bpe20b, structure_tokens_have_no_text_and_runs_of_spaces_do) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  const auto tokenizer = bpe();
  EXPECT_FALSE(tokenizer->has_text(0));
  EXPECT_FALSE(tokenizer->has_text(1));
  EXPECT_EQ(tokenizer->decode(std::vector{0, 50254, 1}).value(), std::string(24, ' '));
  EXPECT_EQ(tokenizer->encode("a<|endoftext|>b", Special::as_token).value(),
            (std::vector{66, 0, 67}));
  const auto letters = tokenizer->encode("a<|endoftext|>b").value();
  EXPECT_EQ(std::count(letters.begin(), letters.end(), 0), 0);
  EXPECT_EQ(tokenizer->decode(letters).value(), "a<|endoftext|>b");
  EXPECT_EQ(tokenizer->end_of_text(), 0);
  EXPECT_TRUE(tokenizer->is_end(0));
  EXPECT_FALSE(tokenizer->is_end(1));
  EXPECT_EQ(tokenizer->special_id("<|padding|>"), 1);
  EXPECT_EQ(tokenizer->special_name(1), "<|padding|>");
}

TEST(Bpe20b, hard_texts_take_under_a_second_and_little_stack) {
  SK_NEEDS_SHARED("data/20B_tokenizer.json");
  const auto tokenizer = bpe();
  for (const auto& [name, text] : hard_texts()) {
    expect_under_a_second(name, [&] {
      const auto ids = tokenizer->encode(text);
      ASSERT_TRUE(ids);
      EXPECT_GT(ids->size(), 0u);
    });
  }
}

// The pattern in the words of its alternatives, on classes: a slow and plain second opinion.
size_t first_word_by_pattern(std::string_view rest) {
  std::vector<Character> chars;
  for (std::string_view text = rest; !text.empty(); text.remove_prefix(chars.back().length))
    chars.push_back(first_character(text));
  const auto kind = [&](size_t n) { return char_class(chars[n].code); };
  const auto bytes = [&](size_t count) {
    size_t sum = 0;
    for (size_t n = 0; n < count; ++n) sum += chars[n].length;
    return sum;
  };
  for (const std::string_view ending : {"'s", "'t", "'re", "'ve", "'m", "'ll", "'d"})
    if (rest.starts_with(ending)) return ending.size();
  for (const CharClass wanted : {CharClass::letter, CharClass::number, CharClass::other}) {
    size_t n = chars[0].code == ' ' ? 1 : 0;
    const size_t first = n;
    while (n < chars.size() && kind(n) == wanted) ++n;
    if (n > first) return bytes(n);
  }
  size_t run = 0;
  while (run < chars.size() && kind(run) == CharClass::space) ++run;
  // \s+(?!\S): the longest part of the run that no visible character follows.
  for (size_t n = run; n > 0; --n)
    if (n == chars.size() || kind(n) == CharClass::space) return bytes(n);
  return bytes(run);
}

TEST(Split20b, finds_the_words_of_the_pattern) {
  std::mt19937 rng(2);
  constexpr std::string_view kParts[] = {"a",      "é",  "1",      "½",      "!",     "'",
                                         "s",      "ll", " ",      "  ",     "\n",    "\u3000",
                                         "\u00a0", "中", "\u0301", "\u200b", "\u0085"};
  for (int n = 0; n < 20'000; ++n) {
    const std::string text = random_text(rng, kParts, 1 + below(rng, 12));
    for (std::string_view rest = text; !rest.empty();) {
      const size_t length = splitter_by_gguf_name("gpt-neox")->first_word(rest);
      ASSERT_EQ(length, first_word_by_pattern(rest)) << escaped(text);
      rest.remove_prefix(length);
    }
  }
}

// Merges straight from the definition.
std::vector<int32_t> merged_by_definition(std::vector<int32_t> ids, std::span<const Merge> merges) {
  for (;;) {
    const Merge* best = nullptr;
    size_t place = 0;
    for (const Merge& merge : merges) {
      for (size_t n = 0; !best && n + 1 < ids.size(); ++n)
        if (ids[n] == merge.left && ids[n + 1] == merge.right) {
          best = &merge;
          place = n;
        }
      if (best) break;
    }
    if (!best) return ids;
    ids[place] = best->result;
    ids.erase(ids.begin() + static_cast<ptrdiff_t>(place) + 1);
  }
}

TEST(BpeMerge, short_and_long_words_merge_by_rank_then_from_the_left) {
  std::mt19937 rng(3);
  for (int n = 0; n < 2'000; ++n) {
    // Ranks in any order, also such that a merge makes a pair of lower rank than its own.
    std::vector<Merge> merges;
    const int32_t letters = 3;
    int32_t size = letters;
    for (int k = 0; k < 12; ++k) {
      const Merge merge = {static_cast<int32_t>(below(rng, static_cast<size_t>(size))),
                           static_cast<int32_t>(below(rng, static_cast<size_t>(size))), size};
      const bool known = std::any_of(merges.begin(), merges.end(), [&](const Merge& other) {
        return other.left == merge.left && other.right == merge.right;
      });
      if (known) continue;
      merges.push_back(merge);
      ++size;
    }
    std::shuffle(merges.begin(), merges.end(), rng);
    const auto table = MergeTable::create(merges, size);
    ASSERT_TRUE(table);
    std::vector<int32_t> ids(below(rng, 80));
    for (int32_t& id : ids) id = static_cast<int32_t>(below(rng, static_cast<size_t>(letters)));
    std::vector<int32_t> merged = ids;
    table->apply(merged);
    ASSERT_EQ(merged, merged_by_definition(ids, merges));
  }
}

TEST(BpeMerge, one_pair_twice_is_corrupt) {
  const Merge merges[] = {{0, 1, 2}, {0, 1, 3}};
  const auto table = MergeTable::create(merges, 4);
  ASSERT_FALSE(table);
  EXPECT_EQ(table.error().code, Code::corrupt);
}

// A tokenizer file of the bytes and a few merges, with parts to replace.
struct SmallFile {
  std::string normalizer = R"({"type": "NFC"})";
  std::string pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": false})";
  std::string post_processor = "null";
  std::string type = "BPE";
  std::string more_model;
  std::string more_vocab = R"(, "ab": 300, "Ġab": 301)";
  std::string merges = R"("a b", ["Ġ", "ab"])";
  std::string added =
      R"({"id": 0, "content": "<|end|>", "special": true, "normalized": false},
         {"id": 400, "content": "  ", "special": false, "normalized": true})";
  int missing_byte = -1;

  std::string json() const {
    std::string vocab = R"("<|end|>": 0)";
    int next = 256;
    for (int byte = 0; byte < 256; ++byte) {
      const bool itself =
          (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
      const int code = itself ? byte : next++;
      if (byte == missing_byte) continue;
      std::string text;
      append_utf8(text, static_cast<char32_t>(code));
      if (text == "\"" || text == "\\") text = "\\" + text;
      vocab += fmt::format(", \"{}\": {}", text, byte + 1);
    }
    return fmt::format(
        R"({{"added_tokens": [{}], "normalizer": {}, "pre_tokenizer": {}, "post_processor": {},
            "model": {{"type": "{}", "vocab": {{{}{}}}, "merges": [{}]{}}}}})",
        added, normalizer, pre_tokenizer, post_processor, type, vocab, more_vocab, merges,
        more_model);
  }

  Result<TokenizerPtr> open() const { return open_tokenizer(as_bytes(json()), "t.json"); }
};

void expect_refused(const SmallFile& file, Code code, std::string_view fact) {
  const auto result = file.open();
  ASSERT_FALSE(result) << fact;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_TRUE(result.error().message.starts_with("t.json: ")) << result.error().message;
  EXPECT_NE(result.error().message.find(fact), std::string::npos)
      << result.error().message << " lacks: " << fact;
}

TEST(BpeFile, a_small_file_gives_a_tokenizer) {
  const auto tokenizer = must(SmallFile().open());
  EXPECT_EQ(tokenizer->size(), 401);
  EXPECT_EQ(tokenizer->encode("ab ab  ab<|end|>", Special::as_token).value(),
            (std::vector{300, 301, 400, 300, 0}));
  EXPECT_EQ(tokenizer->bytes_of(301), " ab");
  EXPECT_EQ(tokenizer->bytes_of(400), "  ");
  EXPECT_EQ(tokenizer->bytes_of(0), "");
}

TEST(BpeFile, other_kinds_are_unsupported_by_name) {
  SmallFile file;
  file.type = "Unigram";
  expect_refused(file, Code::unsupported, "model is Unigram");
  file = {};
  file.normalizer = R"({"type": "NFKC"})";
  expect_refused(file, Code::unsupported, "normalizer is NFKC");
  file.normalizer = "null";
  expect_refused(file, Code::unsupported, "normalizer is none");
  file = {};
  file.pre_tokenizer = R"({"type": "Whitespace"})";
  expect_refused(file, Code::unsupported, "pre_tokenizer is Whitespace");
  file.pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": true})";
  expect_refused(file, Code::unsupported, "puts a space");
  file.pre_tokenizer = R"({"type": "ByteLevel", "add_prefix_space": false, "use_regex": false})";
  expect_refused(file, Code::unsupported, "does not split");
  file = {};
  file.post_processor = R"({"type": "TemplateProcessing"})";
  expect_refused(file, Code::unsupported, "TemplateProcessing");
  file = {};
  file.more_model = R"(, "byte_fallback": true)";
  expect_refused(file, Code::unsupported, "byte_fallback");
  file = {};
  file.added = R"({"id": 400, "content": "x", "lstrip": true})";
  expect_refused(file, Code::unsupported, "lstrip");
}

TEST(BpeFile, contradictions_are_corrupt) {
  SmallFile file;
  for (const std::string_view merges :
       {R"("a c")", R"("a zz")", R"("ab")", R"("a b c")", "3", R"(["a"])", R"("a b", "a b")"}) {
    file.merges = merges;
    expect_refused(file, Code::corrupt, "merges");
  }
  file = {};
  file.more_vocab = R"(, "ab": 300, "Ġab": 300)";
  expect_refused(file, Code::corrupt, "same id 300");
  for (const std::string_view id : {"-1", "1048576", "\"1\"", "1.5", "null"}) {
    file.more_vocab = fmt::format(R"(, "ab": 300, "Ġab": 301, "abc": {})", id);
    expect_refused(file, Code::corrupt, "\"abc\"");
  }
  file.more_vocab = R"(, "ab": 300, "Ġab": 301, "a b": 302)";
  expect_refused(file, Code::corrupt, "byte alphabet");
  file.more_vocab = R"(, "ab": 300, "Ġab": 301, "": 302)";
  expect_refused(file, Code::corrupt, "empty token");
  file = {};
  file.missing_byte = 'q';
  expect_refused(file, Code::corrupt, "0x71");
  file = {};
  for (const std::string_view added :
       {R"({"id": 300, "content": "other"})", R"({"id": 400})", R"({"content": "x"})",
        R"({"id": 400, "content": ""})",
        R"({"id": 400, "content": "x"}, {"id": 400, "content": "y"})",
        R"({"id": 400, "content": "x"}, {"id": 401, "content": "x"})", "3"}) {
    file.added = added;
    const auto result = file.open();
    ASSERT_FALSE(result) << added;
    EXPECT_EQ(result.error().code, Code::corrupt) << result.error().message;
  }
  for (const std::string_view text : {"{\"model\": 3}", "{\"model\": {}}", "{\"model\": ["}) {
    const auto result = open_tokenizer(as_bytes(text), "t.json");
    ASSERT_FALSE(result);
  }
}

TEST(BpeFile, bytes_that_no_utf8_has_may_be_missing) {
  for (const int byte : {0xc0, 0xc1, 0xf5, 0xff}) {
    SmallFile file;
    file.missing_byte = byte;
    EXPECT_TRUE(file.open());
  }
}

TEST(BpeFile, changed_anywhere_it_is_refused_or_still_a_round_trip) {
  const std::string text = SmallFile().json();
  const std::string sample = "ab  ab é\n中";
  std::mt19937 rng(5);
  for (int n = 0; n < 5'000; ++n) {
    std::string changed = text;
    if (n % 2) {
      changed[below(rng, changed.size())] = static_cast<char>(rng() & 0x7f);
    } else {
      changed.resize(below(rng, changed.size()));
    }
    const auto result = open_tokenizer(as_bytes(changed), "t.json");
    if (!result) continue;
    const auto ids = (*result)->encode(sample);
    ASSERT_TRUE(ids);
    EXPECT_EQ((*result)->decode(*ids).value(), sample);
  }
}

}  // namespace
}  // namespace skein::text::test
