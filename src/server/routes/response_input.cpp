#include "server/routes/response_input.h"

#include <utility>

#include "base/limits.h"
#include "server/generation_request.h"
#include "text/tools.h"

namespace skein::server {
namespace {

// A message's parts as they are given back.
void write_content(JsonWriter& json, const Json& content, bool of_answer) {
  const auto part = [&](std::string_view text) {
    json.begin_object().member("type", of_answer ? "output_text" : "input_text");
    json.member("text", text);
    if (of_answer) {
      json.key("annotations").begin_array().end_array();
      json.key("logprobs").begin_array().end_array();
    }
    json.end_object();
  };
  json.begin_array();
  if (const auto text = content.string()) part(*text);
  if (content.array())
    for (const Json& each : *content.array()) part(each.find("text").string().value_or(""));
  json.end_array();
}

ApiError no_previous(const std::string& id, bool itself) {
  return {.message = itself ? fmt::format("there is no response {}; send the conversation as input",
                                          escaped(id, 80))
                            : fmt::format("the response {}, which this goes back to, is gone; send "
                                          "the conversation as input",
                                          escaped(id, 80)),
          .param = "previous_response_id",
          .code = "previous_response_not_found"};
}

}  // namespace

// A call belongs to the turn of the answer before it; an answer that was gone on with is one.
void ResponseInput::say(const Said& said, bool goes_on) {
  const bool follows = !messages_.empty() && messages_.back().role == said.role;
  if (follows && (said.call || goes_on)) {
    if (!goes_on) messages_.back().text += '\n';
    messages_.back().text += said.text;
  } else {
    messages_.push_back({.role = said.role, .text = said.text});
  }
}

Asked<void> ResponseInput::add_history(const std::string& previous) {
  std::vector<StoredResponse> chain;
  uint64_t bytes = 0;
  for (std::string id = previous; !id.empty();) {
    auto found = responses_.find(id);
    if (!found) return tl::unexpected(found.error());
    if (!*found) return tl::unexpected(no_previous(id, chain.empty()));
    for (auto* items : {&(*found)->input, &(*found)->output})
      for (ResponseItem& item : *items) {
        know_call(item);
        std::string().swap(item.json);
        bytes += item.said ? item.said->text.size() : 0;
      }
    std::string().swap((*found)->json);
    if (bytes > limits::kAnswerBytes)
      return tl::unexpected(ApiError{
          .message = fmt::format("the conversation has more than {} bytes", limits::kAnswerBytes),
          .param = "previous_response_id",
          .code = "context_length_exceeded"});
    id = (*found)->previous;
    chain.push_back(std::move(**found));
  }
  for (size_t i = chain.size(); i-- > 0;) {
    for (const ResponseItem& item : chain[i].input)
      if (item.said) say(*item.said, false);
    bool goes_on = chain[i].goes_on;
    for (const ResponseItem& item : chain[i].output)
      if (item.said) say(*item.said, std::exchange(goes_on, false));
  }
  return {};
}

Asked<void> ResponseInput::add(const Json& input) {
  if (const auto text = input.string()) {
    ResponseItem item{.id = next_id("msg"), .json = {}, .said = Said{}};
    item.said->text = *text;
    JsonWriter json;
    json.begin_object().member("id", item.id).member("type", "message");
    json.member("status", "completed").member("role", "user").key("content");
    write_content(json, input, false);
    item.json = json.end_object().text();
    say(*item.said, false);
    items_.push_back(std::move(item));
    return {};
  }
  const auto list = input.array();
  if (!list) return refused("input has to be a string or a list of items", "input");
  if (list->empty()) return refused("input is empty: there is nothing to answer", "input");
  for (const Json& each : *list) {
    auto item = read_item(each, fmt::format("input[{}]", items_.size()));
    if (!item) return tl::unexpected(std::move(item).error());
    know_call(*item);
    if (item->said) say(*item->said, false);
    items_.push_back(std::move(*item));
  }
  return {};
}

void ResponseInput::know_call(const ResponseItem& item) {
  if (!item.id.starts_with("fc_")) return;
  if (const auto json = parse_json(item.json, item.json.size() + 1))
    if (const auto id = json->find("call_id").string()) calls_.emplace(*id);
}

Asked<ResponseItem> ResponseInput::read_item(const Json& json, const std::string& where) {
  if (!json.object()) return refused("an item has to be an object", where);
  const Json given = json.find("type");
  const auto type = given.string();
  if (given && !given.is_null() && !type)
    return refused("an item's type has to be a string", where + ".type");
  const bool has_role = static_cast<bool>(json.find("role"));
  if (type ? *type == "message" : has_role) return read_message(json, where);
  if (type ? *type == "item_reference" : json.find("id").string().has_value())
    return find_item(json, where);
  if (type == "function_call") return read_call(json, where);
  if (type == "function_call_output") return read_output(json, where);
  if (type == "reasoning") {
    // Thoughts leave the history.
    ResponseItem out{.id = next_id("rs"), .json = {}, .said = std::nullopt};
    JsonWriter writer;
    writer.begin_object().member("id", out.id);
    for (const auto& [name, value] : *json.object())
      if (name != "id") writer.member(name, value);
    out.json = writer.end_object().text();
    return out;
  }
  return refused(fmt::format("the item \"{}\" is none of message, function_call, "
                             "function_call_output, reasoning and item_reference",
                             escaped(type.value_or(""), 40)),
                 where + ".type");
}

Asked<ResponseItem> ResponseInput::read_message(const Json& json, const std::string& where) const {
  const auto name = json.find("role").string();
  const auto role = name ? role_by_name(*name) : std::nullopt;
  if (!role)
    return refused("a role has to be system, developer, user or assistant", where + ".role");
  auto text = read_content(json.find("content"), where + ".content");
  if (!text) return tl::unexpected(std::move(text).error());
  ResponseItem out{.id = next_id("msg"), .json = {}, .said = Said{}};
  out.said = {.role = *role, .text = std::move(*text)};
  JsonWriter writer;
  writer.begin_object().member("id", out.id).member("type", "message");
  writer.member("status", json.find("status").string().value_or("completed"));
  writer.member("role", *name).key("content");
  write_content(writer, json.find("content"), *role == text::Role::assistant);
  out.json = writer.end_object().text();
  return out;
}

Asked<ResponseItem> ResponseInput::read_call(const Json& json, const std::string& where) const {
  const auto name = json.find("name").string();
  const auto arguments = json.find("arguments").string();
  const auto call = json.find("call_id").string();
  if (!name) return refused("a function_call needs a name", where + ".name");
  if (!arguments) return refused("arguments has to be a string of JSON", where + ".arguments");
  if (!call) return refused("a function_call needs a call_id", where + ".call_id");
  ResponseItem out{.id = next_id("fc"), .json = {}, .said = Said{}};
  out.said = {.role = text::Role::assistant,
              .text = text::render_call(profile_, *name, *arguments),
              .call = true};
  JsonWriter writer;
  writer.begin_object().member("id", out.id).member("type", "function_call");
  writer.member("status", json.find("status").string().value_or("completed"));
  writer.member("call_id", *call).member("name", *name).member("arguments", *arguments);
  out.json = writer.end_object().text();
  return out;
}

Asked<ResponseItem> ResponseInput::read_output(const Json& json, const std::string& where) const {
  const auto call = json.find("call_id").string();
  if (!call) return refused("a function_call_output needs a call_id", where + ".call_id");
  if (calls_.find(*call) == calls_.end())
    return refused(fmt::format("no function_call before this has the call_id {}; it stands in "
                               "input or in the response of previous_response_id",
                               escaped(*call, 80)),
                   where + ".call_id");
  auto text = read_content(json.find("output"), where + ".output");
  if (!text) return tl::unexpected(std::move(text).error());
  ResponseItem out{.id = next_id("fco"), .json = {}, .said = Said{}};
  out.said = {.role = text::Role::tool, .text = std::move(*text)};
  JsonWriter writer;
  writer.begin_object().member("id", out.id).member("type", "function_call_output");
  writer.member("status", json.find("status").string().value_or("completed"));
  writer.member("call_id", *call).member("output", json.find("output"));
  out.json = writer.end_object().text();
  return out;
}

// A few bytes name an item of any size.
Asked<void> ResponseInput::count_referred(uint64_t bytes, const std::string& where) {
  referred_bytes_ += bytes;
  if (referred_bytes_ <= limits::kReferredBytes) return {};
  return refused(fmt::format("the items that are referred to, with their responses, have more than "
                             "{} MiB; go on with previous_response_id",
                             limits::kReferredBytes / limits::kMiB),
                 where);
}

Asked<const StoredResponse*> ResponseInput::refer_to(const std::string& id,
                                                     const std::string& where) {
  const auto [place, fresh] = referred_.try_emplace(id);
  if (fresh) {
    auto found = responses_.find(id);
    if (!found) return tl::unexpected(std::move(found).error());
    uint64_t bytes = id.size();
    if (*found) {
      std::string().swap((*found)->json);
      for (const auto* items : {&(*found)->input, &(*found)->output})
        for (const ResponseItem& item : *items) bytes += item.bytes();
    }
    if (auto within = count_referred(bytes, where); !within)
      return tl::unexpected(std::move(within).error());
    place->second = std::move(*found);
  }
  return place->second ? &*place->second : nullptr;
}

Asked<ResponseItem> ResponseInput::find_item(const Json& json, const std::string& where) {
  const auto id = json.find("id").string();
  if (!id) return refused("an item_reference needs an id", where + ".id");
  const std::string response = response_of_item(*id);
  if (!response.empty()) {
    const auto found = refer_to(response, where);
    if (!found) return tl::unexpected(found.error());
    if (*found)
      for (const auto* items : {&(*found)->input, &(*found)->output})
        for (const ResponseItem& item : *items) {
          if (item.id != *id) continue;
          if (auto within = count_referred(item.bytes(), where); !within)
            return tl::unexpected(std::move(within).error());
          return item;
        }
  }
  return tl::unexpected(ApiError{.status = 404,
                                 .message = fmt::format("there is no item {}", escaped(*id, 80)),
                                 .param = where + ".id"});
}

std::vector<text::Message> ResponseInput::messages(const std::string& instructions) const {
  std::vector<text::Message> out;
  if (!instructions.empty()) out.push_back({.role = text::Role::system, .text = instructions});
  out.insert(out.end(), messages_.begin(), messages_.end());
  return out;
}

}  // namespace skein::server
