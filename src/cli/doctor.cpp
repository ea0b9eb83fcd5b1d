// skein doctor: what this machine offers, and whether all is well with it.
#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <sstream>

#include "base/control_group.h"
#include "base/data_folders.h"
#include "base/file.h"
#include "base/limits.h"
#include "base/platform.h"
#include "base/pool.h"
#include "cli/commands.h"
#include "cli/config.h"
#include "cli/doctor_fits.h"
#include "cli/folders.h"
#include "cli/model_options.h"
#include "cli/progress.h"
#include "cli/self_test.h"
#include "quant/formats.h"
#include "quant/level_panels.h"
#include "quant/panels.h"
#include "server/host.h"
#include "store/memory_store.h"
#include "text/tokenizer.h"

namespace skein::cli {
namespace {

enum class Health { good, remark, bad };

struct Finding {
  std::string topic;  // "threads"; several findings may share one
  std::string text;
  Health health = Health::good;
  int exit_code = kFine;  // of a bad one
  bool inside = false;    // of interest to who works on this program: with --verbose
};

Finding inside(std::string topic, std::string text) {
  return {std::move(topic), std::move(text), Health::good, kFine, true};
}

Finding failure(std::string topic, const Error& error) {
  return {std::move(topic), error.message, Health::bad, exit_code(error.code)};
}

// The flags of the processor that kernels ask for, now or later.
std::string processor_flags() {
  std::ifstream file("/proc/cpuinfo");
  std::string out;
  for (std::string line; std::getline(file, line);) {
    if (!line.starts_with("flags") && !line.starts_with("Features")) continue;
    std::istringstream words(line);
    for (std::string word; words >> word;)
      if (word == "avx2" || word == "fma" || word == "f16c" || word.starts_with("avx512") ||
          word.starts_with("avx_") || word.starts_with("amx_") || word.starts_with("asimd") ||
          word.starts_with("sve") || word == "i8mm" || word == "bf16")
        out += (out.empty() ? "" : " ") + word;
    break;
  }
  return out;
}

void look_at_processor(std::vector<Finding>& out) {
  const std::string name = processor_name();
  out.push_back({"processor", name.empty() ? "unknown" : name});
  out.push_back({"processor", fmt::format("{} physical cores, {} processors this process may use",
                                          physical_cores(), usable_processors())});
  if (const std::string flags = processor_flags(); !flags.empty())
    out.push_back(inside("processor", flags));
}

void look_at_kernels(std::vector<Finding>& out) {
  if (const auto chosen = cpu::kernels())
    out.push_back({"kernels", fmt::format("{} ({}) are used", (*chosen)->title, (*chosen)->name)});
  else
    out.push_back(failure("kernels", chosen.error()));
  for (const cpu::Isa& isa : cpu::instruction_sets()) {
    const char* name = isa.kernels->name;
    if (!isa.supported) {
      out.push_back(inside("kernels", fmt::format("{}: this processor lacks it", name)));
      continue;
    }
    const auto failed = self_test(*isa.kernels);
    std::string list;
    for (const std::string& one : failed) list += (list.empty() ? "" : ", ") + one;
    if (failed.empty())
      out.push_back(
          inside("kernels", fmt::format("{}: the self-test gives the scalar bits", name)));
    else
      out.push_back({"kernels",
                     fmt::format("{}: wrong bits in {}; SKEIN_ISA=scalar avoids it", name, list),
                     Health::bad, kNoDevice});
  }
  std::string kept, decoded;
  for (int i = 0; i < kDTypes; ++i) {
    const auto type = static_cast<DType>(i);
    if (block_size(type).elements == 1 || !quant::decodable(type)) continue;
    const bool panels = quant::code_panels(type) || quant::level_panels(type);
    std::string& list = panels ? kept : decoded;
    list += (list.empty() ? "" : ", ") + std::string(dtype_name(type));
  }
  out.push_back(inside("kernels", fmt::format("matrices kept as codes: {}", kept)));
  out.push_back(inside("kernels", fmt::format("matrices decoded to F32 at load: {}", decoded)));
  if (const auto threads = thread_count(0))
    out.push_back({"threads", fmt::format("{}", *threads)});
  else
    out.push_back(failure("threads", threads.error()));
}

void look_at_memory(std::vector<Finding>& out) {
  if (const Granted granted = granted_by_groups(); granted.processors > 0 || granted.memory > 0) {
    const std::string memory = bytes_text(static_cast<double>(granted.memory));
    out.push_back({"control group",
                   granted.memory == 0 ? fmt::format("{} processors", granted.processors)
                   : granted.processors == 0
                       ? fmt::format("{} of memory", memory)
                       : fmt::format("{} processors, {} of memory", granted.processors, memory)});
  }
  const uint64_t total = memory_total(), free = memory_available();
  if (total == 0) {
    out.push_back({"memory", "unknown", Health::remark});
    return;
  }
  out.push_back({"memory",
                 fmt::format("{} free of {}", bytes_text(static_cast<double>(free)),
                             bytes_text(static_cast<double>(total))),
                 free < 256 * limits::kMiB ? Health::remark : Health::good});
  const AddressSpace space = address_space();
  if (space.limit != UINT64_MAX)
    out.push_back({std::string(space.what),
                   fmt::format("{} allowed, {} used", bytes_text(static_cast<double>(space.limit)),
                               bytes_text(static_cast<double>(space.used)))});
  const std::string pages = huge_page_setting();
  const bool never = pages.find("[never]") != std::string::npos;
  out.push_back({"huge pages",
                 pages.empty() ? "unknown"
                 : never       ? pages + "; madvise would make decoding faster"
                               : pages,
                 never ? Health::remark : Health::good, kFine, !never});
}

void look_at_vocabularies(std::vector<Finding>& out) {
  const auto folder = own_data_folder() / "vocab";
  std::error_code ignored;
  bool any = false;
  for (const char* name : {"rwkv_vocab_v20230424.txt", "rwkv_vocab_v20230424.json",
                           "20B_tokenizer.json", "tokenizer.json"}) {
    const auto path = folder / name;
    if (!std::filesystem::exists(path, ignored)) continue;
    any = true;
    const auto bytes = read_file(path, limits::kVocabFileBytes);
    if (!bytes) {
      out.push_back(failure("vocabulary", bytes.error()));
      continue;
    }
    const auto tokenizer = text::open_tokenizer(*bytes, escaped(path.string()));
    if (tokenizer)
      out.push_back({"vocabulary", fmt::format("{}: {}, {} ids", escaped(path.string()),
                                               (*tokenizer)->name(), (*tokenizer)->size())});
    else
      out.push_back(failure("vocabulary", tokenizer.error()));
  }
  if (!any)
    out.push_back({"vocabulary",
                   own_data_folder().empty()
                       ? "no folder of your own: set HOME, XDG_DATA_HOME or SKEIN_HOME; models "
                         "without a vocabulary look beside themselves"
                       : fmt::format("none in {}; models without one look there, and beside "
                                     "themselves; skein pull vocab fetches them",
                                     escaped(folder.string())),
                   Health::remark});
}

void look_at_config(std::vector<Finding>& out) {
  std::error_code ignored;
  for (const auto& file : Config::files()) {
    const bool there = std::filesystem::exists(file, ignored);
    out.push_back({"config",
                   fmt::format("{}: {}", escaped(file.string()), there ? "read" : "not there"),
                   Health::good, kFine, !there});
  }
  if (const auto config = Config::load(); !config) out.push_back(failure("config", config.error()));
}

class Doctor final : public Command {
 public:
  void declare(Options& options) override {
    options
        .argument("MODEL", model_, "instead of the machine, this file: does it fit, and how fast")
        .model()
        .optional();
    options.flag("--limits", limits_, "print the bounds that files and requests have to keep");
  }
  bool wants_config() const override { return false; }

