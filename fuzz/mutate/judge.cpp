#include "fuzz/mutate/judge.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cli/file_report.h"
#include "fuzz/heap_budget.h"
#include "fuzz/oracle.h"
#include "fuzz/vocabularies.h"
#include "run/convert.h"
#include "run/state_file.h"
#include "run/vocabulary.h"
#include "support/states.h"

namespace skein::mutate {
namespace {

constexpr size_t kTokens = 6;

// Beside sixteen times the file, which is small: reading needs no more.
constexpr uint64_t kInspectBytes = 16 << 20;

uint64_t bytes_in(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return std::filesystem::file_size(path);
  uint64_t out = 0;
  for (const auto& entry : std::filesystem::directory_iterator(path)) out += entry.file_size();
  return out;
}

std::vector<int32_t> tokens_for(int32_t vocab) {
  std::vector<int32_t> out;
  for (size_t i = 0; i < kTokens; ++i)
    out.push_back(static_cast<int32_t>((i * i + 1) % static_cast<size_t>(vocab)));
  return out;
}

bool finite(std::span<const float> values) {
  return std::all_of(values.begin(), values.end(), [](float x) { return std::isfinite(x); });
}
bool same(std::span<const float> a, std::span<const float> b) {
  return a.size() == b.size() && std::memcmp(a.data(), b.data(), a.size_bytes()) == 0;
}

// Whether a conversion keeps every number, and what kernels compute from it.
bool same_numbers(DType from, DType to) {
  constexpr DType kInF32[] = {DType::f16, DType::bf16, DType::i16,
                              DType::i8,  DType::u8,   DType::boolean};
  return from == to || (to == DType::f32 &&
                        std::find(std::begin(kInF32), std::end(kInF32), from) != std::end(kInF32));
}

// A first number that differs, for a finding.
std::string difference(std::span<const float> a, std::span<const float> b) {
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i)
    if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0)
      return fmt::format("logit {} is {} and {}", i, a[i], b[i]);
  return fmt::format("{} and {} logits", a.size(), b.size());
}

// The tensors of which an answer cannot be computed: vectors with any number that is not finite,
// and matrices without one that is.
std::string poisoned(const cli::FileReport& report, const Model& model) {
  if (model.info().naming != "official") return {};
  for (const cli::TensorRow& row : report.tensors) {
    if (row.not_finite == 0) continue;
    const int64_t elements = row.shape.elements();
    if (row.shape.squeezed().rank() > 1 && row.not_finite < elements) continue;
    const auto weights = model.weight_names();
    if (std::any_of(weights.begin(), weights.end(),
                    [&](const auto& weight) { return weight.name == row.name; }))
      return fmt::format("{} of {} numbers of {} are not finite", row.not_finite, elements,
                         row.name);
  }
  return {};
}

}  // namespace

struct Judge::Ran {
  std::shared_ptr<Model> model;
  State state;
  std::vector<float> logits;   // after every token
  std::optional<Error> error;  // of eval()
};

void Judge::find(const std::string& kind, const std::string& facts) {
  verdict_.findings.push_back(kind + ": " + facts);
}

void Judge::refused(const Error& error) {
  verdict_.outcome = code_name(error.code);
  verdict_.message = error.message;
  blames_file(error, "");
}

// A refusal has to be about the file.
void Judge::blames_file(const Error& error, const std::string& when) {
  // The one thing of which a file's words decide what the system is asked for: a shard's name.
  if (folder_ && error.code == Code::io) return;
  if (const auto problem = fuzz::error_problem(error); !problem.empty())
    find("blame", when + problem);
}

Result<std::shared_ptr<Model>> Judge::base(const std::string& name) {
  auto& model = opened_[name];
  if (!model) {
    SK_TRY(model, Model::open(bases_ / name, {.threads = 1}));
  }
  return model;
}

Result<Judge::Ran> Judge::run(const std::filesystem::path& path, const ModelOptions& options) {
  SK_TRY(auto model, Model::open(path, options));
  Ran out = {model, model->new_state(), {}, {}};
  const auto tokens = tokens_for(model->vocab());
  out.logits.resize(tokens.size() * static_cast<size_t>(model->vocab()));
  if (auto done = model->eval(out.state, tokens, Want::all, out.logits.data()); !done)
    out.error = std::move(done).error();
  return out;
}

// A state goes through its own file and through the official list, and comes back as it was.
void Judge::check_state(const std::shared_ptr<Model>& model, const State& state) {
  if (const auto status = check_exportable(state); !status)
    return blames_file(status.error(), "saving the state: ");
  const auto again = [&](const char* what, const std::vector<std::byte>& bytes, bool whole) {
    const auto loaded = import_state(bytes, "again", model->state_layout());
    if (!loaded)
      find("state", fmt::format("{} is not read again: {}", what, loaded.error().message));
    else if (!same(test::numbers(*loaded), test::numbers(state)) || (whole && !(*loaded == state)))
      find("state", fmt::format("{} is another state when it is read again", what));
  };
  const auto file = StateFile::make(state, {}, "");
  if (!file) return find("state", file.error().message);
  again("the state's file", file->bytes(), true);
  if (const auto list = export_pth(state)) again("the state's list", *list, false);
}

