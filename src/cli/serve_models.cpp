#include "cli/serve_models.h"

#include <ctime>
#include <filesystem>
#include <utility>

#include "base/bytes_text.h"
#include "base/limits.h"
#include "cli/folders.h"
#include "cli/interrupt.h"
#include "run/vocabulary.h"
#include "server/history.h"

namespace skein::cli {

void ServeModels::declare_models(Options& options) {
  options.argument("MODEL", models_,
                   "models: files, folders or names of installed ones; NAME=FILE gives one a name");
  options.stand_in("-m,--model", "MODEL", "FILE").set_elsewhere();
}

void ServeModels::declare_time(Options& options) {
  options.flag("--on-demand", on_demand_,
               "load each model when a request asks for it, and not at the start");
  options
      .value("--model-idle", idle_, "SECONDS",
             "let go of a model that was loaded --on-demand and that nobody used for so long; 0: "
             "only when another needs its memory")
      .range(0, 1e9);
  options
      .value("--model-memory", memory_, "MIB",
             "memory of all models that are loaded --on-demand; 0: what is free")
      .range(0, 1 << 24);
}

void ServeModels::declare_settings(Options& options) {
  options.value("--think", think_, "MODE", "how to think where a request does not say")
      .one_of({"none", "fake", "free", "bit", "think", "lot", "zh"});
  std::vector<std::string> names;
  for (const text::Profile& one : text::profiles()) names.emplace_back(one.name);
  options
      .value("--profile", profile_name_, "NAME",
             "how models are talked to and sampled, instead of what their files suggest")
      .one_of(names);
  options.value("--template", template_name_, "NAME", "another profile's way of writing turns")
      .one_of(names);
  model_options_.declare_settings(options);
  sampling_options_.declare(options);
}

server::ShelfOptions ServeModels::shelf(const server::HostOptions& host) const {
  return {.idle_seconds = idle_,
          .memory = memory_ * static_cast<int64_t>(limits::kMiB),
          .wait_seconds = host.wait_seconds,
          .waiting = static_cast<size_t>(host.waiting),
          .free_memory = {}};
}

// NAME=FILE, unless that is a file's name.
Result<ServeModels::Given> ServeModels::read(const std::string& given) {
  std::string file = given, name;
  std::error_code ignored;
  const size_t mark = given.find('=');
  if (mark != std::string::npos && mark > 0 && given.find('/') > mark &&
      !std::filesystem::exists(given, ignored)) {
    name = given.substr(0, mark);
    file = given.substr(mark + 1);
  }
  SK_TRY(const std::string path, model_path(file));
  if (name.empty()) {
    auto place = std::filesystem::path(path);
    if (!place.has_filename()) place = place.parent_path();
    name = std::filesystem::is_directory(place, ignored) ? place.filename().string()
                                                         : place.stem().string();
  }
  return Given{std::move(name), path};
}

// A file that belongs to one model would be taken for all.
Status ServeModels::check_several() const {
  if (models_.size() < 2) return {};
  if (!model_options_.vocab().empty())
    return fail(Code::argument,
                "--vocab {} would be the vocabulary of all {} models; put each one's beside its "
                "file, where it is found by itself, or serve that model alone",
                escaped(model_options_.vocab()), models_.size());
  SK_TRY(const skein::ModelOptions given, model_options_.given());
  if (!given.adapters.empty())
    return fail(Code::argument,
                "--lora would be merged into all {} models; merge it into one with skein convert "
                "--lora, or serve that model alone",
                models_.size());
  return {};
}

Result<server::Served> ServeModels::served_of(const Model& model,
                                              const text::Tokenizer& tokenizer) const {
  server::Served served;
  served.profile = profile_name_.empty() ? &find_profile(ModelText::of(model), &tokenizer)
                                         : text::profile_by_name(profile_name_);
  served.wording = template_name_.empty() ? served.profile : text::profile_by_name(template_name_);
  served.think = think_ ? *text::think_mode_by_name(*think_) : served.wording->think;
  served.created = static_cast<int64_t>(std::time(nullptr));
  // What clients of OpenAI's API mean by a temperature acts before top_p.
  served.sampling = [this](const text::Profile& profile, text::ThinkMode mode) -> Result<Sampling> {
    SK_TRY(Sampling sampling, sampling_options_.sampling(profile, mode));
    if (!sampling_options_.has("order")) sampling.order = SampleOrder::openai;
    return sampling;
  };
  // What is wrong with the server's own settings is told now and not to somebody who asks.
  SK_TRY_STATUS(served.sampling(*served.profile, served.think));
  return served;
}

Status ServeModels::load(Console& console, server::Server&, ServeStore& store, const Given& one) {
  model_options_.set_path(one.path);
  SK_TRY(Opening opening, model_options_.look(console));
  SK_TRY(text::TokenizerPtr tokenizer, model_options_.tokenizer(opening));
  SK_TRY(std::shared_ptr<Model> model, model_options_.load(console, std::move(opening)));
  SK_TRY(server::Served served, served_of(*model, *tokenizer));
  store.add(one.name, server::fingerprint_of(*model));
  loaded_.push_back({.name = one.name,
                     .model = std::move(model),
                     .tokenizer = std::move(tokenizer),
                     .host = {},
                     .served = std::move(served)});
  return {};
}

void ServeModels::note(std::string line) {
  const std::lock_guard lock(mutex_);
  lines_.push_back(std::move(line));
}

void ServeModels::report(Console& console) {
  std::vector<std::string> lines;
  {
    const std::lock_guard lock(mutex_);
    lines.swap(lines_);
  }
  if (silent_) return;
  for (const std::string& line : lines) console.note(line);
}

// What is wrong with it is told at the start, as far as its header and its vocabulary say, and how
// much memory it will need.
Status ServeModels::look(Console& console, server::Server& server, ServeStore& store,
                         const Given& one) {
  model_options_.set_path(one.path);
  SK_TRY(const Opening opening, model_options_.look(console));
  SK_TRY_STATUS(model_options_.tokenizer(opening));
  const int64_t bytes = opening.memory().peak();
  const std::string needs = bytes_text(static_cast<double>(bytes));
  if (!silent_)
    console.note(fmt::format("{}: {}, needs {} when somebody asks for it", escaped(one.name),
                             opening.info().title, needs));
  store.add_unknown(one.name);
  const auto load = [this, one, options = model_options_]() -> Result<server::ModelToServe> {
    SK_TRY(const skein::ModelOptions given, options.given());
    SK_TRY(Opening fresh, Opening::look(one.path, given));
    SK_TRY(text::TokenizerPtr tokenizer, options.tokenizer(fresh));
    SK_TRY(std::shared_ptr<Model> model,
           std::move(fresh).load([](int64_t, int64_t) { return !interrupt::requested(); }));
    SK_TRY(server::Served served, served_of(*model, *tokenizer));
    note(fmt::format("{}: loaded in {:.2f} s", escaped(one.name), model->info().load_seconds));
    return server::ModelToServe{one.name, std::move(model), std::move(tokenizer), host_,
                                std::move(served)};
  };
  return server.add(
      server::ModelToLoad{.name = one.name, .info = opening.info(), .bytes = bytes, .load = load});
}

Status ServeModels::open(Console& console, server::Server& server, ServeStore& store,
                         server::HostOptions host,
                         const std::function<void(const std::string&)>& tell) {
  SK_TRY_STATUS(check_several());
  host.models = std::ssize(models_);
  host_ = host;
  for (const std::string& model : models_) {
    tell("loading " + model);
    SK_TRY(const Given one, read(model));
    SK_TRY_STATUS(on_demand_ ? look(console, server, store, one)
                             : load(console, server, store, one));
    names_.push_back(one.name);
  }
  // Once all are there, and what they left of the memory is known.
  if (!on_demand_) host.kept = server::kept_bytes(host);
  for (server::ModelToServe& each : loaded_) {
    if (host.kept > 0 && !silent_)
      console.note(
          fmt::format("{}: states of texts that may come again take up to {} (--keep-memory)",
                      escaped(each.name), bytes_text(static_cast<double>(host.kept))));
    each.host = host;
    SK_TRY_STATUS(server.add(std::move(each)));
  }
  loaded_.clear();
  return {};
}

}  // namespace skein::cli
