// What a request is told when it cannot be served, in the shape of the API that it speaks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/error.h"
#include "base/json.h"
#include "server/http.h"

namespace skein::server {

class WantedForm;

struct ApiError {
  int status = 400;
  std::string message;
  std::string param{};    // the field at fault, "messages[2].role"
  std::string code{};     // what programs look for, "model_not_found"
  bool may_retry = true;  // false: the same will come of it again, though the status says else
  int retry_seconds = 0;  // Retry-After
  // A JSON text of what is there all the same, beside the error; empty: nothing.
  std::string state{};
  // A model that is not there yet: nobody is told, and the request is served when it is.
  std::optional<size_t> waits_for{};
  // The same with the form of its answer.
  std::shared_ptr<WantedForm> waits_for_form{};
};

template <typename T>
using Asked = tl::expected<T, ApiError>;

// How an API writes its errors; what has no other's path has OpenAI's.
enum class ErrorForm : uint8_t {
  openai,     // {"error":{"message","type","param","code"}}
  anthropic,  // {"type":"error","error":{"type","message"}}
  ollama,     // {"error":"message"}
};
// Of everything below that path, whether there is a route or not.
ErrorForm error_form_of(std::string_view path);

// "invalid_request_error" and so on.
std::string_view error_type(int status);
// {"message","type","param","code"}.
void write_error(JsonWriter& json, const ApiError& error);
std::string error_text(const ApiError& error, ErrorForm form = ErrorForm::openai);
Response error_response(const ApiError& error, ErrorForm form);
// Of the engine and of files: what is the request's fault is 400.
ApiError api_error(const Error& error);

inline tl::unexpected<ApiError> refused(std::string message, std::string param = {}) {
  return tl::unexpected(ApiError{.message = std::move(message), .param = std::move(param)});
}

}  // namespace skein::server