// Into another container, its numbers as they are: the same answers, or a refusal.
void Judge::check_convert(const std::filesystem::path& path, const Ran& ran, uint64_t choice) {
  constexpr std::pair<io::WriteFormat, const char*> kFormats[] = {
      {io::WriteFormat::packed, "out.skein"},
      {io::WriteFormat::safetensors, "out.safetensors"},
      {io::WriteFormat::pth, "out.pth"},
      {io::WriteFormat::gguf, "out.gguf"}};
  const auto& [format, name] = kFormats[choice % 4];
  // What a format cannot hold is the caller's mistake.
  const auto refusal = [&](const Error& error) {
    if (error.code != Code::argument) blames_file(error, fmt::format("converting to {}: ", name));
  };
  const auto conversion = Conversion::prepare(path, {.format = format});
  if (!conversion) return refusal(conversion.error());
  const auto out = work_ / name;
  if (const auto status = conversion->write(out, {.overwrite = true, .threads = 1}); !status)
    return refusal(status.error());
  const auto again = run(out, {.threads = 1});
  const bool kept =
      std::all_of(conversion->tensors().begin(), conversion->tensors().end(),
                  [](const ConvertedTensor& t) { return same_numbers(t.from, t.to); });
  if (!again)
    find("convert", fmt::format("{} is not opened: {}", name, again.error().message));
  else if (again->error.has_value() != ran.error.has_value())
    find("convert", fmt::format("{} {}, its source does not", name,
                                again->error ? "fails: " + again->error->message : "runs"));
  else if (!again->error && kept && !same(again->logits, ran.logits))
    find("convert", fmt::format("{}: {}", name, difference(ran.logits, again->logits)));
}

// Into blocks: the file is opened, and threads make no difference.
void Judge::check_quantise(const std::filesystem::path& path, uint64_t choice) {
  constexpr const char* kTypes[] = {"Q4_0", "Q5_1", "Q8_0", "INT8", "NF4", "IQ4_NL", "Q4_K"};
  const char* type = kTypes[choice / 4 % std::size(kTypes)];
  const auto conversion =
      Conversion::prepare(path, {.format = io::WriteFormat::packed, .quant = type});
  if (!conversion) return;  // blocks of blocks, and what check_convert has said
  const auto out = work_ / "blocks.skein";
  if (!conversion->write(out, {.overwrite = true, .threads = 1})) return;
  const auto one = run(out, {.threads = 1}), two = run(out, {.threads = 2});
  if (!one || !two)
    find("quantise", fmt::format("{} is not opened: {}", type,
                                 !one ? one.error().message : two.error().message));
  else if (one->error.has_value() != two->error.has_value() ||
           (!one->error && !same(one->logits, two->logits)))
    find("quantise", fmt::format("{}: threads make a difference", type));
}

void Judge::judge_model(const std::filesystem::path& path, uint64_t choice) {
  const fuzz::HeapBudget budget;
  const auto report = cli::report_file(path, false, {});
  if (const uint64_t most = kInspectBytes + 16 * bytes_in(path); budget.peak() > most)
    find("memory", fmt::format("inspect took {} bytes, more than {}", budget.peak(), most));
  const auto checked = cli::report_file(path, true, [](int64_t, int64_t) {});
  for (const auto* one : {&report, &checked})
    if (!*one)
      blames_file(one->error(), "inspect: ");
    else if ((*one)->obstacle)
      blames_file(*(*one)->obstacle, "inspect: ");
  const auto content = [](const Result<cli::FileReport>& one) {
    return one && one->model && !one->obstacle;
  };

  auto ran = run(path, {.threads = 1});
  if (!ran) {
    refused(ran.error());
    bool all_finite = checked.has_value();
    if (checked)
      for (const cli::TensorRow& row : checked->tensors) all_finite &= row.not_finite == 0;
    if (content(checked) && all_finite)
      find("agree", "inspect --check is content, open is not: " + ran.error().message);
    return;
  }
  verdict_.outcome = "opened";
  verdict_.logits = ran->logits;
  Model& model = *ran->model;
  // A file whose own vocabulary is broken is one to inspect, and runs as numbers all the same.
  const auto tokenizer = find_tokenizer(model);
  const bool of_text = !tokenizer && !report && report.error().message == tokenizer.error().message;
  if (!content(report) && !of_text)
    find("agree",
         "open is content, inspect is not: " + (!report            ? report.error().message
                                                : report->obstacle ? report->obstacle->message
                                                                   : std::string("no model")));
  const auto tokens = tokens_for(model.vocab());

  // Two threads, and one token at a time.
  const auto twice = run(path, {.threads = 2});
  if (!twice)
    find("threads", "not opened with two: " + twice.error().message);
  else if (twice->error.has_value() != ran->error.has_value())
    find("threads", "only one of one and two threads gives an answer");
  else if (!ran->error && finite(ran->logits) && !same(ran->logits, twice->logits))
    find("threads", difference(ran->logits, twice->logits));

  if (ran->error) {
    blames_file(*ran->error, "eval: ");
    verdict_.outcome = "opened, no answer";
    return;
  }
  const bool answers = finite(ran->logits);
  State state = model.new_state();
  std::vector<float> row(static_cast<size_t>(model.vocab()));
  for (size_t i = 0; i < tokens.size(); ++i) {
    const auto done = model.eval(state, std::span(tokens).subspan(i, 1), Want::last, row.data());
    if (!done) {
      find("chunks", "one token at a time fails: " + done.error().message);
      break;
    }
    const auto expected = std::span(ran->logits).subspan(i * row.size(), row.size());
    if (answers && !same(row, expected)) {
      find("chunks", difference(expected, row));
      break;
    }
  }
  if (!answers) find("finite", "a logit is not");
  if (!finite(test::numbers(ran->state))) find("finite", "the state is not");
  if (checked)
    if (const auto what = poisoned(*checked, model); !what.empty()) find("poison", what);
  check_state(ran->model, ran->state);
  // What --check refuses may be read in more than one way.
  if (checked || of_text) check_convert(path, *ran, choice);
  if (choice % 4 == 0) check_quantise(path, choice);
  if (tokenizer)
    if (const auto problem = fuzz::tokenizer_problem(**tokenizer, "ab \n\n it's"); !problem.empty())
      find("tokenizer", problem);
}

