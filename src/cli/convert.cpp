// skein convert, skein quantize: any model file into another.
#include "run/convert.h"

#include <algorithm>
#include <map>
#include <optional>

#include "arch/shapes.h"
#include "base/file.h"
#include "base/file_writer.h"
#include "base/inputs.h"
#include "base/json.h"
#include "base/limits.h"
#include "cli/adapter_option.h"
#include "cli/command.h"
#include "cli/commands.h"
#include "cli/convert_report.h"
#include "cli/interrupt.h"
#include "cli/progress.h"

namespace skein::cli {
namespace {

// Folders made on the way to a file, and taken away again if that is never reached.
class Made {
 public:
  Made() = default;
  Made(const Made&) = delete;
  Made& operator=(const Made&) = delete;
  ~Made() {
    std::error_code ignored;
    for (auto folder = folders_.rbegin(); folder != folders_.rend(); ++folder)
      std::filesystem::remove(folder->path, ignored);
  }

  void folders(const std::filesystem::path& folder) {
    std::error_code ignored;
    if (folder.empty() || std::filesystem::exists(folder, ignored)) return;
    folders(folder.parent_path());
    if (std::filesystem::create_directory(folder, ignored))
      folders_.push_back({folder, Leftover::folder(folder)});
  }
  void keep() { folders_.clear(); }

 private:
  struct Folder {
    std::filesystem::path path;
    Leftover leftover;
  };
  std::vector<Folder> folders_;
};

std::vector<std::string> quant_names() {
  const auto targets = arch::quant_targets();
  std::vector<std::string> names(targets.begin(), targets.end());
  names.emplace_back("pip-int8");
  return names;
}

class Convert : public Command {
 public:
  void declare(Options& options) override {
    options.argument("IN", in_, "a model file of any kind, or a folder").model();
    options
        .argument("OUT", out_,
                  "the new file: .pth, .safetensors, .gguf or .skein; a folder for fla")
        .file();
    options.section("What is written");
    declare_types(options);
    options.value("--tensor", overrides_, "PATTERN=TYPE", "another type for some tensors");
    options.value("--format", format_, "FORMAT", "pth, safetensors, gguf or packed; else by OUT")
        .offer({"pth", "safetensors", "gguf", "packed"});
    options.value("--names", names_, "NAMES", "official, or fla with a config.json beside it")
        .offer({"official", "fla"});
    adapters_.declare(options);
    options.value("--vocab", vocab_, "FILE", "the vocabulary for a GGUF, if it is not found")
        .file();
    options.section("Options");
    options.flag("--dry-run", dry_run_, "say what would be written, and how large, and stop");
    options.flag("--tensors", list_, "list every tensor with its type and the reason");
    options.flag("--report", report_,
                 "afterwards read both and say what it did to the numbers, kind by kind");
    options.flag("-f,--force", force_, "replace a file that is there already");
    options.value("-t,--threads", threads_, "N", "threads; 0: one for each physical core")
        .range(0, static_cast<double>(limits::kThreads));
  }

  int run(Console& console) override {
    std::error_code ignored;
    // A folder as Hugging Face publishes models.
    whole_folder_ =
        names_ == "fla" && format_.empty() && std::filesystem::path(out_).extension().empty();
    if (whole_folder_) out_ = (std::filesystem::path(out_) / "model.safetensors").string();
    console.make_room_for(dry_run_ ? "" : out_);
    if (const auto place = find_output(out_);
        report_ && place && !dry_run_ && place->kind != OutputPlace::Kind::file)
      return console.error({Code::argument, "--report needs a file that can be read again"});
    if (!dry_run_ && !force_ && std::filesystem::is_regular_file(out_, ignored) &&
        !is_standard_output(out_))
      return console.error({Code::argument, escaped(out_) + " is there already; -f replaces it"});
    auto conversion = prepare(console);
    if (!conversion) return console.error(conversion.error());
    for (const std::string& note : conversion->notes()) console.warn(note);
    if (list_ && !console.json()) list_tensors(console, *conversion);
    if (auto status = check_sources(*conversion); !status) return console.error(status.error());
    warn_of_types(console, *conversion);
    const std::string said = report(console, *conversion);
    if (!dry_run_)
      if (auto status = write(console, *conversion); !status) return console.error(status.error());
    if (!report_ || dry_run_) {
      console.line(said);
      return kFine;
    }
    if (!console.json()) console.line(said);
    return report_losses(console, *conversion);
  }

 protected:
  virtual void declare_types(Options& options) {
    options.value("--dtype", type_, "TYPE", "f32, f16 or bf16 for all; else each keeps its own")
        .offer({"f32", "f16", "bf16"});
    options
        .value("--quant", quant_, "TYPE",
               fmt::format("a quantised type or preset: {}", fmt::join(quant_names(), ", ")))
        .offer(quant_names());
  }

  std::string quant_;

