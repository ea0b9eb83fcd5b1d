#include "api/border.h"
#include "api/first_version.h"
#include "api/handles.h"
#include "api/sized.h"
#include "backends/backends.h"
#include "base/log.h"

using namespace skein;
using namespace skein::api;

namespace {

void log_opened(const ModelInfo& info) {
  log_line(LogLevel::info,
           fmt::format("{}: {}, {}, {}", escaped(info.file), info.title, info.format, info.device));
  for (const std::string& note : info.notes)
    log_line(LogLevel::warning, fmt::format("{}: {}", escaped(info.file), note));
}

constexpr size_t kAdapters = 1024;

Result<AdapterFile> parse_adapter(const sk_adapter& given) {
  SK_TRY_STATUS(require(given.path, "sk_adapter.path"));
  if (given.reserved != 0)
    return fail(Code::argument, "sk_adapter.reserved is {}, not 0", given.reserved);
  AdapterFile out;
  out.path = given.path;
  if (given.initial) out.initial = given.initial;
  if (given.only) out.options.pattern = given.only;
  if (given.alpha != 0) out.options.alpha = given.alpha;
  if (given.blend != 0) out.options.blend = given.blend;
  return out;
}

Result<Numerics> parse_numerics(int32_t numerics) {
  switch (numerics) {
    case SK_NUMERICS_EXACT: return Numerics::exact;
    case SK_NUMERICS_FAST: return Numerics::fast;
    default: return fail(Code::argument, "numerics is {}, it has to be 0 or 1", numerics);
  }
}

Result<Sparse> parse_sparse(int32_t sparse) {
  switch (sparse) {
    case SK_SPARSE_AUTO: return Sparse::probed;
    case SK_SPARSE_OFF: return Sparse::off;
    case SK_SPARSE_ON: return Sparse::on;
    default: return fail(Code::argument, "sparse is {}, it has to be 0, 1 or 2", sparse);
  }
}

Result<ModelOptions> parse_params(const sk_model_params& given) {
  if (given.reserved != 0)
    return fail(Code::argument, "sk_model_params.reserved is {}, not 0", given.reserved);
  ModelOptions out;
  out.threads = given.threads;
  out.chunk = given.chunk;
  if (given.device) out.device = given.device;
  if (given.isa) out.isa = given.isa;
  SK_TRY(out.numerics, parse_numerics(given.numerics));
  SK_TRY(out.sparse, parse_sparse(given.sparse));
  if (given.adapter_count > 0) SK_TRY_STATUS(require(given.adapters, "adapters"));
  if (given.adapter_count > kAdapters)
    return fail(Code::argument, "{} adapters, at most {} are allowed", given.adapter_count,
                kAdapters);
  for (const sk_adapter& adapter : std::span(given.adapters, given.adapter_count)) {
    SK_TRY(AdapterFile parsed, parse_adapter(adapter));
    out.adapters.push_back(std::move(parsed));
  }
  if (given.progress)
    out.progress = [progress = given.progress, user = given.progress_user](
                       int64_t done, int64_t total) { return progress(done, total, user) == 0; };
  return out;
}

}  // namespace

int32_t sk_device_count(size_t* count) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(count, "count"));
    *count = backends::devices().size();
    return {};
  });
}

int32_t sk_device_info(size_t index, struct sk_device_info* out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(out, "out"));
    const auto devices = backends::devices();
    if (index >= devices.size())
      return fail(Code::argument, "there is no device {}; there are {}", index, devices.size());
    struct sk_device_info value = {};
    value.name = devices[index].name;
    value.about = devices[index].about;
    return write_sized(value, first_version::kDeviceInfo, "sk_device_info", out);
  });
}

Result<Vocabulary> FoundVocabulary::of(const Model& model) {
  SK_TRY(const Turn::Held turn, turn_.take("the model's vocabulary"));
  if (!found_.tokenizer) {
    SK_TRY(const text::TokenizerPtr tokenizer, find_tokenizer(model, file_));
    auto traits = std::make_shared<const TokenTraits>(token_traits(
        model.vocab(), [&](int32_t id) { return tokenizer->bytes_of(id); }, tokenizer->ends()));
    found_ = {tokenizer, std::make_shared<Lexicon>(tokenizer), std::move(traits)};
  }
  return found_;
}

int32_t sk_model_open(const char* path, const sk_model_params* params, sk_model** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(path, "path"));
    SK_TRY_STATUS(require(out, "out"));
    sk_model_params given = {};
    if (params)
      SK_TRY_STATUS(read_sized(params, first_version::kModelParams, "sk_model_params", given));
    SK_TRY(const ModelOptions options, parse_params(given));
    auto handle = std::make_unique<sk_model>();
    handle->found = std::make_shared<FoundVocabulary>(given.vocab ? given.vocab : "");
    SK_TRY(handle->model, Model::open(path, options));
    log_opened(handle->model->info());
    *out = handle.release();
    return {};
  });
}

void sk_model_close(sk_model* model) { delete model; }

int32_t sk_model_info(const sk_model* model, struct sk_model_info* out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(model, "model"));
    SK_TRY_STATUS(require(out, "out"));
    const ModelInfo& info = model->model->info();
    struct sk_model_info value = {};
    value.vocab = model->model->vocab();
    value.title = info.title.c_str();
    value.design = info.design.c_str();
    value.format = info.format.c_str();
    value.device = info.device.c_str();
    value.layers = info.dimensions.layers;
    value.width = info.dimensions.width;
    value.heads = info.dimensions.heads;
    value.head_size = info.dimensions.head_size;
    value.inner = info.dimensions.inner;
    value.trained_context = info.trained_context;
    value.parameters = info.parameters;
    value.state_bytes = info.state_bytes;
    value.weight_bytes = info.weight_bytes;
    value.bytes_per_token = info.bytes_per_token;
    value.flops_per_token = info.flops_per_token;
    std::memcpy(value.fingerprint, info.fingerprint.data(), info.fingerprint.size());
    return write_sized(value, first_version::kModelInfo, "sk_model_info", out);
  });
}
