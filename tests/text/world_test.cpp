#include "base/limits.h"
#include "support.h"
#include "text/world_text.h"

namespace skein::text::test {
namespace {

TokenizerPtr world() {
  return open_file(skein::test::shared_file("data/rwkv_vocab_v20230424.txt"));
}

Result<TokenizerPtr> from_text(std::string_view text) {
  return world_from_vocab_file(as_bytes(text), "v.txt");
}

// The message of a refusal, checked for its code.
std::string refusal(const Result<TokenizerPtr>& result, Code code = Code::corrupt) {
  EXPECT_FALSE(result);
  if (result) return "accepted";
  EXPECT_EQ(result.error().code, code) << result.error().message;
  return result.error().message;
}

void expect_refused(std::string_view text, std::string_view fact) {
  const std::string message = refusal(from_text(text));
  EXPECT_NE(message.find(fact), std::string::npos) << message << " lacks: " << fact;
}

// What world_from_gguf takes, from a list of tokens by id.
struct GgufTokens {
  std::vector<std::string> strings;
  std::vector<std::string_view> views;
  std::vector<int32_t> types;

  explicit GgufTokens(const Tokenizer& tokenizer, int32_t rows) {
    for (int32_t id = 0; id < rows; ++id) {
      const std::string_view bytes = tokenizer.bytes_of(id);
      types.push_back(id == 0 ? 3 : bytes.empty() ? 5 : 1);
      strings.push_back(id == 0 ? "<s>" : bytes.empty() ? fmt::format("[PAD{}]", id) : repr(bytes));
    }
    views.assign(strings.begin(), strings.end());
  }

