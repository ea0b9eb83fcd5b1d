#include "run/convert.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/json.h"
#include "quant/formats.h"
#include "quant/imports/pip_i8.h"
#include "quant/panels.h"
#include "run/state_file.h"
#include "run/vocabulary.h"
#include "text/gguf_vocabulary.h"

namespace skein {
namespace {

namespace names = arch::names;

constexpr std::string_view kPipInt8 = "pip-int8";

Format container_of(io::WriteFormat format) {
  switch (format) {
    case io::WriteFormat::pth: return Format::pth_zip;
    case io::WriteFormat::safetensors: return Format::safetensors;
    case io::WriteFormat::gguf: return Format::gguf;
    case io::WriteFormat::packed: return Format::packed;
  }
  return Format::safetensors;
}

Result<const names::Naming*> choose_naming(io::WriteFormat format, std::string_view asked) {
  for (const names::Naming* own : names::namings()) {
    if (own->container != container_of(format)) continue;
    if (!asked.empty() && asked != own->id)
      return fail(Code::argument, "files of {} have {} names", own->title, own->title);
    return own;
  }
  if (asked.empty()) return &names::kOfficial;
  for (const names::Naming* naming : names::namings())
    if (naming->write && !naming->container && asked == naming->id) return naming;
  return fail(Code::argument, "\"{}\" is no naming for such a file; there are official and fla",
              escaped(asked));
}

bool blocks(DType type) { return block_size(type).elements > 1; }

// How a packed file keeps a matrix of this type.
Layout packed_layout(DType type) {
  if (!blocks(type)) return Layout::panels16;
  return quant::code_panels(type) ? Layout::codes16 : Layout::rows;
}

bool holds_blocks(io::WriteFormat format) {
  return format == io::WriteFormat::gguf || format == io::WriteFormat::packed;
}

// The type a tensor keeps where nobody asks for another.
DType kept_type(DType source, io::WriteFormat format, std::string& why) {
  if (blocks(source) && !holds_blocks(format)) {
    why = fmt::format("this format holds no {}", dtype_name(source));
    return DType::f16;
  }
  switch (source) {
    case DType::f32:
    case DType::f16:
    case DType::bf16: return source;
    default: return blocks(source) ? source : DType::f32;
  }
}

void add_pip_int8(const names::ForeignTensor& tensor, std::vector<io::OutputTensor>& out) {
  const quant::PipI8Tensors parts = quant::pip_i8_tensors(tensor.name, tensor.parts[0]);
  for (const quant::PipI8Part& row : quant::kPipI8Parts) {
    const StoredTensor& part = parts.*row.place;
    out.push_back({.name = part.name,
                   .dtype = part.dtype == DType::u8 ? DType::u8 : DType::f16,
                   .shape = part.shape,
                   .parts = {part}});
  }
}

// What config.json says, from the "config." entries, which are taken out of `metadata`.
std::string take_config(Metadata& metadata) {
  constexpr std::string_view kPrefix = "config.";
  JsonWriter json;
  json.begin_object();
  bool any = false;
  for (auto it = metadata.begin(); it != metadata.end();) {
    if (!it->first.starts_with(kPrefix)) {
      ++it;
      continue;
    }
    any = true;
    json.key(std::string_view(it->first).substr(kPrefix.size()));
    std::visit(
        [&](const auto& value) {
          if constexpr (std::is_same_v<std::decay_t<decltype(value)>, std::vector<std::string>>) {
            json.begin_array();
            for (const std::string& text : value) json.value(text);
            json.end_array();
          } else if constexpr (std::is_arithmetic_v<std::decay_t<decltype(value)>> ||
                               std::is_same_v<std::decay_t<decltype(value)>, std::string>) {
            json.value(value);
          } else {
            json.null();
          }
        },
        it->second);
    it = metadata.erase(it);
  }
  json.end_object();
  return any ? json.text() + "\n" : "";
}

// llama.cpp's number for the mixture of types, which it prints and does not need.
uint64_t file_type(DType type) {
  switch (type) {
    case DType::f32: return 0;
    case DType::f16: return 1;
    case DType::q4_0: return 2;
    case DType::q4_1: return 3;
    case DType::q8_0: return 7;
    case DType::q5_0: return 8;
    case DType::q5_1: return 9;
    case DType::q2_k: return 10;
    case DType::q3_k: return 12;
    case DType::q4_k: return 15;
    case DType::q5_k: return 17;
    case DType::q6_k: return 18;
    case DType::iq4_nl: return 25;
    case DType::iq4_xs: return 30;
    case DType::bf16: return 32;
    default: return 1024;  // "guessed"
  }
}

// Whether what is read back from the new file computes as this model does: head sizes, shared heads
// and epsilons, which not every format has a place for.
bool reads_back_alike(const arch::NamedModel& model, const arch::Design& design,
                      const names::Naming& naming, Format format,
                      std::span<const names::ForeignTensor> tensors, Metadata metadata) {
  Container file;
  file.format = format;
  if (format != Format::pth_zip) file.metadata = std::move(metadata);
  for (const names::ForeignTensor& tensor : tensors) {
    StoredTensor& stored = file.tensors.emplace_back();
    stored.name = tensor.name;
    stored.shape = tensor.shape;
    stored.strides = tensor.shape.contiguous_strides();
  }
  const auto again = naming.translate(file, "");
  if (!again) return false;
  const auto before = design.open(model, ""), after = design.open(*again, "");
  if (!before || !after) return false;
  const ops::Program a = (*before)->forward(), b = (*after)->forward();
  if (a.ops.size() != b.ops.size()) return false;
  for (size_t i = 0; i < a.ops.size(); ++i) {
    constexpr float kRounding = 1e-6f;  // an epsilon may have fewer digits in a file
    if (a.ops[i].heads != b.ops[i].heads ||
        std::fabs(a.ops[i].epsilon - b.ops[i].epsilon) > kRounding * a.ops[i].epsilon)
      return false;
  }
  return true;
}

// Takes out what the new file has no place for or nobody reads, and says so. Error: mismatch (tuned
// states that do not fit the model).
Status leave_out(const arch::Architecture& architecture, const names::Naming& naming,
                 std::string_view file_name, arch::NamedTensors& tensors,
                 std::vector<std::string>& notes) {
  for (const arch::WeightSpec& spec : architecture.weights()) {
    // Stand-ins, which may have any shape, are kept where they look like what they stand for.
    const auto found = tensors.find(spec.name);
    if (!spec.unused || found == tensors.end()) continue;
    const Shape& shape = found->second.shape;
    const bool alike = spec.kind == arch::WeightClass::vector
                           ? shape.elements() == spec.shape.elements()
                           : shape.rank() == 2 && shape.elements() > 0;
    if (!alike || !quant::decodable(found->second.dtype)) tensors.erase(found);
  }
  SK_TRY_STATUS(check_tuned_shapes(tensors, architecture.state(), file_name));
  bool tuned = false;
  for (const std::string& unknown : arch::unknown_tensors(architecture, tensors)) {
    if (arch::is_tuned_state(unknown) && naming.keeps_tuned_states) continue;
    tuned = tuned || arch::is_tuned_state(unknown);
    if (!arch::is_tuned_state(unknown))
      notes.push_back(fmt::format("{} is not of this design and was left out", escaped(unknown)));
    tensors.erase(unknown);
  }
  if (tuned)
    notes.push_back(fmt::format(
        "the tuned initial state has no place in files of {} and was left out", naming.title));
  return {};
}

}  // namespace

Result<Conversion> Conversion::prepare(const std::filesystem::path& in, ConvertOptions options) {
  Conversion out;
  out.format_ = options.format;
  // Checks shapes, so that nothing is written that could not be loaded.
  SK_TRY(ModelSource source, ModelSource::open(in, options.adapters));
  out.source_ = std::make_unique<ModelSource>(std::move(source));
  const Container& container = out.source_->container();
  const std::string name = out.source_->name();
  const arch::Identified& what = out.source_->what;
  const auto& architecture = out.source_->architecture;
  arch::NamedModel& model = out.source_->model;
  out.title_ = what.title();
  out.notes_ = container.notes;

  SK_TRY(const names::Naming* naming, choose_naming(options.format, options.names));
  const std::string_view design = what.design->id;
  SK_TRY_STATUS(leave_out(*architecture, *naming, name, model.tensors, out.notes_));
  auto tensors = naming->write(model, design);
  if (!tensors) return fail(tensors.error().code, "{}: {}", name, tensors.error().message);
  out.metadata_ = naming->describe(model, *architecture, design);
  if (!reads_back_alike(model, *what.design, *naming, container_of(options.format), *tensors,
                        out.metadata_))
    return fail(Code::unsupported,
                "{}: {} has no place for what this model says besides its tensors (head size, "
                "epsilon); write safetensors with official names, or a .skein file",
                name, options.format == io::WriteFormat::pth ? "a .pth" : naming->title);
  SK_TRY_STATUS(out.choose_types(options, *architecture, std::move(*tensors)));
  SK_TRY_STATUS(out.describe(options, architecture->dimensions().vocab));
  SK_TRY(out.size_, io::written_size(out.format_, out.outputs_, out.metadata_));
  return out;
}

Status Conversion::choose_types(const ConvertOptions& options,
                                const arch::Architecture& architecture,
                                std::vector<names::ForeignTensor> tensors) {
  std::map<std::string, arch::WeightSpec, std::less<>> specs;
  for (arch::WeightSpec& spec : architecture.weights()) specs.emplace(spec.name, std::move(spec));
  const bool gguf = options.format == io::WriteFormat::gguf;
  const bool pip = options.quant == kPipInt8;
  std::optional<arch::QuantPolicy> policy;
  if (pip && holds_blocks(options.format))
    return fail(Code::argument, "pip-int8 is written as safetensors or pth");
  if (!options.quant.empty() && !pip) {
    const auto rules = gguf ? arch::QuantRules::llama_cpp : arch::QuantRules::skein;
    SK_TRY(policy, arch::QuantPolicy::make(options.quant, rules, options.overrides));
  } else if (!options.overrides.empty()) {
    return fail(Code::argument, "patterns choose among the types of --quant, which is not given");
  }

  for (names::ForeignTensor& tensor : tensors) {
    const auto found = specs.find(tensor.official);
    const arch::WeightSpec spec = found == specs.end()
                                      ? arch::WeightSpec{.name = tensor.official, .shape = {}}
                                      : found->second;
    const StoredTensor& source = tensor.parts[0];
    ConvertedTensor& row = plan_.emplace_back();
    row.name = tensor.name;
    row.official = tensor.official;
    row.kind = spec.kind;
    // Merged matrices are computed in f32; in the file they are what they were.
    const auto type = source_->types.find(tensor.official);
    row.from = type == source_->types.end() ? source.dtype : type->second;
    row.shape = tensor.shape;
    const bool vector = spec.kind == arch::WeightClass::vector;
    if (policy) {
      const arch::QuantChoice choice =
          policy->choose(spec, tensor.shape.rank() ? tensor.shape[tensor.shape.rank() - 1] : 1);
      row.to = choice.type;
      row.why = choice.why;
    } else if (gguf && (vector || spec.kind == arch::WeightClass::low_rank)) {
      row.to = DType::f32;
      row.why = "F32 for llama.cpp";
    } else {
      row.to = options.type.value_or(kept_type(row.from, options.format, row.why));
    }
    if (blocks(row.to) && !holds_blocks(options.format))
      return fail(Code::argument, "{} holds no {}; write a GGUF or a .skein file",
                  options.format == io::WriteFormat::pth ? "a .pth" : "safetensors",
                  options.quant.empty() ? dtype_name(row.to) : options.quant);
    const bool large = spec.kind == arch::WeightClass::attention ||
                       spec.kind == arch::WeightClass::feed_forward ||
                       spec.kind == arch::WeightClass::head;
    if (pip && large) {
      row.to = DType::u8;
      row.why = "INT8 with ranges of rows and columns";
      add_pip_int8(tensor, outputs_);
      continue;
    }
    // Otherwise the CPU would arrange a matrix anew at every start.
    const bool matrix = options.format == io::WriteFormat::packed && !vector &&
                        spec.kind != arch::WeightClass::embedding && tensor.shape.rank() == 2;
    outputs_.push_back({.name = std::move(tensor.name),
                        .dtype = row.to,
                        .shape = tensor.shape,
                        .parts = std::move(tensor.parts),
                        .layout = matrix ? packed_layout(row.to) : Layout::rows});
  }
  return {};
}

Status Conversion::describe(const ConvertOptions& options, int64_t vocab) {
  const Metadata& source = source_->files.container().metadata;
  const bool holds_lists = holds_blocks(options.format);
  for (const auto& [key, value] : source)
    if (key == "general.name" ||
        (holds_lists && (key.starts_with("tokenizer.") || key.starts_with("general."))))
      metadata_.try_emplace(key, value);
  if (options.format == io::WriteFormat::safetensors) metadata_.emplace("format", "pt");
  config_ = take_config(metadata_);
  if (options.format != io::WriteFormat::gguf) return {};

  metadata_.try_emplace("general.name", title_);
  std::map<DType, int64_t> types;
  for (const ConvertedTensor& row : plan_)
    if (row.kind == arch::WeightClass::attention || row.kind == arch::WeightClass::feed_forward)
      types[row.to] += row.shape.elements();
  if (!types.empty())
    metadata_["general.file_type"] =
        file_type(std::max_element(types.begin(), types.end(), [](const auto& a, const auto& b) {
                    return a.second < b.second;
                  })->first);
  if (metadata_.contains("tokenizer.ggml.tokens")) return {};
  const auto tokenizer =
      find_tokenizer(ModelText{source_->files.path(), vocab, &source}, options.vocab);
  Result<Metadata> vocabulary = tl::unexpected(Error());
  if (tokenizer)
    vocabulary = text::gguf_vocabulary(**tokenizer, vocab);
  else
    vocabulary = tl::unexpected(tokenizer.error());
  if (vocabulary) {
    metadata_.merge(*vocabulary);
  } else if (!options.vocab.empty()) {
    return tl::unexpected(vocabulary.error());
  } else {
    notes_.push_back("the file has no vocabulary: " + vocabulary.error().message);
    metadata_["tokenizer.ggml.model"] = std::string("none");
  }
  return {};
}

Status Conversion::write(const std::filesystem::path& out, const io::WriteOptions& options) const {
  io::WriteOptions checked = options;
  checked.intact = [this] { return source_->intact(); };
  return io::write_model(out, format_, outputs_, metadata_, checked);
}

}  // namespace skein
