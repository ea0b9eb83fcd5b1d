// skein inspect: what a file is and what keeps it from running.
#include <algorithm>

#include "base/platform.h"
#include "cli/commands.h"
#include "cli/file_report.h"
#include "cli/progress.h"
#include "cli/state_parts.h"

namespace skein::cli {
namespace {

std::string size_text(int64_t bytes) { return bytes_text(static_cast<double>(bytes)); }

std::string tensors_text(int64_t count) {
  return fmt::format("{} {}", count, count == 1 ? "tensor" : "tensors");
}

std::string shape_text(const Shape& shape) { return shape.rank() == 0 ? "scalar" : shape.text(); }

// One fact, its name in a column of its own.
void fact(Console& console, std::string_view name, std::string_view value) {
  if (!value.empty())
    console.line(
        fmt::format("{}  {}", console.styled(Style::dim, fmt::format("{:>12}", name)), value));
}

int64_t tensors_read(const FileReport& report) {
  return std::count_if(report.tensors.begin(), report.tensors.end(),
                       [](const TensorRow& row) { return row.read; });
}

int64_t not_finite(const FileReport& report) {
  int64_t count = 0;
  for (const TensorRow& row : report.tensors) count += row.not_finite;
  return count;
}

void print_model(Console& console, const FileReport& report) {
  const ModelInfo& info = report.model->info;
  const arch::Dimensions& d = info.dimensions;
  const MemoryEstimate& memory = report.model->memory;
  fact(console, "names", info.naming);
  fact(console, "sizes",
       fmt::format("L {}, D {}, H {} of {}, F {}, V {}", d.layers, d.width, d.heads, d.head_size,
                   d.inner, d.vocab));
  if (info.trained_context > 0)
    fact(console, "context", fmt::format("trained on {} tokens", info.trained_context));
  for (const auto& [name, share] : report.by_class)
    fact(console, name,
         fmt::format("{} parameters in {}, {}", share.elements, tensors_text(share.tensors),
                     size_text(share.bytes)));
  fact(console, "vocabulary",
       report.tokenizer.empty() ? report.tokenizer_problem : report.tokenizer);
  fact(console, "state", size_text(info.state_bytes));
  fact(console, "memory",
       fmt::format("needs {}, of which weights {}; each further sequence {}; {} free",
                   size_text(memory.peak()), size_text(memory.host.weights),
                   size_text(memory.peak(2) - memory.peak()),
                   bytes_text(static_cast<double>(memory_available()))));
}

void print_state(Console& console, const SavedState& state) {
  fact(console, "design", escaped(state.design, 64));
  fact(console, "fingerprint", hex(state.fingerprint));
  fact(console, "tokens", fmt::format("{} read, {} kept", state.tokens_read, state.tokens.size()));
  fact(console, "text", escaped(state.text, 60));
  if (state.chat) fact(console, "conversation", conversation_text(*state.chat));
  fact(console, "numbers", fmt::format("{}", state.numbers()));
}

void print_report(Console& console, const FileReport& report) {
  console.line(console.styled(Style::bold, report.title));
  fact(console, "file", escaped(report.path));
  fact(console, "kind", file_kind_name(report.kind));
  fact(console, "container",
       fmt::format("{}{}, {}", report.format,
                   report.version ? fmt::format(" version {}", report.version) : "",
                   bytes_text(static_cast<double>(report.file_bytes))));
  if (report.state) return print_state(console, *report.state);
  fact(console, "parameters",
       fmt::format("{} in {}", report.parameters,
                   tensors_text(static_cast<int64_t>(report.tensors.size()))));
  for (const auto& [dtype, share] : report.by_dtype)
    fact(console, dtype,
         fmt::format("{}, {}", tensors_text(share.tensors), size_text(share.bytes)));
  if (report.model) print_model(console, report);
}

void print_tensors(Console& console, const FileReport& report) {
  size_t widest = 0;
  for (const TensorRow& row : report.tensors) widest = std::max(widest, row.name.size());
  widest = std::min<size_t>(widest, 60);
  console.line("");
  for (const TensorRow& row : report.tensors)
    console.line(fmt::format("{:<{}}  {:<5}  {:<20}  {}", escaped(row.name), widest, row.dtype,
                             shape_text(row.shape), size_text(row.bytes)));
}

void write_share(JsonWriter& json, const Share& share) {
  json.begin_object();
  json.member("tensors", share.tensors).member("elements", share.elements);
  json.member("bytes", share.bytes).end_object();
}

void write_model(JsonWriter& json, const FileReport& report) {
  const ModelInfo& info = report.model->info;
  const arch::Dimensions& d = info.dimensions;
  json.member("design", info.design).member("naming", info.naming);
  json.key("dimensions").begin_object();
  json.member("layers", d.layers).member("width", d.width).member("heads", d.heads);
  json.member("head_size", d.head_size).member("inner", d.inner).member("vocab", d.vocab);
  json.end_object();
  json.key("classes").begin_object();
  for (const auto& [name, share] : report.by_class) write_share(json.key(name), share);
  json.end_object();
  json.key("trained_context");
  if (info.trained_context > 0)
    json.value(info.trained_context);
  else
    json.null();
  json.key("tokenizer").begin_object();
  json.member("found", !report.tokenizer.empty());
  json.member(report.tokenizer.empty() ? "problem" : "name",
              report.tokenizer.empty() ? report.tokenizer_problem : report.tokenizer);
  json.end_object();
  json.key("memory").begin_object();
  const MemoryEstimate& memory = report.model->memory;
  json.member("weights", memory.host.weights).member("mapped", memory.host.mapped);
  json.member("packing", memory.host.packing).member("step", memory.host.step);
  json.member("logits", memory.logits).member("text", memory.text).member("peak", memory.peak());
  json.member("sequence", 2 * memory.host.state + memory.logits);
  json.member("fits", !report.too_large)
      .member("free", memory_available())
      .member("state", info.state_bytes)
      .end_object();
}

void write_tensors(JsonWriter& json, const FileReport& report) {
  json.key("tensors").begin_array();
  for (const TensorRow& row : report.tensors) {
    json.begin_object();
    json.member("name", row.name).member("dtype", row.dtype).key("shape").begin_array();
    for (const int64_t axis : row.shape.axes()) json.value(axis);
    json.end_array().member("bytes", row.bytes).end_object();
  }
  json.end_array();
}

void write_report(JsonWriter& json, const FileReport& report, bool tensors) {
  json.begin_object();
  json.member("file", report.path).member("kind", file_kind_name(report.kind));
  json.member("title", report.title).member("format", report.format);
  json.member("version", report.version).member("bytes", report.file_bytes);
  json.member("runnable", report.model.has_value());
  if (report.state) {
    json.member("design", report.state->design);
    json.member("fingerprint", hex(report.state->fingerprint));
    json.member("tokens_read", report.state->tokens_read).member("text", report.state->text);
    json.member("numbers", static_cast<int64_t>(report.state->numbers()));
  } else {
    json.member("parameters", report.parameters);
    json.key("dtypes").begin_object();
    for (const auto& [dtype, share] : report.by_dtype) write_share(json.key(dtype), share);
    json.end_object();
  }
  if (report.model) write_model(json, report);
  json.key("notes").begin_array();
  for (const std::string& note : report.notes) json.value(note);
  json.end_array();
  if (tensors) write_tensors(json, report);
  if (report.checked) {
    json.key("check").begin_object();
    json.member("tensors", tensors_read(report));
    json.key("not_finite").begin_object();
    for (const TensorRow& row : report.tensors)
      if (row.not_finite > 0) json.member(row.name, row.not_finite);
    json.end_object().end_object();
  }
  if (report.obstacle) {
    json.key("error").begin_object();
    json.member("code", code_name(report.obstacle->code));
    json.member("message", report.obstacle->message).end_object();
  }
  json.end_object();
}

class Inspect final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("FILE", file_, "a model, a state, a LoRA: its content says which").model();
    options.flag("--tensors", tensors_, "list every tensor");
    options.flag("--check", check_,
                 "read all data: checksums, block scales, finite numbers, shapes");
  }