  int run(Console& console) override {
    if (limits_) return print_limits(console);
    if (!model_.empty()) return look_at_model(console);
    std::vector<Finding> findings;
    look_at_processor(findings);
    look_at_kernels(findings);
    look_at_memory(findings);
    look_at_vocabularies(findings);
    look_at_config(findings);
    console.status("measuring how fast this machine computes");
    const auto sizes = official_fits();
    console.clear_status();
    if (!sizes) findings.push_back(failure("models", sizes.error()));
    int code = kFine;
    for (const Finding& finding : findings) code = std::max(code, finding.exit_code);
    if (console.json()) {
      print_json(console, findings, sizes ? *sizes : std::vector<SizeFits>(), code);
    } else {
      print_text(console, findings);
      if (sizes) print_fits(console, *sizes);
    }
    return code;
  }

 private:
  int look_at_model(Console& console) const {
    console.suggest("skein inspect " + escaped(model_));
    const auto options = ModelOptions().given();
    if (!options) return console.error(options.error());
    const auto opening = Opening::look(model_, *options);
    if (!opening) return console.error(opening.error());
    console.suggest("");
    console.status("measuring how fast this machine computes");
    const std::vector<Fit> fits = fits_of(*opening);
    console.clear_status();
    const Status fitting = opening->fits();
    const int code = fitting ? kFine : exit_code(fitting.error().code);
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("exit_code", code).member("file", model_);
      json.member("model", opening->info().title).member("free", memory_available());
      json.key("types").begin_array();
      for (const Fit& fit : fits) write_fit(json, fit);
      json.end_array().key("problem");
      if (fitting)
        json.null();
      else
        json.value(fitting.error().message);
      console.object(json.end_object());
      return code;
    }
    print_fits(console, *opening, fits);
    if (!fitting) return console.error(fitting.error());
    console.line(fmt::format("fits: {} free", bytes_text(static_cast<double>(memory_available()))));
    return code;
  }

