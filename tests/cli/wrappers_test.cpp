// Names as trainers save them: whatever wraps a model, an adapter or a tuned state, in whatever
// container, the file is what it is without.
#include "cli/file_report.h"
#include "io/container.h"
#include "support/rewrite.h"
#include "support/states.h"

namespace skein::test {
namespace {

using io::WriteFormat;

using Wrap = std::function<std::string(const std::string&)>;

Wrap before(std::string prefix) {
  return [prefix](const std::string& name) { return prefix + name; };
}

// `word` behind the n-th dot, or behind every dot: submodules that were wrapped by themselves.
Wrap inside(std::string word, int wanted) {
  return [=](const std::string& name) {
    std::string out;
    int dots = 0;
    for (const char c : name) {
      out += c;
      if (c == '.' && (++dots == wanted || wanted == 0)) out += word;
    }
    return out;
  };
}

// Every word in every place, and with `pairs` every two of them and with `model.`.
std::vector<std::pair<std::string, Wrap>> wraps(bool pairs) {
  std::vector<std::pair<std::string, Wrap>> out;
  const char* words[] = {"module.",
                         "_forward_module.",
                         "_orig_mod.",
                         "_fsdp_wrapped_module.",
                         "_checkpoint_wrapped_module.",
                         "_fpw_module."};
  for (const std::string word : words) {
    out.emplace_back(word, before(word));
    for (const int place : {0, 1, 2, 3})
      out.emplace_back(fmt::format("{} at {}", word, place), inside(word, place));
    if (!pairs) continue;
    for (const std::string other : words) out.emplace_back(word + other, before(word + other));
    out.emplace_back(word + "model.", before(word + "model."));
    out.emplace_back("model." + word, before("model." + word));
  }
  for (const char* prefix :
       {"model.", "model.model.", "base_model.model.", "_forward_module.module._orig_mod.model."})
    out.emplace_back(prefix, before(prefix));
  return out;
}

void rename_all(Contents& contents, const Wrap& wrap) {
  for (io::OutputTensor& tensor : contents.tensors) tensor.name = wrap(tensor.name);
}

struct Source {
  std::string label;
  std::filesystem::path path;  // to read it
  std::string copy;            // where the wrapped one is written
  std::string open;            // what is opened then, a folder perhaps
  WriteFormat format;
};

std::string config_of(const std::filesystem::path& folder) {
  const auto bytes = read_file(folder / "config.json", 1 << 20);
  EXPECT_TRUE(bytes);
  return bytes ? std::string(reinterpret_cast<const char*>(bytes->data()), bytes->size()) : "{}";
}

TEST(Wrappers, a_model_is_the_same_whatever_wraps_it) {
  const ModelFolder folder;
  const auto official = folder.random("m.safetensors", {.design = "rwkv7"});
  const auto fla = folder.convert(official, "fla/model.safetensors",
                                  {.format = WriteFormat::safetensors, .names = "fla"});
  folder.write("wrapped/config.json", config_of(folder / "fla"));
  folder.write("bin/config.json", config_of(folder / "fla"));
  ModelData transformers;
  for (auto& [name, value] : random_model({.design = "rwkv4"})) {
    std::string other = name == "head.weight" ? name : "rwkv." + name;
    for (const auto& [from, to] : {std::pair{".emb.", ".embeddings."},
                                   {".att.", ".attention."},
                                   {".ffn.", ".feed_forward."},
                                   {".ln0.", ".pre_ln."},
                                   {"time_mix_k", "time_mix_key"},
                                   {"time_mix_v", "time_mix_value"},
                                   {"time_mix_r", "time_mix_receptance"}})
      if (const size_t at = other.find(from); at != std::string::npos)
        other.replace(at, std::string_view(from).size(), to);
    transformers[other] = value;
  }
  const auto hf = folder.write("hf.safetensors", as_safetensors(transformers));
  const auto gguf = folder.convert(official, "m.gguf", {.format = WriteFormat::gguf});
  const auto packed = folder.convert(official, "m.skein", {.format = WriteFormat::packed});
  const Source sources[] = {
      {"official", official, "w.safetensors", "w.safetensors", WriteFormat::safetensors},
      {"official", official, "w.pth", "w.pth", WriteFormat::pth},
      {"fla", folder / "fla", "wrapped/model.safetensors", "wrapped", WriteFormat::safetensors},
      {"fla", folder / "fla", "bin/pytorch_model.bin", "bin", WriteFormat::pth},
      {"transformers", hf, "w2.safetensors", "w2.safetensors", WriteFormat::safetensors},
      {"transformers", hf, "w2.pth", "w2.pth", WriteFormat::pth},
      {"GGUF", gguf, "w.gguf", "w.gguf", WriteFormat::gguf},
      {"packed", packed, "w.skein", "w.skein", WriteFormat::packed},
  };
  int tried = 0;
  for (const Source& source : sources) {
    const auto expected = some_logits(source.path);
    ASSERT_FALSE(expected.empty()) << source.label;
    for (const auto& [name, wrap] : wraps(source.copy == "w.pth")) {
      SCOPED_TRACE(source.label + " in " + source.copy + ", " + name);
      bool fits = true;
      rewrite(source.path, folder / source.copy, source.format, [&](Contents& contents) {
        rename_all(contents, wrap);
        // GGUF's names end at 63 bytes.
        for (const io::OutputTensor& tensor : contents.tensors)
          fits = fits && (source.format != WriteFormat::gguf || tensor.name.size() < 64);
        if (!fits) contents.tensors.clear();
      });
      if (!fits) continue;
      EXPECT_TRUE(same_bits(some_logits(folder / source.open), expected));
      const auto report = cli::report_file(folder / source.open, false, [](int64_t, int64_t) {});
      ASSERT_TRUE(report) << report.error().message;
      EXPECT_EQ(report->kind, cli::FileKind::model);
      EXPECT_FALSE(report->obstacle);
      const bool told = std::any_of(report->notes.begin(), report->notes.end(), [](auto& note) {
        return note.find("wrappers'") != std::string::npos;
      });
      EXPECT_TRUE(told);
      ++tried;
    }
  }
  EXPECT_GT(tried, 250);
}

TEST(Wrappers, an_adapter_and_a_tuned_state_too) {
  const ModelFolder folder;
  const ModelSizes sizes = {.design = "rwkv7"};
  const auto model = folder.random("m.safetensors", sizes);
  Random random(3);
  ModelData lora, tuned;
  for (const char* layer : {"blocks.0.", "blocks.1."}) {
    lora[std::string(layer) + "att.key.lora_A"] = {{2, 64}, random.floats(128, -1, 1)};
    lora[std::string(layer) + "att.key.lora_B"] = {{64, 2}, random.floats(128, -1, 1)};
    lora[std::string(layer) + "ln1.weight"] = {{64}, random.floats(64, 0, 2)};
    tuned[std::string(layer) + "att.time_state"] = {{1, 64, 64}, random.floats(64 * 64, -1, 1)};
  }
  const auto adapter = folder.write("lora.safetensors", as_safetensors(lora));
  const auto start = folder.write("state.safetensors", as_safetensors(tuned));
  const auto merged = [&](const std::filesystem::path& path) {
    return some_logits(model, {.adapters = {{.path = path, .options = {.alpha = 4.0}}}});
  };
  const auto opened = open_model(model);
  ASSERT_TRUE(opened);
  const auto values = [&](const std::filesystem::path& path) -> std::vector<float> {
    const auto file = File::map(path);
    EXPECT_TRUE(file);
    const auto state = import_state(file->bytes(), path.filename().string(),
                                    opened->new_state().shared_layout(), false);
    EXPECT_TRUE(state) << (state ? "" : state.error().message);
    return state ? test::numbers(*state) : std::vector<float>();
  };
  const auto expected = merged(adapter);
  const auto expected_state = values(start);
  EXPECT_FALSE(same_bits(expected, some_logits(model)));
  for (const auto& [name, wrap] : wraps(false)) {
    for (const auto& [ending, format] :
         {std::pair{".safetensors", WriteFormat::safetensors}, {".pth", WriteFormat::pth}}) {
      SCOPED_TRACE(name + ending);
      const auto wrapped = folder / (std::string("w") + ending);
      rewrite(adapter, wrapped, format, [&](Contents& all) { rename_all(all, wrap); });
      EXPECT_TRUE(same_bits(merged(wrapped), expected));
      const auto report = cli::report_file(wrapped, false, [](int64_t, int64_t) {});
      ASSERT_TRUE(report);
      EXPECT_EQ(report->kind, cli::FileKind::adapter);
      rewrite(start, wrapped, format, [&](Contents& all) { rename_all(all, wrap); });
      EXPECT_TRUE(same_bits(values(wrapped), expected_state));
    }
  }
}

TEST(Wrappers, two_names_that_become_one_are_refused_and_strangers_stay_apart) {
  const ModelFolder folder;
  const auto model = folder.random("m.safetensors", {.design = "rwkv4"});
  const auto expected = some_logits(model);
  const auto with = [&](const std::vector<std::string>& more) {
    rewrite(model, folder / "more.safetensors", WriteFormat::safetensors, [&](Contents& all) {
      for (const std::string& name : more) {
        all.tensors.push_back(all.tensors.front());
        all.tensors.back().name = name;
      }
    });
    return folder / "more.safetensors";
  };
  for (const char* twin : {"module.emb.weight", "emb._orig_mod.weight", "model.emb.weight",
                           "blocks.0._orig_mod.att.key.weight"}) {
    const auto refused = Model::open(with({twin}));
    ASSERT_FALSE(refused) << twin;
    EXPECT_EQ(refused.error().code, Code::corrupt);
    EXPECT_NE(refused.error().message.find(twin), std::string::npos) << refused.error().message;
    EXPECT_FALSE(cli::report_file(folder / "more.safetensors", false, [](int64_t, int64_t) {}));
  }
  EXPECT_TRUE(same_bits(some_logits(with({"step", "module.step", "model.step"})), expected));
}

}  // namespace
}  // namespace skein::test
