#include "server/routes/message_request.h"

#include <utility>

#include "base/limits.h"
#include "server/routes/message_input.h"

namespace skein::server {
namespace {

using constrain::Calling;

constexpr FieldName kNames[] = {{"stop", "stop_sequences"}};

struct Thinking {
  text::ThinkMode mode = text::ThinkMode::none;
  int64_t budget = -1;
};

// output_config.effort says how much, and thinking whether at all.
Thinking read_thinking(const Served& served, Fields& fields) {
  Thinking out{.mode = read_think(fields, served.think), .budget = read_think_budget(fields)};
  std::optional<text::ThinkMode> effort;
  Fields config(fields.find("output_config"));
  if (const auto name = config.string("effort")) {
    effort = *name == "max" ? text::ThinkMode::lot : mode_of_effort(*name);
    if (!effort)
      fields.refuse("output_config.effort", "effort has to be low, medium, high, xhigh or max");
  } else if (config.error()) {
    fields.refuse("output_config.effort", config.error()->message);
  }
  const Json thinking = fields.find("thinking");
  if (!thinking) return out;
  Fields inside(thinking);
  const auto type = inside.string("type");
  if (type == "disabled") {
    out.mode = text::ThinkMode::fake;
  } else if (type == "enabled" || type == "adaptive") {
    out.mode = effort.value_or(text::ThinkMode::free);
    constexpr auto kMost = static_cast<int64_t>(limits::kPromptTokens);
    out.budget = inside.integer("budget_tokens", 1, kMost).value_or(out.budget);
  } else {
    fields.refuse("thinking.type", "thinking has to be of the type enabled, disabled or adaptive");
  }
  if (inside.error()) fields.refuse("thinking." + inside.error()->param, inside.error()->message);
  return out;
}

void read_choice(Fields& fields, AskedTools& out) {
  const Json choice = fields.find("tool_choice");
  if (!choice) {
    out.calling = Calling::optional;
    out.callable = out.offered;
    return;
  }
  Fields inside(choice);
  const auto type = inside.string("type");
  out.parallel = !inside.flag("disable_parallel_tool_use", false);
  if (inside.error())
    return fields.refuse("tool_choice." + inside.error()->param, inside.error()->message);
  if (type == "none") return;
  if (type == "auto" || type == "any") {
    out.calling = type == "auto" ? Calling::optional : Calling::required;
    out.callable = out.offered;
    return;
  }
  if (type != "tool")
    return fields.refuse("tool_choice.type", "tool_choice has to be auto, any, tool or none");
  const text::Tool* tool = find_tool(out.offered, choice.find("name").string().value_or(""));
  if (!tool) return fields.refuse("tool_choice.name", "tool_choice names a tool that tools lacks");
  require_tool(*tool, out);
}

AskedTools read_message_tools(Fields& fields) {
  AskedTools out;
  out.parameters = "input_schema";
  const Json tools = fields.find("tools");
  const auto list = tools.array();
  if (tools && !list) fields.refuse("tools", "tools has to be a list");
  if (list && list->size() > constrain::kMostTools)
    fields.refuse("tools", fmt::format("more than {} tools", constrain::kMostTools));
  if (fields.error()) return out;
  for (size_t i = 0; const Json& each : list) {
    const std::string where = fmt::format("tools[{}]", i++);
    const Json type = each.find("type");
    if (type && !type.is_null() && type.string() != "custom")
      fields.decline(where + ".type", "tools that the server would run are not offered");
    else if (!each.find("input_schema").object())
      fields.refuse(where + ".input_schema", "a tool needs an input_schema, a JSON Schema");
    else
      offer_tool(fields, each, where, "input_schema", out);
  }
  if (!out.offered.empty()) {
    read_choice(fields, out);
    return out;
  }
  const Json choice = fields.find("tool_choice");
  const auto type = choice.find("type").string();
  if (choice && type != "auto" && type != "none")
    fields.refuse("tool_choice", "tool_choice asks for a tool, and tools has none");
  return out;
}

// Where the answer's form stands: output_config, and output_format as it was called before.
AskedForm read_message_form(Fields& fields) {
  const Json config = fields.find("output_config");
  if (config && !config.object())
    fields.refuse("output_config", "output_config has to be an object");
  const Json old = fields.find("output_format"), format = config.find("format");
  if (format && !format.is_null()) return read_form(fields, format, "output_config.format");
  return read_form(fields, old, "output_format");
}

Asked<RenderedChat> render(const Served& served, const Json& body, const AskedTools& tools,
                           text::ThinkMode think, const History& history) {
  MessageInput input(*served.wording, history.given);
  for (size_t i = 0; const Json& each : body.find("tools").array())
    if (auto marked = input.mark_beginning(each, fmt::format("tools[{}]", i++)); !marked)
      return tl::unexpected(std::move(marked).error());
  if (auto added = input.add_system(body.find("system")); !added)
    return tl::unexpected(std::move(added).error());
  if (auto added = input.add(body.find("messages")); !added)
    return tl::unexpected(std::move(added).error());
  if (auto marked = input.mark_end(body); !marked) return tl::unexpected(std::move(marked).error());
  std::vector<text::Message>& messages = input.messages();
  if (messages.empty() && !history.given)
    return refused("messages is empty: there is nothing to answer", "messages");
  const size_t before = messages.size();
  const bool fresh = !history.given || history.fresh();
  if (fresh) add_tools(*served.wording, tools, messages);
  auto out = render_messages(served, messages, think, "messages", history);
  if (out && fresh && !messages.empty())
    out->asked = input.marks(out->prompt.text, out->think, messages.size() - before);
  return out;
}

Asked<GenerationRequest> read(const Served& served, const Defaults& defaults, const Json& body,
                              const History& history, bool answers) {
  Fields fields(body, {kNames});
  const Thinking thinking = read_thinking(served, fields);
  AskedTools tools = read_message_tools(fields);
  if (fields.error()) return tl::unexpected(*fields.error());
  auto chat = render(served, body, tools, thinking.mode, history);
  if (!chat) return tl::unexpected(std::move(chat).error());
  chat->tools = std::move(tools);
  auto common = read_common_fields(served, defaults, chat->think, fields);
  if (!common) return tl::unexpected(std::move(common).error());
  common->choices = 1;
  AskedForm form = read_message_form(fields);
  constexpr auto kMost = static_cast<int64_t>(limits::kPromptTokens);
  const auto most = fields.integer("max_tokens", 1, kMost);
  if (answers && !most) fields.refuse("max_tokens", "max_tokens is missing: of the answer at most");
  if (fields.error()) return tl::unexpected(*fields.error());
  common->options.max_tokens = most.value_or(1);
  common->options.think_budget = thinking.budget;
  auto out =
      chat_generation(served, std::move(*chat), std::move(*common), std::move(form), history);
  if (out)
    out->reply = [host = served.host.get()](ReplyPlan plan) {
      return make_message_reply(std::move(plan), *host);
    };
  return out;
}

}  // namespace

Asked<GenerationRequest> read_message_request(const Served& served, const Defaults& defaults,
                                              const Json& body, const History& history) {
  return read(served, defaults, body, history, true);
}

Asked<GenerationRequest> read_message_prompt(const Served& served, const Defaults& defaults,
                                             const Json& body, const History& history) {
  return read(served, defaults, body, history, false);
}

}  // namespace skein::server
