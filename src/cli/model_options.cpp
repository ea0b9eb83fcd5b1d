#include "cli/model_options.h"

#include <filesystem>

#include "base/data_folders.h"
#include "base/limits.h"
#include "base/platform.h"
#include "cli/interrupt.h"
#include "cli/progress.h"
#include "run/vocabulary.h"

namespace skein::cli {
namespace {

// A smaller model is there before a line about its memory could be read.
constexpr uint64_t kWorthTelling = 256 * limits::kMiB;

}  // namespace

void ModelOptions::declare(Options& options) {
  options
      .argument("MODEL", path_,
                "the model: .pth, .safetensors, .st, .gguf, .bin, .skein or a folder")
      .model();
  options.section("Model");
  options.stand_in("-m,--model", "MODEL", "FILE").set_elsewhere();
  declare_settings(options);
}

void ModelOptions::declare_settings(Options& options) {
  options.section("Model");
  options.value("-t,--threads", threads_, "N", "threads; 0: one for each physical core")
      .range(0, static_cast<double>(limits::kThreads));
  adapters_.declare(options);
  options.value("--vocab", vocab_, "FILE", "its vocabulary, if it is not found by itself").file();
  options.value("--chunk", chunk_, "N", "prompt tokens that go through the layers together; 0: 512")
      .range(0, 4096);
  options
      .value("--numerics", numerics_, "MODE",
             "exact: the same bits everywhere; fast: prompts in bf16 or 8 bits, whichever this "
             "processor is good at")
      .one_of({"exact", "fast"});
  options
      .value("--sparse", sparse_, "SWITCH",
             "on, off or auto: leave the weights of hidden units that are zero unread, with the "
             "same results; auto if four tokens show enough of them")
      .one_of({"auto", "on", "off"});
  options
      .value("--two-plane", two_plane_, "SWITCH",
             "on, off or auto: find generated tokens by an 8-bit copy of the head and exact rows "
             "only where they count, the same tokens; auto where that is faster")
      .one_of({"auto", "on", "off"});
  options.section("Options");
}

Result<skein::ModelOptions> ModelOptions::given() const {
  skein::ModelOptions options;
  options.threads = static_cast<int>(threads_);
  options.chunk = static_cast<int>(chunk_);
  options.numerics = numerics_ == "fast" ? Numerics::fast : Numerics::exact;
  options.sparse = sparse_ == "auto" ? Sparse::probed : sparse_ == "on" ? Sparse::on : Sparse::off;
  options.two_plane = two_plane_ == "auto" ? TwoPlane::probed
                      : two_plane_ == "on" ? TwoPlane::on
                                           : TwoPlane::off;
  SK_TRY(options.adapters, adapters_.given());
  return options;
}

Result<Opening> ModelOptions::look(Console& console) const {
  SK_TRY(const skein::ModelOptions options, given());
  std::error_code ignored;
  if (path_.find('/') == std::string::npos && !std::filesystem::exists(path_, ignored)) {
    std::string places;
    for (const auto& data : data_folders())
      if (std::filesystem::is_directory(data / "models", ignored))
        places += (places.empty() ? ", nor a model of that name in " : " or ") +
                  escaped((data / "models").string());
    return fail(Code::io, "{}: there is no such file{}", escaped(path_), places);
  }
  console.suggest(inspection());
  SK_TRY(Opening opening, Opening::look(path_, options));
  console.suggest("");
  SK_TRY_STATUS(opening.fits());  // before a question is waited for
  return opening;
}

Result<text::TokenizerPtr> ModelOptions::tokenizer(const Opening& opening) const {
  return find_tokenizer(
      ModelText{opening.path(), opening.info().dimensions.vocab, &opening.metadata()}, vocab_);
}

Result<std::shared_ptr<Model>> ModelOptions::load(Console& console, Opening opening) const {
  const uint64_t free = memory_available();
  const auto peak = static_cast<uint64_t>(opening.memory().peak());
  const std::string needs =
      fmt::format("needs {} of {} free", bytes_text(static_cast<double>(peak)),
                  bytes_text(static_cast<double>(free)));
  const std::string model_needs =
      fmt::format("{}, {}, {}", opening.info().title, opening.info().device, needs);
  if (free > 0 && peak > free + resident_bytes())  // of which some is the program's, here already
    console.warn(model_needs + "; this will be slow or fail");
  else if (console.stderr_is_terminal() && peak >= kWorthTelling)
    console.note(needs);  // which model it is, is known to who has named it
  else
    console.detail(model_needs);

  console.suggest(inspection());
  const interrupt::Scope scope;
  Progress progress(console, "loading", Progress::Unit::bytes);
  SK_TRY(auto model, std::move(opening).load([&](int64_t done, int64_t total) {
    progress.update(done, total);
    return !interrupt::requested();
  }));
  for (const std::string& note : model->info().notes) console.warn(note);
  console.suggest("");
  console.detail(fmt::format("loaded in {:.2f} s", model->info().load_seconds));
  return model;
}

}  // namespace skein::cli
