// Functions that a request offers to the model, and which of them it may or has to call.
#pragma once

#include <vector>

#include "constrain/answer.h"
#include "server/fields.h"
#include "text/template.h"
#include "text/tools.h"

namespace skein::server {

struct AskedTools {
  std::vector<text::Tool> offered;   // what the model is told of
  std::vector<text::Tool> callable;  // what it may call: of those
  constrain::Calling calling = constrain::Calling::none;
  bool parallel = true;  // several calls; never of a function that the choice names

  std::string parameters = "parameters";  // what a tool's schema is called

  bool any() const { return calling != constrain::Calling::none; }
};

// tools, tool_choice and parallel_tool_calls, as chat completions ({"type": "function", "function":
// {...}}) or responses ({"type": "function", "name": ...}) have them.
AskedTools read_tools(Fields& fields);

// ---- What other protocols have of them.
const text::Tool* find_tool(const std::vector<text::Tool>& tools, std::string_view name);
// One more that is offered. `where`: of `function`, whose schema is called so.
void offer_tool(Fields& fields, const Json& function, const std::string& where,
                std::string_view parameters, AskedTools& out);
// Only this one may be called, and has to be.
void require_tool(const text::Tool& tool, AskedTools& out);

// Puts what is said of them into the system text, where a conversation begins.
void add_tools(const text::Profile& profile, const AskedTools& tools,
               std::vector<text::Message>& messages);

}  // namespace skein::server