 private:
  Result<Conversion> prepare(Console& console) {
    ConvertOptions options;
    options.names = names_;
    options.quant = quant_;
    options.vocab = vocab_;
    const std::string by =
        format_.empty() ? std::filesystem::path(out_).extension().string() : format_;
    if (!io::write_format_from(by, options.format))
      return fail(Code::argument,
                  "{}: not the ending of a model file; say --format pth, safetensors, gguf "
                  "or packed",
                  escaped(format_.empty() ? out_ : format_));
    if (!type_.empty()) {
      options.type = dtype_named(type_);
      if (options.type != DType::f32 && options.type != DType::f16 && options.type != DType::bf16)
        return fail(Code::argument, "--dtype: \"{}\" is not f32, f16 or bf16; see --quant",
                    escaped(type_));
      if (!quant_.empty()) return fail(Code::argument, "--dtype and --quant exclude each other");
    }
    for (const std::string& text : overrides_) {
      SK_TRY(arch::QuantOverride override, arch::parse_quant_override(text));
      options.overrides.push_back(std::move(override));
    }
    SK_TRY(options.adapters, adapters_.given());
    console.suggest("skein inspect " + escaped(in_));
    return Conversion::prepare(in_, std::move(options));
  }

  Status write(Console& console, const Conversion& conversion) {
    console.suggest("");
    const interrupt::Scope scope;
    Progress progress(console, "writing", Progress::Unit::bytes);
    io::WriteOptions options;
    options.overwrite = force_;
    options.threads = static_cast<int>(threads_);
    options.progress = [&](uint64_t done, uint64_t total) {
      progress.update(static_cast<int64_t>(done), static_cast<int64_t>(total));
      return !interrupt::requested();
    };
    Made made;
    if (whole_folder_) made.folders(std::filesystem::path(out_).parent_path());
    SK_TRY(auto config, prepare_config(console, conversion));
    SK_TRY_STATUS(conversion.write(out_, options));
    made.keep();
    return config ? config->commit() : Status();
  }

  // Written before the model, so that it cannot fail for want of space, and named after it: a
  // config.json never stands without its model.
  Result<std::optional<FileWriter>> prepare_config(Console& console,
                                                   const Conversion& conversion) const {
    if (conversion.config().empty()) return std::nullopt;
    SK_TRY(const OutputPlace model, find_output(out_));
    if (model.kind != OutputPlace::Kind::file) {
      console.warn("a pipe has no place beside it, so no config.json is written");
      return std::nullopt;
    }
    const auto path = std::filesystem::path(out_).parent_path() / "config.json";
    std::error_code ignored;
    if (!force_ && std::filesystem::exists(path, ignored)) {
      const auto wanted = std::as_bytes(std::span(conversion.config()));
      const auto there = read_file(path, wanted.size());
      if (there && std::equal(there->begin(), there->end(), wanted.begin(), wanted.end()))
        return std::nullopt;
      return fail(Code::argument,
                  "{} is there already and would not fit the new model; -f replaces it",
                  escaped(path.string()));
    }
    SK_TRY(FileWriter config,
           FileWriter::create(path, {.existing = force_ ? Existing::replace : Existing::keep}));
    SK_TRY_STATUS(config.append(std::as_bytes(std::span(conversion.config()))));
    SK_TRY_STATUS(config.sync());
    return config;
  }

  // A model of one file may be written over itself; what is one part of what is read may not.
  Status check_sources(const Conversion& conversion) const {
    const auto is_out = [this](const File& file) { return is_same_file(file.path(), out_); };
    const auto any = [&](const io::ModelFiles& files) {
      return std::any_of(files.files().begin(), files.files().end(), is_out);
    };
    if (dry_run_) return {};
    const io::ModelFiles& source = conversion.source();
    if (source.files().size() > 1 && any(source))
      return fail(Code::argument, "{} is one of the {} files of this model; name another place",
                  escaped(out_), source.files().size());
    for (const io::ModelFiles& adapter : conversion.adapters())
      if (any(adapter))
        return fail(Code::argument, "{} is an adapter that is merged; name another place",
                    escaped(out_));
    if (!vocab_.empty() && is_same_file(vocab_, out_))
      return fail(Code::argument, "{} is the vocabulary; name another place", escaped(out_));
    if (is_input(out_) && !any(source))
      return fail(Code::argument, "{} is read for this model; name another place", escaped(out_));
    return {};
  }

