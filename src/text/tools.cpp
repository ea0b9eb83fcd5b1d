#include "text/tools.h"

#include <fmt/format.h>

#include <algorithm>

namespace skein::text {
namespace {

constexpr CallForm kTagged = {"<tool_call>",
                              "\n{\"name\": ", ", \"arguments\": ", "}\n</tool_call>", "\n"};
// A block of JSON that begins with a name is a call; other blocks are text.
constexpr CallForm kFenced = {"```json\n{\"name\":", " ", ", \"arguments\": ", "}\n```", "\n"};

constexpr std::string_view kBlanks = " \t\r\n";

std::string type_of(const Json& schema) {
  const Json type = schema.find("type");
  if (const auto one = type.string()) return std::string(*one);
  std::string out;
  for (const Json& each : type.array()) {
    if (!each.string()) continue;
    if (!out.empty()) out += '|';
    out += *each.string();
  }
  return out.empty() ? "any" : out;
}

bool is_required(const Json& schema, std::string_view name) {
  for (const Json& each : schema.find("required").array())
    if (each.string() == name) return true;
  return false;
}

// One line, as a blank line would end the turn.
std::string one_line(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (kBlanks.find(c) == std::string_view::npos)
      out += c;
    else if (!out.empty() && out.back() != ' ')
      out += ' ';
  }
  while (out.ends_with(' ')) out.pop_back();
  return out;
}

std::string signature(const Tool& tool) {
  std::string out = tool.name + "(";
  bool first = true;
  for (const auto& [name, schema] : tool.parameters.find("properties").object()) {
    out += fmt::format("{}{}{}: {}", first ? "" : ", ", name,
                       is_required(tool.parameters, name) ? "" : "?", type_of(schema));
    first = false;
    if (const auto about = schema.find("description").string())
      out += fmt::format(" ({})", one_line(*about));
  }
  out += ')';
  if (!tool.description.empty()) out += ": " + one_line(tool.description);
  return out;
}

std::string declaration(const Tool& tool) {
  JsonWriter json;
  json.begin_object().member("type", "function").key("function").begin_object();
  json.member("name", tool.name);
  if (!tool.description.empty()) json.member("description", tool.description);
  json.key("parameters");
  if (tool.parameters)
    json.value(tool.parameters);
  else
    json.begin_object().member("type", "object").end_object();
  return json.end_object().end_object().text();
}

}  // namespace

const CallForm& call_form(const Profile& profile) {
  return profile.has_turn_tokens() ? kTagged : kFenced;
}

std::string render_tools(const Profile& profile, std::span<const Tool> tools, bool must_call) {
  std::string out;
  if (profile.has_turn_tokens()) {
    out = "# Tools\n\nFunctions that may be called, one a line:\n<tools>\n";
    for (const Tool& tool : tools) out += declaration(tool) + '\n';
    out += "</tools>\n\n";
    out += must_call ? "Answer with a call of a function:\n"
                     : "To call a function, write its name and arguments as JSON inside "
                       "<tool_call> tags:\n";
    return out + render_call(profile, "NAME", "{...}");
  }
  out = "Tools:\n";
  for (const Tool& tool : tools) out += "- " + signature(tool) + '\n';
  if (must_call) return out + "Return only a JSON function call.";
  return out + "To use a tool, return only a JSON function call:\n" +
         render_call(profile, "NAME", "{...}");
}

std::string render_call(const CallForm& form, std::string_view name, std::string_view arguments) {
  JsonWriter quoted;
  quoted.value(name);
  return fmt::format("{}{}{}{}{}{}", form.trigger, form.before_name, quoted.text(),
                     form.before_arguments, arguments, form.end);
}

std::vector<CallReader::Piece> CallReader::push(std::string_view bytes) {
  std::vector<Piece> out;
  for (const char c : bytes) take(c, out);
  return out;
}

std::vector<CallReader::Piece> CallReader::finish() {
  std::vector<Piece> out;
  // Behind a call it is the beginning of another one that never came.
  if (at_ == At::text && !held_.empty() && calls_ == 0)
    out.push_back({Piece::Kind::text, std::move(held_)});
  held_.clear();
  return out;
}

// Whether the literal is over with this byte.
bool CallReader::is_through(std::string_view literal) {
  if (++passed_ < literal.size()) return false;
  passed_ = 0;
  return true;
}

void CallReader::take(char c, std::vector<Piece>& out) {
  switch (at_) {
    case At::text: return take_text(c, out);
    case At::before_name:
      if (is_through(form_->before_name)) at_ = At::name;
      return;
    case At::name: {
      held_ += c;
      const bool closes = c == '"' && !escaped_ && in_string_;
      escaped_ = c == '\\' && !escaped_;
      in_string_ = true;
      if (!closes) return;
      in_string_ = false;
      const auto name = parse_json(held_, held_.size());
      ++calls_;
      out.push_back({Piece::Kind::call,
                     name && name->string() ? std::string(*name->string()) : std::string()});
      held_.clear();
      at_ = At::before_arguments;
      return;
    }
    case At::before_arguments:
      if (is_through(form_->before_arguments)) at_ = At::arguments;
      return;
    case At::arguments: return take_argument(c, out);
    case At::end:
      if (!is_through(form_->end)) return;
      at_ = At::text;
      out.push_back({Piece::Kind::end, {}});
      return;
  }
}

// Held back: blanks, and then what may be the trigger.
void CallReader::take_text(char c, std::vector<Piece>& out) {
  held_ += c;
  if (held_.ends_with(form_->trigger)) {
    held_.resize(held_.size() - form_->trigger.size());
    const bool only_blanks = held_.find_first_not_of(kBlanks) == std::string::npos;
    if (!only_blanks) out.push_back({Piece::Kind::text, std::move(held_)});
    held_.clear();
    at_ = At::before_name;
    return;
  }
  // The longest end that a call may begin with.
  size_t begin = held_.size() - std::min(held_.size(), form_->trigger.size() - 1);
  while (begin < held_.size() && !form_->trigger.starts_with(std::string_view(held_).substr(begin)))
    ++begin;
  while (begin > 0 && kBlanks.find(held_[begin - 1]) != std::string_view::npos) --begin;
  if (begin == 0) return;
  const std::string shown = held_.substr(0, begin);
  held_.erase(0, begin);
  if (!out.empty() && out.back().kind == Piece::Kind::text)
    out.back().text += shown;
  else
    out.push_back({Piece::Kind::text, shown});
}

void CallReader::take_argument(char c, std::vector<Piece>& out) {
  const bool ends_scalar = depth_ == 0 && !in_string_ && c == form_->end.front();
  if (ends_scalar) {
    at_ = At::end;
    return take(c, out);
  }
  if (out.empty() || out.back().kind != Piece::Kind::arguments)
    out.push_back({Piece::Kind::arguments, {}});
  out.back().text += c;
  if (in_string_) {
    if (c == '"' && !escaped_) in_string_ = false;
    escaped_ = c == '\\' && !escaped_;
  } else if (c == '"') {
    in_string_ = true;
  } else if (c == '{' || c == '[') {
    ++depth_;
  } else if (c == '}' || c == ']') {
    --depth_;
  }
}

}  // namespace skein::text
