// skein state show, export, import, diff, verify: work on state files.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "base/file.h"
#include "base/file_writer.h"
#include "base/limits.h"
#include "cli/commands.h"
#include "cli/output_check.h"
#include "cli/progress.h"
#include "cli/state_parts.h"

namespace skein::cli {
namespace {

// How the axes of time_state stand in the file, where its name does not tell.
struct Axes {
  bool swapped = false;
  bool official = false;

  void declare(Options& options) {
    options.flag("--swapped", swapped, "time_state has its last axes swapped, as web-rwkv's .st");
    options.flag("--official", official, "time_state is as the official tools write it");
  }
  Result<std::optional<bool>> choice() const {
    if (swapped && official)
      return fail(Code::argument, "--swapped and --official contradict each other");
    if (swapped) return true;
    if (official) return false;
    return std::nullopt;
  }
};

Option& declare_model(Options& options, std::string& target) {
  return options.value("-m,--model", target, "MODEL", "the model that the state belongs to")
      .model();
}

std::string base_name(const std::string& path) {
  return escaped(std::filesystem::path(path).filename().string());
}

// The exit code. What is said is made first: memory may be short for it, and then nothing is
// written.
int write_and_say(Console& console, const std::string& path, std::string_view format,
                  std::span<const std::byte> bytes) {
  JsonWriter json;
  json.begin_object().member("file", path).member("format", format);
  json.member("bytes", static_cast<int64_t>(bytes.size())).end_object();
  const std::string said =
      fmt::format("{}: {} written", base_name(path), bytes_text(static_cast<double>(bytes.size())));
  if (auto status = write_file(path, {&bytes, 1}, {.spare_inputs = true}); !status)
    return console.error(status.error());
  console.note(said);
  if (console.json()) console.object(json);
  return kFine;
}

class Show final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("FILE", file_, "a state of any layout").file();
    declare_model(options, model_);
    axes_.declare(options);
  }

  int run(Console& console) override {
    const auto state = read();
    if (!state) return console.error(state.error());
    if (console.json())
      print_json(console, *state);
    else
      print_text(console, *state);
    return kFine;
  }

 private:
  Result<StateParts> read() const {
    SK_TRY(const auto axes, axes_.choice());
    SK_TRY(const auto layout, layout_of(model_));
    return read_state_parts(file_, layout, axes);
  }

  void print_text(Console& console, const StateParts& state) const {
    const auto fact = [&](std::string_view name, std::string_view value) {
      console.line(
          fmt::format("{}  {}", console.styled(Style::dim, fmt::format("{:>12}", name)), value));
    };
    console.line(console.styled(Style::bold, state.kind));
    if (state.saved) {
      fact("design", escaped(state.saved->design, 64));
      fact("fingerprint", hex(state.saved->fingerprint));
      fact("tokens", fmt::format("{} read, {} kept with the state", state.saved->tokens_read,
                                 state.saved->tokens.size()));
      fact("text", state.saved->text.empty() ? "none kept" : escaped(state.saved->text, 200));
      if (state.saved->chat) fact("conversation", conversation_text(*state.saved->chat));
      fact("numbers", fmt::format("{}", state.saved->numbers()));
    }
    size_t widest = 4;
    for (const StatePart& part : state.parts) widest = std::max(widest, part.name.size());
    widest = std::min<size_t>(widest, 60);
    console.line("");
    console.line(fmt::format("{:<{}}  {:>10}  {:>12}  {:>12}", "part", widest, "numbers", "norm",
                             "largest"));
    for (const StatePart& part : state.parts) {
      const Norms n = norms(part.values);
      console.line(fmt::format("{:<{}}  {:>10}  {:>12.6g}  {:>12.6g}", escaped(part.name), widest,
                               part.values.size(), n.euclidean, n.largest));
    }
    if (state.saved && state.parts.size() == 1 && state.parts[0].name == "all")
      console.detail("--model MODEL shows the parts of each layer");
  }

  void print_json(Console& console, const StateParts& state) const {
    JsonWriter json;
    json.begin_object().member("file", file_).member("kind", state.kind);
    if (state.saved) {
      json.member("design", state.saved->design);
      json.member("fingerprint", hex(state.saved->fingerprint));
      json.member("tokens_read", state.saved->tokens_read);
      json.member("text", state.saved->text);
      json.key("tokens").begin_array();
      for (const int32_t token : state.saved->tokens) json.value(token);
      json.end_array();
      if (state.saved->chat) write_conversation(json, *state.saved->chat);
    }
    json.key("parts").begin_array();
    for (const StatePart& part : state.parts) {
      const Norms n = norms(part.values);
      json.begin_object().member("name", part.name);
      json.member("numbers", static_cast<int64_t>(part.values.size()));
      json.member("norm", n.euclidean).member("largest", n.largest).end_object();
    }
    json.end_array().end_object();
    console.object(json);
  }

