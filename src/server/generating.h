// The way of every request that is answered with a text, whichever API it speaks: from the body to
// where a host takes over, on a worker's thread.
#pragma once

#include <string_view>

#include "server/generation_request.h"
#include "server/question.h"

namespace skein::server {

struct Generating {
  std::string_view id;  // how the answer's begins: "chatcmpl-"
  Asked<GenerationRequest> (*read)(const Served&, const Defaults&, const Json& body,
                                   const History&);
  bool is_chat = false;
};

// With the fields of states and sessions that a body may have.
void generate(Service& service, const ExchangePtr& exchange, const Generating& how);

// From where the model is known and the body was read, for those that go on from something else.
void start_generation(Service& service, const ExchangePtr& exchange, const Question& asked,
                      History history, GenerationRequest request, const Generating& how);

}  // namespace skein::server
