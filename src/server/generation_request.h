// Bodies of /v1/chat/completions and /v1/completions to orders for a host. Everything that can be
// wrong with a request is found here, before the first byte of an answer.
#pragma once

#include <vector>

#include "server/fields.h"
#include "server/served.h"
#include "server/text_reply.h"

namespace skein::server {

struct GenerationRequest {
  std::vector<Order> orders;
  ReplyPlan plan;  // all but the exchange and the id
};

Asked<GenerationRequest> read_chat_request(const Served& served, const Defaults& defaults,
                                           const Json& body);
Asked<GenerationRequest> read_completion_request(const Served& served, const Defaults& defaults,
                                                 const Json& body);

// The messages as the model sees them.
struct RenderedChat {
  text::Prompt prompt;       // without the opening
  std::string opening;       // what the answer is made to begin with
  std::vector<int32_t> ids;  // of both
  bool goes_on = false;      // the last message is an answer, whose rest is asked for
  text::ThinkMode think = text::ThinkMode::none;
};
Asked<RenderedChat> render_chat(const Served& served, const Json& body);

// What both have: sampling, stops, streaming, and a refusal of what would change the answer and is
// not offered.
struct CommonFields {
  Sampling sampling;
  bool seeded = false;  // by the request
  GenerateOptions options;
  size_t choices = 1;
  bool stream = false;
  bool include_usage = false;
  int64_t ping_seconds = 0;
};
Asked<CommonFields> read_common_fields(const Served& served, const Defaults& defaults,
                                       text::ThinkMode think, Fields& fields);

}  // namespace skein::server