  static void write_conversation(JsonWriter& json, const SavedChat& chat) {
    json.key("conversation").begin_object().key("branches").begin_array();
    for (const SavedBranch& branch : chat.branches) {
      json.begin_object().member("name", branch.name);
      json.member("turns", static_cast<int64_t>(chat.turns_of(branch))).end_object();
    }
    json.end_array().member("branch", chat.branches[chat.branch].name).key("turns").begin_array();
    for (const SavedTurn& turn : chat.turns) {
      json.begin_object().key("after");
      if (turn.parent < 0)
        json.null();
      else
        json.value(turn.parent);
      json.member("user", turn.user).member("answer", turn.answer).end_object();
    }
    json.end_array().end_object();
  }

  std::string file_;
  std::string model_;
  Axes axes_;
};

class Verify final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("FILE", file_, "a state of any layout").file();
    declare_model(options, model_).help = "also check that the state fits this model";
    axes_.declare(options);
  }

  int run(Console& console) override {
    const auto state = read();
    if (!state) return console.error(state.error());
    size_t count = 0;
    for (const StatePart& part : state->parts) count += part.values.size();
    if (console.json()) {
      JsonWriter json;
      json.begin_object().member("file", file_).member("kind", state->kind).member("good", true);
      json.member("numbers", static_cast<int64_t>(count));
      json.member("checksum", state->saved.has_value());
      json.member("fits_model", !model_.empty()).end_object();
      console.object(json);
      return kFine;
    }
    console.line(fmt::format("{}: good; {}{}, {} finite numbers{}", base_name(file_), state->kind,
                             state->saved ? ", checksum right" : "", count,
                             model_.empty() ? "" : ", fits " + base_name(model_)));
    return kFine;
  }

 private:
  Result<StateParts> read() const {
    SK_TRY(const auto axes, axes_.choice());
    SK_TRY(const auto layout, layout_of(model_));
    return read_state_parts(file_, layout, axes);
  }

  std::string file_;
  std::string model_;
  Axes axes_;
};

class Export final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("STATE", state_, "a state of Skein's own format").file();
    options.argument("OUT", out_, "the file to write").file();
    declare_model(options, model_);
    options
        .value("--format", format_, "FORMAT",
               "pth: the rwkv package's list of tensors; time_state: a tuned initial state")
        .one_of({"pth", "time_state"});
  }

  int run(Console& console) override {
    console.make_room_for(out_);
    const auto bytes = convert(console);
    if (!bytes) return console.error(bytes.error());
    return write_and_say(console, out_, format_, *bytes);
  }

 private:
  Result<std::vector<std::byte>> convert(Console& console) const {
    if (model_.empty())
      return fail(Code::argument,
                  "--model is missing: how the numbers of a state are laid out is the model's "
                  "knowledge");
    SK_TRY_STATUS(check_output(out_, {model_, state_}));
    SK_TRY(const auto layout, layout_of(model_));
    SK_TRY(const File file, File::map(state_));
    SK_TRY(const State state, import_state(file.bytes(), file.name(), layout));
    const bool tuned = format_ == "time_state";
    if (tuned)
      console.warn(
          "a time_state has no place for the token shift, so what it loads is not quite "
          "the same state");
    return tuned ? export_time_state(state) : export_pth(state);
  }

  std::string state_, out_, model_;
  std::string format_ = "pth";
};

class Import final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("IN", in_, "a list of tensors, or time_state, as .pth or .st").file();
    options.argument("OUT", out_, "the file to write, of Skein's own format").file();
    declare_model(options, model_);
    axes_.declare(options);
  }

  int run(Console& console) override {
    console.make_room_for(out_);
    const auto bytes = convert();
    if (!bytes) return console.error(bytes.error());
    return write_and_say(console, out_, "skein", *bytes);
  }

 private:
  Result<std::vector<std::byte>> convert() const {
    if (model_.empty())
      return fail(Code::argument, "--model is missing: a state belongs to the model that reads it");
    SK_TRY_STATUS(check_output(out_, {model_, in_}));
    SK_TRY(const auto axes, axes_.choice());
    SK_TRY(const auto layout, layout_of(model_));
    SK_TRY(const File file, File::map(in_));
    SK_TRY(const State state, import_state(file.bytes(), file.name(), layout, axes));
    // Other layouts know no text; our own keeps what it stands for.
    SavedState saved;
    if (is_saved_state(file.bytes())) {
      SK_TRY(saved, parse_saved_state(file.bytes(), file.name()));
    }
    SK_TRY(const StateFile out,
           StateFile::make(state, saved.tokens, saved.text, saved.chat ? &*saved.chat : nullptr));
    return out.bytes();
  }

  std::string in_, out_, model_;
  Axes axes_;
};