  int run(Console& console) override {
    const auto report = look(console);
    if (!report) return console.error(report.error());
    if (console.json()) {
      JsonWriter json;
      write_report(json, *report, tensors_);
      console.object(json);
    } else {
      print_report(console, *report);
      if (tensors_) print_tensors(console, *report);
      print_check(console, *report);
      for (const std::string& note : report->notes) console.warn(note);
      if (report->too_large) console.warn(report->too_large->message);
    }
    if (!report->obstacle) return kFine;
    return console.json() ? exit_code(report->obstacle->code) : console.error(*report->obstacle);
  }

 private:
  // Ctrl-C may end this at any moment, since nothing is written.
  Result<FileReport> look(Console& console) const {
    if (check_) console.status("checking");
    Progress progress(console, "checking", Progress::Unit::bytes);
    return report_file(file_, check_,
                       [&](int64_t done, int64_t total) { progress.update(done, total); });
  }

  static void print_check(Console& console, const FileReport& report) {
    if (!report.checked) return;
    for (const TensorRow& row : report.tensors)
      if (row.not_finite > 0)
        console.warn(fmt::format("tensor {} has {} numbers that are not finite", escaped(row.name),
                                 row.not_finite));
    if (report.state) return fact(console, "check", "checksum right, all numbers finite");
    const int64_t count = not_finite(report);
    fact(console, "check",
         fmt::format("{} read, {}", tensors_text(tensors_read(report)),
                     count > 0 ? fmt::format("{} numbers are not finite", count)
                               : std::string("all numbers finite")));
  }

  std::string file_;
  bool tensors_ = false;
  bool check_ = false;
};

}  // namespace

CommandPtr make_inspect() { return std::make_unique<Inspect>(); }

}  // namespace skein::cli