  static void print_text(Console& console, const std::vector<Finding>& findings) {
    std::string last;
    for (const Finding& finding : findings) {
      if (finding.inside && !console.verbose()) continue;
      const std::string topic = finding.topic == last ? "" : finding.topic;
      last = finding.topic;
      const std::string mark = finding.health == Health::good ? "      "
                               : finding.health == Health::remark
                                   ? console.styled(Style::yellow, "note  ")
                                   : console.styled(Style::red, "wrong ");
      console.line(fmt::format(
          "{}{}", mark + console.styled(Style::dim, fmt::format("{:<14}", topic)), finding.text));
    }
  }

  static void print_json(Console& console, const std::vector<Finding>& findings,
                         const std::vector<SizeFits>& sizes, int code) {
    JsonWriter json;
    json.begin_object().member("exit_code", code).key("findings").begin_array();
    for (const Finding& finding : findings) {
      json.begin_object().member("topic", finding.topic).member("text", finding.text);
      json.member("health", finding.health == Health::good     ? "good"
                            : finding.health == Health::remark ? "remark"
                                                               : "bad");
      json.end_object();
    }
    json.end_array();
    const MemoryLimit limit = memory_limit();
    json.key("machine").begin_object().member("processor", processor_name());
    json.member("cores", physical_cores()).member("processors", usable_processors());
    json.member("threads", thread_count(0).value_or(0));
    json.member("memory_free", memory_available()).member("memory_limit", limit.bytes);
    json.member("memory_limited_by", limit.what);
    json.member("cache", last_level_cache_bytes()).end_object();
    json.key("models").begin_array();
    for (const SizeFits& size : sizes) {
      json.begin_object().member("size", size.size).key("types").begin_array();
      for (const Fit& fit : size.types) write_fit(json, fit);
      json.end_array().end_object();
    }
    console.object(json.end_array().end_object());
  }

  // Those of a server as it would begin now, unless it is told otherwise: they depend on what is
  // free.
  static std::vector<limits::Limit> of_memory() {
    const store::Budget budget = store::within_memory({});
    const auto value = [](int64_t bytes) { return static_cast<double>(bytes); };
    return {
        {"sequences", value(server::sequence_bytes({})), "bytes",
         "texts that a server generates, half of what is free (--state-memory)"},
        {"kept_states", value(server::kept_bytes({})), "bytes",
         "states of texts that may come again, a quarter of it (--keep-memory)"},
        {"store_texts", value(budget.log_bytes), "bytes",
         "texts and rows that a server keeps in memory (--store-texts)"},
        {"store_snapshots", value(budget.snapshot_bytes), "bytes",
         "states that spare reading those again (--store-snapshots)"},
        {"store_queue", value(budget.queue_bytes), "bytes", "such states that are not written"}};
  }

  static int print_limits(Console& console) {
    std::vector<limits::Limit> all(limits::table().begin(), limits::table().end());
    const auto more = of_memory();
    all.insert(all.end(), more.begin(), more.end());
    if (console.json()) {
      JsonWriter json;
      json.begin_object();
      for (const limits::Limit& limit : all) {
        json.key(limit.name).begin_object().member("value", limit.value);
        json.member("unit", limit.unit).member("what", limit.what).end_object();
      }
      console.object(json.end_object());
      return kFine;
    }
    for (const limits::Limit& limit : all)
      console.line(fmt::format("{:<16} {:>12.0f} {:<9} {}", limit.name, limit.value, limit.unit,
                               limit.what));
    return kFine;
  }

  std::string model_;
  bool limits_ = false;
};

}  // namespace

CommandPtr make_doctor() { return std::make_unique<Doctor>(); }

}  // namespace skein::cli
