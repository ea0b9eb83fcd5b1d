// The answer of /v1/responses, whole or as the events of its API.
#pragma once

#include <memory>

#include "server/routes/response_request.h"
#include "server/text_reply.h"

namespace skein::server {

std::shared_ptr<Reply> make_response_reply(ReplyPlan plan, ResponsePlan response,
                                           const Responses& responses);

}  // namespace skein::server