  // The inside of Python's repr of bytes.
  static std::string repr(std::string_view bytes) {
    const bool escape_quote = bytes.find('"') != std::string_view::npos;
    std::string out;
    for (const char c : bytes) {
      const auto byte = static_cast<unsigned char>(c);
      if (c == '\t') {
        out += "\\t";
      } else if (c == '\n') {
        out += "\\n";
      } else if (c == '\r') {
        out += "\\r";
      } else if (c == '\\' || (c == '\'' && escape_quote)) {
        out += std::string("\\") + c;
      } else if (byte >= 0x20 && byte < 0x7f) {
        out += c;
      } else {
        out += fmt::format("\\x{:02x}", byte);
      }
    }
    return out;
  }
};

TEST(World, gives_the_ids_of_the_official_tokenizer) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto tokenizer = world();
  EXPECT_EQ(tokenizer->name(), "World");
  EXPECT_EQ(tokenizer->size(), 65530);
  for (const Vector& vector :
       read_vectors(skein::test::fixture("tokenizer/tokenizer_world.jsonl"))) {
    const auto ids = tokenizer->encode(vector.text);
    ASSERT_TRUE(ids);
    EXPECT_EQ(*ids, vector.ids) << escaped(vector.text);
    EXPECT_EQ(tokenizer->decode(vector.ids).value(), vector.text);
  }
}

TEST(World, a_vocabulary_is_written_as_python_writes_it) {
  const struct {
    std::string bytes, literal;
  } cases[] = {
      {"a'", R"("a'")"},
      {"a\"", R"('a"')"},
      {"'\"", R"('\'"')"},
      {"\n\t\r\\", R"('\n\t\r\\')"},
      {"\x01\x7f", R"('\x01\x7f')"},
      {"\u0085", R"('\x85')"},
      {"\u00a0", R"('\xa0')"},
      {"é中", "'é中'"},
      {"\u200b", R"('\u200b')"},
      {"\U000e0001", R"('\U000e0001')"},
      {"\U0001f600", "'\U0001f600'"},
      {"\xe4\xb8", R"(b'\xe4\xb8')"},
      {"'\xff", R"(b"'\xff")"},
      {"  ", "'  '"},
  };
  std::vector<std::string> more;
  for (const auto& one : cases) more.push_back(one.bytes);
  const auto tokenizer = must(from_text(small_vocab(more)));
  const auto text = world_text(*tokenizer, "x");
  ASSERT_TRUE(text) << text.error().message;
  int id = 257;
  for (const auto& one : cases) {
    const std::string line = fmt::format("\n{} {} {}\n", id++, one.literal, one.bytes.size());
    EXPECT_NE(text->find(line), std::string::npos) << line;
  }
  const auto again = must(from_text(*text));
  for (int32_t token = 0; token < tokenizer->size(); ++token)
    EXPECT_EQ(again->bytes_of(token), tokenizer->bytes_of(token));
  EXPECT_EQ(world_text(*byte_tokenizer_257(), "x").error().code, Code::unsupported);
}

TEST(World, decoding_what_was_encoded_gives_any_bytes_back) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto tokenizer = world();
  std::mt19937 rng(1);
  for (int n = 0; n < 10'000; ++n) {
    std::string text = random_bytes(rng, below(rng, 100));
    // Half of the texts are made of tokens, so that long matches and wrong turns occur.
    if (n % 2)
      for (int k = 0; k < 20; ++k)
        text +=
            tokenizer->bytes_of(static_cast<int32_t>(below(rng, 65530))).substr(0, below(rng, 9));
    const auto ids = tokenizer->encode(text);
    ASSERT_TRUE(ids);
    ASSERT_EQ(tokenizer->decode(*ids).value(), text);
  }
}

TEST(World, every_step_takes_the_longest_token) {
  const std::vector<std::string> more = {"ab", "abcd", "abcdef", "bc", "bcd", "\xe4\xb8\xad", "  "};
  const auto tokenizer = must(from_text(small_vocab(more)));
  std::mt19937 rng(2);
  constexpr std::string_view kPieces[] = {"a", "b", "c",    "d",    "e",
                                          "f", " ", "\xe4", "\xb8", "\xad"};
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = random_text(rng, kPieces, below(rng, 30));
    std::vector<int32_t> expected;
    for (std::string_view rest = text; !rest.empty();) {
      int32_t best = static_cast<unsigned char>(rest[0]) + 1;
      size_t length = 1;
      for (size_t k = 0; k < more.size(); ++k)
        if (rest.starts_with(more[k]) && more[k].size() > length) {
          best = 257 + static_cast<int32_t>(k);
          length = more[k].size();
        }
      expected.push_back(best);
      rest.remove_prefix(length);
    }
    ASSERT_EQ(tokenizer->encode(text).value(), expected) << escaped(text);
  }
}

TEST(World, hard_texts_take_under_a_second_and_little_stack) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto tokenizer = world();
  for (const auto& [name, text] : hard_texts()) {
    expect_under_a_second(name, [&] {
      const auto ids = tokenizer->encode(text);
      ASSERT_TRUE(ids);
      EXPECT_EQ(tokenizer->decode(*ids).value(), text);
    });
  }
}

TEST(World, ids_without_text_are_empty_and_ids_out_of_range_are_errors) {
  const auto tokenizer = must(from_text(small_vocab() + vocab_line(300, "ab")));
  EXPECT_EQ(tokenizer->size(), 301);
  for (const int32_t id : {0, 257, 299}) {
    EXPECT_FALSE(tokenizer->has_text(id));
    EXPECT_EQ(tokenizer->decode(std::vector{id}).value(), "");
  }
  EXPECT_TRUE(tokenizer->has_text(300));
  for (const int32_t id : {-1, 301, INT32_MAX, INT32_MIN}) {
    EXPECT_FALSE(tokenizer->has_text(id));
    EXPECT_EQ(tokenizer->bytes_of(id), "");
    const auto text = tokenizer->decode(std::vector{300, id});
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, Code::argument);
  }
}

TEST(World, special_looking_text_stays_text) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto tokenizer = world();
  for (const std::string_view text : {"<s>", "[PAD65530]", "<|endoftext|>"}) {
    const auto ids = tokenizer->encode(text).value();
    for (const int32_t id : ids) EXPECT_TRUE(tokenizer->has_text(id));
    EXPECT_EQ(tokenizer->decode(ids).value(), text);
  }
}

