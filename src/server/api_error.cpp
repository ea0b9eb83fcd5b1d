#include "server/api_error.h"

namespace skein::server {
namespace {

bool is_below(std::string_view path, std::string_view folder) {
  return path.starts_with(folder) && (path.size() == folder.size() || path[folder.size()] == '/');
}

// Anthropic has names of its own for some.
std::string_view anthropic_type(int status) {
  switch (status) {
    case 413: return "request_too_large";
    case 503: return "overloaded_error";
    default: return status < 500 ? error_type(status) : "api_error";
  }
}

// Who reads only a sentence is told the field in it.
std::string sentence_of(const ApiError& error) {
  if (error.param.empty() || error.message.find(error.param) != std::string::npos)
    return error.message;
  return fmt::format("{}: {}", error.param, error.message);
}

}  // namespace

ErrorForm error_form_of(std::string_view path) {
  if (is_below(path, "/v1/messages")) return ErrorForm::anthropic;
  if (!is_below(path, "/api")) return ErrorForm::openai;
  // Ai00's stand below the same.
  for (const std::string_view other : {"/api/oai", "/api/adapters", "/api/models", "/api/auth"})
    if (is_below(path, other)) return ErrorForm::openai;
  return ErrorForm::ollama;
}

std::string_view error_type(int status) {
  switch (status) {
    case 401: return "authentication_error";
    case 403: return "permission_error";
    case 404: return "not_found_error";
    case 429: return "rate_limit_error";
    case 501: return "not_supported_error";
    case 503: return "unavailable_error";
    default: return status < 500 ? "invalid_request_error" : "server_error";
  }
}

void write_error(JsonWriter& json, const ApiError& error) {
  json.begin_object().member("message", error.message).member("type", error_type(error.status));
  json.key("param");
  error.param.empty() ? json.null() : json.value(error.param);
  json.key("code");
  error.code.empty() ? json.null() : json.value(error.code);
  json.end_object();
}

std::string error_text(const ApiError& error, ErrorForm form) {
  JsonWriter json;
  json.begin_object();
  if (form == ErrorForm::ollama)
    return json.member("error", sentence_of(error)).end_object().text();
  if (form == ErrorForm::anthropic) {
    json.member("type", "error").key("error").begin_object();
    json.member("type", anthropic_type(error.status)).member("message", sentence_of(error));
    return json.end_object().end_object().text();
  }
  write_error(json.key("error"), error);
  if (!error.state.empty()) json.key("state").raw(error.state);
  return json.end_object().text();
}

Response error_response(const ApiError& error, ErrorForm form) {
  Response out{.status = error.status, .body = error_text(error, form)};
  if (error.retry_seconds > 0)
    out.fields.push_back({"Retry-After", fmt::format("{}", error.retry_seconds)});
  // Clients repeat whatever begins with a 5.
  if (!error.may_retry || error.status == 501) out.fields.push_back({"x-should-retry", "false"});
  return out;
}

ApiError api_error(const Error& error) {
  switch (error.code) {
    case Code::argument: return {.status = 400, .message = error.message};
    case Code::unsupported: return {.status = 501, .message = error.message};
    case Code::memory: return {.status = 503, .message = "not enough memory", .retry_seconds = 1};
    // A 500 would be asked for again, and the same numbers come of it.
    case Code::corrupt:
      return {.status = 400, .message = error.message, .code = "numeric_error", .may_retry = false};
    default: return {.status = 500, .message = error.message, .may_retry = false};
  }
}

}  // namespace skein::server
