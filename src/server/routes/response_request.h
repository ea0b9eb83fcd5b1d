// Bodies of /v1/responses to an order for a host, and what an answer repeats of them.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "server/generation_request.h"
#include "server/routes/stored_response.h"

namespace skein::server {

struct ResponsePlan {
  std::string id, previous;
  std::string model;
  std::optional<std::string> instructions;
  Json metadata, tools, tool_choice, text, format;  // as they were given
  std::optional<int64_t> max_tokens;
  std::optional<std::string> effort, summary, user;
  double temperature = 0, top_p = 0;
  int64_t top_logprobs = 0;
  bool parallel_tool_calls = true;
  std::string truncation = "disabled";  // there is no window, so nothing is ever cut off
  bool store = true;
  bool logprobs = false;
  bool goes_on = false;
  std::vector<ResponseItem> input;
};

struct ResponseRequest {
  ResponsePlan plan;
  GenerationRequest generation;
};
Asked<ResponseRequest> read_response_request(const Served& served, const Defaults& defaults,
                                             const Responses& responses, std::string id,
                                             const Json& body);

// What became of it.
struct ResponseOutcome {
  std::string_view status = "in_progress";  // or "completed", "incomplete", "failed"
  int64_t created = 0;
  std::optional<int64_t> completed{};
  std::optional<ApiError> error{};
  struct Tokens {
    int64_t input = 0, cached = 0, output = 0, thoughts = 0;
  };
  std::optional<Tokens> tokens{};
  bool stored = false;
};
// The object of the API.
void write_response(JsonWriter& json, const ResponsePlan& plan, const ResponseOutcome& outcome,
                    const std::vector<ResponseItem>& output);

}  // namespace skein::server
