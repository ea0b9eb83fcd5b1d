#include "run/vocabulary.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <fstream>

#include "base/json.h"
#include "support/fixtures.h"

namespace skein {
namespace {

constexpr int64_t kRows = 1000;

std::string read(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), {});
}

class Folder {
 public:
  Folder() {
    std::string name = (std::filesystem::temp_directory_path() / "skein-vocab-XXXXXX").string();
    path_ = mkdtemp(name.data());
    setenv("SKEIN_HOME", (path_ / "home").c_str(), 1);
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  void write(const std::string& name, const std::string& text) const {
    std::filesystem::create_directories((path_ / name).parent_path());
    std::ofstream(path_ / name, std::ios::binary) << text;
  }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
};

const std::string& small_json() {
  static const std::string kText = read(test::fixture("tokenizer/qwen2_small.json"));
  return kText;
}

// The small vocabulary as the metadata of a GGUF of kRows rows.
Metadata small_metadata() {
  const Json root = parse_json(small_json(), 1 << 20).value();
  const Json model = *root.find("model");
  std::vector<std::string> tokens(kRows, "[PAD]"), merges;
  std::vector<int64_t> types(kRows, 5);
  const auto put = [&](std::string_view text, const Json& id, int64_t type) {
    int64_t n = 0;
    ASSERT_TRUE(id.integer(n));
    tokens[static_cast<size_t>(n)] = text;
    types[static_cast<size_t>(n)] = type;
  };
  for (const auto& [text, id] : *model.find("vocab")->object()) put(text, id, 1);
  for (const Json& token : *root.find("added_tokens")->array())
    put(*token.find("content")->string(), *token.find("id"), 3);
  for (const Json& merge : *model.find("merges")->array()) merges.emplace_back(*merge.string());
  Metadata out;
  out["tokenizer.ggml.model"] = std::string("gpt2");
  out["tokenizer.ggml.pre"] = std::string("qwen2");
  out["tokenizer.ggml.tokens"] = tokens;
  out["tokenizer.ggml.token_type"] = types;
  out["tokenizer.ggml.merges"] = merges;
  out["tokenizer.ggml.eos_token_id"] = uint64_t{956};
  return out;
}

Result<text::TokenizerPtr> find(const std::filesystem::path& path, int64_t rows,
                                const Metadata& metadata = {}) {
  return find_tokenizer(ModelText{path, rows, &metadata});
}

void expect_refused(const Metadata& metadata, Code code, std::string_view fact,
                    int64_t rows = kRows) {
  const auto result = find("m.gguf", rows, metadata);
  ASSERT_FALSE(result) << fact;
  EXPECT_EQ(result.error().code, code) << result.error().message;
  EXPECT_TRUE(result.error().message.starts_with("m.gguf: ")) << result.error().message;
  EXPECT_NE(result.error().message.find(fact), std::string::npos) << result.error().message;
}

TEST(Vocabulary, a_gguf_brings_its_own) {
  const auto found = find("m.gguf", kRows, small_metadata());
  ASSERT_TRUE(found) << found.error().message;
  EXPECT_EQ((*found)->name(), "Qwen2 BPE");
  EXPECT_TRUE((*found)->is_end(956));
  EXPECT_EQ((*found)->special_name((*found)->end_of_text()), "<|endoftext|>");
}

TEST(Vocabulary, contradictions_in_metadata_are_named) {
  const Metadata good = small_metadata();
  const auto refused = [&](const char* key, std::optional<MetaValue> value, Code code,
                           std::string_view fact) {
    Metadata bad = good;
    if (value) {
      bad[key] = *value;
    } else {
      bad.erase(key);
    }
    expect_refused(bad, code, fact);
  };
  refused("tokenizer.ggml.model", std::string("llama"), Code::unsupported, "\"llama\"");
  refused("tokenizer.ggml.model", uint64_t{3}, Code::unsupported, "--vocab");
  refused("tokenizer.ggml.pre", std::nullopt, Code::unsupported, "pre is \"\"");
  refused("tokenizer.ggml.pre", std::string("tekken"), Code::unsupported, "tekken");
  refused("tokenizer.ggml.pre", uint64_t{1}, Code::unsupported, "pre is \"\"");
  refused("tokenizer.ggml.merges", std::nullopt, Code::corrupt, "merges is missing");
  refused("tokenizer.ggml.merges", std::vector<int64_t>{1}, Code::corrupt, "merges is missing");
  refused("tokenizer.ggml.token_type", std::vector<double>(kRows, 1), Code::corrupt, "token_type");
  refused("tokenizer.ggml.token_type", std::vector<int64_t>(3, 1), Code::corrupt, "has 3");
  refused("tokenizer.ggml.tokens", std::vector<int64_t>(kRows, 1), Code::corrupt, "--vocab");
  refused("tokenizer.ggml.tokens", std::vector<std::string>(7), Code::corrupt,
          "7 entries for 1000");
  refused("tokenizer.ggml.eos_token_id", uint64_t{kRows}, Code::corrupt, "id 1000");
  refused("tokenizer.ggml.eos_token_id", UINT64_MAX, Code::corrupt, "the end of");
  refused("tokenizer.ggml.eot_token_id", int64_t{-1}, Code::corrupt, "eot_token_id");
  refused("tokenizer.ggml.eot_token_id", std::string("956"), Code::corrupt, "eot_token_id");
  expect_refused(good, Code::corrupt, "1000 entries for 999", 999);
}

// What a converter wrote of the bytes, and of one token more, without or with any kind of numbers.
TEST(Vocabulary, without_types_every_token_is_an_ordinary_one) {
  Metadata world;
  std::vector<std::string> tokens = {"<s>"};
  for (int byte = 0; byte < 256; ++byte)
    tokens.push_back(byte == '\\' ? "\\\\" : fmt::format("\\x{:02x}", byte));
  tokens.insert(tokens.end(), {"ab", "[PAD258]", "[PAD259]"});
  world["tokenizer.ggml.model"] = std::string("rwkv");
  world["tokenizer.ggml.tokens"] = tokens;
  std::vector<int64_t> types(tokens.size(), 1);
  types[0] = 3, types[258] = types[259] = 5;
  const auto rows = static_cast<int64_t>(tokens.size());
  const std::string sample = "abc<s>[PAD258]";
  std::vector<int32_t> expected;
  for (const auto& given :
       {std::optional<MetaValue>(types),
        std::optional<MetaValue>(std::vector<uint64_t>(types.begin(), types.end())),
        std::optional<MetaValue>()}) {
    Metadata some = world;
    if (given) some["tokenizer.ggml.token_type"] = *given;
    const auto found = find("m.gguf", rows, some);
    ASSERT_TRUE(found) << found.error().message;
    const auto ids = (*found)->encode(sample);
    ASSERT_TRUE(ids);
    if (expected.empty()) expected = *ids;
    EXPECT_EQ(*ids, expected);
    EXPECT_EQ(ids->front(), 257);
  }
  Metadata bpe = small_metadata();
  auto& texts = std::get<std::vector<std::string>>(bpe["tokenizer.ggml.tokens"]);
  for (size_t id = 0; id < texts.size(); ++id)
    if (texts[id] == "[PAD]") texts[id] = fmt::format("[PAD{}]", id);
  const auto typed = find("m.gguf", kRows, bpe);
  bpe.erase("tokenizer.ggml.token_type");
  const auto untyped = find("m.gguf", kRows, bpe);
  ASSERT_TRUE(typed && untyped) << (untyped ? "" : untyped.error().message);
  for (const char* text : {"hello <|im_start|> there", "[PAD999]", "a b c"})
    EXPECT_EQ((*typed)->encode(text).value(), (*untyped)->encode(text).value());
  EXPECT_EQ((*typed)->end_of_text(), (*untyped)->end_of_text());
  expect_refused(
      [&] {
        Metadata bad = world;
        bad["tokenizer.ggml.token_type"] = std::vector<std::string>{"1"};
        return bad;
      }(),
      Code::corrupt, "token_type is no array of whole numbers", rows);
}

TEST(Vocabulary, a_type_that_does_not_fit_is_not_cut_to_one_that_does) {
  Metadata world;
  world["tokenizer.ggml.model"] = std::string("rwkv");
  world["tokenizer.ggml.tokens"] = std::vector<std::string>(kRows, "a");
  world["tokenizer.ggml.token_type"] = std::vector<int64_t>(kRows, (int64_t{1} << 32) | 5);
  expect_refused(world, Code::corrupt, "is of type");
}

TEST(Vocabulary, a_file_beside_the_model_or_in_its_folder_is_found) {
  const Folder folder;
  folder.write("hf/tokenizer.json", small_json());
  for (const auto& path : {folder / "hf", folder / "hf/model.safetensors"}) {
    const auto found = find(path, kRows);
    ASSERT_TRUE(found) << found.error().message;
    EXPECT_EQ((*found)->name(), "Qwen2 BPE");
  }
  const auto small_model = find(folder / "hf", 900);
  ASSERT_FALSE(small_model);
  EXPECT_EQ(small_model.error().code, Code::mismatch);
  EXPECT_NE(small_model.error().message.find("960 ids"), std::string::npos);
}

// Of the system, of a pip package, and then of nobody.
TEST(Vocabulary, a_file_that_others_installed_is_found) {
  const ModelText model{"model.pth", 50277, nullptr};
  const Metadata none;
  const auto found = [&] { return find_tokenizer(ModelText{model.path, model.rows, &none}); };
  const Folder folder;
  for (const char* variable : {"XDG_DATA_DIRS", "VIRTUAL_ENV"})
    setenv(variable, (folder / "nobody").c_str(), 1);
  const auto missing = found();
  ASSERT_FALSE(missing);
  EXPECT_NE(
      missing.error().message.find("`skein pull vocab-20b` fetches it, or put 20B_tokenizer.json "
                                   "(from https://github.com/BlinkDL/ChatRWKV"),
      std::string::npos)
      << missing.error().message;
  for (const auto& [variable, name] :
       {std::pair{"XDG_DATA_DIRS", "skein/vocab/20B_tokenizer.json"},
        {"VIRTUAL_ENV", "lib/python3.12/site-packages/rwkv/20B_tokenizer.json"}}) {
    folder.write(std::string(variable) + "/" + name, small_json());
    setenv(variable, ("/none:" + (folder / variable).string()).c_str(), 1);
    if (std::string(variable) == "VIRTUAL_ENV") setenv(variable, (folder / variable).c_str(), 1);
    const auto tokenizer = found();
    EXPECT_TRUE(tokenizer) << variable << ": " << tokenizer.error().message;
    unsetenv(variable);
  }
}

TEST(Vocabulary, a_file_of_other_models_is_not_taken) {
  const Folder folder;
  folder.write("tokenizer.json", small_json());
  folder.write("home/vocab/tokenizer.json", small_json());
  EXPECT_EQ((*find(folder / "m.pth", 257))->name(), "bytes");
  const auto world = find(folder / "m.pth", 65536);
  ASSERT_FALSE(world);
  EXPECT_NE(world.error().message.find("rwkv_vocab_v20230424.txt"), std::string::npos);
  const auto elsewhere = find(folder / "sub", kRows);
  EXPECT_TRUE(elsewhere);  // beside it
  const auto apart = find(folder / "sub/m.pth", kRows);
  ASSERT_FALSE(apart);
  EXPECT_EQ(apart.error().code, Code::io);
  EXPECT_NE(apart.error().message.find("1000 rows"), std::string::npos) << apart.error().message;
  EXPECT_NE(apart.error().message.find("--vocab"), std::string::npos) << apart.error().message;
}

TEST(Vocabulary, a_gguf_without_one_says_how_to_name_it) {
  Metadata none;
  none["tokenizer.ggml.model"] = std::string("none");
  expect_refused(none, Code::io, "--vocab");
}

TEST(Vocabulary, the_models_own_chat_template_decides_who_it_is) {
  const Folder folder;
  Metadata metadata = small_metadata();
  const auto tokenizer = *find("m.gguf", kRows, metadata);
  const auto name = [&](const std::filesystem::path& path, const Metadata& with) {
    return find_profile(ModelText{path, kRows, &with}, tokenizer.get()).name;
  };
  const std::string qwen = "You are Qwen, created by Alibaba Cloud. You are a helpful assistant.";
  EXPECT_EQ(name(folder / "m.gguf", metadata), "chatml");
  metadata["tokenizer.chat_template"] = "{{ '<|im_start|>system\\n" + qwen + "' }}";
  EXPECT_EQ(name(folder / "m.gguf", metadata), "qwen");
  metadata["tokenizer.chat_template"] = std::string("{{ messages }}");
  EXPECT_EQ(name(folder / "m.gguf", metadata), "chatml");
  folder.write("a/tokenizer_config.json", "{\"chat_template\": \"x " + qwen + "\"}");
  folder.write("b/tokenizer_config.json", "{\"chat_template\": [1]}");
  folder.write("c/tokenizer_config.json", "{");
  folder.write("d/chat_template.jinja", qwen);
  EXPECT_EQ(name(folder / "a", {}), "qwen");
  EXPECT_EQ(name(folder / "b", {}), "chatml");
  EXPECT_EQ(name(folder / "c", {}), "chatml");
  EXPECT_EQ(name(folder / "d", {}), "qwen");
  EXPECT_EQ(find_profile(ModelText{folder / "m.pth", 65536, &metadata}, nullptr).name, "world");
}

}  // namespace
}  // namespace skein