class Diff final : public Command {
 public:
  void declare(Options& options) override {
    options.argument("A", a_, "a state of any layout").file();
    options.argument("B", b_, "another").file();
    declare_model(options, model_).help = "compare them as states of this model, part by part";
  }

  int run(Console& console) override {
    const auto rows = compare();
    if (!rows) return console.error(rows.error());
    const bool equal =
        std::all_of(rows->begin(), rows->end(), [](const Row& row) { return row.differing == 0; });
    if (console.json())
      print_json(console, *rows, equal);
    else
      print_text(console, *rows, equal);
    return equal ? kFine : kFailed;
  }

 private:
  struct Row {
    std::string name;
    size_t numbers = 0;
    size_t differing = 0;  // bit for bit
    double largest = 0;    // of |a - b|
  };

  Result<std::vector<Row>> compare() const {
    SK_TRY(const auto layout, layout_of(model_));
    SK_TRY(const StateParts a, read_state_parts(a_, layout, std::nullopt));
    SK_TRY(const StateParts b, read_state_parts(b_, layout, std::nullopt));
    bool alike = a.parts.size() == b.parts.size();
    for (size_t i = 0; alike && i < a.parts.size(); ++i)
      alike = a.parts[i].name == b.parts[i].name &&
              a.parts[i].values.size() == b.parts[i].values.size();
    if (!alike)
      return fail(Code::mismatch, "{} and {} have different parts{}", base_name(a_), base_name(b_),
                  model_.empty() ? "; --model MODEL compares states of different layouts" : "");
    if (a.saved && b.saved && a.saved->fingerprint != b.saved->fingerprint)
      return fail(Code::mismatch, "{} and {} belong to different models ({} and {})", base_name(a_),
                  base_name(b_), hex(a.saved->fingerprint).substr(0, 16),
                  hex(b.saved->fingerprint).substr(0, 16));
    std::vector<Row> rows;
    for (size_t i = 0; i < a.parts.size(); ++i) {
      const auto &x = a.parts[i].values, &y = b.parts[i].values;
      Row row = {.name = a.parts[i].name, .numbers = x.size()};
      for (size_t n = 0; n < x.size(); ++n) {
        if (std::memcmp(&x[n], &y[n], sizeof(float)) == 0) continue;
        ++row.differing;
        row.largest = std::max(row.largest, std::fabs(double{x[n]} - double{y[n]}));
      }
      rows.push_back(std::move(row));
    }
    return rows;
  }

  static void print_text(Console& console, const std::vector<Row>& rows, bool equal) {
    if (equal) return console.line("identical");
    size_t widest = 4;
    for (const Row& row : rows) widest = std::max(widest, row.name.size());
    widest = std::min<size_t>(widest, 60);
    console.line(fmt::format("{:<{}}  {:>10}  {:>10}  {:>18}", "part", widest, "numbers",
                             "differing", "largest difference"));
    for (const Row& row : rows)
      console.line(fmt::format("{:<{}}  {:>10}  {:>10}  {:>18.6g}", escaped(row.name), widest,
                               row.numbers, row.differing, row.largest));
  }

  static void print_json(Console& console, const std::vector<Row>& rows, bool equal) {
    JsonWriter json;
    json.begin_object().member("identical", equal).key("parts").begin_array();
    for (const Row& row : rows) {
      json.begin_object().member("name", row.name);
      json.member("numbers", static_cast<int64_t>(row.numbers));
      json.member("differing", static_cast<int64_t>(row.differing));
      json.member("largest_difference", row.largest).end_object();
    }
    json.end_array().end_object();
    console.object(json);
  }

  std::string a_, b_, model_;
};

}  // namespace

CommandPtr make_state_show() { return std::make_unique<Show>(); }
CommandPtr make_state_export() { return std::make_unique<Export>(); }
CommandPtr make_state_import() { return std::make_unique<Import>(); }
CommandPtr make_state_diff() { return std::make_unique<Diff>(); }
CommandPtr make_state_verify() { return std::make_unique<Verify>(); }

}  // namespace skein::cli
