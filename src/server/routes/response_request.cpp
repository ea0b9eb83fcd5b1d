#include "server/routes/response_request.h"

#include <utility>

#include "base/limits.h"
#include "server/routes/response_input.h"

namespace skein::server {
namespace {

// Other histories and other models than the one that is asked: to ignore them would lose data.
void refuse_unknown_history(Fields& fields) {
  refuse_history(fields);
  if (fields.find("conversation"))
    fields.refuse("conversation",
                  "conversations are not kept here; previous_response_id goes on from a response");
  if (fields.find("prompt"))
    fields.refuse("prompt", "stored prompts are not kept here; input takes the text");
  if (fields.flag("background", false))
    fields.refuse("background", "responses are not made in the background; stream them");
}

void read_text(Fields& fields, ResponsePlan& plan) {
  const Json text = fields.find("text");
  if (!text) return;
  if (!text.object()) return fields.refuse("text", "text has to be an object");
  plan.text = text;
  if (const Json format = text.find("format"); format && !format.is_null()) plan.format = format;
}

text::ThinkMode read_reasoning(const Served& served, Fields& fields, ResponsePlan& plan) {
  text::ThinkMode mode = read_think(fields, served.think);
  const Json reasoning = fields.find("reasoning");
  if (!reasoning) return mode;
  Fields inside(reasoning);
  if (!reasoning.object()) fields.refuse("reasoning", "reasoning has to be an object");
  plan.effort = inside.string("effort");
  plan.summary = inside.string("summary");
  if (!plan.summary) plan.summary = inside.string("generate_summary");
  if (inside.error()) fields.refuse("reasoning." + inside.error()->param, inside.error()->message);
  if (!plan.effort) return mode;
  if (const auto found = mode_of_effort(*plan.effort)) return *found;
  fields.refuse("reasoning.effort", "effort has to be none, minimal, low, medium, high or xhigh");
  return mode;
}

void read_metadata(Fields& fields, ResponsePlan& plan) {
  plan.metadata = fields.find("metadata");
  if (!plan.metadata) return;
  const auto object = plan.metadata.object();
  bool right = object && object->size() <= limits::kMetadata;
  if (right)
    for (const auto& [name, value] : *object)
      right = right && name.size() <= limits::kMetadataNameBytes && value.string() &&
              value.string()->size() <= limits::kMetadataBytes;
  if (!right)
    fields.refuse(
        "metadata",
        fmt::format("metadata has to be an object of at most {} strings, of at most {} "
                    "bytes each, with names of at most {}",
                    limits::kMetadata, limits::kMetadataBytes, limits::kMetadataNameBytes));
}

void read_include(Fields& fields, ResponsePlan& plan) {
  const Json include = fields.find("include");
  if (!include) return;
  if (const auto object = include.object(); object && object->empty()) return;
  const auto list = include.array();
  if (!list) return fields.refuse("include", "include has to be a list of strings");
  for (const Json& each : *list) {
    if (!each.string()) return fields.refuse("include", "include has to be a list of strings");
    plan.logprobs = plan.logprobs || *each.string() == "message.output_text.logprobs";
  }
}

// What does not change the answer, and is told again.
void read_facts(Fields& fields, ResponsePlan& plan) {
  plan.instructions = fields.string("instructions");
  plan.previous = fields.reference("previous_response_id").value_or("");
  plan.user = fields.string("user");
  plan.store = fields.flag("store", true);
  plan.parallel_tool_calls = fields.flag("parallel_tool_calls", true);
  if (const Json tools = fields.find("tools"); tools.array()) plan.tools = tools;
  plan.tool_choice = fields.find("tool_choice");
  plan.truncation = fields.string("truncation").value_or("disabled");
  if (plan.truncation != "auto" && plan.truncation != "disabled")
    fields.refuse("truncation", "truncation has to be auto or disabled");
  read_metadata(fields, plan);
  read_include(fields, plan);
  plan.top_logprobs =
      fields.integer("top_logprobs", 0, static_cast<int64_t>(limits::kTopLogprobs)).value_or(0);
  plan.logprobs = plan.logprobs || plan.top_logprobs > 0;
}

}  // namespace

Asked<ResponseRequest> read_response_request(const Served& served, const Defaults& defaults,
                                             const Responses& responses, std::string id,
                                             const Json& body) {
  Fields fields(body);
  ResponseRequest out;
  ResponsePlan& plan = out.plan;
  plan.id = std::move(id);
  plan.model = served.host->name();
  refuse_unknown_history(fields);
  read_facts(fields, plan);
  read_text(fields, plan);
  const text::ThinkMode think = read_reasoning(served, fields, plan);
  if (fields.error()) return tl::unexpected(*fields.error());

  auto common = read_common_fields(served, defaults, think, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  common->choices = 1;
  common->options.max_tokens = read_token_limit(fields, "max_output_tokens", defaults.predict);
  if (fields.find("max_output_tokens")) plan.max_tokens = common->options.max_tokens;
  common->options.think_budget = read_think_budget(fields);
  common->options.logprobs = plan.logprobs;
  common->options.top_logprobs = static_cast<int32_t>(plan.top_logprobs);
  // As a request would say it that means the same: the likeliest token is temperature 0.
  const bool likeliest = common->sampling.top_p <= 0;
  plan.temperature = likeliest ? 0 : common->sampling.temperature;
  plan.top_p = likeliest ? 1 : common->sampling.top_p;
  AskedTools tools = read_tools(fields);
  AskedForm form = read_form(fields, plan.format);
  if (fields.error()) return tl::unexpected(*fields.error());

  ResponseInput input(*served.wording, responses, plan.id);
  if (!plan.previous.empty())
    if (const auto added = input.add_history(plan.previous); !added)
      return tl::unexpected(added.error());
  if (const auto added = input.add(fields.find("input")); !added)
    return tl::unexpected(added.error());
  std::vector<text::Message> messages = input.messages(plan.instructions.value_or(""));
  add_tools(*served.wording, tools, messages);
  auto chat = render_messages(served, messages, think, "input");
  if (!chat) return tl::unexpected(std::move(chat).error());
  plan.goes_on = chat->goes_on;
  plan.input = input.take_items();
  chat->tools = std::move(tools);
  auto generation = chat_generation(served, std::move(*chat), std::move(*common), std::move(form));
  if (!generation) return tl::unexpected(std::move(generation).error());
  out.generation = std::move(*generation);
  return out;
}

namespace {

void write_tokens(JsonWriter& json, const ResponseOutcome::Tokens& tokens) {
  json.begin_object().member("input_tokens", tokens.input);
  json.key("input_tokens_details").begin_object().member("cached_tokens", tokens.cached);
  json.end_object().member("output_tokens", tokens.output);
  json.key("output_tokens_details").begin_object();
  json.member("reasoning_tokens", tokens.thoughts).end_object();
  json.member("total_tokens", tokens.input + tokens.output).end_object();
}

template <typename T>
void member_or_null(JsonWriter& json, std::string_view name, const std::optional<T>& value) {
  json.key(name);
  value ? json.value(*value) : json.null();
}

void write_text(JsonWriter& json, const Json& text, const Json& format) {
  json.begin_object().key("format");
  format ? json.value(format) : json.begin_object().member("type", "text").end_object();
  if (const Json verbosity = text.find("verbosity")) json.member("verbosity", verbosity);
  json.end_object();
}

}  // namespace

void write_response(JsonWriter& json, const ResponsePlan& plan, const ResponseOutcome& outcome,
                    const std::vector<ResponseItem>& output) {
  json.begin_object().member("id", plan.id).member("object", "response");
  json.member("created_at", outcome.created).member("status", outcome.status);
  json.member("background", false);
  member_or_null(json, "completed_at", outcome.completed);
  json.key("error");
  if (outcome.error)
    json.begin_object()
        .member("code", outcome.error->code.empty() ? "server_error" : outcome.error->code)
        .member("message", outcome.error->message)
        .end_object();
  else
    json.null();
  json.key("incomplete_details");
  if (outcome.status == "incomplete")
    json.begin_object().member("reason", "max_output_tokens").end_object();
  else
    json.null();
  member_or_null(json, "instructions", plan.instructions);
  member_or_null(json, "max_output_tokens", plan.max_tokens);
  json.key("metadata");
  plan.metadata ? json.value(plan.metadata) : json.begin_object().end_object();
  json.member("model", plan.model).key("output").begin_array();
  for (const ResponseItem& item : output) json.raw(item.json);
  json.end_array().member("parallel_tool_calls", plan.parallel_tool_calls);
  member_or_null(json, "previous_response_id",
                 plan.previous.empty() ? std::nullopt : std::optional(plan.previous));
  json.key("reasoning").begin_object();
  member_or_null(json, "effort", plan.effort);
  member_or_null(json, "summary", plan.summary);
  json.end_object().member("service_tier", "default").member("store", outcome.stored);
  json.member("temperature", plan.temperature);
  write_text(json.key("text"), plan.text, plan.format);
  json.key("tool_choice");
  plan.tool_choice ? json.value(plan.tool_choice) : json.value("auto");
  json.key("tools");
  plan.tools ? json.value(plan.tools) : json.begin_array().end_array();
  json.member("top_logprobs", plan.top_logprobs).member("top_p", plan.top_p);
  json.member("truncation", plan.truncation).key("usage");
  outcome.tokens ? write_tokens(json, *outcome.tokens) : static_cast<void>(json.null());
  member_or_null(json, "user", plan.user);
  json.end_object();
}

}  // namespace skein::server
