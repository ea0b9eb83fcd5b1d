// Bodies of Anthropic's /v1/messages to an order for a host.
#pragma once

#include "server/generation_request.h"

namespace skein::server {

Asked<GenerationRequest> read_message_request(const Served& served, const Defaults& defaults,
                                              const Json& body, const History& history);
// The same where nothing is answered, so that its length need not be said.
Asked<GenerationRequest> read_message_prompt(const Served& served, const Defaults& defaults,
                                             const Json& body, const History& history);

// `host`: that of the plan, whose states are looked for.
std::shared_ptr<Reply> make_message_reply(ReplyPlan plan, Host& host);

}  // namespace skein::server
