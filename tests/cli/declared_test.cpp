// What a file declares against what it holds, row by row of the tables, in every naming.
#include "arch/declared.h"

#include "arch/names/names.h"
#include "cli/file_report.h"
#include "support/rewrite.h"

namespace skein::test {
namespace {

using io::WriteFormat;

bool among(std::string_view word, std::string_view words) {
  return (" " + std::string(words) + " ").find(" " + std::string(word) + " ") != std::string::npos;
}

std::string whole_key(std::string_view key, const std::string& design) {
  return key.starts_with('*') ? design + std::string(key.substr(1)) : std::string(key);
}

// Every way of writing a number that containers have.
std::vector<MetaValue> written(int64_t number) {
  return {number, static_cast<uint64_t>(number), static_cast<double>(number),
          std::to_string(number), std::vector<int64_t>{number, number}};
}

TEST(Declared, every_size_that_is_not_the_tensors_is_refused_with_both_numbers) {
  std::map<std::string_view, int> tried;
  for (const std::string& design : runnable_designs()) {
    const ModelSizes sizes = {.width = 128, .heads = 2, .design = design};
    const auto architecture = make_architecture(sizes);
    std::map<std::string, Shape> shapes;
    for (const arch::WeightSpec& spec : architecture->weights()) shapes[spec.name] = spec.shape;
    shapes["blocks.0.ln0.weight"] = {sizes.width};  // which some namings want of every model
    const arch::NamedModel model = without_numbers(shapes, {});
    for (const arch::names::Naming* naming : arch::names::namings()) {
      for (const arch::DeclaredSize& row : arch::declared_sizes()) {
        if (!row.naming.empty() && row.naming != naming->id) continue;
        if (!row.designs.empty() && !among(design, row.designs)) continue;
        const int64_t held = row.held(architecture->dimensions(), model.tensors);
        if (held == arch::kNothing) continue;
        const std::string key = whole_key(row.key, design);
        const auto check = [&](MetaValue value) {
          Container container;
          container.metadata[key] = std::move(value);
          return arch::check_declared(container, naming->id, design, architecture->dimensions(),
                                      model.tensors, "m");
        };
        SCOPED_TRACE(fmt::format("{} of {}, {}", key, design, naming->id));
        for (const MetaValue& value : written(held)) EXPECT_TRUE(check(value));
        for (const int64_t wrong : {held + 1, held - 1, held * 2, int64_t{0}}) {
          if (wrong == held) continue;
          for (const MetaValue& value : written(wrong)) {
            const Status refused = check(value);
            ASSERT_FALSE(refused) << wrong;
            EXPECT_EQ(refused.error().code, Code::corrupt);
            for (const std::string& fact : {key, std::to_string(wrong), std::to_string(held)})
              EXPECT_NE(refused.error().message.find(fact), std::string::npos)
                  << refused.error().message;
          }
        }
        EXPECT_FALSE(check(std::vector<int64_t>{held, held + 1}));
        if (key.find('.') != std::string::npos) {
          EXPECT_FALSE(check(true));
          EXPECT_FALSE(check(std::string("many")));
        }
        ++tried[row.key];
      }
    }
  }
  for (const arch::DeclaredSize& row : arch::declared_sizes())
    EXPECT_GT(tried[row.key], 0) << row.key << " was never compared";
}

// The file's answer, which running and inspecting share.
void expect_refused(const std::filesystem::path& path, Code code,
                    const std::vector<std::string>& facts) {
  const auto opened = Model::open(path);
  ASSERT_FALSE(opened) << facts[0];
  EXPECT_EQ(opened.error().code, code) << opened.error().message;
  for (const std::string& fact : facts)
    EXPECT_NE(opened.error().message.find(fact), std::string::npos) << opened.error().message;
  for (const bool check : {false, true}) {
    const auto report = cli::report_file(path, check, [](int64_t, int64_t) {});
    const Error* error = !report            ? &report.error()
                         : report->obstacle ? &*report->obstacle
                                            : nullptr;
    ASSERT_TRUE(error) << facts[0];
    EXPECT_EQ(error->message, opened.error().message);
  }
  EXPECT_FALSE(Conversion::prepare(path, {.format = WriteFormat::pth}));
}

TEST(Declared, files_of_every_container_are_compared_when_they_are_opened) {
  const ModelFolder folder;
  for (const std::string design : {"rwkv6", "rwkv7"}) {
    const auto official = folder.random(design + ".safetensors", {.design = design});
    struct Target {
      std::string name;
      ConvertOptions options;
      std::vector<std::string> keys;
    };
    const Target targets[] = {
        {"m.gguf",
         {.format = WriteFormat::gguf},
         {".block_count", ".embedding_length", ".feed_forward_length", ".vocab_size"}},
        {"m.skein", {.format = WriteFormat::packed}, {"n_layer", "skein.head_size"}},
        {"m.st", {.format = WriteFormat::safetensors}, {"n_layer", "skein.head_size"}},
    };
    for (const Target& target : targets) {
      const auto good = folder.convert(official, design + target.name, target.options);
      EXPECT_TRUE(Model::open(good));
      for (const std::string& key : target.keys) {
        const auto bad = folder / ("bad" + target.name);
        const std::string whole = key[0] == '.' ? design + key : key;
        rewrite(good, bad, target.options.format,
                [&](Contents& all) { all.metadata[whole] = int64_t{3}; });
        expect_refused(bad, Code::corrupt, {whole, "is 3"});
      }
    }
    rewrite(folder / (design + "m.skein"), folder / "d.skein", WriteFormat::packed,
            [](Contents& all) { all.metadata["skein.design"] = std::string("rwkv4"); });
    expect_refused(folder / "d.skein", Code::corrupt, {"skein.design", "rwkv4", design});
  }
}

// A config.json of fla, with one member changed, added or taken out.
TEST(Declared, every_member_of_a_config_json_is_compared) {
  for (const std::string design : {"rwkv6", "rwkv7"}) {
    const ModelFolder folder;
    const auto official = folder.random(design + ".safetensors", {.layers = 3, .design = design});
    const auto model = folder.convert(official, "fla/model.safetensors",
                                      {.format = WriteFormat::safetensors, .names = "fla"});
    const auto bytes = read_file(folder / "fla/config.json", 1 << 20);
    ASSERT_TRUE(bytes);
    const std::string config(reinterpret_cast<const char*>(bytes->data()), bytes->size());
    int tried = 0;
    for (const arch::DeclaredSize& row : arch::declared_sizes()) {
      if (!row.key.starts_with("config.")) continue;
      const std::string member = "\"" + std::string(row.key.substr(7)) + "\":";
      const size_t at = config.find(member);
      if (at == std::string::npos) continue;
      const size_t begin = at + member.size(), end = config.find_first_of(",}", begin);
      const auto with = [&](const std::string& value) {
        std::string text = config;
        folder.write("fla/config.json", std::string_view(text.replace(begin, end - begin, value)));
      };
      with("7777");
      expect_refused(folder / "fla", Code::corrupt, {std::string(row.key), "7777"});
      with("null");
      EXPECT_TRUE(Model::open(folder / "fla")) << row.key;
      ++tried;
    }
    EXPECT_GE(tried, 6);
    for (const auto& [from, to, fact] :
         {std::tuple{"\"norm_first\":true", "\"norm_first\":false", "norm_first"},
          {"\"hidden_act\":\"sqrelu\"", "\"hidden_act\":\"silu\"", "hidden_act"},
          {"\"model_type\":\"rwkv", "\"model_type\":\"wkv", "model_type"}}) {
      std::string text = config;
      const size_t at = text.find(from);
      ASSERT_NE(at, std::string::npos) << config;
      folder.write("fla/config.json",
                   std::string_view(text.replace(at, std::string_view(from).size(), to)));
      expect_refused(folder / "fla",
                     fact == std::string("norm_first") ? Code::corrupt : Code::unsupported, {fact});
    }
    const size_t eps = config.find("\"norm_eps\":") + 11;
    for (const char* wrong : {"\"0.01\"", "true", "2"}) {
      std::string text = config;
      text.replace(eps, config.find_first_of(",}", eps) - eps, wrong);
      folder.write("fla/config.json", std::string_view(text));
      expect_refused(folder / "fla", Code::corrupt, {"norm_eps"});
    }
    // Beside a config.json a file says nothing of it.
    rewrite(model, folder / "fla/model.safetensors", WriteFormat::safetensors,
            [](Contents& all) { all.metadata["config.norm_eps"] = std::string("0.5"); });
    folder.write("fla/config.json", std::string_view(config));
    const auto masked = Model::open(folder / "fla");
    ASSERT_TRUE(masked);
    EXPECT_EQ((*masked)->info().fingerprint, (*Model::open(official))->info().fingerprint);
    EXPECT_EQ(std::get_if<std::string>(&(*masked)->metadata().at("config.norm_eps")), nullptr);
    rewrite(model, folder / "fla/model.safetensors", WriteFormat::safetensors, [](Contents& all) {
      std::erase_if(all.tensors, [](const auto& tensor) {
        return tensor.name.find("pre_norm") != std::string::npos;
      });
    });
    expect_refused(folder / "fla", Code::corrupt, {"norm_first", "blocks.0.ln0.weight"});
  }
}

TEST(Declared, a_head_that_is_missing_is_the_embedding_only_where_config_json_says_so) {
  struct Row {
    const char* design;
    const char* emb;
    const char* head;
    std::vector<std::pair<const char*, const char*>> words;
    const char* more;  // of config.json
  };
  const Row rows[] = {
      {"rwkv4",
       "rwkv.embeddings.weight",
       "head.weight",
       {{"blocks.", "rwkv.blocks."},
        {"ln_out.", "rwkv.ln_out."},
        {".att.", ".attention."},
        {".ffn.", ".feed_forward."},
        {".ln0.", ".pre_ln."},
        {"time_mix_k", "time_mix_key"},
        {"time_mix_v", "time_mix_value"},
        {"time_mix_r", "time_mix_receptance"}},
       "\"layer_norm_epsilon\": 1e-05"},
      {"arwkv7",
       "model.embed_tokens.weight",
       "lm_head.weight",
       {{"blocks.", "model.layers."},
        {"ln_out.", "model.norm."},
        {".ln1.", ".input_layernorm."},
        {".ln2.", ".post_attention_layernorm."},
        {".ffn.gate.", ".mlp.gate_proj."},
        {".ffn.up.", ".mlp.up_proj."},
        {".ffn.down.", ".mlp.down_proj."},
        {".att.", ".self_attn.time_mixer."}},
       "\"head_size_divisor\": 8"},
  };
  const ModelFolder folder;
  std::vector<std::tuple<std::string, std::string, std::string>> models;  // folder, head, config
  for (const Row& row : rows) {
    ModelData foreign;
    for (const auto& [name, value] : random_model({.design = row.design})) {
      std::string other = name == "emb.weight" ? row.emb : name == "head.weight" ? row.head : name;
      for (const auto& [from, to] : row.words)
        if (const size_t at = other.find(from); other != row.head && at != std::string::npos)
          other.replace(at, std::string_view(from).size(), to);
      foreign[other] = value;
    }
    folder.write(std::string(row.design) + "/model.safetensors", as_safetensors(foreign));
    models.emplace_back(row.design, row.head, row.more);
  }
  folder.convert(folder.random("o.safetensors", {.design = "rwkv7"}), "fla/model.safetensors",
                 {.format = WriteFormat::safetensors, .names = "fla"});
  models.emplace_back("fla", "lm_head.weight", "\"norm_first\": true");
  for (const auto& [name, head, more] : models) {
    SCOPED_TRACE(name);
    const auto path = folder / name;
    const auto config = [&, n = name, m = more](const std::string& tie) {
      folder.write(n + "/config.json", std::string_view("{" + m + tie + "}"));
    };
    // With its head it runs whatever is said.
    for (const char* tie :
         {"", ", \"tie_word_embeddings\": false", ", \"tie_word_embeddings\": true"}) {
      config(tie);
      EXPECT_TRUE(Model::open(path)) << tie;
    }
    const auto untied = some_logits(path);
    rewrite(path, path / "model.safetensors", WriteFormat::safetensors,
            [&, h = head](Contents& all) {
              std::erase_if(all.tensors, [&](const auto& tensor) { return tensor.name == h; });
            });
    config(", \"tie_word_embeddings\": false");
    expect_refused(path, Code::corrupt, {head, "tie_word_embeddings false"});
    config("");
    expect_refused(path, Code::mismatch, {head, "tie_word_embeddings"});
    config(", \"tie_word_embeddings\": null");
    expect_refused(path, Code::mismatch, {head, "tie_word_embeddings"});
    config(", \"tie_word_embeddings\": \"false\"");
    expect_refused(path, Code::corrupt, {"tie_word_embeddings", "neither"});
    expect_refused(path / "model.safetensors", Code::mismatch, {head});
    config(", \"tie_word_embeddings\": true");
    const auto tied = some_logits(path);
    ASSERT_FALSE(tied.empty());
    EXPECT_FALSE(same_bits(tied, untied));
  }
}

TEST(Declared, parts_are_there_where_the_naming_or_a_key_says_so) {
  std::map<std::string_view, int> tried;
  for (const std::string& design : runnable_designs()) {
    const ModelSizes sizes = {.design = design};
    const auto architecture = make_architecture(sizes);
    std::map<std::string, Shape> shapes;
    for (const arch::WeightSpec& spec : architecture->weights()) shapes[spec.name] = spec.shape;
    for (const arch::DeclaredPart& row : arch::declared_parts()) {
      if (!row.designs.empty() && !among(design, row.designs)) continue;
      if (!shapes.contains(std::string(row.tensor))) continue;
      const auto check = [&](bool has, std::optional<MetaValue> value) {
        auto some = shapes;
        if (!has) some.erase(std::string(row.tensor));
        Container container;
        if (value) container.metadata[std::string(row.key)] = *value;
        return arch::check_declared(container, row.naming, design, architecture->dimensions(),
                                    without_numbers(some, {}).tensors, "m");
      };
      SCOPED_TRACE(fmt::format("{} {} {}", row.naming, design, row.tensor));
      using Missing = arch::DeclaredPart::Missing;
      EXPECT_TRUE(check(true, {}));
      EXPECT_EQ(check(false, {}).has_value(), row.missing == Missing::says_nothing);
      if (row.key.empty()) continue;
      EXPECT_TRUE(check(true, true));
      EXPECT_FALSE(check(false, true));
      EXPECT_TRUE(check(false, false));
      EXPECT_EQ(check(true, false).has_value(), row.may_be_more);
      EXPECT_FALSE(check(true, std::string("yes")));
      ++tried[row.key];
    }
  }
  for (const arch::DeclaredPart& row : arch::declared_parts())
    if (!row.key.empty()) {
      EXPECT_GT(tried[row.key], 0) << row.key;
    }
}

}  // namespace
}  // namespace skein::test