TEST(VocabFile, literals_are_read_as_python_writes_them) {
  std::string text = small_vocab();
  text += "257 'it\\'s' 4\n258 \"it's\" 4\n";
  EXPECT_NE(refusal(from_text(text)).find("ids 257 and 258"), std::string::npos);
  text = small_vocab();
  text += "257 \"it's\" 4\n258 '\"\\'' 2\n259 '\\x85' 2\n260 b'\\x85\\x86' 2\n261 ' a b ' 5\n";
  text +=
      "262 '\\u4e2d' 3\n263 '\\U0001f600' 4\n264 '中文' 6\n265 '\\t\\r\\n\\\\' 4\n266 b\"'x\" 2\n";
  const auto tokenizer = must(from_text(text));
  const std::vector<std::string> expected = {"it's", "\"'", "\xc2\x85", "\x85\x86", " a b ",
                                             "中",   "😀",  "中文",     "\t\r\n\\", "'x"};
  for (size_t n = 0; n < expected.size(); ++n)
    EXPECT_EQ(tokenizer->bytes_of(257 + static_cast<int32_t>(n)), expected[n]);
}

TEST(VocabFile, byte_order_mark_carriage_returns_and_missing_last_line_end_are_accepted) {
  std::string plain = small_vocab({"ab"});
  std::string windows = "\xef\xbb\xbf";
  for (const char c : plain) windows += c == '\n' ? "\r\n" : std::string(1, c);
  plain.pop_back();
  EXPECT_EQ(must(from_text(plain))->bytes_of(257), "ab");
  EXPECT_EQ(must(from_text(windows))->bytes_of(257), "ab");
}

TEST(VocabFile, malformed_lines_are_refused_with_their_number) {
  expect_refused("", "empty");
  expect_refused("1 '\\x00' 2\n", "line 1: token 1 has 1 bytes and says it has 2");
  expect_refused(small_vocab() + "65537 'ab' 2\n", "line 257: id 65537");
  expect_refused(small_vocab() + "65536 'ab' 2\n", "line 257: id 65536");
  expect_refused(small_vocab() + "256 'ab' 2\n", "line 257: id 256 stands twice");
  expect_refused(small_vocab() + "0 'ab' 2\n", "line 257: id 0");
  expect_refused("1 __import__('os') 2\n", "line 1: '__import__('os')' is no quoted literal");
  expect_refused("\n", "line 1: not `id literal length`");
  expect_refused(small_vocab() + "\n", "line 257");
  expect_refused("1 'a'\n", "line 1: not `id literal length`");
  expect_refused("x 'a' 1\n", "line 1: the id 'x' is not a number");
  expect_refused("-1 'a' 1\n", "line 1: the id '-1' is not a number");
  expect_refused("99999999999999999999 'a' 1\n", "is not a number");
  expect_refused(" 'a' 1\n", "line 1: the id '' is not a number");
  expect_refused("1 'a' \n", "line 1: the length '' is not a number");
  expect_refused("1 'a' -1\n", "line 1: the length '-1' is not a number");
  expect_refused("1 'a 1\n", "line 1: ''a' is no quoted literal");
  expect_refused("1 'a\" 1\n", "no quoted literal");
  expect_refused("1 ' 1\n", "no quoted literal");
  expect_refused("1 'a'b' 3\n", "bare '");
  expect_refused("1 '\\' 1\n", "unknown escape");
  expect_refused("1 '\\q' 1\n", "unknown escape");
  expect_refused("1 '\\x4' 1\n", "without its 2 digits");
  expect_refused("1 '\\x-1' 1\n", "without its 2 digits");
  expect_refused("1 '\\ud800' 3\n", "no character");
  expect_refused("1 '\\U00110000' 4\n", "no character");
  expect_refused("1 b'\\u4e2d' 3\n", "escape of 4 digits");
  expect_refused("1 b'中' 3\n", "not ASCII");
  expect_refused("1 'a\tb' 3\n", "control byte");
  expect_refused("1 '\xff' 1\n", "not valid UTF-8");
  expect_refused("1 '' 0\n", "token 1 is empty");
  expect_refused(small_vocab({"ab", "ab"}), "ids 257 and 258 have the same text 'ab'");
  expect_refused(small_vocab({std::string(limits::kTokenBytes + 1, 'a')}), "line 257");
  must(from_text(small_vocab({std::string(limits::kTokenBytes, 'a')})));
}

TEST(VocabFile, a_missing_single_byte_is_refused) {
  const std::string text = small_vocab({"ab"});
  for (const int byte : {0, 10, 128, 255}) {
    const std::string line = vocab_line(byte + 1, std::string(1, static_cast<char>(byte)));
    std::string without = text;
    without.erase(without.find(line), line.size());
    expect_refused(without, fmt::format("0x{:02x}", byte));
  }
}

