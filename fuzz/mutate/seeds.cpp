#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "fuzz/mutate/mutant.h"
#include "fuzz/vocabularies.h"
#include "io/container.h"
#include "quant/formats.h"
#include "run/convert.h"
#include "run/model.h"
#include "run/state_file.h"
#include "support/make_model.h"

namespace skein::mutate {
namespace {

using io::WriteFormat;

// One thread: the driver forks afterwards, and a child has no threads but its own.
constexpr int kThreads = 1;

Status write(const std::filesystem::path& path, std::span<const std::byte> bytes) {
  return write_file(path, {{bytes}});
}

Result<Draft> read_draft(const std::filesystem::path& path) {
  SK_TRY(const File file, File::map(path));
  SK_TRY(const Container container, io::read_container(file.bytes(), path.string()));
  return draft_of(container);
}

Status convert(const std::filesystem::path& in, const std::filesystem::path& out,
               ConvertOptions options, std::string* config = nullptr) {
  SK_TRY(const Conversion conversion, Conversion::prepare(in, std::move(options)));
  if (config) *config = conversion.config();
  return conversion.write(out, {.overwrite = true, .threads = kThreads});
}

struct Target {
  const char* family;
  const char* file;
  ConvertOptions options;
};

// What a design is written as. Not every design has every one of them.
std::vector<Target> targets() {
  std::vector<Target> out = {
      {"safetensors", "f16.safetensors", {.format = WriteFormat::safetensors, .type = DType::f16}},
      {"pth", "f32.pth", {.format = WriteFormat::pth}},
      {"pth", "bf16.pth", {.format = WriteFormat::pth, .type = DType::bf16}},
      {"safetensors", "fla.st", {.format = WriteFormat::safetensors, .names = "fla"}},
      {"GGUF", "f32.gguf", {.format = WriteFormat::gguf}},
      {"packed", "f32.skein", {.format = WriteFormat::packed}},
      {"packed", "bf16.skein", {.format = WriteFormat::packed, .type = DType::bf16}}};
  for (const char* type : {"Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "INT8", "NF4", "IQ4_NL"})
    out.push_back({"packed", type, {.format = WriteFormat::packed, .quant = type}});
  for (const char* type : {"Q4_0", "Q5_1", "Q8_0"})
    out.push_back({"GGUF", type, {.format = WriteFormat::gguf, .quant = type}});
  return out;
}

// Types whose blocks have 256 numbers, for a model that is wide enough. Finding such blocks takes
// most of the time of making seeds, so a second design has few.
std::vector<Target> wide_targets(bool all) {
  std::vector<Target> out = {{"packed", "Q4_K", {.format = WriteFormat::packed, .quant = "Q4_K"}},
                             {"packed", "Q3_K", {.format = WriteFormat::packed, .quant = "Q3_K"}}};
  if (!all) return out;
  for (const char* type : {"Q2_K", "Q5_K", "Q6_K", "IQ4_XS"})
    out.push_back({"packed", type, {.format = WriteFormat::packed, .quant = type}});
  for (const char* type : {"Q4_K", "Q6_K"})
    out.push_back({"GGUF", type, {.format = WriteFormat::gguf, .quant = type}});
  return out;
}

// A file of rwkv.cpp with the names and shapes of its converter; the numbers mean nothing.
Draft as_ggmf(Draft draft, const test::ModelSizes& sizes, DType type) {
  draft.format = Format::ggmf;
  draft.metadata = {{"n_vocab", sizes.vocab},
                    {"n_embed", sizes.width},
                    {"n_layer", sizes.layers},
                    {"data_type", int64_t{type == DType::q5_1 ? 8 : 0}}};
  for (DraftTensor& tensor : draft.tensors) {
    std::string& bytes = draft.storages[tensor.storage];
    const auto count = bytes.size() / sizeof(float);
    std::vector<float> values(count);
    std::memcpy(values.data(), bytes.data(), bytes.size());
    if (tensor.name.ends_with("time_decay"))
      for (float& x : values) x = -std::exp(x);
    std::memcpy(bytes.data(), values.data(), bytes.size());
    const bool matrix = tensor.shape.size() == 2 && tensor.shape[1] % 32 == 0 &&
                        !tensor.name.starts_with("emb") && !tensor.name.starts_with("head");
    if (!matrix || type == DType::f32) continue;
    const BlockSize block = block_size(type);
    std::string blocks(
        count / static_cast<size_t>(block.elements) * static_cast<size_t>(block.bytes), '\0');
    if (!quant::encode(type, values, std::as_writable_bytes(std::span(blocks)))) continue;
    bytes = std::move(blocks);
    tensor.dtype = type;
  }
  // Its end is told by the head, which stands last.
  std::stable_partition(draft.tensors.begin(), draft.tensors.end(),
                        [](const DraftTensor& t) { return t.name != "head.weight"; });
  return draft;
}

std::string letter(int byte, int& next) {
  std::string out;
  text::append_utf8(out, fuzz::letter_code(byte, next));
  return out;
}

// The metadata of a GGUF that brings its vocabulary.
Metadata gguf_vocabulary(bool world, int64_t rows) {
  std::vector<std::string> tokens;
  std::vector<int64_t> kinds;
  int next = 256;
  if (world) tokens.emplace_back("<s>"), kinds.push_back(3);
  for (int byte = 0; byte < 256; ++byte) {
    tokens.push_back(world ? fuzz::world_escape(byte) : letter(byte, next));
    kinds.push_back(1);
  }
  while (static_cast<int64_t>(tokens.size()) < rows) {
    tokens.push_back(fmt::format("ab{}", tokens.size()));
    kinds.push_back(1);
  }
  if (!world) tokens.back() = "<|endoftext|>", kinds.back() = 3;
  Metadata out = {{"tokenizer.ggml.model", std::string(world ? "rwkv" : "gpt2")},
                  {"tokenizer.ggml.tokens", tokens},
                  {"tokenizer.ggml.token_type", kinds}};
  if (!world) {
    out["tokenizer.ggml.pre"] = std::string("qwen2");
    out["tokenizer.ggml.merges"] = std::vector<std::string>{"a b", "ab a"};
    out["tokenizer.ggml.eos_token_id"] = uint64_t{259};
  }
  return out;
}

Result<std::filesystem::path> make_model(const std::filesystem::path& folder,
                                         const std::string& name, const test::ModelSizes& sizes) {
  const auto path = folder / (name + ".safetensors");
  SK_TRY_STATUS(write(path, test::as_safetensors(test::random_model(sizes), hints_of(sizes))));
  return path;
}

}  // namespace

void Seeds::add_draft(const std::string& family, const std::string& name, const std::string& file,
                      Draft draft, Kind kind, const std::string& base) {
  families_[family].push_back(seeds_.size());
  seeds_.push_back({.kind = kind,
                    .family = family,
                    .name = name,
                    .base = base,
                    .drafts = {{file, std::move(draft)}},
                    .texts = {},
                    .states = {}});
}

Status Seeds::add_models(const std::filesystem::path& folder) {
  const auto add = [&](const std::string& name, const std::filesystem::path& source,
                       const std::vector<Target>& all) -> Status {
    for (const Target& target : all) {
      const auto path = folder / "seed";
      // A design that a container has no names for, or no type.
      if (!convert(source, path, target.options)) continue;
      SK_TRY(Draft draft, read_draft(path));
      add_draft(target.family, name + ' ' + target.file, target.file, std::move(draft));
    }
    return {};
  };
  for (const std::string& design : test::runnable_designs()) {
    const test::ModelSizes sizes = {.design = design};
    SK_TRY(const auto source, make_model(folder, design, sizes));
    SK_TRY(Draft draft, read_draft(source));
    add_draft("safetensors", design + " official", "m.safetensors", draft);
    SK_TRY_STATUS(add(design, source, targets()));
    draft.format = Format::pth_legacy;
    draft.metadata.clear();
    // A .pth has no place for what QRWKV6's tensors do not say.
    if (design != "rwkv6qwen2") add_draft("pth legacy", design + " legacy", "m.pth", draft);
    if (design == "rwkv4")
      for (const DType type : {DType::f32, DType::q5_1})
        add_draft("ggmf", fmt::format("{} {}", design, dtype_name(type)), "m.bin",
                  as_ggmf(draft, sizes, type));
  }
  for (const char* design : {"rwkv6", "rwkv7"}) {
    SK_TRY(const auto source,
           make_model(folder, fmt::format("{}-wide", design),
                      {.layers = 1, .width = 256, .heads = 4, .inner = 256, .design = design}));
    SK_TRY_STATUS(add(design, source, wide_targets(design == std::string("rwkv7"))));
  }
  for (const bool world : {true, false}) {
    SK_TRY(const auto source, make_model(folder, "vocabulary", {.layers = 1, .vocab = 260}));
    SK_TRY_STATUS(convert(source, folder / "seed", {.format = WriteFormat::gguf}));
    SK_TRY(Draft draft, read_draft(folder / "seed"));
    for (auto& [key, value] : gguf_vocabulary(world, 260)) draft.metadata[key] = value;
    add_draft("GGUF vocabulary", world ? "rwkv7 World" : "rwkv7 Qwen2", "m.gguf", draft);
  }
  return {};
}

namespace {

// A beginning that was loaded, two turns one after the other, and another answer.
SavedChat small_chat(std::span<const std::byte> beginning) {
  SavedChat chat = {.system = "be kind", .turns = {}, .branches = {}, .branch = 1};
  chat.turns.push_back({.parent = -1, .prompt_ids = {1, 2, 3}, .answer_ids = {}});
  chat.turns[0].state.assign(beginning.begin(), beginning.end());
  for (const int64_t parent : {0, 1, 1})
    chat.turns.push_back(
        {.parent = parent, .user = "who", .answer = "me", .prompt_ids = {4, 5}, .answer_ids = {6}});
  chat.branches = {{"alt-1", 3}, {"main", 2}};
  return chat;
}

}  // namespace

Status Seeds::add_states(const std::filesystem::path& folder) {
  for (const char* design : {"rwkv4", "rwkv6", "rwkv7"}) {
    const std::string base = fmt::format("{}.safetensors", design);
    SK_TRY(const auto model, Model::open(folder / base, {.threads = kThreads}));
    State state = model->new_state();
    const std::vector<int32_t> tokens = {1, 2, 3};
    SK_TRY_STATUS(model->eval(state, tokens, Want::none, nullptr));
    SK_TRY(const StateFile file, StateFile::make(state, tokens, "abc"));
    const auto own = file.bytes();
    StateDraft saved;
    SK_TRY(saved.saved, parse_saved_state(own, "own"));
    for (const SavedPart& part : saved.saved.parts)
      saved.parts.emplace_back(reinterpret_cast<const char*>(own.data()) + part.offset, part.bytes);
    for (const int version : {3, 2, 1}) {
      saved.first_version = version == 1;
      if (version == 3) saved.saved.chat = small_chat(own);
      if (version == 2) saved.saved.chat.reset();
      families_["state"].push_back(seeds_.size());
      seeds_.push_back({.kind = Kind::state,
                        .family = "state",
                        .name = fmt::format("{} state {}", design, version),
                        .base = base,
                        .drafts = {},
                        .texts = {},
                        .states = {saved}});
    }
    SK_TRY(const auto list, export_pth(state));
    SK_TRY(const Container container, io::read_container(list, "list"));
    add_draft("state list", fmt::format("{} list", design), "s.pth", draft_of(container),
              Kind::state, base);
    const auto tuned = export_time_state(state);
    if (!tuned) continue;  // RWKV-4 has none
    SK_TRY(const Container parts, io::read_container(*tuned, "tuned"));
    Draft draft = draft_of(parts);
    add_draft("tuned state", fmt::format("{} tuned.pth", design), "s.pth", draft, Kind::state,
              base);
    draft.format = Format::safetensors;
    add_draft("tuned state", fmt::format("{} tuned.st", design), "s.st", draft, Kind::state, base);
  }
  return {};
}

void Seeds::add_adapters(const std::filesystem::path&) {
  const test::ModelSizes sizes = {.design = "rwkv7"};
  test::Random random(7);
  Draft draft;
  const auto add = [&](const std::string& name, int64_t rows, int64_t columns) {
    const auto values = random.floats(static_cast<size_t>(rows * columns), -0.1f, 0.1f);
    draft.tensors.push_back({.name = name,
                             .dtype = DType::f32,
                             .shape = {rows, columns},
                             .strides = {columns, 1},
                             .storage = draft.storages.size()});
    draft.storages.emplace_back(reinterpret_cast<const char*>(values.data()),
                                values.size() * sizeof(float));
  };
  for (int layer = 0; layer < sizes.layers; ++layer)
    for (const char* matrix : {"att.key", "att.output"}) {
      add(fmt::format("blocks.{}.{}.lora_A", layer, matrix), 2, sizes.width);
      add(fmt::format("blocks.{}.{}.lora_B", layer, matrix), sizes.width, 2);
    }
  draft.format = Format::pth_zip;
  add_draft("adapter", "rwkv7 LoRA.pth", "a.pth", draft, Kind::adapter, "rwkv7.safetensors");
  draft.format = Format::safetensors;
  add_draft("adapter", "rwkv7 LoRA.st", "a.safetensors", draft, Kind::adapter, "rwkv7.safetensors");
}

void Seeds::add_vocabularies() {
  const auto add = [&](const std::string& family, const std::string& name, std::string text) {
    families_[family].push_back(seeds_.size());
    seeds_.push_back({.kind = Kind::vocabulary,
                      .family = family,
                      .name = name,
                      .base = {},
                      .drafts = {},
                      .texts = {{name, std::move(text)}},
                      .states = {}});
  };
  const std::string more =
      "257 'ab' 2\n258 'abc' 3\n259 '\\n\\n' 2\n260 '\xe4\xbd\xa0' 3\n"
      "261 b'\\xe4\\xbd' 2\n262 \"it's\" 4\n263 ' \\'' 2\n";
  add("vocabulary", "world.txt", fuzz::world_lines() + more);
  std::string json = "{";
  for (int byte = 0; byte < 256; ++byte) json += fmt::format("\"{}\":[{}],", byte + 1, byte);
  add("vocabulary", "world.json", json + "\"257\":\"ab\",\"258\":\"abc\",\"259\":[228,189]}");
  constexpr const char* kMembers =
      R"("<|endoftext|>": 0}, "merges": ["a b", "ab c", "\u0120 a"]},
         "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": true}])";
  add("vocabulary", "20b.json", fuzz::tokenizer_json(fuzz::kByteLevel, kMembers));
  add("vocabulary", "qwen2.json", fuzz::tokenizer_json(fuzz::qwen2_parts(), kMembers));
}