  // What somebody who asks for a type would want to know before it is written.
  void warn_of_types(Console& console, const Conversion& conversion) const {
    size_t matrices = 0, wanted = 0, quantised = 0, again = 0;
    std::map<std::string, size_t> instead;
    DType before = DType::f32;
    const auto type = dtype_named(quant_);
    for (const ConvertedTensor& row : conversion.tensors()) {
      if (block_size(row.from).elements > 1 && row.to != row.from) {
        again += block_size(row.to).elements > 1;
        before = row.from;
      }
      quantised += block_size(row.to).elements > 1 || row.to == DType::u8;
      if (row.kind != arch::WeightClass::attention && row.kind != arch::WeightClass::feed_forward)
        continue;
      ++matrices;
      wanted += type && row.to == *type;
      ++instead[std::string(dtype_name(row.to))];
    }
    if (again > 0)
      console.warn(fmt::format(
          "{} tensors are quantised already ({} and the like), and lose by it once more; a file in "
          "F16, BF16 or F32 makes a better one",
          again, dtype_name(before)));
    if (quant_.empty()) return;
    const bool asks_for_blocks = !type || block_size(*type).elements > 1;
    if (asks_for_blocks && quantised == 0) {
      console.warn(fmt::format(
          "no tensor of this model can be quantised as {} asks; --tensors says why, and "
          "the file will be no smaller",
          quant_));
    } else if (type && asks_for_blocks && matrices > 0 && wanted == 0) {
      std::string types;
      for (const auto& [name, count] : instead) types += (types.empty() ? "" : ", ") + name;
      console.warn(fmt::format(
          "no matrix of this model can be {}, whose blocks are {} numbers of a row; they become {}",
          dtype_name(*type), block_size(*type).elements, types));
    }
  }

  static void list_tensors(Console& console, const Conversion& conversion) {
    for (const ConvertedTensor& row : conversion.tensors())
      console.line(fmt::format("{:<44} {:<18} {:>5} -> {:<6} {}", escaped(row.name),
                               row.shape.text(), dtype_name(row.from), dtype_name(row.to),
                               row.why));
  }

  // Of the file that has been written.
  int report_losses(Console& console, const Conversion& conversion) const {
    const interrupt::Scope scope;
    auto losses = [&]() -> Result<std::vector<QuantLoss>> {
      Progress progress(console, "comparing", Progress::Unit::bytes);
      SK_TRY(const ModelSource written, ModelSource::open(out_));
      return compare_weights(conversion.model(), written, static_cast<int>(threads_),
                             [&](int64_t done, int64_t total) {
                               progress.update(done, total);
                               return !interrupt::requested();
                             });
    }();
    if (!losses) return console.error(losses.error());
    if (console.json())
      console.line(report(console, conversion, &*losses));
    else
      print_losses(console, conversion, *losses, in_, out_);
    return kFine;
  }

  std::string report(const Console& console, const Conversion& conversion,
                     const std::vector<QuantLoss>* losses = nullptr) const {
    std::map<std::string, int64_t> types;
    for (const ConvertedTensor& row : conversion.tensors())
      types[std::string(dtype_name(row.to))] += row.shape.elements();
    if (console.json()) {
      JsonWriter json;
      json.begin_object();
      json.member("in", in_).member("out", out_).member("model", conversion.title());
      json.member("written", !dry_run_);
      json.member("bytes", conversion.size()).member("source_bytes", conversion.source_size());
      json.key("parameters_by_type").begin_object();
      for (const auto& [type, count] : types) json.member(type, count);
      json.end_object();
      if (list_) {
        json.key("tensors").begin_array();
        for (const ConvertedTensor& row : conversion.tensors()) {
          json.begin_object();
          json.member("name", row.name).member("official", row.official);
          json.member("class", arch::weight_class_name(row.kind));
          json.member("from", dtype_name(row.from)).member("to", dtype_name(row.to));
          json.key("shape").begin_array();
          for (const int64_t axis : row.shape.axes()) json.value(axis);
          json.end_array();
          json.member("why", row.why).end_object();
        }
        json.end_array();
      }
      if (losses) write_losses(json, *losses);
      json.key("notes").begin_array();
      for (const std::string& note : conversion.notes()) json.value(note);
      json.end_array().end_object();
      return json.text();
    }
    std::string mix;
    for (const auto& [type, count] : types)
      mix += fmt::format("{}{} {}", mix.empty() ? "" : ", ", type, arch::size_name(count));
    return fmt::format("{} {}: {}, {} from {} ({})", dry_run_ ? "would write" : "wrote",
                       escaped(out_), conversion.title(),
                       bytes_text(static_cast<double>(conversion.size())),
                       bytes_text(static_cast<double>(conversion.source_size())), mix);
  }

  std::string in_, out_, format_, names_, type_, vocab_;
  std::vector<std::string> overrides_;
  AdapterOption adapters_;
  bool dry_run_ = false, list_ = false, force_ = false, report_ = false;
  bool whole_folder_ = false;  // OUT is one, to be made if there is none
  int64_t threads_ = 0;
};

// The same with the type as an argument, as people know it from elsewhere.
class Quantize final : public Convert {
  void declare(Options& options) override {
    Convert::declare(options);
    options.argument("TYPE", quant_, fmt::format("one of {}", fmt::join(quant_names(), ", ")))
        .offer(quant_names());
  }
  void declare_types(Options&) override {}
};

}  // namespace

CommandPtr make_convert() { return std::make_unique<Convert>(); }
CommandPtr make_quantize() { return std::make_unique<Quantize>(); }

}  // namespace skein::cli
