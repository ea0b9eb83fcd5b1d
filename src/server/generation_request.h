// Bodies of requests for an answer or a text to orders for a host. Everything that can be
// wrong with a request is found here, before the first byte of an answer.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "server/constraint_fields.h"
#include "server/fields.h"
#include "server/history.h"
#include "server/served.h"
#include "server/text_reply.h"
#include "server/tool_fields.h"

namespace skein::server {

struct GenerationRequest {
  std::vector<Order> orders;
  ReplyPlan plan;                                          // all but the exchange and the id
  std::function<std::shared_ptr<Reply>(ReplyPlan)> reply;  // in which form it is told
};

Asked<GenerationRequest> read_chat_request(const Served& served, const Defaults& defaults,
                                           const Json& body, const History& history = {});
// /v1/fim/completions, which is answered as a chat.
Asked<GenerationRequest> read_fill_in_request(const Served& served, const Defaults& defaults,
                                              const Json& body, const History& history);
Asked<GenerationRequest> read_completion_request(const Served& served, const Defaults& defaults,
                                                 const Json& body, const History& history = {});

// The messages as the model sees them.
struct RenderedChat {
  text::Prompt prompt;          // without the opening
  std::string opening;          // what the answer is made to begin with
  std::vector<int32_t> ids;     // of both
  size_t opening_ids = 0;       // how many of them are of the opening
  std::vector<size_t> ends;     // bytes of the prompt where the system text and the history end
  std::vector<size_t> asked{};  // and where the request asks for a state to be kept
  bool goes_on = false;         // the last message is an answer, whose rest is asked for
  AskedTools tools{};
  text::ThinkMode think = text::ThinkMode::none;
};
Asked<RenderedChat> render_chat(const Served& served, const Json& body);
// A list of messages. `where`: the field that they stand in.
Asked<std::vector<text::Message>> read_messages(const text::Profile& profile, const Json& list,
                                                const std::string& where = "messages");

// What both have: sampling, stops, streaming, and a refusal of what would change the answer and is
// not offered.
struct CommonFields {
  Sampling sampling;
  bool seeded = false;  // by the request
  GenerateOptions options;
  size_t choices = 1;
  bool shared = true;  // states are gone on from and kept
  bool stream = false;
  bool include_usage = false;
  int64_t ping_seconds = 0;
};
Asked<CommonFields> read_common_fields(const Served& served, const Defaults& defaults,
                                       text::ThinkMode think, Fields& fields);

// ---- What other protocols have of a text that is gone on with.
struct Completion {
  std::vector<std::vector<int32_t>> prompts;
  std::vector<std::string> texts;  // what they were cut from; "" or missing: they came as ids
  size_t made = 1;  // of each prompt; the best `CommonFields::choices` of them are shown
  bool echo = false;
  bool logprobs = false;
  size_t top = 0;  // likeliest tokens beside each
  bool token_ids = false;
  bool only_reads = false;
};
std::vector<std::string> texts_of(const Json& prompt);
// Errors: those of the form, and what would be too much for one answer.
Asked<GenerationRequest> completion_generation(const Served& served, CommonFields common,
                                               const AskedForm& form, Completion asked,
                                               const History& history);

// ---- What other protocols have of a chat.
std::optional<text::ThinkMode> mode_of_effort(std::string_view effort);
// The way of thinking that a request asks for, by any of the names that there are for it.
text::ThinkMode read_think(Fields& fields, text::ThinkMode otherwise);
int64_t read_think_budget(Fields& fields);
int64_t read_token_limit(Fields& fields, std::string_view name, int64_t otherwise);
// system (also called developer), user, assistant.
std::optional<text::Role> role_by_name(std::string_view name);
// A string, or a list of text parts. `where` names the field in a refusal.
Asked<std::string> read_content(const Json& content, const std::string& where);
// At least one message, unless a history is given. `param` is the field that they stand in.
Asked<RenderedChat> render_messages(const Served& served, std::span<const text::Message> messages,
                                    text::ThinkMode think, const std::string& param,
                                    const History& history = {});
// Errors: those of the form and of the tools' parameters.
Asked<GenerationRequest> chat_generation(const Served& served, RenderedChat chat,
                                         CommonFields common, AskedForm form,
                                         const History& history = {});

}  // namespace skein::server
