#include "compat/errors.h"

#include <atomic>
#include <cstdio>
#include <utility>

#include "compat/context.h"

namespace skein::compat {
namespace {

thread_local int last_error = RWKV_ERROR_NONE;
std::atomic<bool> print_errors = true;

rwkv_error_flags flags_of(Code code) {
  switch (code) {
    case Code::argument: return RWKV_ERROR_ARGS;
    case Code::corrupt: return RWKV_ERROR_FILE | RWKV_ERROR_DATA;
    case Code::unsupported: return RWKV_ERROR_MODEL | RWKV_ERROR_UNSUPPORTED;
    case Code::mismatch: return RWKV_ERROR_MODEL_PARAMS | RWKV_ERROR_SHAPE;
    case Code::memory: return RWKV_ERROR_CTX | RWKV_ERROR_ALLOC;
    case Code::io: return RWKV_ERROR_FILE | RWKV_ERROR_FILE_READ;
    case Code::device: return RWKV_ERROR_CTX;
    case Code::internal:
    case Code::network: return RWKV_ERROR_GRAPH;
  }
  return RWKV_ERROR_GRAPH;
}

}  // namespace

Failure::Failure(Error error) : Failure(flags_of(error.code), std::move(error.message)) {}

void begin(const rwkv_context* context) noexcept {
  if (context)
    context->last_error = RWKV_ERROR_NONE;
  else
    last_error = RWKV_ERROR_NONE;
}

void remember(const rwkv_context* context, rwkv_error_flags flags, const char* message) noexcept {
  if (context)
    context->last_error = flags;
  else
    last_error = flags;
  // Printing is what the caller of this interface asks for, and may switch off.
  if (rwkv_get_print_errors(context)) std::fprintf(stderr, "librwkv: %s\n", message);
}

Outcome<void> require(const void* pointer, const char* name) {
  if (!pointer) return failure(RWKV_ERROR_ARGS, fmt::format("{} is NULL", name));
  return {};
}

}  // namespace skein::compat

using namespace skein::compat;

void rwkv_set_print_errors(rwkv_context* ctx, bool print) {
  (ctx ? ctx->print_errors : print_errors) = print;
}

bool rwkv_get_print_errors(const rwkv_context* ctx) {
  return ctx ? ctx->print_errors : print_errors;
}

rwkv_error_flags rwkv_get_last_error(rwkv_context* ctx) {
  const int flags = ctx ? ctx->last_error.exchange(RWKV_ERROR_NONE)
                        : std::exchange(last_error, static_cast<int>(RWKV_ERROR_NONE));
  return static_cast<rwkv_error_flags>(flags);
}
