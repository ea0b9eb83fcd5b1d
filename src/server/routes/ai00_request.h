// Bodies of Ai00's /api/oai to orders for a host.
#pragma once

#include "server/generation_request.h"
#include "server/question.h"

namespace skein::server {

Asked<GenerationRequest> read_ai00_chat(const Served& served, const Defaults& defaults,
                                        const Json& body, const History& history);
Asked<GenerationRequest> read_ai00_completion(const Served& served, const Defaults& defaults,
                                              const Json& body, const History& history);

// `input` or `prompt`: a text, or a list of texts that are one.
Asked<std::string> read_ai00_text(Fields& fields, std::string_view name);
// Where a body names the state that it goes on from, by its id or its name, or that it names none.
// Errors: 501 of numbers that stand there themselves.
Asked<FieldNames> ai00_state(const Json& body);
// The same as a history.
Asked<History> open_ai00_history(Service& service, const Exchange& exchange, const Question& asked);

}  // namespace skein::server
