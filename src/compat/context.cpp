#include "compat/context.h"

#include "compat/diagnosis.h"
#include "compat/errors.h"
#include "cpu/dispatch.h"

using namespace skein;
using namespace skein::compat;

namespace {

constexpr uint32_t kMaxThreads = INT32_MAX;

Outcome<void> check_threads(uint32_t count) {
  if (count == 0 || count > kMaxThreads)
    return failure(RWKV_ERROR_ARGS, fmt::format("{} threads; it has to be at least 1", count));
  return {};
}

std::string system_info() {
  std::string out = "Skein " SKEIN_VERSION;
  const auto chosen = cpu::kernels();
  out += fmt::format(" | kernels={}", chosen ? (*chosen)->name : "none");
  for (const cpu::Isa& isa : cpu::instruction_sets())
    out += fmt::format(" | {}={}", isa.kernels->name, isa.supported ? 1 : 0);
  return out;
}

}  // namespace

rwkv_context* rwkv_init_from_file(const char* model_file_path, uint32_t n_threads,
                                  uint32_t n_gpu_layers) {
  rwkv_context* out = nullptr;
  guarded(nullptr, [&]() -> Outcome<void> {
    SK_TRY_STATUS(require(model_file_path, "model_file_path"));
    SK_TRY_STATUS(check_threads(n_threads));
    ModelOptions options;
    options.threads = static_cast<int>(n_threads);
    if (n_gpu_layers == 0) options.device = "cpu";
    auto model = Model::open(model_file_path, options);
    if (!model) return tl::unexpected(opening_failure(model_file_path, std::move(model).error()));
    auto context = std::make_unique<rwkv_context>(std::move(*model));
    context->print_errors = rwkv_get_print_errors(nullptr);
    out = context.release();
    return {};
  });
  return out;
}

rwkv_context* rwkv_clone_context(rwkv_context* ctx, uint32_t n_threads) {
  rwkv_context* out = nullptr;
  guarded(nullptr, [&]() -> Outcome<void> {
    SK_TRY_STATUS(require(ctx, "ctx"));
    SK_TRY_STATUS(check_threads(n_threads));
    auto context = std::make_unique<rwkv_context>(ctx->model);
    context->print_errors = ctx->print_errors.load();
    out = context.release();
    return {};
  });
  return out;
}

void rwkv_free(rwkv_context* ctx) { delete ctx; }

size_t rwkv_get_n_vocab(const rwkv_context* ctx) {
  return ctx ? static_cast<size_t>(ctx->model->vocab()) : 0;
}

size_t rwkv_get_n_embed(const rwkv_context* ctx) {
  return ctx ? static_cast<size_t>(ctx->model->info().dimensions.width) : 0;
}

size_t rwkv_get_n_layer(const rwkv_context* ctx) {
  return ctx ? static_cast<size_t>(ctx->model->info().dimensions.layers) : 0;
}

size_t rwkv_get_state_len(const rwkv_context* ctx) {
  return ctx ? static_cast<size_t>(ctx->model->state_layout()->numbers()) : 0;
}

size_t rwkv_get_logits_len(const rwkv_context* ctx) { return rwkv_get_n_vocab(ctx); }

uint32_t rwkv_get_state_buffer_element_count(const rwkv_context* ctx) {
  return static_cast<uint32_t>(rwkv_get_state_len(ctx));
}

uint32_t rwkv_get_logits_buffer_element_count(const rwkv_context* ctx) {
  return static_cast<uint32_t>(rwkv_get_logits_len(ctx));
}

const char* rwkv_get_system_info_string(void) {
  try {
    static const std::string text = system_info();
    return text.c_str();
  } catch (const std::exception&) {
    return "Skein " SKEIN_VERSION;
  }
}