TEST(VocabFile, cut_anywhere_it_is_refused_or_whole_lines_are_left) {
  const std::string text = small_vocab({"ab", "中文"});
  for (size_t length = 0; length < text.size(); ++length) {
    const auto result = from_text(std::string_view(text).substr(0, length));
    const bool whole_line = text[length] == '\n' || (length > 0 && text[length - 1] == '\n');
    // Short of the 256 bytes it is corrupt even between lines.
    if (!result) {
      EXPECT_EQ(result.error().code, Code::corrupt);
    } else {
      EXPECT_TRUE(whole_line) << length;
    }
  }
}

TEST(VocabFile, the_world_vocabulary_cut_between_two_lines_is_refused) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto bytes = read_file(skein::test::shared_file("data/rwkv_vocab_v20230424.txt"), 1 << 24);
  ASSERT_TRUE(bytes);
  const std::string text(reinterpret_cast<const char*>(bytes->data()), bytes->size());
  must(from_text(text));
  size_t line = 0, at = 0;
  for (const size_t lines : {512, 513, 1000, 1024, 4095, 4096, 20000, 32767, 32768, 65000, 65528}) {
    for (; line < lines; ++line) at = text.find('\n', at) + 1;
    expect_refused(text.substr(0, at), "the file was cut");
    expect_refused(text.substr(0, at - 1), "the file was cut");
    // Its beginning and tokens of one's own are another vocabulary.
    const int next = static_cast<int>(lines) + 1;
    must(from_text(text.substr(0, at) + vocab_line(next, "a long one of somebody's own") +
                   vocab_line(next + 1, "\xff\xfe")));
  }
  must(from_text(small_vocab({"ab", "中文"})));
}

TEST(VocabFile, changed_anywhere_it_is_refused_or_still_a_round_trip) {
  const std::string text = small_vocab({"ab", "中文", "\n\n"});
  std::mt19937 rng(3);
  const std::string sample = "ab\n\n中文 \xff";
  for (int n = 0; n < 5'000; ++n) {
    std::string changed = text;
    for (size_t k = 0; k <= below(rng, 3); ++k)
      changed[below(rng, changed.size())] = static_cast<char>(rng() & 0xff);
    const auto result = from_text(changed);
    if (!result) {
      EXPECT_EQ(result.error().code, Code::corrupt);
    } else {
      EXPECT_EQ((*result)->decode((*result)->encode(sample).value()).value(), sample);
    }
  }
}

TEST(VocabFile, messages_print_a_strangers_bytes_escaped) {
  const std::string message = refusal(world_from_vocab_file(as_bytes("\x1b[31m"), "v\x1b.txt"));
  EXPECT_EQ(message.find('\x1b'), std::string::npos) << message;
}

std::string json_vocab(const std::string& more) {
  std::string out = "{";
  for (int byte = 0; byte < 256; ++byte) out += fmt::format("\"{}\": [{}], ", byte + 1, byte);
  return out + more + "}";
}

TEST(VocabJson, strings_and_byte_arrays_are_tokens) {
  const auto tokenizer =
      must(open_tokenizer(as_bytes(json_vocab(R"("257": "中\n", "300": [228, 184])")), "v.json"));
  EXPECT_EQ(tokenizer->name(), "World");
  EXPECT_EQ(tokenizer->bytes_of(257), "中\n");
  EXPECT_EQ(tokenizer->bytes_of(300), "\xe4\xb8");
  EXPECT_EQ(tokenizer->encode("中\n\xe4\xb8").value(), (std::vector{257, 300}));
}

TEST(VocabJson, malformed_members_are_refused_by_name) {
  for (const std::string_view member :
       {R"("x": "ab")", R"("257": 1)", R"("257": [256])", R"("257": [-1])", R"("257": ["a"])",
        R"("257": "")", R"("257": [])", R"("0": "ab")", R"("65536": "ab")", R"("": "ab")",
        R"("257 ": "ab")", R"("257": {"a": 1})", R"("257": null)",
        R"("00257": "ab", "257": "c")"}) {
    const std::string message =
        refusal(world_from_json(as_bytes(json_vocab(std::string(member))), "v.json"));
    EXPECT_TRUE(message.starts_with("v.json: \"")) << message;
  }
  for (const std::string_view text : {"", "[]", "{", "3", "{}", "{\"1\": \"a\"}"})
    refusal(world_from_json(as_bytes(text), "v.json"));
}