void Judge::judge_state(const std::filesystem::path& path, const std::string& base_name) {
  const auto report = cli::report_file(path, true, [](int64_t, int64_t) {});
  if (!report) blames_file(report.error(), "inspect: ");
  const auto model = base(base_name);
  if (!model) return find("harness", model.error().message);
  const auto file = File::map(path);
  if (!file) return refused(file.error());
  auto state = import_state(file->bytes(), path.filename().string(), (*model)->state_layout());
  if (!state) return refused(state.error());
  verdict_.outcome = "opened";
  if (const auto plain = cli::report_file(path, false, {}); !plain)
    find("agree", "loading is content, inspect is not: " + plain.error().message);
  if (!finite(test::numbers(*state))) find("finite", "the state is not");
  check_state(*model, *state);
  const auto tokens = tokens_for((*model)->vocab());
  std::vector<float> logits(static_cast<size_t>((*model)->vocab()));
  const State before = *state;
  if (const auto done = (*model)->eval(*state, tokens, Want::last, logits.data()); !done) {
    blames_file(done.error(), "eval: ");
    if (!(*state == before)) find("state", "a failed step left another state");
    verdict_.outcome = "opened, no answer";
  } else if (!finite(logits) || !finite(test::numbers(*state))) {
    find("finite", "a logit or a number of the state is not");
  }
}

void Judge::judge_adapter(const std::filesystem::path& path, const std::string& base_name) {
  const auto report = cli::report_file(path, true, [](int64_t, int64_t) {});
  if (!report) blames_file(report.error(), "inspect: ");
  AdapterFile adapter;
  adapter.path = path;
  adapter.options.alpha = 4;
  auto ran = run(bases_ / base_name, {.threads = 1, .adapters = {adapter}});
  if (!ran) return refused(ran.error());
  verdict_.outcome = "opened";
  verdict_.logits = ran->logits;
  if (ran->error) {
    blames_file(*ran->error, "eval: ");
    verdict_.outcome = "opened, no answer";
  } else if (!finite(ran->logits) || !finite(test::numbers(ran->state))) {
    find("finite", "a logit or a number of the state is not");
  }
}

void Judge::judge_vocabulary(const std::filesystem::path& path) {
  const auto file = File::map(path);
  if (!file) return refused(file.error());
  const auto tokenizer = text::open_tokenizer(file->bytes(), path.filename().string());
  if (!tokenizer) return refused(tokenizer.error());
  verdict_.outcome = "opened";
  for (const char* text : {"", "abc ab", " it's\n\n\n x", "\xe4\xbd\xa0\xe5\xa5\xbd", "\xff\xe4",
                           "<|endoftext|>", "\x7f\xc2\x80 zzzzzzzzzzzz 12345"})
    if (const auto problem = fuzz::tokenizer_problem(**tokenizer, text); !problem.empty())
      find("tokenizer", problem + ", of " + escaped(text));
}

Verdict Judge::judge(Kind kind, const std::filesystem::path& path, const std::string& base_name,
                     uint64_t choice) {
  verdict_ = {};
  folder_ = std::filesystem::is_directory(path);
  switch (kind) {
    case Kind::model: judge_model(path, choice); break;
    case Kind::state: judge_state(path, base_name); break;
    case Kind::adapter: judge_adapter(path, base_name); break;
    case Kind::vocabulary: judge_vocabulary(path); break;
  }
  return verdict_;
}

}  // namespace skein::mutate
