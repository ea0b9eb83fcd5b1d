#include "server/routes/message_input.h"

#include <algorithm>
#include <utility>

#include "server/generation_request.h"
#include "text/tools.h"

namespace skein::server {
namespace {

constexpr size_t kMarks = 4;  // as many as Anthropic has
constexpr size_t kBlocks = 4096;

tl::unexpected<ApiError> no_text(std::string_view type, const std::string& where) {
  return refused(fmt::format("a block is \"{}\"; this model reads text", escaped(type, 40)),
                 where + ".type");
}

// A string, or a list of text blocks.
Asked<std::string> read_texts(const Json& content, const std::string& where) {
  if (const auto text = content.string()) return std::string(*text);
  const auto list = content.array();
  if (!list) return refused("content has to be a string or a list of blocks", where);
  std::string out;
  for (size_t i = 0; const Json& each : *list) {
    auto text = read_text_block(each, fmt::format("{}[{}]", where, i));
    if (!text) return text;
    if (i++ > 0) out += '\n';
    out += *text;
  }
  return out;
}

}  // namespace

Asked<std::string> read_text_block(const Json& block, const std::string& where) {
  const auto type = block.find("type").string();
  if (!type) return refused("a block has to be an object with a type", where + ".type");
  if (*type == "document") {
    const Json source = block.find("source");
    const auto data = source.find("data").string();
    if (source.find("type").string() != "text" || !data)
      return refused("a document has to have a source of the type text", where + ".source");
    const auto title = block.find("title").string();
    return title ? fmt::format("{}\n{}", *title, *data) : std::string(*data);
  }
  if (*type != "text") return no_text(*type, where);
  const auto text = block.find("text").string();
  if (!text) return refused("text has to be a string", where + ".text");
  return std::string(*text);
}

Asked<bool> MessageInput::is_marked(const Json& block, const std::string& where) {
  const Json given = block.find("cache_control");
  if (!given || given.is_null()) return false;
  if (given.find("type").string() != "ephemeral")
    return refused("cache_control has to be an object of the type ephemeral",
                   where.empty() ? "cache_control" : where + ".cache_control");
  if (++marked_ > kMarks)
    return refused(fmt::format("more than {} blocks have a cache_control", kMarks),
                   where.empty() ? "cache_control" : where + ".cache_control");
  return true;
}

Asked<void> MessageInput::mark_beginning(const Json& block, const std::string& where) {
  const auto marked = is_marked(block, where);
  if (!marked) return tl::unexpected(marked.error());
  if (*marked) marks_.push_back({.message = 0});
  return {};
}

Asked<void> MessageInput::mark_end(const Json& body) {
  const auto marked = is_marked(body, {});
  if (!marked) return tl::unexpected(marked.error());
  if (*marked && !messages_.empty())
    marks_.push_back({messages_.size() - 1, messages_.back().text.size()});
  return {};
}

Asked<void> MessageInput::add_system(const Json& system) {
  if (!system || system.is_null()) return {};
  const auto list = system.array();
  if (!list && !system.string())
    return refused("system has to be a string or a list of text blocks", "system");
  std::string text(system.string().value_or(""));
  for (size_t i = 0; const Json& block : list) {
    const std::string where = fmt::format("system[{}]", i);
    auto one = read_text_block(block, where);
    if (!one) return tl::unexpected(std::move(one).error());
    if (i++ > 0) text += '\n';
    text += *one;
    const auto marked = is_marked(block, where);
    if (!marked) return tl::unexpected(marked.error());
    // Behind the last one stand the tools, which belong to what is kept.
    if (*marked) marks_.push_back({0, i == list->size() ? std::string::npos : text.size()});
  }
  if (text.empty()) return {};
  messages_.push_back({.role = text::Role::system, .text = std::move(text)});
  return {};
}

Asked<void> MessageInput::add(const Json& messages) {
  const auto list = messages.array();
  if (!list) return refused("messages has to be a list", "messages");
  for (size_t i = 0; const Json& each : *list)
    if (auto added = add_message(each, fmt::format("messages[{}]", i++)); !added) return added;
  return {};
}

Asked<void> MessageInput::add_message(const Json& message, const std::string& where) {
  const auto name = message.find("role").string();
  const auto role = name ? role_by_name(*name) : std::nullopt;
  if (!role) return refused("a role has to be user, assistant or system", where + ".role");
  begun_ = false;
  const Json content = message.find("content");
  if (const auto text = content.string()) return say(*role, *text), Asked<void>();
  if (!content.array())
    return refused("content has to be a string or a list of blocks", where + ".content");
  return add_blocks(*role, content, where + ".content");
}

Asked<void> MessageInput::add_blocks(text::Role role, const Json& content,
                                     const std::string& where) {
  const auto list = content.array();
  if (list->size() > kBlocks)
    return refused(fmt::format("content has more than {} blocks", kBlocks), where);
  for (size_t i = 0; const Json& block : *list) {
    const std::string place = fmt::format("{}[{}]", where, i++);
    if (auto added = add_block(role, block, place); !added) return added;
    const auto marked = is_marked(block, place);
    if (!marked) return tl::unexpected(marked.error());
    if (*marked && !messages_.empty())
      marks_.push_back({messages_.size() - 1, messages_.back().text.size()});
  }
  // A turn of nothing is one all the same, but for a thought, which the history has not.
  if (list->empty()) say(role, "");
  return {};
}

Asked<void> MessageInput::add_block(text::Role role, const Json& block, const std::string& where) {
  const auto type = block.find("type").string();
  if (role == text::Role::assistant) {
    if (type == "tool_use") return add_call(block, where);
    if (type == "thinking" || type == "redacted_thinking") return {};
  } else if (type == "tool_result") {
    return add_result(block, where);
  }
  const auto text = read_text_block(block, where);
  if (!text) return tl::unexpected(text.error());
  say(role, *text);
  return {};
}

Asked<void> MessageInput::add_call(const Json& block, const std::string& where) {
  const auto id = block.find("id").string(), name = block.find("name").string();
  const Json input = block.find("input");
  if (!id) return refused("a tool_use needs an id", where + ".id");
  if (!name) return refused("a tool_use needs a name", where + ".name");
  if (!input.object()) return refused("input has to be an object", where + ".input");
  calls_.emplace(*id);
  say(text::Role::assistant, text::render_call(profile_, *name, json_text(input)));
  return {};
}

Asked<void> MessageInput::add_result(const Json& block, const std::string& where) {
  const auto id = block.find("tool_use_id").string();
  if (!id) return refused("a tool_result needs a tool_use_id", where + ".tool_use_id");
  if (!knows_calls_ && calls_.find(*id) == calls_.end())
    return refused(fmt::format("no tool_use before this has the id {}", escaped(*id, 80)),
                   where + ".tool_use_id");
  const Json content = block.find("content");
  std::string text;
  if (content && !content.is_null()) {
    auto read = read_texts(content, where + ".content");
    if (!read) return tl::unexpected(std::move(read).error());
    text = std::move(*read);
  }
  messages_.push_back({.role = text::Role::tool, .text = std::move(text)});
  begun_ = false;
  return {};
}

// Blocks of one message are one turn, each on a line of its own.
void MessageInput::say(text::Role role, std::string_view text) {
  if (std::exchange(begun_, true)) {
    messages_.back().text += '\n';
    messages_.back().text += text;
  } else {
    messages_.push_back({.role = role, .text = std::string(text)});
  }
}

// As far as the prompt goes with the one that ends there, and both with whatever comes next.
std::vector<size_t> MessageInput::marks(std::string_view prompt, text::ThinkMode think,
                                        size_t inserted) const {
  std::vector<size_t> out;
  for (const Mark& mark : marks_) {
    // Of what was put before them, and of what it was put into, the end is meant.
    const bool beginning = mark.message == 0 && mark.bytes == std::string::npos;
    const size_t last = beginning ? 0 : mark.message + inserted;
    if (last >= messages_.size()) continue;
    std::vector<text::Message> until(messages_.begin(),
                                     messages_.begin() + static_cast<std::ptrdiff_t>(last) + 1);
    std::string& text = until.back().text;
    text.resize(std::min(text.size(), mark.bytes));
    const std::string alone = text::render(profile_, until, think).text;
    const auto parted = std::mismatch(prompt.begin(), prompt.end(), alone.begin(), alone.end());
    out.push_back(static_cast<size_t>(parted.first - prompt.begin()));
  }
  std::sort(out.begin(), out.end());
  return out;
}

}  // namespace skein::server