TEST(VocabGguf, gives_the_same_tokenizer_as_the_vocabulary_file) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto expected = world();
  const GgufTokens tokens(*expected, 65536);
  const auto tokenizer = must(world_from_gguf(tokens.views, tokens.types, "m.gguf"));
  EXPECT_EQ(tokenizer->size(), expected->size());
  for (int32_t id = 0; id < 65536; ++id) ASSERT_EQ(tokenizer->bytes_of(id), expected->bytes_of(id));
  for (const Vector& vector : read_vectors(skein::test::fixture("tokenizer/tokenizer_world.jsonl")))
    EXPECT_EQ(tokenizer->encode(vector.text).value(), vector.ids);
}

TEST(VocabGguf, only_normal_tokens_are_text) {
  GgufTokens tokens(*must(from_text(small_vocab({"ab"}))), 260);
  const auto tokenizer = must(world_from_gguf(tokens.views, tokens.types, "m.gguf"));
  EXPECT_EQ(tokenizer->encode("<s>").value().size(), 3u);
  EXPECT_EQ(tokenizer->encode("[PAD259]").value().size(), 8u);
}

TEST(VocabGguf, malformed_tokens_are_refused_by_id) {
  const GgufTokens good(*must(from_text(small_vocab({"ab", "'\"", "it's"}))), 262);
  EXPECT_EQ(good.strings[258], "\\'\"");
  EXPECT_EQ(good.strings[259], "it's");
  const auto refused = [&](std::string_view token, int32_t type, std::string_view fact) {
    GgufTokens bad = good;
    bad.views.assign(good.strings.begin(), good.strings.end());
    bad.views[257] = token;
    bad.types[257] = type;
    const std::string message = refusal(world_from_gguf(bad.views, bad.types, "m.gguf"));
    EXPECT_NE(message.find(fact), std::string::npos) << message;
  };
  refused("<0x-1>", 6, "type 6");
  refused("ab", 0, "type 0");
  refused("it's", 1, "same text");
  refused("\\q", 1, "bad escape");
  refused("\\", 1, "bad escape");
  refused("\\x", 1, "bad escape");
  refused("\\x4", 1, "bad escape");
  refused("\\x4G", 1, "bad escape");
  refused("\\xAB", 1, "bad escape");
  refused("中", 1, "bare byte");
  refused("\n", 1, "bare byte");
  refused("", 1, "empty");
  std::vector<int32_t> short_types(good.types.begin(), good.types.end() - 1);
  refusal(world_from_gguf(good.views, short_types, "m.gguf"));
  GgufTokens with_text_at_zero = good;
  with_text_at_zero.views.assign(good.strings.begin(), good.strings.end());
  with_text_at_zero.types[0] = 1;
  refusal(world_from_gguf(with_text_at_zero.views, with_text_at_zero.types, "m.gguf"));
  refusal(world_from_gguf({}, {}, "m.gguf"));
}

TEST(Bytes, ids_are_bytes_and_every_text_comes_back) {
  std::mt19937 rng(4);
  const auto shifted = byte_tokenizer_257();
  const auto plain = byte_tokenizer_256();
  EXPECT_EQ(shifted->size(), 257);
  EXPECT_EQ(plain->size(), 256);
  EXPECT_FALSE(shifted->has_text(0));
  EXPECT_EQ(shifted->encode("a\n").value(), (std::vector{98, 11}));
  EXPECT_EQ(plain->encode("a\n").value(), (std::vector{97, 10}));
  for (int n = 0; n < 10'000; ++n) {
    const std::string text = random_bytes(rng, below(rng, 50));
    ASSERT_EQ(shifted->decode(shifted->encode(text).value()).value(), text);
    ASSERT_EQ(plain->decode(plain->encode(text).value()).value(), text);
  }
}

TEST(Bytes, of_257_have_the_first_ids_of_world) {
  SK_NEEDS_SHARED("data/rwkv_vocab_v20230424.txt");
  const auto large = world();
  const auto bytes = byte_tokenizer_257();
  for (int32_t id = 0; id < 257; ++id) EXPECT_EQ(bytes->bytes_of(id), large->bytes_of(id));
}

}  // namespace
}  // namespace skein::text::test
