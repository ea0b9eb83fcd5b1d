#include "api/border.h"
#include "api/handles.h"
#include "api/sized.h"
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

}  // namespace

Result<Vocabulary> sk_model::vocabulary() const {
  SK_TRY(const Turn::Held turn, turn_.take("the model's vocabulary"));
  if (!found_.tokenizer) {
    SK_TRY(const text::TokenizerPtr tokenizer, find_tokenizer(*model, vocab_file));
    auto traits = std::make_shared<const TokenTraits>(token_traits(
        model->vocab(), [&](int32_t id) { return tokenizer->bytes_of(id); }, tokenizer->ends()));
    found_ = {tokenizer, std::move(traits)};
  }
  return found_;
}

int32_t sk_model_open(const char* path, const sk_model_params* params, sk_model** out) {
  return guarded([&]() -> Status {
    SK_TRY_STATUS(require(path, "path"));
    SK_TRY_STATUS(require(out, "out"));
    sk_model_params given = {};
    if (params)
      SK_TRY_STATUS(read_sized(params, sizeof(sk_model_params), "sk_model_params", given));
    if (given.reserved != 0)
      return fail(Code::argument, "sk_model_params.reserved is {}, not 0", given.reserved);
    ModelOptions options;
    options.threads = given.threads;
    options.chunk = given.chunk;
    if (given.device) options.device = given.device;
    if (given.isa) options.isa = given.isa;
    if (given.progress)
      options.progress = [&](int64_t done, int64_t total) {
        return given.progress(done, total, given.progress_user) == 0;
      };

    auto handle = std::make_unique<sk_model>();
    handle->vocab_file = given.vocab ? given.vocab : "";
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
    return write_sized(value, sizeof value, "sk_model_info", out);
  });
}
