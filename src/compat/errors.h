// The border of librwkv: Results and exceptions in, rwkv.cpp's flags out.
#pragma once

#include <exception>
#include <new>
#include <stdexcept>
#include <string>
#include <utility>

#include "base/error.h"
#include "skein/compat/rwkv.h"

namespace skein::compat {

constexpr rwkv_error_flags operator|(rwkv_error_flags where, rwkv_error_flags what) {
  return static_cast<rwkv_error_flags>(static_cast<int>(where) | static_cast<int>(what));
}

struct Failure {
  rwkv_error_flags flags = RWKV_ERROR_NONE;
  std::string message;

  Failure(rwkv_error_flags kind, std::string text) : flags(kind), message(std::move(text)) {}
  // By the code alone, where nothing better is known. Not explicit: SK_TRY hands errors on.
  Failure(Error error);
};

template <typename T>
using Outcome = tl::expected<T, Failure>;

inline tl::unexpected<Failure> failure(rwkv_error_flags flags, std::string message) {
  return tl::unexpected<Failure>(Failure(flags, std::move(message)));
}

// `context` may be null: then it is this thread's error and the process' setting.
void begin(const rwkv_context* context) noexcept;
void remember(const rwkv_context* context, rwkv_error_flags flags, const char* message) noexcept;

// Runs `body`, which returns an Outcome<void>. Nothing but a bool gets out.
template <typename Body>
bool guarded(const rwkv_context* context, const Body& body) noexcept {
  begin(context);
  try {
    const Outcome<void> outcome = body();
    if (!outcome) remember(context, outcome.error().flags, outcome.error().message.c_str());
    return outcome.has_value();
  } catch (const std::bad_alloc&) {
    remember(context, RWKV_ERROR_CTX | RWKV_ERROR_ALLOC, "not enough memory");
  } catch (const std::length_error&) {  // a vector of more bytes than there can be
    remember(context, RWKV_ERROR_CTX | RWKV_ERROR_ALLOC, "not enough memory");
  } catch (const std::exception& error) {
    remember(context, RWKV_ERROR_GRAPH, error.what());
  } catch (...) {
    remember(context, RWKV_ERROR_GRAPH, "an exception of unknown type");
  }
  return false;
}

// Error: ARGS, naming the parameter.
Outcome<void> require(const void* pointer, const char* name);

}  // namespace skein::compat
