// From a file to a model that is ready to run: what it is, what it will need, its weights packed.
#include "run/model.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <set>
#include <unordered_map>
#include <utility>

#include "backends/backends.h"
#include "base/check.h"
#include "base/limits.h"
#include "base/platform.h"
#include "base/pool.h"
#include "io/model_files.h"
#include "ops/host_states.h"
#include "quant/read.h"
#include "run/adapters.h"
#include "run/sampler.h"
#include "run/state_file.h"

namespace skein {
namespace {

// The number after "ctx" in a released file's name: "RWKV-x070-World-0.1B-...-ctx4096.pth".
int64_t trained_context(std::string_view name) {
  const size_t at = name.rfind("ctx");
  if (at == std::string_view::npos) return 0;
  int64_t value = 0;
  const char* begin = name.data() + at + 3;
  const auto [end, error] = std::from_chars(begin, name.data() + name.size(), value);
  return error == std::errc() && end != begin && value > 0 ? value : 0;
}

// Names the weights by their values, not by their container: a hash over the official names and
// sizes, all vectors and sixteen rows of each matrix, as f32. A .pth, a GGUF and a safetensors of
// one model agree; a quantised or further trained copy does not. A copy that was changed by hand in
// other rows only has the same name.
Result<Digest> fingerprint(const arch::Architecture& architecture,
                           const arch::NamedTensors& tensors, int threads) {
  Sha256 hash;
  std::vector<float> values;
  Pool pool(threads);
  for (const arch::WeightSpec& spec : architecture.weights()) {
    const auto found = tensors.find(spec.name);
    if (found == tensors.end() || spec.unused) continue;
    const StoredTensor& tensor = found->second;
    hash.update(fmt::format("{} {};", spec.name, spec.shape.text()));
    if (spec.kind == arch::WeightClass::vector) {
      values.resize(static_cast<size_t>(tensor.shape.elements()));
      SK_TRY_STATUS(quant::read_f32(tensor, values));
      hash.update(std::as_bytes(std::span(values)));
      continue;
    }
    // A row of panels lies all over them, which takes as long as to read the panels.
    const int64_t rows = tensor.shape[0], width = tensor.shape.elements() / rows;
    constexpr int64_t kRows = 16;
    values.resize(static_cast<size_t>(kRows * width));
    const auto read = [&](Range range) -> Status {
      for (int64_t i = range.begin; i < range.end; ++i)
        SK_TRY_STATUS(quant::read_rows_f32(
            tensor, (rows - 1) * i / (kRows - 1), 1,
            std::span(values).subspan(static_cast<size_t>(i * width), static_cast<size_t>(width))));
      return {};
    };
    SK_TRY_STATUS(run_shares(pool, kRows, read));
    hash.update(std::as_bytes(std::span(values)));
  }
  return hash.finish();
}

// Of states that live in `pool`.
Result<std::shared_ptr<const StateLayout>> make_layout(const arch::Architecture& architecture,
                                                       const arch::NamedTensors& tensors,
                                                       std::shared_ptr<ops::StatePool> pool,
                                                       std::string design,
                                                       const Digest& fingerprint,
                                                       std::string_view name) {
  auto layout = std::make_shared<StateLayout>();
  layout->design = std::move(design);
  layout->fingerprint = fingerprint;
  layout->parts = architecture.state();
  layout->slots.assign(pool->slots().begin(), pool->slots().end());
  layout->pool = std::move(pool);
  SK_CHECK(layout->parts.size() == layout->slots.size());
  for (size_t i = 0; i < layout->slots.size(); ++i)
    SK_CHECK(layout->parts[i].name == layout->slots[i].name &&
             layout->parts[i].shape.elements() == layout->slots[i].size);
  if (std::any_of(tensors.begin(), tensors.end(),
                  [](const auto& tensor) { return arch::is_tuned_state(tensor.first); })) {
    SK_TRY(State tuned, from_time_state(tensors, layout, /*swapped=*/false, name));
    layout->tuned = std::move(tuned).take_memory();
  }
  return layout;
}

Status check_chunk(int chunk) {
  if (chunk < 0 || chunk > 4096)
    return fail(Code::argument, "a chunk of {} tokens; it has to be 1 to 4096", chunk);
  return {};
}

// What goes wrong while tensors are read names the tensor; a user needs the file as well.
template <typename T>
Result<T> in_file(const std::string& name, Result<T> result) {
  if (!result) result.error().message = name + ": " + result.error().message;
  return result;
}

// A file up to the point where its weights would be read.
struct Prepared {
  std::unique_ptr<ops::Backend> backend;
  io::ModelFiles files;
  std::vector<io::ModelFiles> adapters;  // have to stay until the weights have been read
  const arch::Design* design = nullptr;
  arch::NamedTensors tensors;
  std::unique_ptr<arch::Architecture> architecture;
  std::vector<ops::WeightData> weights;
  ops::Program program;
  ModelInfo info;
  MemoryEstimate memory;
};

// What a second plane has to save of a step's bytes before it is worth its memory and its making.
constexpr double kWorthSecondPlane = 0.05;

TwoPlane wanted_planes(TwoPlane choice, const ops::CoarseHeadCost& plane, int64_t step_bytes) {
  if (plane.bytes == 0) return TwoPlane::off;
  const bool worth =
      static_cast<double>(plane.saved) >= kWorthSecondPlane * static_cast<double>(step_bytes);
  return choice == TwoPlane::probed && !worth ? TwoPlane::off : choice;
}

MemoryEstimate estimate(const ops::Backend& backend, std::span<const ops::WeightData> weights,
                        const ops::Program& program, int64_t chunk, TwoPlane planes) {
  const ops::MemoryNeeds needs = backend.needs(program, weights, chunk);
  const int64_t vocab = program.values[static_cast<size_t>(program.logits)].width;
  MemoryEstimate out = {.host = needs.host,
                        .device = needs.device,
                        .logits = vocab * int64_t{sizeof(float)} + SamplerWork::bytes(vocab)};
  if (planes != TwoPlane::off)
    (out.device.weights > 0 ? out.device : out.host).weights +=
        backend.coarse_head(program, weights).bytes;
  return out;
}

Result<Prepared> prepare(const std::filesystem::path& path, const ModelOptions& options) {
  SK_TRY_STATUS(check_chunk(options.chunk));
  SK_TRY(std::unique_ptr<ops::Backend> backend,
         backends::open_device(options.device, {.threads = options.threads, .isa = options.isa}));
  SK_TRY(io::ModelFiles files, io::ModelFiles::open(path));
  const std::string name = files.name();
  const Container& container = files.container();
  const arch::Identified what = arch::identify(container);
  SK_TRY(arch::OpenedModel opened, arch::open_model(container, what, name));
  auto architecture = std::move(opened.architecture);
  arch::NamedTensors& tensors = opened.model.tensors;
  SK_TRY(std::vector<io::ModelFiles> adapters, merge_adapters(options.adapters, tensors));
  SK_TRY_STATUS(check_tuned_shapes(tensors, architecture->state(), name));
  SK_TRY(std::vector<ops::WeightData> weights, arch::collect_weights(*architecture, tensors, name));

  ModelInfo info;
  info.file = path.string();
  info.format = files.description();
  info.design = what.design->id;
  info.title = what.title();
  info.naming = what.naming;
  info.device = backend->describe();
  info.numerics = backend->has_fast_rows(weights) ? options.numerics : Numerics::exact;
  info.dimensions = architecture->dimensions();
  info.parameters = what.parameters;
  info.trained_context = trained_context(name);
  info.notes = container.notes;
  if (options.numerics != info.numerics)
    info.notes.push_back("the device has no fast way with these weights; numerics are exact");
  auto unknown = arch::unknown_tensors(*architecture, tensors);
  std::erase_if(unknown, [](const std::string& tensor) { return arch::is_tuned_state(tensor); });
  if (!unknown.empty())
    info.notes.push_back(fmt::format("{} tensors that {} does not have were ignored: {}{}",
                                     unknown.size(), info.design, escaped(unknown[0], 80),
                                     unknown.size() > 1 ? " ..." : ""));

  ops::Program program = architecture->forward();
  info.state_bytes = program.state_bytes();
  const int64_t chunk = options.chunk ? options.chunk : Model::kDefaultChunk;
  info.two_plane = wanted_planes(options.two_plane, backend->coarse_head(program, weights),
                                 backend->needs(program, weights, chunk).host.weights);
  if (options.two_plane == TwoPlane::on && info.two_plane == TwoPlane::off)
    info.notes.push_back(
        "the head has no second plane: a copy in 8 bits would be no smaller, or does not fit it");
  MemoryEstimate memory = estimate(*backend, weights, program, chunk, info.two_plane);
  // What nobody asked for must not be what a machine is too small for.
  if (options.two_plane == TwoPlane::probed && memory_total() > 0 &&
      static_cast<uint64_t>(memory.peak()) > memory_total()) {
    info.two_plane = TwoPlane::off;
    memory = estimate(*backend, weights, program, chunk, TwoPlane::off);
  }
  return Prepared{std::move(backend),  std::move(files),
                  std::move(adapters), what.design,
                  std::move(tensors),  std::move(architecture),
                  std::move(weights),  std::move(program),
                  std::move(info),     memory};
}

std::vector<Model::WeightName> names_of(const arch::Architecture& architecture,
                                        std::span<const ops::WeightData> weights) {
  std::unordered_map<std::string, arch::WeightClass> kinds;
  for (const arch::WeightSpec& spec : architecture.weights()) kinds[spec.name] = spec.kind;
  std::vector<Model::WeightName> names;
  for (const ops::WeightData& weight : weights) {
    const std::string whole = weight.name.substr(0, weight.name.find('['));  // "att.w1[2]"
    names.push_back({weight.name, kinds[whole]});
  }
  return names;
}

}  // namespace

int64_t MemoryEstimate::peak(int64_t sequences) const {
  constexpr int64_t kProgram = int64_t{10} << 20;  // this program and its libraries
  // Packing and computing do not overlap, so the larger of their needs counts.
  return kProgram + host.weights +
         std::max(host.packing, host.step + host.state + sequences * (2 * host.state + logits));
}

int64_t MemoryEstimate::device_peak(int64_t sequences) const {
  return device.weights +
         std::max(device.packing, device.step + (1 + 2 * sequences) * device.state);
}

Model::Model(io::ModelFiles files, ModelInfo info, int chunk)
    : files_(std::move(files)),
      info_(std::move(info)),
      chunk_(static_cast<size_t>(chunk ? chunk : kDefaultChunk)),
      intact_([this] { return files_.intact(); }) {}

Model::~Model() = default;

const std::filesystem::path& Model::path() const { return files_.path(); }

Result<std::shared_ptr<Model>> Model::open(const std::filesystem::path& path,
                                           const ModelOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  SK_TRY(Prepared ready, prepare(path, options));
  auto model = std::shared_ptr<Model>(
      new Model(std::move(ready.files), std::move(ready.info), options.chunk));
  SK_TRY(model->threads_, thread_count(options.threads));
  if (options.before_load) options.before_load(model->info_, ready.memory);
  if (const uint64_t total = memory_total();
      total > 0 && static_cast<uint64_t>(ready.memory.peak()) > total)
    return fail(Code::memory, "{}: needs {:.1f} GiB, this process may have {:.1f} GiB",
                model->files_.name(), static_cast<double>(ready.memory.peak()) / (1 << 30),
                static_cast<double>(total) / (1 << 30));

  const int64_t total = static_cast<int64_t>(model->files_.total_bytes());
  const ops::Progress progress = [&](int64_t done) {
    return !options.progress || options.progress(std::min(done, total), total);
  };
  const auto done = [&](const ops::WeightData& weight) {
    model->files_.drop(weight.tensor.storage);
  };
  const std::string name = model->files_.name();
  // Before the weights are packed, which is when the pages that it reads are let go of again.
  SK_TRY(model->info_.fingerprint,
         in_file(name, fingerprint(*ready.architecture, ready.tensors, model->threads_)));
  SK_TRY(model->executable_,
         in_file(name, ready.backend->compile(ready.program, ready.weights, done, progress)));
  SK_TRY(model->layout_,
         make_layout(*ready.architecture, ready.tensors, model->executable_->states(),
                     ready.design->id, model->info_.fingerprint, name));
  const bool whole = std::all_of(ready.adapters.begin(), ready.adapters.end(),
                                 [](const io::ModelFiles& file) { return file.intact(); });
  if (!model->files_.intact() || !whole)
    return fail(Code::io, "{}: became shorter while it was loaded; load it again when it is whole",
                model->files_.name());
  if (options.progress) options.progress(total, total);

  model->weight_names_ = names_of(*ready.architecture, ready.weights);
  model->backend_ = std::move(ready.backend);
  const ops::Op& head = ready.program.head();
  model->head_input_ = ready.program.values[static_cast<size_t>(head.in[0])].width;
  SK_TRY_STATUS(model->choose_sparse(options.sparse, ready.program));
  SK_TRY_STATUS(model->prepare_second_plane());
  model->info_.weight_bytes = model->executable_->weight_bytes();
  model->info_.sparse = model->executable_->skips_zeros();
  model->info_.bytes_per_token = model->executable_->bytes_per_token();
  model->info_.flops_per_token = model->executable_->flops_per_token();
  model->info_.load_seconds =
      std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
  return model;
}

namespace {

// Above this share of units that are not zero, panels are the faster way for some types and sizes.
constexpr double kWorthSkipping = 0.3;

}  // namespace

Status Model::choose_sparse(Sparse choice, const ops::Program& program) {
  if (choice == Sparse::on && !executable_->can_skip_zeros())
    info_.notes.push_back(
        "zeros cannot be skipped: no matrix behind a squared ReLU can be rearranged "
        "(those of packed files and of NF4, INT8 and MXFP4 cannot)");
  if (choice == Sparse::off || !executable_->can_skip_zeros()) return {};
  std::set<std::string> units;
  for (const ops::Op& op : program.ops)
    if (op.function == ops::Unary::relu2)
      units.insert(program.values[static_cast<size_t>(op.out)].name);
  std::vector<int32_t> tokens(4);
  for (size_t i = 0; i < tokens.size(); ++i)
    tokens[i] = static_cast<int32_t>((i * 7919 + 17) % static_cast<size_t>(vocab()));
  int64_t active = 0, all = 0;
  const ops::Trace count = [&](const ops::Value& value, std::span<const float> data) {
    if (!units.contains(value.name)) return;
    all += static_cast<int64_t>(data.size());
    active += static_cast<int64_t>(data.size()) - std::count(data.begin(), data.end(), 0.0f);
  };
  State state = new_state();
  SK_TRY_STATUS(trace(state, tokens, Want::none, nullptr, count));
  const double share = all > 0 ? static_cast<double>(active) / static_cast<double>(all) : 1;
  return choice == Sparse::on || share < kWorthSkipping ? executable_->skip_zeros(share) : Status();
}

// What is known now that the weights are packed; `on` makes the plane at once.
Status Model::prepare_second_plane() {
  const ops::CoarseHeadCost cost = executable_->coarse_head();
  info_.two_plane = wanted_planes(info_.two_plane, cost, executable_->bytes_per_token());
  if (info_.two_plane == TwoPlane::off) return {};
  info_.second_plane_bytes = cost.bytes;
  info_.second_plane_saves = cost.saved;
  if (info_.two_plane == TwoPlane::probed) return {};
  const auto made = logit_bounds();
  if (made) return {};
  if (made.error().code != Code::unsupported)
    return in_file(files_.name(), Status(tl::unexpected(made.error())));
  info_.notes.push_back("the head has no second plane: " + made.error().message);
  info_.two_plane = TwoPlane::off;
  return {};
}

Result<ModelOutline> Model::outline(const std::filesystem::path& path,
                                    const ModelOptions& options) {
  SK_TRY(Prepared ready, prepare(path, options));
  return ModelOutline{std::move(ready.info), ready.memory, ready.files.container().metadata};
}

Result<std::shared_ptr<const StateLayout>> Model::read_layout(const std::filesystem::path& path) {
  // The layout is the same on every device; this backend needs no threads.
  SK_TRY(const Prepared ready, prepare(path, {.device = "reference"}));
  const std::string name = path.filename().string();
  SK_TRY(const Digest digest, in_file(name, fingerprint(*ready.architecture, ready.tensors, 1)));
  return make_layout(*ready.architecture, ready.tensors, ops::HostStates::of(ready.program.slots),
                     ready.design->id, digest, name);
}

}  // namespace skein
