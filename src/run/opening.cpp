// From a file to a model that is ready to run: what it is, what it will need, its weights packed.
#include "run/opening.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <unordered_map>
#include <utility>

#include "backends/backends.h"
#include "base/bytes_text.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/platform.h"
#include "base/pool.h"
#include "ops/expand.h"
#include "ops/host_states.h"
#include "quant/read.h"
#include "run/state_file.h"

namespace skein {
namespace {

// A file's or folder's own name.
std::filesystem::path last_part(const std::filesystem::path& path) {
  const std::filesystem::path normal = path.lexically_normal();
  return normal.has_filename() ? normal.filename() : normal.parent_path().filename();
}

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

Opening::Opening(ModelSource source, ModelOptions options, std::unique_ptr<ops::Backend> backend)
    : source_(std::move(source)), options_(std::move(options)), backend_(std::move(backend)) {
  // What the device has no kernel for becomes what it has.
  program_ = ops::expand(source_.architecture->forward(),
                         [&](const ops::Op& op) { return backend_->computes(op); });
  info_.file = source_.files.path().string();
  info_.format = source_.files.description();
  info_.design = source_.what.design->id;
  info_.title = source_.what.title();
  info_.naming = source_.what.naming;
  info_.device = backend_->describe();
  info_.dimensions = source_.architecture->dimensions();
  info_.parameters = source_.what.parameters;
  info_.trained_context = trained_context(last_part(source_.files.path()).string());
  info_.notes = source_.container().notes;
  info_.state_bytes = program_.state_bytes();
  auto unknown = arch::unknown_tensors(*source_.architecture, source_.model.tensors);
  std::erase_if(unknown, [](const std::string& tensor) { return arch::is_tuned_state(tensor); });
  if (!unknown.empty())
    info_.notes.push_back(fmt::format("{} tensors that {} does not have were ignored: {}{}",
                                      unknown.size(), info_.design, escaped(unknown[0], 80),
                                      unknown.size() > 1 ? " ..." : ""));
  prospect_ = prospect_of(*backend_, program_, source_.weights, options_, text());
  info_.numerics = prospect_.numerics;
  info_.two_plane = prospect_.two_plane;
}

int64_t Opening::text() const {
  return text_bytes(source_.container().metadata, program_.value(program_.logits).width);
}

Result<Prospect> Opening::prospect_as(std::string_view type) const {
  SK_TRY(const auto weights, weights_as(*source_.architecture, source_.weights, type));
  Prospect out = prospect_of(*backend_, program_, weights, options_, text());
  out.type = type;
  return out;
}

Result<double> Opening::token_seconds(std::string_view type) const {
  if (type.empty()) return backend_->product_seconds(source_.weights);
  SK_TRY(const auto weights, weights_as(*source_.architecture, source_.weights, type));
  return backend_->product_seconds(weights);
}

Status Opening::fits() const {
  const AddressSpace space = address_space();
  // What is mapped and allocated already stays, but for the file if another one is opened instead.
  const uint64_t own_file = space.counts_files ? source_.files.total_bytes() : 0;
  const auto of_space = [&](const Prospect& one, uint64_t file) {
    return space.used - std::min(space.used, own_file) + (space.counts_files ? file : 0) +
           static_cast<uint64_t>(one.memory.allocated());
  };
  if (of_space(prospect_, own_file) > space.limit)
    return does_not_fit(of_space(prospect_, own_file), " of address space",
                        {space.limit, space.what}, [&](const Prospect& one) {
                          return of_space(one, static_cast<uint64_t>(one.tensor_bytes)) <=
                                 space.limit;
                        });
  // Pages of the file can be read again and the machine's others swapped: slow, and no refusal.
  const MemoryLimit limit = memory_limit();
  const auto fits = [&](const Prospect& one) {
    const int64_t stays = one.memory.peak() - one.memory.host.mapped;
    return limit.bytes == 0 || static_cast<uint64_t>(stays) <= limit.bytes + limit.swap;
  };
  if (fits(prospect_)) return {};
  return does_not_fit(static_cast<uint64_t>(memory().peak()), "", limit, fits);
}

Status Opening::does_not_fit(uint64_t needs, std::string_view of, const MemoryLimit& limit,
                             const std::function<bool(const Prospect&)>& fits) const {
  std::string advice = "no type is small enough";
  for (const std::string_view type : usual_types()) {
    const auto other = prospect_as(type);
    if (!other || other->memory.peak() >= memory().peak() || !fits(*other)) continue;
    advice = fmt::format("quantise to {}, which needs {}", type,
                         bytes_text(static_cast<double>(other->memory.peak())));
    break;
  }
  return fail(Code::memory, "{}: does not fit: needs {}{}, {} allowed ({}); {}", source_.name(),
              bytes_text(static_cast<double>(needs)), of,
              bytes_text(static_cast<double>(limit.bytes)), limit.what, advice);
}

namespace {

// What can be wrong with the options, before any file is read.
Result<std::unique_ptr<ops::Backend>> backend_for(const ModelOptions& options) {
  SK_TRY_STATUS(check_chunk(options.chunk));
  return backends::open_device(options.device, {.threads = options.threads, .isa = options.isa});
}

}  // namespace

Result<Opening> Opening::look(const std::filesystem::path& path, const ModelOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  SK_TRY(auto backend, backend_for(options));
  SK_TRY(ModelSource source, ModelSource::open(path, options.adapters));
  return look(std::move(source), options, std::move(backend), started);
}

Result<Opening> Opening::look(ModelSource source, const ModelOptions& options) {
  const auto started = std::chrono::steady_clock::now();
  SK_TRY(auto backend, backend_for(options));
  return look(std::move(source), options, std::move(backend), started);
}

Result<Opening> Opening::look(ModelSource source, const ModelOptions& options,
                              std::unique_ptr<ops::Backend> backend,
                              std::chrono::steady_clock::time_point started) {
  SK_TRY_STATUS(
      check_tuned_shapes(source.model.tensors, source.architecture->state(), source.name()));
  Opening out(std::move(source), options, std::move(backend));
  out.info_.load_seconds = seconds_since(started);
  return out;
}

Result<std::shared_ptr<Model>> Opening::load(const LoadProgress& progress) && {
  const auto started = std::chrono::steady_clock::now();
  const std::string name = source_.name();
  SK_TRY_STATUS(fits());
  SK_TRY(const int threads, thread_count(options_.threads));
  // Whose matrices are computed with where they lie.
  if (source_.container().format == Format::packed)
    for (const File& file : source_.files.files()) file.read_often();
  for (const ops::WeightData& weight : source_.weights)
    if (weight.present && weight.use == ops::WeightUse::table)
      source_.files.read_in_places(weight.tensor.storage);
  // Before the weights are packed, which is when the pages that it reads are let go of again.
  SK_TRY(info_.fingerprint,
         in_file(name, fingerprint(*source_.architecture, source_.model.tensors, threads)));

  const int64_t total = static_cast<int64_t>(source_.files.total_bytes());
  const ops::CompileOptions compile = {
      .sparse = options_.sparse,
      .two_plane = options_.two_plane == TwoPlane::probed ? info_.two_plane : options_.two_plane,
      .done = [&](const ops::WeightData& weight) { source_.files.drop(weight.tensor.storage); },
      .progress =
          [&](int64_t done) { return !progress || progress(std::min(done, total), total); }};
  SK_TRY(auto executable, in_file(name, backend_->compile(program_, source_.weights, compile)));
  SK_TRY(auto layout,
         make_layout(*source_.architecture, source_.model.tensors, executable->states(),
                     source_.what.design->id, info_.fingerprint, name));
  if (!source_.intact())
    return fail(Code::io, "{}: became shorter while it was loaded; load it again when it is whole",
                name);
  if (progress) progress(total, total);

  const ops::Executable::Facts facts = executable->facts();
  info_.weight_bytes = facts.weight_bytes;
  info_.sparse = facts.skips_zeros;
  info_.bytes_per_token = facts.bytes_per_token;
  info_.flops_per_token = facts.flops_per_token;
  info_.notes.insert(info_.notes.end(), facts.notes.begin(), facts.notes.end());
  if (options_.numerics != info_.numerics)
    info_.notes.push_back("the device has no fast way with these weights; numerics are exact");
  info_.two_plane = TwoPlane::off;
  if (ops::SecondPlane* plane = executable->second_plane()) {
    info_.two_plane = compile.two_plane;
    info_.second_plane_bytes = plane->cost().bytes;
    info_.second_plane_saves = plane->cost().saved;
  }
  info_.load_seconds += seconds_since(started);  // and what looking took

  auto model = std::shared_ptr<Model>(new Model(std::move(source_.files), std::move(info_)));
  model->chunk_ = static_cast<size_t>(options_.chunk ? options_.chunk : Model::kDefaultChunk);
  model->threads_ = threads;
  model->has_second_plane_ = model->info_.two_plane == TwoPlane::on;  // made with the rest
  model->weight_names_ = names_of(*source_.architecture, source_.weights);
  model->head_input_ = program_.value(program_.head().in[0]).width;
  SK_CHECK(model->head_input_ == model->info_.dimensions.width);  // what is said of hidden states
  model->layout_ = std::move(layout);
  model->backend_ = std::move(backend_);
  model->executable_ = std::move(executable);
  return model;
}

Result<std::shared_ptr<Model>> Model::open(const std::filesystem::path& path,
                                           const ModelOptions& options) {
  SK_TRY(Opening opening, Opening::look(path, options));
  return std::move(opening).load(options.progress);
}

Result<std::shared_ptr<const StateLayout>> Model::read_layout(const std::filesystem::path& path) {
  SK_TRY(const ModelSource source, ModelSource::open(path));
  const std::string name = source.name();
  SK_TRY(const Digest digest,
         in_file(name, fingerprint(*source.architecture, source.model.tensors, 1)));
  const ops::Program program = source.architecture->forward();
  return make_layout(*source.architecture, source.model.tensors, ops::HostStates::of(program.slots),
                     source.what.design->id, digest, name);
}

}  // namespace skein