// A Hugging Face folder: a configuration, an index and two shards.
Status Seeds::add_folder(const std::filesystem::path& folder) {
  for (const char* design : {"rwkv6", "rwkv7"}) {
    std::string config;
    SK_TRY_STATUS(convert(folder / fmt::format("{}.safetensors", design), folder / "seed",
                          {.format = WriteFormat::safetensors, .names = "fla"}, &config));
    SK_TRY(Draft whole, read_draft(folder / "seed"));
    Seed seed;
    seed.family = "folder";
    seed.name = fmt::format("{} fla folder", design);
    Draft parts[2];
    std::string map;
    for (size_t i = 0; i < whole.tensors.size(); ++i) {
      const size_t part = i < whole.tensors.size() / 2 ? 0 : 1;
      DraftTensor tensor = whole.tensors[i];
      map += fmt::format("{}\"{}\":\"part-{}.safetensors\"", i > 0 ? "," : "", tensor.name, part);
      parts[part].storages.push_back(whole.storages[tensor.storage]);
      tensor.storage = parts[part].storages.size() - 1;
      parts[part].tensors.push_back(std::move(tensor));
    }
    seed.drafts = {{"part-0.safetensors", parts[0]}, {"part-1.safetensors", parts[1]}};
    seed.texts = {{"config.json", config},
                  {"model.safetensors.index.json",
                   "{\"metadata\":{\"total_size\":1},\"weight_map\":{" + map + "}}"}};
    families_["folder"].push_back(seeds_.size());
    seeds_.push_back(std::move(seed));
  }
  return {};
}

Result<Seeds> Seeds::make(const std::filesystem::path& folder) {
  Seeds out;
  SK_TRY_STATUS(out.add_models(folder));
  SK_TRY_STATUS(out.add_states(folder));
  out.add_adapters(folder);
  out.add_vocabularies();
  SK_TRY_STATUS(out.add_folder(folder));
  return out;
}

}  // namespace skein::mutate
