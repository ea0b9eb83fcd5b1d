#include "server/tool_fields.h"

#include <algorithm>
#include <utility>

namespace skein::server {
namespace {

using constrain::Calling;

bool is_name(std::string_view name) {
  constexpr size_t kLongest = 64;
  return !name.empty() && name.size() <= kLongest &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '_' || c == '-' || c == '.';
         });
}

void read_tool(Fields& fields, const Json& given, const std::string& where, AskedTools& out) {
  const auto type = given.find("type").string();
  if (!given.object() || !type)
    return fields.refuse(where, "a tool has to be an object with a type");
  if (*type != "function")
    return fields.decline(where + ".type", "tools of other types than function are not offered");
  const Json nested = given.find("function");
  if (nested) out.parameters = "function.parameters";
  offer_tool(fields, nested ? nested : given, nested ? where + ".function" : where, "parameters",
             out);
}

// The function of a choice, in either form.
std::string_view chosen_name(const Json& choice) {
  const Json nested = choice.find("function");
  return (nested ? nested : choice).find("name").string().value_or("");
}

void read_allowed(Fields& fields, const Json& choice, AskedTools& out) {
  const Json nested = choice.find("allowed_tools");
  const Json allowed = nested ? nested : choice;
  const auto mode = allowed.find("mode").string().value_or("auto");
  const auto list = allowed.find("tools").array();
  if ((mode != "auto" && mode != "required") || !list)
    return fields.refuse("tool_choice",
                         "allowed_tools has a mode, auto or required, and a list of tools");
  out.calling = mode == "auto" ? Calling::optional : Calling::required;
  for (const Json& each : *list) {
    const text::Tool* tool = find_tool(out.offered, chosen_name(each));
    if (!tool) return fields.refuse("tool_choice", "allowed_tools names a tool that tools lacks");
    if (!find_tool(out.callable, tool->name)) out.callable.push_back(*tool);
  }
  if (out.callable.empty())
    fields.refuse("tool_choice", "allowed_tools has to name one of the tools");
}

void read_choice(Fields& fields, AskedTools& out) {
  const Json choice = fields.find("tool_choice");
  const auto word = choice ? choice.string() : "auto";
  if (word == "none") return;
  if (word == "auto" || word == "required") {
    out.calling = word == "auto" ? Calling::optional : Calling::required;
    out.callable = out.offered;
    return;
  }
  const auto type = choice.find("type").string();
  if (type == "allowed_tools") return read_allowed(fields, choice, out);
  if (type != "function")
    return fields.refuse("tool_choice",
                         "tool_choice has to be none, auto, required, a function or allowed_tools");
  const text::Tool* tool = find_tool(out.offered, chosen_name(choice));
  if (!tool) return fields.refuse("tool_choice", "tool_choice names a function that tools lacks");
  require_tool(*tool, out);
}

}  // namespace

const text::Tool* find_tool(const std::vector<text::Tool>& tools, std::string_view name) {
  const auto found = std::find_if(tools.begin(), tools.end(),
                                  [&](const text::Tool& tool) { return tool.name == name; });
  return found == tools.end() ? nullptr : &*found;
}

void offer_tool(Fields& fields, const Json& function, const std::string& where,
                std::string_view parameters, AskedTools& out) {
  const auto name = function.find("name").string();
  if (!name || !is_name(*name))
    return fields.refuse(where + ".name",
                         "a function needs a name of 1 to 64 letters, digits, _, - and .");
  if (find_tool(out.offered, *name))
    return fields.refuse(where + ".name", fmt::format("two functions are called {}", *name));
  text::Tool tool{.name = std::string(*name)};
  if (const Json about = function.find("description"); about && !about.is_null()) {
    if (!about.string())
      return fields.refuse(where + ".description", "description has to be a string");
    tool.description = *about.string();
  }
  if (const Json schema = function.find(parameters); schema && !schema.is_null()) {
    if (!schema.object() && !schema.boolean())
      return fields.refuse(fmt::format("{}.{}", where, parameters),
                           fmt::format("{} has to be a JSON Schema", parameters));
    tool.parameters = schema;
  }
  out.offered.push_back(std::move(tool));
}

void require_tool(const text::Tool& tool, AskedTools& out) {
  out.calling = Calling::required;
  out.callable = {tool};
  out.parallel = false;
}

AskedTools read_tools(Fields& fields) {
  AskedTools out;
  const Json tools = fields.find("tools"), choice = fields.find("tool_choice");
  const auto list = tools.array();
  // An empty object stands for none: clients send one.
  const bool none =
      !tools || (list && list->empty()) || (tools.object() && tools.object()->empty());
  if (!none && !list) fields.refuse("tools", "tools has to be a list");
  if (!none && list && list->size() > constrain::kMostTools)
    fields.refuse("tools", fmt::format("more than {} tools", constrain::kMostTools));
  if (none || fields.error()) {
    const auto word = choice.string();
    if (choice && !choice.object() && word != "none" && word != "auto" && word != "required")
      fields.refuse("tool_choice", "tool_choice has to be none, auto, required or an object");
    if (none && (word == "required" || choice.find("type")))
      fields.refuse("tool_choice", "tool_choice asks for a tool, and tools has none");
    return out;
  }
  for (size_t i = 0; const Json& each : *list)
    read_tool(fields, each, fmt::format("tools[{}]", i++), out);
  out.parallel = fields.flag("parallel_tool_calls", true);
  if (!fields.error()) read_choice(fields, out);
  return out;
}

void add_tools(const text::Profile& profile, const AskedTools& tools,
               std::vector<text::Message>& messages) {
  if (!tools.any()) return;
  const std::string text =
      text::render_tools(profile, tools.offered, tools.calling == Calling::required);
  if (messages.empty() || messages.front().role != text::Role::system)
    messages.insert(messages.begin(), {.role = text::Role::system, .text = text});
  else
    messages.front().text += (profile.has_turn_tokens() ? "\n\n" : "\n") + text;
}

}  // namespace skein::server
