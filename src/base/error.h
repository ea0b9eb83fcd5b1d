// Errors are values: what a file, a request or a device did wrong comes back as a Result.
#pragma once

#include <fmt/format.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace skein {

// The numbers are those of the C API (include/skein/skein.h), which opens no connection and so has
// no `network`.
enum class Code : int {
  argument = 1,     // the caller's mistake
  corrupt = 2,      // a file that contradicts itself
  unsupported = 3,  // well formed, but nothing we can run
  mismatch = 4,     // readable, but it does not fit the model or its neighbours
  memory = 5,
  io = 6,
  device = 7,
  internal = 8,
  network = 9,  // another machine cannot be reached, refuses, or sends something else
};

// "corrupt", "mismatch" ... for JSON output and tests.
const char* code_name(Code code);

struct Error {
  Code code = Code::internal;
  std::string message;  // one sentence with the facts: what, where, and what to do if that is known
};

template <typename T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

// Made without any memory, for where that ran out.
inline tl::unexpected<Error> no_memory() noexcept {
  return tl::unexpected<Error>(Error{Code::memory, "out of memory"});
}

template <typename... Args>
[[nodiscard]] tl::unexpected<Error> fail(Code code, fmt::format_string<Args...> text,
                                         Args&&... args) {
  return tl::unexpected<Error>(Error{code, fmt::format(text, std::forward<Args>(args)...)});
}

// Bytes of a stranger's file as they may be printed: control characters and invalid UTF-8 become
// \xhh, and more than `limit` bytes end in "...".
std::string escaped(std::string_view bytes, size_t limit = 256);

}  // namespace skein

#define SK_CONCAT_(a, b) a##b
#define SK_CONCAT(a, b) SK_CONCAT_(a, b)

// SK_TRY(auto file, File::map(path)): the value, or return its error.
#define SK_TRY(declaration, ...)                                                 \
  auto SK_CONCAT(sk_result_, __LINE__) = (__VA_ARGS__);                          \
  if (!SK_CONCAT(sk_result_, __LINE__))                                          \
    return ::tl::unexpected(std::move(SK_CONCAT(sk_result_, __LINE__)).error()); \
  declaration = std::move(*SK_CONCAT(sk_result_, __LINE__))

// SK_TRY_STATUS(write(...)): go on, or return its error.
#define SK_TRY_STATUS(...)                        \
  if (auto sk_status = (__VA_ARGS__); !sk_status) \
  return ::tl::unexpected(std::move(sk_status).error())
